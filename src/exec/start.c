/* SPDX-License-Identifier: MIT */
#include "exec/foreign.h"
#include "exec/guard.h"
#include "exec/guard_table.h"
#include "exec/template_setup.h"

#include <remuda/start.h>
#include <string.h>

int rmd_start(int *argc, char ***argv)
{
    if (*argc > 0 && strcmp((*argv)[0], RMDI_GUARD_NAME) == 0)
        rmdi_guard_process();
    rmdi_carrier_add(&rmdi_foreign_carrier);
    rmdi_guard_use_self(); /* also for pools that workers open */
    if (*argc > 0 && strcmp((*argv)[0], RMDI_TEMPLATE_NAME) == 0)
        rmdi_template_process();
    return 0;
}
