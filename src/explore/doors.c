/* SPDX-License-Identifier: MIT */
/* What the macros of <remuda/atomics.h> become. Each is a step, and then the operation. Outside a
 * schedule they do the plain thing: there is one thread then. */
#include "explore/heap.h"
#include "explore/memory.h"
#include "explore/race.h"
#include "explore/trace.h"

#include <remuda/explore_calls.h>
#include <string.h>

static const char *const order_names[] = { "relaxed", "consume", "acquire",
                                           "release", "acq_rel", "seq_cst" };

static const char *order_name(int order)
{
    return order >= 0 && order < (int)(sizeof order_names / sizeof *order_names)
               ? order_names[order]
               : "?";
}

void rmdi_explore_here(rmdi_site *site)
{
    if (!rmdi_running)
        return;
    site->hits++;
    rmdi_running->site = site;
}

void rmdi_explore_call(rmdi_site *site)
{
    if (!rmdi_running)
        return;
    rmdi_running->call = site;
    if (site) {
        site->hits++;
        rmdi_trace_call(rmdi_running, site);
    }
}

void rmdi_explore_init(rmdi_site *site, volatile void *p, unsigned size, uint64_t value)
{
    if (!rmdi_running) {
        memcpy((void *)(uintptr_t)p, &value, size);
        return;
    }
    site->hits++;
    rmdi_running->site = site;
    rmdi_race_plain(site, p, size, true);
    rmdi_memory_init(p, size, value);
    rmdi_happened(site, value, NULL);
}

uint64_t rmdi_explore_load(rmdi_site *site, const volatile void *p, unsigned size, int order)
{
    uint64_t value = 0;
    bool is_old;
    if (!rmdi_running) {
        memcpy(&value, (const void *)(uintptr_t)p, size);
        return value;
    }
    rmdi_step(site);
    rmdi_race_atomic(site, p, size, false);
    value = rmdi_memory_load(p, size, order, &is_old);
    rmdi_happened(site, value, is_old ? "an older value" : order_name(order));
    return value;
}

void rmdi_explore_store(rmdi_site *site, volatile void *p, unsigned size, uint64_t value, int order)
{
    if (!rmdi_running) {
        memcpy((void *)(uintptr_t)p, &value, size);
        return;
    }
    rmdi_step(site);
    rmdi_race_atomic(site, p, size, true);
    rmdi_memory_store(site, p, size, value, order);
    rmdi_happened(site, value, order_name(order));
}

uint64_t rmdi_explore_rmw(rmdi_site *site, volatile void *p, unsigned size, int operation,
                          uint64_t value, int order)
{
    if (rmdi_running) {
        rmdi_step(site);
        rmdi_race_atomic(site, p, size, true);
    }
    uint64_t old = rmdi_memory_rmw(p, size, operation, value, order);
    if (rmdi_running)
        rmdi_happened(site, old, order_name(order));
    return old;
}

bool rmdi_explore_cas(rmdi_site *site, volatile void *p, unsigned size, uint64_t *expected,
                      uint64_t value, int success, int failure, bool weak)
{
    bool is_old;
    if (!rmdi_running)
        return rmdi_memory_cas(p, size, expected, value, success, failure, weak, &is_old);
    rmdi_step(site);
    rmdi_memory_flush(rmdi_running);
    rmdi_race_atomic(site, p, size, false);
    if (memcmp((const void *)(uintptr_t)p, expected, size) == 0) /* else it can but fail: a read */
        rmdi_race_atomic(site, p, size, true);
    bool done = rmdi_memory_cas(p, size, expected, value, success, failure, weak, &is_old);
    rmdi_happened(site, done ? value : *expected,
                  done     ? "done"
                  : is_old ? "fails on an older value"
                           : "fails");
    return done;
}

void rmdi_explore_fence(rmdi_site *site, int order)
{
    if (!rmdi_running)
        return;
    rmdi_step(site);
    rmdi_memory_fence(order);
    rmdi_happened(site, UINT64_MAX, NULL);
}

void rmdi_explore_pause(rmdi_site *site)
{
    if (!rmdi_running)
        return;
    rmdi_step(site);
    rmdi_fiber_rest();
    rmdi_happened(site, UINT64_MAX, NULL);
}

void rmdi_explore_plain(rmdi_site *site, const volatile void *p, size_t bytes, bool write)
{
    uint64_t value = UINT64_MAX;
    if (!rmdi_running)
        return;
    rmdi_step(site);
    rmdi_race_plain(site, p, bytes, write);
    if (!write && bytes <= sizeof value) {
        value = 0;
        memcpy(&value, (const void *)(uintptr_t)p, bytes);
    }
    rmdi_happened(site, value, NULL);
}

void rmdi_explore_assert(rmdi_site *site, bool held)
{
    site->hits++;
    if (!rmdi_running || held)
        return;
    rmdi_trace_call(rmdi_running, site);
    rmdi_found(RMD_EXPLORE_ASSERTION, site, "assertion failed at %s:%d: %s", rmdi_trace_file(site),
               site->line, site->object);
}

bool rmdi_explore_fault(rmdi_site *site, const char *name)
{
    if (!rmdi_running)
        return false;
    site->hits++;
    rmdi_running->site = site;
    bool happens = rmdi_fault_happens();
    if (happens)
        rmdi_trace_note(rmdi_running, "fault: %s", name);
    return happens;
}

/* ---- what a body calls ---- */

static rmdi_site start_site = { "the explorer", 0, "start", "", false, 0 };
static rmdi_site join_site = { "the explorer", 0, "join", "", false, 0 };
static rmdi_site kill_site = { "the explorer", 0, "kill", "", false, 0 };
static rmdi_site point_site = { "the explorer", 0, "point", "", false, 0 };

static rmd_explore_thread *start(void (*fn)(void *arg), void *arg, const char *name, bool killable)
{
    rmdi_fiber *fiber = rmdi_fiber_start(fn, arg, name, killable);
    rmdi_happened(&start_site, rmdi_fiber_number(fiber), NULL);
    rmdi_step(&start_site);
    return fiber;
}

rmd_explore_thread *rmd_explore_start(void (*fn)(void *arg), void *arg, const char *name)
{
    return start(fn, arg, name, false);
}

rmd_explore_thread *rmd_explore_process(void (*fn)(void *arg), void *arg, const char *name)
{
    return start(fn, arg, name, true);
}

bool rmd_explore_join(rmd_explore_thread *thread)
{
    rmdi_step(&join_site);
    rmdi_fiber_join(thread);
    rmdi_happened(&join_site, rmdi_fiber_number(thread), NULL);
    return thread->state != RMDI_FIBER_KILLED;
}

bool rmd_explore_killed(const rmd_explore_thread *thread)
{
    rmdi_step(&join_site);
    bool killed = thread->state == RMDI_FIBER_KILLED;
    if (killed)
        rmdi_vclock_join(&rmdi_running->clock, &thread->clock);
    rmdi_happened(&join_site, killed, NULL);
    return killed;
}

void rmd_explore_spare(bool spared)
{
    if (rmdi_running)
        rmdi_running->killable = !spared;
}

void rmd_explore_kill(rmd_explore_thread *process)
{
    rmdi_step(&kill_site);
    rmdi_fiber_kill(process);
    rmdi_happened(&kill_site, rmdi_fiber_number(process), NULL);
}

unsigned rmd_explore_choose(unsigned n)
{
    return rmdi_running ? rmdi_choose_evenly(n) : 0;
}

void rmd_explore_point(void)
{
    if (!rmdi_running)
        return;
    rmdi_step(&point_site);
    rmdi_happened(&point_site, UINT64_MAX, NULL);
}
