/* SPDX-License-Identifier: MIT */
/* Fibers switch to each other directly: whoever gives up the processor decides who is next. Nothing
 * here is shared between threads of the system. */
#include "explore/schedule.h"

#include "base/error.h"
#include "explore/heap.h"
#include "explore/memory.h"
#include "explore/race.h"
#include "explore/sanitizer.h"
#include "explore/statics.h"
#include "explore/trace.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Codes of unusual things, in lists: + number of the fiber. */
enum { TIMER = 1, SPURIOUS = 32, KILL = 64, FLUSH = 96 };

enum { GUARD_BYTES = 4096, FILLED_BYTES = 4096 };
enum { START_NS = 1000000000, STEP_NS = 10, REST_NS = 1000, JUMP_NS = 5000000 };

rmdi_fiber *rmdi_running;
rmd_explore_memory rmdi_memory_model;

static rmdi_fiber fibers[RMDI_FIBERS_MAX];
static char *stacks;

static struct {
    rmdi_context home;
    void *home_fake_stack;
    char *home_detail;
    const rmdi_limits *limits;
    rmdi_verdict *verdict;
    unsigned fibers;
    uint32_t ready, resting, timed, parked, buffering; /* sets of fibers */
    uint64_t steps;
    int64_t now_ns;
    unsigned kills, faults;
    bool fair; /* it has gone on for so long that everybody must have their turn */
} s;

static char details[RMDI_FIBERS_MAX][RMDI_ERROR_DETAIL_MAX];

unsigned rmdi_fiber_number(const rmdi_fiber *fiber)
{
    return (unsigned)(fiber - fibers);
}

unsigned rmdi_fiber_count(void)
{
    return s.fibers;
}

rmdi_fiber *rmdi_fiber_at(unsigned number)
{
    return &fibers[number];
}

/* ---- stacks ---- */

static size_t stack_stride(void)
{
    return RMDI_STACK_BYTES + GUARD_BYTES;
}

int rmdi_schedule_open(void)
{
    size_t bytes = RMDI_FIBERS_MAX * stack_stride();
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return rmdi_fail_memory();
    stacks = p;
    for (size_t i = 0; i < RMDI_FIBERS_MAX; i++) {
        mprotect(stacks + i * stack_stride(), GUARD_BYTES, PROT_NONE);
        fibers[i].stack = stacks + i * stack_stride() + GUARD_BYTES;
    }
    return 0;
}

void rmdi_schedule_close(void)
{
    munmap(stacks, RMDI_FIBERS_MAX * stack_stride());
    stacks = NULL;
}

bool rmdi_is_on_a_stack(const volatile void *p)
{
    return (uintptr_t)p - (uintptr_t)stacks < RMDI_FIBERS_MAX * stack_stride();
}

bool rmdi_fiber_overflows(const void *p)
{
    uintptr_t at = (uintptr_t)p - (uintptr_t)stacks;
    return at < s.fibers * stack_stride() && at % stack_stride() < GUARD_BYTES;
}

const rmdi_fiber *rmdi_fiber_left(const volatile void *p)
{
    uintptr_t at = (uintptr_t)p - (uintptr_t)stacks;
    if (at >= s.fibers * stack_stride())
        return NULL;
    const rmdi_fiber *fiber = &fibers[at / stack_stride()];
    if (fiber == rmdi_running)
        return NULL;
    bool gone = fiber->state == RMDI_FIBER_ENDED;
    return gone || (uintptr_t)p < (uintptr_t)fiber->context.stack_pointer ? fiber : NULL;
}

/* ---- switching ---- */

static void switch_to(rmdi_fiber *to)
{
    rmdi_fiber *from = rmdi_running;
    rmdi_running = to;
    s.verdict->switches++;
    from->detail = rmdi_error_swap(to->detail);
    rmdi_sanitizer_leave(&from->fake_stack, to->stack, RMDI_STACK_BYTES);
    rmdi_context_switch(&from->context, &to->context);
    rmdi_sanitizer_arrive(from->fake_stack);
}

/* Leaves the schedule for good. */
static _Noreturn void go_home(void)
{
    rmdi_fiber *from = rmdi_running;
    rmdi_running = NULL;
    rmdi_error_swap(s.home_detail);
    rmdi_sanitizer_leave(NULL, NULL, 0);
    rmdi_context_switch(&from->context, &s.home);
    __builtin_unreachable();
}

_Noreturn void rmdi_found(rmd_explore_verdict verdict, const rmdi_site *site, const char *format,
                          ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s.verdict->message, sizeof s.verdict->message, format, args);
    va_end(args);
    s.verdict->verdict = verdict;
    s.verdict->site = site;
    go_home();
}

void rmdi_happened(const rmdi_site *site, uint64_t value, const char *more)
{
    uint64_t h = s.verdict->hash;
    h = (h ^ (uint64_t)site->line ^ ((uint64_t)rmdi_fiber_number(rmdi_running) << 32)) *
        0x9e3779b97f4a7c15;
    h = (h ^ (h >> 29) ^ (value < 1u << 24 ? value : 0)) * 0xbf58476d1ce4e5b9; /* no addresses */
    s.verdict->hash = h ^ (h >> 32);
    rmdi_trace_add(rmdi_running, site, value, more);
}

/* ---- who waits ---- */

static void make_ready(rmdi_fiber *fiber)
{
    uint32_t bit = 1u << rmdi_fiber_number(fiber);
    fiber->state = RMDI_FIBER_READY;
    s.ready |= bit;
    s.parked &= ~bit;
    s.timed &= ~bit;
    s.resting &= ~bit;
}

static rmdi_fiber *earliest(void)
{
    rmdi_fiber *first = NULL;
    for (uint32_t rest = s.timed; rest; rest &= rest - 1) {
        rmdi_fiber *fiber = &fibers[__builtin_ctz(rest)];
        if (!first || fiber->deadline_ns < first->deadline_ns)
            first = fiber;
    }
    return first;
}

static void fire(rmdi_fiber *fiber)
{
    if (fiber->deadline_ns > s.now_ns)
        s.now_ns = fiber->deadline_ns;
    fiber->timed_out = true;
    make_ready(fiber);
    rmdi_trace_note(fiber, "its deadline passes");
}

static void kill_fiber(rmdi_fiber *fiber)
{
    uint32_t bit = 1u << rmdi_fiber_number(fiber);
    rmdi_memory_flush(fiber); /* what a process has written, the processor still writes */
    s.ready &= ~bit;
    s.parked &= ~bit;
    s.timed &= ~bit;
    s.resting &= ~bit;
    fiber->state = RMDI_FIBER_KILLED;
    s.kills++;
    rmdi_trace_note(fiber, "is killed");
    for (unsigned i = 0; i < s.fibers; i++)
        if (fibers[i].state == RMDI_FIBER_JOINING && fibers[i].other == rmdi_fiber_number(fiber))
            make_ready(&fibers[i]);
}

void rmdi_fiber_kill(rmdi_fiber *fiber)
{
    if (fiber->state < RMDI_FIBER_ENDED)
        kill_fiber(fiber);
}

/* ---- what is unusual ---- */

static uint32_t killable(void)
{
    uint32_t set = 0;
    if (s.kills >= s.limits->kills_max)
        return 0;
    for (unsigned i = 0; i < s.fibers; i++)
        if (fibers[i].killable && fibers[i].state < RMDI_FIBER_ENDED)
            set |= 1u << i;
    return set;
}

static unsigned add_codes(uint32_t *codes, unsigned n, uint32_t set, uint32_t kind)
{
    for (; set; set &= set - 1)
        codes[n++] = kind + (uint32_t)__builtin_ctz(set);
    return n;
}

static void happen(uint32_t code)
{
    rmdi_fiber *fiber = &fibers[code % 32 % RMDI_FIBERS_MAX];
    if (code == TIMER) {
        fire(earliest());
    } else if (code < KILL) {
        make_ready(fiber);
        rmdi_trace_note(fiber, "wakes for no reason");
    } else if (code < FLUSH) {
        kill_fiber(fiber);
    } else {
        rmdi_memory_flush_one(fiber);
    }
}

/* A deadline passes, a sleeper wakes for no reason, a process is killed, a store becomes
 * visible. */
static void something_unusual(void)
{
    bool early = s.timed && !s.limits->no_early_timeouts;
    uint32_t spurious = s.limits->no_spurious ? 0 : s.parked, dying = killable();
    if (!early && !spurious && !dying && !s.buffering)
        return;
    if (!rmdi_choice_is_eventful())
        return;
    uint32_t codes[2 + 3 * RMDI_FIBERS_MAX] = { 0 };
    unsigned n = 1;
    if (early)
        codes[n++] = TIMER;
    n = add_codes(codes, n, spurious, SPURIOUS);
    n = add_codes(codes, n, dying, KILL);
    n = add_codes(codes, n, s.buffering, FLUSH);
    uint32_t code = codes[rmdi_choose(n, codes, 1)];
    if (code)
        happen(code);
}

bool rmdi_fault_happens(void)
{
    if (!rmdi_running || s.faults >= s.limits->faults_max || !rmdi_choose(2, NULL, 3))
        return false;
    s.faults++;
    return true;
}

/* A thread may be held up before it looks at the clock. */
int64_t rmdi_clock_read(void)
{
    if (!s.limits->no_early_timeouts)
        s.now_ns += rmdi_choose(2, NULL, 3) ? JUMP_NS : 0;
    return s.now_ns;
}

/* ---- nobody can go on ---- */

static bool has_changed(const volatile void *word, uint32_t expected)
{
    return word && *(const volatile uint32_t *)word != expected;
}

static const rmdi_fiber *missed_wake_up(void)
{
    for (unsigned i = 0; i < s.fibers; i++)
        if (fibers[i].state == RMDI_FIBER_PARKED &&
            (has_changed(fibers[i].word, fibers[i].expected) ||
             has_changed(fibers[i].other_word, fibers[i].other_expected)))
            return &fibers[i];
    return NULL;
}

static _Noreturn void nobody_goes_on(void)
{
    char text[400] = "", place[160];
    size_t used = 0;
    const rmdi_fiber *missed = missed_wake_up();
    for (unsigned i = 0; i < s.fibers; i++) {
        const rmdi_fiber *fiber = &fibers[i];
        bool parked = fiber->state == RMDI_FIBER_PARKED;
        if ((!parked && fiber->state != RMDI_FIBER_JOINING) || used >= sizeof text)
            continue;
        rmdi_trace_place(fiber, place, sizeof place);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s waits at %s",
                                 used ? ", " : "", fiber->name, place);
    }
    if (missed)
        rmdi_found(RMD_EXPLORE_LOST_WAKEUP, missed->site,
                   "lost wake-up: %s sleeps although its word has changed (%s)", missed->name,
                   text);
    rmdi_found(RMD_EXPLORE_DEADLOCK, NULL, "deadlock: %s", text);
}

/* ---- who is next ---- */

/* Everybody who could run waits: let the processors write what they hold back, then let time
 * pass. */
static bool wait_for_something(void)
{
    if (s.buffering) {
        rmdi_memory_flush(&fibers[__builtin_ctz(s.buffering)]);
        return true;
    }
    if (!s.timed)
        return false;
    fire(earliest());
    return true;
}

static rmdi_fiber *next(void)
{
    while (!s.ready)
        if (!wait_for_something())
            return NULL;
    if (s.fair && s.timed && !(s.ready & ~s.resting))
        fire(earliest()); /* the others look again and again: only time can help them */
    unsigned chosen = rmdi_choose_thread(s.ready, s.resting, rmdi_fiber_number(rmdi_running));
    return &fibers[chosen];
}

static void go_on_with(rmdi_fiber *to)
{
    if (!to)
        nobody_goes_on();
    if (to != rmdi_running)
        switch_to(to);
}

static void be_fair(void)
{
    s.fair = true;
    rmdi_choice_be_fair();
}

static void count_step(void)
{
    s.now_ns += STEP_NS;
    if (++s.steps == s.limits->steps_max)
        be_fair();
    else if (s.steps >= 2 * s.limits->steps_max)
        rmdi_found(RMD_EXPLORE_LIVELOCK, rmdi_running->site,
                   "livelock: no end after %llu steps; %s is at %s:%d", (unsigned long long)s.steps,
                   rmdi_running->name, rmdi_trace_file(rmdi_running->site),
                   rmdi_running->site ? rmdi_running->site->line : 0);
}

/* The running fiber has left the ready ones. */
static void give_up(void)
{
    s.ready &= ~(1u << rmdi_fiber_number(rmdi_running));
    s.resting = 0;
    go_on_with(next());
}

static bool everybody_has_ended(void)
{
    for (unsigned i = 0; i < s.fibers; i++)
        if (fibers[i].state < RMDI_FIBER_ENDED)
            return false;
    return true;
}

/* The running fiber has ended, or was killed. */
static _Noreturn void leave_for_good(void)
{
    if (everybody_has_ended())
        go_home();
    give_up();
    __builtin_unreachable();
}

void rmdi_step(rmdi_site *site)
{
    site->hits++;
    rmdi_running->site = site;
    count_step();
    while (s.fair && s.buffering) /* somebody may wait for what is held back */
        rmdi_memory_flush(&fibers[__builtin_ctz(s.buffering)]);
    something_unusual();
    if (rmdi_running->state == RMDI_FIBER_KILLED)
        leave_for_good();
    rmdi_fiber *to = next();
    s.resting = 0; /* somebody makes a step */
    if (to != rmdi_running)
        switch_to(to);
}

void rmdi_fiber_rest(void)
{
    s.resting |= 1u << rmdi_fiber_number(rmdi_running);
    s.now_ns += s.fair ? 1000 * REST_NS : REST_NS;
}

/* ---- fibers ---- */

static void run_fiber(void *arg)
{
    static rmdi_site end_site = { "the explorer", 0, "end", "", false, 0 };
    rmdi_fiber *self = arg;
    rmdi_sanitizer_arrive(NULL);
    self->fn(self->arg);
    for (void (*at_end)(void); (at_end = self->at_end);) {
        self->at_end = NULL;
        at_end();
    }
    if (self->buffered) /* others may run before its last stores are seen */
        rmdi_step(&end_site);
    rmdi_memory_flush(self);
    self->state = RMDI_FIBER_ENDED;
    for (unsigned i = 0; i < s.fibers; i++)
        if (fibers[i].state == RMDI_FIBER_JOINING && fibers[i].other == rmdi_fiber_number(self))
            make_ready(&fibers[i]);
    leave_for_good();
}

static rmdi_fiber *new_fiber(void (*fn)(void *arg), void *arg, const char *name, bool killable_)
{
    unsigned number = s.fibers++;
    rmdi_fiber *fiber = &fibers[number];
    char *stack = fiber->stack;
    memset(fiber, 0, offsetof(rmdi_fiber, buffer));
    fiber->stack = stack;
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->killable = killable_;
    fiber->buffered = 0;
    fiber->detail = details[number];
    fiber->detail[0] = '\0';
    snprintf(fiber->name, sizeof fiber->name, "%s", name ? name : "thread");
    rmdi_sanitizer_forget(stack, RMDI_STACK_BYTES);
    /* What is not initialized is the same in every schedule, and of no use. */
    memset(stack + RMDI_STACK_BYTES - FILLED_BYTES, 0xa5, FILLED_BYTES);
    rmdi_context_make(&fiber->context, stack, RMDI_STACK_BYTES, run_fiber, fiber);
    make_ready(fiber);
    return fiber;
}

rmdi_fiber *rmdi_fiber_start(void (*fn)(void *arg), void *arg, const char *name, bool killable_)
{
    if (s.fibers == RMDI_FIBERS_MAX)
        rmdi_found(RMD_EXPLORE_ASSERTION, rmdi_running->site, "more than %d threads in a schedule",
                   RMDI_FIBERS_MAX);
    rmdi_fiber *fiber = new_fiber(fn, arg, name, killable_);
    rmdi_memory_flush(rmdi_running); /* a call of the kernel; and starting a thread is a release */
    rmdi_memory_start(fiber, rmdi_running);
    return fiber;
}

void rmdi_fiber_join(rmdi_fiber *fiber)
{
    rmdi_fiber *self = rmdi_running;
    if (fiber->state < RMDI_FIBER_ENDED) {
        self->state = RMDI_FIBER_JOINING;
        self->other = rmdi_fiber_number(fiber);
        give_up();
    }
    rmdi_vclock_join(&self->clock, &fiber->clock); /* killed or not, its end is seen */
}

bool rmdi_fiber_park(const volatile void *word, uint32_t expected, int64_t deadline_ns)
{
    return rmdi_fiber_park_either(word, expected, NULL, 0, deadline_ns);
}

bool rmdi_fiber_park_either(const volatile void *word, uint32_t expected,
                            const volatile void *other, uint32_t other_expected,
                            int64_t deadline_ns)
{
    rmdi_fiber *self = rmdi_running;
    uint32_t bit = 1u << rmdi_fiber_number(self);
    rmdi_memory_flush(self); /* the kernel's own barriers */
    if (has_changed(word, expected) || has_changed(other, other_expected))
        return false;
    self->state = RMDI_FIBER_PARKED;
    self->word = word;
    self->expected = expected;
    self->other_word = other;
    self->other_expected = other_expected;
    self->deadline_ns = deadline_ns;
    self->timed_out = false;
    self->since = s.steps;
    s.parked |= bit;
    if (deadline_ns < INT64_MAX / 2) /* beyond that, a century away, no time ever passes */
        s.timed |= bit;
    give_up();
    return self->timed_out;
}

/* Who has waited longest, as the kernel does it; now and then another one, since nothing may depend
 * on it. */
static rmdi_fiber *sleeper_on(const volatile void *word)
{
    uint32_t codes[RMDI_FIBERS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < s.fibers; i++) {
        if (fibers[i].state != RMDI_FIBER_PARKED ||
            (fibers[i].word != word && fibers[i].other_word != word))
            continue;
        codes[n++] = i;
        if (fibers[i].since < fibers[codes[0]].since) {
            codes[n - 1] = codes[0];
            codes[0] = i;
        }
    }
    return n ? &fibers[codes[rmdi_choose(n, NULL, 2)]] : NULL;
}

void rmdi_fiber_unpark(const volatile void *word, int n)
{
    rmdi_memory_flush(rmdi_running);
    for (; n > 0; n--) {
        rmdi_fiber *fiber = sleeper_on(word);
        if (!fiber)
            return;
        make_ready(fiber);
        rmdi_trace_note(fiber, "is woken");
    }
}

void rmdi_buffering(const rmdi_fiber *fiber, bool any)
{
    uint32_t bit = 1u << rmdi_fiber_number(fiber);
    s.buffering = any ? s.buffering | bit : s.buffering & ~bit;
}

/* ---- a schedule ---- */

static void begin(const rmdi_plan *plan, const rmdi_limits *limits, rmdi_verdict *verdict)
{
    memset(&s, 0, sizeof s);
    memset(verdict, 0, sizeof *verdict);
    s.limits = limits;
    s.verdict = verdict;
    s.now_ns = START_NS;
    rmdi_memory_model = plan->memory;
    rmdi_choice_begin(plan);
    rmdi_memory_begin();
    rmdi_race_begin();
    rmdi_heap_begin();
    rmdi_descriptors_begin();
    rmdi_statics_reset();
    rmdi_trace_begin();
}

static void look_for_leaks(rmdi_verdict *verdict)
{
    size_t bytes, blocks = rmdi_heap_left(&bytes);
    if (verdict->verdict || !blocks)
        return;
    verdict->verdict = RMD_EXPLORE_LEAK;
    snprintf(verdict->message, sizeof verdict->message,
             "leak: %zu block%s, %zu bytes, left when everybody had ended", blocks,
             blocks == 1 ? "" : "s", bytes);
}

void rmdi_schedule_run(void (*body)(void *arg), void *arg, const rmdi_plan *plan,
                       const rmdi_limits *limits, rmdi_verdict *verdict)
{
    begin(plan, limits, verdict);
    rmdi_fiber *first = new_fiber(body, arg, "main", false);
    rmdi_memory_start(first, NULL);
    s.home_detail = rmdi_error_swap(first->detail);
    rmdi_running = first;
    rmdi_sanitizer_leave(&s.home_fake_stack, first->stack, RMDI_STACK_BYTES);
    rmdi_context_switch(&s.home, &first->context);
    rmdi_sanitizer_arrive(s.home_fake_stack);
    verdict->steps = s.steps;
    if (!s.kills) /* who was killed could not free anything */
        look_for_leaks(verdict);
    rmdi_heap_end();
}
