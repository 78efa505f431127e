/* SPDX-License-Identifier: MIT */
/* Checks of the explorer itself: what it lets happen to threads that sleep, spin, or die. */
#include "explorer_checks.h"

#include <remuda/error.h>

/* ---- sleeping and time ---- */

static uint64_t woken_for_no_reason, timed_out, waited;

static rmd_atomic(uint32_t) parked_on;

static void park_alone(void *arg)
{
    rmd_atomic(uint32_t) *word = &parked_on;
    (void)arg;
    rmd_deadline deadline = rmd_after_ms(3600 * 1000);
    while (rmd_atomic_load(word, RMD_ACQUIRE) == 0) {
        waited++;
        if (rmdi_park(word, 0, deadline) == 0) {
            woken_for_no_reason += rmd_atomic_load(word, RMD_ACQUIRE) == 0;
            continue;
        }
        timed_out++;
        RMD_ASSERT(rmd_deadline_passed(deadline));
        return;
    }
}

static void wake_parked(void *arg)
{
    (void)arg;
    rmd_atomic_init(&parked_on, 0);
    rmd_explore_thread *sleeper = rmd_explore_start(park_alone, NULL, "sleeper");
    for (int i = 0; i < 20; i++)
        rmd_explore_point();
    rmd_atomic_store(&parked_on, 1, RMD_RELEASE);
    rmdi_unpark_one(&parked_on);
    rmd_explore_join(sleeper);
}

static void count_wakes(rmd_explore_options options)
{
    woken_for_no_reason = timed_out = waited = 0;
    options.schedules = 3000;
    options.memory = RMD_MEMORY_SC; /* no older value after a wake-up that had a reason */
    EXPECT(explore(wake_parked, options) == 0);
    EXPECT(waited > 0);
}

CHECK(sleepers_wake_for_no_reason_and_early)
{
    count_wakes((rmd_explore_options){ 0 });
    EXPECT(woken_for_no_reason > 0 && timed_out > 0);
    count_wakes((rmd_explore_options){ .no_spurious = true });
    EXPECT(woken_for_no_reason == 0 && timed_out > 0);
    count_wakes((rmd_explore_options){ .no_early_timeouts = true });
    EXPECT(woken_for_no_reason > 0 && timed_out == 0);
}

static void sleep_an_hour(void *arg)
{
    rmd_atomic(uint32_t) word;
    (void)arg;
    rmd_atomic_init(&word, 0);
    rmd_deadline deadline = rmd_after_ms(3600 * 1000), sooner = rmd_after_ms(1);
    while (rmdi_park(&word, 0, deadline) == 0)
        continue;
    RMD_ASSERT(rmd_deadline_passed(deadline) && rmd_deadline_passed(sooner));
    RMD_ASSERT(rmdi_park(&word, 0, RMD_NOW) == RMD_ETIMEDOUT);
    RMD_ASSERT(rmdi_park(&word, 1, RMD_FOREVER) == 0);
}

CHECK(time_passes_when_everybody_waits)
{
    EXPECT(explore(sleep_an_hour, (rmd_explore_options){ .schedules = 3000 }) == 0);
    EXPECT(explore(sleep_an_hour,
                   (rmd_explore_options){ .schedules = 3000, .no_early_timeouts = true }) == 0);
    EXPECT(explore(sleep_an_hour, (rmd_explore_options){ .strategy = RMD_EXPLORE_EXHAUSTIVE }) ==
           0);
}

/* ---- two words ---- */

static struct {
    rmd_atomic(uint32_t) one, two;
} words;

static uint64_t woken_by_other;

static void park_on_two(void *arg)
{
    (void)arg;
    while (!rmd_atomic_load(&words.one, RMD_ACQUIRE)) {
        rmdi_park_either(&words.one, 0, &words.two, 0, RMD_FOREVER);
        if (!rmd_atomic_load(&words.two, RMD_RELAXED))
            continue;
        woken_by_other += !rmd_atomic_load(&words.one, RMD_RELAXED);
        return;
    }
}

/* Whichever is changed wakes; where the kernel knows only the first, that does. */
static void wake_on_two(void *arg)
{
    (void)arg;
    rmd_atomic_init(&words.one, 0);
    rmd_atomic_init(&words.two, 0);
    rmd_explore_thread *sleeper = rmd_explore_start(park_on_two, NULL, "sleeper");
    rmd_atomic_store(&words.two, 1, RMD_RELEASE);
    rmdi_unpark_shared(&words.two, 1);
    for (int i = 0; i < 20; i++)
        rmd_explore_point();
    rmd_atomic_store(&words.one, 1, RMD_RELEASE);
    rmdi_unpark_one(&words.one);
    rmd_explore_join(sleeper);
}

CHECK(sleepers_on_two_words_wake_by_either)
{
    woken_by_other = 0;
    EXPECT(explore(wake_on_two, (rmd_explore_options){ .schedules = 3000 }) == 0);
    EXPECT(woken_by_other > 0);
    EXPECT(explore(wake_on_two, (rmd_explore_options){ .schedules = 3000, .no_spurious = true }) ==
           0);
}

/* ---- fairness ---- */

static struct {
    rmd_atomic(int) stop, turn;
} loop;

static void spin_until_stop(void *arg)
{
    (void)arg;
    while (!rmd_atomic_load(&loop.stop, RMD_RELAXED))
        rmd_pause();
}

/* The store may still be in a store buffer when its thread waits for them. */
static void stop_spinners(void *arg)
{
    (void)arg;
    rmd_atomic_init(&loop.stop, 0);
    rmd_explore_thread *a = rmd_explore_start(spin_until_stop, NULL, "spinner");
    rmd_explore_thread *b = rmd_explore_start(spin_until_stop, NULL, "spinner");
    rmd_atomic_store(&loop.stop, 1, RMD_RELAXED);
    rmd_explore_join(a);
    rmd_explore_join(b);
}

static void take_turns(void *arg)
{
    int self = *(int *)arg;
    for (int i = 0; i < 3; i++) {
        while (rmd_atomic_load(&loop.turn, RMD_ACQUIRE) % 3 != self)
            rmd_pause();
        rmd_atomic_store(&loop.turn, 3 * i + self + 1, RMD_RELEASE);
    }
}

static void three_take_turns(void *arg)
{
    static int numbers[3] = { 0, 1, 2 };
    rmd_explore_thread *threads[3];
    (void)arg;
    rmd_atomic_init(&loop.turn, 0);
    for (int i = 0; i < 3; i++)
        threads[i] = rmd_explore_start(take_turns, &numbers[i], "turn");
    for (int i = 0; i < 3; i++)
        rmd_explore_join(threads[i]);
    RMD_ASSERT(rmd_atomic_load(&loop.turn, RMD_RELAXED) == 9);
}

/* Without rmd_pause(): only the fair end of a schedule helps. */
static void spin_rudely(void *arg)
{
    (void)arg;
    while (!rmd_atomic_load(&loop.stop, RMD_RELAXED))
        continue;
}

static void stop_rude_spinner(void *arg)
{
    (void)arg;
    rmd_atomic_init(&loop.stop, 0);
    rmd_explore_thread *a = rmd_explore_start(spin_rudely, NULL, "spinner");
    rmd_atomic_store(&loop.stop, 1, RMD_RELAXED);
    rmd_explore_join(a);
}

static void never_livelock(void (*body)(void *arg), uint64_t schedules)
{
    for (unsigned strategy = 0; strategy <= RMD_EXPLORE_EXHAUSTIVE; strategy++)
        for (unsigned memory = 0; memory <= RMD_MEMORY_WEAK; memory++)
            EXPECT(explore(body, (rmd_explore_options){ .strategy = strategy,
                                                        .memory = memory,
                                                        .steps_max = 2000,
                                                        .schedules = schedules }) == 0);
}

CHECK(spinning_is_no_livelock)
{
    never_livelock(stop_spinners, 1000);
    never_livelock(three_take_turns, 1000);
    never_livelock(stop_rude_spinner, 200);
}

/* Soon fair: what is in a store buffer then must come out. */
CHECK(fair_schedules_hold_nothing_back)
{
    EXPECT(explore(stop_spinners, (rmd_explore_options){ .memory = RMD_MEMORY_TSO,
                                                         .steps_max = 40,
                                                         .schedules = 20000 }) == 0);
}

/* ---- processes that die ---- */

static struct {
    rmd_atomic(uint32_t) word, other;
} memory;

static uint64_t killed_parked, killed_joining, killed_with_stores, not_killed;

static void park_for_ever(void *arg)
{
    (void)arg;
    rmd_atomic_store(&memory.other, 1, RMD_RELEASE);
    while (rmd_atomic_load(&memory.word, RMD_ACQUIRE) == 0)
        rmdi_park(&memory.word, 0, RMD_FOREVER);
}

static void kill_parked(void *arg)
{
    (void)arg;
    rmd_atomic_init(&memory.word, 0);
    rmd_atomic_init(&memory.other, 0);
    rmd_explore_thread *process = rmd_explore_process(park_for_ever, NULL, "process");
    for (int i = 0; i < 10; i++)
        rmd_explore_point();
    bool dead = rmd_explore_killed(process);
    rmd_atomic_store(&memory.word, 1, RMD_RELEASE);
    rmdi_unpark_all(&memory.word);
    if (dead)
        RMD_ASSERT(!rmd_explore_join(process));
    bool ended = rmd_explore_join(process);
    killed_parked += !ended && rmd_atomic_load(&memory.other, RMD_RELAXED);
    not_killed += ended;
}

static void join_other(void *arg)
{
    rmd_explore_thread *other = rmd_explore_start(park_for_ever, arg, "other");
    rmd_explore_join(other);
}

static void kill_joining(void *arg)
{
    (void)arg;
    rmd_atomic_init(&memory.word, 0);
    rmd_atomic_init(&memory.other, 0);
    rmd_explore_thread *process = rmd_explore_process(join_other, NULL, "process");
    for (int i = 0; i < 10; i++)
        rmd_explore_point();
    killed_joining += rmd_explore_killed(process) && rmd_atomic_load(&memory.other, RMD_RELAXED);
    rmd_atomic_store(&memory.word, 1, RMD_RELEASE);
    rmdi_unpark_all(&memory.word);
    rmd_explore_join(process);
}

static void write_two(void *arg)
{
    (void)arg;
    rmd_atomic_store(&memory.other, 1, RMD_RELAXED);
    rmd_atomic_store(&memory.word, 1, RMD_RELEASE);
    rmd_explore_point();
    rmd_explore_point();
    rmd_atomic_store(&memory.word, 2, RMD_RELEASE);
}

/* What it had written stays, in order. */
static void kill_writer(void *arg)
{
    (void)arg;
    rmd_atomic_init(&memory.word, 0);
    rmd_atomic_init(&memory.other, 0);
    rmd_explore_thread *process = rmd_explore_process(write_two, NULL, "process");
    bool ended = rmd_explore_join(process);
    uint32_t word = rmd_atomic_load(&memory.word, RMD_RELAXED);
    RMD_ASSERT(!ended || word == 2);
    RMD_ASSERT(word == 0 || rmd_atomic_load(&memory.other, RMD_RELAXED) == 1);
    killed_with_stores += !ended && word == 1;
}

CHECK(processes_die_anywhere)
{
    rmd_explore_options options = { .kills_max = 1, .schedules = 5000 };
    killed_parked = killed_joining = killed_with_stores = not_killed = 0;
    EXPECT(explore(kill_parked, options) == 0);
    EXPECT(killed_parked > 0 && not_killed > 0);
    EXPECT(explore(kill_joining, options) == 0);
    EXPECT(killed_joining > 0);
    EXPECT(explore(kill_writer, options) == 0);
    EXPECT(killed_with_stores > 0);
    options.strategy = RMD_EXPLORE_EXHAUSTIVE;
    killed_with_stores = 0;
    EXPECT(explore(kill_writer, options) == 0);
    EXPECT(killed_with_stores > 0 && result.complete);
}

static uint64_t killed_early, too_late;

/* By somebody else, wherever it is; what it has written stays. */
static void kill_it(void *arg)
{
    (void)arg;
    rmd_atomic_init(&memory.word, 0);
    rmd_atomic_init(&memory.other, 0);
    rmd_explore_thread *process = rmd_explore_process(write_two, NULL, "process");
    rmd_explore_kill(process);
    bool ended = rmd_explore_join(process);
    uint32_t word = rmd_atomic_load(&memory.word, RMD_RELAXED);
    RMD_ASSERT(rmd_explore_killed(process) == !ended && (!ended || word == 2));
    for (int i = 0; i < 5; i++)
        rmd_explore_point();
    RMD_ASSERT(rmd_atomic_load(&memory.word, RMD_RELAXED) == word);
    killed_early += word < 2;
    too_late += ended;
}

CHECK(processes_are_killed_by_others)
{
    killed_early = too_late = 0;
    EXPECT(explore(kill_it, (rmd_explore_options){ .schedules = 2000 }) == 0);
    EXPECT(killed_early > 0 && too_late > 0);
}

/* Alone with a main thread that has nothing left to do but to join. */
static void die_alone(void *arg)
{
    (void)arg;
    rmd_atomic_store(&memory.other, 1, RMD_RELAXED);
    for (int i = 0; i < 30; i++)
        rmd_explore_point();
    rmd_atomic_store(&memory.other, 2, RMD_RELAXED);
}

static void join_the_only_one(void *arg)
{
    (void)arg;
    rmd_atomic_init(&memory.other, 0);
    rmd_explore_thread *process = rmd_explore_process(die_alone, NULL, "process");
    bool ended = rmd_explore_join(process);
    killed_joining += !ended && rmd_atomic_load(&memory.other, RMD_RELAXED) == 1;
}

CHECK(the_only_runner_can_die)
{
    rmd_explore_options options = {
        .kills_max = 1, .schedules = 100, .strategy = RMD_EXPLORE_EXHAUSTIVE, .preemptions_max = 1
    };
    killed_joining = 0;
    EXPECT(explore(join_the_only_one, options) == 0);
    EXPECT(killed_joining > 20);
}
