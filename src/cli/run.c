/* SPDX-License-Identifier: MIT */
/* `remuda run`: options, signals, and the loop that a run lives on. */
#include "base/error.h"
#include "cli/run_options.h"
#include "cli/shell_choice.h"
#include "cli/verb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <remuda/recorder.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct session {
    rmd_loop *loop;
    rmdi_run *run;
    rmd_source *signals[5];
    bool done;
    unsigned interrupts; /* INT, TERM, HUP that came */
    int signal;          /* the first of them */
    char detail[512];    /* why the loop ended before the run */
} session;

/* ---- signals ---- */

static const char *name_of(int signal)
{
    return signal == SIGINT ? "interrupted" : signal == SIGTERM ? "terminated" : "hung up";
}

static void first_interrupt(session *s, int signal)
{
    char text[200];
    s->signal = signal;
    unsigned left = rmdi_run_drain(s->run);
    if (left)
        snprintf(text, sizeof text,
                 "remuda: %s: starting nothing new; waiting for %u running task%s "
                 "(again: cancel them)\n",
                 name_of(signal), left, left == 1 ? "" : "s");
    else
        snprintf(text, sizeof text, "remuda: %s: starting nothing new; no task runs\n",
                 name_of(signal));
    rmdi_run_say(s->run, text);
}

static void second_interrupt(session *s, int signal)
{
    char text[200];
    unsigned left = rmdi_run_cancel(s->run);
    snprintf(text, sizeof text,
             "remuda: %s again: cancelling %u running task%s (again: leave at "
             "once)\n",
             name_of(signal), left, left == 1 ? "" : "s");
    rmdi_run_say(s->run, text);
}

static void on_interrupt(rmd_source *source, unsigned signal, void *ctx)
{
    session *s = ctx;
    (void)source;
    switch (++s->interrupts) {
    case 1: first_interrupt(s, (int)signal); return;
    case 2: second_interrupt(s, (int)signal); return;
    }
    /* This does not block, not even when nobody reads it. */
    rmdi_run_say(s->run, "remuda: leaving at once; the guard ends what still runs\n");
    _exit(128 + s->signal);
}

/* Ctrl-Z: the programs lead groups of their own, so the terminal stops only us. */
static void on_stop(rmd_source *source, unsigned signal, void *ctx)
{
    session *s = ctx;
    (void)source;
    (void)signal;
    rmdi_run_suspend(s->run, true);
    raise(SIGSTOP); /* returns when we are continued */
    rmdi_run_suspend(s->run, false);
}

static int watch_signals(session *s)
{
    static const struct {
        int signal;
        rmd_source_fn *fn;
    } watched[] = { { SIGINT, on_interrupt },
                    { SIGTERM, on_interrupt },
                    { SIGHUP, on_interrupt },
                    { SIGTSTP, on_stop } };
    int err = 0;
    for (size_t i = 0; i < sizeof watched / sizeof *watched && err == 0; i++) {
        struct sigaction action;
        sigaction(watched[i].signal, NULL, &action);
        if (action.sa_handler == SIG_IGN) /* nohup, or a shell without job control */
            continue;
        err = rmd_loop_signal(s->loop, &s->signals[i], watched[i].signal, watched[i].fn, s);
        if (err == 0)
            rmd_source_set_background(s->signals[i], true);
    }
    return err;
}

/* ---- the verb ---- */

static void on_done(void *ctx)
{
    session *s = ctx;
    s->done = true;
    rmd_loop_stop(s->loop);
}

static int exit_status(session *s, const char **detail)
{
    int status = rmdi_run_status(s->run, detail);
    if (!s->done) {
        status = RMDI_EXIT_OWN_ERROR;
        *detail = s->detail;
    }
    return s->signal && status != RMDI_EXIT_OWN_ERROR ? 128 + s->signal : status;
}

static int finish(session *s)
{
    char text[600];
    const char *detail;
    /* Nothing runs any more, but a slow disk or reader may keep us: signals end us again. */
    for (size_t i = 0; i < sizeof s->signals / sizeof *s->signals; i++)
        rmd_source_free(s->signals[i]);
    snprintf(s->detail, sizeof s->detail, "%s", s->done ? "" : rmd_error_detail());
    int status = exit_status(s, &detail);
    rmdi_run_seal(s->run, status);
    status = exit_status(s, &detail);
    if (status == RMDI_EXIT_OWN_ERROR && *detail) {
        snprintf(text, sizeof text, "remuda run: %s\n", detail);
        rmdi_run_say(s->run, text);
    }
    rmdi_run_close(s->run, RMD_FOREVER);
    return status;
}

/* --wd: with the directories above it, as GNU parallel does. That it exists is no error; that
 * it is none is told by the tasks. */
static int make_directories(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof part)
        return rmdi_fail_errno(ENAMETOOLONG, "--wd \"%.80s...\"", path);
    for (size_t n = 1; n <= len; n++) {
        if (path[n] && path[n] != '/')
            continue;
        memcpy(part, path, n);
        part[n] = 0;
        if (mkdir(part, 0777) < 0 && errno != EEXIST)
            return rmdi_fail_errno(errno, "--wd \"%s\"", path);
    }
    return 0;
}

/* --record. Of a crash nobody can be told that it could not be written, of the end somebody can. */
static int begin_record(const char *path)
{
    rmd_recorder_options options = {
        .size = sizeof options, .path = path, .signal = SIGUSR2, .crash = true
    };
    return path ? rmd_recorder_on(&options) : 0;
}

static int end_record(const char *path, int status)
{
    if (path && rmd_recorder_save(NULL, RMD_RECORDER_AUTO) < 0)
        return rmdi_complain("run", "--record: %s", rmd_error_detail());
    return status;
}

static int run_on_loop(session *s, const rmdi_cli_run *cli)
{
    int err = cli->run.dir && !cli->run.dry_run ? make_directories(cli->run.dir) : 0;
    if (err == 0)
        err = rmd_loop_open(&s->loop);
    if (err == 0) /* first: it may wait for a FIFO or count a large file, and can be interrupted */
        err = rmdi_run_open(&s->run, s->loop, &cli->run, on_done, s);
    if (err < 0)
        return rmdi_complain_error("run", err);
    err = watch_signals(s);
    if (err < 0)
        return finish(s);
    if (!cli->run.inputs.sources_count && !cli->run.pipe && isatty(0) && isatty(2))
        rmdi_run_say(s->run, "remuda: reading inputs from the terminal, one a line; Ctrl-D ends "
                             "them (::: gives them on the command line)\n");
    rmdi_run_start(s->run);
    while (!s->done && err >= 0)
        err = rmd_loop_turn(s->loop, RMD_FOREVER);
    return finish(s);
}

int rmdi_verb_run(int argc, char **argv)
{
    rmdi_cli_run cli;
    session s = { 0 };
    /* A child that was started with SIGCHLD ignored could not know its own children's
     * ends; a write to a closed pipe is told by its error. */
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    int status = 0, err = rmdi_cli_run_read(&cli, argc, argv);
    if (err == 0 && cli.help)
        rmdi_cli_run_help();
    cli.run.shell_given = cli.run.template.shell;
    if (!cli.run.template.shell)
        cli.run.template.shell = rmdi_choose_shell();
    cli.run.template.is_program = rmdi_is_program;
    cli.run.census |= isatty(2) && !cli.run.quiet;
    if (err < 0)
        status = rmdi_complain("run", "%s", rmd_error_detail());
    else if (!cli.help && begin_record(cli.record) < 0)
        status = rmdi_complain("run", "--record: %s", rmd_error_detail());
    else if (!cli.help)
        status = end_record(cli.record, run_on_loop(&s, &cli));
    rmd_loop_free(s.loop);
    rmdi_cli_run_free(&cli);
    return status;
}
