/* SPDX-License-Identifier: MIT */
/* `remuda watch`: follows a run through its journal. Changes of the files wake it (inotify), the
 * end of the process does, a clock that makes the times go on, keys and signals. */
#include "job/watch.h"
#include "base/error.h"
#include "cli/verb.h"
#include "cli/watch_screen.h"
#include "job/liveness.h"
#include "port/clock.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <remuda/error.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SETTLE_MS = 50, /* a change is followed by others, at the end by the log's going */
    BETWEEN_PAGES_MS = 100,
    BETWEEN_LINES_MS = 1000,
    LOOK_SHARE = 10, /* looking takes at most this part of the time: others need the disk */
    TROUBLES_MAX = 3,
};

typedef struct options {
    const char *journal;
    bool once, help;
} options;

typedef struct session {
    rmdi_watch *watch;
    rmd_loop *loop;
    rmdi_screen screen;
    bool terminal; /* pages, not lines */
    int notices;   /* inotify */
    rmd_source *notice, *look, *clock, *process, *keys, *reader, *signals[7];
    char file[PATH_MAX], log[PATH_MAX + 8], folder[PATH_MAX];
    rmd_deadline next;    /* no look before */
    rmd_journal_run told; /* what the last line was about, with the tasks that were pending */
    uint64_t told_pending;
    unsigned troubles; /* looks that failed, one after the other */
    bool committing;   /* somebody was, while we looked */
    bool done;
    int status;
} session;

/* ---- words ---- */

static void help(void)
{
    printf(
        "usage: remuda watch [--once] JOURNAL\n\n"
        "Follows the run that writes JOURNAL (remuda run --journal JOURNAL), until it ends.\n"
        "On a terminal it shows a page: q or Ctrl-C leaves it, and the run goes on. Elsewhere\n"
        "it prints a line when the counts have changed, at most one a second. If no run is\n"
        "going on, it tells how the last one ended.\n\n"
        "      --once      print how things are, and leave\n"
        "  -h, --help      this\n\n"
        "Exit status: 0, whatever became of the run; 130 after Ctrl-C; 255: errors of its own.\n");
}

static int read_options(options *o, int argc, char **argv)
{
    bool words_only = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!words_only && strcmp(word, "--once") == 0)
            o->once = true;
        else if (!words_only && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0))
            o->help = true;
        else if (!words_only && strcmp(word, "--") == 0)
            words_only = true;
        else if (!words_only && *word == '-')
            return rmdi_fail(RMD_EINVAL,
                             "unknown option %s; there are --once and --help (./%s is a file)",
                             word, word);
        else if (o->journal)
            return rmdi_fail(RMD_EINVAL, "one journal at a time: %s or %s", o->journal, word);
        else
            o->journal = word;
    }
    if (o->journal || o->help)
        return 0;
    return rmdi_fail(RMD_EINVAL, "which journal? remuda watch JOURNAL follows what "
                                 "remuda run --journal JOURNAL ... does");
}

/* ---- printing ---- */

/* A reader that has gone is none of our errors. */
static int end_of_output(int error)
{
    if (error == EPIPE)
        return 128 + SIGPIPE;
    return rmdi_complain("watch", "writing the output: %s", strerror(error));
}

static int print(const rmdi_buffer *text)
{
    if (text->len)
        fwrite(text->data, 1, text->len, stdout);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    int error = errno;
    /* What could not be written would be tried again, and complained of again, at the end. */
    fclose(stdout);
    return end_of_output(error);
}

static int print_page(const rmdi_watch_state *state, bool terminal)
{
    unsigned columns = 0, lines;
    rmdi_buffer text = { 0 };
    if (terminal)
        rmdi_screen_size(&columns, &lines);
    int err = rmdi_watch_page(state, rmdi_clock_realtime_ns(), columns, 0, &text);
    int status = err < 0 ? rmdi_complain_error("watch", err) : print(&text);
    rmdi_buffer_free(&text);
    return status;
}

typedef int line_fn(const rmdi_watch_state *state, rmdi_buffer *text);

static int counts_line(const rmdi_watch_state *state, rmdi_buffer *text)
{
    return rmdi_watch_line(state, rmdi_clock_realtime_ns(), text);
}

static int print_line(const rmdi_watch_state *state, line_fn *fn)
{
    rmdi_buffer text = { 0 };
    int err = fn(state, &text);
    if (err == 0)
        err = rmdi_buffer_add_byte(&text, '\n');
    int status = err < 0 ? rmdi_complain_error("watch", err) : print(&text);
    rmdi_buffer_free(&text);
    return status;
}

static void leave(session *s, int status)
{
    s->done = true;
    s->status = status;
}

static bool is_news(const session *s)
{
    const rmd_journal_run *now = &s->watch->state.run, *old = &s->told;
    return now->id != old->id || s->watch->state.pending != s->told_pending ||
           now->total != old->total || now->skipped != old->skipped ||
           memcmp(&now->census, &old->census, sizeof now->census) != 0;
}

static void show(session *s)
{
    const rmdi_watch_state *state = &s->watch->state;
    rmdi_buffer page = { 0 };
    unsigned columns, lines;
    if (!s->terminal) {
        int status = is_news(s) ? print_line(state, counts_line) : 0;
        s->told = state->run;
        s->told_pending = state->pending;
        if (status)
            leave(s, status);
        return;
    }
    rmdi_screen_size(&columns, &lines);
    if (rmdi_watch_page(state, rmdi_clock_realtime_ns(), columns, lines, &page) == 0)
        rmdi_screen_show(&s->screen, &page);
    rmdi_buffer_free(&page);
    if (s->screen.error) /* the terminal has been taken away */
        leave(s, end_of_output(s->screen.error == EIO ? EPIPE : s->screen.error));
}

/* ---- the process ---- */

static bool is_ours(const char *host)
{
    char name[HOST_NAME_MAX + 1] = "";
    gethostname(name, sizeof name - 1);
    return strcmp(name, host) == 0;
}

static bool is_this_boot(const char *boot)
{
    char id[64];
    rmdi_boot_id(id, sizeof id);
    return *id && strcmp(id, boot) == 0;
}

static void on_gone(rmd_source *source, unsigned events, void *ctx);

/* The process of a run is found by its pid, within one boot and on one host. That is enough: the
 * kernel gives a pid out again only after it has gone through all others, and if it does, we wait
 * for a stranger and do no harm to it. Another host with the same boot is a container: its pids are
 * not ours, so that the end of the run is only seen when the run records it. */
static int find_process(session *s)
{
    rmdi_watch_state *state = &s->watch->state;
    bool here = is_ours(state->host), now = is_this_boot(state->boot);
    state->life = now ? RMDI_WATCH_ALIVE : here ? RMDI_WATCH_GONE : RMDI_WATCH_ELSEWHERE;
    if (!here || !now || rmdi_watch_is_over(state))
        return 0;
    int err = rmd_loop_child(s->loop, &s->process, state->run.pid, on_gone, s);
    if (err != RMD_ENOENT)
        return err;
    err = rmdi_watch_look(s->watch); /* it may have ended since we looked */
    state->life = RMDI_WATCH_GONE;
    return err;
}

/* ---- looking ---- */

/* -wal comes and goes with the runs, and after a restore the journal may be another file: what is
 * watched already stays. */
static int follow_files(session *s)
{
    if (inotify_add_watch(s->notices, s->folder, IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR) <
            0 ||
        inotify_add_watch(s->notices, s->file, IN_MODIFY) < 0)
        return errno == ENOSPC ? rmdi_fail(RMD_ENOSPC,
                                           "watching %s: no inotify watch is left; sysctl "
                                           "fs.inotify.max_user_watches allows more",
                                           s->file)
                               : rmdi_fail_errno(errno, "watching %s", s->file);
    inotify_add_watch(s->notices, s->log, IN_MODIFY); /* if it is there */
    return 0;
}

static bool is_about(const session *s, const char *name)
{
    const char *file = strrchr(s->file, '/') + 1, *log = strrchr(s->log, '/') + 1;
    return strcmp(name, file) == 0 || strcmp(name, log) == 0;
}

/* Takes all notices. Was one of them about the journal? In the folder others come and go. */
static bool take_notices(session *s)
{
    char space[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool some = false;
    for (ssize_t n; (n = read(s->notices, space, sizeof space)) > 0;)
        for (const char *at = space; at < space + n;) {
            const struct inotify_event *event = (const void *)at;
            some |= !event->len || is_about(s, event->name);
            at += sizeof *event + event->len;
        }
    return some;
}

/* Until the look nothing more has to wake us. */
static void on_notice(rmd_source *source, unsigned events, void *ctx)
{
    session *s = ctx;
    (void)events;
    if (!take_notices(s))
        return;
    rmd_source_set_events(source, 0);
    rmd_deadline soon = rmd_after_ms(SETTLE_MS);
    rmd_source_set_due(s->look, soon.ns > s->next.ns ? soon : s->next);
}

/* A commit is written to the log, which wakes us, but can be seen only when the disk has taken it,
 * which may last and wakes nobody. Until then its writer holds the lock at byte 120 of -shm
 * (https://www.sqlite.org/walformat.html). Asking for it takes it from nobody; the file must not be
 * open otherwise, as closing it would drop our own locks. */
static bool is_committing(const session *s)
{
    char path[sizeof s->log];
    snprintf(path, sizeof path, "%s-shm", s->file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct flock range = { .l_type = F_WRLCK, .l_start = 120, .l_len = 1 };
    bool locked = fd >= 0 && fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
    rmdi_fd_close(&fd);
    return locked;
}

static int look_now(session *s)
{
    int64_t begun = rmdi_clock_monotonic_ns();
    take_notices(s); /* before: what changes from now on wakes us again */
    int err = follow_files(s);
    s->committing = is_committing(s); /* then it may be too early to see what we were woken for */
    if (err == 0)
        err = rmdi_watch_look(s->watch);
    int64_t pause = (rmdi_clock_monotonic_ns() - begun) * LOOK_SHARE;
    int64_t least = (s->terminal ? BETWEEN_PAGES_MS : BETWEEN_LINES_MS) * INT64_C(1000000);
    s->next = rmd_after_ns(pause > least ? pause : least);
    return err;
}

/* While a run begins or ends, its files are exchanged, and a look may fail for that. */
static void on_trouble(session *s, int err)
{
    if (++s->troubles < TROUBLES_MAX)
        rmd_source_set_due(s->look, rmd_after_ms(BETWEEN_PAGES_MS));
    else
        leave(s, err);
}

static void on_look(rmd_source *source, unsigned events, void *ctx)
{
    session *s = ctx;
    (void)source;
    (void)events;
    int err = look_now(s);
    if (err < 0) {
        on_trouble(s, err);
        return;
    }
    s->troubles = 0;
    if (s->committing)
        rmd_source_set_due(s->look, s->next);
    rmd_source_set_events(s->notice, RMD_READABLE);
    if (rmdi_watch_is_over(&s->watch->state))
        leave(s, 0);
    else
        show(s);
}

static void on_gone(rmd_source *source, unsigned events, void *ctx)
{
    session *s = ctx;
    (void)events;
    rmd_source_free(source);
    s->process = NULL;
    s->watch->state.life = RMDI_WATCH_GONE; /* unless this look finds an end */
    rmd_source_set_due(s->look, RMD_NOW);
}

/* ---- what people do ---- */

static void on_clock(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    show(ctx);
}

static void on_key(rmd_source *source, unsigned events, void *ctx)
{
    session *s = ctx;
    char keys[64];
    (void)events;
    ssize_t n = read(0, keys, sizeof keys);
    if (n <= 0 && errno != EINTR && errno != EAGAIN) {
        rmd_source_free(source);
        s->keys = NULL;
    }
    if (n > 0 && (memchr(keys, 'q', (size_t)n) || memchr(keys, 'Q', (size_t)n)))
        leave(s, 0);
}

static void on_end_signal(rmd_source *source, unsigned signal, void *ctx)
{
    (void)source;
    leave(ctx, 128 + (int)signal);
}

static void on_resize(rmd_source *source, unsigned signal, void *ctx)
{
    (void)source;
    (void)signal;
    show(ctx);
}

/* Ctrl-Z: the shell gets its terminal back for the time. */
static void on_stop(rmd_source *source, unsigned signal, void *ctx)
{
    session *s = ctx;
    (void)source;
    (void)signal;
    rmdi_screen_leave(&s->screen);
    raise(SIGSTOP); /* returns when we are continued */
    if (rmdi_screen_enter(&s->screen, s->loop) == 0)
        show(s);
}

static void on_reader_gone(rmd_source *source, unsigned events, void *ctx)
{
    session *s = ctx;
    (void)source;
    if (events & RMD_HANGUP)
        leave(s, end_of_output(EPIPE));
}

/* ---- following ---- */

/* Without a page there is nothing to put back: signals do what they always do. */
static int watch_people(session *s)
{
    static const struct {
        int signal;
        rmd_source_fn *fn;
    } watched[] = { { SIGINT, on_end_signal }, { SIGTERM, on_end_signal },
                    { SIGHUP, on_end_signal }, { SIGQUIT, on_end_signal },
                    { SIGTSTP, on_stop },      { SIGWINCH, on_resize } };
    int err = rmdi_screen_enter(&s->screen, s->loop);
    for (size_t i = 0; i < sizeof watched / sizeof *watched && err == 0; i++) {
        struct sigaction action;
        sigaction(watched[i].signal, NULL, &action);
        if (action.sa_handler != SIG_IGN)
            err = rmd_loop_signal(s->loop, &s->signals[i], watched[i].signal, watched[i].fn, s);
    }
    if (err == 0 && s->screen.keys)
        err = rmd_loop_watch(s->loop, &s->keys, 0, RMD_READABLE, on_key, s);
    if (err == 0)
        err = rmd_loop_timer(s->loop, &s->clock, rmd_after_ms(1000), 1000, on_clock, s);
    return err;
}

/* A pipe whose reader has gone would else be noticed at the next line only. */
static int watch_reader(session *s)
{
    struct stat status;
    if (fstat(1, &status) < 0 || !(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
        return 0;
    return rmd_loop_watch(s->loop, &s->reader, 1, 0, on_reader_gone, s);
}

/* SQLite puts the log beside the file itself, not beside a link to it. */
static int find_files(session *s, const char *journal)
{
    if (!realpath(journal, s->file))
        return rmdi_fail_errno(errno, "journal %s", journal);
    snprintf(s->log, sizeof s->log, "%s-wal", s->file);
    size_t len = (size_t)(strrchr(s->file, '/') - s->file);
    snprintf(s->folder, sizeof s->folder, "%.*s", len ? (int)len : 1, s->file);
    s->notices = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (s->notices < 0)
        return rmdi_fail_errno(errno, "watching %s (sysctl fs.inotify.max_user_instances)",
                               journal);
    return 0;
}

static int follow(session *s, const char *journal)
{
    int err = find_files(s, journal);
    if (err == 0)
        err = rmd_loop_watch(s->loop, &s->notice, s->notices, RMD_READABLE, on_notice, s);
    if (err == 0) /* at once: it may have changed before we watched it */
        err = rmd_loop_timer(s->loop, &s->look, RMD_NOW, 0, on_look, s);
    if (err == 0)
        err = s->terminal ? watch_people(s) : watch_reader(s);
    while (!s->done && err >= 0)
        err = rmd_loop_turn(s->loop, RMD_FOREVER);
    return err < 0 ? err : s->status < 0 ? s->status : 0;
}

/* How it ended, or that it goes on without us. */
static int take_leave(session *s)
{
    const rmdi_watch_state *state = &s->watch->state;
    bool over = rmdi_watch_is_over(state), stuck = rmdi_screen_is_stuck(&s->screen);
    bool lost = s->screen.error || s->status == 128 + SIGPIPE || s->status == RMDI_EXIT_OWN_ERROR;
    rmdi_screen_leave(&s->screen);
    if (lost || (stuck && !over)) /* nobody reads, and who pressed a key shall not wait */
        return s->status;
    int status = s->terminal && over ? print_page(state, true)
                                     : print_line(state, rmdi_watch_last_words);
    return status ? status : s->status;
}

/* ---- the verb ---- */

static int watch_run(session *s, const options *o)
{
    int err = rmdi_watch_open(&s->watch, o->journal);
    if (err == 0)
        err = rmdi_watch_look(s->watch);
    if (err == 0)
        err = rmd_loop_open(&s->loop);
    if (err == 0)
        err = find_process(s);
    if (err < 0)
        return rmdi_complain_error("watch", err);
    if (o->once)
        return print_page(&s->watch->state, isatty(1));
    if (rmdi_watch_is_over(&s->watch->state))
        return take_leave(s);
    err = follow(s, o->journal);
    if (err == 0)
        return take_leave(s);
    rmdi_screen_leave(&s->screen); /* before anything is said */
    return rmdi_complain_error("watch", err);
}

int rmdi_verb_watch(int argc, char **argv)
{
    options o = { 0 };
    session s = { .notices = -1 };
    int status = 0;
    signal(SIGPIPE, SIG_IGN); /* told by the error of the write */
    if (read_options(&o, argc, argv) < 0)
        return rmdi_complain("watch", "%s", rmd_error_detail());
    if (o.help) {
        help();
        return 0;
    }
    s.terminal = rmdi_screen_is_possible();
    status = watch_run(&s, &o);
    rmdi_screen_free(&s.screen);
    rmd_loop_free(s.loop);
    rmdi_fd_close(&s.notices);
    rmdi_watch_free(s.watch);
    return status;
}
