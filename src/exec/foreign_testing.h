/* SPDX-License-Identifier: MIT */
/* Shorthands for the tests of foreign functions. */
#ifndef RMDI_EXEC_FOREIGN_TESTING_H
#define RMDI_EXEC_FOREIGN_TESTING_H

#include "exec/programs_testing.h"
#include "port/procfs.h"

#include "kit_resources.h"

#include <remuda/args.h>
#include <remuda/foreign.h>
#include <remuda/function.h>
#include <remuda/start.h>
#include <remuda/task.h>
#include <stdlib.h>

static const char *const kinds[] = { "threads:1", "processes:1" };
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Adds a function whose worker is foreign_helper, with everything else as given. */
static inline void add_worker(const char *name, const char *how, rmd_foreign foreign)
{
    const char *const argv[] = { kit_helper("exec-foreign_helper"), how, NULL };
    foreign.size = sizeof foreign;
    foreign.name = name;
    foreign.argv = argv;
    foreign.worker = true;
    if (rmd_foreign_add(&foreign) < 0)
        FAIL(rmd_error_detail());
}

/* The same whose program is this script. */
static inline void add_script(const char *name, const char *script, rmd_foreign foreign)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    foreign.size = sizeof foreign;
    foreign.name = name;
    foreign.argv = argv;
    if (rmd_foreign_add(&foreign) < 0)
        FAIL(rmd_error_detail());
}

static inline rmd_future *submit(rmd_pool *pool, const char *name, rmd_args args)
{
    rmd_future *future = NULL;
    if (rmd_pool_call(pool, &future, name, args, NULL) < 0)
        FAIL(rmd_error_detail());
    REQUIRE(future != NULL);
    return future;
}

/* What came of it: the result as text, or the detail of its failure, whose code is *error. */
static inline const char *result_of(rmd_future *future, int *error)
{
    static char text[1024];
    rmd_bytes bytes = { 0 };
    rmd_failure failure;
    text[0] = 0;
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    *error = rmd_future_error(future);
    if (*error == 0 && CHECK_EQ(rmd_future_get(future, &bytes), 0))
        snprintf(text, sizeof text, "%.*s", bytes.len > 1000 ? 1000 : (int)bytes.len,
                 bytes.len ? (const char *)bytes.data : "");
    if (*error < 0 && CHECK_EQ(rmd_future_failure(future, &failure), 0))
        snprintf(text, sizeof text, "%s", failure.detail);
    rmd_future_free(future);
    return text;
}

static inline const char *ask(rmd_pool *pool, const char *name, const char *task, int *error)
{
    return result_of(submit(pool, name, RMD_ARGS(task)), error);
}

#define CHECK_ASK(pool, name, task, answer) \
    check_ask((pool), (name), (task), 0, (answer), false, KIT_HERE)
#define CHECK_FAILS(pool, name, task, error, words) \
    check_ask((pool), (name), (task), (error), (words), true, KIT_HERE)

static inline void check_ask(rmd_pool *pool, const char *name, const char *task, int error,
                             const char *words, bool part, const char *file, int line)
{
    int err;
    const char *answer = ask(pool, name, task, &err);
    if (part)
        kit_check_contains(answer, words, file, line, "what is told");
    else
        kit_check_str(answer, words, file, line, "the answer");
    kit_check_str(rmd_error_name(err), rmd_error_name(error), file, line, "the error");
}

/* The number that such a task answers with. */
static inline pid_t ask_number(rmd_pool *pool, const char *name, const char *task)
{
    int err;
    pid_t number = atoi(ask(pool, name, task, &err));
    CHECK_EQ(err, 0);
    CHECK_INT(number, >, 0);
    return number;
}

/* It has ended. (One that has lost its parent may stay a zombie, where nobody reaps.) */
static inline bool is_gone(pid_t pid)
{
    bool zombie = false;
    return rmdi_procfs_group(pid, &zombie) < 0 || zombie;
}

static inline bool is_gone_soon(pid_t pid)
{
    for (int i = 0; i < 2000 * kit_patience(); i++) {
        if (is_gone(pid))
            return true;
        usleep(1000);
    }
    return false;
}

#endif
