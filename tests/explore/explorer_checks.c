/* SPDX-License-Identifier: MIT */
/* Checks of the explorer itself: what it counts, repeats, refuses, and lets happen. */
#include "small_lock.h"

#include <remuda/error.h>
#include <stdio.h>
#include <string.h>

static rmd_explore_result result;

static int explore(void (*body)(void *arg), rmd_explore_options options)
{
    return check_explore(body, NULL, &options, &result);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void one_point(void *arg)
{
    (void)arg;
    rmd_explore_point();
}

/* ---- EXHAUSTIVE ---- */

static void start_one(void *arg)
{
    rmd_explore_join(rmd_explore_start(arg ? one_point : nothing, NULL, "other"));
}

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

/* ---- tokens ---- */

static struct {
    rmd_atomic(int) flag[3];
    rmd_atomic(uint32_t) word;
    int saw[3];
} flags;

/* Looks at the next one after having raised its own; sleeps now and then. */
static void raise_flag(void *arg)
{
    int self = *(int *)arg;
    rmd_atomic_store(&flags.flag[self], 1, RMD_RELAXED);
    rmdi_park(&flags.word, 0, rmd_after_ms(1));
    flags.saw[self] = rmd_atomic_load(&flags.flag[(self + 1) % 3], RMD_RELAXED);
    if (self == 0)
        rmd_explore_choose(3);
}

static void see_nobody(void *arg)
{
    static int numbers[3] = { 0, 1, 2 };
    rmd_explore_thread *threads[3];
    (void)arg;
    rmd_atomic_init(&flags.word, 0);
    for (int i = 0; i < 3; i++)
        rmd_atomic_init(&flags.flag[i], 0);
    for (int i = 0; i < 3; i++)
        threads[i] = rmd_explore_start(raise_flag, &numbers[i], "raise");
    for (int i = 0; i < 3; i++)
        rmd_explore_join(threads[i]);
    RMD_ASSERT(flags.saw[0] || flags.saw[1]);
}

static void replay_exactly(rmd_explore_options options, const char *token, bool same_steps)
{
    rmd_explore_result again;
    options.replay = token;
    EXPECT(check_explore(see_nobody, NULL, &options, &again) == 1);
    EXPECT(again.verdict == result.verdict && strcmp(again.message, result.message) == 0);
    EXPECT(again.schedules == 1 && strcmp(again.token, token) == 0);
    if (same_steps) {
        uint64_t steps = again.steps; /* of a shortened one: fewer */
        EXPECT(check_explore(see_nobody, NULL, &options, &again) == 1 && again.steps == steps);
    }
}

CHECK(tokens_repeat_exactly)
{
    for (unsigned strategy = 0; strategy <= RMD_EXPLORE_EXHAUSTIVE; strategy++) {
        for (unsigned memory = 0; memory <= RMD_MEMORY_WEAK; memory++) {
            rmd_explore_options options = { .strategy = strategy,
                                            .memory = memory,
                                            .seed = 5,
                                            .preemptions_max = 4,
                                            .schedules = 200000 };
            if (!EXPECT(check_explore(see_nobody, NULL, &options, &result) == 1)) {
                printf("      strategy %u, memory %u\n", strategy, memory);
                continue;
            }
            EXPECT(result.verdict == RMD_EXPLORE_ASSERTION);
            replay_exactly(options, result.token, true);
            if (*result.shrunk)
                replay_exactly(options, result.shrunk, true);
        }
    }
}

CHECK(same_seed_same_schedules)
{
    rmd_explore_options options = { .schedules = 500, .seed = 77 };
    rmd_explore_result again;
    EXPECT(check_explore(start_one, &options, &options, &result) == 0);
    EXPECT(check_explore(start_one, &options, &options, &again) == 0);
    EXPECT(again.steps == result.steps && again.traces == result.traces);
    options.seed = 78;
    EXPECT(check_explore(see_nobody, NULL, &options, &result) == 1);
    EXPECT(check_explore(see_nobody, NULL, &options, &again) == 1);
    EXPECT(again.schedules == result.schedules && strcmp(again.token, result.token) == 0);
}

static bool is_refused(const char *token)
{
    rmd_explore_options options = { .replay = token };
    int err = check_explore(nothing, NULL, &options, &result);
    bool told = err == RMD_EINVAL && strstr(rmd_error_detail(), "is not a token");
    if (!told)
        printf("      \"%.60s\" gives %d\n", token, err);
    return told;
}

CHECK(malformed_tokens_are_refused)
{
    static const char *const tokens[] = {
        "",
        "garbage",
        "random",
        "random:weak:0:0:5",
        "random:weak:0:0:5:",
        "random:weak:0:0:5:7",
        "random:weak:0:0:5:7..",
        "random:weak:0:0:5:7.x",
        " random:weak:0:0:5:7.",
        "random:weak:0:0: 5:7.",
        "random:weak:0:0:-5:7.",
        "random:weak:0:0:+5:7.",
        "random:weak:0:0:0x5:7.",
        "random:weak:0:0:5g:7.",
        "random:weak:0:0::7.",
        "mix:weak:0:0:5:7.",
        "random:mix:0:0:5:7.",
        "exhaustive:weak:0:0:5:7.",
        "randomly:weak:0:0:5:7.",
        "random:weaker:0:0:5:7.",
        "random:weak:a:0:5:7.",
        "pct:weak:4294967296:0:5:7.",
        "pct:weak:0:4294967296:5:7.",
        "pct:weak:0:0:10000000000000000:7.",
        "pct:weak:0:0:5:99999999999999999999999999999.",
        "list:",
        "list:weak",
        "list:weak:",
        "list:weak:5",
        "list:weak:5:",
        "list:mix:5:.",
        "list:weak:5:1=2",
        "list:weak:5:1=2,",
        "list:weak:5:1=2,.",
        "list:weak:5:1=.",
        "list:weak:5:1.",
        "list:weak:5:=2.",
        "list:weak:5:1=2,,3=4.",
        "list:weak:5:3=4,1=2.",
        "list:weak:5:3=4,3=5.",
        "list:weak:5:-3=4.",
        "list:weak:5:3=4294967296.",
        "list:weak:5:4294967296=3.",
        "list:weak:5:3=4.5=6.",
    };
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        EXPECT(is_refused(tokens[i]));
}

CHECK(long_tokens_are_refused_with_a_sentence)
{
    static char token[100000];
    size_t used = (size_t)snprintf(token, sizeof token, "list:weak:5:");
    for (unsigned i = 0; used + 32 < sizeof token; i++)
        used += (size_t)snprintf(token + used, sizeof token - used, "%u=1,", i);
    snprintf(token + used - 1, 2, ".");
    EXPECT(is_refused(token));
    memset(token, '9', sizeof token - 1);
    EXPECT(is_refused(token));
}

/* Decisions that do not come, or cannot be taken, are the ordinary course. */
CHECK(strange_lists_do_no_harm)
{
    static const char *const tokens[] = {
        "list:weak:5:.",
        "list:tso:ffffffffffffffff:0=4294967295,1=4294967295,4294967295=4294967295.",
        "list:weak:0:0=1,1=2,2=3,3=64,4=65,5=66,6=67,7=96,8=97,9=98,10=32,11=33,12=34,13=1.",
        "pct:sc:4294967295:4294967295:0:0.",
        "starve:tso:0:0:ffffffffffffffff:0.",
    };
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        rmd_explore_options options = { .replay = tokens[i] };
        int found = check_explore(see_nobody, NULL, &options, &result);
        EXPECT(found == 0 || found == 1);
        EXPECT(result.verdict == RMD_EXPLORE_NOTHING || result.verdict == RMD_EXPLORE_ASSERTION);
    }
}

CHECK(token_of_another_body_differs)
{
    rmd_explore_options options = { .replay = "random:weak:0:0:5:123456." };
    EXPECT(check_explore(nothing, NULL, &options, &result) == 1);
    EXPECT(result.verdict == RMD_EXPLORE_DIFFERS);
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

/* ---- shortening ---- */

/* The ordinary course fails in one place, another one in another. */
static void fail_in_two_places(void *arg)
{
    (void)arg;
    unsigned way = rmd_explore_choose(16);
    RMD_ASSERT(way != 15);
    RMD_ASSERT(way != 0 || rmd_explore_choose(2) == 1);
}

CHECK(shortened_is_the_same_failure)
{
    bool far = false;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        rmd_explore_result again;
        EXPECT(explore(fail_in_two_places, (rmd_explore_options){ .seed = seed }) == 1);
        rmd_explore_options options = { .replay = result.shrunk };
        EXPECT(check_explore(fail_in_two_places, NULL, &options, &again) == 1);
        EXPECT(strcmp(again.message, result.message) == 0);
        far |= strstr(result.message, "way != 15") != NULL;
    }
    EXPECT(far);
}

/* ---- what is shown ---- */

static void read_ahead(void *arg)
{
    RMD_ASSERT(RMD_PLAIN(*(int *)arg) < 2);
}

static void write_ahead(void *arg)
{
    RMD_PLAIN_SET(*(int *)arg, 1);
}

static void race_ahead(void *arg)
{
    int value = 0;
    (void)arg;
    run_together((void (*const[])(void *)){ write_ahead, read_ahead }, &value, 2);
}

/* The access that makes it a race is not done, but it is what everybody looks for. */
CHECK(the_last_step_of_a_race_is_shown)
{
    char text[4096] = "";
    FILE *report = fmemopen(text, sizeof text - 1, "w");
    rmd_explore_options options = { .size = sizeof options, .report = report };
    EXPECT(report && rmd_explore(race_ahead, NULL, &options) == 1);
    fclose(report);
    EXPECT(strstr(text, " write *(int *)arg\n") && strstr(text, " read *(int *)arg"));
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

/* ---- long and many ---- */

static void ten_thousand_steps(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2500; i++) {
        rmd_atomic_add(&loop.turn, 1, RMD_ACQ_REL);
        rmd_atomic_store(&loop.stop, i, RMD_RELAXED);
    }
}

static void long_schedule(void *arg)
{
    (void)arg;
    rmd_atomic_init(&loop.stop, 0);
    rmd_atomic_init(&loop.turn, 0);
    run_together((void (*const[])(void *)){ ten_thousand_steps, ten_thousand_steps }, NULL, 2);
    RMD_ASSERT(rmd_atomic_load(&loop.turn, RMD_RELAXED) == 5000);
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
