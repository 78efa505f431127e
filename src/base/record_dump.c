/* SPDX-License-Identifier: MIT */
/* How a record is made while all others go on
 * --------------------------------------------
 * First, of each thread, who it is and where its events begin and end; that is what the record will
 * hold. Then the events of all of them, merged by their time: each ring is read event by event, and
 * what was overwritten before its turn is counted, and a `gap` stands for it. So there is no copy
 * of it all, and what is needed is a table, whose memory comes straight from the system: this runs
 * in signal handlers, on small stacks, and perhaps with the heap broken. */
#include "base/record_dump.h"

#include "base/record_out.h"
#include "base/recorder.h"
#include "port/clock.h"
#include "port/forked.h"
#include "port/pages.h"
#include "port/tick.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { OPEN_MAX = 16 };

typedef struct thread {
    rmdi_recorded *recorded;
    uint32_t epoch, number, system_number;
    bool ended;
    uint64_t task;
    uint64_t kept, lost; /* events, of both rings */
    char name[RMDI_RECORD_NAME_BYTES];
    /* of a trace: the slices that are open, by their kinds; more are not closed at a gap */
    unsigned open_len;
    uint8_t open[OPEN_MAX];
} thread;

/* A ring that is being read. */
typedef struct source {
    thread *thread;
    const rmdi_record_ring *ring;
    uint64_t at, end;
    uint64_t gap;                      /* events before it that were overwritten */
    bool has;                          /* the event `at` is in `words` */
    uint64_t words[RMDI_RECORD_WORDS]; /* tick, kind, id, value */
} source;

typedef struct dump {
    const rmdi_record_cause *cause;
    rmdi_record_moment began, now;
    double ns_per_tick;
    int64_t realtime_ns;
    uint64_t process; /* the mark of this one */
    unsigned threads_len, sources_len;
    uint64_t written, overwritten;
    thread threads[RMDI_RECORD_THREADS_MAX];
    source sources[2 * RMDI_RECORD_THREADS_MAX];
    rmdi_recorded *all[RMDI_RECORD_THREADS_MAX];
    rmdi_record_out out;
} dump;

typedef struct kind {
    const char *name, *id, *value;
    char phase;
    const char *slice;
} kind;

static const kind kinds[] = {
#define KIND(symbol, name, id, value, few, phase, slice) { name, id, value, phase, slice },
    RMDI_RECORD_KINDS(KIND)
#undef KIND
};

const char *rmdi_record_signal_name(int signal)
{
    switch (signal) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGILL: return "SIGILL";
    case SIGFPE: return "SIGFPE";
    case SIGABRT: return "SIGABRT";
    case SIGUSR1: return "SIGUSR1";
    case SIGUSR2: return "SIGUSR2";
    case SIGHUP: return "SIGHUP";
    case SIGQUIT: return "SIGQUIT";
    case SIGTERM: return "SIGTERM";
    default: return "signal";
    }
}

/* ---- collecting ---- */

static void read_name(thread *t, const rmdi_recorded *recorded)
{
    for (int i = 0; i < RMDI_RECORD_NAME_BYTES / 8; i++) {
        uint64_t word = rmd_atomic_load(&recorded->name[i], RMD_RELAXED);
        memcpy(t->name + i * 8, &word, sizeof word);
    }
    t->name[sizeof t->name - 1] = 0;
}

static void add_source(dump *d, thread *t, int which)
{
    const rmdi_record_ring *ring = &t->recorded->rings[which];
    uint64_t end = rmdi_record_ring_head(ring);
    uint64_t first = rmd_atomic_load(&t->recorded->first[which], RMD_RELAXED), at = first;
    if (end - at >= ring->size) /* the oldest cell may just be written */
        at = end - ring->size + 1;
    t->kept += end - at;
    t->lost += at - first;
    d->sources[d->sources_len++] = (source){ .thread = t, .ring = ring, .at = at, .end = end };
}

/* In a child made by fork() the threads of the parent are not there, but for the one that is. */
static void read_state(const dump *d, thread *t)
{
    const rmdi_recorded *recorded = t->recorded;
    bool mine = recorded == rmdi_recorded_here;
    bool is_here = mine || rmd_atomic_load(&recorded->process, RMD_RELAXED) == d->process;
    t->system_number = mine ? rmdi_thread_number()
                            : rmd_atomic_load(&recorded->thread, RMD_RELAXED);
    t->ended = !is_here || rmd_atomic_load(&recorded->state, RMD_ACQUIRE) == RMDI_RECORDED_ENDED;
    t->task = is_here ? rmd_atomic_load(&recorded->task, RMD_RELAXED) : 0;
}

/* False: another thread is just taking it over. */
static bool add_thread(dump *d, rmdi_recorded *recorded)
{
    thread *t = &d->threads[d->threads_len];
    unsigned sources = d->sources_len;
    *t = (thread){ .recorded = recorded };
    /* Acquire: of what was written before it became even. */
    t->epoch = rmd_atomic_load(&recorded->epoch, RMD_ACQUIRE);
    if (t->epoch & 1)
        return false;
    t->number = rmd_atomic_load(&recorded->number, RMD_RELAXED);
    read_state(d, t);
    read_name(t, recorded);
    add_source(d, t, 0);
    add_source(d, t, 1);
    rmd_fence(RMD_ACQUIRE); /* with that of who takes it over */
    if (rmd_atomic_load(&recorded->epoch, RMD_RELAXED) == t->epoch) {
        d->threads_len++;
        return true;
    }
    d->sources_len = sources;
    return false;
}

static void collect(dump *d)
{
    unsigned n = rmdi_recorder_all(d->all);
    d->process = rmdi_process_mark();
    for (unsigned i = 0; i < n; i++)
        (void)add_thread(d, d->all[i]);
    d->now = rmdi_recorder_now(); /* after the ends were seen: all events are earlier */
    d->realtime_ns = rmdi_clock_realtime_ns();
    uint64_t ticks = d->now.tick - d->began.tick;
    d->ns_per_tick = ticks ? (double)(d->now.ns - d->began.ns) / (double)ticks : 1;
}

/* Before now, so that what is printed last is exact; on another processor it may have been a little
 * later. */
static int64_t ns_of(const dump *d, uint64_t tick)
{
    if (tick >= d->now.tick)
        return d->now.ns;
    return d->now.ns - (int64_t)((double)(d->now.tick - tick) * d->ns_per_tick);
}

/* ---- merging ---- */

/* Has the next event of the source ready, if there is one. */
static void load(dump *d, source *s)
{
    while (!s->has && s->at < s->end) {
        s->has = rmdi_record_ring_read(s->ring, s->at, s->words) &&
                 rmd_atomic_load(&s->thread->recorded->epoch, RMD_RELAXED) == s->thread->epoch &&
                 s->words[1] < RMDI_RECORD_KINDS_LEN;
        if (s->has)
            return;
        s->at++;
        s->gap++;
        d->overwritten++;
    }
}

/* The earliest of all; NULL: there is none left. */
static source *next_source(dump *d)
{
    source *earliest = NULL;
    for (unsigned i = 0; i < d->sources_len; i++) {
        source *s = &d->sources[i];
        load(d, s);
        if (s->has && (!earliest || s->words[0] < earliest->words[0]))
            earliest = s;
    }
    return earliest;
}

/* Says that something is missing before this tick, if it is. */
static void end_gap(dump *d, source *s, uint64_t tick,
                    void (*write_event)(dump *d, const source *s))
{
    source missing = { .thread = s->thread, .words = { tick, RMDI_RECORD_GAP, 0, s->gap } };
    if (s->gap)
        write_event(d, &missing);
    s->gap = 0;
}

static void merge(dump *d, void (*write_event)(dump *d, const source *s))
{
    for (source *s; !d->out.error && (s = next_source(d));) {
        end_gap(d, s, s->words[0], write_event);
        write_event(d, s);
        s->has = false;
        s->at++;
        d->written++;
    }
    for (unsigned i = 0; i < d->sources_len; i++)
        end_gap(d, &d->sources[i], d->now.tick, write_event);
}

/* ---- text ---- */

static void field(dump *d, const char *name, uint64_t number)
{
    rmdi_out_text(&d->out, name);
    rmdi_out_number(&d->out, number);
}

static uint32_t crashed_thread(const dump *d)
{
    const rmdi_recorded *here = d->cause->crash ? rmdi_recorded_here : NULL;
    return here ? rmd_atomic_load(&here->number, RMD_RELAXED) : 0;
}

static void text_cause(dump *d)
{
    const rmdi_record_cause *cause = d->cause;
    rmdi_out_text(&d->out, cause->crash ? "crash" : cause->signal ? "signal" : "request");
    if (!cause->signal)
        return;
    field(d, " ", (uint64_t)cause->signal);
    rmdi_out_text(&d->out, " ");
    rmdi_out_text(&d->out, rmdi_record_signal_name(cause->signal));
    if (cause->crash)
        field(d, " thread=", crashed_thread(d));
    if (cause->address) {
        rmdi_out_text(&d->out, " address=");
        rmdi_out_hex(&d->out, cause->address);
    }
}

static void text_head(dump *d)
{
    rmdi_record_out *out = &d->out;
    rmdi_out_text(out, "remuda flight record 1\nprogram: ");
    rmdi_out_word(out, program_invocation_short_name);
    field(d, "\npid: ", (uint64_t)getpid());
    rmdi_out_text(out, "\nwritten: ");
    rmdi_out_utc(out, d->realtime_ns);
    rmdi_out_text(out, "\nmonotonic: ");
    rmdi_out_seconds(out, d->now.ns);
    rmdi_out_text(out, "\nbecause: ");
    text_cause(d);
    rmdi_out_text(out, "\nclock: ");
    rmdi_out_text(out, rmdi_tick_is_counter() ? "counter" : "system");
    field(d, "\nthreads: ", d->threads_len);
    field(d, "\nunrecorded: ", rmdi_recorder_unrecorded());
    rmdi_out_text(out, "\n");
}

static void text_thread(dump *d, const thread *t)
{
    field(d, "thread: ", t->number);
    field(d, " system=", t->system_number);
    rmdi_out_text(&d->out, " name=");
    rmdi_out_word(&d->out, t->name);
    rmdi_out_text(&d->out, t->ended ? " ended" : " live");
    field(d, " task=", t->task);
    field(d, " kept=", t->kept);
    field(d, " lost=", t->lost);
    rmdi_out_text(&d->out, "\n");
}

static void text_event(dump *d, const source *s)
{
    const kind *k = &kinds[s->words[1]];
    int64_t ns = ns_of(d, s->words[0]);
    rmdi_out_seconds(&d->out, ns - d->now.ns);
    rmdi_out_text(&d->out, " ");
    rmdi_out_seconds(&d->out, ns);
    field(d, " ", s->thread->number);
    rmdi_out_text(&d->out, " ");
    rmdi_out_word(&d->out, s->thread->name);
    rmdi_out_text(&d->out, " ");
    rmdi_out_text(&d->out, k->name);
    if (*k->id) {
        rmdi_out_text(&d->out, " ");
        rmdi_out_text(&d->out, k->id);
        field(d, "=", s->words[2]);
    }
    if (*k->value) {
        rmdi_out_text(&d->out, " ");
        rmdi_out_text(&d->out, k->value);
        rmdi_out_text(&d->out, "=");
        rmdi_out_signed(&d->out, (int64_t)s->words[3]);
    }
    rmdi_out_text(&d->out, "\n");
}

static void write_text(dump *d)
{
    text_head(d);
    for (unsigned i = 0; i < d->threads_len; i++)
        text_thread(d, &d->threads[i]);
    rmdi_out_text(&d->out, "\n");
    merge(d, text_event);
    field(d, "\nend: ", d->written);
    field(d, " events, ", d->overwritten);
    rmdi_out_text(&d->out, " overwritten meanwhile\n");
}

/* ---- trace ---- */

static void key(dump *d, const char *name)
{
    rmdi_out_text(&d->out, ",\"");
    rmdi_out_text(&d->out, name);
    rmdi_out_text(&d->out, "\":");
}

static void key_number(dump *d, const char *name, int64_t number)
{
    key(d, name);
    rmdi_out_signed(&d->out, number);
}

static void key_word(dump *d, const char *name, const char *word)
{
    key(d, name);
    rmdi_out_text(&d->out, "\"");
    rmdi_out_word(&d->out, word);
    rmdi_out_text(&d->out, "\"");
}

static void trace_cause(dump *d)
{
    const rmdi_record_cause *cause = d->cause;
    key_word(d, "because", cause->crash ? "crash" : cause->signal ? "signal" : "request");
    if (!cause->signal)
        return;
    key_number(d, "signal", cause->signal);
    key_word(d, "signal_name", rmdi_record_signal_name(cause->signal));
    if (cause->crash)
        key_number(d, "thread", crashed_thread(d));
    if (cause->address) {
        key(d, "address");
        rmdi_out_text(&d->out, "\"");
        rmdi_out_hex(&d->out, cause->address);
        rmdi_out_text(&d->out, "\"");
    }
}

static void trace_head(dump *d)
{
    rmdi_out_text(&d->out,
                  "{\"displayTimeUnit\":\"ns\",\n\"otherData\":{\"remuda_flight_record\":1");
    key_word(d, "program", program_invocation_short_name);
    key_number(d, "pid", getpid());
    key(d, "written");
    rmdi_out_text(&d->out, "\"");
    rmdi_out_utc(&d->out, d->realtime_ns);
    rmdi_out_text(&d->out, "\"");
    key(d, "monotonic");
    rmdi_out_seconds(&d->out, d->now.ns);
    trace_cause(d);
    key_word(d, "clock", rmdi_tick_is_counter() ? "counter" : "system");
    key_number(d, "threads", d->threads_len);
    key_number(d, "unrecorded", (int64_t)rmdi_recorder_unrecorded());
    rmdi_out_text(&d->out, "},\n\"traceEvents\":[\n{\"ph\":\"M\",\"name\":\"process_name\"");
    key_number(d, "pid", getpid());
    rmdi_out_text(&d->out, ",\"args\":{\"name\":\"");
    rmdi_out_word(&d->out, program_invocation_short_name);
    rmdi_out_text(&d->out, "\"}}");
}

static void trace_thread(dump *d, const thread *t)
{
    rmdi_out_text(&d->out, ",\n{\"ph\":\"M\",\"name\":\"thread_name\"");
    key_number(d, "pid", getpid());
    key_number(d, "tid", t->number);
    rmdi_out_text(&d->out, ",\"args\":{\"name\":\"");
    rmdi_out_word(&d->out, t->name);
    rmdi_out_text(&d->out, "\"");
    key_number(d, "system", t->system_number);
    key_word(d, "state", t->ended ? "ended" : "live");
    key_number(d, "task", (int64_t)t->task);
    key_number(d, "kept", (int64_t)t->kept);
    key_number(d, "lost", (int64_t)t->lost);
    rmdi_out_text(&d->out, "}}");
}

/* What the format wants besides: the phase, and what it needs. */
static void trace_phase(dump *d, const kind *k, uint64_t id)
{
    char phase[2] = { k->phase, 0 };
    key_word(d, "ph", phase);
    key_word(d, "cat", k->phase == 'i' ? "event" : k->slice);
    if (k->phase == 'i')
        key_word(d, "s", "t");
    if (k->phase == 'b' || k->phase == 'e')
        key_number(d, "id", (int64_t)id);
}

/* Begins an event. The phase, and what the format wants with it. */
static void trace_begin(dump *d, const source *s, const kind *k, uint64_t id, const char *event)
{
    rmdi_out_text(&d->out, ",\n{\"name\":\"");
    rmdi_out_text(&d->out, *k->slice ? k->slice : k->name);
    rmdi_out_text(&d->out, "\"");
    trace_phase(d, k, id);
    key(d, "ts");
    rmdi_out_micros(&d->out, ns_of(d, s->words[0]));
    key_number(d, "pid", getpid());
    key_number(d, "tid", s->thread->number);
    rmdi_out_text(&d->out, ",\"args\":{\"event\":\"");
    rmdi_out_text(&d->out, event);
    rmdi_out_text(&d->out, "\"");
}

/* When they ended is not known: else they would last until the end of all. */
static void close_slices(dump *d, const source *gap)
{
    for (thread *t = gap->thread; t->open_len;) {
        kind end = kinds[t->open[--t->open_len]];
        end.phase = 'E';
        trace_begin(d, gap, &end, 0, "gap_closes");
        rmdi_out_text(&d->out, "}}");
    }
}

static void note_slice(thread *t, rmdi_record_kind which)
{
    unsigned at = t->open_len;
    if (kinds[which].phase == 'B' && at < OPEN_MAX)
        t->open[t->open_len++] = (uint8_t)which;
    if (kinds[which].phase != 'E')
        return;
    while (at && strcmp(kinds[t->open[at - 1]].slice, kinds[which].slice) != 0)
        at--;
    if (at)
        t->open_len = at - 1;
}

static void trace_event(dump *d, const source *s)
{
    rmdi_record_kind which = (rmdi_record_kind)s->words[1];
    const kind *k = &kinds[which];
    trace_begin(d, s, k, s->words[2], k->name);
    if (*k->id)
        key_number(d, k->id, (int64_t)s->words[2]);
    if (*k->value)
        key_number(d, k->value, (int64_t)s->words[3]);
    rmdi_out_text(&d->out, "}}");
    note_slice(s->thread, which);
    if (which == RMDI_RECORD_GAP)
        close_slices(d, s);
}

static void write_trace(dump *d)
{
    trace_head(d);
    for (unsigned i = 0; i < d->threads_len; i++)
        trace_thread(d, &d->threads[i]);
    merge(d, trace_event);
    rmdi_out_text(&d->out, "\n]}\n");
}

int rmdi_record_dump(int fd, rmd_recorder_format format, const rmdi_record_cause *cause)
{
    rmdi_record_moment began;
    if (!rmdi_recorder_began(&began))
        return ENODATA;
    dump *d = rmdi_pages_get(sizeof *d);
    if (!d)
        return ENOMEM;
    d->cause = cause;
    d->began = began;
    d->out.fd = fd;
    collect(d);
    if (format == RMD_RECORDER_TRACE)
        write_trace(d);
    else
        write_text(d);
    int err = rmdi_out_end(&d->out);
    rmdi_pages_give(d, sizeof *d);
    return err;
}
