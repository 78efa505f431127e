/* SPDX-License-Identifier: MIT */
/* The system that explored code sees, in place of port/futex.c, clock.c, thread.c, thread_end.c,
 * hooks.c, stack.c, base/random.c, base/local.c and port/cpu.c: the same functions, made of fibers
 * and virtual time. */
#include "base/local.h"
#include "base/random.h"
#include "explore/heap.h"
#include "explore/memory.h"
#include "explore/schedule.h"
#include "explore/trace.h"
#include "port/clock.h"
#include "port/cpu.h"
#include "port/futex.h"
#include "port/hooks.h"
#include "port/membarrier.h"
#include "port/stack.h"
#include "port/thread.h"
#include "port/thread_end.h"

#include <errno.h>
#include <time.h>

static rmdi_site park_site = { "the kernel", 0, "park", "", false, 0 };
static rmdi_site unpark_site = { "the kernel", 0, "unpark", "", false, 0 };
static rmdi_site barrier_site = { "the kernel", 0, "membarrier", "", false, 0 };
static rmdi_site thread_site = { "the kernel", 0, "thread", "", false, 0 };

/* The door has said where it stands; if not, it is the kernel's. */
static rmdi_site *here(rmdi_site *otherwise)
{
    return rmdi_running->site ? rmdi_running->site : otherwise;
}

/* ---- futex ---- */

/* Who wakes may know the address only; who sleeps has the kernel read what is there. */
static void expect_alive(const rmdi_site *site, const volatile void *word)
{
    if (rmdi_heap_was_freed(word))
        rmdi_found(RMD_EXPLORE_FREED, site, "%s sleeps on %s at %s:%d, which was freed",
                   rmdi_running->name, site->object, rmdi_trace_file(site), site->line);
}

int rmdi_futex_wait(const volatile void *word, uint32_t expected, int64_t deadline_ns)
{
    if (!rmdi_running)
        return ETIMEDOUT; /* nobody is there to wake us */
    rmdi_site *site = here(&park_site);
    rmdi_step(site);
    expect_alive(site, word);
    rmdi_happened(site, expected, "falls asleep if it is still that");
    bool timed_out = rmdi_fiber_park(word, expected, deadline_ns);
    rmdi_running->site = site;
    rmdi_happened(site, timed_out, timed_out ? "time is up" : "goes on");
    return timed_out ? ETIMEDOUT : 0;
}

int rmdi_futex_wait_shared(const volatile void *word, uint32_t expected, int64_t deadline_ns)
{
    return rmdi_futex_wait(word, expected, deadline_ns);
}

/* One kernel or the other in each schedule. */
static __attribute__((section("rmdi_statics"))) enum { NOT_TRIED, ON_ONE, ON_EITHER } sleeps;

static bool sleeps_on_either(void)
{
    if (sleeps == NOT_TRIED)
        sleeps = rmdi_choose(2, NULL, 2) ? ON_ONE : ON_EITHER;
    return sleeps == ON_EITHER;
}

bool rmdi_futex_has_either(void)
{
    return rmdi_running && sleeps_on_either();
}

int rmdi_futex_wait_either(const volatile void *word, uint32_t expected,
                           const volatile void *shared, uint32_t shared_expected,
                           int64_t deadline_ns)
{
    if (!rmdi_running)
        return ETIMEDOUT;
    rmdi_site *site = here(&park_site);
    rmdi_step(site);
    expect_alive(site, word);
    expect_alive(site, shared);
    rmdi_happened(site, shared_expected, "falls asleep if both are still that");
    bool timed_out = rmdi_fiber_park_either(word, expected, shared, shared_expected, deadline_ns);
    rmdi_running->site = site;
    rmdi_happened(site, timed_out, timed_out ? "time is up" : "goes on");
    return timed_out ? ETIMEDOUT : 0;
}

void rmdi_futex_wake(const volatile void *word, int sleepers)
{
    if (!rmdi_running)
        return;
    rmdi_site *site = here(&unpark_site);
    rmdi_step(site);
    rmdi_happened(site, (uint64_t)sleepers, NULL);
    rmdi_fiber_unpark(word, sleepers);
}

void rmdi_futex_wake_shared(const volatile void *word, int sleepers)
{
    rmdi_futex_wake(word, sleepers);
}

/* ---- clocks ---- */

static int64_t real_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t rmdi_clock_monotonic_ns(void)
{
    return rmdi_running ? rmdi_clock_read() : real_ns(CLOCK_MONOTONIC);
}

int64_t rmdi_clock_realtime_ns(void)
{
    return rmdi_running ? rmdi_clock_read() : real_ns(CLOCK_REALTIME);
}

/* ---- threads ---- */

/* pthread's shape of a function; the result is nobody's. */
static void run(void *arg)
{
    rmdi_fiber *self = rmdi_running;
    (void)arg;
    self->start(self->start_arg);
}

int rmdi_os_thread_start_sized(rmdi_os_thread *thread, void *(*fn)(void *), void *arg,
                               const char *name, size_t stack_bytes)
{
    (void)stack_bytes;
    if (!rmdi_running || rmdi_fault_happens())
        return EAGAIN;
    rmdi_fiber *fiber = rmdi_fiber_start(run, NULL, name, false);
    fiber->start = fn;
    fiber->start_arg = arg;
    thread->id = (pthread_t)rmdi_fiber_number(fiber);
    rmdi_site *site = here(&thread_site);
    rmdi_happened(site, rmdi_fiber_number(fiber), "start");
    rmdi_step(site);
    return 0;
}

int rmdi_os_thread_start(rmdi_os_thread *thread, void *(*fn)(void *), void *arg, const char *name)
{
    return rmdi_os_thread_start_sized(thread, fn, arg, name, 0);
}

void rmdi_os_thread_detach(rmdi_os_thread *thread)
{
    (void)thread;
}

int rmdi_os_thread_join(rmdi_os_thread *thread)
{
    rmdi_site *site = here(&thread_site);
    rmdi_step(site);
    rmdi_fiber_join(rmdi_fiber_at((unsigned)thread->id));
    rmdi_happened(site, (uint64_t)thread->id, "join");
    return 0;
}

void rmdi_os_thread_yield(void)
{
    if (rmdi_running)
        rmdi_explore_pause(here(&thread_site));
}

uintptr_t rmdi_os_thread_self(void)
{
    static char outside;
    return rmdi_running ? (uintptr_t)rmdi_running : (uintptr_t)&outside;
}

int rmdi_os_signal_block(int signal, bool *was_blocked)
{
    (void)signal;
    *was_blocked = false;
    return 0;
}

int rmdi_os_signal_unblock(int signal)
{
    (void)signal;
    return 0;
}

/* ---- processors ---- */

/* Whoever has only one does not spin, and that is what leads to where things can go wrong: spinning
 * is for exceptions. */
bool rmdi_cpu_several(void)
{
    return rmdi_running && rmdi_choose(2, NULL, 2);
}

unsigned rmdi_cpu_usable(void)
{
    return 2;
}

/* ---- barriers ---- */

/* One kernel or the other in each schedule. */
static __attribute__((section("rmdi_statics"))) enum { NOT_ASKED, CANNOT, CAN } membarrier;

bool rmdi_membarrier_register(void)
{
    if (rmdi_running && membarrier == NOT_ASKED)
        membarrier = rmdi_choose(2, NULL, 2) ? CAN : CANNOT;
    return membarrier == CAN;
}

void rmdi_membarrier(void)
{
    if (!rmdi_running)
        return;
    rmdi_site *site = here(&barrier_site);
    rmdi_step(site);
    rmdi_memory_fence_all();
    rmdi_happened(site, UINT64_MAX, "every thread passes a barrier");
}

/* ---- the rest ---- */

/* Enough to call deeper, or what leads to where things can go wrong: not known. */
size_t rmdi_stack_left(void)
{
    enum { ENOUGH = 1024 * 1024 };
    return rmdi_running && rmdi_choose(2, NULL, 2) ? 0 : ENOUGH;
}

int rmdi_thread_end_call(void (*fn)(void))
{
    if (rmdi_fault_happens())
        return EAGAIN;
    if (rmdi_running) /* else its end is that of the program */
        rmdi_running->at_end = fn;
    return 0;
}

int rmdi_hooks_set(void (*at_exit)(void), void (*in_child)(void))
{
    (void)at_exit; /* a schedule neither exits nor forks */
    (void)in_child;
    return 0;
}

void **rmdi_local(void)
{
    static void *outside[RMDI_LOCAL_POINTERS];
    return rmdi_running ? rmdi_running->local : outside;
}

uint64_t rmdi_random(void)
{
    return rmdi_running ? rmdi_choice_random() : 4; /* outside a schedule: nothing is at stake */
}
