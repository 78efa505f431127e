/* SPDX-License-Identifier: MIT */
/* What a thread, or a coroutine, is to the sync floor: how it sleeps, what stops it, what it is,
 * what it carries. Every thread has one, zeroed at first, whoever has started it; a coroutine
 * brings its own. */
#ifndef RMDI_SYNC_SELF_H
#define RMDI_SYNC_SELF_H

#include <remuda/context.h>
#include <remuda/stop.h>
#include <remuda/thread.h>

struct rmd_executor;
struct rmdi_frame;
struct rmdi_sleeper;
struct rmdi_turn;
struct rmdi_values;
struct rmdi_waiter;
struct rmdi_worker;

/* Pointers only: see self.c. */
typedef struct rmdi_self {
    struct rmdi_sleeper *sleeper; /* borrowed; NULL: the thread parks */
    rmd_stop *stop;               /* borrowed; NULL: nothing stops it */
    rmd_thread *thread;           /* borrowed; NULL: not one of rmd_thread_start() */
    const rmd_binding *context;   /* borrowed; the innermost; NULL: nothing is bound */
    struct rmdi_values *values;   /* its own: see local_value.h; NULL: it has none */
    struct rmdi_frame *frame; /* of the task that runs here: see exec/frame.h; NULL: none does */
    const struct rmdi_waiter *awake; /* its waiter, while it does what may fire that; else NULL */
    struct rmdi_turn *turn; /* what is to be done when one hook is through: see exec/future.c */
} rmdi_self;

/* The calling thread's present one; never NULL. */
rmdi_self *rmdi_self_now(void);
/* The same, and what rmdi_self_worker() returns, at once. */
rmdi_self *rmdi_self_and_worker(struct rmdi_worker **worker);

/* Makes *self, which is borrowed, the present one; NULL: the thread's own. Returns what was there,
 * to be given back, NULL for the thread's own. For the switch between coroutines, who are to be
 * without values (rmdi_values_end) when they end. */
rmdi_self *rmdi_self_swap(rmdi_self *self);

/* Who is running: a thread, or a coroutine when it has brought its rmdi_self. The same for all its
 * life, differs between live ones, never NULL. To be compared only. */
const void *rmdi_self_id(void);

/* Is the present one the thread's own? */
bool rmdi_self_is_own(void);

/* Of the calling thread; NULL as above. */
struct rmdi_sleeper *rmdi_self_sleeper(void);
rmd_stop *rmdi_self_stop(void);
rmd_thread *rmdi_self_thread(void);

/* Whose thread the calling one is, also in a coroutine; borrowed; NULL: no executor's. Set once, by
 * the executor. */
struct rmd_executor *rmdi_self_executor(void);
void rmdi_self_set_executor(struct rmd_executor *executor);

/* The same of a pool: which of its workers the calling thread is. */
struct rmdi_worker *rmdi_self_worker(void);
void rmdi_self_set_worker(struct rmdi_worker *worker);

#endif
