/* SPDX-License-Identifier: MIT */
/* Both forms of a flight record into memory. What is in the file may be anything: lengths are
 * bounded, numbers are taken as they come, and what is not understood is skipped. */
#include "base/alloc.h"
#include "base/error.h"
#include "job/flight.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char magic[] = "remuda flight record ";
enum { VERSION = 1, HEAD = 64, PIECE = 1 << 16, FILE_MAX = 1 << 30 };

static const rmdi_flight_kind kinds[] = {
#define KIND(symbol, name, id, value, few, phase, slice) { name, id, value },
    RMDI_RECORD_KINDS(KIND)
#undef KIND
};

const rmdi_flight_kind *rmdi_flight_kind_of(rmdi_record_kind kind)
{
    return &kinds[kind];
}

/* ---- the file ---- */

/* Until there are max of them, or the end. */
static int read_all(int fd, const char *path, rmdi_buffer *into, size_t max)
{
    for (ssize_t n = 1; n > 0 && into->len < max;) {
        if (rmdi_buffer_reserve(into, PIECE) < 0)
            return RMD_ENOMEM;
        n = read(fd, into->data + into->len, PIECE);
        if (n < 0 && errno != EINTR)
            return rmdi_fail_errno(errno, "%s", path);
        if (n > 0)
            rmdi_buffer_filled(into, (size_t)n);
        n = n < 0 ? 1 : n;
    }
    return 0;
}

static bool is_text(const char *data, size_t len)
{
    return len >= sizeof magic - 1 && memcmp(data, magic, sizeof magic - 1) == 0;
}

static bool is_one(const rmdi_buffer *head)
{
    return head->len && (is_text(head->data, head->len) || *head->data == '{');
}

/* ---- what is in it ---- */

static rmdi_flight_thread *add_thread(rmdi_flight *f)
{
    void *threads = f->threads;
    if (f->threads_len >= RMDI_FLIGHT_THREADS_MAX ||
        rmdi_array_reserve(&threads, &f->threads_capacity, f->threads_len, sizeof *f->threads) < 0)
        return NULL;
    f->threads = threads;
    f->threads[f->threads_len] = (rmdi_flight_thread){ 0 };
    return &f->threads[f->threads_len++];
}

static int add_event(rmdi_flight *f, const rmdi_flight_event *event)
{
    void *events = f->events;
    int err = rmdi_array_reserve(&events, &f->events_capacity, f->events_len, sizeof *f->events);
    f->events = events;
    if (err == 0)
        f->events[f->events_len++] = *event;
    return err;
}

/* Its place; threads_len: there is none of that number. */
static unsigned place_of(const rmdi_flight *f, unsigned number)
{
    unsigned i = 0;
    while (i < f->threads_len && f->threads[i].number != number)
        i++;
    return i;
}

static bool find_kind(const char *name, rmdi_record_kind *kind)
{
    for (unsigned i = 0; i < RMDI_RECORD_KINDS_LEN; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *kind = (rmdi_record_kind)i;
            return true;
        }
    return false;
}

static int refuse(const char *path, const char *why)
{
    return rmdi_fail(RMD_EINVAL, "%s: %s", path, why);
}

/* ---- text ---- */

/* "36749.178012541" */
static int64_t seconds(const char *text)
{
    char *end;
    int64_t whole = strtoll(text, &end, 10), part = 0, unit = 100000000;
    if (*end == '.')
        for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
            part += (*end - '0') * unit;
    return whole < 0 || whole >= RMDI_FLIGHT_NS_MAX / 1000000000 ? 0 : whole * 1000000000 + part;
}

static void text_because(rmdi_flight *f, const char *line)
{
    const char *address = strstr(line, " address="), *thread = strstr(line, " thread=");
    (void)!sscanf(line, "%63s %d %63s", f->because, &f->signal, f->signal_name);
    if (address)
        (void)!sscanf(address, " address=%63s", f->address);
    if (thread)
        (void)!sscanf(thread, " thread=%u", &f->crashed);
}

static int text_thread(rmdi_flight *f, const char *line)
{
    char state[RMDI_FLIGHT_WORD] = "";
    rmdi_flight_thread *t = add_thread(f);
    if (!t)
        return rmdi_fail_memory();
    (void)!sscanf(line,
                  "%u system=%u name=%63s %63s task=%" SCNu64 " kept=%" SCNu64 " lost=%" SCNu64,
                  &t->number, &t->system, t->name, state, &t->task, &t->kept, &t->lost);
    t->ended = strcmp(state, "ended") == 0;
    return 0;
}

/* The number behind " name="; 0: it is not there. */
static int64_t text_field(const char *fields, const char *name)
{
    char key[RMDI_FLIGHT_WORD];
    snprintf(key, sizeof key, " %s=", name);
    const char *at = *name ? strstr(fields, key) : NULL;
    return at ? strtoll(at + strlen(key), NULL, 10) : 0;
}

static int text_event(rmdi_flight *f, const char *line)
{
    char at[RMDI_FLIGHT_WORD], kind[RMDI_FLIGHT_WORD];
    unsigned number;
    int end = 0;
    rmdi_flight_event event;
    if (sscanf(line, "%*s %63s %u %*s %63s%n", at, &number, kind, &end) != 3)
        return 0;
    event.thread = place_of(f, number);
    if (event.thread == f->threads_len || !find_kind(kind, &event.kind))
        return 0;
    event.ns = seconds(at);
    event.id = (uint64_t)text_field(line + end, kinds[event.kind].id);
    event.value = text_field(line + end, kinds[event.kind].value);
    return add_event(f, &event);
}

/* What is behind the name, if the line has that; NULL: it has not. */
static const char *behind(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncmp(line, name, len) == 0 ? line + len : NULL;
}

static int text_line(rmdi_flight *f, const char *line)
{
    const char *rest;
    if (*line == '-' || (*line >= '0' && *line <= '9'))
        return text_event(f, line);
    if ((rest = behind(line, "thread: ")))
        return text_thread(f, rest);
    if ((rest = behind(line, "program: ")))
        snprintf(f->program, sizeof f->program, "%s", rest);
    else if ((rest = behind(line, "pid: ")))
        f->pid = strtoll(rest, NULL, 10);
    else if ((rest = behind(line, "written: ")))
        snprintf(f->written, sizeof f->written, "%s", rest);
    else if ((rest = behind(line, "monotonic: ")))
        f->end_ns = seconds(rest);
    else if ((rest = behind(line, "because: ")))
        text_because(f, rest);
    else if ((rest = behind(line, "unrecorded: ")))
        f->unrecorded = strtoull(rest, NULL, 10);
    else if (behind(line, "end: "))
        f->cut_off = !strstr(line, " overwritten meanwhile");
    return 0;
}

static int read_text(rmdi_flight *f, const char *path, char *text)
{
    char *rest = text, *line = strsep(&rest, "\n");
    if (strtol(line + strlen(magic), NULL, 10) != VERSION)
        return refuse(path, "a flight record of a version that is not known here");
    f->cut_off = true;
    int err = 0;
    while (err == 0 && (line = strsep(&rest, "\n")))
        err = text_line(f, line);
    return err;
}

/* ---- trace ---- */

/* unit: nanoseconds in one. */
static int64_t json_time(const json_t *object, const char *key, double unit)
{
    double ns = json_number_value(json_object_get(object, key)) * unit + 0.5;
    return ns > 0 && ns < (double)RMDI_FLIGHT_NS_MAX ? (int64_t)ns : 0;
}

static void json_word(char to[RMDI_FLIGHT_WORD], const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text)
        snprintf(to, RMDI_FLIGHT_WORD, "%s", text);
}

static int64_t json_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static int trace_thread(rmdi_flight *f, const json_t *event)
{
    const json_t *args = json_object_get(event, "args");
    char state[RMDI_FLIGHT_WORD] = "", name[RMDI_FLIGHT_WORD] = "";
    json_word(name, event, "name");
    if (strcmp(name, "thread_name") != 0)
        return 0;
    rmdi_flight_thread *t = add_thread(f);
    if (!t)
        return rmdi_fail_memory();
    t->number = (unsigned)json_number(event, "tid");
    t->system = (unsigned)json_number(args, "system");
    json_word(t->name, args, "name");
    json_word(state, args, "state");
    t->ended = strcmp(state, "ended") == 0;
    t->task = (uint64_t)json_number(args, "task");
    t->kept = (uint64_t)json_number(args, "kept");
    t->lost = (uint64_t)json_number(args, "lost");
    return 0;
}

static int trace_event(rmdi_flight *f, const json_t *object)
{
    const json_t *args = json_object_get(object, "args");
    char phase[RMDI_FLIGHT_WORD] = "", kind[RMDI_FLIGHT_WORD] = "";
    rmdi_flight_event event;
    json_word(phase, object, "ph");
    if (strcmp(phase, "M") == 0)
        return trace_thread(f, object);
    json_word(kind, args, "event");
    event.thread = place_of(f, (unsigned)json_number(object, "tid"));
    if (event.thread == f->threads_len || !find_kind(kind, &event.kind))
        return 0;
    event.ns = json_time(object, "ts", 1e3);
    event.id = (uint64_t)json_number(args, kinds[event.kind].id);
    event.value = json_number(args, kinds[event.kind].value);
    return add_event(f, &event);
}

static void trace_head(rmdi_flight *f, const json_t *head)
{
    json_word(f->program, head, "program");
    json_word(f->written, head, "written");
    json_word(f->because, head, "because");
    json_word(f->signal_name, head, "signal_name");
    json_word(f->address, head, "address");
    f->pid = json_number(head, "pid");
    f->signal = (int)json_number(head, "signal");
    f->crashed = (unsigned)json_number(head, "thread");
    f->unrecorded = (uint64_t)json_number(head, "unrecorded");
    f->end_ns = json_time(head, "monotonic", 1e9);
}

static int read_trace(rmdi_flight *f, const char *path, const rmdi_buffer *text)
{
    json_error_t error;
    json_t *whole = json_loadb(text->data, text->len, 0, &error), *event;
    if (!whole)
        return rmdi_fail(RMD_EINVAL, "%s: line %d: %s", path, error.line, error.text);
    const json_t *head = json_object_get(whole, "otherData");
    const json_t *events = json_object_get(whole, "traceEvents");
    int err = 0;
    size_t i;
    if (json_number(head, "remuda_flight_record") != VERSION || !json_is_array(events))
        err = refuse(path, "a trace, but no flight record of a version that is known here");
    if (err == 0)
        trace_head(f, head);
    json_array_foreach(events, i, event)
    {
        if (err == 0)
            err = trace_event(f, event);
    }
    json_decref(whole);
    return err;
}

/* As who writes a record does: the words are for terminals, and for JSON. */
static void clean(char *word)
{
    for (; *word; word++)
        if (*word < ' ' || *word >= 127)
            *word = '_';
}

static void clean_words(rmdi_flight *f)
{
    clean(f->program);
    clean(f->written);
    clean(f->because);
    clean(f->signal_name);
    clean(f->address);
    for (size_t i = 0; i < f->threads_len; i++)
        clean(f->threads[i].name);
}

int rmdi_flight_parse(rmdi_flight *flight, const char *name, rmdi_buffer *text)
{
    *flight = (rmdi_flight){ 0 };
    int err = is_text(text->data, text->len) ? read_text(flight, name, text->data)
                                             : read_trace(flight, name, text);
    clean_words(flight);
    return err;
}

/* All of it from one descriptor: it may be a pipe. */
int rmdi_flight_read(rmdi_flight *flight, const char *path)
{
    rmdi_buffer text = { 0 };
    *flight = (rmdi_flight){ 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
    bool known = fd >= 0 && read_all(fd, path, &text, HEAD) == 0 && is_one(&text);
    if (known)
        err = read_all(fd, path, &text, FILE_MAX);
    rmdi_fd_close(&fd);
    if (known && err == 0)
        err = rmdi_flight_parse(flight, path, &text);
    rmdi_buffer_free(&text);
    return known && err == 0 ? 1 : err;
}

void rmdi_flight_free(rmdi_flight *flight)
{
    rmdi_free(flight->threads);
    rmdi_free(flight->events);
    rmdi_free(flight->running);
    *flight = (rmdi_flight){ 0 };
}
