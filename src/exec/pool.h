/* SPDX-License-Identifier: MIT */
/* What a kind of pool must offer. */
#ifndef RMDI_EXEC_POOL_H
#define RMDI_EXEC_POOL_H

#include <remuda/pool.h>

enum { RMDI_CHUNK_MAX = 64 };

/* What rmd_pool_open() was asked for, checked. */
typedef struct rmdi_pool_request {
    unsigned workers;         /* at least 1 */
    uint64_t process;         /* rmdi_process_mark(): for the beginning of the pool */
    uint64_t number;          /* the same: its keeper records it at once */
    rmd_pool_options options; /* zeros replaced by the defaults */
    rmd_deadline deadline;
} rmdi_pool_request;

/* Each function but open gets a pool of this process; contracts as in <remuda/pool.h> and
 * <remuda/task.h>. What a kind cannot do is NULL: RMD_ENOTSUP. */
typedef struct rmdi_pool_ops {
    const char *kind;
    int (*open)(rmd_pool **pool, const rmdi_pool_request *request);
    int (*exec)(rmd_pool *pool, rmd_future **future, const rmd_command *command);
    int (*call)(rmd_pool *pool, rmd_future **future, const char *function, rmd_args args,
                const rmd_task_options *options);
    int (*submit)(rmd_pool *pool, rmd_future **future, rmd_task_fn *fn, void *arg,
                  const rmd_task_options *options);
    int64_t (*submit_many)(rmd_pool *pool, rmd_future **futures, const rmd_task *tasks, size_t n,
                           const rmd_task_options *options);
    int (*then)(rmd_pool *pool, rmd_future **future, rmd_future *first, rmd_then_fn *fn, void *arg,
                const rmd_task_options *options);
    void (*close)(rmd_pool *pool);
    int (*drain)(rmd_pool *pool, rmd_deadline deadline);
    int (*abort)(rmd_pool *pool, rmd_deadline deadline);
    void (*cancel)(rmd_pool *pool, bool queued_only);
    int (*suspend)(rmd_pool *pool, bool suspend);
    void (*census)(rmd_pool *pool, rmd_census *census);
    int (*statistics)(rmd_pool *pool, rmd_statistics *statistics);
    int (*overlooked)(rmd_pool *pool, void (*fn)(void *ctx, const rmd_failure *failure), void *ctx,
                      uint64_t *more);
    int (*free)(rmd_pool *pool);
} rmdi_pool_ops;

/* The beginning of every kind's pool. */
struct rmd_pool {
    const rmdi_pool_ops *ops;
    uint64_t process; /* rmdi_process_mark() of its owner */
    unsigned workers;
    uint64_t number;    /* of pools of this process, in flight records */
    rmd_shared *shared; /* the front holds it; NULL: none */
};

extern const rmdi_pool_ops rmdi_processes_ops;
extern const rmdi_pool_ops rmdi_programs_ops;
extern const rmdi_pool_ops rmdi_threads_ops;

#endif
