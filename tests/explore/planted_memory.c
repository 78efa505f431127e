/* SPDX-License-Identifier: MIT */
/* Planted bugs of memory order: fine on a machine that never reorders, wrong on those that
 * exist. */
#include "small_lock.h"

/* ---- a counter without a lock ---- */

static struct {
    rmd_atomic(int) atomic;
    int plain;
    bool broken;
} counter;

static void count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        if (counter.broken)
            RMD_PLAIN_SET(counter.plain, RMD_PLAIN(counter.plain) + 1);
        else
            rmd_atomic_add(&counter.atomic, 1, RMD_RELAXED);
    }
}

PLANTED(counter_race, RMD_EXPLORE_RACE)
{
    rmd_explore_thread *threads[3];
    rmd_atomic_init(&counter.atomic, 0);
    counter.plain = 0;
    counter.broken = broken;
    for (int i = 0; i < 3; i++)
        threads[i] = rmd_explore_start(count_up, NULL, "up");
    for (int i = 0; i < 3; i++)
        rmd_explore_join(threads[i]);
    RMD_ASSERT((broken ? counter.plain : rmd_atomic_load(&counter.atomic, RMD_RELAXED)) == 6);
}

/* ---- publishing ---- */

static struct {
    rmd_atomic(int) ready;
    int payload;
    bool broken;
} box;

static void publish_relaxed(void *arg)
{
    (void)arg;
    RMD_PLAIN_SET(box.payload, 42);
    rmd_atomic_store(&box.ready, 1, box.broken ? RMD_RELAXED : RMD_RELEASE);
}

static void read_it(void *arg)
{
    (void)arg;
    if (rmd_atomic_load(&box.ready, RMD_ACQUIRE))
        RMD_ASSERT(RMD_PLAIN(box.payload) == 42);
}

PLANTED(relaxed_publish, RMD_EXPLORE_RACE)
{
    rmd_atomic_init(&box.ready, 0);
    box.payload = 0;
    box.broken = broken;
    rmd_explore_thread *writer = rmd_explore_start(publish_relaxed, NULL, "writer");
    rmd_explore_thread *reader = rmd_explore_start(read_it, NULL, "reader");
    rmd_explore_join(writer);
    rmd_explore_join(reader);
}

/* ---- Dekker: store one's own flag, look at the other's ---- */

static struct {
    rmd_atomic(int) flag[2];
    int saw[2];
    bool broken;
} dekker;

static void announce(void *arg)
{
    int self = *(int *)arg;
    rmd_atomic_store(&dekker.flag[self], 1, RMD_RELAXED);
    if (!dekker.broken)
        rmd_fence(RMD_SEQ_CST);
    dekker.saw[self] = rmd_atomic_load(&dekker.flag[!self], RMD_RELAXED);
}

PLANTED(store_buffering, RMD_EXPLORE_ASSERTION)
{
    static int names[2] = { 0, 1 };
    rmd_explore_thread *threads[2];
    dekker.broken = broken;
    for (int i = 0; i < 2; i++)
        rmd_atomic_init(&dekker.flag[i], 0);
    for (int i = 0; i < 2; i++)
        threads[i] = rmd_explore_start(announce, &names[i], i ? "right" : "left");
    for (int i = 0; i < 2; i++)
        rmd_explore_join(threads[i]);
    RMD_ASSERT(dekker.saw[0] || dekker.saw[1]);
}

/* ---- reading what was published ---- */

static void read_relaxed(void *arg)
{
    (void)arg;
    if (rmd_atomic_load(&box.ready, box.broken ? RMD_RELAXED : RMD_ACQUIRE))
        RMD_ASSERT(RMD_PLAIN(box.payload) == 42);
}

static void publish(void *arg)
{
    (void)arg;
    RMD_PLAIN_SET(box.payload, 42);
    rmd_atomic_store(&box.ready, 1, RMD_RELEASE);
}

PLANTED(relaxed_read, RMD_EXPLORE_RACE)
{
    rmd_atomic_init(&box.ready, 0);
    box.payload = 0;
    box.broken = broken;
    run_together((void (*const[])(void *)){ publish, read_relaxed }, NULL, 2);
}

/* ---- an object that is known before it is there ---- */

/* All its uses are atomic, but its beginning is not. */
static struct {
    rmd_atomic(int) value;
    rmd_atomic(rmd_atomic(int) *) known;
    bool broken;
} newcomer;

static void begin_newcomer(void *arg)
{
    (void)arg;
    rmd_atomic_init(&newcomer.value, 1);
    rmd_atomic_store(&newcomer.value, 2, RMD_RELAXED);
    rmd_atomic_store(&newcomer.known, &newcomer.value, newcomer.broken ? RMD_RELAXED : RMD_RELEASE);
}

static void meet_newcomer(void *arg)
{
    (void)arg;
    rmd_atomic(int) *value = rmd_atomic_load(&newcomer.known, RMD_ACQUIRE);
    if (value)
        RMD_ASSERT(rmd_atomic_load(value, RMD_RELAXED) == 2);
}

PLANTED(known_before_it_begins, RMD_EXPLORE_RACE)
{
    newcomer.broken = broken;
    rmd_atomic_init(&newcomer.known, NULL);
    run_together((void (*const[])(void *)){ begin_newcomer, meet_newcomer }, NULL, 2);
}

/* ---- what x86 forgives, and Arm does not ---- */

/* All atomic, so that there is no race; all relaxed. */
static struct {
    rmd_atomic(int) ready, payload;
    bool broken;
} parcel;

static void send_parcel(void *arg)
{
    (void)arg;
    rmd_atomic_store(&parcel.payload, 42, RMD_RELAXED);
    rmd_atomic_store(&parcel.ready, 1, parcel.broken ? RMD_RELAXED : RMD_RELEASE);
}

static void open_parcel(void *arg)
{
    (void)arg;
    if (rmd_atomic_load(&parcel.ready, RMD_ACQUIRE))
        RMD_ASSERT(rmd_atomic_load(&parcel.payload, RMD_RELAXED) == 42);
}

static void pass_parcel(bool broken)
{
    parcel.broken = broken;
    rmd_atomic_init(&parcel.ready, 0);
    rmd_atomic_init(&parcel.payload, 0);
    run_together((void (*const[])(void *)){ send_parcel, open_parcel }, NULL, 2);
}

PLANTED(all_relaxed, RMD_EXPLORE_ASSERTION, .memory = RMD_MEMORY_WEAK)
{
    pass_parcel(broken);
}

HARNESS(all_relaxed_on_x86, .memory = RMD_MEMORY_TSO)
{
    pass_parcel(true);
}

/* Two readers of two writers that do not agree who was first (IRIW): acquire does not help. */
static struct {
    rmd_atomic(int) left, right;
    int left_first, right_first; /* whom each reader has seen before the other */
    bool broken;
} news;

static void write_left(void *arg)
{
    (void)arg;
    rmd_atomic_store(&news.left, 1, news.broken ? RMD_RELEASE : RMD_SEQ_CST);
}

static void write_right(void *arg)
{
    (void)arg;
    rmd_atomic_store(&news.right, 1, news.broken ? RMD_RELEASE : RMD_SEQ_CST);
}

static void read_left_first(void *arg)
{
    (void)arg;
    news.left_first = rmd_atomic_load(&news.left, news.broken ? RMD_ACQUIRE : RMD_SEQ_CST) &&
                      !rmd_atomic_load(&news.right, news.broken ? RMD_ACQUIRE : RMD_SEQ_CST);
}

static void read_right_first(void *arg)
{
    (void)arg;
    news.right_first = rmd_atomic_load(&news.right, news.broken ? RMD_ACQUIRE : RMD_SEQ_CST) &&
                       !rmd_atomic_load(&news.left, news.broken ? RMD_ACQUIRE : RMD_SEQ_CST);
}

static void spread_news(bool broken)
{
    news.broken = broken;
    rmd_atomic_init(&news.left, 0);
    rmd_atomic_init(&news.right, 0);
    news.left_first = news.right_first = 0;
    run_together(
        (void (*const[])(void *)){ write_left, write_right, read_left_first, read_right_first },
        NULL, 4);
    RMD_ASSERT(!news.left_first || !news.right_first);
}

PLANTED(readers_disagree, RMD_EXPLORE_ASSERTION, .memory = RMD_MEMORY_WEAK)
{
    spread_news(broken);
}

HARNESS(readers_agree_on_x86, .memory = RMD_MEMORY_TSO)
{
    spread_news(true);
}

/* ---- Peterson's lock ---- */

/* Peterson, Myths about the mutual exclusion problem, 1981; in C11 after Williams, Peterson's lock
 * with C++0x atomics, 2008. The turn must be an exchange: it reads what the other has released, and
 * that orders the stores of `turn`. A store leaves them unordered, even if a fence follows. */
static struct {
    rmd_atomic(int) wants[2];
    rmd_atomic(int) turn;
    int inside;
    bool broken;
} peterson;

static void enter_and_leave(int self)
{
    rmd_atomic_store(&peterson.wants[self], 1, RMD_RELAXED);
    if (peterson.broken)
        rmd_atomic_store(&peterson.turn, !self, RMD_RELEASE);
    else
        rmd_atomic_exchange(&peterson.turn, !self, RMD_ACQ_REL);
    while (rmd_atomic_load(&peterson.wants[!self], RMD_ACQUIRE) &&
           rmd_atomic_load(&peterson.turn, RMD_ACQUIRE) == !self)
        rmd_pause();
    RMD_PLAIN_SET(peterson.inside, RMD_PLAIN(peterson.inside) + 1);
    rmd_atomic_store(&peterson.wants[self], 0, RMD_RELEASE);
}

static void enter_left(void *arg)
{
    (void)arg;
    enter_and_leave(0);
}

static void enter_right(void *arg)
{
    (void)arg;
    enter_and_leave(1);
}

PLANTED(peterson_stores_its_turn, RMD_EXPLORE_RACE)
{
    peterson.broken = broken;
    peterson.inside = 0;
    rmd_atomic_init(&peterson.turn, 0);
    for (int i = 0; i < 2; i++)
        rmd_atomic_init(&peterson.wants[i], 0);
    run_together((void (*const[])(void *)){ enter_left, enter_right }, NULL, 2);
    RMD_ASSERT(peterson.inside == 2);
}
