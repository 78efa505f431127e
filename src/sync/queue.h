/* SPDX-License-Identifier: MIT */
/* The inside of a queue: see <remuda/queue.h>. Three kinds keep the items: a ring without a lock
 * (queue_ring.c), a ring for one thread on either side (queue_pair.c), and a store under a lock
 * (queue_store.c). What they have in common is in queue.c, waiting in queue_wait.c. */
#ifndef RMDI_SYNC_QUEUE_H
#define RMDI_SYNC_QUEUE_H

#include "base/fence.h"
#include "sync/spin.h"
#include "sync/waiter.h"

#include <remuda/queue.h>

enum { RMDI_LINE_BYTES = 128 }; /* two cache lines: processors fetch them in pairs */

/* Those who wait to put, or to get. */
typedef struct rmdi_queue_side {
    rmdi_wait_list waits; /* looked at by the other side all the time */
    char line[RMDI_LINE_BYTES];
    rmdi_spin spin;
    char line_after[RMDI_LINE_BYTES];
} rmdi_queue_side;

/* Both. Their memory is that of sides for ever, though of one queue after the other: see
 * queue_wait.c, Lifetime. */
typedef struct rmdi_queue_sides {
    rmdi_queue_side putters, getters;
    struct rmdi_queue_sides *next; /* of those that no queue has */
} rmdi_queue_sides;

/* Of each kind. `put` and `get` do what can be done without waiting: 0, with *done > 0, how many;
 * else *done is 0: RMD_EAGAIN, one would have to wait; RMD_ECLOSED; another error. They tell the
 * other side. The last that a put does to the queue is to let others have its last item; so if its
 * caller was fired, it passes that on before. */
typedef struct rmdi_queue_ops {
    int (*put)(rmd_queue *queue, void *const *items, size_t n, size_t *done, bool fired);
    int (*get)(rmd_queue *queue, void **items, size_t n, size_t *done);
    /* Would put, of an item of so many bytes, or get be answered by RMD_EAGAIN? */
    bool (*is_full)(rmd_queue *queue, size_t bytes);
    bool (*is_empty)(rmd_queue *queue);
    bool (*close)(rmd_queue *queue); /* false: it was closed; wakes nobody */
    bool (*is_closed)(rmd_queue *queue);
    uint64_t (*were_put)(rmd_queue *queue); /* ever */
    uint64_t (*were_got)(rmd_queue *queue);
    size_t (*bytes)(rmd_queue *queue); /* NULL: not counted */
    void (*free)(rmd_queue *queue);    /* what it has beside its block; NULL: nothing */
    bool enters_lists; /* put and get look for those who wait with a lock held, and need no fence */
} rmdi_queue_ops;

/* The first member of each kind. */
struct rmd_queue {
    const rmdi_queue_ops *ops;
    rmdi_queue_sides *sides;
    const char *name; /* in the same block */
    size_t items_max, bytes_max;
    size_t (*bytes_of)(void *ctx, const void *item);
    int64_t (*priority_of)(void *ctx, const void *item);
    void (*destroy)(void *ctx, void *item);
    void *ctx;
    char line[RMDI_LINE_BYTES]; /* what comes before is only read */
    rmdi_wait_list joiners;
    uint64_t done; /* items; guarded by the joiners' list */
    char line_after[RMDI_LINE_BYTES];
};

/* A block for a queue of that kind, zeroed but for what is the kind's own; NULL: no memory. */
rmd_queue *rmdi_queue_ring_new(size_t items_max, size_t name_bytes, char **name);
rmd_queue *rmdi_queue_pair_new(size_t items_max, size_t name_bytes, char **name);
rmd_queue *rmdi_queue_store_new(rmd_queue_order order, size_t name_bytes, char **name);

/* ---- waiting: queue_wait.c ---- */

/* One that puts or gets. */
typedef struct rmdi_queue_call {
    rmd_queue *queue;
    void *const *in; /* to be put; NULL: it gets, */
    void **out;      /* into these */
    size_t n, *done;
    rmd_deadline deadline;
    bool stoppable;
    bool fired; /* and it has not been passed on */
} rmdi_queue_call;

/* Does it, waiting if need be; or waits first, after an attempt that was answered by RMD_EAGAIN. 0,
 * RMD_ETIMEDOUT, RMD_ECANCELED, or what the kind answers; no detail. */
int rmdi_queue_do(rmdi_queue_call *call);
int rmdi_queue_wait(rmdi_queue_call *call);

/* One of that side was fired, and has had what it wanted or goes away: fires another one, if there
 * is something that it waits for. To be woken by the caller: with this the queue is not needed. */
rmdi_waker rmdi_queue_pass_on(rmd_queue *queue, rmdi_queue_side *side);

/* Something was put, or got, and may be seen by others; the side is the other one. Uses nothing of
 * the queue, which may be gone. */
static inline void rmdi_queue_tell(rmdi_queue_side *side)
{
    rmdi_fence_light();
    if (rmdi_wait_list_waits(&side->waits))
        rmdi_wake_one(&side->waits);
}

/* Sides that nobody uses; NULL: no memory. And back, with nobody in the lists. */
rmdi_queue_sides *rmdi_queue_sides_take(void);
void rmdi_queue_sides_give(rmdi_queue_sides *sides);

/* In a child of fork(). */
void rmdi_queue_sides_forked(void);

#endif
