/* SPDX-License-Identifier: MIT */
/* The front of every pool: reads `kind[:N][?key=value&…]`, checks the caller, and hands
 * over to the kind. */
#include "exec/pool.h"

#include "base/error.h"
#include "base/recorder.h"
#include "exec/future.h"
#include "exec/shared.h"
#include "port/cpu.h"
#include "port/forked.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const rmdi_pool_ops *const kinds[] = { &rmdi_threads_ops, &rmdi_processes_ops,
                                              &rmdi_programs_ops };

enum { WORKERS_MAX = 65536, QUEUE_DEFAULT = 1024, CAPTURE_DEFAULT = 8 * 1024 * 1024 };

static const rmdi_pool_ops *find_kind(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i]->kind) == len && memcmp(kinds[i]->kind, text, len) == 0)
            return kinds[i];
    return NULL;
}

/* A whole number from 1 to max at *text, which then stands behind it. */
static bool read_number(const char **text, unsigned long max, unsigned *number)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    unsigned long value = strtoul(*text, &end, 10);
    if (value < 1 || value > max)
        return false;
    *text = end;
    *number = (unsigned)value;
    return true;
}

/* `queue=N`, `chunk=N`. */
static int read_key(const char **text, const rmdi_pool_ops *ops, rmdi_pool_request *request)
{
    const char *key = *text;
    size_t len = strcspn(key, "=&");
    bool queue = len == 5 && memcmp(key, "queue", 5) == 0;
    bool chunk = len == 5 && memcmp(key, "chunk", 5) == 0 && ops == &rmdi_processes_ops;
    if (!queue && !chunk)
        return rmdi_fail(RMD_EINVAL, "pool: unknown key \"%.*s\"; known: queue%s", (int)len, key,
                         ops == &rmdi_processes_ops ? ", chunk" : "");
    *text = key + len;
    if (**text == '=')
        ++*text;
    if (!read_number(text, queue ? UINT32_MAX : RMDI_CHUNK_MAX,
                     queue ? &request->options.queue_max : &request->options.chunk) ||
        (**text && **text != '&'))
        return rmdi_fail(RMD_EINVAL, "pool: %.*s=N takes a whole number from 1%s in \"%s\"",
                         (int)len, key, queue ? "" : " to 64", key);
    *text += **text == '&';
    return 0;
}

static int read_kind(const char *kind, const rmdi_pool_ops **ops, rmdi_pool_request *request)
{
    size_t len = strcspn(kind, ":?");
    *ops = find_kind(kind, len);
    if (!*ops)
        return rmdi_fail(RMD_EINVAL,
                         "pool: unknown kind \"%.*s\"; known: threads, processes, "
                         "programs",
                         (int)len, kind);
    const char *text = kind + len;
    if (*text == ':') {
        text++;
        if (!read_number(&text, WORKERS_MAX, &request->workers) || (*text && *text != '?'))
            return rmdi_fail(RMD_EINVAL,
                             "pool: \"%s\": after the colon stands a number of workers "
                             "from 1 to %d",
                             kind, WORKERS_MAX);
    }
    int err = 0;
    for (text += *text == '?'; *text && err == 0;)
        err = read_key(&text, *ops, request);
    return err;
}

static bool has_args(const rmd_args *args)
{
    return args->count || args->named_count;
}

/* Options that a kind has no use for are refused, rather than forgotten. */
static int check_use(const rmdi_pool_ops *ops, const rmd_pool_options *options)
{
    const struct {
        bool given;
        const char *name;
        const rmdi_pool_ops *by[2];
    } all[] = {
        { options->shared, "shared", { &rmdi_threads_ops, &rmdi_processes_ops } },
        { options->start, "start", { &rmdi_threads_ops } },
        { options->end, "end", { &rmdi_threads_ops } },
        { options->arg, "arg", { &rmdi_threads_ops } },
        { options->stack_bytes, "stack_bytes", { &rmdi_threads_ops } },
        { options->program, "program", { &rmdi_processes_ops } },
        { options->preload, "preload", { &rmdi_processes_ops } },
        { has_args(&options->preload_args), "preload_args", { &rmdi_processes_ops } },
        { options->initializer, "initializer", { &rmdi_processes_ops } },
        { has_args(&options->initializer_args), "initializer_args", { &rmdi_processes_ops } },
        { options->chunk, "chunk", { &rmdi_processes_ops } },
        { options->tasks_max, "tasks_max", { &rmdi_processes_ops } },
        { options->resident_bytes_max, "resident_bytes_max", { &rmdi_processes_ops } },
        { options->address_bytes_max, "address_bytes_max", { &rmdi_processes_ops } },
        { options->loop, "loop", { &rmdi_programs_ops, &rmdi_processes_ops } },
        { options->capture_bytes_max, "capture_bytes_max", { &rmdi_programs_ops } },
        { options->temporary_dir, "temporary_dir", { &rmdi_programs_ops } },
    };
    const char *useless = NULL;
    for (size_t i = 0; i < sizeof all / sizeof *all && !useless; i++)
        if (all[i].given && all[i].by[0] != ops && all[i].by[1] != ops)
            useless = all[i].name;
    if (!useless && options->chunk > RMDI_CHUNK_MAX)
        return rmdi_fail(RMD_EINVAL, "pool options: chunk is %u, the limit is %d", options->chunk,
                         RMDI_CHUNK_MAX);
    if (!useless)
        return 0;
    return rmdi_fail(RMD_EINVAL, "pool options: a pool of %s has no use for %s", ops->kind,
                     useless);
}

static void choose_defaults(rmdi_pool_request *request, const char *kind)
{
    rmd_pool_options *options = &request->options;
    const char *dir = getenv("TMPDIR");
    if (!request->workers)
        request->workers = rmdi_cpu_usable();
    if (!options->name)
        options->name = kind;
    if (!options->queue_max)
        options->queue_max = QUEUE_DEFAULT;
    if (!options->capture_bytes_max)
        options->capture_bytes_max = CAPTURE_DEFAULT;
    if (!options->temporary_dir)
        options->temporary_dir = dir && *dir ? dir : "/tmp";
}

int rmd_pool_open(rmd_pool **pool, const char *kind, const rmd_pool_options *options,
                  rmd_deadline deadline)
{
    const rmdi_pool_ops *ops;
    rmdi_pool_request request = { .deadline = deadline };
    if (!pool || !kind)
        return rmdi_fail(RMD_EINVAL, "pool: a place for it and a kind must be given");
    if (options && options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "pool options: size is %zu, not %zu", options->size,
                         sizeof *options);
    if (options)
        request.options = *options;
    int err = read_kind(kind, &ops, &request);
    if (err < 0)
        return err;
    err = check_use(ops, &request.options);
    if (err < 0)
        return err;
    choose_defaults(&request, ops->kind);
    request.process = rmdi_process_mark();
    if (!request.process)
        return rmdi_fail_memory();
    err = rmdi_shared_hold(request.options.shared);
    if (err < 0)
        return err;
    request.number = rmdi_recorder_pool_number();
    err = ops->open(pool, &request);
    if (err < 0) {
        rmdi_shared_drop(request.options.shared);
        return err;
    }
    (*pool)->shared = request.options.shared;
    rmdi_record(RMDI_RECORD_POOL_OPEN, (*pool)->number, (*pool)->workers);
    return 0;
}

static int refuse(const rmd_pool *pool, const char *what)
{
    return rmdi_fail(RMD_ENOTSUP, "a pool of %s %s", pool->ops->kind, what);
}

static int check(const rmd_pool *pool)
{
    if (!pool)
        return rmdi_fail(RMD_EINVAL, "pool: none was given");
    if (!rmdi_process_is(pool->process))
        return rmdi_fail(RMD_EFORKED, "the pool belongs to the process that opened it");
    return 0;
}

int rmd_pool_exec(rmd_pool *pool, rmd_future **future, const rmd_command *command)
{
    int err = check(pool);
    if (err < 0)
        return err;
    if (!command)
        return rmdi_fail(RMD_EINVAL, "exec: no command was given");
    if (!pool->ops->exec)
        return refuse(pool, "runs no commands");
    return pool->ops->exec(pool, future, command);
}

int rmd_pool_call(rmd_pool *pool, rmd_future **future, const char *function, rmd_args args,
                  const rmd_task_options *options)
{
    int err = check(pool);
    if (err < 0)
        return err;
    if (!function || (args.count && !args.values) || (args.named_count && !args.named))
        return rmdi_fail(RMD_EINVAL, "call: a function and its arguments must be given");
    if (!pool->ops->call)
        return refuse(pool, "calls no functions");
    return pool->ops->call(pool, future, function, args, options);
}

int rmd_submit(rmd_pool *pool, rmd_future **future, rmd_task_fn *fn, void *arg,
               const rmd_task_options *options)
{
    int err = check(pool);
    if (err < 0)
        return err;
    if (!fn)
        return rmdi_fail(RMD_EINVAL, "submit: no function was given");
    if (!pool->ops->submit)
        return refuse(pool, "takes no pointers: see rmd_pool_call()");
    return pool->ops->submit(pool, future, fn, arg, options);
}

int64_t rmd_submit_many(rmd_pool *pool, rmd_future **futures, const rmd_task *tasks, size_t n,
                        const rmd_task_options *options)
{
    int err = check(pool);
    if (err < 0)
        return err;
    if (!tasks && n)
        return rmdi_fail(RMD_EINVAL, "submit: no tasks were given");
    if (!pool->ops->submit_many)
        return refuse(pool, "takes no pointers: see rmd_pool_call()");
    return pool->ops->submit_many(pool, futures, tasks, n, options);
}

int rmd_then(rmd_pool *pool, rmd_future **future, rmd_future *first, rmd_then_fn *fn, void *arg,
             const rmd_task_options *options)
{
    int err = check(pool);
    if (err == 0)
        err = rmdi_future_check(first, "then");
    if (err < 0)
        return err;
    if (!fn)
        return rmdi_fail(RMD_EINVAL, "then: no function was given");
    if (!pool->ops->then)
        return refuse(pool, "takes no pointers: see rmd_pool_call()");
    return pool->ops->then(pool, future, first, fn, arg, options);
}

int rmd_pool_close(rmd_pool *pool)
{
    int err = check(pool);
    if (err < 0)
        return err;
    rmdi_record(RMDI_RECORD_POOL_CLOSE, pool->number, 0);
    pool->ops->close(pool);
    return 0;
}

/* In a task of another pool another worker takes the place of the one that waits: the end of this
 * pool may depend on what waits in that one. */
static int wait_for_end(rmd_pool *pool, int (*wait)(rmd_pool *pool, rmd_deadline deadline),
                        rmd_deadline deadline, rmdi_record_kind kind)
{
    rmd_blocking blocking;
    uint64_t number = pool->number;
    rmdi_record(kind, number, 0);
    rmd_blocking_begin(&blocking);
    int err = wait(pool, deadline);
    rmd_blocking_end(&blocking);
    rmdi_record(err == RMD_ESTUCK ? RMDI_RECORD_STUCK : RMDI_RECORD_POOL_END, number,
                (uint64_t)(int64_t)err);
    return err;
}

int rmd_pool_drain(rmd_pool *pool, rmd_deadline deadline)
{
    int err = check(pool);
    return err < 0 ? err : wait_for_end(pool, pool->ops->drain, deadline, RMDI_RECORD_POOL_DRAIN);
}

int rmd_pool_abort(rmd_pool *pool, rmd_deadline deadline)
{
    int err = check(pool);
    return err < 0 ? err : wait_for_end(pool, pool->ops->abort, deadline, RMDI_RECORD_POOL_ABORT);
}

int rmd_pool_cancel(rmd_pool *pool, bool queued_only)
{
    int err = check(pool);
    if (err < 0)
        return err;
    rmdi_record(RMDI_RECORD_POOL_CANCEL, pool->number, 0);
    pool->ops->cancel(pool, queued_only);
    return 0;
}

static int set_suspended(rmd_pool *pool, bool suspended)
{
    int err = check(pool);
    if (err < 0)
        return err;
    if (!pool->ops->suspend)
        return refuse(pool, "cannot be suspended");
    return pool->ops->suspend(pool, suspended);
}

int rmd_pool_suspend(rmd_pool *pool)
{
    return set_suspended(pool, true);
}

int rmd_pool_resume(rmd_pool *pool)
{
    return set_suspended(pool, false);
}

int rmd_pool_census(rmd_pool *pool, rmd_census *census)
{
    int err = check(pool);
    if (err == 0 && !census)
        return rmdi_fail(RMD_EINVAL, "census: no place for it was given");
    if (err == 0)
        pool->ops->census(pool, census);
    return err;
}

int rmd_pool_statistics(rmd_pool *pool, rmd_statistics *statistics)
{
    int err = check(pool);
    if (err < 0)
        return err;
    if (!statistics)
        return rmdi_fail(RMD_EINVAL, "statistics: no place for them was given");
    if (!pool->ops->statistics)
        return refuse(pool, "keeps no statistics");
    return pool->ops->statistics(pool, statistics);
}

int rmd_pool_overlooked(rmd_pool *pool, void (*fn)(void *ctx, const rmd_failure *failure),
                        void *ctx, uint64_t *more)
{
    int err = check(pool);
    if (err < 0)
        return err;
    if (!fn)
        return rmdi_fail(RMD_EINVAL, "overlooked: no function was given");
    if (!pool->ops->overlooked)
        return refuse(pool, "keeps no list of them");
    return pool->ops->overlooked(pool, fn, ctx, more);
}

unsigned rmd_pool_size(const rmd_pool *pool)
{
    return pool ? pool->workers : 0;
}

int rmd_pool_free(rmd_pool *pool)
{
    if (!pool)
        return 0;
    int err = check(pool);
    if (err < 0)
        return err;
    rmd_shared *shared = pool->shared;
    err = pool->ops->free(pool);
    if (err == 0)
        rmdi_shared_drop(shared);
    return err;
}
