/* SPDX-License-Identifier: MIT */
/* Tasks of a processes pool that do the worst they can, each among innocent ones. It may harm
 * itself, and what it does to its worker from inside; the innocent ones are done all the same, the
 * pool takes more, and a drain leaves nothing.
 *
 * HOSTILE(name, how it may end, what its neighbours may suffer) { the body } is the function, and
 * the case of the same name. */
#include "processes_testing.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum {
    OK = 1 << RMD_OUTCOME_OK,
    FAILED = 1 << RMD_OUTCOME_FAILED,
    LATE = 1 << RMD_OUTCOME_TIMEOUT,
    LOST = 1 << RMD_OUTCOME_LOST,
    LOUD = 1 << 30, /* not an end: what it prints is not to be seen */
};
enum { NEIGHBOURS = 40, AFTER = 16, FUNCTIONS_MAX = 80, FLOOD_MIB = 64 };

static rmd_function functions[FUNCTIONS_MAX];
static size_t functions_used;
static rmd_atomic(int) called;

static void run_hostile(const char *name, unsigned outcomes, unsigned neighbours);

/* Many bodies do not return. */
#pragma GCC diagnostic ignored "-Wreturn-type"

#define HOSTILE(name, outcomes, neighbours)                                           \
    static int name##_body(rmd_call *call);                                           \
    __attribute__((constructor)) static void name##_add(void)                         \
    {                                                                                 \
        functions[functions_used++] = (rmd_function){ #name, name##_body, .help = "", \
                                                      .result = "" };                 \
    }                                                                                 \
    TEST_LIMIT(name, 60)                                                              \
    {                                                                                 \
        run_hostile(#name, outcomes, neighbours);                                     \
    }                                                                                 \
    static int name##_body(__attribute__((unused)) rmd_call *call)

/* ---- the innocent ---- */

static int twice(rmd_call *call)
{
    int64_t n;
    const char *text;
    int err = rmd_call_get(call, 0, &n);
    if (err == 0)
        err = rmd_call_get(call, 1, &text);
    if (err < 0)
        return err;
    return rmd_call_return(call, 2 * n + (int64_t)strlen(text));
}

static void on_end(rmd_future *future, void *ctx)
{
    (void)future;
    rmd_atomic_add((rmd_atomic(int) *)ctx, 1, RMD_RELAXED);
    rmd_atomic_add(&called, 1, RMD_RELEASE);
}

static rmd_future *call_innocent(rmd_pool *pool, int n, rmd_atomic(int) *calls)
{
    rmd_future *future = NULL;
    REQUIRE(rmd_pool_call(pool, &future, "twice", RMD_ARGS(n, "four"), NULL) == 0);
    REQUIRE(rmd_future_on_end(future, on_end, calls) == 0);
    return future;
}

static void check_innocent(rmd_future *future, int n, unsigned outcomes)
{
    int64_t result = -1;
    rmd_outcome outcome = rmd_future_outcome(future);
    if (outcome == RMD_OUTCOME_OK) {
        CHECK_EQ(rmd_future_get(future, &result), 0);
        CHECK_EQ(result, 2 * n + 4);
    } else if (!CHECK(1U << outcome & outcomes)) {
        (void)rmd_future_error(future);
        printf("neighbour %d: %s: %s\n", n, rmd_outcome_name(outcome), rmd_error_detail());
    }
    rmd_future_free(future);
}

/* ---- a trial ---- */

static const rmd_kill_step ladder[] = { { SIGTERM, 50 }, { SIGKILL, 0 } };

static rmd_future *call_hostile(rmd_pool *pool, const char *name, unsigned outcomes,
                                rmd_atomic(int) *calls)
{
    rmd_future *future = NULL;
    rmd_task_options options = { .size = sizeof options };
    if (outcomes & LATE) /* without need there is no limit: its timer would wake the keeper */
        options.limits = (rmd_limits){ .run_ms_max = 300, .ladder = ladder, .ladder_len = 2 };
    REQUIRE(rmd_pool_call(pool, &future, name, RMD_ARGS(), &options) == 0);
    REQUIRE(rmd_future_on_end(future, on_end, calls) == 0);
    return future;
}

static void check_hostile(rmd_future *future, unsigned outcomes)
{
    rmd_outcome outcome = rmd_future_outcome(future);
    int err = rmd_future_error(future);
    static char text[600];
    snprintf(text, sizeof text, "%s%s%s", rmd_outcome_name(outcome), err < 0 ? ": " : "",
             err < 0 ? rmd_error_detail() : "");
    kit_remark(text);
    if (!CHECK(1U << outcome & outcomes))
        printf("it is %s\n", text);
    rmd_future_free(future);
}

/* They wait for nothing but callbacks: so whatever the keeper would miss shows. */
static void try_it(rmd_pool *pool, const char *name, unsigned outcomes, unsigned neighbours)
{
    rmd_atomic(int) calls[NEIGHBOURS + 1] = { 0 };
    rmd_future *futures[NEIGHBOURS + 1];
    int before = rmd_atomic_load(&called, RMD_RELAXED);
    for (int i = 0; i <= NEIGHBOURS; i++)
        futures[i] = i == NEIGHBOURS / 2 ? call_hostile(pool, name, outcomes, &calls[i])
                                         : call_innocent(pool, i, &calls[i]);
    REQUIRE(await_count(&called, before + NEIGHBOURS + 1));
    check_hostile(futures[NEIGHBOURS / 2], outcomes);
    for (int i = 0; i <= NEIGHBOURS; i++) {
        CHECK_EQ(rmd_atomic_load(&calls[i], RMD_RELAXED), 1);
        if (i != NEIGHBOURS / 2)
            check_innocent(futures[i], i, neighbours);
    }
}

/* One after the other, and some at once. */
static void use_it_afterwards(rmd_pool *pool)
{
    rmd_atomic(int) calls[AFTER] = { 0 };
    rmd_future *futures[AFTER];
    int before = rmd_atomic_load(&called, RMD_RELAXED);
    for (int i = 0; i < AFTER; i++) {
        futures[i] = call_innocent(pool, i, &calls[i]);
        REQUIRE(i >= 4 || await_count(&called, before + i + 1));
    }
    REQUIRE(await_count(&called, before + AFTER));
    for (int i = 0; i < AFTER; i++) {
        CHECK_EQ(rmd_atomic_load(&calls[i], RMD_RELAXED), 1);
        check_innocent(futures[i], i, 0);
    }
}

static void silence(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 2);
    close(null);
}

static void run_on(const char *kind, rmd_pool_options options, const char *name, unsigned outcomes,
                   unsigned neighbours)
{
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *pool = open_chaos(kind, options);
    try_it(pool, name, outcomes, neighbours);
    use_it_afterwards(pool);
    end_chaos(pool);
    CHECK_EQ(family_size(), 0);
    CHECK_RESOURCES(&before);
}

static void run_with(rmd_pool_options options, const char *name, unsigned outcomes,
                     unsigned neighbours)
{
    if (outcomes & LOUD)
        silence();
    mark_family();
    run_on("processes:1", options, name, outcomes, neighbours);
    run_on("processes:2", options, name, outcomes, neighbours);
}

static void run_hostile(const char *name, unsigned outcomes, unsigned neighbours)
{
    run_with((rmd_pool_options){ 0 }, name, outcomes, neighbours);
}

int main(int argc, char **argv)
{
    functions[functions_used++] = (rmd_function){ .name = "twice", .fn = twice };
    if (rmd_functions_add(functions) < 0)
        return 2;
    rmd_start(&argc, &argv);
    return kit_main(argc, argv);
}

/* ---- descriptors ---- */

HOSTILE(a_task_that_closes_every_descriptor, OK | LOST, 0)
{
    syscall(SYS_close_range, 0U, ~0U, 0U);
    return 0;
}

HOSTILE(a_task_that_puts_another_file_over_every_descriptor, OK | LOST, 0)
{
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 1024; i++)
        if (i != null)
            dup2(null, i);
    return 0;
}

HOSTILE(a_task_that_closes_all_and_opens_others, OK | LOST, 0)
{
    syscall(SYS_close_range, 0U, ~0U, 0U);
    for (int i = 0; i < 8; i++)
        if (open("/dev/null", O_RDWR) < 0)
            return RMD_EIO;
    return 0;
}

HOSTILE(a_task_that_writes_garbage_to_every_descriptor, OK | LOST | LOUD, 0)
{
    char garbage[256];
    memset(garbage, 0xa5, sizeof garbage);
    for (int i = 0; i < 1024; i++) {
        fcntl(i, F_SETFL, fcntl(i, F_GETFL) | O_NONBLOCK);
        for (size_t n = 1; n <= sizeof garbage; n *= 2)
            if (write(i, garbage, n) < 0 && errno == EBADF)
                break;
    }
    return 0;
}

/* The bell is the only event that a worker has. */
static int find_bell(void)
{
    for (int i = 3; i < 1024; i++) {
        char path[32], target[64] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", i);
        if (readlink(path, target, sizeof target - 1) > 0 && strstr(target, "eventfd"))
            return i;
    }
    return -1;
}

HOSTILE(a_task_that_steals_what_wakes_the_keeper, OK, 0)
{
    uint64_t count;
    int bell = find_bell();
    if (bell < 0)
        return RMD_ENOENT;
    for (int64_t end = now_ns() + 100000000; now_ns() < end;)
        if (read(bell, &count, sizeof count) < 0 && errno != EAGAIN)
            return RMD_EIO;
    return 0;
}

HOSTILE(a_task_that_makes_the_keepers_descriptor_block, OK, 0)
{
    int bell = find_bell();
    if (bell < 0 || fcntl(bell, F_SETFL, 0) < 0)
        return RMD_ENOENT;
    uint64_t count;
    struct pollfd ready = { .fd = bell, .events = POLLIN };
    for (int64_t end = now_ns() + 100000000; now_ns() < end;)
        if (poll(&ready, 1, 1) == 1 && read(bell, &count, sizeof count) < 0)
            return RMD_EIO;
    return 0;
}

HOSTILE(a_task_that_floods_stderr, OK | LOUD, 0)
{
    static char line[65536];
    memset(line, 'x', sizeof line);
    for (int i = 0; i < how_many(FLOOD_MIB, 4, 1024) * 16; i++)
        if (write(2, line, sizeof line) < 0)
            return RMD_EIO;
    return 0;
}

/* ---- processes ---- */

/* 0 in a process that nothing but its environment shows to be ours. */
static pid_t fork_detached(void)
{
    pid_t child = fork();
    if (child)
        return waitpid(child, NULL, 0);
    setsid();
    if (fork())
        _exit(0);
    alarm(60);
    return 0;
}

HOSTILE(a_task_that_detaches_a_process, OK, 0)
{
    if (fork_detached() == 0)
        for (;;)
            pause();
    return 0;
}

/* More than one, so that there is always something to read. */
static void leave_floods(void)
{
    static char much[65536];
    for (int i = 0; i < 4; i++)
        if (fork_detached() == 0)
            for (;;)
                if (write(2, much, sizeof much) < 0)
                    _exit(0);
}

HOSTILE(a_task_that_dies_and_leaves_one_that_floods_stderr, LOST | LOUD, 0)
{
    leave_floods();
    abort();
}

HOSTILE(a_task_that_loops_and_leaves_one_that_floods_stderr, LATE | LOUD, 0)
{
    leave_floods();
    for (;;)
        pause();
}

HOSTILE(a_task_that_returns_twice, OK, 0)
{
    return fork() < 0 ? RMD_EAGAIN : 0;
}

HOSTILE(a_task_whose_fork_fails_where_it_succeeds, OK, 0)
{
    pid_t child = fork();
    if (child > 0)
        waitpid(child, NULL, 0);
    return child ? 0 : rmd_fail(-1001, "the child");
}

HOSTILE(a_task_that_forks_two_hundred, LATE, 0)
{
    for (int i = 0; i < 200; i++)
        if (fork() == 0) {
            if (i % 2)
                setsid();
            for (;;)
                pause();
        }
    for (;;)
        pause();
}

HOSTILE(a_task_that_forks_two_hundred_and_returns, OK, 0)
{
    for (int i = 0; i < 200; i++)
        if (fork() == 0) {
            if (i % 2)
                setsid();
            for (;;)
                pause();
        }
    return 0;
}

HOSTILE(a_task_that_executes_another_program, LOST, 0)
{
    execlp("true", "true", (char *)NULL);
    return RMD_EEXEC;
}

HOSTILE(a_task_that_executes_one_that_stays, LATE, 0)
{
    execlp("sleep", "sleep", "60", (char *)NULL);
    return RMD_EEXEC;
}

HOSTILE(a_task_that_stops_itself, LATE, 0)
{
    raise(SIGSTOP);
    for (;;)
        pause();
}

HOSTILE(a_task_that_leaves_its_group, LATE, 0)
{
    if (setpgid(0, getpgid(getppid())) < 0)
        return RMD_EACCES;
    for (;;)
        pause();
}

HOSTILE(a_task_that_leaves_its_group_and_is_not_alone_in_it, LATE, 0)
{
    if (fork() == 0)
        for (;;)
            pause();
    if (setpgid(0, getpgid(getppid())) < 0)
        return RMD_EACCES;
    for (;;)
        pause();
}

HOSTILE(a_task_that_leaves_its_group_and_returns, OK, 0)
{
    return setpgid(0, getpgid(getppid())) < 0 ? RMD_EACCES : 0;
}

HOSTILE(a_task_that_kills_its_group, LOST, 0)
{
    kill(0, SIGKILL);
    return 0;
}

HOSTILE(a_task_that_kills_the_template, OK, 0)
{
    kill(getppid(), SIGKILL);
    return 0;
}

HOSTILE(a_task_that_stops_the_template, OK, 0)
{
    kill(getppid(), SIGSTOP);
    return 0;
}

/* ---- what a process has ---- */

HOSTILE(a_task_that_blocks_and_ignores_signals, LATE, 0)
{
    sigset_t all;
    sigfillset(&all);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_IGN);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;)
        pause();
}

HOSTILE(a_task_that_sets_limits, OK, 0)
{
    struct rlimit none = { 0, 0 };
    const int kinds[] = { RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_FSIZE, RLIMIT_CORE, RLIMIT_MEMLOCK };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (setrlimit((__rlimit_resource_t)kinds[i], &none) < 0)
            return RMD_EACCES;
    return 0;
}

HOSTILE(a_task_that_goes_elsewhere, OK, 0)
{
    if (chroot("/proc/self/fdinfo") < 0 && errno != EPERM)
        return RMD_EIO;
    clearenv();
    return chdir("/") < 0 ? RMD_EIO : 0;
}

HOSTILE(a_task_that_meets_a_limit_of_files, LOST, 0)
{
    struct rlimit little = { 4096, 4096 };
    int fd = open(getenv("TMPDIR"), O_TMPFILE | O_RDWR, 0600);
    static char data[65536];
    if (fd < 0)
        fd = memfd_create("file", 0);
    setrlimit(RLIMIT_FSIZE, &little);
    for (;;)
        if (write(fd, data, sizeof data) < 0)
            return RMD_ENOSPC;
}

HOSTILE(a_task_that_fills_a_disk, OK | FAILED, 0)
{
    static char data[65536];
    const char *dir = getenv("TMPDIR");
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", dir, "tmpfs", 0, "size=1m") < 0)
        return rmd_fail(-1001, "no disk of its own: not tried");
    int fd = open(dir, O_TMPFILE | O_RDWR, 0600);
    while (write(fd, data, sizeof data) == sizeof data)
        ;
    return errno == ENOSPC ? 0 : RMD_EIO;
}

/* ---- memory ---- */

/* Calls fn with each mapping that is shared with the pool. */
static int each_mapping(void (*fn)(void *at, size_t len))
{
    static struct {
        void *at;
        size_t len;
    } found[16];
    char line[512], rights[8];
    size_t used = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && strcmp(rights, "rw-s") == 0 &&
            strstr(line, "remuda") && used < sizeof found / sizeof *found) {
            found[used].at = (void *)from;
            found[used++].len = to - from;
        }
    }
    if (maps)
        fclose(maps);
    for (size_t i = 0; i < used; i++)
        fn(found[i].at, found[i].len);
    return used ? 0 : RMD_ENOENT;
}

static void fill_00(void *at, size_t len)
{
    memset(at, 0, len);
}

static void fill_ff(void *at, size_t len)
{
    memset(at, 0xff, len);
}

static void fill_random(void *at, size_t len)
{
    uint64_t dice = (uint64_t)now_ns() | 1;
    uint32_t *words = at;
    for (size_t i = 0; i < len / sizeof *words; i++)
        words[i] = draw(&dice, UINT32_MAX);
}

static void unmap(void *at, size_t len)
{
    munmap(at, len);
}

HOSTILE(a_task_that_zeroes_what_it_shares, OK | LOST, LOST)
{
    return each_mapping(fill_00);
}

HOSTILE(a_task_that_overwrites_what_it_shares, OK | LOST, LOST)
{
    return each_mapping(fill_ff);
}

HOSTILE(a_task_that_writes_anything_to_what_it_shares, OK | LOST, LOST)
{
    return each_mapping(fill_random);
}

HOSTILE(a_task_that_zeroes_what_it_shares_and_loops, LATE | LOST, LOST)
{
    each_mapping(fill_00);
    for (;;)
        pause();
}

HOSTILE(a_task_that_overwrites_what_it_shares_and_loops, LATE | LOST, LOST)
{
    each_mapping(fill_ff);
    for (;;)
        pause();
}

HOSTILE(a_task_that_writes_anything_to_what_it_shares_and_loops, LATE | LOST, LOST)
{
    each_mapping(fill_random);
    for (;;)
        pause();
}

HOSTILE(a_task_that_zeroes_what_it_shares_and_crashes, LOST, LOST)
{
    each_mapping(fill_00);
    abort();
}

HOSTILE(a_task_that_overwrites_what_it_shares_and_crashes, LOST, LOST)
{
    each_mapping(fill_ff);
    abort();
}

HOSTILE(a_task_that_writes_anything_to_what_it_shares_and_crashes, LOST, LOST)
{
    each_mapping(fill_random);
    abort();
}

HOSTILE(a_task_that_unmaps_what_it_shares, LOST, 0)
{
    return each_mapping(unmap);
}

static int (*volatile sink)(const char *above);

static int sink_deeper(const char *above)
{
    char here[4096];
    memset(here, *above + 1, sizeof here);
    return sink(here) + here[17];
}

HOSTILE(a_task_that_overflows_its_stack, LOST, 0)
{
    if (KIT_SANITIZED) /* which has its own way with it, and takes long */
        abort();
    sink = sink_deeper;
    return sink("");
}

static int take_all_memory(rmd_call *call)
{
    (void)call;
    for (size_t taken = 0;; taken += 1 << 20) {
        char *some = malloc(1 << 20);
        if (!some)
            return rmd_fail(RMD_ENOMEM, "no more than %zu", taken);
        memset(some, 1, 1 << 20);
    }
}

__attribute__((constructor)) static void add_take_all_memory(void)
{
    functions[functions_used++] = (rmd_function){ .name = "take_all_memory",
                                                  .fn = take_all_memory };
}

TEST_LIMIT(a_task_that_takes_all_memory, 60)
{
    if (KIT_SANITIZED)
        SKIP("a sanitizer needs more addresses than any limit leaves");
    run_with((rmd_pool_options){ .address_bytes_max = 512 << 20 }, "take_all_memory", FAILED, 0);
}

/* ---- ways out ---- */

static jmp_buf way;

HOSTILE(a_task_that_jumps_out_of_its_body, OK | FAILED | LATE | LOST, 0)
{
    static bool been_here;
    if (KIT_SANITIZED)
        abort();
    if (setjmp(way) == 0 && !been_here)
        been_here = true;
    else
        _exit(3);
    longjmp(way, 1);
}

static void *wait_on(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void leave_threads(void)
{
    pthread_t thread;
    for (int i = 0; i < 4; i++)
        if (pthread_create(&thread, NULL, wait_on, NULL) == 0)
            pthread_detach(thread);
}

/* A sanitizer has a thread of its own, which goes on. */
HOSTILE(a_task_that_ends_its_thread, KIT_SANITIZED ? LATE | LOST : LOST, 0)
{
    pthread_exit(NULL);
}

HOSTILE(a_task_that_ends_its_thread_and_leaves_others, LATE, 0)
{
    leave_threads();
    pthread_exit(NULL);
}

HOSTILE(a_task_that_leaves_threads_running, OK, 0)
{
    leave_threads();
    return 0;
}

static void hang(void)
{
    for (;;)
        pause();
}

HOSTILE(a_task_that_hangs_in_an_exit_handler, LATE, 0)
{
    atexit(hang);
    exit(0);
}

HOSTILE(a_task_that_leaves_an_exit_handler_that_hangs, OK, 0)
{
    return atexit(hang);
}

HOSTILE(a_task_that_just_exits, LOST, 0)
{
    _exit(0);
}

HOSTILE(a_task_that_allocates_in_a_signal, LOST, 0)
{
    raise(SIGSEGV);
    return 0;
}
