/* SPDX-License-Identifier: MIT */
/* The inside of a map: see <remuda/map.h>.
 *
 *   map.c           the whole: options, waiting, giving to the sink
 *   map_window.c    the places of what is under way, and the end that comes early
 *   map_producer.c  asking for tasks, here or on a thread of its own; what it submits
 *   map_added.c     tasks that tasks have added
 *   map_frames.c    tasks from another process
 *   map_collect.c   what is collected
 *
 * When it is over --------------- `produced` is set when the producer has come to its end, and
 * never reset. A task is under way, in the window, from before it is submitted until it has been
 * through the sink; what it has added is in the backlog before it leaves the window. So who sees,
 * with the lock held, that it is produced, that nothing is under way and that the backlog is empty
 * knows that there is nothing left, and that nothing can come: only tasks under way add some. No
 * time is waited for that.
 *
 * Who waits --------- The caller's thread (the mapper) waits for the end of what is under way,
 * without the lock; if that is nothing, for `changed`, which the producer's thread tells when it
 * has put a task into the window or has come to its end. That waits for `changed`, too, when the
 * window has no room, or the backlog comes first: the mapper tells it. Both wait for the same
 * condition with the same lock, so it is always told to all; there are two. */
#ifndef RMDI_EXEC_MAP_H
#define RMDI_EXEC_MAP_H

#include "base/error.h"
#include "data/bytes.h"
#include "exec/completions.h"
#include "sync/condition.h"
#include "sync/lock.h"

#include <remuda/context.h>
#include <remuda/map.h>
#include <remuda/thread.h>

/* A place in the window. */
typedef struct rmdi_map_slot {
    rmd_future *future; /* NULL: free, or taken by one that is just being submitted */
    uint64_t index;     /* of the task; of a free one: of the next free place */
    uint64_t bytes;     /* that it counts */
} rmdi_map_slot;

/* What one task has added, and what of that was not submitted yet. */
typedef struct rmdi_map_batch {
    struct rmdi_map_batch *older;
    size_t size; /* of its memory */
    rmd_bytes rest;
    unsigned char data[];
} rmdi_map_batch;

typedef struct rmdi_map {
    uint64_t process; /* rmdi_process_mark(): in a child that user code forks nothing is touched */
    rmd_pool *pool;
    const rmd_map_options *options;
    rmd_task_options task_options;
    rmd_deadline deadline;
    rmd_completions *ends; /* as completed: who has ended; NULL: in order */
    rmd_thread *producer;  /* NULL: the mapper asks for tasks */
    rmd_context *context;  /* under which the producer's thread runs */
    size_t window;
    rmdi_buffer collected;
    uint64_t collected_len;
    int64_t next_progress_ns; /* INT64_MAX: nobody is told */
    bool sink_failed;

    rmdi_lock lock;
    rmdi_condition changed;
    /* guarded by the lock; without a producer's thread, the mapper's own: */
    rmdi_map_slot *slots;
    size_t free;      /* as completed: the first free place; window: there is none */
    size_t under_way; /* with those that are just being submitted */
    uint64_t submitted, given;
    uint64_t added;          /* of them, by tasks */
    uint64_t bytes;          /* of all that are under way */
    rmdi_map_batch *backlog; /* the newest first */
    uint64_t backlog_bytes, backlog_len;
    uint64_t dropped;
    bool produced;
    int err; /* why it ends early; 0 so far */
    char detail[RMDI_ERROR_DETAIL_MAX];
    rmd_census census; /* of those that have been through the sink */
} rmdi_map;

struct rmd_map_task {
    rmdi_map *map;
    rmd_future *future;     /* NULL: none was given yet */
    uint64_t bytes;         /* that the user says it holds */
    uint64_t encoded_bytes; /* of its arguments, if somebody asks */
    void *ctx;              /* NULL: the map's */
    bool placed;            /* it has a place already */
};

static inline void rmdi_map_enter(rmdi_map *m)
{
    if (m->options->producer_thread)
        rmdi_lock_enter(&m->lock);
}

static inline void rmdi_map_leave(rmdi_map *m)
{
    if (m->options->producer_thread)
        rmdi_lock_release(&m->lock);
}

/* ---- map_window.c ---- */

int rmdi_map_window_open(rmdi_map *m);
void rmdi_map_window_free(rmdi_map *m);

/* The following with the map entered. Is there room for one more task? */
bool rmdi_map_has_room(const rmdi_map *m);
/* One will be submitted, and counts from now on; or it will not after all. */
void rmdi_map_reserve(rmdi_map *m);
void rmdi_map_give_back(rmdi_map *m);
/* It was: the place that was reserved is its own. */
void rmdi_map_take(rmdi_map *m, rmd_future *future, uint64_t bytes);
/* It has been through the sink. */
void rmdi_map_free_place(rmdi_map *m, rmdi_map_slot *slot);
/* Something has changed that the other thread may wait for. */
static inline void rmdi_map_tell_changed(rmdi_map *m)
{
    if (m->options->producer_thread)
        rmdi_condition_notify_all(&m->changed);
}
/* It ends early, for the thread's detail, if it does not already: what is under way is cancelled,
 * the producer is told to stop. */
void rmdi_map_fail(rmdi_map *m, int err);

/* ---- map_producer.c ---- */

/* Is there time for one more? */
int rmdi_map_look_at_time(const rmdi_map *m);
/* 0, or RMD_EFORKED in a child: nothing of the map is touched there, not even its lock. */
int rmdi_map_check_process(const rmdi_map *m);
/* Asks for one, and takes it. On the mapper's thread, when there is room, or the producer's. 0, or
 * RMD_EFORKED. */
int rmdi_map_produce(rmdi_map *m);
int rmdi_map_start_producer(rmdi_map *m);
/* When it has come to its end, or was told to stop. */
void rmdi_map_join_producer(rmdi_map *m);

/* ---- map_added.c ---- */

/* What a task that has ended adds. Map entered. */
void rmdi_map_note_added(rmdi_map *m, const rmd_future *future);
/* Submits one of the backlog, for which there is room. Map not entered. */
void rmdi_map_submit_added(rmdi_map *m);
/* When it ends early. Map entered, by the mapper, who alone changes the backlog. */
void rmdi_map_drop_backlog(rmdi_map *m);

/* ---- map_collect.c ---- */

int rmdi_map_collect(rmdi_map *m, rmd_future *future, uint64_t index);
/* Of a map that has not failed. */
int rmdi_map_collected(rmdi_map *m);

#endif
