/* SPDX-License-Identifier: MIT */
#include "explore/statics.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

extern char rmdi_first_static[] __asm__("__start_rmdi_statics") __attribute__((weak));
extern char rmdi_last_static[] __asm__("__stop_rmdi_statics") __attribute__((weak));

static char *first_values;

static size_t bytes(void)
{
    return (size_t)(rmdi_last_static - rmdi_first_static);
}

int rmdi_statics_open(void)
{
    if (!bytes())
        return 0;
    first_values = malloc(bytes());
    if (!first_values)
        return rmdi_fail_memory();
    memcpy(first_values, rmdi_first_static, bytes());
    return 0;
}

void rmdi_statics_reset(void)
{
    if (first_values)
        memcpy(rmdi_first_static, first_values, bytes());
}

void rmdi_statics_close(void)
{
    rmdi_statics_reset();
    free(first_values);
    first_values = NULL;
}
