/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* A future: the handle of a task.
 *
 *     err = rmd_future_wait(future, rmd_after_ms(1000));
 *     if (err == 0 && rmd_future_outcome(future) == RMD_OUTCOME_OK) ...
 *     rmd_future_free(future);
 *
 * Any thread may call any of these, but a future must not be freed while another call
 * on it is under way. Unstable: may still change until the threads pool has proved it. */
#ifndef REMUDA_FUTURE_H
#define REMUDA_FUTURE_H

#include <remuda/api.h>
#include <remuda/bytes.h>
#include <remuda/census.h>
#include <remuda/deadline.h>

#include <sys/resource.h>
#include <sys/types.h>

RMD_BEGIN

typedef struct rmd_future rmd_future;

/* What became of a command, in its last attempt. Times are on the monotonic clock
 * (0: that did not happen). Later versions add fields at the end. */
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

/* Waits for the end of the task. 0 when it has ended, however it did; RMD_ETIMEDOUT
 * changes nothing about the task; RMD_EDEADLK for one that has not ended, from a callback of
 * the same pool, which would wait for itself; RMD_ECANCELED when the thread's stop token
 * fired (stop.h); RMD_EFORKED in a child that was forked. On a pool that lives on the caller's
 * own loop (rmd_pool_options.loop) it turns that loop meanwhile. */
RMD_API int rmd_future_wait(rmd_future *future, rmd_deadline deadline) RMD_NODISCARD;

/* RMD_PENDING until the end. Never blocks. */
RMD_API rmd_outcome rmd_future_outcome(const rmd_future *future);

/* The account of an ended command, borrowed until the future is freed. RMD_EBUSY when
 * it has not ended. Never blocks. */
RMD_API int rmd_future_exit(const rmd_future *future, const rmd_exit **exit);

/* Reads captured output (RMD_STDOUT or RMD_STDERR) of an ended task: up to len bytes
 * from offset into buffer. Returns how many (0: at the end), or RMD_EBUSY before the
 * end, RMD_EINVAL when the stream was not captured, RMD_EIO. Reads from a temporary
 * file what did not fit in memory, and blocks no longer than that takes. */
RMD_API int64_t rmd_future_read(const rmd_future *future, int stream, uint64_t offset, void *buffer,
                                size_t len);

/* Asks that the task be stopped. 0: one that had not started never will, and is
 * CANCELLED now; one that runs is being stopped, and its outcome tells what came of
 * it. RMD_ETOOLATE: it has ended. Never blocks. */
RMD_API int rmd_future_cancel(rmd_future *future);

/* Called once when the task has ended; also when it had ended before. It runs on the
 * pool's keeper thread (after the pool was drained: on the calling thread), never from
 * inside rmd_pool_exec(). The future is borrowed for the call; freeing it there is
 * allowed. Errors: RMD_ENOMEM, RMD_EFORKED. Several callbacks run in the order given. */
typedef void rmd_future_fn(rmd_future *future, void *ctx);
RMD_API int rmd_future_on_end(rmd_future *future, rmd_future_fn *fn, void *ctx);

/* What the submitter gave as ctx. */
RMD_API void *rmd_future_ctx(const rmd_future *future);

/* A number for messages: tasks are counted from 1 in each process. */
RMD_API uint64_t rmd_future_id(const rmd_future *future);

/* Gives the handle back. A task that has not ended goes on without it. NULL is fine. */
RMD_API void rmd_future_free(rmd_future *future);

RMD_END

#endif
