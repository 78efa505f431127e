/* SPDX-License-Identifier: MIT */
/* Tasks that tasks have added: the newest first, so that a tree of them is gone through in depth,
 * and few wait at once. */
#include "exec/map.h"

#include "base/alloc.h"
#include "exec/added.h"
#include "exec/future.h"

#include <string.h>

enum { BACKLOG_BYTES_MAX = 256 * 1024 * 1024, SHRINK_BYTES_MIN = 16 * 1024 };

static uint64_t count(rmd_bytes rest)
{
    rmdi_addition addition;
    uint64_t n = 0;
    while (rmdi_added_take(&rest, &addition) == 1)
        n++;
    return n;
}

static rmdi_map_batch *copy_batch(rmd_bytes bytes, rmdi_map_batch *older)
{
    rmdi_map_batch *batch = rmdi_alloc(sizeof *batch + bytes.len);
    if (!batch)
        return NULL;
    memcpy(batch->data, bytes.data, bytes.len);
    batch->rest = (rmd_bytes){ batch->data, bytes.len };
    batch->size = sizeof *batch + bytes.len;
    batch->older = older;
    return batch;
}

static int push(rmdi_map *m, rmd_bytes added)
{
    uint64_t max = m->options->added_bytes_max;
    max = max ? max : BACKLOG_BYTES_MAX;
    size_t size = sizeof(rmdi_map_batch) + added.len;
    if (m->backlog_bytes + size > max)
        return rmdi_fail(RMD_EFULL,
                         "map: tasks that were added and wait for room have more than %llu bytes",
                         (unsigned long long)max);
    rmdi_map_batch *batch = copy_batch(added, m->backlog);
    if (!batch)
        return rmdi_fail_memory();
    m->backlog = batch;
    m->backlog_bytes += batch->size;
    m->backlog_len += count(added);
    return 0;
}

void rmdi_map_note_added(rmdi_map *m, const rmd_future *future)
{
    rmd_bytes added = { 0 };
    if (future->ops->added)
        added = future->ops->added(future);
    if (!added.len)
        return;
    int err = m->err ? m->err : push(m, added);
    if (err == 0)
        return;
    m->dropped += count(added);
    rmdi_map_fail(m, err);
}

static void pop(rmdi_map *m)
{
    rmdi_map_batch *batch = m->backlog;
    m->backlog = batch->older;
    m->backlog_bytes -= batch->size;
    rmdi_free(batch);
}

void rmdi_map_drop_backlog(rmdi_map *m)
{
    m->dropped += m->backlog_len;
    m->backlog_len = 0;
    while (m->backlog)
        pop(m);
}

static int submit_call(rmd_map_task *task, const rmdi_addition *addition)
{
    const rmd_value *arguments;
    rmd_args args;
    int err = rmdi_added_arguments(addition, &arguments, &args);
    if (err < 0)
        return err;
    err = rmd_map_call(task, addition->function, args);
    rmd_value_free(arguments);
    return err;
}

static int submit(rmd_map_task *task, const rmdi_addition *addition)
{
    if (addition->function)
        return submit_call(task, addition);
    return rmd_map_submit(task, addition->task.fn, addition->task.arg);
}

/* Map entered. Takes one out; the batch, in which it lies, stays. 0: there is none to be submitted.
 * */
static int take(rmdi_map *m, rmdi_addition *addition)
{
    if (!m->backlog || m->err)
        return 0;
    int err = rmdi_added_take(&m->backlog->rest, addition);
    if (err <= 0)
        return err < 0 ? err : rmdi_fail(RMD_EIO, "map: a batch without tasks");
    m->backlog_len--;
    rmdi_map_reserve(m);
    return 1;
}

/* What has been submitted of a large batch is not kept for the sake of a small rest: there may be
 * one for each level of a deep tree. Without memory it stays. */
static void shrink(rmdi_map *m)
{
    rmdi_map_batch *batch = m->backlog;
    if (batch->size < SHRINK_BYTES_MIN || batch->rest.len > batch->size / 2)
        return;
    rmdi_map_batch *smaller = copy_batch(batch->rest, batch);
    if (!smaller)
        return;
    pop(m);
    smaller->older = m->backlog;
    m->backlog = smaller;
    m->backlog_bytes += smaller->size;
}

/* Map entered. Nothing lies in the batch that is still needed. */
static void close_batch(rmdi_map *m)
{
    if (m->backlog && !m->backlog->rest.len)
        pop(m);
    else if (m->backlog)
        shrink(m);
    if (!m->backlog)
        rmdi_map_tell_changed(m); /* the producer's thread waits for that */
}

void rmdi_map_submit_added(rmdi_map *m)
{
    rmdi_addition addition;
    rmd_map_task task = { .map = m, .placed = true };
    rmdi_map_enter(m);
    int got = take(m, &addition);
    rmdi_map_leave(m);
    int err = got == 1 ? submit(&task, &addition) : got;
    rmdi_map_enter(m);
    if (task.future)
        rmdi_map_take(m, task.future, task.bytes + task.encoded_bytes);
    else if (got == 1)
        rmdi_map_give_back(m);
    m->added += task.future != NULL;
    m->dropped += got == 1 && !task.future;
    if (err < 0)
        rmdi_map_fail(m, err);
    close_batch(m);
    rmdi_map_leave(m);
}
