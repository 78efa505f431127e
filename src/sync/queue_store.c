/* SPDX-License-Identifier: MIT */
/* Queues that are not bounded, not in the order of arrival, or bounded in bytes: an array under a
 * lock. Oldest first it is a ring, newest first a stack, by priority a binary heap in which each
 * entry has a number, so that equal ones keep their order.
 *
 * Whoever puts fires one that waits to get, and the other way round, while it holds the lock, and
 * wakes it when it has released it, which is the last that it does to the queue. One that waits
 * enters its list before it looks, with the lock held, whether there is something: so whoever
 * changes that afterwards finds it. */
#include "base/alloc.h"
#include "sync/lock.h"
#include "sync/queue.h"

#include <remuda/error.h>

enum { BATCH = 8 };

typedef struct entry {
    void *item;
    size_t bytes;
    int64_t priority;
    uint64_t number;
} entry;

typedef struct store {
    rmd_queue queue;
    rmd_queue_order order;
    rmdi_lock lock; /* guards what follows */
    entry *entries;
    size_t room, first, len; /* first: of the ring; else 0 */
    /* Read without the lock, too: relaxed, as hints, or ordered by what the reader holds. */
    rmd_atomic(uint64_t) put, got;
    rmd_atomic(size_t) bytes;
    rmd_atomic(uint32_t) closed;
} store;

#define READ(field)   rmd_atomic_load(&(field), RMD_RELAXED)
#define ADD(field, n) rmd_atomic_store(&(field), READ(field) + (n), RMD_RELAXED) /* by the holder */

/* ---- the array; with the lock held ---- */

static entry *entry_at(store *s, size_t i)
{
    size_t at = s->first + i;
    return &s->entries[at < s->room ? at : at - s->room];
}

/* The ring begins at 0 in the new one. */
static int grow(store *s)
{
    size_t room = s->room ? s->room * 2 : BATCH;
    entry *entries = room > s->room && room <= SIZE_MAX / sizeof *entries
                         ? rmdi_alloc(room * sizeof *entries)
                         : NULL;
    if (!entries)
        return RMD_ENOMEM;
    for (size_t i = 0; i < s->len; i++)
        entries[i] = *entry_at(s, i);
    rmdi_free(s->entries);
    s->entries = entries;
    s->room = room;
    s->first = 0;
    return 0;
}

static bool comes_before(const entry *a, const entry *b)
{
    return a->priority != b->priority ? a->priority < b->priority : a->number < b->number;
}

static void sift_up(store *s, size_t i, const entry *e)
{
    while (i > 0 && comes_before(e, &s->entries[(i - 1) / 2])) {
        s->entries[i] = s->entries[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->entries[i] = *e;
}

/* Into the gap at the top. */
static void sift_down(store *s, const entry *e)
{
    size_t i = 0, child;
    while ((child = 2 * i + 1) < s->len) {
        if (child + 1 < s->len && comes_before(&s->entries[child + 1], &s->entries[child]))
            child++;
        if (comes_before(e, &s->entries[child]))
            break;
        s->entries[i] = s->entries[child];
        i = child;
    }
    s->entries[i] = *e;
}

static int insert(store *s, entry *e)
{
    if (s->len == s->room && grow(s) < 0)
        return RMD_ENOMEM;
    e->number = READ(s->put);
    ADD(s->put, 1);
    ADD(s->bytes, e->bytes);
    if (s->order == RMD_PRIORITY)
        sift_up(s, s->len, e);
    else
        *entry_at(s, s->len) = *e;
    s->len++;
    return 0;
}

static entry take_out(store *s)
{
    s->len--;
    entry e = *entry_at(s, s->order == RMD_LIFO ? s->len : 0);
    if (s->order == RMD_FIFO)
        s->first = s->first + 1 == s->room ? 0 : s->first + 1;
    else if (s->order == RMD_PRIORITY && s->len)
        sift_down(s, &s->entries[s->len]);
    ADD(s->bytes, -e.bytes);
    ADD(s->got, 1);
    return e;
}

static bool has_room(store *s, size_t bytes)
{
    return s->len < s->queue.items_max &&
           (!s->queue.bytes_max || bytes <= s->queue.bytes_max - READ(s->bytes));
}

/* ---- putting and getting ---- */

/* With no lock held: these are the user's functions. */
static entry measure(const rmd_queue *queue, void *item)
{
    return (entry){
        .item = item,
        .bytes = queue->bytes_max ? queue->bytes_of(queue->ctx, item) : 0,
        .priority = queue->priority_of ? queue->priority_of(queue->ctx, item) : 0,
    };
}

static rmdi_waker fire_one(rmdi_queue_side *side)
{
    rmdi_waker waker;
    rmdi_wait_list_enter(&side->waits);
    rmdi_wait_list_fire(&side->waits, NULL, &waker);
    rmdi_wait_list_leave(&side->waits);
    return waker;
}

/* With the lock held. How many of the entries; or why none. */
static int insert_some(store *s, entry *entries, size_t n, size_t *done)
{
    int err = READ(s->closed) ? RMD_ECLOSED : 0;
    RMD_PLAIN_WRITES(&s->first, sizeof s->first + sizeof s->len);
    for (*done = 0; *done < n && err == 0;) {
        err = has_room(s, entries[*done].bytes) ? insert(s, &entries[*done]) : RMD_EAGAIN;
        *done += err == 0;
    }
    return *done ? 0 : err;
}

static int put(rmd_queue *queue, void *const *items, size_t n, size_t *done, bool fired)
{
    store *s = (store *)queue;
    entry entries[BATCH];
    rmdi_waker getter = { 0 }, putter = { 0 };
    size_t measured = 0;
    for (; measured < n && measured < BATCH; measured++) {
        entries[measured] = measure(queue, items[measured]);
        if (queue->bytes_max && entries[measured].bytes > queue->bytes_max)
            break;
    }
    *done = 0;
    if (measured == 0)
        return RMD_E2BIG;
    rmdi_lock_enter(&s->lock);
    int err = insert_some(s, entries, measured, done);
    if (err == 0)
        getter = fire_one(&queue->sides->getters);
    if (err == 0 && fired && has_room(s, 0))
        putter = fire_one(&queue->sides->putters);
    rmdi_lock_release(&s->lock);
    rmdi_waker_wake(&getter);
    rmdi_waker_wake(&putter);
    return err;
}

static int get(rmd_queue *queue, void **items, size_t n, size_t *done)
{
    store *s = (store *)queue;
    rmdi_waker waker = { 0 };
    rmdi_lock_enter(&s->lock);
    RMD_PLAIN_WRITES(&s->first, sizeof s->first + sizeof s->len);
    for (*done = 0; *done < n && s->len; ++*done)
        items[*done] = take_out(s).item;
    int err = *done ? 0 : READ(s->closed) ? RMD_ECLOSED : RMD_EAGAIN;
    if (err == 0)
        waker = fire_one(&queue->sides->putters);
    rmdi_lock_release(&s->lock);
    rmdi_waker_wake(&waker);
    return err;
}

/* ---- the rest ---- */

static bool is_full(rmd_queue *queue, size_t bytes)
{
    store *s = (store *)queue;
    rmdi_lock_enter(&s->lock);
    bool full = !READ(s->closed) && !has_room(s, bytes);
    rmdi_lock_release(&s->lock);
    return full;
}

static bool is_empty(rmd_queue *queue)
{
    store *s = (store *)queue;
    rmdi_lock_enter(&s->lock);
    bool empty = !READ(s->closed) && s->len == 0;
    rmdi_lock_release(&s->lock);
    return empty;
}

static bool close_store(rmd_queue *queue)
{
    store *s = (store *)queue;
    rmdi_lock_enter(&s->lock);
    bool was_open = !READ(s->closed);
    rmd_atomic_store(&s->closed, 1, RMD_RELAXED);
    rmdi_lock_release(&s->lock);
    return was_open;
}

static bool is_closed(rmd_queue *queue)
{
    return READ(((store *)queue)->closed);
}

static uint64_t were_put(rmd_queue *queue)
{
    return READ(((store *)queue)->put);
}

static uint64_t were_got(rmd_queue *queue)
{
    return READ(((store *)queue)->got);
}

static size_t bytes_in(rmd_queue *queue)
{
    return READ(((store *)queue)->bytes);
}

static void free_store(rmd_queue *queue)
{
    rmdi_free(((store *)queue)->entries);
}

static const rmdi_queue_ops store_ops = {
    .put = put,
    .get = get,
    .is_full = is_full,
    .is_empty = is_empty,
    .close = close_store,
    .is_closed = is_closed,
    .were_put = were_put,
    .were_got = were_got,
    .bytes = bytes_in,
    .free = free_store,
};

rmd_queue *rmdi_queue_store_new(rmd_queue_order order, size_t name_bytes, char **name)
{
    store *s = rmdi_alloc_zeroed(sizeof *s + name_bytes);
    if (!s)
        return NULL;
    s->queue.ops = &store_ops;
    s->order = order;
    *name = (char *)(s + 1);
    return &s->queue;
}
