/* SPDX-License-Identifier: MIT */
#include "exec/foreign.h"
#include "exec/guard.h"
#include "exec/guard_table.h"
#include "exec/plugin.h"
#include "exec/template_setup.h"

#include <remuda/recorder.h>
#include <remuda/start.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

extern rmdi_carrier rmdi_plugin_carrier __attribute__((weak));

/* For workers, too: they are forked from the template, which comes here. Not for who has more
 * rights than its caller: that would make files with those rights. */
static int record_as_told(void)
{
    rmd_recorder_options options = { .size = sizeof options, .signal = SIGUSR2, .crash = true };
    options.path = secure_getenv("REMUDA_RECORD");
    if (!options.path || !*options.path || strcmp(options.path, "off") == 0)
        return 0;
    return rmd_recorder_on(&options);
}

int rmd_start(int *argc, char ***argv)
{
    if (*argc > 0 && strcmp((*argv)[0], RMDI_GUARD_NAME) == 0)
        rmdi_guard_process();
    rmdi_carrier_add(&rmdi_foreign_carrier);
    if (&rmdi_plugin_carrier)
        rmdi_carrier_add(&rmdi_plugin_carrier);
    rmdi_guard_use_self(); /* also for pools that workers open */
    int err = record_as_told();
    if (*argc > 0 && strcmp((*argv)[0], RMDI_TEMPLATE_NAME) == 0)
        rmdi_template_process();
    return err;
}
