/* SPDX-License-Identifier: MIT */
#include "explore/trace.h"

#include "explore/heap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    FOLDED_MIN = 4,  /* steps inside Remuda, one after the other, are left out */
    SHOWN_HEAD = 60, /* of the steps that are left the first ones and the last ones are shown */
    SHOWN_MAX = 240,
    EVENTS_MAX = 100000,
    NAMED_MAX = 64,
};

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
    rmdi_real_free(trace.events);
    memset(&trace, 0, sizeof trace);
}

static event *new_event(const rmdi_fiber *fiber)
{
    if (trace.len == trace.room) {
        size_t room = trace.room ? 2 * trace.room : 256;
        event *grown = room <= EVENTS_MAX ? rmdi_real_realloc(trace.events, room * sizeof *grown)
                                          : NULL;
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

/* Addresses, and whatever else is as large, differ from run to run: they are numbered as they come.
 * 0: there are too many. */
static unsigned name_of_large(uint64_t value)
{
    static uint64_t named[NAMED_MAX];
    static unsigned len;
    if (!value) { /* a new trace */
        len = 0;
        return 0;
    }
    for (unsigned i = 0; i < len; i++)
        if (named[i] == value)
            return i + 1;
    if (len == NAMED_MAX)
        return 0;
    named[len++] = value;
    return len;
}

static void print_value(FILE *to, const event *e)
{
    if (e->value == UINT64_MAX)
        return;
    if (e->value < 1u << 24)
        fprintf(to, " %" PRIu64, e->value);
    else
        fprintf(to, " #%u", name_of_large(e->value));
}

static void print_event(FILE *to, size_t number, const event *e)
{
    char place[64] = "";
    if (e->site)
        snprintf(place, sizeof place, "%s:%d", rmdi_trace_file(e->site), e->site->line);
    fprintf(to, "  %4zu  %-15s  %-36s ", number + 1, e->thread, place);
    if (!e->site) {
        fprintf(to, "(%s)\n", e->note);
        return;
    }
    fprintf(to, "%s%s%s", e->site->operation, *e->site->operation ? " " : "", e->site->object);
    print_value(to, e);
    fprintf(to, "%s%s\n", e->more ? "  " : "", e->more ? e->more : "");
}

static bool is_inside(const event *e)
{
    return e->site && e->site->inside;
}

/* How many steps inside Remuda begin with this one. */
static size_t run_inside(size_t from)
{
    size_t n = 0;
    while (from + n < trace.len && is_inside(&trace.events[from + n]))
        n++;
    return n;
}

/* How many are left out from this one on. */
static size_t left_out(size_t i, size_t shown, bool inside_too)
{
    size_t inside = inside_too ? 0 : run_inside(i);
    if (inside >= FOLDED_MIN)
        return inside;
    bool far = shown > SHOWN_HEAD && trace.len - i > SHOWN_MAX - SHOWN_HEAD;
    return far ? trace.len - i - (SHOWN_MAX - SHOWN_HEAD) : 0;
}

void rmdi_trace_print(FILE *to, bool inside_too)
{
    size_t shown = 0;
    name_of_large(0);
    fprintf(to, "  %4s  %-15s  %-36s %s\n", "step", "thread", "place", "what it did");
    for (size_t i = 0; i < trace.len;) {
        size_t out = left_out(i, shown++, inside_too);
        if (out)
            fprintf(to, "        ... %zu more ...\n", out);
        else
            print_event(to, i, &trace.events[i]);
        i += out ? out : 1;
    }
}
