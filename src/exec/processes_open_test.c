/* SPDX-License-Identifier: MIT */
/* What workers are made of: preload, initializer, a program of one's own; and how each of them can
 * fail, or take too long, without leaving anything behind. */
#include "exec/processes_testing.h"

#include "kit_resources.h"

#include <pthread.h>
#include <sys/resource.h>

enum { LOADED = 1024 * 1024 };

/* Of each process: what was preloaded there, and what its initializer has set. */
static struct {
    unsigned char *bytes;
    pid_t preloader, initialized;
    int64_t number;
} here;

static int do_preload(rmd_call *call)
{
    add_line("preloads", "x");
    here.bytes = malloc(LOADED);
    if (!here.bytes)
        return RMD_ENOMEM;
    memset(here.bytes, (int)int_at(call, 0), LOADED);
    here.preloader = getpid();
    return 0;
}

/* Who has preloaded it, what it is here, and the same after it was changed here. */
static int do_loaded(rmd_call *call)
{
    stand_at(text_at(call, 0));
    int64_t before = 0, after = 0;
    for (int i = 0; i < LOADED; i++)
        before += here.bytes[i];
    here.bytes[0] += 1;
    for (int i = 0; i < LOADED; i++)
        after += here.bytes[i];
    return rmd_call_return(call,
                           RMD_LIST_OF((int64_t)here.preloader, before, after, (int64_t)getpid()));
}

static void *stay(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static int do_start_thread(rmd_call *call)
{
    pthread_t thread;
    (void)call;
    return pthread_create(&thread, NULL, stay, NULL) ? RMD_EAGAIN : 0;
}

static int do_initialize(rmd_call *call)
{
    add_line("initializers", "x");
    here.initialized = getpid();
    here.number = int_at(call, 0);
    return 0;
}

/* The number that the initializer of this worker was given. */
static int do_initialized(rmd_call *call)
{
    return rmd_call_return(call, here.initialized == getpid() ? here.number : -1);
}

static int do_hang(rmd_call *call)
{
    for (arrive(text_at(call, 0));;)
        pause();
    return 0;
}

static int do_wait_and_fail(rmd_call *call)
{
    stand_at(text_at(call, 0));
    return rmd_call_fail(call, -1002, "only now");
}

static const rmd_function own[] = {
    { .name = "preload", .fn = do_preload, .parameters = "value:int" },
    { .name = "loaded", .fn = do_loaded },
    { .name = "start_thread", .fn = do_start_thread },
    { .name = "initialize", .fn = do_initialize },
    { .name = "initialized", .fn = do_initialized },
    { .name = "hang", .fn = do_hang },
    { .name = "wait_and_fail", .fn = do_wait_and_fail },
    { 0 },
};
WORKERS(own)

/* Opens it in vain, within the deadline: with that error, and words of its detail; nothing is left
 * of the try. */
static void fail_to_open_by(rmd_pool_options options, rmd_deadline deadline, int error,
                            const char *words)
{
    kit_resources before;
    rmd_pool *pool = (rmd_pool *)&before;
    kit_resources_take(&before);
    options.size = sizeof options;
    int err = rmd_pool_open(&pool, "processes:2", &options, deadline);
    CHECK_STR(rmd_error_name(err), rmd_error_name(error));
    CHECK_EQ(err, error);
    CHECK_CONTAINS(rmd_error_detail(), words);
    CHECK(pool == (rmd_pool *)&before);
    CHECK_RESOURCES(&before);
}

static void fail_to_open(rmd_pool_options options, int error, const char *words)
{
    fail_to_open_by(options, soon(), error, words);
}

/* ---- what options say ---- */

TEST(options_that_cannot_be_are_refused)
{
    char name[131];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    fail_to_open((rmd_pool_options){ .preload = "nothing_like_it" }, RMD_ENOENT,
                 "preload: no function is called \"nothing_like_it\"");
    fail_to_open((rmd_pool_options){ .initializer = "nothing_like_it" }, RMD_ENOENT,
                 "initializer: no function is called \"nothing_like_it\"");
    fail_to_open((rmd_pool_options){ .preload_args = RMD_ARGS(1) }, RMD_EINVAL, "no preload");
    fail_to_open((rmd_pool_options){ .preload = "pid", .preload_args.count = 1 }, RMD_EINVAL,
                 "the arguments of the preload are not there");
    fail_to_open((rmd_pool_options){ .initializer = "pid", .initializer_args.named_count = 1 },
                 RMD_EINVAL, "the arguments of the initializer are not there");
    fail_to_open((rmd_pool_options){ .arg = &here }, RMD_EINVAL, "no use for arg");
    fail_to_open((rmd_pool_options){ .initializer_args = RMD_ARGS(1) }, RMD_EINVAL,
                 "no initializer");
    fail_to_open((rmd_pool_options){ .program = "/bin/true", .preload = name }, RMD_EINVAL,
                 "preload has at most 128 letters");
    fail_to_open((rmd_pool_options){ .stack_bytes = 1 << 20 }, RMD_EINVAL, "stack_bytes");
}

TEST(where_ends_of_children_are_dropped_there_is_no_pool)
{
    signal(SIGCHLD, SIG_IGN);
    fail_to_open((rmd_pool_options){ 0 }, RMD_EINVAL, "SIGCHLD");
    signal(SIGCHLD, SIG_DFL);
    close_pool(open_pool("processes:1"));
}

TEST(a_pool_that_is_open_leaves_nothing_when_it_is_closed)
{
    kit_resources before;
    kit_resources_take(&before);
    for (int i = 0; i < 5; i++) {
        rmd_pool *pool = open_pool("processes:3");
        check_works(pool);
        close_pool(pool);
    }
    CHECK_RESOURCES(&before);
}

/* ---- preload ---- */

static int64_t item(const rmd_value *list, size_t i)
{
    int64_t n = -1;
    REQUIRE(list->type == RMD_TYPE_LIST && i < list->as.list.count);
    CHECK_EQ(rmd_value_get(&list->as.list.items[i], &n), 0);
    return n;
}

TEST(what_was_preloaded_once_is_there_in_all_workers_and_each_has_its_own)
{
    rmd_future *futures[2];
    int64_t preloaders[2], pids[2];
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool_with(
        "processes:2", (rmd_pool_options){ .preload = "preload", .preload_args = RMD_ARGS(3) });
    for (int i = 0; i < 2; i++)
        futures[i] = call(pool, "loaded", RMD_ARGS("gate"));
    for (int i = 0; i < 2; i++)
        await_arrival(&at);
    open_gate(&at);
    for (int i = 0; i < 2; i++) {
        const rmd_value *list;
        REQUIRE(rmd_future_wait(futures[i], soon()) == 0);
        REQUIRE(rmd_future_get(futures[i], &list) == 0);
        preloaders[i] = item(list, 0);
        CHECK_EQ(item(list, 1), 3 * LOADED);
        CHECK_EQ(item(list, 2), 3 * LOADED + 1);
        pids[i] = item(list, 3);
        rmd_future_free(futures[i]);
    }
    CHECK_EQ(preloaders[0], preloaders[1]);
    CHECK_INT(preloaders[0], !=, getpid());
    CHECK_INT(pids[0], !=, pids[1]);
    CHECK_INT(pids[0], !=, preloaders[0]);
    CHECK_STR(lines_of("preloads"), "x");
    CHECK(here.bytes == NULL);
    close_pool(pool);
}

TEST(a_worker_that_replaces_another_has_what_was_preloaded)
{
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool_with(
        "processes:1", (rmd_pool_options){ .preload = "preload", .preload_args = RMD_ARGS(2) });
    CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
    open_gate(&at);
    CHECK_OK(call(pool, "loaded", RMD_ARGS("gate")));
    CHECK_STR(lines_of("preloads"), "x");
    close_pool(pool);
}

TEST(a_preload_that_fails_is_why_the_pool_does_not_open)
{
    fail_to_open(
        (rmd_pool_options){ .preload = "fail", .preload_args = RMD_ARGS(-1001, "what it says") },
        -1001, "what it says");
    fail_to_open((rmd_pool_options){ .preload = "preload", .preload_args = RMD_ARGS("text") },
                 RMD_EINVAL, "value");
}

TEST(a_preload_that_starts_a_thread_is_refused_and_the_cure_is_named)
{
    fail_to_open((rmd_pool_options){ .preload = "start_thread" }, RMD_EPRELOAD, "initializer");
    close_pool(open_pool_with("processes:1", (rmd_pool_options){ .initializer = "start_thread" }));
}

TEST(a_preload_in_which_the_process_ends_is_told)
{
    fail_to_open((rmd_pool_options){ .preload = "die", .preload_args = RMD_ARGS("9", "") },
                 RMD_EWORKER,
                 "the template process was ended by signal 9 (Killed) while calling "
                 "the preload function die");
    fail_to_open((rmd_pool_options){ .preload = "die", .preload_args = RMD_ARGS("exit 0", "") },
                 RMD_EWORKER,
                 "the template process has exited with status 0 while calling the "
                 "preload function die");
}

TEST(a_preload_that_never_ends_is_ended_at_the_deadline)
{
    gate at = make_gate("gate");
    fail_to_open_by((rmd_pool_options){ .preload = "hang", .preload_args = RMD_ARGS("gate") },
                    rmd_after_ms(200), RMD_ETIMEDOUT, "not ready in time");
    CHECK(!is_alive(hold_process(await_arrival(&at))));
}

/* ---- initializer ---- */

TEST(each_worker_is_initialized_before_its_first_task)
{
    rmd_future *all[3];
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool_with(
        "processes:3",
        (rmd_pool_options){ .initializer = "initialize", .initializer_args = RMD_ARGS(17) });
    CHECK_STR(lines_of("initializers"), "xxx");
    for (int i = 0; i < 10; i++)
        CHECK_EQ(INT_OF(call(pool, "initialized", RMD_ARGS())), 17);
    CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
    for (int i = 0; i < 3; i++) /* so that the new one is there */
        all[i] = stand(pool, &at, "gate", NULL);
    CHECK_STR(lines_of("initializers"), "xxxx");
    open_gate(&at);
    for (int i = 0; i < 3; i++)
        CHECK_OK(all[i]);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(INT_OF(call(pool, "initialized", RMD_ARGS())), 17);
    close_pool(pool);
    CHECK_STR(lines_of("initializers"), "xxxx");
}

TEST(an_initializer_that_fails_is_why_the_pool_does_not_open)
{
    fail_to_open((rmd_pool_options){ .initializer = "fail",
                                     .initializer_args = RMD_ARGS(-1002, "what it says") },
                 -1002, "what it says");
    gate at = make_gate("gate");
    open_gate(&at);
    fail_to_open(
        (rmd_pool_options){ .initializer = "wait_and_fail", .initializer_args = RMD_ARGS("gate") },
        -1002, "only now");
}

TEST(an_initializer_in_which_the_process_ends_is_told)
{
    fail_to_open((rmd_pool_options){ .initializer = "die",
                                     .initializer_args = RMD_ARGS("11", "its words\n") },
                 RMD_EWORKER, "was ended by signal 11");
    fail_to_open((rmd_pool_options){ .initializer = "die",
                                     .initializer_args = RMD_ARGS("_exit 4", "its words\n") },
                 RMD_EWORKER, "has exited with status 4; it wrote last: its words");
}

TEST(an_initializer_that_never_ends_is_ended_at_the_deadline)
{
    gate at = make_gate("gate");
    fail_to_open_by(
        (rmd_pool_options){ .initializer = "hang", .initializer_args = RMD_ARGS("gate") },
        rmd_after_ms(200), RMD_ETIMEDOUT, "not ready in time");
    CHECK(!is_alive(hold_process(await_arrival(&at))));
}

typedef struct stopping {
    gate at;
    rmd_stop *token;
} stopping;

static void *stop_when_one_has_arrived(void *arg)
{
    stopping *s = arg;
    await_arrival(&s->at);
    CHECK_EQ(rmd_stop_request(s->token), 0);
    return NULL;
}

TEST(who_opens_a_pool_can_be_told_to_stop)
{
    pthread_t thread;
    stopping s = { .at = make_gate("gate") };
    REQUIRE(rmd_stop_open(&s.token) == 0);
    REQUIRE(pthread_create(&thread, NULL, stop_when_one_has_arrived, &s) == 0);
    rmd_stop *before = rmd_stop_set(s.token);
    rmd_pool *pool;
    rmd_pool_options options = { .size = sizeof options,
                                 .initializer = "hang",
                                 .initializer_args = RMD_ARGS("gate") };
    CHECK_EQ(rmd_pool_open(&pool, "processes:2", &options, soon()), RMD_ECANCELED);
    rmd_stop_set(before);
    pthread_join(thread, NULL);
    rmd_stop_free(s.token);
}

/* ---- a program of one's own ---- */

static rmd_pool *open_helper(void)
{
    return open_pool_with("processes:2",
                          (rmd_pool_options){ .program = kit_helper("tests-pools-worker_helper") });
}

TEST(another_program_serves_with_functions_that_the_owner_does_not_have)
{
    rmd_pool *pool = open_helper();
    CHECK(!rmd_function_find("twice"));
    CHECK_EQ(INT_OF(call(pool, "twice", RMD_ARGS(21))), 42);
    close_pool(pool);
}

TEST(a_function_that_the_workers_do_not_have_fails_there)
{
    rmd_pool *pool = open_helper();
    rmd_future *future = call(pool, "add", RMD_ARGS(1, 2)); /* it is ours */
    CHECK_CONTAINS(detail_of(future), "the worker has no function \"add\"");
    CHECK_ENDED(future, RMD_OUTCOME_FAILED, RMD_ENOENT);
    CHECK_EQ(INT_OF(call(pool, "twice", RMD_ARGS(2))), 4);
    close_pool(pool);
}

TEST(a_function_with_a_name_that_none_can_have_is_refused)
{
    char name[130];
    rmd_future *future;
    rmd_pool *pool = open_helper();
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    CHECK_EQ(rmd_pool_call(pool, &future, name, RMD_ARGS(), NULL), RMD_EINVAL);
    name[128] = 0;
    CHECK_ENDED(call(pool, name, RMD_ARGS()), RMD_OUTCOME_FAILED, RMD_ENOENT);
    close_pool(pool);
}

TEST(a_function_that_nobody_has_is_refused_where_the_workers_are_this_program)
{
    rmd_future *future = NULL;
    rmd_pool *pool = open_pool("processes:1");
    CHECK_EQ(rmd_pool_call(pool, &future, "nobody's", RMD_ARGS(), NULL), RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "nobody's");
    CHECK(!future);
    close_pool(pool);
}

TEST(a_program_that_cannot_be_executed_is_told)
{
    char text[600];
    fail_to_open((rmd_pool_options){ .program = "/nowhere/at all" }, RMD_EWORKER,
                 "cannot execute /nowhere/at all");
    snprintf(text, sizeof text, "%s", path_of("text"));
    add_line("text", "no program\n");
    fail_to_open((rmd_pool_options){ .program = text }, RMD_EWORKER, "cannot execute");
    chmod(text, 0700);
    fail_to_open((rmd_pool_options){ .program = text }, RMD_EWORKER, "cannot execute");
}

TEST(a_program_that_does_not_serve_is_told)
{
    fail_to_open((rmd_pool_options){ .program = "/bin/true" }, RMD_EWORKER,
                 "does main() call rmd_start() first?");
    fail_to_open((rmd_pool_options){ .program = "/bin/false" }, RMD_EWORKER,
                 "does main() call rmd_start() first?");
}

TEST(a_function_of_another_program_may_be_its_preload)
{
    rmd_pool *pool = open_pool_with(
        "processes:1", (rmd_pool_options){ .program = kit_helper("tests-pools-worker_helper"),
                                           .preload = "twice",
                                           .preload_args = RMD_ARGS(1) });
    close_pool(pool);
    fail_to_open((rmd_pool_options){ .program = kit_helper("tests-pools-worker_helper"),
                                     .initializer = "thrice" },
                 RMD_ENOENT, "no function is called \"thrice\"");
}

/* ---- many ---- */

/* Calls fn for each child of the process. */
static int walk_children(pid_t parent, int (*fn)(pid_t child))
{
    char path[64];
    int n = 0;
    long child;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *file = fopen(path, "re");
    REQUIRE(file != NULL);
    while (fscanf(file, "%ld", &child) == 1)
        n += fn((pid_t)child);
    fclose(file);
    return n;
}

static int kill_child(pid_t child)
{
    return kill(child, SIGKILL) == 0;
}

static int is_zombie(pid_t child)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
    FILE *file = fopen(path, "re");
    if (file && !fgets(text, sizeof text, file))
        text[0] = 0;
    if (file)
        fclose(file);
    const char *after = strrchr(text, ')');
    return after && strncmp(after, ") Z", 3) == 0;
}

/* More orders than the socket to the template has room for; and then all die at once. */
TEST_LIMIT(hundreds_of_workers_are_forked_reaped_and_forked_again, 60)
{
    enum { MANY = 450 };
    struct rlimit files;
    if (KIT_SANITIZED || getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max < 4 * MANY)
        SKIP("too much for a sanitizer, or too few descriptors");
    files.rlim_cur = files.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0);
    rmd_pool *pool = open_pool("processes:450");
    check_works(pool);
    pid_t template = find_template();
    CHECK_INT(walk_children(template, kill_child), >=, MANY);
    rmd_deadline late = soon();
    while (walk_children(template, is_zombie) && !rmd_deadline_passed(late))
        sched_yield(); /* they are reaped by and by */
    CHECK_EQ(walk_children(template, is_zombie), 0);
    CHECK_EQ(rmd_pool_resume(pool), 0); /* that was more than a pool bears */
    check_works(pool);
    close_pool(pool);
}
