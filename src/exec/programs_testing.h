/* SPDX-License-Identifier: MIT */
/* Shorthands for the tests of the programs pool. */
#ifndef RMDI_EXEC_PROGRAMS_TESTING_H
#define RMDI_EXEC_PROGRAMS_TESTING_H

#include "kit_soon.h"

#include <poll.h>
#include <remuda/error.h>
#include <remuda/pool.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline rmd_pool *open_pool_with(const char *kind, rmd_pool_options options)
{
    rmd_pool *pool = NULL;
    options.size = sizeof options;
    if (rmd_pool_open(&pool, kind, &options, soon()) < 0)
        FAIL(rmd_error_detail());
    REQUIRE(pool != NULL);
    return pool;
}

static inline rmd_pool *open_pool(const char *kind)
{
    return open_pool_with(kind, (rmd_pool_options){ 0 });
}

static inline void close_pool(rmd_pool *pool)
{
    rmd_census census;
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(census.queued + census.running, 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

/* Submits this program with everything else of the command as given. */
static inline rmd_future *run_argv(rmd_pool *pool, const char *const *argv, rmd_command command)
{
    rmd_future *future = NULL;
    command.size = sizeof command;
    command.argv = argv;
    if (rmd_pool_exec(pool, &future, &command) < 0)
        FAIL(rmd_error_detail());
    REQUIRE(future != NULL);
    return future;
}

static inline rmd_future *run_with(rmd_pool *pool, const char *script, rmd_command command)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    return run_argv(pool, argv, command);
}

static inline rmd_future *run(rmd_pool *pool, const char *script)
{
    return run_with(pool, script, (rmd_command){ 0 });
}

/* Waits for the end; the account is borrowed. */
static inline const rmd_exit *end_of(rmd_future *future)
{
    const rmd_exit *account = NULL;
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    REQUIRE(rmd_future_exit(future, &account) == 0);
    return account;
}

/* Waits for the end, checks how it came, and frees the future. */
#define CHECK_END(future, outcome, error) check_end((future), (outcome), (error), KIT_HERE)
static inline void check_end(rmd_future *future, rmd_outcome outcome, int error, const char *file,
                             int line)
{
    const rmd_exit *account = end_of(future);
    bool right = kit_check_str(rmd_outcome_name(account->outcome), rmd_outcome_name(outcome), file,
                               line, "the outcome");
    right &= kit_check_str(rmd_error_name(account->error), rmd_error_name(error), file, line,
                           "the error");
    if (!right)
        kit_check(false, file, line, account->detail);
    rmd_future_free(future);
}

/* The captured output of an ended task as text, cut at 8191 bytes. */
static inline const char *output_of(rmd_future *future, int stream)
{
    static char text[8192];
    size_t used = 0;
    for (int64_t n;
         (n = rmd_future_read(future, stream, used, text + used, sizeof text - 1 - used)) > 0;)
        used += (size_t)n;
    text[used] = 0;
    return text;
}

/* The next number that a program has written, followed by a newline, to the other end of
 * the pipe; a process number, mostly. Ends the case when there is none. */
static inline int read_number(int fd)
{
    char text[32];
    size_t used = 0;
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    while (used < sizeof text - 1) {
        REQUIRE(poll(&ready, 1, 15000 * kit_patience()) == 1);
        REQUIRE(read(fd, text + used, 1) == 1);
        if (text[used] == '\n')
            break;
        used++;
    }
    int number = 0;
    for (size_t i = 0; i < used; i++)
        number = number * 10 + (text[i] - '0');
    return number;
}

/* A descriptor for a process, by which is_alive() knows it for good. */
static inline int hold_process(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* -1, of a process that had gone already, is not alive. */
static inline bool is_alive(int pidfd)
{
    struct pollfd end = { .fd = pidfd, .events = POLLIN };
    return pidfd >= 0 && poll(&end, 1, 0) == 0;
}

/* Does it end within the time? */
static inline bool ends_within(int pidfd, int ms)
{
    struct pollfd end = { .fd = pidfd, .events = POLLIN };
    return pidfd < 0 || poll(&end, 1, ms) == 1;
}

#endif
