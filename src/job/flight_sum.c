/* SPDX-License-Identifier: MIT */
/* What the events of a flight record mean: who was busy, what took long, what ran at the end. One
 * walk in the order of time; what began before the record has no beginning in it and is left out,
 * and what has not ended lasts until the record. Where events were overwritten while the record was
 * written there is a gap: what was open there may have ended in it, and is forgotten. */
#include "base/alloc.h"
#include "base/error.h"
#include "job/flight.h"

#include <stdlib.h>
#include <string.h>

/* What is open on a thread, or of a task. */
typedef struct open_thing {
    uint64_t task;
    unsigned thread;
    rmdi_record_kind kind;
    int64_t ns, value;
} open_thing;

typedef struct walk {
    rmdi_flight *f;
    open_thing *open;
    size_t open_len, open_capacity;
    rmdi_flight_event *submits; /* by task */
    size_t submits_len;
} walk;

/* The kind that ends it, and of what: of a task wherever it is, or of the thread. */
static const struct pair {
    rmdi_record_kind begin, end;
    bool by_task;
} pairs[] = {
    { RMDI_RECORD_TASK_BEGIN, RMDI_RECORD_TASK_END, true },
    { RMDI_RECORD_PARK, RMDI_RECORD_UNPARK, false },
    { RMDI_RECORD_BLOCK, RMDI_RECORD_UNBLOCK, false },
    { RMDI_RECORD_FULL, RMDI_RECORD_ROOM, false },
    { RMDI_RECORD_BENCH, RMDI_RECORD_UNBENCH, false },
    { RMDI_RECORD_PROGRAM_BEGIN, RMDI_RECORD_PROGRAM_END, true },
    { RMDI_RECORD_GIVE, RMDI_RECORD_ANSWER, true },
    { RMDI_RECORD_GIVE, RMDI_RECORD_TAKE_BACK, true },
    { RMDI_RECORD_GIVE, RMDI_RECORD_TASK_FAILED, true }, /* its worker has died */
    { RMDI_RECORD_GIVE, RMDI_RECORD_RETRY, true },
};

/* ---- what is open ---- */

static int push(walk *w, const rmdi_flight_event *e)
{
    void *open = w->open;
    int err = rmdi_array_reserve(&open, &w->open_capacity, w->open_len, sizeof *w->open);
    w->open = open;
    if (err == 0)
        w->open[w->open_len++] = (open_thing){ e->id, e->thread, e->kind, e->ns, e->value };
    return err;
}

/* Takes out the one that began last; false: its beginning is not there. */
static bool pop(walk *w, const struct pair *pair, const rmdi_flight_event *e, open_thing *found)
{
    for (size_t i = w->open_len; i-- > 0;) {
        const open_thing *o = &w->open[i];
        if (o->kind != pair->begin || (pair->by_task ? o->task != e->id : o->thread != e->thread))
            continue;
        *found = *o;
        memmove(&w->open[i], &w->open[i + 1], (w->open_len - i - 1) * sizeof *o);
        w->open_len--;
        return true;
    }
    return false;
}

/* ---- how long ---- */

static void note_longest(rmdi_flight_span *span, uint64_t task, int64_t ns, unsigned thread,
                         bool open)
{
    if (!span->task || ns > span->ns)
        *span = (rmdi_flight_span){ task, ns, thread, open };
}

static void add(int64_t *total, int64_t ns)
{
    *total = ns < RMDI_FLIGHT_NS_MAX - *total ? *total + ns : RMDI_FLIGHT_NS_MAX;
}

/* It lasted until then. */
static void account(walk *w, const open_thing *o, int64_t ns, bool open)
{
    rmdi_flight *f = w->f;
    rmdi_flight_thread *t = &f->threads[o->thread];
    int64_t took = ns > o->ns ? ns - o->ns : 0;
    switch (o->kind) {
    case RMDI_RECORD_PARK: add(&t->parked_ns, took); return;
    case RMDI_RECORD_BLOCK: add(&t->blocked_ns, took); return;
    case RMDI_RECORD_FULL: add(&t->full_ns, took); return;
    case RMDI_RECORD_BENCH: add(&t->bench_ns, took); return;
    default: note_longest(&f->longest, o->task, took, o->thread, open); return;
    }
}

static int compare_submits(const void *a, const void *b)
{
    const rmdi_flight_event *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int find_submits(walk *w)
{
    const rmdi_flight *f = w->f;
    size_t n = f->kinds[RMDI_RECORD_SUBMIT] + f->kinds[RMDI_RECORD_SUBMIT_MANY];
    w->submits = n ? rmdi_alloc(n * sizeof *w->submits) : NULL;
    if (n && !w->submits)
        return rmdi_fail_memory();
    for (size_t i = 0; i < f->events_len; i++)
        if (f->events[i].kind <= RMDI_RECORD_SUBMIT_MANY)
            w->submits[w->submits_len++] = f->events[i];
    if (n)
        qsort(w->submits, n, sizeof *w->submits, compare_submits);
    return 0;
}

_Static_assert(RMDI_RECORD_SUBMIT == 0 && RMDI_RECORD_SUBMIT_MANY == 1, "the first two");

/* That of the task, alone or among several; NULL: it is not there. */
static rmdi_flight_event *submit_of(const walk *w, uint64_t task)
{
    size_t low = 0, high = w->submits_len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (w->submits[middle].id <= task)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return NULL;
    rmdi_flight_event *s = &w->submits[low - 1];
    uint64_t n = s->kind == RMDI_RECORD_SUBMIT ? 1 : (uint64_t)s->value;
    return task - s->id < n ? s : NULL;
}

/* Until it begins first: what is tried again has not waited since then. */
static void note_wait(walk *w, const rmdi_flight_event *begin)
{
    rmdi_flight_event *s = submit_of(w, begin->id);
    bool again = s && s->kind == RMDI_RECORD_SUBMIT && s->value;
    if (!s || again)
        return;
    if (s->kind == RMDI_RECORD_SUBMIT)
        s->value = 1; /* it has none of its own */
    note_longest(&w->f->waited, begin->id, begin->ns > s->ns ? begin->ns - s->ns : 0, begin->thread,
                 false);
}

/* ---- one event ---- */

static void count(rmdi_flight_thread *t, const rmdi_flight_event *e)
{
    if (!t->events++)
        t->first_ns = e->ns;
    t->last_ns = e->ns;
    t->tasks += e->kind == RMDI_RECORD_TASK_BEGIN;
    t->failed += e->kind == RMDI_RECORD_TASK_FAILED;
    t->steals += e->kind == RMDI_RECORD_STEAL;
    t->wakeups += e->kind == RMDI_RECORD_UNPARK;
    t->spares += e->kind == RMDI_RECORD_SPARE;
    t->is_worker |= e->kind == RMDI_RECORD_WORKER_BEGIN || e->kind == RMDI_RECORD_WORKER_END ||
                    e->kind == RMDI_RECORD_PARK || e->kind == RMDI_RECORD_UNPARK ||
                    e->kind == RMDI_RECORD_BENCH || e->kind == RMDI_RECORD_TAKE;
    if (e->kind == RMDI_RECORD_TASK_BEGIN && e->id == t->task)
        t->task_since_ns = e->ns;
}

/* A thread's gap hides the ends of what the thread began; answers may come on any thread. */
static void forget_open(walk *w, const rmdi_flight_event *gap)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->open_len; i++) {
        const open_thing *o = &w->open[i];
        if (o->thread != gap->thread && o->kind != RMDI_RECORD_GIVE)
            w->open[kept++] = *o;
    }
    w->open_len = kept;
}

static void step_gap(walk *w, const rmdi_flight_event *gap)
{
    rmdi_flight_thread *t = &w->f->threads[gap->thread];
    if (t->events && gap->ns > t->last_ns) {
        add(&t->gap_ns, gap->ns - t->last_ns);
        t->last_ns = gap->ns;
    }
    w->f->gaps++;
    w->f->overwritten += gap->value > 0 ? (uint64_t)gap->value : 0;
    forget_open(w, gap);
}

static int step(walk *w, const rmdi_flight_event *e)
{
    open_thing o;
    bool begins = false;
    if (e->kind == RMDI_RECORD_GAP) {
        step_gap(w, e);
        return 0;
    }
    count(&w->f->threads[e->thread], e);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i].end == e->kind && pop(w, &pairs[i], e, &o))
            account(w, &o, e->ns, false);
        begins |= pairs[i].begin == e->kind;
    }
    if (e->kind == RMDI_RECORD_TASK_BEGIN || e->kind == RMDI_RECORD_GIVE ||
        e->kind == RMDI_RECORD_PROGRAM_BEGIN)
        note_wait(w, e);
    return begins ? push(w, e) : 0;
}

/* ---- the end ---- */

static int add_running(rmdi_flight *f, rmdi_flight_running running)
{
    void *all = f->running;
    int err = rmdi_array_reserve(&all, &f->running_capacity, f->running_len, sizeof *f->running);
    f->running = all;
    if (err == 0)
        f->running[f->running_len++] = running;
    return err;
}

/* Does the thread say that the task runs, or one that has begun later, on top of it? */
static bool is_running(const walk *w, size_t i)
{
    const open_thing *o = &w->open[i];
    uint64_t task = w->f->threads[o->thread].task;
    for (; task && i < w->open_len; i++)
        if (w->open[i].thread == o->thread && w->open[i].kind == RMDI_RECORD_TASK_BEGIN &&
            w->open[i].task == task)
            return true;
    return false;
}

/* What is still open lasts until the record, and runs, but for what threads do: of tasks the thread
 * says which runs, and one that has ended does nothing. */
static int end_open(walk *w)
{
    rmdi_flight *f = w->f;
    int err = 0;
    for (size_t i = 0; i < w->open_len && err == 0; i++) {
        const open_thing *o = &w->open[i];
        bool program = o->kind == RMDI_RECORD_PROGRAM_BEGIN, given = o->kind == RMDI_RECORD_GIVE;
        if (!given && f->threads[o->thread].ended)
            continue;
        if (o->kind == RMDI_RECORD_TASK_BEGIN && !is_running(w, i))
            continue;
        if (!given) /* that may not have begun */
            account(w, o, f->end_ns, true);
        if (program || given)
            err = add_running(f, (rmdi_flight_running){ o->task, o->ns,
                                                        program ? "program" : "worker process",
                                                        o->value });
    }
    return err;
}

static int end_threads(rmdi_flight *f)
{
    int err = 0;
    for (size_t i = 0; i < f->threads_len && err == 0; i++) {
        rmdi_flight_thread *t = &f->threads[i];
        int64_t until = t->ended ? t->last_ns : f->end_ns;
        t->recorded_ns = t->events && until > t->first_ns ? until - t->first_ns : 0;
        t->recorded_ns -= t->gap_ns < t->recorded_ns ? t->gap_ns : t->recorded_ns;
        if (t->task)
            err = add_running(f, (rmdi_flight_running){ t->task, t->task_since_ns, "thread",
                                                        (int64_t)t->number });
    }
    return err;
}

int rmdi_flight_sum(rmdi_flight *flight)
{
    walk w = { .f = flight };
    for (size_t i = 0; i < flight->events_len; i++)
        flight->kinds[flight->events[i].kind] += flight->events[i].kind != RMDI_RECORD_GAP;
    int err = find_submits(&w);
    for (size_t i = 0; i < flight->events_len && err == 0; i++)
        err = step(&w, &flight->events[i]);
    if (err == 0)
        err = end_threads(flight);
    if (err == 0)
        err = end_open(&w);
    rmdi_free(w.open);
    rmdi_free(w.submits);
    return err;
}
