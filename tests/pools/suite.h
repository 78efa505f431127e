/* SPDX-License-Identifier: MIT */
/* The conformance suite: what every pool must do, whatever does the work.
 * `build/tests/conformance --pool KIND` runs it; --help explains.
 *
 *     CASE(a_task_that_succeeds_is_ok, ANY)
 *     {
 *         rmd_pool *pool = open_pool(0);
 *         rmd_future *future = begin(pool, "add", RMD_ARGS(2, 3));
 *         CHECK_RESULT(future, "5");
 *         CHECK_END(future, RMD_OUTCOME_OK, 0);
 *         end_pool(pool);
 *     }
 *
 * A case gets its work by name (works.c); how a kind of pool runs it is told by one row of the
 * table in kinds.c. Nothing but the public headers is used. */
#ifndef SUITE_H
#define SUITE_H

#include "kit.h"
#include "kit_gate.h"
#include "kit_soon.h"

#include <remuda.h>

/* ---- cases ---- */

/* What a case needs that not every kind of pool has. */
enum {
    ANY = 0,
    CALLS = 1,   /* rmd_pool_call(), and with it values, priorities, cooperative cancel */
    THREADS = 2, /* rmd_submit(): pointers */
    HERE = 4,    /* its functions run in the process of the pool: they may call that, and nobody can
                  * kill them */
};

#define CASE(name, needs) CASE_LIMIT(name, needs, KIT_LIMIT_SECONDS)
#define CASE_LIMIT(name, needs, seconds) \
    static void name##_in_it(void);      \
    TEST_LIMIT(name, seconds)            \
    {                                    \
        need(needs);                     \
        name##_in_it();                  \
    }                                    \
    static void name##_in_it(void)

/* Skips the case, saying why, on a kind of pool that does not have it. */
void need(unsigned needs);

/* ---- kinds of pools ---- */

typedef struct kind {
    const char *name;
    unsigned has;     /* CALLS, THREADS, HERE */
    int failed_with;  /* the error of a work that fails; 0: the one that it says itself */
    int cancel_races; /* how often a cancel races with an end: as many as take some seconds */
    int (*begin)(rmd_pool *pool, rmd_future **future, const char *work, rmd_args args,
                 const rmd_task_options *options);
    /* The result of an ended task, as text. */
    void (*result)(const rmd_future *future, char *text, size_t size);
    /* What a work that has failed said about it. */
    void (*said)(const rmd_future *future, char *text, size_t size);
    /* The same work as the next task of a map. */
    int (*map)(rmd_map_task *task, const char *work, rmd_args args);
} kind;

/* The one that is tested, and its name as it was given, "threads:2". */
extern const kind *the_kind;
extern const char *the_pool;

/* Takes the text of --pool; false: no such kind. */
bool choose_kind(const char *pool);
/* The names of all kinds, for people. */
const char *kind_names(void);

/* ---- works ---- */

/* Makes them known by name in this process. */
void add_works(void);
/* This program was started as one of them: does the work, with argv as its name and arguments, and
 * returns the exit status. */
int run_work(char **argv);

/* The pool of works that make calls themselves. */
extern rmd_pool *works_pool;

/* Waits until so many more works ("gate", "spin", "stubborn", each with its name) stand there. */
void await_arrivals(const gate *at, int works);

/* What the works "count" and "note" have left: how many of the former ran, and the texts of the
 * latter in the order in which they ran, as "a b c ". */
uint64_t counted(void);
const char *noted(void);

/* ---- pools ---- */

/* A pool of the kind with so many workers; 0: as many as --pool says. */
rmd_pool *open_pool(unsigned workers);
rmd_pool *open_pool_with(unsigned workers, rmd_pool_options options);
int try_open(rmd_pool **pool, unsigned workers, const rmd_pool_options *options);

/* Drains it, checks that its census balances and nothing is left, frees it. */
void end_pool(rmd_pool *pool);

rmd_census census_of(rmd_pool *pool);

/* ---- tasks ---- */

/* Submits a work; the future is the caller's. */
rmd_future *begin(rmd_pool *pool, const char *work, rmd_args args);
rmd_future *begin_with(rmd_pool *pool, const char *work, rmd_args args, rmd_task_options options);
/* The same, where it may fail; future may be NULL. */
int try_begin(rmd_pool *pool, rmd_future **future, const char *work, rmd_args args,
              rmd_task_options options);
/* The same as a task of the threads pool, by pointers. */
rmd_future *submit(rmd_pool *pool, rmd_task_fn *fn, void *arg);
rmd_future *submit_with(rmd_pool *pool, rmd_task_fn *fn, void *arg, rmd_task_options options);

/* A work that stands at the gate, with the pool's only worker. */
rmd_future *begin_at(rmd_pool *pool, const gate *at, const char *work, const char *name);

/* Tries a task. */
void check_works(rmd_pool *pool);
/* Waits for the end, but with a deadline: the calling thread does not run the task itself. */
void await_workers(rmd_future *future);
/* Waits for the end, and frees the future. */
void await(rmd_future *future);
/* Waits for the end of it, checks how it came, and frees the future. */
#define CHECK_END(future, outcome, error) check_end((future), (outcome), (error), KIT_HERE)
void check_end(rmd_future *future, rmd_outcome outcome, int error, const char *file, int line);
/* The same for the work "fail", whose error is as the kind tells it. */
#define CHECK_FAILED(future, code) \
    check_end((future), RMD_OUTCOME_FAILED, failed_with(code), KIT_HERE)
int failed_with(int code);
/* Waits for the end, and checks the result, as text. */
#define CHECK_RESULT(future, text) check_result((future), (text), KIT_HERE)
void check_result(rmd_future *future, const char *text, const char *file, int line);

/* The failure of an ended task. */
rmd_failure failure_of(const rmd_future *future);

/* ---- threads, and time ---- */

rmd_thread *start_thread(void (*fn)(void *arg), void *arg);
void join_thread(rmd_thread *thread);
int64_t now_ns(void);

/* A stop token that has fired. */
rmd_stop *fired_stop(void);

#endif
