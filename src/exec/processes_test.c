/* SPDX-License-Identifier: MIT */
/* Calls of functions in worker processes: what goes there and comes back, and from whom. */
#include "exec/processes_testing.h"

#include "kit_asleep.h"
#include "kit_resources.h"

#include <pthread.h>
#include <remuda/atomics.h>

enum { MIB = 1024 * 1024 };

/* So many bytes, each the lowest of its place times a factor. */
static int do_bytes(rmd_call *call)
{
    size_t n = (size_t)int_at(call, 0);
    unsigned char *bytes = malloc(n + 1);
    if (!bytes)
        return RMD_ENOMEM;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(i * 7);
    int err = rmd_call_return(call, ((rmd_bytes){ bytes, n }));
    free(bytes);
    return err;
}

static int do_print(rmd_call *call)
{
    printf("%s", text_at(call, 0));
    return 0;
}

static int do_complain(rmd_call *call)
{
    fprintf(stderr, "%s", text_at(call, 0));
    return 0;
}

static int do_about(rmd_call *call)
{
    bool same = rmd_task_id() == rmd_call_id(call) && rmd_task_attempt() == rmd_call_attempt(call);
    return rmd_call_return(call, RMD_LIST_OF((int64_t)rmd_call_id(call), same, rmd_call_name(call),
                                             rmd_task_name(), rmd_worker_name()));
}

/* The length of the task's name, as it knows it itself; and an argument behind it. */
static int do_name_length(rmd_call *call)
{
    return rmd_call_return(call, int_at(call, 0) + (int64_t)strlen(rmd_task_name()));
}

/* What it sees of its surroundings: what it inherits must be nothing of the owner's. */
static int do_descriptors(rmd_call *call)
{
    int64_t n = 0;
    for (int fd = 0; fd < 4096; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return rmd_call_return(call, n);
}

static const rmd_function own[] = {
    { .name = "bytes", .fn = do_bytes },
    { .name = "print", .fn = do_print },
    { .name = "complain", .fn = do_complain },
    { .name = "about", .fn = do_about },
    { .name = "name_length", .fn = do_name_length },
    { .name = "descriptors", .fn = do_descriptors },
    { 0 },
};
WORKERS(own)

/* ---- what goes there and comes back ---- */

static void check_echo(rmd_pool *pool, size_t len)
{
    rmd_bytes back = { NULL, 0 };
    unsigned char *bytes = malloc(len + 1);
    REQUIRE(bytes != NULL);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)(i * 31 + len);
    rmd_future *future = call(pool, "echo", RMD_ARGS(((rmd_bytes){ bytes, len })));
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_EQ(rmd_future_get(future, &back), 0);
    CHECK_EQ(back.len, len);
    CHECK_MEM(back.data, bytes, back.len == len ? len : 0);
    rmd_future_free(future);
    free(bytes);
}

TEST(arguments_and_results_of_any_size_come_through)
{
    static const size_t sizes[] = { 0,          1,
                                    63,         64,
                                    65,         4096,
                                    100000,     256 * 1024 - 64,
                                    256 * 1024, 256 * 1024 + 1,
                                    3 * MIB,    16 * MIB - 64 };
    rmd_pool *pool = open_pool("processes:1");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_echo(pool, sizes[i]);
    for (size_t i = sizeof sizes / sizeof *sizes; i-- > 0;)
        check_echo(pool, sizes[i]);
    close_pool(pool);
}

TEST(what_is_too_large_is_refused_at_either_end)
{
    rmd_future *future = NULL;
    char *bytes = calloc(17, MIB);
    rmd_pool *pool = open_pool("processes:1");
    rmd_args args = RMD_ARGS(((rmd_bytes){ bytes, 17 * MIB }));
    CHECK_EQ(rmd_pool_call(pool, &future, "echo", args, NULL), RMD_E2BIG);
    CHECK(!future);
    CHECK_ENDED(call(pool, "bytes", RMD_ARGS(17 * MIB)), RMD_OUTCOME_FAILED, RMD_E2BIG);
    check_works(pool);
    close_pool(pool);
    free(bytes);
}

TEST(many_large_ones_at_once_come_through)
{
    enum { N = 24 };
    rmd_future *futures[N];
    rmd_pool *pool = open_pool("processes:2");
    for (int i = 0; i < N; i++)
        futures[i] = call(pool, "bytes", RMD_ARGS(i * 50000 + i % 5 * MIB));
    for (int i = 0; i < N; i++) {
        rmd_bytes back = { NULL, 0 };
        REQUIRE(rmd_future_wait(futures[i], soon()) == 0);
        REQUIRE(rmd_future_get(futures[i], &back) == 0);
        const unsigned char *bytes = back.data;
        CHECK_EQ(back.len, i * 50000 + i % 5 * MIB);
        for (size_t k = 0; k < back.len; k++)
            if (bytes[k] != (unsigned char)(k * 7)) {
                CHECK_EQ(bytes[k], (unsigned char)(k * 7));
                break;
            }
        rmd_future_free(futures[i]);
    }
    close_pool(pool);
}

/* Nobody looks at the answers, and there is no room for them: they are taken all the same. */
TEST(results_that_nobody_waits_for_do_not_hold_the_workers_up)
{
    enum { N = 100 };
    gate at = make_gate("gate");
    rmd_future *futures[N];
    rmd_pool *pool = open_pool("processes:2");
    for (int i = 0; i < N; i++)
        futures[i] = call(pool, "bytes", RMD_ARGS(100000));
    rmd_future *last = call(pool, "stand", RMD_ARGS("gate"));
    await_arrival(&at);
    open_gate(&at);
    CHECK_OK(last);
    for (int i = 0; i < N; i++)
        CHECK_OK(futures[i]);
    close_pool(pool);
}

TEST(the_error_of_a_task_is_its_own_with_its_words)
{
    char words[600];
    memset(words, 'w', sizeof words - 1);
    words[sizeof words - 1] = 0;
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call(pool, "fail", RMD_ARGS(-1234, "words \"quoted\""));
    CHECK_STR(detail_of(future), "words \"quoted\"");
    CHECK_ENDED(future, RMD_OUTCOME_FAILED, -1234);
    future = call(pool, "fail", RMD_ARGS(-1234, (const char *)words));
    CHECK_EQ(strlen(detail_of(future)), 511);
    CHECK_ENDED(future, RMD_OUTCOME_FAILED, -1234);
    close_pool(pool);
}

/* ---- names ---- */

TEST(tasks_and_workers_know_their_names_and_numbers)
{
    const rmd_value *list = NULL;
    const char *texts[5] = { 0 };
    int64_t id = 0;
    bool same = false;
    rmd_pool *pool = open_pool_with("processes:1", (rmd_pool_options){ .name = "farm" });
    rmd_future *future = call_with(pool, "about", RMD_ARGS(),
                                   (rmd_task_options){ .name = "this one", .ctx = &id });
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    REQUIRE(rmd_future_get(future, &list) == 0 && list->as.list.count == 5);
    CHECK_EQ(rmd_value_get(&list->as.list.items[0], &id), 0);
    CHECK_EQ(rmd_value_get(&list->as.list.items[1], &same), 0);
    for (size_t i = 2; i < 5; i++)
        CHECK_EQ(rmd_value_get(&list->as.list.items[i], &texts[i]), 0);
    CHECK_EQ(id, (int64_t)rmd_future_id(future));
    CHECK(same);
    CHECK_STR(texts[2], "about");
    CHECK_STR(texts[3], "this one");
    CHECK_STR(texts[4], "farm-1");
    CHECK_STR(rmd_future_name(future), "this one");
    CHECK(rmd_future_ctx(future) == &id);
    CHECK_STR(rmd_worker_name(), "");
    rmd_future_free(future);
    close_pool(pool);
}

TEST(each_worker_has_a_name_of_its_own_also_after_a_death)
{
    const char *name = "";
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:2");
    rmd_future *held = stand(pool, &at, "gate", NULL);
    char other[32] = "";
    for (int i = 0; i < 3; i++) {
        rmd_future *future = call(pool, "worker_name", RMD_ARGS());
        REQUIRE(rmd_future_wait(future, soon()) == 0);
        REQUIRE(rmd_future_get(future, &name) == 0);
        CHECK(strcmp(name, "processes-1") == 0 || strcmp(name, "processes-2") == 0);
        if (i)
            CHECK_STR(name, other);
        snprintf(other, sizeof other, "%s", name);
        rmd_future_free(future);
        CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
    }
    open_gate(&at);
    CHECK_OK(held);
    close_pool(pool);
}

TEST(a_name_of_any_length_does_no_harm)
{
    enum { LONG = 200000 };
    char *name = malloc(LONG + 1);
    REQUIRE(name != NULL);
    rmd_pool *pool = open_pool("processes:1");
    for (size_t len = 1; len <= LONG; len = len * 3 + 1) {
        memset(name, 'n', len);
        name[len] = 0;
        rmd_task_options options = { .name = name };
        rmd_future *future = call_with(pool, "name_length", RMD_ARGS(1000000), options);
        CHECK_EQ(strlen(rmd_future_name(future)), len);
        int64_t seen = INT_OF(future) - 1000000; /* there it may be cut */
        CHECK_INT(seen, <=, len);
        CHECK_INT(seen, >=, len < 100 ? len : 100);
    }
    close_pool(pool);
    free(name);
}

/* ---- what they write ---- */

/* Lets a pipe be one of our streams; the other end is returned. */
static int redirect(int stream)
{
    int ends[2];
    fflush(NULL);
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(dup2(ends[1], stream) == stream);
    close(ends[1]);
    return ends[0];
}

static void check_text(int fd, const char *text)
{
    char got[64] = "";
    size_t used = 0;
    while (used < strlen(text)) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        REQUIRE(poll(&ready, 1, 15000 * kit_patience()) == 1);
        ssize_t n = read(fd, got + used, sizeof got - 1 - used);
        REQUIRE(n > 0);
        used += (size_t)n;
    }
    CHECK_STR(got, text);
}

TEST(what_a_task_prints_is_seen_when_its_worker_has_nothing_else_to_do)
{
    int out = redirect(STDOUT_FILENO);
    rmd_pool *pool = open_pool("processes:1");
    CHECK_OK(call(pool, "print", RMD_ARGS("some words, ")));
    check_text(out, "some words, ");
    CHECK_OK(call(pool, "print", RMD_ARGS("and more")));
    close_pool(pool);
    check_text(out, "and more");
}

TEST(what_the_owner_had_not_printed_yet_is_not_printed_by_others)
{
    int out = redirect(STDOUT_FILENO);
    char byte;
    setvbuf(stdout, NULL, _IOFBF, 4096);
    printf("once");
    rmd_pool *pool = open_pool("processes:3");
    CHECK_LOST(call(pool, "die", RMD_ARGS("exit 0", "")));
    close_pool(pool);
    fflush(stdout);
    close(STDOUT_FILENO);
    check_text(out, "once");
    CHECK_EQ(read(out, &byte, 1), 0); /* nor has anybody the pipe any more */
}

TEST(what_a_task_writes_to_stderr_is_passed_on)
{
    int saved = dup(STDERR_FILENO), error = redirect(STDERR_FILENO);
    rmd_pool *pool = open_pool("processes:1");
    CHECK_OK(call(pool, "complain", RMD_ARGS("this is wrong\n")));
    check_text(error, "this is wrong\n");
    close_pool(pool);
    dup2(saved, STDERR_FILENO);
}

TEST(a_pool_is_opened_and_used_with_all_streams_closed)
{
    int saved[3];
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        close(fd);
    }
    rmd_pool *pool = NULL;
    int err = rmd_pool_open(&pool, "processes:2", NULL, soon()), works = 0;
    if (err == 0) {
        works = (int)INT_OF(call(pool, "add", RMD_ARGS(2, 3)));
        CHECK_OK(call(pool, "print", RMD_ARGS("to nobody")));
        CHECK_OK(call(pool, "complain", RMD_ARGS("to nobody")));
        CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
    for (int fd = 0; fd < 3; fd++)
        dup2(saved[fd], fd);
    CHECK_EQ(err, 0);
    CHECK_EQ(works, 5);
}

TEST(workers_have_none_of_the_owners_descriptors)
{
    int64_t few;
    rmd_pool *pool = open_pool("processes:1");
    few = INT_OF(call(pool, "descriptors", RMD_ARGS()));
    close_pool(pool);
    int given[4];
    REQUIRE(pipe(given) == 0 && pipe(given + 2) == 0); /* without close-on-exec */
    pool = open_pool("processes:2");
    CHECK_EQ(INT_OF(call(pool, "descriptors", RMD_ARGS())), few);
    CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
    for (int i = 0; i < 4; i++)
        CHECK_EQ(INT_OF(call(pool, "descriptors", RMD_ARGS())), few);
    close_pool(pool);
}

/* ---- who waits ---- */

TEST(a_wait_that_times_out_leaves_the_task_running)
{
    gate at = make_gate("gate");
    pid_t pid;
    int64_t n = 7;
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = stand(pool, &at, "gate", &pid);
    CHECK_EQ(rmd_future_wait(future, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_get(future, &n), RMD_EBUSY);
    CHECK_EQ(n, 7);
    CHECK_EQ(rmd_future_state(future), RMD_STATE_RUNNING);
    open_gate(&at);
    CHECK_EQ(INT_OF(future), pid);
    close_pool(pool);
}

typedef struct waiting {
    rmd_future *future;
    rmd_atomic(int) tid;
} waiting;

static void *wait_for_it(void *arg)
{
    waiting *w = arg;
    rmd_atomic_store(&w->tid, gettid(), RMD_RELEASE);
    CHECK_EQ(rmd_future_wait(w->future, soon()), 0);
    return NULL;
}

TEST(all_threads_that_sleep_until_it_ends_are_woken)
{
    enum { WAITERS = 4 };
    pthread_t threads[WAITERS];
    waiting waits[WAITERS];
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = stand(pool, &at, "gate", NULL);
    rmd_future *behind = call(pool, "add", RMD_ARGS(1, 2));
    for (int i = 0; i < WAITERS; i++) {
        waits[i].future = i % 2 ? future : behind;
        rmd_atomic_init(&waits[i].tid, 0);
        REQUIRE(pthread_create(&threads[i], NULL, wait_for_it, &waits[i]) == 0);
        while (!rmd_atomic_load(&waits[i].tid, RMD_ACQUIRE))
            sched_yield();
        await_sleep(rmd_atomic_load(&waits[i].tid, RMD_RELAXED));
    }
    open_gate(&at);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(future);
    CHECK_OK(behind);
    close_pool(pool);
}

TEST(who_sleeps_until_it_ends_is_woken_when_its_worker_dies)
{
    pthread_t thread;
    waiting w;
    gate at = make_gate("gate");
    pid_t pid;
    rmd_pool *pool = open_pool("processes:1");
    w.future = stand(pool, &at, "gate", &pid);
    rmd_atomic_init(&w.tid, 0);
    REQUIRE(pthread_create(&thread, NULL, wait_for_it, &w) == 0);
    while (!rmd_atomic_load(&w.tid, RMD_ACQUIRE))
        sched_yield();
    await_sleep(rmd_atomic_load(&w.tid, RMD_RELAXED));
    kill(pid, SIGKILL);
    pthread_join(thread, NULL);
    CHECK_LOST(w.future);
    close_pool(pool);
}

static void *call_often(void *arg)
{
    enum { ROUNDS = 100, WINDOW = 5 };
    rmd_pool *pool = arg;
    for (int round = 0; round < ROUNDS; round++) {
        rmd_future *futures[WINDOW];
        for (int i = 0; i < WINDOW; i++)
            futures[i] = call(pool, "add", RMD_ARGS(round, i));
        for (int i = WINDOW - 1; i >= 0; i--)
            CHECK_EQ(INT_OF(futures[i]), round + i);
    }
    return NULL;
}

TEST(many_threads_call_one_pool)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    rmd_census census;
    rmd_pool *pool = open_pool("processes:2");
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, call_often, pool) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK_EQ(census.ok, 8 * 500);
    close_pool(pool);
}

TEST(two_pools_at_once_do_not_meet)
{
    gate at = make_gate("gate");
    pid_t pid;
    rmd_pool *one = open_pool("processes:1"), *two = open_pool("processes:1");
    rmd_future *held = stand(one, &at, "gate", &pid);
    CHECK_INT(pid_of_worker(two), !=, pid);
    CHECK_LOST(call(two, "die", RMD_ARGS("9", "")));
    close_pool(two);
    CHECK_EQ(rmd_future_outcome(held), RMD_PENDING);
    open_gate(&at);
    CHECK_OK(held);
    close_pool(one);
}

TEST(a_future_may_outlive_its_pool)
{
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call(pool, "add", RMD_ARGS(20, 22));
    rmd_future *lost = call(pool, "die", RMD_ARGS("9", "words"));
    close_pool(pool);
    CHECK_CONTAINS(detail_of(lost), "words");
    CHECK_LOST(lost);
    CHECK_EQ(INT_OF(future), 42);
}
