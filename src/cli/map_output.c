/* SPDX-License-Identifier: MIT */
#include "cli/map_output.h"

#include "cli/results.h"

#include <errno.h>
#include <remuda/error.h>
#include <remuda/select.h>

enum { COLLECT_MS = 20, COLLECT_BYTES = 64 * 1024 };

static void note_error(rmdi_map_output *output, int error)
{
    int none = 0;
    (void)rmd_atomic_cas(&output->error, &none, error, RMD_RELAXED, RMD_RELAXED);
}

/* The lock held, also while nobody reads: what comes then has to wait. */
static void write_collected(rmdi_map_output *output)
{
    rmd_bytes all = rmdi_buffer_view(&output->collected);
    if (rmd_atomic_load(&output->error, RMD_RELAXED) == 0) {
        int error = rmdi_results_write(output->fd, all.data, all.len);
        if (error)
            note_error(output, error);
    }
    rmdi_buffer_clear(&output->collected);
}

static void write_out(rmdi_map_output *output)
{
    rmdi_lock_enter(&output->lock);
    write_collected(output);
    rmdi_lock_release(&output->lock);
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

int rmdi_map_output_open(rmdi_map_output *output, int fd)
{
    rmd_thread_options options = { .size = sizeof options, .name = "output", .daemon = true };
    *output = (rmdi_map_output){ .fd = fd };
    int err = rmd_event_open(&output->dirty);
    if (err == 0)
        err = rmd_thread_start(&output->thread, write_out_in_time, output, &options);
    return err;
}

bool rmdi_map_output_add(rmdi_map_output *output, const char *line, size_t len)
{
    rmdi_lock_enter(&output->lock);
    if (rmdi_buffer_add(&output->collected, line, len) < 0)
        note_error(output, ENOMEM);
    if (output->collected.len >= COLLECT_BYTES)
        write_collected(output);
    rmdi_lock_release(&output->lock);
    if (!rmd_event_is_set(output->dirty))
        rmd_event_set(output->dirty);
    return rmd_atomic_load(&output->error, RMD_RELAXED) == 0;
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
    write_out(output);
    rmdi_buffer_free(&output->collected);
    return rmd_atomic_load(&output->error, RMD_RELAXED);
}
