/* SPDX-License-Identifier: MIT */
/* Programs that are run once for each call: the argument goes into standard input, what comes out
 * of standard output is the result. */
#include "base/error.h"
#include "exec/foreign.h"
#include "exec/foreign_child.h"
#include "exec/foreign_crew.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 * 1024, WORDS_MAX = 240, CAUSE_MAX = 160 };

typedef struct run_state {
    const rmdi_foreign *foreign;
    rmdi_foreign_child child;
    int in, out;     /* our ends; -1: closed */
    rmd_bytes input; /* what is left of it */
    rmdi_buffer output;
} run_state;

/* ---- the bytes ---- */

static void give_input(run_state *r)
{
    while (r->in >= 0 && r->input.len) {
        ssize_t n = rmdi_fd_write_quietly(r->in, r->input.data, r->input.len);
        if (n == -EAGAIN)
            return;
        if (n < 0 && n != -EINTR)
            break; /* it does not want all of it: that is its own affair */
        if (n > 0)
            r->input = (rmd_bytes){ (const char *)r->input.data + n, r->input.len - (size_t)n };
    }
    rmdi_fd_close(&r->in);
}

static int check_output(const run_state *r)
{
    size_t most = r->foreign->answer_bytes_max;
    return r->output.len <= most
               ? 0
               : rmdi_fail(RMD_E2BIG, "has written more than %zu bytes, and was ended", most);
}

/* What is there now. */
static int take_output(run_state *r)
{
    int err = 0;
    while (r->out >= 0 && err == 0) {
        err = rmdi_buffer_reserve(&r->output, PIECE_BYTES);
        if (err < 0)
            return err;
        ssize_t got = read(r->out, r->output.data + r->output.len, PIECE_BYTES);
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got == 0)
            rmdi_fd_close(&r->out);
        if (got > 0)
            rmdi_buffer_filled(&r->output, (size_t)got);
        err = check_output(r);
    }
    return err;
}

/* ---- running ---- */

static int turn(run_state *r, rmd_deadline due)
{
    rmdi_fd_wanted wanted[2 + RMDI_FOREIGN_CHILD_WANTS];
    unsigned n = 0;
    if (r->in >= 0)
        wanted[n++] = (rmdi_fd_wanted){ .fd = r->in, .events = RMD_WRITABLE };
    if (r->out >= 0)
        wanted[n++] = (rmdi_fd_wanted){ .fd = r->out, .events = RMD_READABLE };
    int err = rmdi_foreign_child_wait(&r->child, wanted, n, due);
    give_input(r);
    return err < 0 ? err : take_output(r);
}

/* One that has ended by now counts. */
static int explain_stop(run_state *r, int err)
{
    rmdi_foreign_child_await(&r->child, 0);
    if (r->child.over)
        return 0;
    return err == RMD_ECANCELED ? rmdi_fail(err, "was ended, as its task was told to stop")
                                : rmdi_fail(err, "has not ended within %lld ms, and was ended",
                                            (long long)r->foreign->answer_ms);
}

static int follow(run_state *r)
{
    rmd_deadline due = rmdi_foreign_due(r->foreign);
    int err = 0;
    give_input(r);
    while (!r->child.over && err == 0)
        err = turn(r, due);
    return err == RMD_ETIMEDOUT || err == RMD_ECANCELED ? explain_stop(r, err) : err;
}

static int blame(const run_state *r, pid_t pid, int err, const char *cause)
{
    char words[WORDS_MAX];
    rmdi_tail_lines(&r->child.tail, words, sizeof words);
    return rmdi_fail(err, "%s: its program (process %d) %s%s%s", r->foreign->functions[0].name,
                     (int)pid, cause, *words ? "; it wrote last: " : "", words);
}

static int judge(const run_state *r, pid_t pid)
{
    char how[CAUSE_MAX];
    const rmdi_foreign_child *child = &r->child;
    if (child->how_is_known && !child->how.signal && !child->how.status)
        return 0;
    rmdi_foreign_child_explain(child, how, sizeof how);
    return blame(r, pid,
                 !child->how_is_known ? RMD_ELOST
                 : child->how.signal  ? RMD_ESIGNAL
                                      : RMD_EEXIT,
                 how);
}

/* From its start to its end, when nothing of it is left. */
static int live(run_state *r, rmdi_foreign_crew *crew)
{
    char cause[CAUSE_MAX];
    pid_t pid = r->child.pid;
    int err = follow(r), late;
    snprintf(cause, sizeof cause, "%s", err < 0 ? rmd_error_detail() : "");
    rmdi_foreign_child_end(&r->child, err == 0 ? RMDI_FOREIGN_OVER : RMDI_FOREIGN_STOP, err < 0);
    if (err < 0)
        return blame(r, pid, err, cause);
    rmdi_foreign_crew_note_end(crew);
    late = take_output(r); /* what it has left in the pipe: nobody writes there any more */
    if (late < 0)
        return blame(r, pid, late, rmd_error_detail());
    return judge(r, pid);
}

static int start(run_state *r, const rmdi_foreign_crew *crew)
{
    int in[2] = { -1, -1 }, out[2];
    int err = rmdi_fd_pipe(out, 0);
    if (err)
        return rmdi_fail_errno(err, "a pipe");
    err = r->input.len ? rmdi_fd_pipe(in, 1) : 0;
    if (!err && !r->input.len) {
        in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        err = in[0] < 0 ? errno : 0;
    }
    int fds[] = { in[0], out[1], -1 };
    int failed = err ? rmdi_fail_errno(err, "the standard input of a program")
                     : rmdi_foreign_child_start(&r->child, r->foreign->argv, fds, 3, crew);
    rmdi_fd_close(&in[0]);
    rmdi_fd_close(&out[1]);
    r->in = in[1];
    r->out = out[0];
    return failed;
}

static int run(run_state *r, rmd_call *call, rmdi_foreign_crew *crew)
{
    int err = start(r, crew);
    if (err < 0)
        err = rmdi_fail(err, "%s: %s", r->foreign->functions[0].name, rmd_error_detail());
    else
        err = live(r, crew);
    rmdi_fd_close(&r->in);
    rmdi_fd_close(&r->out);
    return err < 0 ? err : rmd_call_return(call, rmdi_buffer_view(&r->output));
}

int rmdi_foreign_run(const rmdi_foreign *foreign, rmd_call *call)
{
    rmdi_foreign_crew brief, *crew;
    run_state r = { .foreign = foreign, .in = -1, .out = -1 };
    int err = rmdi_foreign_argument(call, &r.input);
    if (err == 0)
        err = rmdi_foreign_crew_enter(&crew, &brief);
    if (err < 0)
        return err;
    err = run(&r, call, crew);
    rmdi_buffer_free(&r.output);
    rmdi_foreign_crew_leave(crew);
    return err;
}
