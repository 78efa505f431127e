/* SPDX-License-Identifier: MIT */
/* The exploration: schedule after schedule, and what is told of one that fails. */
#include "explore/crash.h"
#include "explore/heap.h"
#include "explore/memory.h"
#include "explore/shrink.h"
#include "explore/statics.h"
#include "explore/token.h"
#include "explore/trace.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCHEDULES = 20000,
    STEPS_MAX = 20000,
    LENGTH_GUESSED = 64,
    REPEATED_EACH = 128, /* every so many schedules one is run twice */
    HASHES_MAX = 1 << 22,
};

const char *rmd_explore_verdict_name(rmd_explore_verdict verdict)
{
    static const char *const names[] = { "nothing",      "assertion", "deadlock",
                                         "lost wake-up", "livelock",  "race",
                                         "freed",        "leak",      "differs" };
    return verdict < sizeof names / sizeof *names ? names[verdict] : "?";
}

/* The hashes of all schedules: how many are different. Open addressing; full, it counts no more. */
typedef struct hash_set {
    uint64_t *slots;
    size_t size, used;
} hash_set;

typedef struct exploration {
    rmdi_subject subject;
    rmd_explore_options options;
    rmdi_limits limits;
    rmd_explore_result result;
    hash_set hashes;
    FILE *report;
} exploration;

static bool open_hashes(hash_set *set, uint64_t schedules)
{
    set->size = 1024;
    while (set->size < 2 * schedules && set->size < HASHES_MAX)
        set->size *= 2;
    set->slots = calloc(set->size, sizeof *set->slots);
    return set->slots;
}

static void add_hash(hash_set *set, uint64_t hash)
{
    size_t mask = set->size - 1, i = hash & mask;
    hash += hash == 0;
    while (set->slots[i] && set->slots[i] != hash)
        i = (i + 1) & mask;
    if (!set->slots[i] && set->used < set->size / 2) {
        set->slots[i] = hash;
        set->used++;
    }
}

/* ---- plans ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t z = (a + 1) * 0x9e3779b97f4a7c15 + b * 0xd1b54a32d192ed03;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    return z ^ (z >> 27);
}

static rmd_explore_strategy strategy_of(const rmd_explore_options *options, uint64_t n)
{
    static const rmd_explore_strategy mixed[] = { RMD_EXPLORE_RANDOM, RMD_EXPLORE_PCT,
                                                  RMD_EXPLORE_RANDOM, RMD_EXPLORE_STARVE,
                                                  RMD_EXPLORE_PCT };
    return options->strategy ? options->strategy : mixed[n % (sizeof mixed / sizeof *mixed)];
}

/* Exhaustive and TSO: WEAK shows all that TSO does, by choices of loads alone. */
static rmd_explore_memory memory_of(const rmd_explore_options *options, uint64_t n)
{
    bool exhaustive = options->strategy == RMD_EXPLORE_EXHAUSTIVE;
    if (exhaustive && options->memory != RMD_MEMORY_SC)
        return RMD_MEMORY_WEAK;
    if (options->memory)
        return options->memory;
    return n & 1 ? RMD_MEMORY_TSO : RMD_MEMORY_WEAK;
}

static rmdi_plan plan_of(const exploration *e, uint64_t n)
{
    const rmd_explore_options *o = &e->options;
    uint64_t seed = mix(o->seed, n), past = e->result.schedules;
    rmdi_plan plan = { .strategy = strategy_of(o, n), .memory = memory_of(o, n / 5), .seed = seed };
    if (plan.strategy == RMD_EXPLORE_PCT) {
        plan.depth = o->depth ? o->depth : 2 + (unsigned)(seed >> 40) % 4;
        plan.length = past ? (uint32_t)(e->result.steps / past) + 1 : LENGTH_GUESSED;
    }
    return plan;
}

/* ---- telling ---- */

static void run(const exploration *e, const rmdi_plan *plan, rmdi_verdict *verdict)
{
    rmdi_crash_in(plan, e->result.schedules + 1);
    rmdi_schedule_run(e->subject.body, e->subject.arg, plan, &e->limits, verdict);
}

static void run_recorded(const exploration *e, const rmdi_plan *plan, rmdi_verdict *verdict)
{
    rmdi_choice_record(true);
    rmdi_trace_record(true);
    run(e, plan, verdict);
    rmdi_choice_record(false);
    rmdi_trace_record(false);
}

static const char *name_of(const exploration *e)
{
    return e->options.name ? e->options.name : "explore";
}

static const char *command_of(const exploration *e)
{
    return e->options.command ? e->options.command : "replay with";
}

static void show(const exploration *e, const rmdi_verdict *verdict)
{
    if (!e->report)
        return;
    rmdi_trace_print(e->report, e->options.show_inside);
    fprintf(e->report, "        %s\n", verdict->message);
}

static void tell(const exploration *e)
{
    if (!e->report)
        return;
    fprintf(e->report, "explore: %s: %s\n", name_of(e), e->result.message);
    fprintf(e->report, "explore: %s: schedule %" PRIu64 " again: %s %s\n", name_of(e),
            e->result.schedules, command_of(e), e->result.token);
    if (*e->result.shrunk)
        fprintf(e->report, "explore: %s: shortened to %u switches: %s %s\n", name_of(e),
                e->result.switches, command_of(e), e->result.shrunk);
}

/* What differs between two runs of the same choices cannot be shown by a third. */
static void found_difference(exploration *e, const rmdi_plan *plan, uint64_t hash)
{
    e->result.verdict = RMD_EXPLORE_DIFFERS;
    snprintf(e->result.message, sizeof e->result.message,
             "the same choices led to another schedule: something depends on static variables, "
             "real time, addresses or uninitialized memory%s",
             e->options.replay ? "; or the token is of another build of the program" : "");
    rmdi_token_write(plan, hash, e->result.token, sizeof e->result.token);
    tell(e);
}

static void shorten(exploration *e, const rmdi_plan *plan, rmdi_verdict *verdict)
{
    rmdi_plan list;
    if (!rmdi_plan_recorded(plan, &list))
        return;
    if (!*e->result.token) /* EXHAUSTIVE has no seed that leads there */
        rmdi_token_write(&list, 0, e->result.token, sizeof e->result.token);
    rmdi_shrink(&e->subject, &list, verdict);
    rmdi_verdict again;
    run_recorded(e, &list, &again);
    if (again.verdict == verdict->verdict) {
        *verdict = again;
        rmdi_token_write(&list, 0, e->result.shrunk, sizeof e->result.shrunk);
    } else {
        run_recorded(e, plan, verdict);
    }
    e->result.switches = verdict->switches;
    free((void *)(uintptr_t)list.list);
}

static void found(exploration *e, const rmdi_plan *plan, const rmdi_verdict *first)
{
    rmdi_verdict verdict;
    run_recorded(e, plan, &verdict);
    if (verdict.hash != first->hash || verdict.verdict != first->verdict) {
        found_difference(e, plan, first->hash);
        return;
    }
    e->result.verdict = first->verdict;
    memcpy(e->result.message, first->message, sizeof e->result.message);
    if (plan->strategy != RMD_EXPLORE_EXHAUSTIVE)
        rmdi_token_write(plan, first->hash, e->result.token, sizeof e->result.token);
    shorten(e, plan, &verdict);
    tell(e);
    show(e, &verdict);
}

/* ---- exploring ---- */

/* One schedule; true: something was found. */
static bool explore_one(exploration *e, const rmdi_plan *plan)
{
    rmdi_verdict verdict, again;
    run(e, plan, &verdict);
    e->result.schedules++;
    e->result.steps += verdict.steps;
    add_hash(&e->hashes, verdict.hash);
    if (verdict.verdict) {
        found(e, plan, &verdict);
        return true;
    }
    if (e->result.schedules % REPEATED_EACH == 1) {
        run(e, plan, &again);
        if (again.hash != verdict.hash) {
            found_difference(e, plan, verdict.hash);
            return true;
        }
    }
    return false;
}

static void explore_all(exploration *e)
{
    bool exhaustive = e->options.strategy == RMD_EXPLORE_EXHAUSTIVE;
    if (exhaustive)
        rmdi_choice_exhaust(e->options.preemptions_max);
    for (uint64_t n = 0; n < e->options.schedules; n++) {
        rmdi_plan plan = plan_of(e, n);
        if (explore_one(e, &plan))
            return;
        if (exhaustive && !rmdi_choice_next()) {
            e->result.complete = true;
            return;
        }
    }
}

static int replay(exploration *e)
{
    rmdi_plan plan;
    rmdi_verdict verdict;
    rmdi_choice *list;
    uint64_t hash;
    int err = rmdi_token_read(e->options.replay, &plan, &hash, &list);
    if (err < 0)
        return err;
    run_recorded(e, &plan, &verdict);
    e->result.schedules = e->result.traces = 1;
    e->result.steps = verdict.steps;
    e->result.switches = verdict.switches;
    e->result.verdict = verdict.verdict;
    memcpy(e->result.message, verdict.message, sizeof e->result.message);
    snprintf(e->result.token, sizeof e->result.token, "%s", e->options.replay);
    if (hash && hash != verdict.hash)
        found_difference(e, &plan, hash);
    else if (e->report)
        fprintf(e->report, "explore: %s: %s\n", name_of(e),
                verdict.verdict ? verdict.message : "this schedule has nothing wrong");
    show(e, &verdict);
    free(list);
    return 0;
}

static int check_options(const rmd_explore_options *o)
{
    if (o && o->size != sizeof *o)
        return rmdi_fail(RMD_EINVAL, "explore options: size is %zu, not %zu", o->size, sizeof *o);
    if (o &&
        ((unsigned)o->strategy > RMD_EXPLORE_EXHAUSTIVE || (unsigned)o->memory > RMD_MEMORY_WEAK))
        return rmdi_fail(RMD_EINVAL, "explore options: strategy %u, memory %u: no such thing",
                         (unsigned)o->strategy, (unsigned)o->memory);
    return 0;
}

static void set_options(exploration *e, const rmd_explore_options *options)
{
    rmd_explore_options *o = &e->options;
    if (options)
        *o = *options;
    o->schedules = o->schedules ? o->schedules : SCHEDULES;
    o->seed = o->seed ? o->seed : 1;
    o->preemptions_max = o->preemptions_max ? o->preemptions_max : 2;
    e->limits = (rmdi_limits){ .steps_max = o->steps_max ? o->steps_max : STEPS_MAX,
                               .kills_max = o->kills_max,
                               .faults_max = o->faults_max,
                               .no_spurious = o->no_spurious ||
                                              o->strategy == RMD_EXPLORE_EXHAUSTIVE,
                               .no_early_timeouts = o->no_early_timeouts };
    e->report = o->quiet ? NULL : o->report ? o->report : stderr;
    e->subject.limits = &e->limits;
}

static int open_all(exploration *e)
{
    int err = open_hashes(&e->hashes, e->options.schedules) ? 0 : rmdi_fail_memory();
    if (err == 0)
        err = rmdi_schedule_open();
    if (err < 0)
        return err;
    err = rmdi_heap_open();
    if (err == 0 && (err = rmdi_statics_open()) < 0)
        rmdi_heap_close();
    if (err < 0)
        rmdi_schedule_close();
    rmdi_heap_may_fail(e->options.fail_allocations);
    if (err == 0)
        rmdi_crash_open(name_of(e), command_of(e));
    return err;
}

static void close_all(void)
{
    rmdi_crash_close();
    rmdi_statics_close();
    rmdi_heap_close();
    rmdi_schedule_close();
    rmdi_memory_end();
    rmdi_choice_end();
    rmdi_trace_end();
}

int rmd_explore(void (*body)(void *arg), void *arg, const rmd_explore_options *options)
{
    exploration e = { .subject = { .body = body, .arg = arg } };
    int err = check_options(options);
    if (err == 0 && !body)
        err = rmdi_fail(RMD_EINVAL, "explore: no body");
    if (err == 0 && rmdi_running)
        err = rmdi_fail(RMD_EBUSY, "explore: called from a body that is being explored");
    if (err < 0)
        return err;
    set_options(&e, options);
    err = open_all(&e);
    if (err == 0) {
        if (e.options.replay)
            err = replay(&e);
        else
            explore_all(&e);
        close_all();
    }
    e.result.traces = e.options.replay ? e.result.traces : e.hashes.used;
    free(e.hashes.slots);
    if (e.options.result)
        *e.options.result = e.result;
    return err < 0 ? err : e.result.verdict != RMD_EXPLORE_NOTHING;
}
