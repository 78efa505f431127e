/* SPDX-License-Identifier: MIT */
#include "port/spawn.h"

#include "kit.h"
#include "kit_resources.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* As an old kernel, or the sandbox of a container, does. */
static void refuse(unsigned call, unsigned err)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof steps / sizeof *steps, steps };
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        SKIP("the kernel has no seccomp filters");
}

/* A case for each way of starting a program. */
#define TEST_BOTH_WAYS(name)        \
    static void run_##name(void);   \
    TEST(name)                      \
    {                               \
        run_##name();               \
    }                               \
    TEST(name##_by_posix)           \
    {                               \
        refuse(SYS_clone3, ENOSYS); \
        run_##name();               \
    }                               \
    static void run_##name(void)

static bool ends_soon(int pidfd)
{
    struct pollfd wanted = { .fd = pidfd, .events = POLLIN };
    return poll(&wanted, 1, 10000) == 1;
}

/* What look_helper tells through fds[out_at], which is the writing end of a pipe. */
static char seen[8192];

static bool saw(const char *line)
{
    char wanted[256], all[sizeof seen + 1];
    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    snprintf(all, sizeof all, "\n%s", seen);
    return strstr(all, wanted) != NULL;
}

static void read_all(int fd)
{
    size_t used = 0;
    for (ssize_t n; (n = read(fd, seen + used, sizeof seen - 1 - used)) > 0;)
        used += (size_t)n;
    seen[used] = 0;
}

/* Starts look_helper with these descriptors, of which number `out` is replaced by a pipe
 * to it, and reads what it tells. Our standard descriptors are set to std meanwhile. */
static void look(rmdi_spawn spawn, int *fds, int out, const int std[3])
{
    int ends[2], saved[3];
    char number[16];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    snprintf(number, sizeof number, "%d", out);
    char path[4096], name[] = "look", *argv[] = { name, number, NULL };
    snprintf(path, sizeof path, "%s", kit_helper("port-look_helper"));
    fds[out] = fcntl(ends[1], F_DUPFD_CLOEXEC, 100);
    spawn.path = path;
    spawn.argv = argv;
    spawn.envp = environ;
    spawn.fds = fds;
    for (int i = 0; std && i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        dup2(std[i], i);
    }
    rmdi_spawned child;
    int err = rmdi_spawn_program(&spawn, &child);
    for (int i = 0; std && i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    CHECK_EQ(err, 0);
    close(fds[out]);
    close(ends[1]);
    read_all(ends[0]);
    close(ends[0]);
    int status;
    CHECK(ends_soon(child.pidfd));
    close(child.pidfd);
    REQUIRE(waitpid(child.pid, &status, 0) == child.pid);
    CHECK_EQ(status, 0);
}

/* A file with a name that shows in /proc. */
static int named(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    REQUIRE(fd >= 0);
    return fd;
}

TEST_BOTH_WAYS(sources_below_their_targets_arrive)
{
    int std[3] = { named("red"), named("green"), named("blue") };
    static const int orders[][3] = { { 0, 1, 2 }, { 1, 2, 0 }, { 2, 0, 1 },
                                     { 1, 0, 2 }, { 2, 1, 0 }, { 0, 0, 0 } };
    static const char *const names[] = { "red", "green", "blue" };
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
        int fds[4] = { orders[k][0], orders[k][1], orders[k][2] };
        look((rmdi_spawn){ .fds_len = 4 }, fds, 3, std);
        for (int i = 0; i < 3; i++) {
            char line[64];
            snprintf(line, sizeof line, "fd %d /memfd:%s (deleted)", i, names[orders[k][i]]);
            if (!CHECK(saw(line)))
                printf("order %zu: no \"%s\" in\n%s", k, line, seen);
        }
    }
}

TEST_BOTH_WAYS(a_source_far_below_its_target_arrives_although_others_come_first)
{
    int red = named("red"), green = named("green");
    REQUIRE(dup2(red, 20) == 20 && dup2(green, 21) == 21);
    int fds[32];
    for (int i = 0; i < 32; i++)
        fds[i] = 21; /* overwrites 20 before its turn as a source comes */
    fds[31] = 20;
    look((rmdi_spawn){ .fds_len = 32 }, fds, 3, NULL);
    CHECK(saw("fd 20 /memfd:green (deleted)"));
    CHECK(saw("fd 31 /memfd:red (deleted)"));
}

TEST_BOTH_WAYS(descriptors_that_are_not_listed_are_closed)
{
    int red = named("red");
    for (int fd = 4; fd < 12; fd++)
        dup2(red, fd); /* without close-on-exec */
    dup2(red, 300);
    int fds[5] = { 0, -1, -1, 0, red };
    look((rmdi_spawn){ .fds_len = 5 }, fds, 3, NULL);
    int count = 0;
    for (const char *at = seen; (at = strstr(at, "fd ")); at++)
        count++;
    CHECK_EQ(count, 3); /* 0, 3 and 4 */
    CHECK(saw("fd 4 /memfd:red (deleted)"));
}

TEST(without_close_range_they_are_closed_too)
{
    refuse(SYS_close_range, EPERM);
    run_descriptors_that_are_not_listed_are_closed();
}

TEST_BOTH_WAYS(signals_begin_unblocked_with_pipe_and_file_size_at_their_defaults)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* nohup goes on to hold */
    int fds[4] = { 0, 1, 2 };
    look((rmdi_spawn){ .fds_len = 4 }, fds, 3, NULL);
    CHECK(strstr(seen, "blocked") == NULL);
    CHECK(saw("ignored 1"));
    CHECK(!saw("ignored 13"));
    CHECK(!saw("ignored 25"));
}

TEST_BOTH_WAYS(a_program_leads_a_group_or_a_session)
{
    int fds[4] = { 0, 1, 2 };
    look((rmdi_spawn){ .fds_len = 4 }, fds, 3, NULL);
    CHECK(saw("group own") && saw("session other"));
    look((rmdi_spawn){ .fds_len = 4, .new_session = true }, fds, 3, NULL);
    CHECK(saw("group own") && saw("session own"));
}

TEST_BOTH_WAYS(a_program_runs_in_its_directory)
{
    char here[4096];
    int fds[4] = { 0, 1, 2 };
    look((rmdi_spawn){ .fds_len = 4, .dir = "/proc" }, fds, 3, NULL);
    CHECK(saw("dir /proc"));
    CHECK(getcwd(here, sizeof here) && strcmp(here, "/proc") != 0);
}

static int spawn_error(const char *path, const char *dir, const int *fds, size_t fds_len)
{
    char name[] = "x", *argv[] = { name, NULL };
    rmdi_spawned child;
    rmdi_spawn spawn = {
        .path = path, .argv = argv, .envp = environ, .dir = dir, .fds = fds, .fds_len = fds_len
    };
    return rmdi_spawn_program(&spawn, &child);
}

TEST_BOTH_WAYS(what_cannot_be_started_is_told_and_leaves_nothing_behind)
{
    char script[4096];
    snprintf(script, sizeof script, "%s/script", getenv("TMPDIR"));
    int fd = open(script, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    REQUIRE(fd >= 0 && write(fd, "exit 3\n", 7) == 7);
    close(fd);
    int fds[3] = { 2, 1, 0 }, closed[3] = { 0, 1, 99 }; /* the first needs a copy of 0 and 1 */
    kit_resources before;
    kit_resources_take(&before);
    CHECK_EQ(spawn_error("/nowhere/program", NULL, fds, 3), ENOENT);
    CHECK_EQ(spawn_error("/etc/passwd", NULL, fds, 3), EACCES);
    CHECK_EQ(spawn_error("/", NULL, fds, 3), EACCES);
    CHECK_EQ(spawn_error(script, NULL, fds, 3), ENOEXEC);
    CHECK_EQ(spawn_error("/bin/true", "/nowhere", fds, 3), ENOENT);
    CHECK_EQ(spawn_error("/bin/true", NULL, closed, 3), EBADF);
    CHECK_EQ(spawn_error("/bin/true", NULL, fds, RMDI_SPAWN_FDS_MAX + 1), EINVAL);
    CHECK_RESOURCES(&before);
}

TEST_BOTH_WAYS(without_a_descriptor_for_its_pidfd_no_program_runs)
{
    char mark[4096], touch[] = "touch", *argv[] = { touch, mark, NULL };
    snprintf(mark, sizeof mark, "%s/mark", getenv("TMPDIR"));
    rmdi_spawned child;
    rmdi_spawn spawn = {
        .path = "/bin/touch", .argv = argv, .envp = environ, .fds = (int[]){ 0, 1, 2 }, .fds_len = 3
    };
    struct rlimit before, few;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    few = before;
    few.rlim_cur = 32;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
    int last = -1;
    for (int fd; (fd = dup(0)) >= 0;)
        last = fd;
    CHECK_EQ(rmdi_spawn_program(&spawn, &child), EMFILE);
    CHECK(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    CHECK(access(mark, F_OK) < 0);
    close(last);
    REQUIRE(rmdi_spawn_program(&spawn, &child) == 0);
    CHECK(ends_soon(child.pidfd));
    CHECK_EQ(waitpid(child.pid, NULL, 0), child.pid);
    CHECK(access(mark, F_OK) == 0);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0); /* for those who look for leaks */
}

static int spawn_true(rmdi_spawned *child)
{
    char name[] = "true", *argv[] = { name, NULL };
    rmdi_spawn spawn = {
        .path = "/bin/true", .argv = argv, .envp = environ, .fds = (int[]){ 0, 1, 2 }, .fds_len = 3
    };
    return rmdi_spawn_program(&spawn, child);
}

TEST_BOTH_WAYS(the_end_of_a_child_that_the_system_reaps_is_told)
{
    rmdi_spawned child;
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 20; i++) {
        REQUIRE(spawn_true(&child) == 0);
        CHECK(ends_soon(child.pidfd));
        close(child.pidfd);
    }
}

static volatile int handled[2]; /* whose handler it is; did it run elsewhere? */

static void note(int signal)
{
    (void)signal;
    handled[1] |= getpid() != handled[0];
}

/* The child shares our memory until exec, and is in our group for a moment: a handler of ours
 * must not run in it, and no signal to the group reach the program. */
static void spawn_under_fire(int signal_number, int rounds)
{
    rmdi_spawned child;
    pid_t test = getpid(), shooter = fork();
    if (shooter == 0) {
        signal(signal_number, SIG_IGN);
        while (getppid() == test)
            kill(0, signal_number);
        _exit(0);
    }
    for (int i = 0; i < rounds; i++) {
        int status;
        REQUIRE(spawn_true(&child) == 0);
        close(child.pidfd);
        while (waitpid(child.pid, &status, WUNTRACED) < 0)
            CHECK_EQ(errno, EINTR);
        CHECK_EQ(status, 0);
    }
    kill(shooter, SIGKILL);
}

TEST(no_handler_of_ours_runs_in_a_child_and_no_signal_to_our_group_reaches_it)
{
    handled[0] = getpid();
    signal(SIGUSR1, note);
    spawn_under_fire(SIGUSR1, 500);
    CHECK_EQ(handled[1], 0);
}

TEST(a_child_is_not_stopped_with_our_group)
{
    signal(SIGTSTP, note);
    spawn_under_fire(SIGTSTP, 100); /* nearly each is stopped, and continued 20 ms later */
}

/* Nobody can ignore or block SIGSTOP; who continues the group only must not leave us waiting. */
TEST(a_child_that_was_stopped_as_it_left_our_group_is_continued)
{
    rmdi_spawned child;
    pid_t test = getpid(), shooter = fork();
    if (shooter == 0) {
        setpgid(0, 0);
        while (getppid() == test) {
            kill(-test, SIGSTOP); /* each case leads its group */
            kill(-test, SIGCONT);
            usleep(200); /* the pace of the stops: without a pause the group does not get on */
        }
        _exit(0);
    }
    for (int i = 0; i < 500; i++) {
        REQUIRE(spawn_true(&child) == 0);
        kill(child.pid, SIGCONT); /* it may have been stopped at the moment of its exec */
        CHECK(ends_soon(child.pidfd));
        close(child.pidfd);
        CHECK_EQ(waitpid(child.pid, NULL, 0), child.pid);
    }
    kill(shooter, SIGKILL);
}
