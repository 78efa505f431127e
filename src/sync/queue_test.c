/* SPDX-License-Identifier: MIT */
#include "sync/queue.h"

#include "kit.h"
#include "kit_alloc.h"
#include "sync/thread.h"

#include <remuda/alloc.h>
#include <remuda/error.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

typedef enum kind { RING, PAIR, UNBOUNDED, LIFO, PRIORITY, KINDS } kind;

static int64_t number_of(void *ctx, const void *item)
{
    (void)ctx;
    return (intptr_t)item;
}

static rmd_queue *open_kind(kind k, size_t items_max)
{
    rmd_queue *queue;
    rmd_queue_options o = { .size = sizeof o, .name = "tested", .one_to_one = k == PAIR };
    o.order = k == LIFO ? RMD_LIFO : k == PRIORITY ? RMD_PRIORITY : RMD_FIFO;
    o.priority_of = k == PRIORITY ? number_of : NULL;
    REQUIRE(rmd_queue_open(&queue, k == UNBOUNDED ? RMD_UNBOUNDED : items_max, &o) == 0);
    return queue;
}

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static void *number(intptr_t n)
{
    return (void *)n;
}

static intptr_t get_number(rmd_queue *queue)
{
    void *item = number(-1);
    int err = rmd_queue_get(queue, &item, RMD_NOW);
    return err < 0 ? err : (intptr_t)item;
}

static void put_number(rmd_queue *queue, intptr_t n)
{
    CHECK_EQ(rmd_queue_put(queue, number(n), RMD_NOW), 0);
}

/* ---- order ---- */

TEST(items_come_in_the_order_of_their_kind)
{
    static const intptr_t expected[KINDS][4] = {
        [RING] = { 5, 9, 5, 2 }, [PAIR] = { 5, 9, 5, 2 },     [UNBOUNDED] = { 5, 9, 5, 2 },
        [LIFO] = { 2, 5, 9, 5 }, [PRIORITY] = { 2, 5, 5, 9 },
    };
    for (kind k = 0; k < KINDS; k++) {
        rmd_queue *queue = open_kind(k, 4);
        put_number(queue, 5);
        put_number(queue, 9);
        put_number(queue, 5);
        put_number(queue, 2);
        for (int i = 0; i < 4; i++)
            CHECK_EQ(get_number(queue), expected[k][i]);
        CHECK_EQ(get_number(queue), RMD_ETIMEDOUT);
        CHECK_EQ(rmd_queue_free(queue), 0);
    }
}

typedef struct parcel {
    int64_t priority;
    int number;
} parcel;

static int64_t parcel_priority(void *ctx, const void *item)
{
    CHECK_STR(ctx, "the context");
    return ((const parcel *)item)->priority;
}

TEST(equal_priorities_keep_their_order)
{
    enum { PARCELS = 1000 };
    static parcel parcels[PARCELS];
    char ctx[] = "the context";
    rmd_queue_options o = {
        .size = sizeof o, .order = RMD_PRIORITY, .priority_of = parcel_priority, .ctx = ctx
    };
    rmd_queue *queue;
    void *item;
    REQUIRE(rmd_queue_open(&queue, RMD_UNBOUNDED, &o) == 0);
    for (int i = 0; i < PARCELS; i++) {
        parcels[i] = (parcel){ (i * 7919) % 13 - 6, i };
        CHECK_EQ(rmd_queue_put(queue, &parcels[i], RMD_NOW), 0);
    }
    parcel last = { INT64_MIN, -1 };
    for (int i = 0; i < PARCELS; i++) {
        REQUIRE(rmd_queue_get(queue, &item, RMD_NOW) == 0);
        const parcel *p = item;
        CHECK(p->priority > last.priority ||
              (p->priority == last.priority && p->number > last.number));
        last = *p;
    }
    CHECK_EQ(rmd_queue_free(queue), 0);
}

/* ---- bounds ---- */

TEST(a_bound_of_any_size_holds)
{
    static const size_t sizes[] = { 1, 2, 3, 5, 8, 13, 1000 };
    for (kind k = 0; k < KINDS; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes && k != UNBOUNDED; s++) {
            rmd_queue *queue = open_kind(k, sizes[s]);
            for (int lap = 0; lap < 5; lap++) {
                for (size_t i = 0; i < sizes[s]; i++)
                    put_number(queue, (intptr_t)i);
                CHECK(rmd_queue_is_full(queue));
                CHECK_EQ(rmd_queue_len(queue), sizes[s]);
                CHECK_EQ(rmd_queue_put(queue, NULL, RMD_NOW), RMD_ETIMEDOUT);
                CHECK_EQ(rmd_queue_put(queue, NULL, rmd_after_ms(1)), RMD_ETIMEDOUT);
                CHECK_CONTAINS(rmd_error_detail(), "\"tested\" was full");
                for (size_t i = 0; i < sizes[s]; i++)
                    CHECK_INT(get_number(queue), >=, 0);
                CHECK(rmd_queue_is_empty(queue) && !rmd_queue_is_full(queue));
            }
            CHECK_EQ(get_number(queue), RMD_ETIMEDOUT);
            CHECK_CONTAINS(rmd_error_detail(), "\"tested\" was empty");
            CHECK_EQ(rmd_queue_free(queue), 0);
        }
}

TEST(a_queue_without_bound_grows)
{
    rmd_queue *queue = open_kind(UNBOUNDED, 0);
    intptr_t out = 0;
    for (intptr_t i = 0; i < 100000; i++) {
        put_number(queue, i);
        if (i % 3 == 0) /* so that the ring in it turns while it grows */
            CHECK_EQ(get_number(queue), out++);
    }
    CHECK(!rmd_queue_is_full(queue));
    while (out < 100000)
        CHECK_EQ(get_number(queue), out++);
    CHECK_EQ(get_number(queue), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_queue_free(queue), 0);
}

static size_t length_of(void *ctx, const void *item)
{
    (void)ctx;
    return strlen(item);
}

TEST(a_bound_in_bytes_holds)
{
    char small[] = "12", large[] = "1234567", huge[] = "12345678901";
    rmd_queue_options o = {
        .size = sizeof o, .name = "tested", .bytes_max = 10, .bytes_of = length_of
    };
    rmd_queue *queue;
    void *item;
    REQUIRE(rmd_queue_open(&queue, 100, &o) == 0);
    CHECK_EQ(rmd_queue_put(queue, huge, RMD_FOREVER), RMD_E2BIG);
    CHECK_CONTAINS(rmd_error_detail(), "more than 10 bytes");
    CHECK_EQ(rmd_queue_put(queue, large, RMD_NOW), 0);
    CHECK_EQ(rmd_queue_put(queue, large, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_queue_put(queue, small, RMD_NOW), 0);
    CHECK_EQ(rmd_queue_put(queue, small, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_queue_bytes(queue), 9);
    CHECK(!rmd_queue_is_full(queue));
    CHECK_EQ(rmd_queue_get(queue, &item, RMD_NOW), 0);
    CHECK(item == large);
    CHECK_EQ(rmd_queue_bytes(queue), 2);
    CHECK_EQ(rmd_queue_get(queue, &item, RMD_NOW), 0);
    CHECK_EQ(rmd_queue_free(queue), 0);
}

/* ---- many at once ---- */

TEST(many_are_put_and_got_as_far_as_there_is_room)
{
    for (kind k = 0; k < KINDS; k++) {
        rmd_queue *queue = open_kind(k, 10);
        void *in[25], *out[25];
        size_t done, got;
        for (intptr_t i = 0; i < 25; i++)
            in[i] = number(i);
        CHECK_EQ(rmd_queue_put_many(queue, in, 7, NULL, RMD_NOW), 0);
        CHECK_EQ(rmd_queue_get_many(queue, out, 3, &got, RMD_NOW), 0);
        CHECK_EQ(got, 3);
        int err = rmd_queue_put_many(queue, in + 7, 18, &done, RMD_NOW);
        CHECK_EQ(err, k == UNBOUNDED ? 0 : RMD_ETIMEDOUT);
        CHECK_EQ(done, k == UNBOUNDED ? 18 : 6);
        CHECK_EQ(rmd_queue_get_many(queue, out, 25, &got, RMD_NOW), 0);
        CHECK_EQ(got, 4 + done);
        for (size_t i = 0; i < got && k <= UNBOUNDED; i++)
            CHECK(out[i] == number((intptr_t)i + 3));
        CHECK_EQ(rmd_queue_get_many(queue, out, 25, &got, RMD_NOW), RMD_ETIMEDOUT);
        CHECK_EQ(got, 0);
        CHECK_EQ(rmd_queue_put_many(queue, NULL, 0, &done, RMD_NOW), 0);
        CHECK_EQ(rmd_queue_free(queue), 0);
    }
}

/* ---- its end ---- */

TEST(a_closed_queue_is_drained_and_then_over)
{
    for (kind k = 0; k < KINDS; k++) {
        rmd_queue *queue = open_kind(k, 4);
        put_number(queue, 1);
        put_number(queue, 1);
        CHECK(!rmd_queue_is_closed(queue));
        CHECK_EQ(rmd_queue_close(queue), 0);
        CHECK(rmd_queue_is_closed(queue));
        CHECK_EQ(rmd_queue_close(queue), RMD_ECLOSED);
        CHECK_EQ(rmd_queue_put(queue, NULL, RMD_FOREVER), RMD_ECLOSED);
        CHECK_EQ(rmd_queue_len(queue), 2);
        CHECK_EQ(get_number(queue), 1);
        CHECK_EQ(get_number(queue), 1);
        void *item;
        CHECK_EQ(rmd_queue_get(queue, &item, RMD_FOREVER), RMD_ECLOSED);
        CHECK_CONTAINS(rmd_error_detail(), "closed, and empty");
        CHECK_EQ(rmd_queue_get(queue, &item, RMD_FOREVER), RMD_ECLOSED);
        CHECK_EQ(rmd_queue_free(queue), 0);
    }
}

static int destroyed;

static void count_destroyed(void *ctx, void *item)
{
    CHECK(ctx == &destroyed);
    destroyed += (int)(intptr_t)item;
}

TEST(what_is_left_is_destroyed_once)
{
    for (int by_abort = 0; by_abort < 2; by_abort++)
        for (int pair = 0; pair < 2; pair++) {
            rmd_queue *queue;
            rmd_queue_options o = {
                .size = sizeof o, .one_to_one = pair, .destroy = count_destroyed, .ctx = &destroyed
            };
            REQUIRE(rmd_queue_open(&queue, 100, &o) == 0);
            destroyed = 0;
            for (int i = 0; i < 50; i++)
                put_number(queue, 1);
            CHECK_EQ(get_number(queue), 1);
            if (by_abort) {
                CHECK_EQ(rmd_queue_abort(queue), 0);
                CHECK_EQ(destroyed, 49);
                CHECK_EQ(rmd_queue_task_done(queue), 0);
                CHECK_EQ(rmd_queue_join(queue, RMD_NOW), 0);
                CHECK_EQ(rmd_queue_abort(queue), 0);
            }
            CHECK_EQ(rmd_queue_free(queue), 0);
            CHECK_EQ(destroyed, 49);
        }
}

TEST(nothing_is_thrown_away_without_a_destroy_function)
{
    rmd_queue *queue = open_kind(RING, 3);
    put_number(queue, 1);
    CHECK_EQ(rmd_queue_free(queue), RMD_EBUSY);
    CHECK_CONTAINS(rmd_error_detail(), "1 items are left");
    CHECK_EQ(rmd_queue_abort(queue), RMD_EINVAL);
    CHECK(rmd_queue_is_closed(queue));
    CHECK_EQ(get_number(queue), 1);
    CHECK_EQ(rmd_queue_abort(queue), 0);
    CHECK_EQ(rmd_queue_free(queue), 0);
}

/* ---- done ---- */

TEST(join_waits_for_what_was_put)
{
    for (kind k = 0; k < KINDS; k++) {
        rmd_queue *queue = open_kind(k, 3);
        CHECK_EQ(rmd_queue_join(queue, RMD_NOW), 0);
        CHECK_EQ(rmd_queue_task_done(queue), RMD_EINVAL);
        put_number(queue, 1);
        put_number(queue, 2);
        CHECK_EQ(rmd_queue_task_done(queue), RMD_EINVAL); /* none was got */
        CHECK_INT(get_number(queue), >, 0);
        CHECK_EQ(rmd_queue_task_done(queue), 0);
        CHECK_EQ(rmd_queue_join(queue, rmd_after_ms(1)), RMD_ETIMEDOUT);
        CHECK_INT(get_number(queue), >, 0);
        CHECK_EQ(rmd_queue_join(queue, RMD_NOW), RMD_ETIMEDOUT);
        CHECK_EQ(rmd_queue_task_done(queue), 0);
        CHECK_EQ(rmd_queue_join(queue, RMD_NOW), 0);
        CHECK_EQ(rmd_queue_task_done(queue), RMD_EINVAL);
        CHECK_EQ(rmd_queue_free(queue), 0);
    }
}

/* ---- misuse ---- */

TEST(misuse_of_a_queue_is_refused)
{
    rmd_queue *queue;
    rmd_queue_options o = { .size = sizeof o };
    void *item;
    size_t n;
    CHECK_EQ(rmd_queue_open(NULL, 1, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_queue_open(&queue, 0, NULL), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "RMD_UNBOUNDED");
    CHECK_EQ(rmd_queue_open(&queue, SIZE_MAX - 1, NULL), RMD_E2BIG);
    o.one_to_one = true;
    CHECK_EQ(rmd_queue_open(&queue, RMD_UNBOUNDED, &o), RMD_EINVAL);
    o.order = RMD_LIFO;
    CHECK_EQ(rmd_queue_open(&queue, 1, &o), RMD_EINVAL);
    o = (rmd_queue_options){ .size = sizeof o, .order = RMD_PRIORITY };
    CHECK_EQ(rmd_queue_open(&queue, 1, &o), RMD_EINVAL);
    o = (rmd_queue_options){ .size = sizeof o, .bytes_max = 1 };
    CHECK_EQ(rmd_queue_open(&queue, 1, &o), RMD_EINVAL);
    o = (rmd_queue_options){ .size = sizeof o, .order = (rmd_queue_order)7 };
    CHECK_EQ(rmd_queue_open(&queue, 1, &o), RMD_EINVAL);
    o = (rmd_queue_options){ .size = 1 };
    CHECK_EQ(rmd_queue_open(&queue, 1, &o), RMD_EINVAL);
    CHECK(queue == NULL);
    CHECK_EQ(rmd_queue_put(NULL, NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_queue_get(NULL, &item, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_queue_put_many(NULL, &item, 1, &n, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_queue_get_many(NULL, &item, 1, &n, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_queue_close(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_queue_abort(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_queue_task_done(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_queue_join(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_queue_free(NULL), 0);
    CHECK(rmd_queue_len(NULL) == 0 && rmd_queue_bytes(NULL) == 0 && rmd_queue_is_empty(NULL));
    CHECK(!rmd_queue_is_full(NULL) && !rmd_queue_is_closed(NULL));
    queue = open_kind(RING, 1);
    CHECK_EQ(rmd_queue_get(queue, NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_queue_get_many(queue, &item, 0, &n, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_queue_put_many(queue, NULL, 1, &n, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_queue_free(queue), 0);
}

static int use_kinds(void *arg)
{
    (void)arg;
    rmd_queue *queues[12] = { NULL };
    int err = 0;
    rmd_queue_options o = { .size = sizeof o, .destroy = count_destroyed, .ctx = &destroyed };
    for (int i = 0; i < 12 && err == 0; i++) { /* more than there are sides that need no memory */
        o.one_to_one = i == 1;
        o.order = i == 2 ? RMD_LIFO : RMD_FIFO;
        err = rmd_queue_open(&queues[i], 100, &o);
        for (intptr_t n = 0; n < 20 && err == 0; n++)
            err = rmd_queue_put(queues[i], number(1), RMD_NOW);
    }
    for (int i = 0; i < 12; i++)
        CHECK_EQ(rmd_queue_free(queues[i]), 0);
    return err;
}

TEST(a_queue_without_memory_loses_nothing)
{
    CHECK_EQ(use_kinds(NULL), 0); /* from now on there are sides enough, which are kept */
    CHECK_INT(kit_alloc(use_kinds, NULL, RMD_ENOMEM), >=, 15);
}

/* An allocator that uses the queue it allocates for. */
static rmd_queue *used_within;

static void *allocate(void *ctx, size_t bytes)
{
    void *item;
    (void)ctx;
    if (used_within)
        CHECK_EQ(rmd_queue_get(used_within, &item, RMD_NOW), 0);
    return malloc(bytes);
}

static void *reallocate(void *ctx, void *p, size_t bytes)
{
    (void)ctx;
    return realloc(p, bytes);
}

static void release(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

TEST(an_allocator_may_use_the_queue)
{
    static const rmd_allocator allocator = { sizeof allocator, allocate, reallocate, release,
                                             NULL };
    REQUIRE(rmd_set_allocator(&allocator) == 0);
    rmd_queue *queue = open_kind(UNBOUNDED, 0);
    for (int i = 0; i < 100; i++) {
        put_number(queue, i);
        used_within = queue;
    }
    used_within = NULL;
    CHECK_INT(rmd_queue_len(queue), <, 100);
    while (get_number(queue) >= 0)
        ;
    CHECK_EQ(rmd_queue_free(queue), 0);
}

/* ---- fork ---- */

static void open_and_free(void *arg)
{
    rmd_atomic(bool) *goes_on = arg;
    while (rmd_atomic_load(goes_on, RMD_RELAXED))
        CHECK_EQ(rmd_queue_free(open_kind(RING, 1)), 0);
}

TEST_LIMIT(a_child_opens_queues_whatever_others_did_at_the_fork, 60)
{
    static rmd_atomic(bool) goes_on;
    rmdi_thread thread;
    if (KIT_SANITIZED)
        SKIP("not with a sanitizer");
    rmd_atomic_store(&goes_on, true, RMD_RELAXED);
    REQUIRE(rmdi_thread_start(&thread, open_and_free, &goes_on, "opens") == 0);
    for (int i = 0; i < 200; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            alarm(10);
            put_number(open_kind(RING, 1), 1);
            _exit(0);
        }
        CHECK_CHILD(pid);
    }
    rmd_atomic_store(&goes_on, false, RMD_RELAXED);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
}

/* ---- threads ---- */

enum { SIDES_MAX = 4, ITEMS = 20000 };

typedef struct crowd {
    rmd_queue *queue;
    int putters;
    size_t items_max, batch;
    rmd_atomic(int) numbers; /* given to those who put */
    rmd_atomic(uint8_t) seen[ITEMS * SIDES_MAX];
    rmd_atomic(int) got;
} crowd;

static crowd all;

static void put_all(void *arg)
{
    crowd *c = arg;
    intptr_t first = rmd_atomic_add(&c->numbers, 1, RMD_RELAXED) * ITEMS;
    void *items[16];
    for (intptr_t i = 0; i < ITEMS; i += (intptr_t)c->batch) {
        for (size_t j = 0; j < c->batch; j++)
            items[j] = number(first + i + (intptr_t)j);
        CHECK_EQ(c->batch == 1 ? rmd_queue_put(c->queue, items[0], patience())
                               : rmd_queue_put_many(c->queue, items, c->batch, NULL, patience()),
                 0);
    }
}

static void get_all(void *arg)
{
    crowd *c = arg;
    void *items[16];
    size_t n = 1;
    intptr_t last[SIDES_MAX] = { -1, -1, -1, -1 };
    while ((c->batch == 1 ? rmd_queue_get(c->queue, items, patience())
                          : rmd_queue_get_many(c->queue, items, 16, &n, patience())) == 0)
        for (size_t i = 0; i < n; i++) {
            intptr_t item = (intptr_t)items[i], *before = &last[item / ITEMS];
            CHECK_INT(item, >, *before); /* each one's items stay in order */
            *before = item;
            CHECK_EQ(rmd_atomic_add(&c->seen[item], 1, RMD_RELAXED), 0);
            rmd_atomic_add(&c->got, 1, RMD_RELAXED);
            CHECK_EQ(rmd_queue_task_done(c->queue), 0);
        }
}

static void look_at_len(crowd *c)
{
    while (rmd_atomic_load(&c->got, RMD_RELAXED) < c->putters * ITEMS) {
        size_t len = rmd_queue_len(c->queue);
        CHECK(c->items_max == 0 || len <= c->items_max);
    }
}

static void run_crowd(kind k, size_t items_max, int putters, int getters, size_t batch)
{
    rmdi_thread in[SIDES_MAX], out[SIDES_MAX];
    memset(&all, 0, sizeof all);
    all.queue = open_kind(k, items_max);
    all.batch = batch;
    all.putters = putters;
    all.items_max = items_max;
    for (int i = 0; i < getters; i++)
        REQUIRE(rmdi_thread_start(&out[i], get_all, &all, "gets") == 0);
    for (int i = 0; i < putters; i++)
        REQUIRE(rmdi_thread_start(&in[i], put_all, &all, "puts") == 0);
    if (items_max == 64)
        look_at_len(&all);
    for (int i = 0; i < putters; i++)
        CHECK_EQ(rmdi_thread_join(&in[i], RMD_FOREVER), 0);
    CHECK_EQ(rmd_queue_join(all.queue, patience()), 0);
    CHECK_EQ(rmd_atomic_load(&all.got, RMD_RELAXED), putters * ITEMS);
    CHECK_EQ(rmd_queue_close(all.queue), 0);
    for (int i = 0; i < getters; i++)
        CHECK_EQ(rmdi_thread_join(&out[i], RMD_FOREVER), 0);
    CHECK_EQ(rmd_queue_free(all.queue), 0);
}

TEST_LIMIT(a_ring_loses_nothing, 120)
{
    static const size_t sizes[] = { 1, 3, 64 };
    for (int s = 0; s < 3; s++)
        for (int threads = 1; threads <= SIDES_MAX; threads += 3) {
            run_crowd(RING, sizes[s], threads, threads, 1);
            run_crowd(RING, sizes[s], threads, 5 - threads, 16);
        }
}

TEST_LIMIT(a_pair_loses_nothing, 120)
{
    run_crowd(PAIR, 1, 1, 1, 1);
    run_crowd(PAIR, 3, 1, 1, 1);
    run_crowd(PAIR, 100, 1, 1, 1);
    run_crowd(PAIR, 5, 1, 1, 16);
}

TEST_LIMIT(a_store_loses_nothing, 120)
{
    run_crowd(UNBOUNDED, 0, 4, 4, 1);
    run_crowd(UNBOUNDED, 0, 1, 4, 16);
    run_crowd(PRIORITY, 5, 1, 1, 16);
}

/* ---- waiting ---- */

static rmd_queue *waited;

static void get_until_over(void *result)
{
    void *item;
    *(int *)result = rmd_queue_get(waited, &item, RMD_FOREVER);
}

static void put_until_over(void *result)
{
    *(int *)result = rmd_queue_put(waited, NULL, RMD_FOREVER);
}

static void wait_until_asleep(rmdi_queue_side *side, uint32_t n)
{
    while (rmd_atomic_load(&side->waits.count, RMD_RELAXED) < n)
        sched_yield();
}

TEST(closing_ends_all_waits)
{
    for (kind k = 0; k < KINDS; k++) {
        int results[3] = { 1, 1, 1 }, n = k == PAIR ? 1 : 3;
        rmdi_thread threads[3];
        waited = open_kind(k, 1);
        for (int i = 0; i < n; i++)
            REQUIRE(rmdi_thread_start(&threads[i], get_until_over, &results[i], "gets") == 0);
        wait_until_asleep(&waited->sides->getters, (uint32_t)n);
        CHECK_EQ(rmd_queue_free(waited), RMD_EBUSY);
        CHECK_EQ(rmd_queue_close(waited), 0);
        for (int i = 0; i < n; i++) {
            CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
            CHECK_EQ(results[i], RMD_ECLOSED);
        }
        CHECK_EQ(rmd_queue_free(waited), 0);
        if (k == UNBOUNDED)
            continue;
        waited = open_kind(k, 1);
        put_number(waited, 1);
        for (int i = 0; i < n; i++)
            REQUIRE(rmdi_thread_start(&threads[i], put_until_over, &results[i], "puts") == 0);
        wait_until_asleep(&waited->sides->putters, (uint32_t)n);
        CHECK_EQ(rmd_queue_close(waited), 0);
        for (int i = 0; i < n; i++) {
            CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
            CHECK_EQ(results[i], RMD_ECLOSED);
        }
        CHECK_EQ(get_number(waited), 1);
        CHECK_EQ(rmd_queue_free(waited), 0);
    }
}

static void get_stopped(void *arg)
{
    void *item;
    (void)arg;
    CHECK_EQ(rmd_queue_get(waited, &item, RMD_FOREVER), RMD_ECANCELED);
    CHECK_EQ(rmd_queue_join(waited, RMD_FOREVER), RMD_ECANCELED);
}

TEST(a_stop_ends_a_wait)
{
    rmd_thread *thread;
    waited = open_kind(RING, 1);
    rmd_queue *held = waited;
    put_number(waited, 1);
    CHECK_EQ(get_number(waited), 1); /* and is not done */
    REQUIRE(rmd_thread_start(&thread, get_stopped, NULL, NULL) == 0);
    wait_until_asleep(&waited->sides->getters, 1);
    CHECK_EQ(rmd_thread_stop(thread), 0);
    CHECK_EQ(rmd_thread_join(thread, patience()), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
    CHECK_EQ(rmd_queue_free(held), 0);
}

TEST(waiting_for_an_item_takes_no_processor_time)
{
    struct rusage before, after;
    void *item;
    waited = open_kind(RING, 1);
    getrusage(RUSAGE_SELF, &before);
    CHECK_EQ(rmd_queue_get(waited, &item, rmd_after_ms(300)), RMD_ETIMEDOUT);
    getrusage(RUSAGE_SELF, &after);
    long us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
              (after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
              (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
              (after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    CHECK_INT(us, <, 20000 * kit_patience());
    CHECK_EQ(rmd_queue_free(waited), 0);
}

/* ---- whoever gets the last item frees it ---- */

static void reply(void *arg)
{
    CHECK_EQ(rmd_queue_put(arg, number(7), patience()), 0);
}

TEST_LIMIT(who_gets_the_last_item_may_free_the_queue, 60)
{
    for (int round = 0; round < 3000; round++) {
        static const kind kinds[] = { RING, PAIR, UNBOUNDED, LIFO };
        rmd_queue *queue = open_kind(kinds[round % 4], 1);
        rmdi_thread thread;
        void *item;
        REQUIRE(rmdi_thread_start(&thread, reply, queue, "replies") == 0);
        CHECK_EQ(rmd_queue_get(queue, &item, patience()), 0);
        CHECK_EQ(rmd_queue_free(queue), 0);
        CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    }
}

/* ---- select ---- */

static void put_soon(void *arg)
{
    wait_until_asleep(&((rmd_queue *)arg)->sides->getters, 1); /* the one that selects */
    CHECK_EQ(rmd_queue_put(arg, number(3), RMD_NOW), 0);
}

TEST(select_waits_for_items_and_for_the_end)
{
    for (kind k = 0; k < KINDS; k++) {
        rmd_queue *silent = open_kind(RING, 1), *queue = open_kind(k, 2);
        rmd_waitable what[] = { rmd_queue_waitable(silent), rmd_queue_waitable(queue) };
        rmdi_thread thread;
        CHECK_EQ(rmd_select(what, 2, rmd_after_ms(1)), RMD_ETIMEDOUT);
        REQUIRE(rmdi_thread_start(&thread, put_soon, queue, "puts") == 0);
        CHECK_EQ(rmd_select(what, 2, patience()), 1);
        CHECK_EQ(get_number(queue), 3);
        CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
        CHECK_EQ(rmd_select(what, 2, RMD_NOW), RMD_ETIMEDOUT);
        CHECK_EQ(rmd_queue_close(queue), 0);
        CHECK_EQ(rmd_select(what, 2, RMD_NOW), 1);
        CHECK_EQ(rmd_queue_free(queue), 0);
        CHECK_EQ(rmd_queue_free(silent), 0);
    }
    rmd_waitable none = rmd_queue_waitable(NULL);
    CHECK_EQ(rmd_select(&none, 1, RMD_NOW), RMD_EINVAL);
}
