/* SPDX-License-Identifier: MIT */
/* A flight record in words. */
#include "job/flight.h"

#include <inttypes.h>
#include <remuda/census.h>
#include <remuda/error.h>
#include <stdio.h>
#include <string.h>

enum { SPAN_MAX = 32, RECORDED_FIELDS = 96 };

/* Three figures of a unit that fits: "3.20 ms". */
static const char *span(int64_t ns, char to[SPAN_MAX])
{
    static const struct {
        double ns;
        const char *name;
    } units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" } };
    size_t i = 0;
    if (ns == 0)
        return "0";
    while (i < 3 && (double)ns < units[i].ns)
        i++;
    double value = (double)ns / units[i].ns;
    int digits = value >= 100 || i == 3 ? 0 : value >= 10 ? 1 : 2;
    snprintf(to, SPAN_MAX, "%.*f %s", digits, value, units[i].name);
    return to;
}

static const char *thread_name(const rmdi_flight *f, unsigned number)
{
    for (size_t i = 0; i < f->threads_len; i++)
        if (f->threads[i].number == number)
            return f->threads[i].name;
    return "a thread that is not recorded";
}

/* Neither asleep nor waiting; of a thread that is no worker that is not known. */
static int64_t busy_of(const rmdi_flight_thread *t)
{
    int64_t idle = t->parked_ns + t->blocked_ns + t->bench_ns + t->full_ns;
    return t->recorded_ns > idle ? t->recorded_ns - idle : 0;
}

static uint64_t lost_of(const rmdi_flight *f)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < f->threads_len; i++)
        lost += f->threads[i].lost;
    return lost;
}

/* ---- the head ---- */

static int tell_crash(const rmdi_flight *f, rmdi_buffer *text)
{
    uint64_t task = 0;
    for (size_t i = 0; i < f->threads_len; i++)
        if (f->threads[i].number == f->crashed)
            task = f->threads[i].task;
    int err = rmdi_buffer_add_format(text, "It crashed: %s (signal %d)", f->signal_name, f->signal);
    if (err == 0 && *f->address)
        err = rmdi_buffer_add_format(text, " at address %s", f->address);
    if (err == 0)
        err = rmdi_buffer_add_format(text, " on thread %u, %s", f->crashed,
                                     thread_name(f, f->crashed));
    if (err == 0 && task)
        err = rmdi_buffer_add_format(text, ", which ran task %" PRIu64, task);
    return err < 0 ? err : rmdi_buffer_add_text(text, ".\n");
}

static int tell_head(const rmdi_flight *f, rmdi_buffer *text)
{
    char took[SPAN_MAX];
    int64_t from = f->events_len ? f->events[0].ns : f->end_ns;
    uint64_t lost = lost_of(f);
    int err = rmdi_buffer_add_format(text, "Flight record of %s, pid %" PRId64 ", written %s.\n",
                                     f->program, f->pid, f->written);
    if (err == 0 && strcmp(f->because, "crash") == 0)
        err = tell_crash(f, text);
    if (err == 0 && strcmp(f->because, "signal") == 0)
        err = rmdi_buffer_add_format(text, "It was asked for by %s (signal %d).\n", f->signal_name,
                                     f->signal);
    if (err == 0)
        err = rmdi_buffer_add_format(text, "It has %zu events of %zu thread%s, the first %s before",
                                     f->events_len - f->gaps, f->threads_len,
                                     f->threads_len == 1 ? "" : "s", span(f->end_ns - from, took));
    if (err == 0)
        err = rmdi_buffer_add_format(text, lost ? "; %" PRIu64 " earlier ones are lost.\n" : ".\n",
                                     lost);
    if (err == 0 && f->gaps)
        err = rmdi_buffer_add_format(text,
                                     "%" PRIu64 " more were overwritten while it was written; what "
                                     "lasted then is not counted.\n",
                                     f->overwritten);
    if (err == 0 && f->unrecorded)
        err = rmdi_buffer_add_format(text, "%" PRIu64 " threads were too many to be recorded.\n",
                                     f->unrecorded);
    if (err == 0 && f->cut_off)
        err = rmdi_buffer_add_text(text, "It is cut off: its end is missing.\n");
    return err;
}

/* ---- threads ---- */

static int tell_thread(const rmdi_flight_thread *t, rmdi_buffer *text)
{
    char whole[SPAN_MAX], busy[SPAN_MAX], parked[SPAN_MAX], blocked[SPAN_MAX];
    return rmdi_buffer_add_format(
        text, "%4u %-16s %9s %9s %9s %9s %7" PRIu64 " %6" PRIu64 " %6" PRIu64 " %8" PRIu64 "%s\n",
        t->number, t->name, span(t->recorded_ns, whole),
        t->is_worker ? span(busy_of(t), busy) : "-",
        t->is_worker ? span(t->parked_ns + t->bench_ns, parked) : "-",
        span(t->blocked_ns + t->full_ns, blocked), t->tasks, t->failed, t->steals, t->wakeups,
        t->ended ? "  ended" : "");
}

static int tell_threads(const rmdi_flight *f, rmdi_buffer *text)
{
    int err = rmdi_buffer_add_format(text, "\n%4s %-16s %9s %9s %9s %9s %7s %6s %6s %8s\n", "",
                                     "thread", "recorded", "busy", "parked", "blocked", "tasks*",
                                     "failed", "steals*", "wake-ups");
    for (size_t i = 0; i < f->threads_len && err == 0; i++)
        err = tell_thread(&f->threads[i], text);
    if (err == 0)
        err = rmdi_buffer_add_text(text,
                                   "* as far as they are recorded: of very small ones a part\n\n");
    return err;
}

/* ---- what took long ---- */

static int tell_span(const rmdi_flight *f, const char *what, const rmdi_flight_span *s,
                     rmdi_buffer *text)
{
    char took[SPAN_MAX];
    if (!s->task)
        return 0;
    return rmdi_buffer_add_format(text, "%s: task %" PRIu64 ", %s, on thread %u, %s%s.\n", what,
                                  s->task, span(s->ns, took), f->threads[s->thread].number,
                                  f->threads[s->thread].name, s->open ? ", and had not ended" : "");
}

static int tell_running(const rmdi_flight *f, const rmdi_flight_running *r, rmdi_buffer *text)
{
    char since[SPAN_MAX];
    int err = rmdi_buffer_add_format(text, "  task %" PRIu64 " on %s %" PRId64, r->task, r->where,
                                     r->number);
    if (err == 0 && strcmp(r->where, "thread") == 0)
        err = rmdi_buffer_add_format(text, ", %s", thread_name(f, (unsigned)r->number));
    if (err == 0 && r->since_ns)
        err = rmdi_buffer_add_format(text, ", for %s", span(f->end_ns - r->since_ns, since));
    if (err == 0 && !r->since_ns)
        err = rmdi_buffer_add_text(text, "; its beginning is not recorded");
    return err < 0 ? err : rmdi_buffer_add_byte(text, '\n');
}

static int tell_all_running(const rmdi_flight *f, rmdi_buffer *text)
{
    int err = rmdi_buffer_add_text(text, f->running_len ? "Running at the end:\n"
                                                        : "No task ran at the end.\n");
    for (size_t i = 0; i < f->running_len && err == 0; i++)
        err = tell_running(f, &f->running[i], text);
    return err;
}

/* ---- what is rare ---- */

static int tell_rare(const rmdi_flight *f, rmdi_buffer *text)
{
    static const struct {
        rmdi_record_kind kind;
        const char *what;
    } rare[] = {
        { RMDI_RECORD_PROCESS_END, "worker processes ended" },
        { RMDI_RECORD_HALT, "pools halted" },
        { RMDI_RECORD_TIME_LIMIT, "time limits came" },
        { RMDI_RECORD_CANCEL, "cancels of tasks" },
        { RMDI_RECORD_RETRY, "tasks were tried again" },
        { RMDI_RECORD_CIRCLE, "waits refused: they would have been circles" },
        { RMDI_RECORD_STUCK, "pools whose tasks do not stop" },
        { RMDI_RECORD_FULL, "submitters waited for room in a queue" },
        { RMDI_RECORD_SPARE, "spare workers came into play" },
    };
    int err = 0;
    for (size_t i = 0; i < sizeof rare / sizeof *rare && err == 0; i++)
        if (f->kinds[rare[i].kind])
            err = rmdi_buffer_add_format(text, "%" PRIu64 " %s.\n", f->kinds[rare[i].kind],
                                         rare[i].what);
    return err;
}

/* ---- the last events ---- */

static void fields_of(const rmdi_flight_event *e, char to[RECORDED_FIELDS])
{
    const rmdi_flight_kind *k = rmdi_flight_kind_of(e->kind);
    int n = 0;
    *to = 0;
    if (*k->id)
        n = snprintf(to, RECORDED_FIELDS, " %s %" PRIu64, k->id, e->id);
    if (strcmp(k->value, "outcome") == 0 && e->value >= 0 && e->value <= RMD_OUTCOME_DEAD)
        snprintf(to + n, (size_t)(RECORDED_FIELDS - n), " %s",
                 rmd_outcome_name((rmd_outcome)e->value));
    else if (strcmp(k->value, "error") == 0)
        snprintf(to + n, (size_t)(RECORDED_FIELDS - n), " %s", rmd_error_name((int)e->value));
    else if (*k->value)
        snprintf(to + n, (size_t)(RECORDED_FIELDS - n), " %s %" PRId64, k->value, e->value);
}

/* Where the last n of the thread begin. */
static size_t first_of_last(const rmdi_flight *f, size_t thread, unsigned n)
{
    size_t at = f->events_len;
    for (size_t i = f->events_len; i-- > 0 && n > 0;)
        if (f->events[i].thread == thread) {
            at = i;
            n--;
        }
    return at;
}

static int tell_last(const rmdi_flight *f, size_t thread, unsigned n, rmdi_buffer *text)
{
    const rmdi_flight_thread *t = &f->threads[thread];
    int err = rmdi_buffer_add_format(text, "\nThe last of thread %u, %s:\n", t->number, t->name);
    for (size_t i = first_of_last(f, thread, n); i < f->events_len && err == 0; i++) {
        const rmdi_flight_event *e = &f->events[i];
        char fields[RECORDED_FIELDS];
        if (e->thread != thread)
            continue;
        fields_of(e, fields);
        err = rmdi_buffer_add_format(text, "  %14.6f ms  %s%s\n", (double)(e->ns - f->end_ns) / 1e6,
                                     rmdi_flight_kind_of(e->kind)->name, fields);
    }
    return err;
}

int rmdi_flight_tell(const rmdi_flight *flight, unsigned last, rmdi_buffer *text)
{
    int err = tell_head(flight, text);
    if (err == 0)
        err = tell_threads(flight, text);
    if (err == 0)
        err = tell_span(flight, "The longest task", &flight->longest, text);
    if (err == 0)
        err = tell_span(flight, "The longest wait in a queue", &flight->waited, text);
    if (err == 0)
        err = tell_all_running(flight, text);
    if (err == 0)
        err = tell_rare(flight, text);
    for (size_t i = 0; i < flight->threads_len && err == 0 && last; i++)
        err = tell_last(flight, i, last, text);
    return err;
}
