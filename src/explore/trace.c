/* SPDX-License-Identifier: MIT */
#include "explore/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_HEAD = 40, SHOWN_TAIL = 120, EVENTS_MAX = 100000 };

typedef struct event {
    const rmdi_site *site; /* NULL: a note */
    uint64_t value;
    const char *more;
    char thread[16];
    char note[64];
} event;

static struct {
    event *events;
    size_t len, room;
    bool wanted;
} trace;

void rmdi_trace_record(bool wanted)
{
    trace.wanted = wanted;
}

void rmdi_trace_begin(void)
{
    trace.len = 0;
}

void rmdi_trace_end(void)
{
    free(trace.events);
    memset(&trace, 0, sizeof trace);
}

static event *new_event(const rmdi_fiber *fiber)
{
    if (trace.len == trace.room) {
        size_t room = trace.room ? 2 * trace.room : 256;
        event *grown = room <= EVENTS_MAX ? realloc(trace.events, room * sizeof *grown) : NULL;
        if (!grown)
            return NULL; /* the rest is not shown */
        trace.events = grown;
        trace.room = room;
    }
    event *e = &trace.events[trace.len++];
    memset(e, 0, sizeof *e);
    memcpy(e->thread, fiber->name, sizeof e->thread);
    return e;
}

void rmdi_trace_add(const rmdi_fiber *fiber, const rmdi_site *site, uint64_t value,
                    const char *more)
{
    event *e = trace.wanted ? new_event(fiber) : NULL;
    if (!e)
        return;
    e->site = site;
    e->value = value;
    e->more = more;
}

void rmdi_trace_call(const rmdi_fiber *fiber, const rmdi_site *site)
{
    rmdi_trace_add(fiber, site, UINT64_MAX, NULL);
}

void rmdi_trace_note(const rmdi_fiber *fiber, const char *format, ...)
{
    event *e = trace.wanted ? new_event(fiber) : NULL;
    if (!e)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(e->note, sizeof e->note, format, args);
    va_end(args);
}

const char *rmdi_trace_file(const rmdi_site *site)
{
    const char *file = site ? site->file : "?";
    while (strncmp(file, "../", 3) == 0)
        file += 3;
    return file;
}

void rmdi_trace_place(const rmdi_fiber *fiber, char *text, size_t size)
{
    const rmdi_site *site = fiber->call ? fiber->call : fiber->site;
    snprintf(text, size, "%s:%d%s%s%s", rmdi_trace_file(site), site ? site->line : 0,
             fiber->call ? " (" : "", fiber->call ? site->object : "", fiber->call ? ")" : "");
}

static void print_value(FILE *to, const event *e)
{
    if (e->value == UINT64_MAX)
        return;
    if (e->value < 1u << 24)
        fprintf(to, " %" PRIu64, e->value);
    else
        fprintf(to, " 0x%" PRIx64, e->value);
}

static void print_event(FILE *to, size_t number, const event *e)
{
    char place[64] = "";
    if (e->site)
        snprintf(place, sizeof place, "%s:%d", rmdi_trace_file(e->site), e->site->line);
    fprintf(to, "  %4zu  %-15s  %-32s ", number + 1, e->thread, place);
    if (!e->site) {
        fprintf(to, "(%s)\n", e->note);
        return;
    }
    fprintf(to, "%s%s%s", e->site->operation, *e->site->operation ? " " : "", e->site->object);
    print_value(to, e);
    fprintf(to, "%s%s\n", e->more ? "  " : "", e->more ? e->more : "");
}

void rmdi_trace_print(FILE *to)
{
    fprintf(to, "  %4s  %-15s  %-32s %s\n", "step", "thread", "place", "what it did");
    for (size_t i = 0; i < trace.len; i++) {
        size_t tail = trace.len - i;
        if (i >= SHOWN_HEAD && tail > SHOWN_TAIL) {
            if (i == SHOWN_HEAD)
                fprintf(to, "        ... %zu more ...\n", tail - SHOWN_TAIL);
            continue;
        }
        print_event(to, i, &trace.events[i]);
    }
}
