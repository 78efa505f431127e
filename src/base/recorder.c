/* SPDX-License-Identifier: MIT */
/* Whose rings these are
 * ---------------------
 * A thread gets its rings at its first event: new ones, straight from the system, as long as there
 * are few; then those of the thread that has ended longest ago, whose events are lost then; then
 * new ones up to a limit. Beyond that it is counted and not recorded. Nothing is ever given back,
 * so a reader may look at any of it at any time, also in a signal handler.
 *
 * Taking over: state goes from ENDED to LIVE by compare-and-swap, so one thread does. `epoch` is
 * odd while it writes its name and where its events begin. A reader loads epoch before and after
 * (with the fences of record_ring.h): the same even number says that all between was of one thread.
 *
 * In a child made by fork() the memory is a copy: the rings of the parent's other threads stay as
 * they were, of threads that are not there. `process` tells; the thread that has called fork() goes
 * on in the child, and makes its ring one of that at its next event. */
#include "base/recorder.h"

#include "port/clock.h"
#include "port/forked.h"
#include "port/pages.h"
#include "port/thread_end.h"
#include "port/tick.h"

#include <stdlib.h>
#include <string.h>

enum { NEW_FIRST = 32 }; /* so many before those of ended threads are taken */
enum { UNKNOWN, BEGINNING, ON, OFF };

static struct {
    rmd_atomic(uint32_t) state;
    rmd_atomic(uint32_t) len; /* may be more than there are */
    rmd_atomic(rmdi_recorded *) threads[RMDI_RECORD_THREADS_MAX];
    rmd_atomic(uint64_t) unrecorded, pools;
    rmd_atomic(uint32_t) numbers;
    rmdi_record_moment began; /* before state is ON */
} all;

_Thread_local rmdi_recorded *rmdi_recorded_here;

/* Of the calling thread: its name, NULL for that of the system; and that it is not to be recorded.
 */
static _Thread_local const char *own_name;
static _Thread_local bool is_over;

/* ---- time ---- */

rmdi_record_moment rmdi_recorder_now(void)
{
    return (rmdi_record_moment){ rmdi_tick(), rmdi_clock_monotonic_ns() };
}

bool rmdi_recorder_began(rmdi_record_moment *began)
{
    bool is_on = rmd_atomic_load(&all.state, RMD_ACQUIRE) == ON;
    if (is_on)
        *began = all.began;
    return is_on;
}

/* Several threads may come first at once: all find the same, and one of them notes the moment. */
bool rmdi_recorder_prepare(void)
{
    uint32_t state = rmd_atomic_load(&all.state, RMD_ACQUIRE);
    if (state == ON || state == OFF)
        return state == ON;
    const char *wanted = secure_getenv("REMUDA_RECORD");
    bool on = !wanted || strcmp(wanted, "off") != 0;
    rmdi_tick_prepare();
    if (state == UNKNOWN &&
        rmd_atomic_cas(&all.state, &state, BEGINNING, RMD_RELAXED, RMD_RELAXED)) {
        all.began = rmdi_recorder_now();
        rmd_atomic_store(&all.state, on ? ON : OFF, RMD_RELEASE); /* of `began` */
    }
    return on;
}

static void earn(rmdi_recorded *recorded, uint64_t tick, uint64_t cost)
{
    /* On another processor than before it may be a little earlier. */
    uint64_t passed = tick > recorded->last ? tick - recorded->last : 0;
    uint64_t earned = recorded->earned + passed;
    if (earned > RMDI_RECORD_EARNED_MAX || passed > RMDI_RECORD_EARNED_MAX)
        earned = RMDI_RECORD_EARNED_MAX;
    recorded->last = tick;
    recorded->earned = earned > cost ? earned - cost : 0;
    recorded->sample = recorded->earned >= RMDI_RECORD_COST ? 0 : RMDI_RECORD_SAMPLE;
}

/* ---- recording ---- */

static bool is_few(rmdi_record_kind kind)
{
    static const bool few[] = {
#define FEW(name, text, id, value, is_few_, ...) is_few_,
        RMDI_RECORD_KINDS(FEW)
#undef FEW
    };
    return few[kind];
}

/* Of the calling thread, in the process that this is now. */
static void note_process(rmdi_recorded *recorded)
{
    rmd_atomic_store(&recorded->thread, rmdi_thread_number(), RMD_RELAXED);
    rmd_atomic_store(&recorded->process, rmdi_process_mark(), RMD_RELAXED);
}

static void put(rmdi_recorded *recorded, uint64_t tick, rmdi_record_kind kind, uint64_t id,
                uint64_t value, uint64_t cost)
{
    const uint64_t words[RMDI_RECORD_WORDS] = { tick, kind, id, value };
    earn(recorded, tick, cost);
    if (!rmdi_process_is(rmd_atomic_load(&recorded->process, RMD_RELAXED)))
        note_process(recorded);
    rmdi_record_ring_put(&recorded->rings[is_few(kind)], words);
}

/* At no cost: what is slow anyway is not to keep tasks out of the record. */
void rmdi_recorded_put(rmdi_recorded *recorded, rmdi_record_kind kind, uint64_t id, uint64_t value)
{
    put(recorded, rmdi_tick(), kind, id, value, 0);
}

bool rmdi_recorded_put_due(rmdi_recorded *recorded, rmdi_record_kind kind, uint64_t id,
                           uint64_t value)
{
    uint64_t tick = rmdi_tick();
    earn(recorded, tick, 0);
    bool due = !(id & recorded->sample);
    if (due)
        put(recorded, tick, kind, id, value, RMDI_RECORD_COST);
    return due;
}

void rmdi_recorded_put_end(rmdi_recorded *recorded, uint64_t task, bool begun, unsigned outcome,
                           bool failed)
{
    uint64_t tick = rmdi_tick();
    if (failed)
        put(recorded, tick, RMDI_RECORD_TASK_FAILED, task, outcome, 0);
    if (begun)
        put(recorded, tick, RMDI_RECORD_TASK_END, task, outcome, RMDI_RECORD_COST);
}

/* ---- rings ---- */

static rmdi_recorded *make_new(void)
{
    /* Relaxed: the number is ours alone. */
    if (rmd_atomic_load(&all.len, RMD_RELAXED) >= RMDI_RECORD_THREADS_MAX)
        return NULL;
    rmdi_recorded *made = rmdi_pages_get(sizeof *made);
    if (!made)
        return NULL;
    uint32_t at = rmd_atomic_add(&all.len, 1, RMD_RELAXED);
    if (at >= RMDI_RECORD_THREADS_MAX) {
        rmdi_pages_give(made, sizeof *made);
        return NULL;
    }
    made->rings[0] = (rmdi_record_ring){ .size = RMDI_RECORD_MANY, .cells = made->cells };
    made->rings[1] = (rmdi_record_ring){ .size = RMDI_RECORD_FEW,
                                         .cells = made->cells + RMDI_RECORD_MANY };
    rmd_atomic_store(&made->epoch, 1, RMD_RELAXED);
    rmd_atomic_store(&all.threads[at], made, RMD_RELEASE); /* of what was just written */
    return made;
}

/* Of the one that ended first; NULL: none has. */
static rmdi_recorded *find_ended(void)
{
    rmdi_recorded *found = NULL;
    for (unsigned i = 0; i < RMDI_RECORD_THREADS_MAX; i++) {
        rmdi_recorded *r = rmd_atomic_load(&all.threads[i], RMD_ACQUIRE);
        if (r && rmd_atomic_load(&r->state, RMD_RELAXED) == RMDI_RECORDED_ENDED &&
            (!found ||
             rmd_atomic_load(&r->ended, RMD_RELAXED) < rmd_atomic_load(&found->ended, RMD_RELAXED)))
            found = r;
    }
    return found;
}

static rmdi_recorded *take_over(void)
{
    for (rmdi_recorded *r; (r = find_ended());) {
        uint32_t ended = RMDI_RECORDED_ENDED;
        /* Acquire: of what its last thread has written, which was before it ended. */
        if (!rmd_atomic_cas(&r->state, &ended, RMDI_RECORDED_LIVE, RMD_ACQUIRE, RMD_RELAXED))
            continue;
        rmd_atomic_add(&r->epoch, 1, RMD_RELAXED);
        rmd_fence(RMD_RELEASE); /* with that of a reader, before it looks at epoch again */
        return r;
    }
    return NULL;
}

static void write_name(rmdi_recorded *recorded)
{
    char name[RMDI_RECORD_NAME_BYTES] = { 0 };
    if (own_name)
        strncpy(name, own_name, sizeof name - 1);
    else
        rmdi_thread_name_get(name);
    for (int i = 0; i < RMDI_RECORD_NAME_BYTES / 8; i++) {
        uint64_t word;
        memcpy(&word, name + i * 8, sizeof word);
        rmd_atomic_store(&recorded->name[i], word, RMD_RELAXED);
    }
}

/* Makes it ours; with epoch odd. */
static void begin(rmdi_recorded *recorded)
{
    for (int i = 0; i < 2; i++) /* only we write head now */
        rmd_atomic_store(&recorded->first[i],
                         rmd_atomic_load(&recorded->rings[i].head, RMD_RELAXED), RMD_RELAXED);
    rmd_atomic_store(&recorded->task, 0, RMD_RELAXED);
    note_process(recorded);
    rmd_atomic_store(&recorded->number, rmd_atomic_add(&all.numbers, 1, RMD_RELAXED) + 1,
                     RMD_RELAXED);
    write_name(recorded);
    recorded->last = rmdi_tick();
    recorded->earned = RMDI_RECORD_EARNED_MAX;
    recorded->sample = 0;
    rmd_atomic_add(&recorded->epoch, 1, RMD_RELEASE); /* of all that */
}

/* The thread ends: what its later destructors do is not recorded. */
static void on_thread_end(void)
{
    rmdi_recorded *recorded = rmdi_recorded_here;
    rmdi_recorded_here = NULL;
    is_over = true;
    if (!recorded)
        return;
    rmd_atomic_store(&recorded->ended, rmdi_tick(), RMD_RELAXED);
    rmd_atomic_store(&recorded->task, 0, RMD_RELAXED);
    rmd_atomic_store(&recorded->state, RMDI_RECORDED_ENDED, RMD_RELEASE);
}

/* Never inlined: what is seldom done shall not take room where each task passes. */
__attribute__((noinline)) rmdi_recorded *rmdi_recorder_claim(void)
{
    if (is_over || !rmdi_recorder_prepare())
        return NULL;
    rmdi_recorded *found = NULL;
    if (rmd_atomic_load(&all.len, RMD_RELAXED) >= NEW_FIRST)
        found = take_over();
    if (!found)
        found = make_new();
    if (!found)
        found = take_over();
    is_over = !found;
    if (!found) {
        rmd_atomic_add(&all.unrecorded, 1, RMD_RELAXED);
        return NULL;
    }
    begin(found);
    rmdi_recorded_here = found;
    (void)rmdi_thread_end_call(on_thread_end); /* else it is said to live for ever */
    return found;
}

void rmdi_recorder_name(const char *name)
{
    own_name = name;
    if (rmdi_recorded_here)
        write_name(rmdi_recorded_here);
}

uint64_t rmdi_recorder_pool_number(void)
{
#ifdef RMD_EXPLORE
    return 0;
#else
    return rmd_atomic_add(&all.pools, 1, RMD_RELAXED) + 1;
#endif
}

/* ---- reading ---- */

unsigned rmdi_recorder_all(rmdi_recorded **threads)
{
    unsigned n = 0;
    for (unsigned i = 0; i < RMDI_RECORD_THREADS_MAX; i++) {
        rmdi_recorded *r = rmd_atomic_load(&all.threads[i], RMD_ACQUIRE);
        if (r)
            threads[n++] = r;
    }
    return n;
}

uint64_t rmdi_recorder_unrecorded(void)
{
    return rmd_atomic_load(&all.unrecorded, RMD_RELAXED);
}
