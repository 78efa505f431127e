/* SPDX-License-Identifier: MIT */
/* Litmus tests: the smallest programs whose outcomes tell memory models apart. Each must show its
 * outcome in the models that allow it, and never in the others.
 *
 * A program is a text: threads are parted by |, their steps by spaces. x, y, z are atomic objects
 * that begin with 0, a to f are registers, orders are A(cquire) R(elease) X (acq_rel) S(eq_cst), or
 * relaxed:
 *
 *     x=1R     store          a=xA     load             F FA FR     fence (seq_cst if not said)
 *     a=x+1X   fetch-and-add  a=x<5S   exchange         a=x?0:5X    compare 0, exchange 5; failing
 *                                                                   is relaxed; a: what was found
 *
 * The outcome names registers, and objects for their last values.
 *
 * Sources: Sewell et al., x86-TSO, CACM 2010; Maranget, Sarkar, Sewell, A tutorial introduction to
 * the ARM and POWER relaxed memory models, 2012; Lahav et al., Repairing sequential consistency in
 * C/C++11, PLDI 2017; ISO C++20, [atomics.order]. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

enum {
    OBJECTS = 3,
    REGISTERS = 6,
    THREADS_MAX = 4,
    RANDOM_SCHEDULES = 8000,
    TREE_SCHEDULES = 12000
};

typedef enum shown { NEVER, SHOWN, ALLOWED_BUT_NEVER } shown;

typedef struct litmus {
    const char *name, *program, *outcome;
    shown sc, tso, weak;
} litmus;

static const litmus tests[] = {
    /* Store buffering. */
    { "sb", "x=1 a=y | y=1 b=x", "a=0 b=0", NEVER, SHOWN, SHOWN },
    { "sb_release_acquire", "x=1R a=yA | y=1R b=xA", "a=0 b=0", NEVER, SHOWN, SHOWN },
    { "sb_seq_cst", "x=1S a=yS | y=1S b=xS", "a=0 b=0", NEVER, NEVER, NEVER },
    { "sb_fences", "x=1 F a=y | y=1 F b=x", "a=0 b=0", NEVER, NEVER, NEVER },
    { "sb_one_fence", "x=1 F a=y | y=1 b=x", "a=0 b=0", NEVER, SHOWN, SHOWN },
    { "sb_acq_rel_fences", "x=1 FX a=y | y=1 FX b=x", "a=0 b=0", NEVER, SHOWN, SHOWN },
    { "sb_fence_and_seq_cst", "x=1 F a=y | y=1S b=xS", "a=0 b=0", NEVER, NEVER, NEVER },
    { "sb_seq_cst_stores_only", "x=1S a=y | y=1S b=x", "a=0 b=0", NEVER, NEVER, SHOWN },
    { "sb_seq_cst_loads_only", "x=1 a=yS | y=1 b=xS", "a=0 b=0", NEVER, SHOWN, SHOWN },
    { "dekker_rmw_acq_rel", "c=x<1X a=yA | d=y<1X b=xA", "a=0 b=0", NEVER, NEVER, SHOWN },
    { "dekker_rmw_seq_cst", "c=x<1S a=yS | d=y<1S b=xS", "a=0 b=0", NEVER, NEVER, NEVER },
    { "dekker_rmw_as_load", "x=1 a=y+0X | y=1 b=x+0X", "a=0 b=0", NEVER, NEVER, NEVER },
    { "dekker_rmw_seq_cst_relaxed_load", "c=x<1S a=y | d=y<1S b=x", "a=0 b=0", NEVER, NEVER,
      SHOWN },
    /* Message passing. */
    { "mp", "x=1 y=1 | a=y b=x", "a=1 b=0", NEVER, NEVER, SHOWN },
    { "mp_release_only", "x=1 y=1R | a=y b=x", "a=1 b=0", NEVER, NEVER, SHOWN },
    { "mp_acquire_only", "x=1 y=1 | a=yA b=x", "a=1 b=0", NEVER, NEVER, SHOWN },
    { "mp_release_acquire", "x=1 y=1R | a=yA b=x", "a=1 b=0", NEVER, NEVER, NEVER },
    { "mp_seq_cst_flag", "x=1 y=1S | a=yS b=x", "a=1 b=0", NEVER, NEVER, NEVER },
    { "mp_fences", "x=1 FR y=1 | a=y FA b=x", "a=1 b=0", NEVER, NEVER, NEVER },
    { "mp_seq_cst_fences", "x=1 F y=1 | a=y F b=x", "a=1 b=0", NEVER, NEVER, NEVER },
    { "mp_release_fence_acquire", "x=1 FR y=1 | a=yA b=x", "a=1 b=0", NEVER, NEVER, NEVER },
    { "mp_release_acquire_fence", "x=1 y=1R | a=y FA b=x", "a=1 b=0", NEVER, NEVER, NEVER },
    { "mp_fence_too_early", "x=1 y=1R | FA a=y b=x", "a=1 b=0", NEVER, NEVER, SHOWN },
    { "mp_fence_too_late", "x=1 y=1 FR | a=y FA b=x", "a=1 b=0", NEVER, NEVER, SHOWN },
    { "mp_wrong_fences", "x=1 FA y=1 | a=y FR b=x", "a=1 b=0", NEVER, NEVER, SHOWN },
    { "mp_rmw_release", "x=1 c=y+1R | a=yA b=x", "a=1 b=0", NEVER, NEVER, NEVER },
    { "mp_rmw_relaxed", "x=1 c=y+1 | a=yA b=x", "a=1 b=0", NEVER, NEVER, SHOWN },
    { "mp_rmw_as_load", "x=1 y=1R | a=y+0A b=x", "a=1 b=0", NEVER, NEVER, NEVER },
    { "mp_rmw_as_relaxed_load", "x=1 y=1R | a=y+0 b=x", "a=1 b=0", NEVER, NEVER, SHOWN },
    { "mp_cas_fails", "x=1 y=1R | a=y b=x?7:8", "a=1 b=0", NEVER, NEVER, SHOWN },
    { "mp_cas_fails_acquired", "x=1 y=1R | a=yA b=x?7:8", "a=1 b=0", NEVER, NEVER, NEVER },
    { "mp_failing_cas_acquires_not", "x=1 y=1R | a=y?7:8A b=x", "a=1 b=0", NEVER, NEVER, SHOWN },
    /* Coherence of one object. */
    { "corr", "x=1 | a=x b=x", "a=1 b=0", NEVER, NEVER, NEVER },
    { "corr_both_ways", "x=1 | x=2 | a=x b=x | c=x d=x", "a=1 b=2 c=2 d=1", NEVER, NEVER, NEVER },
    { "corw", "a=x x=1", "a=1", NEVER, NEVER, NEVER },
    { "corw_two_writers", "x=2 | a=x x=1", "a=2 x=2", NEVER, NEVER, NEVER },
    { "cowr", "x=1 a=x | x=2", "a=2 x=1", NEVER, NEVER, NEVER },
    { "cowr_own", "x=1 a=x", "a=0", NEVER, NEVER, NEVER },
    { "coww", "x=1 x=2", "x=1", NEVER, NEVER, NEVER },
    { "coww_others", "x=1 x=2 | a=x b=x", "a=2 b=1", NEVER, NEVER, NEVER },
    { "corr_acquired", "x=1 x=2 y=1R | a=yA b=x", "a=1 b=1", NEVER, NEVER, NEVER },
    { "coww_acquired", "x=1 y=1R | a=yA x=2", "a=1 x=1", NEVER, NEVER, NEVER },
    /* Two readers of two writers. */
    { "iriw", "x=1 | y=1 | a=x b=y | c=y d=x", "a=1 b=0 c=1 d=0", NEVER, NEVER, SHOWN },
    { "iriw_acquire", "x=1R | y=1R | a=xA b=yA | c=yA d=xA", "a=1 b=0 c=1 d=0", NEVER, NEVER,
      SHOWN },
    { "iriw_seq_cst", "x=1S | y=1S | a=xS b=yS | c=yS d=xS", "a=1 b=0 c=1 d=0", NEVER, NEVER,
      NEVER },
    { "iriw_fences", "x=1 | y=1 | a=x F b=y | c=y F d=x", "a=1 b=0 c=1 d=0", NEVER, NEVER, NEVER },
    { "iriw_seq_cst_loads", "x=1 | y=1 | a=xS b=yS | c=yS d=xS", "a=1 b=0 c=1 d=0", NEVER, NEVER,
      NEVER },
    { "iriw_seq_cst_stores", "x=1S | y=1S | a=x b=y | c=y d=x", "a=1 b=0 c=1 d=0", NEVER, NEVER,
      SHOWN },
    { "iriw_one_fence", "x=1 | y=1 | a=x F b=y | c=y d=x", "a=1 b=0 c=1 d=0", NEVER, NEVER, SHOWN },
    /* Chains over three threads. */
    { "wrc", "x=1 | a=x y=1 | b=y c=x", "a=1 b=1 c=0", NEVER, NEVER, SHOWN },
    { "wrc_release_acquire", "x=1 | a=x y=1R | b=yA c=x", "a=1 b=1 c=0", NEVER, NEVER, NEVER },
    { "wrc_acquire_only", "x=1 | a=xA y=1 | b=yA c=x", "a=1 b=1 c=0", NEVER, NEVER, SHOWN },
    { "isa2", "x=1 y=1 | a=y z=1 | b=z c=x", "a=1 b=1 c=0", NEVER, NEVER, SHOWN },
    { "isa2_release_acquire", "x=1 y=1R | a=yA z=1R | b=zA c=x", "a=1 b=1 c=0", NEVER, NEVER,
      NEVER },
    { "isa2_middle_relaxed", "x=1 y=1R | a=y z=1R | b=zA c=x", "a=1 b=1 c=0", NEVER, NEVER, SHOWN },
    { "rwc", "x=1 | a=x b=y | y=1 c=x", "a=1 b=0 c=0", NEVER, SHOWN, SHOWN },
    { "rwc_fences", "x=1 | a=x F b=y | y=1 F c=x", "a=1 b=0 c=0", NEVER, NEVER, NEVER },
    { "rwc_fence_of_writer", "x=1 | a=xA b=y | y=1 F c=x", "a=1 b=0 c=0", NEVER, NEVER, SHOWN },
    { "rwc_seq_cst", "x=1S | a=xS b=yS | y=1S c=xS", "a=1 b=0 c=0", NEVER, NEVER, NEVER },
    { "w_rwc", "x=1 y=1R | a=yA b=z | z=1 F c=x", "a=1 b=0 c=0", NEVER, NEVER, SHOWN },
    { "w_rwc_fences", "x=1 y=1R | a=yA F b=z | z=1 F c=x", "a=1 b=0 c=0", NEVER, NEVER, NEVER },
    /* The order of stores. */
    { "2_2w", "x=1 y=2 | y=1 x=2", "x=1 y=1", NEVER, NEVER, SHOWN },
    { "2_2w_fences", "x=1 F y=2 | y=1 F x=2", "x=1 y=1", NEVER, NEVER, NEVER },
    { "2_2w_seq_cst", "x=1S y=2S | y=1S x=2S", "x=1 y=1", NEVER, NEVER, NEVER },
    { "2_2w_one_fence", "x=1 F y=2 | y=1 x=2", "x=1 y=1", NEVER, NEVER, SHOWN },
    { "s", "x=2 y=1 | a=y x=1", "a=1 x=2", NEVER, NEVER, SHOWN },
    { "s_release_acquire", "x=2 y=1R | a=yA x=1", "a=1 x=2", NEVER, NEVER, NEVER },
    { "r", "x=1 y=1 | y=2 a=x", "a=0 y=2", NEVER, SHOWN, SHOWN },
    { "r_fences", "x=1 F y=1 | y=2 F a=x", "a=0 y=2", NEVER, NEVER, NEVER },
    { "r_seq_cst", "x=1S y=1S | y=2S a=xS", "a=0 y=2", NEVER, NEVER, NEVER },
    { "r_first_store_buffered", "x=1 a=yS | y=1S x=2S", "a=0 x=1", NEVER, SHOWN, SHOWN },
    { "r_store_overtaken", "y=2 a=xS | x=1S y=1S", "a=0 y=2", NEVER, SHOWN, SHOWN },
    { "z6", "x=1 y=1 | y=2 z=1 | a=z b=x", "y=2 a=1 b=0", NEVER, NEVER, SHOWN },
    { "z6_seq_cst_ends", "x=1S y=1R | a=y+1X b=y | y=3S c=xS", "a=1 b=3 c=0", NEVER, NEVER,
      ALLOWED_BUT_NEVER },
    /* Reads from the future: never explored. */
    { "lb", "a=x y=1 | b=y x=1", "a=1 b=1", NEVER, NEVER, ALLOWED_BUT_NEVER },
    { "lb_acquire", "a=xA y=1 | b=yA x=1", "a=1 b=1", NEVER, NEVER, NEVER },
    { "lb_rmw", "c=x+1 a=y+0 | d=y+1 b=x+0", "a=0 b=0", NEVER, NEVER, ALLOWED_BUT_NEVER },
    /* RMWs. */
    { "rmw_both_first", "a=x+1 | b=x+1", "a=0 b=0", NEVER, NEVER, NEVER },
    { "rmw_total", "a=x+1 c=x+1 | b=x+1", "x=2", NEVER, NEVER, NEVER },
    { "rmw_store_between", "a=x+1 | x=5", "a=0 x=1", NEVER, NEVER, NEVER },
    { "rmw_after_store", "a=x+1 | x=5", "a=5 x=5", NEVER, NEVER, NEVER },
    { "cas_both_win", "a=x?0:1 | b=x?0:2", "a=0 b=0", NEVER, NEVER, NEVER },
    { "cas_store_between", "a=x?0:5 | x=1", "a=0 x=5", NEVER, NEVER, NEVER },
    { "rmw_coherence", "a=x+1 b=x | x=5", "a=5 b=5", NEVER, NEVER, NEVER },
    /* Release sequences. */
    { "rs_through_rmw", "x=1 y=1R | a=y+1 | b=yA c=x", "b=2 c=0", NEVER, NEVER, NEVER },
    { "rs_through_two", "x=1 y=1R | a=y+1 | b=y+1 | c=yA d=x", "c=3 d=0", NEVER, NEVER, NEVER },
    { "rs_through_exchange", "x=1 y=1R | a=y<2 | b=yA c=x", "a=1 b=2 c=0", NEVER, NEVER, NEVER },
    { "rs_own_relaxed_store", "x=1 y=1R y=2 | a=yA b=x", "a=2 b=0", NEVER, NEVER, SHOWN },
    { "rs_other_store", "x=1 y=1R | a=y y=2 | b=yA c=x", "a=1 b=2 c=0", NEVER, NEVER, SHOWN },
    { "rs_fence_covers_later", "x=1 FR y=1 y=2 | a=yA b=x", "a=2 b=0", NEVER, NEVER, NEVER },
    { "rs_rmw_adds_its_own", "x=1 y=1 | z=1 a=y+1R | b=yA c=z", "a=1 b=2 c=0", NEVER, NEVER,
      NEVER },
    { "rs_rmw_of_relaxed", "x=1 y=1 | a=y+1R | b=yA c=x", "a=1 b=2 c=0", NEVER, NEVER, SHOWN },
};

static struct {
    const litmus *test;
    rmd_atomic(int) object[OBJECTS];
    int reg[REGISTERS];
    const char *thread[THREADS_MAX];
    uint64_t seen;
} world;

/* ---- running a program ---- */

static int order_of(const char *step)
{
    switch (step[strlen(step) - 1]) {
    case 'A': return RMD_ACQUIRE;
    case 'R': return RMD_RELEASE;
    case 'X': return RMD_ACQ_REL;
    case 'S': return RMD_SEQ_CST;
    default: return RMD_RELAXED;
    }
}

static int digit(char c)
{
    return c - '0';
}

/* a=x..., where object is x, and rest what comes after it. */
static int read_object(rmd_atomic(int) *object, const char *rest, int order)
{
    int value;
    switch (*rest) {
    case '+': return rmd_atomic_add(object, digit(rest[1]), order);
    case '<': return rmd_atomic_exchange(object, digit(rest[1]), order);
    case '?':
        value = digit(rest[1]);
        rmd_atomic_cas(object, &value, digit(rest[3]), order, RMD_RELAXED);
        return value;
    default: return rmd_atomic_load(object, order);
    }
}

static void do_step(const char *step)
{
    int order = order_of(step);
    if (*step == 'F')
        rmd_fence(step[1] ? order : RMD_SEQ_CST);
    else if (*step >= 'x')
        rmd_atomic_store(&world.object[*step - 'x'], digit(step[2]), order);
    else
        world.reg[*step - 'a'] = read_object(&world.object[step[2] - 'x'], step + 3, order);
}

static void run_thread(void *arg)
{
    char step[16];
    int used;
    for (const char *at = *(const char **)arg; sscanf(at, "%15s%n", step, &used) == 1; at += used) {
        if (*step == '|')
            return;
        do_step(step);
    }
}

static bool outcome_holds(const char *outcome)
{
    char what;
    int value, used;
    for (; sscanf(outcome, " %c=%d%n", &what, &value, &used) == 2; outcome += used) {
        int is = what >= 'x' ? rmd_atomic_load(&world.object[what - 'x'], RMD_RELAXED)
                             : world.reg[what - 'a'];
        if (is != value)
            return false;
    }
    return true;
}

static void run_test(void *arg)
{
    static const char *const names[THREADS_MAX] = { "first", "second", "third", "fourth" };
    rmd_explore_thread *threads[THREADS_MAX];
    int n = 0;
    (void)arg;
    for (int i = 0; i < OBJECTS; i++)
        rmd_atomic_init(&world.object[i], 0);
    memset(world.reg, 0, sizeof world.reg);
    for (const char *at = world.test->program; at && n < THREADS_MAX; n++) {
        world.thread[n] = at;
        at = strchr(at, '|');
        at += at != NULL;
    }
    for (int i = 0; i < n; i++)
        threads[i] = rmd_explore_start(run_thread, &world.thread[i], names[i]);
    for (int i = 0; i < n; i++)
        rmd_explore_join(threads[i]);
    world.seen += outcome_holds(world.test->outcome);
}

/* ---- judging ---- */

/* How often the outcome was seen. */
static uint64_t look(rmd_explore_memory memory, rmd_explore_strategy strategy, uint64_t schedules)
{
    rmd_explore_options options = {
        .memory = memory, .strategy = strategy, .schedules = schedules, .preemptions_max = 6
    };
    rmd_explore_result result;
    world.seen = 0;
    EXPECT(check_explore(run_test, NULL, &options, &result) == 0);
    return world.seen;
}

static void judge(const char *model, shown expected, uint64_t seen)
{
    if (seen && expected != SHOWN)
        printf("      %s: %s shows %s, %llu times\n", world.test->name, model, world.test->outcome,
               (unsigned long long)seen);
    if (!seen && expected == SHOWN)
        printf("      %s: %s never shows %s\n", world.test->name, model, world.test->outcome);
    EXPECT((seen > 0) == (expected == SHOWN));
}

static void check_litmus(const void *arg)
{
    world.test = arg;
    judge("SC", world.test->sc,
          look(RMD_MEMORY_SC, RMD_EXPLORE_EXHAUSTIVE, TREE_SCHEDULES) +
              look(RMD_MEMORY_SC, RMD_EXPLORE_RANDOM, RANDOM_SCHEDULES));
    judge("TSO", world.test->tso, look(RMD_MEMORY_TSO, RMD_EXPLORE_MIX, RANDOM_SCHEDULES));
    judge("WEAK", world.test->weak,
          look(RMD_MEMORY_WEAK, RMD_EXPLORE_EXHAUSTIVE, TREE_SCHEDULES) +
              look(RMD_MEMORY_WEAK, RMD_EXPLORE_MIX, 3 * RANDOM_SCHEDULES));
}

__attribute__((constructor)) static void add_all(void)
{
    enum { TESTS = sizeof tests / sizeof *tests };
    static harness rows[TESTS];
    static char names[TESTS][48];
    for (int i = 0; i < TESTS; i++) {
        snprintf(names[i], sizeof names[i], "litmus_%s", tests[i].name);
        rows[i] = (harness){
            .name = names[i], .file = __FILE__, .check = check_litmus, .arg = &tests[i]
        };
        harness_add(&rows[i]);
    }
}
