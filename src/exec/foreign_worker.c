/* SPDX-License-Identifier: MIT */
/* Foreign workers. One task is under way at a time: it is written, and then the answer, standard
 * error and the end of the process are waited for at once. What has been read when the process ends
 * still counts: an answer that is whole is an answer.
 *
 * Whatever a worker does wrong, it is ended before its task is: so the sentence can tell how, and
 * with what last words, and the next task finds no trace of it. */
#include "base/alloc.h"
#include "base/error.h"
#include "exec/foreign.h"
#include "exec/foreign_child.h"
#include "exec/foreign_codec.h"
#include "exec/foreign_crew.h"
#include "loop/framed.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DYING_MS = 300,  /* between the end of its stream and its own */
    BESIDE_MAX = 64, /* what an answer has besides the result; and an announcement */
    WORDS_MAX = 240, /* of what it wrote last */
    CAUSE_MAX = 240,
};

typedef struct worker {
    rmdi_foreign_member member; /* first */
    const rmdi_foreign *foreign;
    rmdi_foreign_child child;
    int socket;
    rmd_framed *framed;
    rmdi_foreign_codec codec;
    uint64_t last_id;
    rmdi_buffer buffer; /* for tasks */
} worker;

static worker *of_member(rmdi_foreign_member *member)
{
    return (worker *)(void *)member;
}

/* ---- its end ---- */

static void release(worker *w)
{
    rmd_framed_free(w->framed);
    rmdi_fd_close(&w->socket);
    rmdi_buffer_free(&w->buffer);
    rmdi_free(w);
}

static void dismiss(rmdi_foreign_member *member)
{
    worker *w = of_member(member);
    rmd_framed_free(w->framed);
    w->framed = NULL;
    rmdi_fd_close(&w->socket); /* no more tasks */
}

static void end(rmdi_foreign_member *member)
{
    worker *w = of_member(member);
    rmdi_foreign_child_end(&w->child, RMDI_FOREIGN_DISMISS, true);
    release(w);
}

static void forget(rmdi_foreign_member *member)
{
    worker *w = of_member(member);
    rmdi_fd_close(&w->child.pidfd);
    rmdi_fd_close(&w->child.errors);
    release(w);
}

/* ---- its end in a task ---- */

/* What it has done comes from the thread's detail, or, if it has ended, from how. */
static int blame(const worker *w, pid_t pid, int err, bool ended, const char *cause)
{
    char how[CAUSE_MAX], words[WORDS_MAX];
    if (ended)
        rmdi_foreign_child_explain(&w->child, how, sizeof how);
    rmdi_tail_lines(&w->child.tail, words, sizeof words);
    return rmdi_fail(err, "%s: its worker (process %d) %s%s%s%s%s", w->foreign->functions[0].name,
                     (int)pid, ended ? how : "", ended && *cause ? " " : "", cause,
                     *words ? "; it wrote last: " : "", words);
}

static int code_of_end(const rmdi_foreign_child *child)
{
    if (!child->how_is_known)
        return RMD_ELOST;
    if (child->how.signal)
        return RMD_ESIGNAL;
    return child->how.status ? RMD_EEXIT : RMD_EIO;
}

/* Ends a worker whose task has failed with err, for which the detail is the cause. RMD_ECLOSED: it
 * has ended, or closed its stream. */
static int condemn(worker *w, int err, const char *before)
{
    char cause[CAUSE_MAX];
    pid_t pid = w->child.pid;
    if (err == RMD_ECLOSED)
        rmdi_foreign_child_await(&w->child, DYING_MS);
    bool ended = err == RMD_ECLOSED && w->child.over;
    if (ended)
        snprintf(cause, sizeof cause, "before it %s", before);
    else if (err == RMD_ECLOSED)
        snprintf(cause, sizeof cause, "has closed its stream before it %s", before);
    else
        snprintf(cause, sizeof cause, "%s", rmd_error_detail());
    rmdi_foreign_crew_remove(&w->member);
    rmdi_foreign_child_end(&w->child, ended ? RMDI_FOREIGN_OVER : RMDI_FOREIGN_STOP, true);
    if (err == RMD_ECLOSED)
        err = ended ? code_of_end(&w->child) : RMD_EIO;
    err = blame(w, pid, err, ended, cause);
    release(w);
    return err;
}

/* ---- waiting ---- */

/* For the stream, and whatever else it does meanwhile. */
static int await(worker *w, unsigned events, rmd_deadline due)
{
    rmdi_fd_wanted wanted[1 + RMDI_FOREIGN_CHILD_WANTS] = { { .fd = w->socket, .events = events } };
    return rmdi_foreign_child_wait(&w->child, wanted, 1, due);
}

/* What has come of a frame. RMD_ECLOSED: the stream has ended; or the worker has, and what it has
 * started keeps it open. */
static int look_for_frame(worker *w, rmd_bytes *frame)
{
    bool over = w->child.over; /* what is read from now on is all there is */
    int err = rmdi_framed_try_read(w->framed, frame);
    if (err == RMD_EIO)
        return RMD_ECLOSED; /* in a frame, or without having read all of the task */
    return err == 0 && !frame->data && over ? RMD_ECLOSED : err;
}

/* An answer that is there counts, even if the task was told to stop meanwhile. */
static int read_frame(worker *w, rmd_bytes *frame, rmd_deadline due)
{
    *frame = (rmd_bytes){ 0 };
    int err = look_for_frame(w, frame);
    while (err == 0 && !frame->data) {
        int waited = await(w, RMD_READABLE, due);
        err = look_for_frame(w, frame);
        if (waited < 0 && err == 0 && !frame->data)
            return waited;
    }
    return err;
}

static int send_all(worker *w, rmdi_sending *sending, rmd_deadline due)
{
    int err = 0;
    while (err == 0 && (err = rmdi_framed_send(w->framed, sending)) == 0) {
        if (w->child.over)
            return RMD_ECLOSED;
        err = await(w, RMD_WRITABLE, due);
    }
    return err < 0 ? err : 0;
}

/* *unsent: nobody reads the stream any more, and not one byte of the frame went out. (That it has
 * not read all of what did go out, which the system would tell, does not say how much it knows.) */
static int write_frame(worker *w, rmd_bytes frame, rmd_deadline due, bool *unsent)
{
    rmdi_sending sending;
    int err = rmdi_framed_begin(w->framed, &sending, frame);
    if (err == 0)
        err = send_all(w, &sending, due);
    *unsent = err == RMD_ECLOSED && sending.parts[0].iov_len == RMD_FRAME_HEAD;
    return err;
}

/* ---- starting ---- */

/* A read of what is no frame, too, is told as what the worker has done; not so what we lack. */
static int explain_read(int err, const char *what, int64_t ms)
{
    if (err == RMD_ETIMEDOUT)
        return rmdi_fail(err, "has not %s within %lld ms, and was ended", what, (long long)ms);
    if (err == RMD_ECANCELED)
        return rmdi_fail(err, "was ended, as its task was told to stop");
    if (err == RMD_ECLOSED)
        return err;
    if (err != RMD_EINVAL && err != RMD_E2BIG)
        return rmdi_fail(err, "could not be waited for, and was ended: %s", rmd_error_detail());
    return rmdi_fail(err == RMD_EINVAL ? RMD_ESYNTAX : err, "has not %s as it should: %s", what,
                     rmd_error_detail());
}

/* A result of at most so many bytes, and what stands beside it. */
static void limit_answers(worker *w, size_t beside)
{
    size_t most = w->foreign->answer_bytes_max;
    rmdi_framed_limit_read(w->framed, most < INT32_MAX - beside ? most + beside : INT32_MAX);
}

static int hear_announcement(worker *w)
{
    rmd_bytes frame;
    int64_t ms = w->foreign->ready_ms;
    int err = read_frame(w, &frame, rmd_after_ms(ms));
    if (err < 0) {
        bool its_own = err == RMD_ETIMEDOUT || err == RMD_EINVAL || err == RMD_E2BIG;
        err = explain_read(err, "announced itself", ms);
        return its_own ? RMD_EWORKER : err;
    }
    err = rmdi_foreign_codec_find(&w->codec, frame);
    limit_answers(w, w->codec == RMDI_FOREIGN_RAW ? 1 : BESIDE_MAX);
    return err;
}

/* It would be taken for the answer to the first task. An end that has come is told by that. */
static int check_nothing_behind(worker *w)
{
    rmd_bytes more = { 0 };
    int err = rmdi_framed_try_read(w->framed, &more);
    if ((err == 0 && !more.data && !rmdi_framed_has_more(w->framed)) || err == RMD_ECLOSED)
        return 0;
    if (err == RMD_ENOMEM)
        return err;
    return rmdi_fail(RMD_EWORKER, "has sent more than its announcement before there was a task");
}

static int start_child(worker *w, int theirs, const rmdi_foreign_crew *crew)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return rmdi_fail_errno(errno, "/dev/null");
    int fds[] = { null, -1, -1, theirs };
    int err = rmdi_foreign_child_start(&w->child, w->foreign->argv, fds, 4, crew);
    rmdi_fd_close(&null);
    return err;
}

static int open_stream(worker *w)
{
    static const rmd_framed_options unbounded = { .size = sizeof unbounded,
                                                  .bytes_max = INT32_MAX };
    int err = rmd_framed_open(&w->framed, w->socket, w->socket, &unbounded);
    if (err == 0)
        rmdi_framed_limit_read(w->framed, BESIDE_MAX);
    return err;
}

static int begin(worker *w, const rmdi_foreign_crew *crew)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return rmdi_fail_errno(errno, "a socket to the worker of \"%s\"",
                               w->foreign->functions[0].name);
    w->socket = ends[0];
    int err = open_stream(w);
    if (err == 0)
        err = start_child(w, ends[1], crew);
    rmdi_fd_close(&ends[1]);
    return err < 0 ? rmdi_fail(err, "%s: its worker: %s", w->foreign->functions[0].name,
                               rmd_error_detail())
                   : 0;
}

static int start(worker **started, rmdi_foreign_crew *crew, const rmdi_foreign *foreign)
{
    worker *w = rmdi_alloc_zeroed(sizeof *w);
    if (!w)
        return rmdi_fail_memory();
    w->member = (rmdi_foreign_member){
        .foreign = foreign, .child = &w->child, .dismiss = dismiss, .end = end, .forget = forget
    };
    w->foreign = foreign;
    w->socket = -1;
    int err = begin(w, crew);
    if (err < 0) {
        release(w);
        return err;
    }
    rmdi_foreign_crew_add(crew, &w->member);
    err = hear_announcement(w);
    if (err == 0)
        err = check_nothing_behind(w);
    if (err < 0)
        return condemn(w, err, "announced itself");
    *started = w;
    return 0;
}

/* ---- tasks ---- */

/* Nothing may come between two tasks: neither its end, nor something that would be taken for the
 * next answer. */
static bool is_fit(worker *w)
{
    rmdi_fd_wanted wanted[1 + RMDI_FOREIGN_CHILD_WANTS] = { { .fd = w->socket,
                                                              .events = RMD_READABLE } };
    rmdi_foreign_child_look(&w->child, wanted, 1);
    return !wanted[0].ready && !w->child.over;
}

static void replace(worker *w)
{
    rmdi_foreign_crew_remove(&w->member);
    dismiss(&w->member);
    end(&w->member);
}

static int find(worker **found, rmdi_foreign_crew *crew, const rmdi_foreign *foreign)
{
    rmdi_foreign_member *member = rmdi_foreign_crew_find(crew, foreign);
    if (member && !is_fit(of_member(member))) {
        replace(of_member(member));
        member = NULL;
    }
    *found = member ? of_member(member) : NULL;
    return member ? 0 : start(found, crew, foreign);
}

static int check_alone(const worker *w)
{
    return rmdi_framed_has_more(w->framed) ? rmdi_fail(RMD_ESYNTAX, "has answered twice") : 0;
}

static int explain_answer(const rmdi_foreign *foreign, int err)
{
    if (err == RMD_E2BIG)
        return rmdi_fail(err, "has answered with more than %zu bytes", foreign->answer_bytes_max);
    return explain_read(err, "answered", foreign->answer_ms);
}

/* *unsent: the worker has not seen anything of the task. */
static int exchange(worker *w, rmd_call *call, rmd_bytes task, bool *unsent)
{
    rmd_deadline due = rmdi_foreign_due(w->foreign);
    rmd_bytes answer;
    int err = write_frame(w, task, due, unsent), failed = 0;
    if (err == 0)
        err = read_frame(w, &answer, due);
    if (err < 0)
        return condemn(w, explain_answer(w->foreign, err), "answered");
    if (rmdi_foreign_codec_answer(w->codec, call, w->last_id, answer, &failed) ==
        RMDI_FOREIGN_NO_ANSWER)
        return condemn(w, failed, "answered");
    err = check_alone(w);
    return err < 0 ? condemn(w, err, "answered") : failed;
}

static int work(worker *w, rmd_call *call, bool *unsent)
{
    rmd_bytes task;
    int err = rmdi_foreign_codec_task(w->codec, call, ++w->last_id, &w->buffer, &task);
    return err < 0 ? err : exchange(w, call, task, unsent);
}

/* One that has closed its stream since the last task, as a worker may that has grown, and was not
 * seen to have: another one gets the task, once. */
static int work_in(rmdi_foreign_crew *crew, const rmdi_foreign *foreign, rmd_call *call)
{
    bool unsent = true;
    int err = 0;
    for (int tries = 0; tries < 2 && unsent; tries++) {
        worker *w;
        unsent = false;
        err = find(&w, crew, foreign);
        if (err == 0)
            err = work(w, call, &unsent);
    }
    return err;
}

int rmdi_foreign_work(const rmdi_foreign *foreign, rmd_call *call)
{
    rmdi_foreign_crew brief, *crew;
    int err = rmdi_foreign_crew_enter(&crew, &brief);
    if (err < 0)
        return err;
    err = work_in(crew, foreign, call);
    rmdi_foreign_crew_leave(crew);
    return err;
}
