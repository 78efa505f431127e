/* SPDX-License-Identifier: MIT */
/* A task that begins when another one has ended. */
#ifndef RMDI_EXEC_THEN_H
#define RMDI_EXEC_THEN_H

#include "exec/future.h"

#include <remuda/task.h>

typedef struct rmdi_then {
    rmd_then_fn *fn;
    void *arg;
    rmd_future *first; /* held */
    rmdi_on_end hook;
} rmdi_then;

void rmdi_then_free(rmdi_then *then);

#endif
