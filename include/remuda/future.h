/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* A future: the handle of a task.
 *
 *     err = rmd_future_wait(future, rmd_after_ms(1000));
 *     bool yes;
 *     if (err == 0)
 *         err = rmd_future_get(future, &yes);        the task's value, or its error
 *     rmd_future_free(future);
 *
 * What became of a task is told by its outcome (census.h), and, unless that is OK, by an error: a
 * code, a sentence, and the number of the attempt. Any thread may call any of these, but a future
 * must not be freed while another call on it is under way. */
#ifndef REMUDA_FUTURE_H
#define REMUDA_FUTURE_H

#include <remuda/api.h>
#include <remuda/args.h>
#include <remuda/bytes.h>
#include <remuda/census.h>
#include <remuda/deadline.h>
#include <remuda/select.h>
#include <remuda/value.h>

#include <sys/resource.h>
#include <sys/types.h>

RMD_BEGIN

typedef struct rmd_future rmd_future;
typedef struct rmd_executor rmd_executor;

/* What became of a command, or of a worker process, in the last attempt. Times are on the monotonic
 * clock (0: that did not happen). Later versions add fields at the end. */
typedef struct rmd_exit {
    rmd_outcome outcome;
    int error;          /* 0, or why it is not OK: RMD_EEXIT, RMD_ESIGNAL, … */
    const char *detail; /* the sentence that goes with error, "" if none */
    int status;         /* exit status, -1 if it has none */
    int signal;         /* the signal that ended it, or 0 */
    unsigned attempts;  /* how often it was started */
    pid_t pid;          /* 0: never started */
    int64_t submitted_ns;
    int64_t started_ns;          /* its start began */
    int64_t ended_ns;            /* nothing of it was left, and its output was read */
    int64_t started_realtime_ns; /* since 1970, for people */
    uint64_t out_bytes;          /* written to stdout and stderr, as far as they went through us */
    uint64_t err_bytes;
    struct rusage usage; /* with the descendants it has waited for */
    rmd_bytes err_tail;  /* the last of stderr, up to 64 KiB, unless it went elsewhere */
    int64_t executed_ns; /* the program was there: since started_ns it was being made */
    int64_t exited_ns;   /* its own end was noticed */
} rmd_exit;

/* ---- waiting ---- */

/* Waits for the end of the task. 0 when it has ended, however it did; RMD_ETIMEDOUT changes nothing
 * about the task; RMD_ECANCELED when the thread's stop token fired (stop.h); RMD_EFORKED in a child
 * that was forked. RMD_EDEADLK for a wait that could never end: in a callback for a task of the
 * same pool of programs, or inside a task for one that waits for it in turn (or any of several
 * each of which does, if none of these waits has a deadline); rmd_error_detail() names the circle.
 *
 * With RMD_FOREVER, a task of a threads pool that has not begun may be run by the calling thread:
 * if that is a worker of the pool, or has no stop token and the pool no `start`, and its stack has
 * room. What the waiting task is told meanwhile, it learns when that has ended. On a pool of
 * programs that lives on the caller's own loop (rmd_pool_options.loop) it turns that loop
 * meanwhile. Blocks. */
RMD_API int rmd_future_wait(rmd_future *future, rmd_deadline deadline) RMD_NODISCARD;

typedef enum rmd_wait_for {
    RMD_WAIT_ALL,           /* until all have ended */
    RMD_WAIT_ANY,           /* until one has */
    RMD_WAIT_FIRST_FAILURE, /* until one has ended otherwise than OK, or all have ended */
} rmd_wait_for;

/* Waits for n futures, of any pools. Returns the index of the one that made it return: the first in
 * the array that has ended (ANY), or has not ended OK (FIRST_FAILURE); n when all have ended (ALL)
 * and none of them otherwise than OK (FIRST_FAILURE). Errors: as rmd_future_wait; RMD_EINVAL also
 * for n 0 with ANY. Of several tasks any of which would do only a worker of their pool runs one
 * itself. The array and the futures are borrowed. Blocks. */
RMD_API int64_t rmd_futures_wait(rmd_future *const *futures, size_t n, rmd_wait_for what,
                                 rmd_deadline deadline) RMD_NODISCARD;

/* For rmd_select() (select.h): ready when the task has ended. */
RMD_API rmd_waitable rmd_future_waitable(rmd_future *future);

/* ---- what became of it ---- */

typedef enum rmd_state {
    RMD_STATE_QUEUED,  /* it has not begun, or waits for its next attempt */
    RMD_STATE_RUNNING, /* or is being stopped */
    RMD_STATE_ENDED,
} rmd_state;

/* A hint until it has ended. Never blocks. */
RMD_API rmd_state rmd_future_state(const rmd_future *future);

/* RMD_PENDING until the end. Never blocks. */
RMD_API rmd_outcome rmd_future_outcome(const rmd_future *future);

/* 0: the task has ended OK. Else its error, with the sentence that goes with it as this thread's
 * rmd_error_detail(); RMD_EBUSY when it has not ended. Never blocks. */
RMD_API int rmd_future_error(const rmd_future *future);

/* The account of a task that has not ended OK. */
typedef struct rmd_failure {
    uint64_t id;         /* rmd_future_id() */
    const char *name;    /* of the task */
    rmd_outcome outcome; /* FAILED, CANCELLED, … */
    int error;
    const char *detail; /* "" if there is nothing to add */
    unsigned attempt;   /* in which it was so, from 1; 0: it never started */
} rmd_failure;

/* Fills *failure, whose texts are borrowed until the future is freed. 0: there is one; RMD_ENOENT:
 * it has ended OK; RMD_EBUSY: it has not ended. Never blocks. */
RMD_API int rmd_future_failure(const rmd_future *future, rmd_failure *failure);

/* rmd_future_get(future, &x): the value that the task has returned, for a task of rmd_pool_call()
 * or a promise. x is of one of the types of rmd_value_get() (value.h): a text, bytes or a value is
 * borrowed until the future is freed. Errors: the task's own, as rmd_future_error; RMD_EBUSY when
 * it has not ended; RMD_EINVAL when it has no value (of rmd_submit(), and commands) or one of
 * another type. Never blocks. */
#define rmd_future_get(future, place)                                      \
    __extension__({                                                        \
        const rmd_value *rmdi_value_;                                      \
        int rmdi_error_ = rmd_future_value(future, &rmdi_value_);          \
        rmdi_error_ < 0 ? rmdi_error_ : rmd_value_get(rmdi_value_, place); \
    })

/* The same, as it is: *value is borrowed until the future is freed. */
RMD_API int rmd_future_value(const rmd_future *future, const rmd_value **value);

/* Calls fn for each task that an ended one has added (rmd_task_options.adds), in the order in which
 * it did, until that returns something else than 0, and returns that; else 0. A task that has not
 * ended OK has added none. What fn gets is borrowed for the call: a function with its arguments, or
 * a function by pointer. Errors: RMD_EBUSY when it has not ended; RMD_EIO: its worker has sent
 * something else; RMD_ENOMEM, RMD_EINVAL. Never blocks, but for what fn does. */
typedef struct rmd_added {
    const char *function; /* NULL: by pointer */
    rmd_args args;
    int (*fn)(void *arg);
    void *arg;
} rmd_added;
typedef int rmd_added_fn(void *ctx, const rmd_added *added);
RMD_API int rmd_future_added(const rmd_future *future, rmd_added_fn *fn, void *ctx);

/* The account of an ended command, or of a task that is LOST because its worker process has ended
 * in it (of that: outcome, error, detail, status, signal, attempts, pid, ended_ns, usage, err_bytes
 * and err_tail); borrowed until the future is freed. RMD_EBUSY when it has not ended; RMD_ENOTSUP:
 * it is none of these. Never blocks. */
RMD_API int rmd_future_exit(const rmd_future *future, const rmd_exit **exit);

/* Reads captured output (RMD_STDOUT or RMD_STDERR) of an ended command: up to len bytes
 * from offset into buffer. Returns how many (0: at the end), or RMD_EBUSY before the
 * end, RMD_EINVAL when the stream was not captured, RMD_EIO, RMD_ENOTSUP. Reads from a temporary
 * file what did not fit in memory, and blocks no longer than that takes. */
RMD_API int64_t rmd_future_read(const rmd_future *future, int stream, uint64_t offset, void *buffer,
                                size_t len);

/* ---- cancel, callbacks ---- */

/* Asks that the task be stopped. 0: one that had not started never will, and is
 * CANCELLED now; one that runs is being stopped, and its outcome tells what came of
 * it: CANCELLED when it has stopped, another one if it finished anyway. RMD_ETOOLATE: it has ended.
 * Never blocks. */
RMD_API int rmd_future_cancel(rmd_future *future);

/* Calls fn once when the task has ended; also when it had ended before. The future is borrowed for
 * the call; freeing it there is allowed. fn runs on a worker of the pool (threads: so it waits
 * until one is free) or on the pool's keeper thread (other kinds), never from inside the call that
 * submits the task, nor on a thread that waits; of a promise, and after the pool was drained, on
 * the thread that ends it or that calls this. With an executor (borrowed until then; NULL: none) it
 * is posted there; if that does not take it, it runs as without; an executor that is aborted loses
 * it, as any post. Errors: RMD_ENOMEM, RMD_EFORKED, RMD_EINVAL. Several callbacks begin in the
 * order given. */
typedef void rmd_future_fn(rmd_future *future, void *ctx);
RMD_API int rmd_future_on_end(rmd_future *future, rmd_future_fn *fn, void *ctx);
RMD_API int rmd_future_on_end_in(rmd_future *future, rmd_executor *executor, rmd_future_fn *fn,
                                 void *ctx);

/* ---- about it ---- */

/* What the submitter gave as ctx. */
RMD_API void *rmd_future_ctx(const rmd_future *future);

/* A number for messages: each task of a process has another one, from 1. */
RMD_API uint64_t rmd_future_id(const rmd_future *future);

/* The task's name: what the submitter gave, else the function, the program, or "task". Borrowed
 * until the future is freed. */
RMD_API const char *rmd_future_name(const rmd_future *future);

/* Gives the handle back. A task that has not ended goes on without it. NULL is fine. */
RMD_API void rmd_future_free(rmd_future *future);

RMD_END

#endif
