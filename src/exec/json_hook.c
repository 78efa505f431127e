/* SPDX-License-Identifier: MIT */
#include "exec/json_hook.h"

#include <remuda/atomics.h>

RMD_STATIC rmd_atomic(const rmdi_json *) used;

void rmdi_json_use(const rmdi_json *json)
{
    rmd_atomic_store(&used, json, RMD_RELEASE);
}

/* Acquire: what it points to. */
const rmdi_json *rmdi_json_used(void)
{
    return rmd_atomic_load(&used, RMD_ACQUIRE);
}
