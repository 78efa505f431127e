/* SPDX-License-Identifier: MIT */
/* The window: places for those that were submitted and have not been through the sink. In order,
 * the places are a ring; as completed, those that are free are on a list. */
#include "exec/map.h"

#include "base/alloc.h"
#include "exec/census.h"
#include "exec/pool.h"

#include <remuda/stop.h>
#include <stdio.h>

/* So many that tiny tasks do not have everybody wait for everybody (on processes, 64 took three
 * times as long), and no more than a queue holds. Commands take milliseconds: four do. */
enum { WINDOW_PER_WORKER = 256, WINDOW_DEFAULT_MAX = 1024, WINDOW_PER_WORKER_OF_COMMANDS = 4 };

static size_t default_window(const rmd_pool *pool)
{
    size_t workers = rmd_pool_size(pool), window = WINDOW_PER_WORKER * workers;
    if (pool->ops->exec)
        return WINDOW_PER_WORKER_OF_COMMANDS * workers;
    return window < WINDOW_DEFAULT_MAX ? window : WINDOW_DEFAULT_MAX;
}

int rmdi_map_window_open(rmdi_map *m)
{
    const rmd_map_options *options = m->options;
    m->window = options->window ? options->window : default_window(m->pool);
    m->slots = rmdi_alloc_zeroed(m->window * sizeof *m->slots);
    if (!m->slots)
        return rmdi_fail_memory();
    for (size_t i = 0; i < m->window; i++)
        m->slots[i].index = i + 1;
    return options->as_completed ? rmd_completions_open(&m->ends, NULL, 0) : 0;
}

void rmdi_map_window_free(rmdi_map *m)
{
    rmd_completions_free(m->ends);
    rmdi_free(m->slots);
}

bool rmdi_map_has_room(const rmdi_map *m)
{
    uint64_t bytes_max = m->options->window_bytes;
    return m->under_way < m->window && (!bytes_max || m->bytes < bytes_max || !m->under_way);
}

void rmdi_map_reserve(rmdi_map *m)
{
    m->under_way++;
}

void rmdi_map_give_back(rmdi_map *m)
{
    m->under_way--;
}

static rmdi_map_slot *take_place(rmdi_map *m)
{
    if (!m->ends)
        return &m->slots[m->submitted % m->window];
    rmdi_map_slot *s = &m->slots[m->free];
    m->free = s->index;
    return s;
}

void rmdi_map_free_place(rmdi_map *m, rmdi_map_slot *s)
{
    s->future = NULL;
    m->under_way--;
    m->bytes -= s->bytes;
    if (!m->ends)
        return;
    s->index = m->free;
    m->free = (size_t)(s - m->slots);
}

/* It cannot be waited for with the others: now, then. */
static void end_alone(rmdi_map *m, rmdi_map_slot *s, int err)
{
    rmd_future *future = s->future;
    rmdi_map_fail(m, err); /* which cancels it */
    rmd_stop *before = rmd_stop_set(NULL);
    (void)!rmd_future_wait(future, RMD_FOREVER);
    (void)rmd_stop_set(before);
    m->given++;
    rmdi_census_add(&m->census, rmd_future_outcome(future));
    rmd_future_free(future);
    rmdi_map_free_place(m, s);
}

void rmdi_map_take(rmdi_map *m, rmd_future *future, uint64_t bytes)
{
    rmdi_map_slot *s = take_place(m);
    *s = (rmdi_map_slot){ .future = future, .index = m->submitted++, .bytes = bytes };
    m->bytes += bytes;
    int err = m->ends ? rmdi_completions_add(m->ends, future, (uint64_t)(s - m->slots)) : 0;
    if (err < 0)
        end_alone(m, s, err);
    else if (m->err) /* it has come too late to be cancelled with the others */
        (void)!rmd_future_cancel(future);
}

void rmdi_map_fail(rmdi_map *m, int err)
{
    if (m->err)
        return;
    m->err = err;
    snprintf(m->detail, sizeof m->detail, "%s", rmd_error_detail());
    for (size_t i = 0; i < m->window; i++)
        if (m->slots[i].future)
            (void)!rmd_future_cancel(m->slots[i].future);
    if (m->producer)
        (void)!rmd_thread_stop(m->producer);
    rmdi_map_tell_changed(m);
}
