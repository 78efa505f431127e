/* SPDX-License-Identifier: MIT */
/* Checks of the explorer itself: what it counts, finds, refuses, and needs. */
#include "explorer_checks.h"

#include <remuda/error.h>
#include <stdio.h>
#include <string.h>

/* ---- EXHAUSTIVE ---- */

static uint64_t all_schedules(void (*body)(void *arg), void *arg, unsigned deviations)
{
    rmd_explore_options options = { .strategy = RMD_EXPLORE_EXHAUSTIVE,
                                    .memory = RMD_MEMORY_SC,
                                    .preemptions_max = deviations };
    EXPECT(check_explore(body, arg, &options, &result) == 0);
    EXPECT(result.complete);
    EXPECT(result.traces <= result.schedules);
    return result.schedules;
}

/* The main thread has two pieces, from the start to the join and the join itself; the other one has
 * one, or two with a point. So there are 3, or 6 interleavings; of these 1 leaves the ordinary
 * course never, 2 once, 2 twice, 1 three times. */
CHECK(exhaustive_counts_interleavings)
{
    int with_point;
    EXPECT(all_schedules(nothing, NULL, 2) == 1);
    EXPECT(all_schedules(start_one, NULL, 2) == 3);
    EXPECT(all_schedules(start_one, &with_point, 1) == 3);
    EXPECT(all_schedules(start_one, &with_point, 2) == 5);
    EXPECT(all_schedules(start_one, &with_point, 3) == 6);
    EXPECT(all_schedules(start_one, &with_point, 100) == 6);
}

static uint32_t chosen; /* what choose_twice() has chosen, a bit for each pair */

static void choose_twice(void *arg)
{
    (void)arg;
    unsigned a = rmd_explore_choose(3), b = rmd_explore_choose(4);
    chosen |= 1u << (4 * a + b);
}

static unsigned largest;

static void choose_of_thousand(void *arg)
{
    (void)arg;
    unsigned a = rmd_explore_choose(1000);
    largest = a > largest ? a : largest;
}

CHECK(choices_take_each_value)
{
    chosen = 0;
    EXPECT(all_schedules(choose_twice, NULL, 1) == 12);
    EXPECT(chosen == 0xfff);
    chosen = 0;
    EXPECT(explore(choose_twice, (rmd_explore_options){ .schedules = 1000 }) == 0);
    EXPECT(chosen == 0xfff);
    largest = 0;
    EXPECT(all_schedules(choose_of_thousand, NULL, 1) == 1000);
    EXPECT(largest == 999);
}

CHECK(exhaustive_stops_at_its_limit)
{
    int with_point;
    rmd_explore_options options = { .strategy = RMD_EXPLORE_EXHAUSTIVE, .schedules = 2 };
    EXPECT(check_explore(start_one, &with_point, &options, &result) == 0);
    EXPECT(result.schedules == 2 && !result.complete);
}

/* ---- PCT ---- */

static struct {
    rmd_atomic(int) turns;
    int too_many;
} alternation;

static void take_turn(int n)
{
    rmd_atomic_cas(&alternation.turns, &n, n + 1, RMD_SEQ_CST, RMD_SEQ_CST);
}

static void take_even_turns(void *arg)
{
    (void)arg;
    take_turn(0);
    take_turn(2);
}

static void take_odd_turns(void *arg)
{
    (void)arg;
    take_turn(1);
    take_turn(3);
}

static void never_alternate(void *arg)
{
    (void)arg;
    rmd_atomic_init(&alternation.turns, 0);
    run_together((void (*const[])(void *)){ take_even_turns, take_odd_turns }, NULL, 2);
    RMD_ASSERT(rmd_atomic_load(&alternation.turns, RMD_RELAXED) < alternation.too_many);
}

/* The second turn may be had by priorities alone, each further one needs a change of them. */
CHECK(pct_finds_what_its_depth_promises)
{
    for (unsigned depth = 1; depth <= 4; depth++)
        for (int turns = 2; turns <= 4; turns++) {
            rmd_explore_options options = { .strategy = RMD_EXPLORE_PCT,
                                            .memory = RMD_MEMORY_SC,
                                            .depth = depth };
            alternation.too_many = turns;
            int found = check_explore(never_alternate, NULL, &options, &result);
            if (!EXPECT(found == (depth >= (unsigned)turns - 1)))
                printf("      %d turns, depth %u\n", turns, depth);
        }
}

/* ---- what is refused ---- */

static int nested_err;

static void explore_again(void *arg)
{
    rmd_explore_options options = { .size = sizeof options, .quiet = true };
    (void)arg;
    nested_err = rmd_explore(nothing, NULL, &options);
}

CHECK(wrong_calls_are_refused)
{
    rmd_explore_options options = { .size = sizeof options - 1, .quiet = true };
    EXPECT(rmd_explore(nothing, NULL, &options) == RMD_EINVAL);
    EXPECT(strstr(rmd_error_detail(), "size"));
    options.size = 0;
    EXPECT(rmd_explore(nothing, NULL, &options) == RMD_EINVAL);
    EXPECT(explore(NULL, (rmd_explore_options){ 0 }) == RMD_EINVAL);
    EXPECT(explore(nothing, (rmd_explore_options){ .strategy = 17 }) == RMD_EINVAL);
    EXPECT(explore(nothing, (rmd_explore_options){ .memory = 17 }) == RMD_EINVAL);
    EXPECT(explore(explore_again, (rmd_explore_options){ .schedules = 3 }) == 0);
    EXPECT(nested_err == RMD_EBUSY);
    EXPECT(rmd_explore(nothing, NULL, NULL) == 0);
}

static void start_many(void *arg)
{
    rmd_explore_thread *threads[17];
    unsigned n = *(unsigned *)arg;
    for (unsigned i = 0; i < n; i++)
        threads[i] = rmd_explore_start(one_point, NULL, "one of many");
    for (unsigned i = 0; i < n; i++)
        rmd_explore_join(threads[i]);
}

CHECK(sixteen_threads_and_no_more)
{
    rmd_explore_options options = { .schedules = 2000 };
    unsigned n = 15; /* and the main one */
    EXPECT(check_explore(start_many, &n, &options, &result) == 0);
    n = 16;
    EXPECT(check_explore(start_many, &n, &options, &result) == 1);
    EXPECT(result.verdict == RMD_EXPLORE_ASSERTION && strstr(result.message, "16 threads"));
}

CHECK(outside_a_schedule_all_is_plain)
{
    rmd_atomic(uint32_t) word;
    uint32_t expected = 6;
    rmd_atomic_init(&word, 5);
    EXPECT(rmd_atomic_add(&word, 2, RMD_SEQ_CST) == 5);
    EXPECT(!rmd_atomic_cas(&word, &expected, 9, RMD_ACQ_REL, RMD_RELAXED) && expected == 7);
    EXPECT(rmd_atomic_cas(&word, &expected, 9, RMD_ACQ_REL, RMD_RELAXED));
    EXPECT(rmd_atomic_exchange(&word, 1, RMD_RELAXED) == 9);
    rmd_fence(RMD_SEQ_CST);
    rmd_pause();
    rmd_explore_point();
    EXPECT(rmd_explore_choose(3) == 0 && !RMD_FAULT("none"));
    EXPECT(rmd_atomic_load(&word, RMD_RELAXED) == 1);
}

/* ---- long and many ---- */

static rmd_atomic(int) counter, last;

static void ten_thousand_steps(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2500; i++) {
        rmd_atomic_add(&counter, 1, RMD_ACQ_REL);
        rmd_atomic_store(&last, i, RMD_RELAXED);
    }
}

static void long_schedule(void *arg)
{
    (void)arg;
    rmd_atomic_init(&last, 0);
    rmd_atomic_init(&counter, 0);
    run_together((void (*const[])(void *)){ ten_thousand_steps, ten_thousand_steps }, NULL, 2);
    RMD_ASSERT(rmd_atomic_load(&counter, RMD_RELAXED) == 5000);
}

/* The address sanitizer keeps what is freed. */
#ifdef __SANITIZE_ADDRESS__
enum { GROWTH_PAGES = 1 << 18 };
#else
enum { GROWTH_PAGES = 64 };
#endif

static size_t resident_pages(void)
{
    unsigned long all = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f)
        return 0;
    bool read = fscanf(f, "%lu %lu", &all, &resident) == 2;
    fclose(f);
    return read ? resident : 0;
}

CHECK(long_schedules_and_short_memory)
{
    rmd_explore_options options = { .schedules = 100, .steps_max = 100000 };
    EXPECT(explore(long_schedule, options) == 0);
    size_t before = resident_pages();
    EXPECT(explore(long_schedule, options) == 0);
    EXPECT(resident_pages() <= before + GROWTH_PAGES);
}

CHECK(many_schedules_need_no_more_memory)
{
    rmd_explore_options options = { .schedules = 1000 };
    int with_point;
    EXPECT(check_explore(start_one, &with_point, &options, &result) == 0);
    size_t before = resident_pages();
    for (int i = 0; i < 50; i++)
        EXPECT(check_explore(start_one, &with_point, &options, &result) == 0);
    EXPECT(resident_pages() <= before + GROWTH_PAGES);
}

/* ---- objects that begin without the door ---- */

static struct {
    rmd_atomic(uint32_t) word;
} zeroed;

/* Memory that was cleared by other means is a new object, whatever stood there before. */
static void clear_and_use(void *arg)
{
    (void)arg;
    for (uint32_t i = 1; i < 4; i++) {
        memset((void *)&zeroed, 0, sizeof zeroed);
        RMD_ASSERT(rmd_atomic_load(&zeroed.word, RMD_RELAXED) == 0);
        rmd_atomic_store(&zeroed.word, i, RMD_SEQ_CST);
        RMD_ASSERT(rmd_atomic_load(&zeroed.word, RMD_RELAXED) == i);
    }
}

CHECK(cleared_memory_is_a_new_object)
{
    EXPECT(explore(clear_and_use, (rmd_explore_options){ .schedules = 2000 }) == 0);
}

/* ---- what is no race ---- */

static uint32_t expected_first;

static void compare_and_swap(void *arg)
{
    uint32_t expected = expected_first;
    (void)arg;
    rmd_atomic_cas(&zeroed.word, &expected, 7, RMD_RELAXED, RMD_RELAXED);
}

static void copy_it(void *arg)
{
    (void)arg;
    RMD_PLAIN_READS(&zeroed, sizeof zeroed);
}

static void swap_and_copy(void *arg)
{
    (void)arg;
    rmd_atomic_init(&zeroed.word, 0);
    run_together((void (*const[])(void *)){ compare_and_swap, copy_it }, NULL, 2);
}

/* As it only reads, it and a plain read are no race. */
CHECK(failing_cas_writes_nothing)
{
    expected_first = 5;
    EXPECT(explore(swap_and_copy, (rmd_explore_options){ .schedules = 2000 }) == 0);
    expected_first = 0;
    EXPECT(explore(swap_and_copy, (rmd_explore_options){ .schedules = 2000 }) == 1);
    EXPECT(result.verdict == RMD_EXPLORE_RACE);
}

/* ---- places ---- */

static bool saw_this_file;

static void find_this_file(void *ctx, const rmd_explore_coverage *source)
{
    (void)ctx;
    EXPECT(source->hit <= source->sites && source->sites > 0);
    saw_this_file |= strstr(source->file, "explorer_checks.c") && source->hit > 0;
}

CHECK(places_are_counted)
{
    EXPECT(explore(clear_and_use, (rmd_explore_options){ .schedules = 10 }) == 0);
    rmd_explore_coverage_walk(find_this_file, NULL);
    EXPECT(saw_this_file);
}
