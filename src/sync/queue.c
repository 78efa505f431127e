/* SPDX-License-Identifier: MIT */
/* Queues: what the kinds have in common, but for waiting.
 *
 * Items that are done are counted under the brief lock of those who join: count, compare with what
 * was put, fire, leave; so whoever has joined may free the queue (when an abort has returned). */
#include "sync/queue.h"

#include "base/alloc.h"
#include "base/error.h"
#include "sync/select.h"
#include "sync/thread.h"

#include <string.h>

enum { ABORT_BATCH = 16 };

/* Numbered by the ring with some bits to spare. */
#define ITEMS_MAX_LIMIT ((size_t)1 << 40)

/* ---- putting ---- */

static __attribute__((noinline, cold)) int fail_put(const rmd_queue *queue, int err)
{
    if (err == RMD_ETIMEDOUT || err == RMD_ECANCELED)
        return rmdi_fail(err, "put: the queue \"%s\" was full", queue->name);
    if (err == RMD_ECLOSED)
        return rmdi_fail(err, "put: the queue \"%s\" is closed", queue->name);
    if (err == RMD_E2BIG)
        return rmdi_fail(err, "put: an item of more than %zu bytes, which the queue \"%s\" holds",
                         queue->bytes_max, queue->name);
    if (err == RMD_EBUSY)
        return rmdi_fail(err, "put: the queue \"%s\" is one_to_one, and two threads put",
                         queue->name);
    return err == RMD_ENOMEM ? rmdi_fail_memory() : err;
}

static __attribute__((noinline)) int put_slowly(rmd_queue *queue, void *item, rmd_deadline deadline)
{
    size_t done;
    rmdi_queue_call c = {
        .queue = queue, .in = &item, .n = 1, .done = &done, .deadline = deadline, .stoppable = true
    };
    int err = rmdi_queue_wait(&c);
    return err < 0 ? fail_put(queue, err) : 0;
}

int rmd_queue_put(rmd_queue *queue, void *item, rmd_deadline deadline)
{
    size_t done;
    if (!queue)
        return rmdi_fail(RMD_EINVAL, "put: no queue was given");
    int err = queue->ops->put(queue, &item, 1, &done, false);
    if (err == 0)
        return 0;
    return err == RMD_EAGAIN ? put_slowly(queue, item, deadline) : fail_put(queue, err);
}

int rmd_queue_put_many(rmd_queue *queue, void *const *items, size_t n, size_t *done,
                       rmd_deadline deadline)
{
    size_t all = 0, some, *counted = done ? done : &all;
    *counted = 0;
    if (!queue || (!items && n))
        return rmdi_fail(RMD_EINVAL, "put: no %s given", queue ? "items were" : "queue was");
    rmdi_queue_call c = { .queue = queue, .done = &some, .deadline = deadline, .stoppable = true };
    while (*counted < n) {
        c.in = items + *counted;
        c.n = n - *counted;
        int err = rmdi_queue_do(&c);
        if (err < 0)
            return fail_put(queue, err);
        *counted += some;
    }
    return 0;
}

/* ---- getting ---- */

static __attribute__((noinline, cold)) int fail_get(const rmd_queue *queue, int err)
{
    if (err == RMD_ECLOSED)
        return rmdi_fail(err, "get: the queue \"%s\" is closed, and empty", queue->name);
    return rmdi_fail(err, "get: the queue \"%s\" was empty", queue->name);
}

static __attribute__((noinline)) int get_slowly(rmd_queue *queue, void **items, size_t max,
                                                size_t *got, rmd_deadline deadline)
{
    rmdi_queue_call c = {
        .queue = queue, .out = items, .n = max, .done = got, .deadline = deadline, .stoppable = true
    };
    int err = rmdi_queue_wait(&c);
    return err < 0 ? fail_get(queue, err) : 0;
}

int rmd_queue_get(rmd_queue *queue, void **item, rmd_deadline deadline)
{
    size_t got;
    if (!queue || !item)
        return rmdi_fail(RMD_EINVAL, "get: no %s was given",
                         queue ? "place for the item" : "queue");
    int err = queue->ops->get(queue, item, 1, &got);
    if (err == 0)
        return 0;
    return err == RMD_EAGAIN ? get_slowly(queue, item, 1, &got, deadline) : fail_get(queue, err);
}

int rmd_queue_get_many(rmd_queue *queue, void **items, size_t max, size_t *got,
                       rmd_deadline deadline)
{
    size_t own, *n = got ? got : &own;
    *n = 0;
    if (!queue || !items || max == 0)
        return rmdi_fail(RMD_EINVAL, "get: no %s given",
                         queue ? "place for items was" : "queue was");
    int err = queue->ops->get(queue, items, max, n);
    if (err == RMD_EAGAIN)
        err = get_slowly(queue, items, max, n, deadline);
    else if (err < 0)
        return fail_get(queue, err);
    for (size_t more; err == 0 && *n < max; *n += more)
        if (queue->ops->get(queue, items + *n, max - *n, &more) < 0)
            break;
    return err;
}

/* ---- select ---- */

static bool take_ready(const rmd_waitable *what)
{
    rmd_queue *queue = what->object;
    return !queue->ops->is_empty(queue);
}

static void remove_wait(const rmd_waitable *what, rmdi_wait *wait)
{
    rmd_queue *queue = what->object;
    rmdi_queue_side *side = &queue->sides->getters;
    rmdi_wait_list_remove(&side->waits, wait);
    if (RMD_PLAIN(wait->taken)) { /* what we were fired for may become ours or another's */
        rmdi_waker waker = rmdi_queue_pass_on(queue, side);
        rmdi_waker_wake(&waker);
    }
}

static bool add_wait(const rmd_waitable *what, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index)
{
    rmd_queue *queue = what->object;
    rmdi_queue_side *side = &queue->sides->getters;
    rmdi_wait_list_enter(&side->waits);
    rmdi_wait_list_add(&side->waits, wait, waiter, index);
    rmdi_wait_list_leave(&side->waits);
    if (!queue->ops->enters_lists)
        rmdi_fence_heavy();
    return queue->ops->is_empty(queue); /* if not, the entry is removed all the same */
}

static const rmdi_waitable_ops queue_ops = {
    .take = take_ready,
    .add = add_wait,
    .remove = remove_wait,
};

rmd_waitable rmd_queue_waitable(rmd_queue *queue)
{
    return (rmd_waitable){ .ops = &queue_ops, .object = queue };
}

/* ---- items that are done ---- */

static int count_done(rmd_queue *queue, uint64_t n)
{
    rmdi_wait_list_enter(&queue->joiners);
    uint64_t done = RMD_PLAIN(queue->done) + n;
    if (done > queue->ops->were_got(queue)) {
        rmdi_wait_list_leave(&queue->joiners);
        return rmdi_fail(RMD_EINVAL, "task_done: all that were got from the queue are done");
    }
    RMD_PLAIN_SET(queue->done, done);
    if (done == queue->ops->were_put(queue))
        rmdi_wait_list_leave_all(&queue->joiners);
    else
        rmdi_wait_list_leave(&queue->joiners);
    return 0;
}

int rmd_queue_task_done(rmd_queue *queue)
{
    return queue ? count_done(queue, 1) : rmdi_fail(RMD_EINVAL, "task_done: no queue was given");
}

int rmd_queue_join(rmd_queue *queue, rmd_deadline deadline)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    if (!queue)
        return rmdi_fail(RMD_EINVAL, "join: no queue was given");
    rmdi_waiter_init(&waiter, true);
    rmdi_wait_list_enter(&queue->joiners);
    bool over = RMD_PLAIN(queue->done) == queue->ops->were_put(queue);
    if (!over)
        rmdi_wait_list_add(&queue->joiners, &wait, &waiter, 0);
    rmdi_wait_list_leave(&queue->joiners);
    if (over)
        return 0;
    int err = rmdi_waiter_sleep(&waiter, deadline);
    rmdi_wait_list_remove(&queue->joiners, &wait);
    return err < 0 ? rmdi_fail(err, "join: not all of the queue \"%s\" are done", queue->name) : 0;
}

/* ---- its end ---- */

int rmd_queue_close(rmd_queue *queue)
{
    if (!queue)
        return rmdi_fail(RMD_EINVAL, "close: no queue was given");
    rmdi_queue_sides *sides = RMD_PLAIN(queue->sides);
    if (!queue->ops->close(queue))
        return rmdi_fail(RMD_ECLOSED, "close: the queue \"%s\" was closed before", queue->name);
    /* Whoever has been told that it is over may have freed the queue. */
    rmdi_wake_all(&sides->putters.waits);
    rmdi_wake_all(&sides->getters.waits);
    return 0;
}

/* Until there is nothing; waits for a put that is on its way, which takes a moment only. */
static void destroy_all(rmd_queue *queue)
{
    void *items[ABORT_BATCH];
    size_t n;
    rmdi_queue_call c = {
        .queue = queue, .out = items, .n = ABORT_BATCH, .done = &n, .deadline = RMD_FOREVER
    };
    while (rmdi_queue_do(&c) == 0) {
        for (size_t i = 0; i < n; i++)
            queue->destroy(queue->ctx, items[i]);
        (void)count_done(queue, n);
    }
}

int rmd_queue_abort(rmd_queue *queue)
{
    if (!queue)
        return rmdi_fail(RMD_EINVAL, "abort: no queue was given");
    if (!queue->ops->is_closed(queue))
        (void)rmd_queue_close(queue);
    if (queue->destroy)
        destroy_all(queue);
    else if (rmd_queue_len(queue))
        return rmdi_fail(RMD_EINVAL,
                         "abort: %zu items are left in the queue \"%s\", which has no "
                         "destroy function: get them",
                         rmd_queue_len(queue), queue->name);
    return 0;
}

static bool is_busy(rmd_queue *queue)
{
    return rmdi_wait_list_busy(&queue->sides->putters.waits) ||
           rmdi_wait_list_busy(&queue->sides->getters.waits) ||
           rmdi_wait_list_busy(&queue->joiners);
}

int rmd_queue_free(rmd_queue *queue)
{
    if (!queue)
        return 0;
    if (is_busy(queue))
        return rmdi_fail(RMD_EBUSY, "a thread waits in the queue \"%s\"", queue->name);
    size_t left = rmd_queue_len(queue);
    if (left && !queue->destroy)
        return rmdi_fail(RMD_EBUSY,
                         "%zu items are left in the queue \"%s\", which has no destroy "
                         "function: get them",
                         left, queue->name);
    if (left)
        (void)rmd_queue_abort(queue);
    if (queue->ops->free)
        queue->ops->free(queue);
    rmdi_queue_sides_give(queue->sides);
    rmdi_free(queue);
    return 0;
}

/* ---- hints ---- */

/* Got is read before and after: what was put is never less than that, and if it has not changed not
 * more than there is room for. */
size_t rmd_queue_len(const rmd_queue *queue)
{
    enum { TRIES = 4 };
    uint64_t got, put = 0, again = 0;
    if (!queue)
        return 0;
    rmd_queue *q = (rmd_queue *)(uintptr_t)queue; /* the kinds only look */
    for (int i = 0; i < TRIES && (i == 0 || got != again); i++) {
        got = i ? again : q->ops->were_got(q);
        put = q->ops->were_put(q);
        again = q->ops->were_got(q);
    }
    uint64_t len = put > again ? put - again : 0;
    return len < q->items_max ? (size_t)len : q->items_max;
}

size_t rmd_queue_bytes(const rmd_queue *queue)
{
    rmd_queue *q = (rmd_queue *)(uintptr_t)queue;
    return q && q->ops->bytes ? q->ops->bytes(q) : 0;
}

bool rmd_queue_is_empty(const rmd_queue *queue)
{
    return rmd_queue_len(queue) == 0;
}

bool rmd_queue_is_full(const rmd_queue *queue)
{
    return queue && (rmd_queue_len(queue) >= queue->items_max ||
                     (queue->bytes_max && rmd_queue_bytes(queue) >= queue->bytes_max));
}

bool rmd_queue_is_closed(const rmd_queue *queue)
{
    rmd_queue *q = (rmd_queue *)(uintptr_t)queue;
    return q && q->ops->is_closed(q);
}

/* ---- opening ---- */

static int check_order(size_t items_max, const rmd_queue_options *o)
{
    if (o->order != RMD_FIFO && o->order != RMD_LIFO && o->order != RMD_PRIORITY)
        return rmdi_fail(RMD_EINVAL, "queue: there is no order %d", (int)o->order);
    if ((o->order == RMD_PRIORITY) != (o->priority_of != NULL))
        return rmdi_fail(RMD_EINVAL, "queue: RMD_PRIORITY and priority_of go together");
    if ((o->bytes_max > 0) != (o->bytes_of != NULL))
        return rmdi_fail(RMD_EINVAL, "queue: bytes_max and bytes_of go together");
    if (o->one_to_one && (o->order != RMD_FIFO || o->bytes_max || items_max == RMD_UNBOUNDED))
        return rmdi_fail(RMD_EINVAL,
                         "queue: one_to_one is for RMD_FIFO, with a bound of items only");
    return 0;
}

static int check(size_t items_max, const rmd_queue_options *o)
{
    if (o->size != sizeof *o)
        return rmdi_fail(RMD_EINVAL, "queue: options of size %zu, not %zu", o->size, sizeof *o);
    if (items_max == 0)
        return rmdi_fail(RMD_EINVAL, "queue: room for 0 items; RMD_UNBOUNDED is one without bound");
    if (items_max != RMD_UNBOUNDED && items_max > ITEMS_MAX_LIMIT)
        return rmdi_fail(RMD_E2BIG, "queue: room for %zu items, the limit is %zu", items_max,
                         ITEMS_MAX_LIMIT);
    return check_order(items_max, o);
}

static rmd_queue *new_queue(size_t items_max, const rmd_queue_options *o)
{
    const char *given = o->name ? o->name : "";
    char *name;
    size_t bytes = strlen(given) + 1;
    bool ordinary = o->order == RMD_FIFO && !o->bytes_max && items_max != RMD_UNBOUNDED;
    rmd_queue *queue = o->one_to_one ? rmdi_queue_pair_new(items_max, bytes, &name)
                       : ordinary    ? rmdi_queue_ring_new(items_max, bytes, &name)
                                     : rmdi_queue_store_new(o->order, bytes, &name);
    if (!queue)
        return NULL;
    memcpy(name, given, bytes);
    queue->name = name;
    queue->items_max = items_max;
    queue->bytes_max = o->bytes_max;
    queue->bytes_of = o->bytes_of;
    queue->priority_of = o->priority_of;
    queue->destroy = o->destroy;
    queue->ctx = o->ctx;
    return queue;
}

int rmd_queue_open(rmd_queue **queue, size_t items_max, const rmd_queue_options *options)
{
    if (!queue)
        return rmdi_fail(RMD_EINVAL, "queue: no place for it was given");
    *queue = NULL;
    rmd_queue_options o = options ? *options : (rmd_queue_options){ .size = sizeof o };
    int err = check(items_max, &o);
    if (err < 0)
        return err;
    int watched = rmdi_thread_list_watch_forks();
    if (watched)
        return rmdi_fail_errno(watched, "queue");
    rmd_queue *q = new_queue(items_max, &o);
    rmdi_queue_sides *sides = q ? rmdi_queue_sides_take() : NULL;
    if (!sides) {
        rmdi_free(q);
        return rmdi_fail_memory();
    }
    rmdi_fence_prepare();
    q->sides = sides;
    *queue = q;
    return 0;
}
