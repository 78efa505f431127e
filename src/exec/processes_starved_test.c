/* SPDX-License-Identifier: MIT */
/* A pool of processes that gets no memory or no descriptor: whoever needed it is told, nothing that
 * was accepted is lost, nothing is left, and it goes on when there is some again. */
#include "exec/processes_testing.h"

#include "kit_alloc.h"
#include "kit_resources.h"

#include <dlfcn.h>
#include <remuda/atomics.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const rmd_function own[] = { { 0 } };
WORKERS(own)

/* Accepted tasks have ended, each once, and the pool still takes something. */
static int end(rmd_pool *pool, int err, uint64_t accepted)
{
    rmd_census census;
    rmd_future *future = NULL;
    int again = rmd_pool_call(pool, &future, "add", RMD_ARGS(2, 3), NULL);
    if (again == RMD_ENOMEM) { /* that was the one */
        err = RMD_ENOMEM;
        again = rmd_pool_call(pool, &future, "add", RMD_ARGS(2, 3), NULL);
    }
    REQUIRE(again == 0);
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    int found = rmd_future_error(future);
    CHECK(found == 0 || found == RMD_ENOMEM); /* its result may not have had any */
    err = found < 0 ? found : err;
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(census.submitted, accepted + 1);
    CHECK_EQ(census.queued + census.running, 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    return err;
}

static rmd_pool *try_open(int *err, rmd_pool_options options)
{
    rmd_pool *pool = NULL;
    options.size = sizeof options;
    *err = rmd_pool_open(&pool, "processes:2", &options, soon());
    return *err < 0 ? NULL : pool;
}

/* ---- no memory ---- */

static int open_and_close(void *arg)
{
    int err;
    rmd_pool *pool = try_open(&err, *(rmd_pool_options *)arg);
    if (!pool)
        return err;
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    return 0;
}

TEST_LIMIT(a_pool_that_cannot_be_opened_leaves_nothing, 60)
{
    kit_resources before;
    rmd_pool_options options = { .name = "farm",
                                 .preload = "add",
                                 .preload_args = RMD_ARGS(1, 2),
                                 .initializer = "add",
                                 .initializer_args = RMD_ARGS(1, 2) };
    kit_resources_take(&before);
    CHECK_INT(kit_alloc(open_and_close, &options, RMD_ENOMEM), >, 15);
    CHECK_RESOURCES(&before);
}

TEST(a_pool_of_another_program_that_cannot_be_opened_leaves_nothing)
{
    rmd_pool_options options = { .program = kit_helper("tests-pools-worker_helper") };
    CHECK_INT(kit_alloc(open_and_close, &options, RMD_ENOMEM), >, 15);
}

/* What it comes to: 0, or RMD_ENOMEM told by whoever needed it. */
static int call_one(void *arg)
{
    rmd_task_options *options = arg;
    rmd_future *future = NULL;
    int err;
    rmd_pool *pool = try_open(&err, (rmd_pool_options){ 0 });
    if (!pool)
        return err;
    err = rmd_pool_call(pool, &future, "add", RMD_ARGS(1, 2), options);
    bool accepted = err == 0;
    if (accepted) {
        REQUIRE(rmd_future_wait(future, soon()) == 0);
        err = rmd_future_error(future);
        rmd_future_free(future);
    }
    return end(pool, err, accepted);
}

TEST_LIMIT(a_call_without_memory_is_refused_or_fails, 60)
{
    CHECK_INT(kit_alloc(call_one, NULL, RMD_ENOMEM), >, 15);
}

TEST_LIMIT(a_call_with_limits_without_memory_is_refused_or_fails, 60)
{
    rmd_task_options options = { .size = sizeof options,
                                 .limits = { .run_ms_max = 60000, .attempts_max = 2 } };
    CHECK_INT(kit_alloc(call_one, &options, RMD_ENOMEM), >, 15);
}

/* A worker dies in a task; its words, and the account, need memory, but not the loss itself. */
static int lose_one(void *arg)
{
    rmd_task_options *options = arg;
    rmd_future *future = NULL, *behind = NULL;
    int err, last = 0;
    rmd_pool *pool = try_open(&err, (rmd_pool_options){ 0 });
    if (!pool)
        return err;
    err = rmd_pool_call(pool, &future, "die", RMD_ARGS("9", "words"), options);
    if (err == 0) {
        last = rmd_pool_call(pool, &behind, "add", RMD_ARGS(1, 2), options);
        REQUIRE(rmd_future_wait(future, soon()) == 0);
        CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_LOST);
        rmd_future_free(future);
    }
    if (behind) {
        REQUIRE(rmd_future_wait(behind, soon()) == 0);
        last = rmd_future_error(behind);
        rmd_future_free(behind);
    }
    uint64_t accepted = (uint64_t)(err == 0) + (behind != NULL);
    return end(pool, err < 0 ? err : last, accepted);
}

TEST_LIMIT(a_worker_that_dies_without_memory_is_replaced, 60)
{
    rmd_task_options options = { .size = sizeof options, .limits = { .crashes_max = 2 } };
    CHECK_INT(kit_alloc(lose_one, NULL, RMD_ENOMEM), >, 20);
    CHECK_INT(kit_alloc(lose_one, &options, RMD_ENOMEM), >, 20);
}

static int cancel_one(void *arg)
{
    gate *at = arg;
    rmd_future *future = NULL;
    int err;
    rmd_pool *pool = try_open(&err, (rmd_pool_options){ 0 });
    if (!pool)
        return err;
    err = rmd_pool_call(pool, &future, "stand", RMD_ARGS("gate"), NULL);
    bool accepted = err == 0;
    if (accepted) {
        await_arrival(at);
        CHECK_EQ(rmd_future_cancel(future), 0);
        REQUIRE(rmd_future_wait(future, soon()) == 0);
        CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_CANCELLED);
        rmd_future_free(future);
    }
    return end(pool, err, accepted);
}

TEST_LIMIT(a_cancel_without_memory_ends_the_task_all_the_same, 60)
{
    gate at = make_gate("gate");
    CHECK_INT(kit_alloc(cancel_one, &at, RMD_ENOMEM), >, 15);
}

/* ---- no descriptor ---- */

static struct rlimit usual;

static void limit_descriptors(rlim_t n)
{
    struct rlimit limit = { n, usual.rlim_max };
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static unsigned count_descriptors(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

TEST(with_too_few_descriptors_a_pool_does_not_open_and_leaves_nothing)
{
    kit_resources before;
    int err = -1, tries = 0;
    rmd_pool_options options = { .size = sizeof options };
    rmd_pool *pool = NULL;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &usual) == 0);
    unsigned first = count_descriptors();
    for (unsigned n = first; err < 0 && n < first + 100; n++, tries++) {
        kit_resources_take(&before);
        limit_descriptors(n);
        err = rmd_pool_open(&pool, "processes:2", &options, soon());
        if (err < 0)
            CHECK_STR(rmd_error_name(err), "RMD_EMFILE");
        if (err < 0)
            CHECK_INT(strlen(rmd_error_detail()), >, 0);
        limit_descriptors(usual.rlim_cur);
        if (err < 0)
            CHECK_RESOURCES(&before);
    }
    CHECK_EQ(err, 0);
    CHECK_INT(tries, >, 10);
    check_works(pool);
    close_pool(pool);
    CHECK_RESOURCES(&before);
}

TEST(without_descriptors_a_worker_is_replaced_when_there_are_some_again)
{
    REQUIRE(getrlimit(RLIMIT_NOFILE, &usual) == 0);
    rmd_pool *pool = open_pool("processes:1");
    check_works(pool);
    rmd_future *lost = call(pool, "die", RMD_ARGS("9", "words"));
    limit_descriptors(4);
    rmd_future *behind = call(pool, "add", RMD_ARGS(1, 2));
    CHECK_CONTAINS(detail_of(lost), "words");
    CHECK_LOST(lost);
    CHECK_EQ(rmd_future_wait(behind, rmd_after_ms(250)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_outcome(behind), RMD_PENDING);
    limit_descriptors(usual.rlim_cur);
    CHECK_EQ(INT_OF(behind), 3);
    check_works(pool);
    close_pool(pool);
}

/* It is the template that lacks them, and only for a while. */
TEST(a_template_without_descriptors_forks_when_it_has_some_again)
{
    struct rlimit before, few;
    rmd_pool *pool = open_pool("processes:1");
    pid_t template = find_template();
    check_works(pool);
    REQUIRE(prlimit(template, RLIMIT_NOFILE, NULL, &before) == 0);
    few.rlim_max = before.rlim_max;
    for (few.rlim_cur = 6; few.rlim_cur < 12; few.rlim_cur++) {
        REQUIRE(prlimit(template, RLIMIT_NOFILE, &few, NULL) == 0);
        CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
        rmd_future *behind = call(pool, "add", RMD_ARGS(1, 2));
        if (rmd_future_wait(behind, rmd_after_ms(150)) < 0) {
            CHECK_EQ(rmd_future_outcome(behind), RMD_PENDING);
            REQUIRE(prlimit(template, RLIMIT_NOFILE, &before, NULL) == 0);
        }
        CHECK_EQ(INT_OF(behind), 3);
    }
    close_pool(pool);
}

/* ---- calls of the system that fail ---- */

/* In the place of those of the C library: the n-th of that name fails. */
static struct {
    const char *name;
    int error;
    rmd_atomic(int) until; /* 0: none */
} failing;

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)

static bool fails(const char *name)
{
    if (!failing.name || strcmp(failing.name, name) != 0 ||
        rmd_atomic_load(&failing.until, RMD_RELAXED) <= 0 ||
        rmd_atomic_sub(&failing.until, 1, RMD_RELAXED) != 1)
        return false;
    errno = failing.error;
    return true;
}

int pipe2(int ends[2], int flags)
{
    return fails("pipe2") ? -1 : (int)syscall(SYS_pipe2, ends, flags);
}

int memfd_create(const char *name, unsigned flags)
{
    return fails("memfd_create") ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}

int socketpair(int domain, int type, int protocol, int ends[2])
{
    return fails("socketpair") ? -1 : (int)syscall(SYS_socketpair, domain, type, protocol, ends);
}

int eventfd(unsigned value, int flags)
{
    return fails("eventfd") ? -1 : (int)syscall(SYS_eventfd2, value, flags);
}

int epoll_create1(int flags)
{
    return fails("epoll_create1") ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    return fails("epoll_ctl") ? -1 : (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (fails("mmap"))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return fails("sendmsg") ? -1 : (ssize_t)syscall(SYS_sendmsg, fd, message, flags);
}

/* In the template: those that the variable names, as "2-4", counted from 1. */
pid_t fork(void)
{
    static pid_t (*real)(void);
    const char *which = getenv("FAILING_FORKS");
    static int n;
    int first, last;
    n += which != NULL;
    if (which && sscanf(which, "%d-%d", &first, &last) == 2 && n >= first && n <= last) {
        errno = EAGAIN;
        return -1;
    }
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fork");
    return real();
}

#define NEED_CALLS()
#else
#define NEED_CALLS() SKIP("the sanitizer has these calls for itself")
#endif

/* Everything a pool does: true if the call was reached. */
static bool use_pool(const char *name, int error, int n)
{
    rmd_pool_options options = { .size = sizeof options };
    rmd_pool *pool = NULL;
    rmd_future *lost = NULL, *behind = NULL;
    rmd_task_options limited = { .size = sizeof limited, .limits = { .run_ms_max = 60000 } };
    failing.error = error;
    failing.name = name;
    rmd_atomic_store(&failing.until, n, RMD_RELAXED);
    int err = rmd_pool_open(&pool, "processes:2", &options, soon());
    if (err < 0) {
        CHECK(err == RMD_ENOMEM || err == RMD_EMFILE || err == RMD_EAGAIN);
        CHECK_INT(strlen(rmd_error_detail()), >, 0);
    } else {
        CHECK_EQ(rmd_pool_call(pool, &lost, "die", RMD_ARGS("9", "words"), NULL), 0);
        CHECK_EQ(rmd_pool_call(pool, &behind, "add", RMD_ARGS(2, 3), &limited), 0);
        CHECK_LOST(lost);
        CHECK_EQ(INT_OF(behind), 5);
        check_works(pool);
        close_pool(pool);
    }
    return rmd_atomic_exchange(&failing.until, 0, RMD_RELAXED) <= 0;
}

static void fail_each(const char *name, int error, int at_least)
{
    int n = 1;
    kit_resources before;
    NEED_CALLS();
    kit_resources_take(&before);
    while (n < 1000 && use_pool(name, error, n))
        n++;
    CHECK_RESOURCES(&before);
    CHECK_INT(n, >, at_least);
    CHECK_INT(n, <, 1000);
}

TEST(each_mapping_of_memory_may_fail)
{
    fail_each("mmap", ENOMEM, 4);
}

TEST(each_file_in_memory_may_fail)
{
    fail_each("memfd_create", EMFILE, 4);
}

TEST(each_pipe_may_fail)
{
    fail_each("pipe2", EMFILE, 3);
}

TEST(each_pair_of_sockets_may_fail)
{
    fail_each("socketpair", EMFILE, 1);
}

TEST(each_descriptor_of_the_loop_may_fail)
{
    fail_each("eventfd", EMFILE, 1);
    fail_each("epoll_create1", EMFILE, 1);
}

TEST(each_descriptor_may_fail_to_be_watched)
{
    fail_each("epoll_ctl", ENOMEM, 4);
}

TEST(each_message_to_the_template_may_fail)
{
    fail_each("sendmsg", EAGAIN, 2);
}

TEST(a_fork_that_fails_at_first_is_why_the_pool_does_not_open)
{
    rmd_pool *pool = NULL;
    rmd_pool_options options = { .size = sizeof options };
    NEED_CALLS();
    setenv("FAILING_FORKS", "1-1", 1);
    CHECK_EQ(rmd_pool_open(&pool, "processes:2", &options, soon()), RMD_EAGAIN);
    CHECK_CONTAINS(rmd_error_detail(), "a worker process");
    unsetenv("FAILING_FORKS");
}

TEST(a_fork_that_fails_later_is_tried_again)
{
    NEED_CALLS();
    setenv("FAILING_FORKS", "2-4", 1);
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *lost = call(pool, "die", RMD_ARGS("9", ""));
    rmd_future *behind = call(pool, "add", RMD_ARGS(2, 3));
    CHECK_LOST(lost);
    CHECK_EQ(INT_OF(behind), 5);
    close_pool(pool);
    unsetenv("FAILING_FORKS");
}
