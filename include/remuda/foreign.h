/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Foreign functions: functions that are programs in any language, called by name as others are, on
 * pools of threads and of processes.
 *
 *     const char *argv[] = { "python3", "shout.py", NULL };
 *     rmd_foreign shout = { .size = sizeof shout, .name = "shout", .argv = argv, .worker = true };
 *     err = rmd_foreign_add(&shout);
 *     ...
 *     err = rmd_pool_call(pool, &future, "shout", RMD_ARGS("hello"), NULL);
 *
 * There are two ways. A program (worker = false) is run once for each call: the argument, bytes or
 * a text or none, is its standard input, and its standard output is the result, as bytes. A worker
 * (worker = true) is started once by each worker of the pool that calls it, and does one task after
 * the other over descriptor 3, as docs/protocol/worker.md says. It lives until that worker of the
 * pool ends, or it misbehaves. (A thread that waits for a task, and is no worker of its pool, does
 * not run it itself, as it does with others.)
 *
 * A worker that speaks JSON or CBOR may add tasks to the map that it works for, as rmd_call_add()
 * does (call.h).
 *
 * Standard input of a worker is empty; what it writes to standard output and standard error goes to
 * standard error, and the last of it is told when it fails. Of a program that holds for standard
 * error. It is read while a call runs: what comes in between waits in a pipe.
 *
 * What goes wrong costs the task that runs, which ends as FAILED with a sentence that says what it
 * was, and another worker is started for the next one:
 *
 *   RMD_FOREIGN_ERROR  the worker says that the task has failed, and why; it stays
 *   RMD_EEXIT          it, or the program, has ended with a status other than 0,
 *   RMD_ESIGNAL        or by a signal
 *   RMD_ELOST          it has ended, and somebody else has reaped it (or SIGCHLD is ignored)
 *   RMD_EIO            the worker has ended with status 0, or closed its stream, without an answer
 *   RMD_ESYNTAX        it has answered what is no answer, or not this task, or twice
 *   RMD_E2BIG          the answer is larger than answer_bytes_max, or than a result may be
 *   RMD_ETIMEDOUT      it has not answered within answer_ms
 *   RMD_EWORKER        it has not announced itself within ready_ms, or not as the protocol has it
 *   RMD_ENOENT, RMD_EACCES, RMD_EEXEC   the program is not there, or cannot be executed
 *   RMD_ENOTSUP        it announces JSON, and nothing in this process speaks that
 *   RMD_EGUARD         see start.h: on a pool of threads the guard looks after workers and programs
 *
 * An attempt that fails so may be tried again (limits.h). Cancel, and the limits of the task, end
 * the foreign process with its group, by SIGTERM, and SIGKILL two seconds later (one, while a pool
 * of threads is aborted); then the task is CANCELLED or TIMEOUT. On a pool of processes SIGTERM
 * comes to the worker process, by the task's kill ladder: it passes it on, and ends when its
 * foreign processes have; so a ladder with another signal, or less time, leaves them no more.
 * rmd_pool_suspend() does not stop foreign processes. When the pool is drained, or its owner is
 * killed, nothing is left of any foreign process, and of what it has started, but for what has left
 * its group and cleared REMUDA_ATTEMPT_ID in its environment. */
#ifndef REMUDA_FOREIGN_H
#define REMUDA_FOREIGN_H

#include <remuda/api.h>

RMD_BEGIN

enum { RMD_FOREIGN_ERROR = -1001 }; /* a worker's own: of the codes that are programs' to use */

/* Zero means the default. */
typedef struct rmd_foreign {
    size_t size;      /* sizeof(rmd_foreign), exactly */
    const char *name; /* of the function: see function.h */
    /* The program and its arguments, NULL at the end. One without a slash is found in PATH. It runs
     * in the directory and with the environment of the process that starts it. */
    const char *const *argv;
    bool worker;
    const char *help, *parameters, *result; /* as in rmd_function */
    int64_t ready_ms;                       /* a worker must have announced itself by then; 10 s */
    int64_t answer_ms; /* an answer must have come by then; only the task's own limits count */
    size_t answer_bytes_max; /* of a worker's answer, of a program's output; 16 MiB */
} rmd_foreign;

/* Adds a function that is foreign; all is copied. The same definition again is fine. Processes
 * pools that are opened later have it, too; the workers of those that are open have not. Errors:
 * RMD_EINVAL naming what is wrong (also: another function has that name), RMD_ENOMEM. Any thread;
 * never blocks. */
RMD_API int rmd_foreign_add(const rmd_foreign *foreign);

RMD_END

#endif
