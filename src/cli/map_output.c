/* SPDX-License-Identifier: MIT */
#include "cli/map_output.h"

#include <errno.h>
#include <remuda/error.h>
#include <remuda/select.h>
#include <stdio.h>

enum { COLLECT_MS = 20 };

static void note_error(rmdi_map_output *output)
{
    int none = 0, error = errno ? errno : EIO;
    (void)rmd_atomic_cas(&output->error, &none, error, RMD_RELAXED, RMD_RELAXED);
}

static void write_out(rmdi_map_output *output)
{
    if (fflush(stdout) != 0)
        note_error(output);
}

/* The flag is cleared first: what comes while it is written out sets it again. */
static void write_out_in_time(void *arg)
{
    rmdi_map_output *output = arg;
    while (rmd_event_wait(output->dirty, RMD_FOREVER) == 0 &&
           rmd_select(NULL, 0, rmd_after_ms(COLLECT_MS)) == RMD_ETIMEDOUT) {
        rmd_event_clear(output->dirty);
        write_out(output);
    }
}

int rmdi_map_output_open(rmdi_map_output *output)
{
    rmd_thread_options options = { .size = sizeof options, .name = "output", .daemon = true };
    *output = (rmdi_map_output){ 0 };
    int err = rmd_event_open(&output->dirty);
    if (err == 0)
        err = rmd_thread_start(&output->thread, write_out_in_time, output, &options);
    return err;
}

bool rmdi_map_output_add(rmdi_map_output *output, const char *line, size_t len)
{
    if (rmd_atomic_load(&output->error, RMD_RELAXED))
        return false;
    if (fwrite(line, 1, len, stdout) != len) {
        note_error(output);
        return false;
    }
    if (!rmd_event_is_set(output->dirty))
        rmd_event_set(output->dirty);
    return true;
}

/* Also when we were told to stop ourselves. */
static void end_thread(rmdi_map_output *output)
{
    rmd_stop *before = rmd_stop_set(NULL);
    rmd_thread_stop(output->thread);
    (void)!rmd_thread_join(output->thread, RMD_FOREVER);
    rmd_thread_free(output->thread);
    rmd_stop_set(before);
}

int rmdi_map_output_close(rmdi_map_output *output)
{
    if (output->thread)
        end_thread(output);
    rmd_event_free(output->dirty);
    if (!rmd_atomic_load(&output->error, RMD_RELAXED))
        write_out(output);
    return rmd_atomic_load(&output->error, RMD_RELAXED);
}
