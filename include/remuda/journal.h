/* SPDX-License-Identifier: MIT */
/* floor: job */
/* The journal of a job, for reading: what `remuda run --journal` has recorded of every run, task
 * and attempt. Part of libremuda-net (-lremuda-net). The file is an SQLite database; its tables
 * are described in docs/protocol/journal.md, and any SQLite client may read them, too.
 *
 *     static int on_task(void *ctx, const rmd_journal_task *task)
 *     {
 *         printf("%" PRIu64 " %s\n", task->seq, rmd_outcome_name(task->outcome));
 *         return 0;
 *     }
 *
 *     rmd_journal *journal;
 *     err = rmd_journal_open(&journal, "search.db");
 *     if (err == 0) {
 *         err = rmd_journal_tasks(journal, NULL, on_task, NULL);
 *         rmd_journal_free(journal);
 *     }
 *
 * examples/journal.c is a whole program.
 *
 * Reading changes nothing in the file and disturbs nobody: a run that is writing to it goes on. A
 * journal object is used by one thread at a time. Everything blocks no longer than the disk takes.
 * Times are nanoseconds since 1970; 0: that did not happen. Unstable: may still change. */
#ifndef REMUDA_JOURNAL_H
#define REMUDA_JOURNAL_H

#include <remuda/api.h>
#include <remuda/bytes.h>
#include <remuda/census.h>

#include <sys/types.h>

RMD_BEGIN

typedef struct rmd_journal rmd_journal;

/* One start of `remuda run` on this journal. Texts are borrowed for the callback. */
typedef struct rmd_journal_run {
    int64_t id;          /* from 1 */
    const char *version; /* of the remuda that ran it */
    const char *host;
    const char *boot; /* the kernel's id of that boot: pid has a meaning only within it */
    pid_t pid;
    const char *dir;              /* where it was started */
    const char *command;          /* its command line, as can be pasted into a shell */
    unsigned slots;               /* tasks at a time */
    unsigned cpus;                /* that it might use */
    uint64_t memory_bytes;        /* of the machine */
    int64_t started_ns, ended_ns; /* ended_ns 0: it still runs, or was killed */
    int status;                   /* its exit status; -1 before its end */
    const char *detail;           /* why it ended early; "" if it did not */
    rmd_census census;            /* of what it has begun; queued is always 0 */
    uint64_t skipped;             /* inputs that were finished in earlier runs */
    uint64_t total;               /* inputs in all; UINT64_MAX: not known (yet) */
    bool at_most_once;
} rmd_journal_run;

/* One task: a command that was begun, in the run that has begun it last. */
typedef struct rmd_journal_task {
    int64_t id;      /* from 1, in the order in which tasks were first begun */
    uint8_t key[32]; /* SHA-256 of what it consists of, see docs/protocol/journal.md */
    int64_t run;
    uint64_t seq;        /* its number in that run's input, {#} */
    rmd_outcome outcome; /* RMD_PENDING: it runs, or its run was killed */
    const char *detail;  /* why it is not OK; "" if it is */
    rmd_bytes command;   /* as can be pasted into a shell; any bytes but NUL */
    unsigned attempts;   /* that ended, in that run */
    int64_t begun_ns, ended_ns;
    bool unshown; /* finished, and its output still has to be shown by a resumed run */
} rmd_journal_task;

/* One attempt that has ended. */
typedef struct rmd_journal_attempt {
    int64_t task, run;
    unsigned number; /* from 1 in each run */
    unsigned slot;   /* from 1 */
    pid_t pid;       /* 0: it was never started */
    rmd_outcome outcome;
    int status; /* exit status, -1 if it has none */
    int signal; /* that ended it, or 0 */
    const char *detail;
    int64_t queued_ns;   /* it wanted to start */
    int64_t started_ns;  /* its start began */
    int64_t executed_ns; /* the program was there */
    int64_t exited_ns;   /* it had ended */
    int64_t ended_ns;    /* its outcome was known: nothing of it was left, its output was read */
    int64_t user_ns, system_ns; /* CPU time, with the descendants it waited for */
    uint64_t memory_bytes;      /* largest resident set */
    uint64_t in_blocks, out_blocks, major_faults, switches; /* as getrusage(2) tells */
    uint64_t sent_bytes;                                    /* of its standard input */
    uint64_t out_bytes, err_bytes; /* of its outputs, as far as they went through us */
    const char *output;            /* where they went, see docs/protocol/journal.md */
    rmd_bytes err_tail;            /* the last of its stderr */
} rmd_journal_attempt;

/* Opens the journal. Errors, each with a detail that names the file and the cure: RMD_ENOENT,
 * RMD_EACCES, RMD_EINVAL (no journal), RMD_ENOTSUP (made by another version), RMD_EIO (damaged),
 * RMD_ENOMEM. path is copied. */
RMD_API int rmd_journal_open(rmd_journal **journal, const char *path) RMD_NODISCARD;

/* NULL is fine. */
RMD_API void rmd_journal_free(rmd_journal *journal);

/* Between these two everything that is read is of one moment, however long it takes. The
 * journal's log grows meanwhile: do not wait for people there. RMD_EBUSY when begun twice. */
RMD_API int rmd_journal_begin(rmd_journal *journal) RMD_NODISCARD;
RMD_API void rmd_journal_end(rmd_journal *journal);

/* The callbacks get one record each, borrowed for the call. Anything but 0 ends the walk and is
 * returned by it. Other errors of a walk: RMD_EIO (the detail tells), RMD_ENOMEM. A callback may
 * walk the same journal. RMD_EINVAL when journal or fn is NULL. */
typedef int rmd_journal_run_fn(void *ctx, const rmd_journal_run *run);
typedef int rmd_journal_task_fn(void *ctx, const rmd_journal_task *task);
typedef int rmd_journal_attempt_fn(void *ctx, const rmd_journal_attempt *attempt);

/* All runs, oldest first. */
RMD_API int rmd_journal_runs(rmd_journal *journal, rmd_journal_run_fn *fn, void *ctx);

/* Which tasks: all of these conditions; zero is no condition. */
typedef struct rmd_journal_query {
    size_t size; /* sizeof(rmd_journal_query), exactly: else RMD_EINVAL */
    int64_t id, run;
    uint64_t seq;
    int64_t after;  /* only ids above it */
    bool failed;    /* FAILED, TIMEOUT, LOST or CANCELLED */
    bool pending;   /* no outcome yet */
    uint64_t limit; /* so many at most */
} rmd_journal_query;

/* Tasks in the order of their ids. query NULL: all. */
RMD_API int rmd_journal_tasks(rmd_journal *journal, const rmd_journal_query *query,
                              rmd_journal_task_fn *fn, void *ctx);

/* The attempts of a task, oldest first; task 0: of all tasks, in the order of their ids. */
RMD_API int rmd_journal_attempts(rmd_journal *journal, int64_t task, rmd_journal_attempt_fn *fn,
                                 void *ctx);

RMD_END

#endif
