/* SPDX-License-Identifier: MIT */
/* A flight record as JSON: what flight_tell.c tells, for programs. */
#include "job/flight.h"

#include <string.h>

static double in_seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

/* The event with its fields under their names. NULL: no memory. */
static json_t *event_json(const rmdi_flight *f, const rmdi_flight_event *e)
{
    const rmdi_flight_kind *k = rmdi_flight_kind_of(e->kind);
    json_t *object = json_pack("{s:f, s:s}", "before_s", in_seconds(f->end_ns - e->ns), "event",
                               k->name);
    if (*k->id)
        json_object_set_new(object, k->id, json_integer((json_int_t)e->id));
    if (*k->value)
        json_object_set_new(object, k->value, json_integer(e->value));
    return object;
}

/* The newest first as they are found, so they are put in front. */
static json_t *last_json(const rmdi_flight *f, size_t thread, unsigned n)
{
    json_t *last = json_array();
    for (size_t i = f->events_len; i-- > 0 && json_array_size(last) < n;)
        if (f->events[i].thread == thread)
            json_array_insert_new(last, 0, event_json(f, &f->events[i]));
    return last;
}

static json_t *thread_json(const rmdi_flight *f, size_t i, unsigned last)
{
    const rmdi_flight_thread *t = &f->threads[i];
    int64_t idle = t->parked_ns + t->blocked_ns + t->bench_ns + t->full_ns;
    json_t *object = json_pack("{s:I, s:I, s:s, s:s, s:b, s:I, s:I, s:I}", "number",
                               (json_int_t)t->number, "system", (json_int_t)t->system, "name",
                               t->name, "state", t->ended ? "ended" : "live", "worker",
                               t->is_worker, "task", (json_int_t)t->task, "events",
                               (json_int_t)t->kept, "lost", (json_int_t)t->lost);
    json_t *times = json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f}", "recorded_s", in_seconds(t->recorded_ns), "parked_s",
        in_seconds(t->parked_ns), "blocked_s", in_seconds(t->blocked_ns), "bench_s",
        in_seconds(t->bench_ns), "queue_full_s", in_seconds(t->full_ns), "busy_s",
        in_seconds(t->is_worker && t->recorded_ns > idle ? t->recorded_ns - idle : 0));
    json_t *counts = json_pack("{s:I, s:I, s:I, s:I, s:I}", "tasks", (json_int_t)t->tasks, "failed",
                               (json_int_t)t->failed, "steals", (json_int_t)t->steals, "wake_ups",
                               (json_int_t)t->wakeups, "spares", (json_int_t)t->spares);
    json_object_update(object, times);
    json_object_update(object, counts);
    json_object_set_new(object, "last", last_json(f, i, last));
    json_decref(times);
    json_decref(counts);
    return object;
}

static json_t *span_json(const rmdi_flight *f, const rmdi_flight_span *s)
{
    if (!s->task)
        return json_null();
    return json_pack("{s:I, s:f, s:I, s:b}", "task", (json_int_t)s->task, "seconds",
                     in_seconds(s->ns), "thread", (json_int_t)f->threads[s->thread].number, "ended",
                     !s->open);
}

static json_t *running_json(const rmdi_flight *f)
{
    json_t *all = json_array();
    for (size_t i = 0; i < f->running_len; i++) {
        const rmdi_flight_running *r = &f->running[i];
        json_t *one = json_pack("{s:I, s:s, s:I}", "task", (json_int_t)r->task, "where", r->where,
                                "number", (json_int_t)r->number);
        json_object_set_new(one, "for_s",
                            r->since_ns ? json_real(in_seconds(f->end_ns - r->since_ns))
                                        : json_null());
        json_array_append_new(all, one);
    }
    return all;
}

/* How many events of each kind there are. */
static json_t *kinds_json(const rmdi_flight *f)
{
    json_t *all = json_object();
    for (int i = 0; i < RMDI_RECORD_KINDS_LEN; i++)
        if (f->kinds[i])
            json_object_set_new(all, rmdi_flight_kind_of((rmdi_record_kind)i)->name,
                                json_integer((json_int_t)f->kinds[i]));
    return all;
}

static void add_cause(const rmdi_flight *f, json_t *object)
{
    json_object_set_new(object, "because", json_string(f->because));
    if (f->signal) {
        json_object_set_new(object, "signal", json_integer(f->signal));
        json_object_set_new(object, "signal_name", json_string(f->signal_name));
    }
    if (strcmp(f->because, "crash") == 0)
        json_object_set_new(object, "crashed_thread", json_integer(f->crashed));
    if (*f->address)
        json_object_set_new(object, "address", json_string(f->address));
}

json_t *rmdi_flight_json(const rmdi_flight *flight, unsigned last)
{
    json_t *threads = json_array();
    for (size_t i = 0; i < flight->threads_len; i++)
        json_array_append_new(threads, thread_json(flight, i, last));
    json_t *object = json_pack("{s:s, s:I, s:s, s:b, s:I, s:I}", "program", flight->program, "pid",
                               (json_int_t)flight->pid, "written", flight->written, "cut_off",
                               flight->cut_off, "unrecorded", (json_int_t)flight->unrecorded,
                               "overwritten", (json_int_t)flight->overwritten);
    if (!object || !threads) {
        json_decref(threads);
        json_decref(object);
        return NULL;
    }
    add_cause(flight, object);
    json_object_set_new(object, "longest_task", span_json(flight, &flight->longest));
    json_object_set_new(object, "longest_wait", span_json(flight, &flight->waited));
    json_object_set_new(object, "running", running_json(flight));
    json_object_set_new(object, "events", kinds_json(flight));
    json_object_set_new(object, "threads", threads);
    return object;
}
