/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Queues: items that go from some threads to others.
 *
 *     err = rmd_queue_open(&queue, 1024, NULL);              at most 1024 items
 *
 *     err = rmd_queue_put(queue, item, RMD_FOREVER);         takes the item
 *     ...
 *     rmd_queue_close(queue);                                no more will come
 *
 *     while (rmd_queue_get(queue, &item, RMD_FOREVER) == 0)  gives it away; RMD_ECLOSED: it is over
 *         ...
 *
 * An item is a pointer that the queue does not look at; NULL is one, too. Put takes it: when it
 * returns 0, the item is the queue's, and otherwise still the caller's. Get gives it away: from
 * then on it is the caller's. What is left in the end is given to `destroy`. What was written
 * before a put is seen by whoever gets that item.
 *
 * A queue is bounded: put waits while it is full. One that is not is asked for by name,
 * RMD_UNBOUNDED; it grows for as long as there is memory, and keeps what it has grown to. With
 * RMD_NOW, put and get do not wait: RMD_ETIMEDOUT says that it is full, or empty.
 *
 * Items come out in the order in which they were put, or newest first, or by priority. The ordinary
 * queue (bounded, RMD_FIFO, no bound in bytes) takes no lock, and has 16 bytes for each item that
 * it may hold from the beginning; the others hold a lock for a moment. Without a lock, an item that
 * is still being put, by a thread that was interrupted just then, hides those put after it until
 * that goes on; in the same way one that is still being got keeps its place.
 *
 * Threads that wait are served about in the order in which they came; a running thread that finds
 * the queue ready is faster than a sleeping one. With a bound in bytes a large item may wait for
 * long while small ones find room.
 *
 * Work to be accounted for: whoever got an item says rmd_queue_task_done() when it has been dealt
 * with, and rmd_queue_join() waits until that was said of every item that was put.
 *
 * Any thread may call any of these, but for a `one_to_one` queue. Whoever gets what is known to be
 * the last item, or is told that the queue is over, may free it even if that put, or the
 * rmd_queue_close(), has not returned yet; all other calls must have. */
#ifndef REMUDA_QUEUE_H
#define REMUDA_QUEUE_H

#include <remuda/api.h>
#include <remuda/deadline.h>
#include <remuda/select.h>

RMD_BEGIN

typedef struct rmd_queue rmd_queue;

/* As the number of items that it may hold. */
#define RMD_UNBOUNDED SIZE_MAX

typedef enum rmd_queue_order {
    RMD_FIFO,     /* the oldest first */
    RMD_LIFO,     /* the newest first */
    RMD_PRIORITY, /* the lowest number first; of equal ones the oldest */
} rmd_queue_order;

typedef struct rmd_queue_options {
    size_t size;      /* sizeof(rmd_queue_options), exactly: else RMD_EINVAL */
    const char *name; /* for errors; copied; NULL: "" */
    rmd_queue_order order;
    /* One thread puts and one gets, at a time: the fastest. RMD_FIFO, bounded in items. */
    bool one_to_one;
    /* The sum of what bytes_of tells of the items in it; 0: no bound. */
    size_t bytes_max;
    /* These two are called in the thread that puts, before the item is taken, with no lock held;
     * perhaps several times for an item, and then are to tell the same. */
    size_t (*bytes_of)(void *ctx, const void *item);
    int64_t (*priority_of)(void *ctx, const void *item); /* for RMD_PRIORITY */
    /* Takes what is left at rmd_queue_abort() and rmd_queue_free(), in their thread. */
    void (*destroy)(void *ctx, void *item);
    void *ctx; /* borrowed, until the queue is freed */
} rmd_queue_options;

/* A new queue, empty, for items_max items. options is borrowed and may be NULL. Errors:
 * RMD_EINVAL (also items_max 0, and options that do not go together), RMD_E2BIG (more than 2 to the
 * 40th), RMD_ENOMEM. Never blocks. */
RMD_API int rmd_queue_open(rmd_queue **queue, size_t items_max, const rmd_queue_options *options)
    RMD_NODISCARD;

/* Frees a queue; destroys what is left in it. Errors: RMD_EBUSY while a thread waits in it, or when
 * items are left and there is no `destroy`. NULL is fine. Never blocks. */
RMD_API int rmd_queue_free(rmd_queue *queue);

/* ---- put and get ---- */

/* Takes the item; waits while the queue is full. Errors, the item being still the caller's:
 * RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop token fired: see stop.h), RMD_ECLOSED,
 * RMD_E2BIG (alone it has more bytes than the queue may hold), RMD_ENOMEM (not an ordinary queue),
 * RMD_EBUSY (a second thread puts into a one_to_one queue; not always noticed), RMD_EINVAL (NULL).
 * Blocks. */
RMD_API int rmd_queue_put(rmd_queue *queue, void *item, rmd_deadline deadline) RMD_NODISCARD;

/* Gives an item away into *item; waits while the queue is empty. RMD_ECLOSED: it is closed, and
 * nothing is left. Errors: RMD_ETIMEDOUT, RMD_ECANCELED, RMD_EINVAL (NULL); *item is unchanged
 * then. Blocks. */
RMD_API int rmd_queue_get(rmd_queue *queue, void **item, rmd_deadline deadline) RMD_NODISCARD;

/* Takes n items in this order, many at once where there is room, and waits until all are in. Others
 * may put theirs between them. *done, which may be NULL, says how many it has taken, always the
 * first ones, also when it fails. Errors as rmd_queue_put(). Blocks. */
RMD_API int rmd_queue_put_many(rmd_queue *queue, void *const *items, size_t n, size_t *done,
                               rmd_deadline deadline) RMD_NODISCARD;

/* Waits for one item, then takes what is there, at most max; *got says how many, 0 when it fails.
 * Errors as rmd_queue_get(); RMD_EINVAL also for max 0. Blocks. */
RMD_API int rmd_queue_get_many(rmd_queue *queue, void **items, size_t max, size_t *got,
                               rmd_deadline deadline) RMD_NODISCARD;

/* For rmd_select(): ready when a get need not wait, because there is an item or the queue is
 * closed. It takes nothing, and another thread may be faster: get with RMD_NOW, and select again
 * after RMD_ETIMEDOUT. */
RMD_API rmd_waitable rmd_queue_waitable(rmd_queue *queue);

/* ---- its end ---- */

/* No more puts: they fail with RMD_ECLOSED, also those that wait. What is in it can still be got.
 * Errors: RMD_ECLOSED (it was closed before; nothing happens), RMD_EINVAL (NULL). Never blocks. */
RMD_API int rmd_queue_close(rmd_queue *queue);

/* Closes it, and destroys what is in it; that counts as done. Again is fine. Not with a get of a
 * one_to_one queue at the same time. Errors: RMD_EINVAL (NULL; items are left and there is no
 * `destroy`: it is closed only). Never blocks, but for what `destroy` does. */
RMD_API int rmd_queue_abort(rmd_queue *queue);

/* An item that was got has been dealt with. Errors: RMD_EINVAL (all that were got have been; NULL).
 * Never blocks. */
RMD_API int rmd_queue_task_done(rmd_queue *queue);

/* Waits until as many are done as were put; what was written before they were said to be done is
 * seen then. Errors: RMD_ETIMEDOUT, RMD_ECANCELED, RMD_EINVAL (NULL). Blocks. */
RMD_API int rmd_queue_join(rmd_queue *queue, rmd_deadline deadline) RMD_NODISCARD;

/* ---- hints: true a moment ago ---- */

/* How many items, and bytes, are in it; 0 for NULL. Never block. */
RMD_API size_t rmd_queue_len(const rmd_queue *queue);
RMD_API size_t rmd_queue_bytes(const rmd_queue *queue);
RMD_API bool rmd_queue_is_empty(const rmd_queue *queue);
RMD_API bool rmd_queue_is_full(const rmd_queue *queue);
RMD_API bool rmd_queue_is_closed(const rmd_queue *queue);

RMD_END

#endif
