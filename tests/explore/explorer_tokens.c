/* SPDX-License-Identifier: MIT */
/* Checks of the explorer itself: what a token tells, that it repeats and is shortened, and what is
 * shown of it. */
#include "explorer_checks.h"

#include <remuda/error.h>
#include <stdio.h>
#include <string.h>

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
