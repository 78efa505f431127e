/* SPDX-License-Identifier: MIT */
/* The queue, in its three kinds: every item is got once, nobody sleeps beside what it waits for, no
 * item comes after "that was all", and whoever gets the last one may free the queue. */
#include "crew.h"
#include "sync/queue.h"

#include <remuda.h>

typedef enum kind { RING, PAIR, STORE } kind;

enum { NUMBERS = 8 };

typedef struct traffic {
    rmd_queue *queue;
    rmd_atomic(int) put, got; /* as bits, one for each number */
} traffic;

static void open_traffic(traffic *t, kind k, size_t items_max)
{
    rmd_queue_options o = { .size = sizeof o, .one_to_one = k == PAIR };
    rmd_atomic_init(&t->put, 0);
    rmd_atomic_init(&t->got, 0);
    if (k == STORE)
        o.order = RMD_LIFO;
    RMD_ASSERT(rmd_queue_open(&t->queue, items_max, &o) == 0);
}

static void close_traffic(traffic *t)
{
    void *item;
    RMD_ASSERT(rmd_queue_get(t->queue, &item, RMD_FOREVER) == RMD_ECLOSED);
    RMD_ASSERT(rmd_atomic_load(&t->put, RMD_RELAXED) == rmd_atomic_load(&t->got, RMD_RELAXED));
    RMD_ASSERT(rmd_queue_free(t->queue) == 0);
}

/* What an item is: its number's place in this, with what was written before it was put. */
static int payloads[NUMBERS];

static void note_got(traffic *t, const int *payload)
{
    int bit = 1 << (payload - payloads);
    RMD_ASSERT(RMD_PLAIN(*payload) == bit);
    RMD_ASSERT(!(rmd_atomic_or(&t->got, bit, RMD_RELAXED) & bit));
}

typedef struct hand {
    traffic *traffic;
    rmd_stop *stop;
    int first, n;        /* numbers to put; or how many to get at most, 0: until it is over */
    int64_t patience_ms; /* 0: for ever; < 0: not at all */
    bool many;           /* all by one call */
    int err;
} hand;

static rmd_deadline patience(const hand *h)
{
    return h->patience_ms < 0 ? RMD_NOW
           : h->patience_ms   ? rmd_after_ms(h->patience_ms)
                              : RMD_FOREVER;
}

static void note_put(traffic *t, int number)
{
    rmd_atomic_or(&t->put, 1 << number, RMD_RELAXED);
}

static void put_numbers(void *arg)
{
    hand *h = arg;
    void *items[NUMBERS];
    size_t done = 0;
    rmd_stop *before = rmd_stop_set(h->stop);
    for (int i = 0; i < h->n; i++) {
        items[i] = &payloads[h->first + i];
        RMD_PLAIN_SET(payloads[h->first + i], 1 << (h->first + i));
    }
    if (h->many)
        h->err = rmd_queue_put_many(h->traffic->queue, items, (size_t)h->n, &done, patience(h));
    for (int i = 0; i < h->n && !h->many; i++, done += h->err == 0)
        if ((h->err = rmd_queue_put(h->traffic->queue, items[i], patience(h))) < 0)
            break;
    RMD_ASSERT(h->many || done == (size_t)h->n || h->err < 0);
    for (size_t i = 0; i < done; i++)
        note_put(h->traffic, h->first + (int)i);
    rmd_stop_set(before);
}

static void get_numbers(void *arg)
{
    hand *h = arg;
    void *items[NUMBERS];
    size_t n = 1;
    int got = 0;
    rmd_stop *before = rmd_stop_set(h->stop);
    while ((h->n == 0 || got < h->n) && h->err == 0) {
        h->err = h->many ? rmd_queue_get_many(h->traffic->queue, items, NUMBERS, &n, patience(h))
                         : rmd_queue_get(h->traffic->queue, items, patience(h));
        for (size_t i = 0; i < n && h->err == 0; i++, got++)
            note_got(h->traffic, items[i]);
    }
    rmd_stop_set(before);
}

/* ---- all that is put is got ---- */

static void pass_all(kind k, size_t items_max, int putters, int getters)
{
    traffic t;
    crew puts = { 0 }, gets = { 0 };
    hand hands[4] = { 0 };
    open_traffic(&t, k, items_max);
    for (int i = 0; i < putters; i++) {
        hands[i] = (hand){ .traffic = &t, .first = 3 * i, .n = putters == 1 ? 4 : 2 };
        crew_add(&puts, put_numbers, &hands[i], "putter");
    }
    for (int i = 0; i < getters; i++) {
        hands[2 + i] = (hand){ .traffic = &t };
        crew_add(&gets, get_numbers, &hands[2 + i], "getter");
    }
    crew_join(&puts);
    RMD_ASSERT(rmd_queue_close(t.queue) == 0);
    crew_join(&gets);
    for (int i = 0; i < putters; i++)
        RMD_ASSERT(hands[i].err == 0);
    for (int i = 0; i < getters; i++)
        RMD_ASSERT(hands[2 + i].err == RMD_ECLOSED);
    RMD_ASSERT(rmd_atomic_load(&t.got, RMD_RELAXED) == (putters == 1 ? 15 : 3 + 3 * 8));
    close_traffic(&t);
}

HARNESS(queue_ring_passes_all)
{
    pass_all(RING, 1 + rmd_explore_choose(3), 2, 2);
}

HARNESS(queue_ring_passes_all_by_one)
{
    pass_all(RING, 1, 2, 1 + (int)rmd_explore_choose(2));
}

HARNESS(queue_pair_passes_all)
{
    pass_all(PAIR, 1 + rmd_explore_choose(3), 1, 1);
}

HARNESS(queue_store_passes_all)
{
    pass_all(STORE, 1 + rmd_explore_choose(3), 2, 2);
}

/* ---- who sleeps is woken, one by the other ---- */

static void until_asleep(rmdi_queue_side *side, uint32_t n)
{
    while (rmd_atomic_load(&side->waits.count, RMD_ACQUIRE) < n)
        rmd_pause();
}

/* Three sleep; what they wait for comes at once, or in turn. */
static void wake_three(kind k, bool putters)
{
    traffic t;
    crew crew = { 0 };
    hand hands[3], all = { .traffic = &t, .n = 3, .many = rmd_explore_choose(2) };
    open_traffic(&t, k, 3);
    if (putters)
        put_numbers(&all);
    for (int i = 0; i < 3; i++) {
        hands[i] = (hand){ .traffic = &t, .first = 3 + i, .n = 1 };
        crew_add(&crew, putters ? put_numbers : get_numbers, &hands[i], "sleeper");
    }
    until_asleep(putters ? &t.queue->sides->putters : &t.queue->sides->getters, 3);
    (putters ? get_numbers : put_numbers)(&all);
    crew_join(&crew);
    RMD_ASSERT(rmd_queue_close(t.queue) == 0);
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(hands[i].err == 0);
    hand rest = { .traffic = &t };
    get_numbers(&rest);
    RMD_ASSERT(rmd_atomic_load(&t.got, RMD_RELAXED) == (putters ? 63 : 7));
    close_traffic(&t);
}

HARNESS(queue_ring_wakes_all_who_get)
{
    wake_three(RING, false);
}

HARNESS(queue_ring_wakes_all_who_put)
{
    wake_three(RING, true);
}

HARNESS(queue_store_wakes_all_who_get)
{
    wake_three(STORE, false);
}

HARNESS(queue_store_wakes_all_who_put)
{
    wake_three(STORE, true);
}

/* ---- deadlines and stops ---- */

static void stop_somebody(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

static void give_up(kind k)
{
    traffic t;
    rmd_stop *stop;
    crew crew = { 0 };
    open_traffic(&t, k, 1);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    hand hands[5] = { { .traffic = &t, .first = 0, .n = 2, .patience_ms = k == PAIR },
                      { .traffic = &t, .n = 2, .patience_ms = 1 },
                      { .traffic = &t, .n = 1, .stop = stop },
                      { .traffic = &t, .first = 2, .n = 1, .patience_ms = 1 },
                      { .traffic = &t } };
    for (int i = 0; i < 5 && (k != PAIR || i < 2); i++)
        crew_add(&crew, i == 0 || i == 3 ? put_numbers : get_numbers, &hands[i],
                 i == 0 || i == 3 ? "putter" : "getter");
    if (k != PAIR)
        crew_add(&crew, stop_somebody, stop, "stopper");
    for (int i = 0; i < crew.len; i++)
        if (i != 4)
            rmd_explore_join(crew.threads[i]);
    RMD_ASSERT(rmd_queue_close(t.queue) == 0);
    if (k != PAIR)
        rmd_explore_join(crew.threads[4]);
    RMD_ASSERT(k == PAIR || hands[0].err == 0);
    RMD_ASSERT(hands[1].err == 0 || hands[1].err == RMD_ETIMEDOUT);
    RMD_ASSERT(hands[2].err == 0 || hands[2].err == RMD_ECANCELED);
    RMD_ASSERT(hands[3].err == 0 || hands[3].err == RMD_ETIMEDOUT);
    hand rest = { .traffic = &t };
    get_numbers(&rest);
    close_traffic(&t);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
}

HARNESS(queue_ring_with_deadline_and_stop)
{
    give_up(RING);
}

HARNESS(queue_pair_with_deadline)
{
    give_up(PAIR);
}

HARNESS(queue_store_with_deadline_and_stop)
{
    give_up(STORE);
}

/* ---- closing ---- */

static void close_it(void *arg)
{
    traffic *t = arg;
    RMD_ASSERT(rmd_queue_close(t->queue) == 0);
}

/* While others put and get: whoever was told that it is over has missed nothing. */
static void close_amid(kind k)
{
    traffic t;
    crew crew = { 0 };
    open_traffic(&t, k, 2);
    hand puts[2] = { { .traffic = &t, .first = 0, .n = 3 }, { .traffic = &t, .first = 3, .n = 2 } };
    hand gets[2] = { { .traffic = &t }, { .traffic = &t } };
    for (int i = 0; i < (k == PAIR ? 1 : 2); i++) {
        crew_add(&crew, put_numbers, &puts[i], "putter");
        crew_add(&crew, get_numbers, &gets[i], "getter");
    }
    crew_add(&crew, close_it, &t, "closer");
    crew_join(&crew);
    for (int i = 0; i < (k == PAIR ? 1 : 2); i++) {
        RMD_ASSERT(puts[i].err == 0 || puts[i].err == RMD_ECLOSED);
        RMD_ASSERT(gets[i].err == RMD_ECLOSED);
    }
    close_traffic(&t);
}

HARNESS(queue_ring_closed_amid)
{
    close_amid(RING);
}

HARNESS(queue_pair_closed_amid)
{
    close_amid(PAIR);
}

HARNESS(queue_store_closed_amid)
{
    close_amid(STORE);
}

/* Who waits for room that nobody makes is woken by closing. */
static void close_upon_putters(kind k)
{
    traffic t;
    crew crew = { 0 };
    open_traffic(&t, k, 1);
    hand first = { .traffic = &t, .n = 1 }, late[2];
    put_numbers(&first);
    for (int i = 0; i < (k == PAIR ? 1 : 2); i++) {
        late[i] = (hand){ .traffic = &t, .first = 1 + i, .n = 1 };
        crew_add(&crew, put_numbers, &late[i], "putter");
    }
    RMD_ASSERT(rmd_queue_close(t.queue) == 0);
    for (int i = 0; i < crew.len; i++) {
        rmd_explore_join(crew.threads[i]);
        RMD_ASSERT(late[i].err == RMD_ECLOSED);
    }
    hand rest = { .traffic = &t };
    get_numbers(&rest);
    close_traffic(&t);
}

HARNESS(queue_ring_closed_upon_putters)
{
    close_upon_putters(RING);
}

HARNESS(queue_pair_closed_upon_putters)
{
    close_upon_putters(PAIR);
}

HARNESS(queue_store_closed_upon_putters)
{
    close_upon_putters(STORE);
}

/* One that puts without waiting, into a full queue, while it is closed and drained. */
HARNESS(queue_pair_closed_amid_a_vain_put)
{
    traffic t;
    crew crew = { 0 };
    hand first = { .traffic = &t, .n = 1 };
    hand vain = { .traffic = &t, .first = 1, .n = 1, .patience_ms = -1 }, get = { .traffic = &t };
    open_traffic(&t, PAIR, 1);
    put_numbers(&first);
    crew_add(&crew, put_numbers, &vain, "putter");
    crew_add(&crew, get_numbers, &get, "getter");
    crew_add(&crew, close_it, &t, "closer");
    crew_join(&crew);
    RMD_ASSERT(vain.err == 0 || vain.err == RMD_ETIMEDOUT || vain.err == RMD_ECLOSED);
    close_traffic(&t);
}

/* Whoever is told that it is over frees it, while the close has not returned. */
static void free_when_over(kind k)
{
    traffic t;
    crew crew = { 0 };
    hand get = { .traffic = &t };
    open_traffic(&t, k, 2);
    crew_add(&crew, close_it, &t, "closer");
    get_numbers(&get);
    RMD_ASSERT(get.err == RMD_ECLOSED);
    RMD_ASSERT(rmd_queue_free(t.queue) == 0);
    crew_join(&crew);
}

HARNESS(queue_ring_freed_when_over)
{
    free_when_over(RING);
}

HARNESS(queue_pair_freed_when_over)
{
    free_when_over(PAIR);
}

HARNESS(queue_store_freed_when_over)
{
    free_when_over(STORE);
}

static rmd_atomic(int) destroyed;

static void destroy(void *ctx, void *item)
{
    (void)ctx;
    (void)item;
    rmd_atomic_add(&destroyed, 1, RMD_RELAXED);
}

static void join_it(void *arg)
{
    RMD_ASSERT(rmd_queue_join(arg, RMD_FOREVER) == 0);
}

HARNESS(queue_aborted_amid)
{
    rmd_queue_options o = { .size = sizeof o, .destroy = destroy };
    traffic t;
    crew crew = { 0 };
    rmd_atomic_init(&destroyed, 0);
    rmd_atomic_init(&t.put, 0);
    RMD_ASSERT(rmd_queue_open(&t.queue, 2, &o) == 0);
    hand puts[2] = { { .traffic = &t, .first = 0, .n = 3 }, { .traffic = &t, .first = 3, .n = 2 } };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, put_numbers, &puts[i], "putter");
    crew_add(&crew, join_it, t.queue, "joiner");
    RMD_ASSERT(rmd_queue_abort(t.queue) == 0);
    crew_join(&crew);
    int put = rmd_atomic_load(&t.put, RMD_RELAXED);
    RMD_ASSERT(rmd_atomic_load(&destroyed, RMD_RELAXED) == __builtin_popcount((unsigned)put));
    RMD_ASSERT(rmd_queue_free(t.queue) == 0);
}

/* ---- done ---- */

static void work(void *arg)
{
    traffic *t = arg;
    void *item;
    while (rmd_queue_get(t->queue, &item, RMD_FOREVER) == 0) {
        note_got(t, item);
        RMD_ASSERT(rmd_queue_task_done(t->queue) == 0);
    }
}

static void join_work(kind k)
{
    traffic t;
    crew crew = { 0 };
    open_traffic(&t, k, 2);
    for (int i = 0; i < (k == PAIR ? 1 : 2); i++)
        crew_add(&crew, work, &t, "worker");
    hand all = { .traffic = &t, .n = 3 };
    put_numbers(&all);
    RMD_ASSERT(rmd_queue_join(t.queue, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_atomic_load(&t.got, RMD_RELAXED) == 7);
    RMD_ASSERT(rmd_queue_close(t.queue) == 0);
    crew_join(&crew);
    close_traffic(&t);
}

HARNESS(queue_ring_joined)
{
    join_work(RING);
}

HARNESS(queue_pair_joined)
{
    join_work(PAIR);
}

HARNESS(queue_store_joined)
{
    join_work(STORE);
}

static void finish(void *arg)
{
    RMD_ASSERT(rmd_queue_task_done(arg) == 0);
}

HARNESS(queue_joined_and_freed)
{
    rmd_queue *queue;
    void *item;
    crew crew = { 0 };
    RMD_ASSERT(rmd_queue_open(&queue, 1, NULL) == 0);
    RMD_ASSERT(rmd_queue_put(queue, NULL, RMD_NOW) == 0);
    RMD_ASSERT(rmd_queue_get(queue, &item, RMD_NOW) == 0);
    crew_add(&crew, finish, queue, "worker");
    RMD_ASSERT(rmd_queue_join(queue, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_queue_free(queue) == 0);
    crew_join(&crew);
}

HARNESS(queue_done_too_often)
{
    rmd_queue *queue;
    RMD_ASSERT(rmd_queue_open(&queue, 1, NULL) == 0);
    RMD_ASSERT(rmd_queue_task_done(queue) == RMD_EINVAL);
    RMD_ASSERT(rmd_queue_task_done(queue) == RMD_EINVAL);
    RMD_ASSERT(rmd_queue_free(queue) == 0);
}

/* ---- freed by whoever gets the last ---- */

static void reply(void *arg)
{
    RMD_ASSERT(rmd_queue_put(arg, NULL, RMD_FOREVER) == 0);
}

/* So many replies, by as many threads, into a queue for fewer. */
static void free_after(kind k, int replies)
{
    rmd_queue_options o = { .size = sizeof o, .one_to_one = k == PAIR };
    rmd_queue *queue;
    void *item;
    crew crew = { 0 };
    o.order = k == STORE ? RMD_LIFO : RMD_FIFO;
    RMD_ASSERT(rmd_queue_open(&queue, 1, &o) == 0);
    for (int i = 0; i < replies; i++)
        crew_add(&crew, reply, queue, "replies");
    for (int i = 0; i < replies; i++)
        RMD_ASSERT(rmd_queue_get(queue, &item, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_queue_free(queue) == 0);
    crew_join(&crew);
}

HARNESS(queue_ring_freed_by_the_last)
{
    free_after(RING, 3);
}

HARNESS(queue_pair_freed_by_the_last)
{
    free_after(PAIR, 1);
}

HARNESS(queue_store_freed_by_the_last)
{
    free_after(STORE, 3);
}

/* ---- select ---- */

static void select_numbers(void *arg)
{
    traffic *two = arg;
    rmd_waitable what[] = { rmd_queue_waitable(two[0].queue), rmd_queue_waitable(two[1].queue) };
    size_t open = 2, i;
    void *item;
    while (open > 0) {
        i = (size_t)rmd_select(what, open, RMD_FOREVER);
        RMD_ASSERT(i < open);
        traffic *t = open == 2 ? &two[i] : what[0].object == two[0].queue ? &two[0] : &two[1];
        int err = rmd_queue_get(t->queue, &item, RMD_NOW);
        if (err == 0)
            note_got(t, item);
        else if (err == RMD_ECLOSED)
            what[i] = what[--open];
    }
}

static void put_and_close(void *arg)
{
    hand *h = arg;
    put_numbers(h);
    RMD_ASSERT(rmd_queue_close(h->traffic->queue) == 0);
}

HARNESS(queue_selected)
{
    traffic two[2];
    crew crew = { 0 };
    open_traffic(&two[0], RING, 1);
    open_traffic(&two[1], rmd_explore_choose(2) ? STORE : RING, 2);
    hand puts[2] = { { .traffic = &two[0], .n = 2 }, { .traffic = &two[1], .first = 2, .n = 2 } };
    hand gets = { .traffic = &two[1] };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, put_and_close, &puts[i], "putter");
    crew_add(&crew, select_numbers, two, "selects");
    crew_add(&crew, get_numbers, &gets, "getter");
    crew_join(&crew);
    close_traffic(&two[0]);
    close_traffic(&two[1]);
}

/* Fired, and with one item only: the other sleeper is not left beside the second. */
static void select_one(void *arg)
{
    traffic *t = arg;
    void *item;
    rmd_waitable what = rmd_queue_waitable(t->queue);
    int err;
    do
        RMD_ASSERT(rmd_select(&what, 1, RMD_FOREVER) == 0);
    while ((err = rmd_queue_get(t->queue, &item, RMD_NOW)) == RMD_ETIMEDOUT);
    RMD_ASSERT(err == 0);
    note_got(t, item);
}

HARNESS(queue_selected_by_one_of_two)
{
    traffic t;
    crew crew = { 0 };
    hand get = { .traffic = &t, .n = 1 }, all = { .traffic = &t, .n = 2, .many = true };
    open_traffic(&t, RING, 2);
    crew_add(&crew, select_one, &t, "selects");
    if (rmd_explore_choose(2))
        until_asleep(&t.queue->sides->getters, 1);
    crew_add(&crew, get_numbers, &get, "getter");
    until_asleep(&t.queue->sides->getters, 2);
    put_numbers(&all);
    crew_join(&crew);
    RMD_ASSERT(rmd_queue_close(t.queue) == 0);
    close_traffic(&t);
}

/* ---- the rest ---- */

static size_t measure(void *ctx, const void *item)
{
    (void)ctx;
    return (size_t)(uintptr_t)item;
}

static void put_large(void *arg)
{
    RMD_ASSERT(rmd_queue_put(arg, (void *)3, RMD_FOREVER) == 0);
}

static void put_small(void *arg)
{
    RMD_ASSERT(rmd_queue_put(arg, (void *)1, RMD_FOREVER) == 0);
}

HARNESS(queue_bounded_in_bytes)
{
    rmd_queue_options o = { .size = sizeof o, .bytes_max = 3, .bytes_of = measure };
    rmd_queue *queue;
    void *item;
    uintptr_t sum = 0;
    crew crew = { 0 };
    RMD_ASSERT(rmd_queue_open(&queue, RMD_UNBOUNDED, &o) == 0);
    crew_add(&crew, put_large, queue, "large");
    crew_add(&crew, put_large, queue, "large");
    crew_add(&crew, put_small, queue, "small");
    for (int i = 0; i < 3; i++) {
        RMD_ASSERT(rmd_queue_bytes(queue) <= 3);
        RMD_ASSERT(rmd_queue_get(queue, &item, RMD_FOREVER) == 0);
        sum += (uintptr_t)item;
    }
    RMD_ASSERT(sum == 7);
    crew_join(&crew);
    RMD_ASSERT(rmd_queue_free(queue) == 0);
}

/* A small one finds room behind a large one that waits for more. */
HARNESS(queue_bounded_in_bytes_lets_a_small_one_in)
{
    rmd_queue_options o = { .size = sizeof o, .bytes_max = 3, .bytes_of = measure };
    rmd_queue *queue;
    void *item;
    crew large = { 0 }, small = { 0 };
    RMD_ASSERT(rmd_queue_open(&queue, RMD_UNBOUNDED, &o) == 0);
    for (uintptr_t i = 1; i <= 2; i++)
        RMD_ASSERT(rmd_queue_put(queue, (void *)i, RMD_NOW) == 0);
    crew_add(&large, put_large, queue, "large");
    until_asleep(&queue->sides->putters, 1);
    crew_add(&small, put_small, queue, "small");
    if (rmd_explore_choose(2))
        until_asleep(&queue->sides->putters, 2);
    RMD_ASSERT(rmd_queue_get(queue, &item, RMD_FOREVER) == 0);
    crew_join(&small);
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(rmd_queue_get(queue, &item, RMD_FOREVER) == 0);
    crew_join(&large);
    RMD_ASSERT(rmd_queue_free(queue) == 0);
}

HARNESS(queue_sides_are_used_again)
{
    rmd_queue *queues[3];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            RMD_ASSERT(rmd_queue_open(&queues[i], 1, NULL) == 0);
        RMD_ASSERT(queues[0]->sides != queues[1]->sides && queues[1]->sides != queues[2]->sides);
        for (int i = 0; i < 3; i++)
            RMD_ASSERT(rmd_queue_free(queues[i]) == 0);
    }
}

static void open_and_free(void *arg)
{
    rmd_queue *queues[2];
    (void)arg;
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_queue_open(&queues[i], 1, NULL) == 0);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_queue_put(queues[i], queues[i], RMD_NOW) == 0); /* each has its own sides */
    for (int i = 0; i < 2; i++) {
        void *item;
        RMD_ASSERT(rmd_queue_get(queues[i], &item, RMD_NOW) == 0 && item == queues[i]);
        RMD_ASSERT(rmd_queue_free(queues[i]) == 0);
    }
}

HARNESS(queue_sides_are_taken_by_several)
{
    crew crew = { 0 };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, open_and_free, NULL, "opens");
    crew_join(&crew);
}
