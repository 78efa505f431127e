/* SPDX-License-Identifier: MIT */
/* What the ways share on which tasks come to a threads pool: one by one (threads_submit.c), many at
 * once (threads_batch.c), and after the end of another one (threads_then.c). */
#ifndef RMDI_EXEC_THREADS_SUBMIT_H
#define RMDI_EXEC_THREADS_SUBMIT_H

#include "exec/then.h"
#include "exec/threads.h"

/* What a task is made of. */
typedef struct rmdi_plan {
    rmdi_body body;
    union {
        rmd_task_fn *fn;
        const rmd_function *function;
        rmdi_then *then;
    };
    union {
        void *arg;
        rmdi_encoded *encoded;
    };
    const rmd_task_options *options;
    rmd_context *context;
    rmdi_self *self;     /* of whoever submits it */
    rmdi_worker *worker; /* that the submitter is, of the pool; NULL: none */
    bool handled;
    bool limited; /* it has limits */
} rmdi_plan;

/* Checks the options, and captures the context. */
int rmdi_plan_begin(rmdi_plan *plan, const rmdi_threads *pool, const rmd_task_options *options,
                    bool handled);
/* It has come to nothing: gives up the context. */
void rmdi_plan_drop(rmdi_plan *plan);
/* Does whoever submits it run a task of the pool, or is it a worker of that? */
bool rmdi_plan_is_inside(const rmdi_plan *plan, const rmdi_threads *pool);

/* Fills the memory of a task. The plan's parts are its own from here on. flags: of its word. */
void rmdi_task_fill(rmdi_threads *pool, rmdi_thread_task *task, uint64_t id, const rmdi_plan *plan,
                    uint32_t flags);
/* Gives up one that was not accepted, and its references. What the plan has brought stays the
 * caller's. */
void rmdi_task_refuse(rmdi_thread_task *task, const rmdi_plan *plan, unsigned references);

/* ---- the queue ---- */

/* A member of a group comes to be known to that while the queue is entered, and the group's lock
 * held: nobody finds it there before it is queued. */
void rmdi_queue_enter(rmdi_threads *pool, const rmd_task_options *options);
void rmdi_queue_leave(rmdi_threads *pool, const rmd_task_options *options);
/* With the queue entered. */
void rmdi_queue_append(rmdi_threads *pool, rmdi_thread_task *const *tasks, size_t n,
                       const rmd_task_options *options);

/* Accepts a task, and holds it, before anything can take it; *task is it, with a reference of the
 * caller's. always: whatever the bounds. RMD_EDEADLK: it was accepted, and is to be run in place.
 */
int rmdi_submit_held(rmdi_threads *pool, const rmdi_plan *plan, bool always,
                     rmdi_thread_task **task);

/* ---- threads_room.c ---- */

static inline bool rmdi_threads_is_closed(const rmdi_threads *pool)
{
    return rmd_atomic_load(&pool->closed, RMD_RELAXED);
}

/* So many may be queued: all that queue_max lets in but those that are coming, which have their
 * places. A hint; with `in` of the injection held it only grows. */
static inline uint32_t rmdi_room_max(const rmdi_threads *pool)
{
    return pool->queue_max - rmd_atomic_load(&pool->coming, RMD_RELAXED);
}
bool rmdi_room_is_none(const rmdi_threads *pool); /* a hint */
/* With `in` of the injection held: is there room for one, and nothing that has to be looked at more
 * closely? */
static inline bool rmdi_room_is_plenty(const rmdi_threads *pool)
{
    return !pool->is_small && !rmdi_threads_is_closed(pool) &&
           rmdi_injection_at_most(&pool->injection) < rmdi_room_max(pool);
}
/* With `in` of the injection held: is there room for *n? 0: for so many of them as *n is then, at
 * least one. RMD_ECLOSED, RMD_EFULL. RMD_EAGAIN: wait for it. RMD_EDEADLK: there is none, and who
 * is inside must not wait. */
int rmdi_room_look(rmdi_threads *pool, bool inside, const rmd_task_options *options, uint32_t *n);
/* When there was none, with what that has returned: waits for some (0: try again), or says why not.
 * Who was woken for it and does not need all of it passes it on. */
int rmdi_room_wait(rmdi_threads *pool, int err, rmd_deadline deadline);
rmd_deadline rmdi_room_deadline(const rmd_task_options *options);
void rmdi_room_pass_on(rmdi_threads *pool);

#endif
