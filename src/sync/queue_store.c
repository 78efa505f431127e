/* SPDX-License-Identifier: MIT */
/* Queues that are not bounded, not in the order of arrival, or bounded in bytes: an array under a
 * lock. Oldest first it is a ring, newest first a stack, by priority a binary heap in which each
 * entry has a number, so that equal ones keep their order.
 *
 * Whoever puts fires one that waits to get, and the other way round, while it holds the lock, and
 * wakes it when it has released it, which is the last that it does to the queue. (Who waits to put
 * into a queue bounded in bytes: all, and with the lock held.) One that waits
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

/* An array to take the place of the one there is, and then that. It is allocated and freed without
 * the lock: an allocator may do what it likes, also use this queue. */
typedef struct spare {
    entry *entries;
    size_t room;
} spare;

/* Unless somebody else was faster. The ring begins at 0 in it. */
static void adopt(store *s, spare *spare_)
{
    spare now = { s->entries, s->room };
    if (spare_->room <= s->room)
        return;
    for (size_t i = 0; i < s->len; i++)
        spare_->entries[i] = *entry_at(s, i);
    s->entries = spare_->entries;
    s->room = spare_->room;
    s->first = 0;
    *spare_ = now;
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

static void insert(store *s, entry *e)
{
    e->number = READ(s->put);
    ADD(s->put, 1);
    ADD(s->bytes, e->bytes);
    if (s->order == RMD_PRIORITY)
        sift_up(s, s->len, e);
    else
        *entry_at(s, s->len) = *e;
    s->len++;
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

/* With the lock held. Of putters with items of different sizes all: the first may need more than
 * there is, and one behind it less. */
static rmdi_waker fire(rmd_queue *queue, rmdi_queue_side *side)
{
    rmdi_waker waker = { 0 };
    rmdi_wait_list_enter(&side->waits);
    if (queue->bytes_max && side == &queue->sides->putters) {
        rmdi_wait_list_leave_all(&side->waits);
        return waker;
    }
    rmdi_wait_list_fire(&side->waits, NULL, &waker);
    rmdi_wait_list_leave(&side->waits);
    return waker;
}

/* With the lock held. 0 with *done > 0, how many of the entries; else why none. RMD_ENOMEM: there
 * is no place in the array. */
static int insert_some(store *s, entry *entries, size_t n, size_t *done)
{
    int err = READ(s->closed) ? RMD_ECLOSED : 0;
    RMD_PLAIN_WRITES(&s->first, sizeof s->first + sizeof s->len);
    for (*done = 0; *done < n && err == 0;) {
        if (!has_room(s, entries[*done].bytes))
            err = RMD_EAGAIN;
        else if (s->len == s->room)
            err = RMD_ENOMEM;
        else
            insert(s, &entries[(*done)++]);
    }
    return *done ? 0 : err;
}

static int put_measured(store *s, entry *entries, size_t n, size_t *done, bool fired, spare *spare_)
{
    rmd_queue *queue = &s->queue;
    rmdi_waker getter = { 0 }, putter = { 0 };
    rmdi_lock_enter(&s->lock);
    adopt(s, spare_);
    int err = insert_some(s, entries, n, done);
    spare_->room = s->room;
    if (err == 0)
        getter = fire(queue, &queue->sides->getters);
    if (err == 0 && fired && has_room(s, 0))
        putter = fire(queue, &queue->sides->putters);
    rmdi_lock_release(&s->lock);
    rmdi_waker_wake(&getter);
    rmdi_waker_wake(&putter);
    return err;
}

/* Room for more than there is. */
static int grow(spare *spare_)
{
    size_t room = spare_->room ? spare_->room * 2 : BATCH;
    rmdi_free(spare_->entries);
    spare_->entries = room > spare_->room && room <= SIZE_MAX / sizeof(entry)
                          ? rmdi_alloc(room * sizeof(entry))
                          : NULL;
    spare_->room = room;
    return spare_->entries ? 0 : RMD_ENOMEM;
}

static int put(rmd_queue *queue, void *const *items, size_t n, size_t *done, bool fired)
{
    entry entries[BATCH];
    spare spare_ = { NULL, 0 };
    size_t measured = 0;
    for (; measured < n && measured < BATCH; measured++) {
        entries[measured] = measure(queue, items[measured]);
        if (queue->bytes_max && entries[measured].bytes > queue->bytes_max)
            break;
    }
    *done = 0;
    if (measured == 0)
        return RMD_E2BIG;
    int err;
    do
        err = put_measured((store *)queue, entries, measured, done, fired, &spare_);
    while (err == RMD_ENOMEM && grow(&spare_) == 0);
    rmdi_free(spare_.entries);
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
        waker = fire(queue, &queue->sides->putters);
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
    .enters_lists = true,
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
