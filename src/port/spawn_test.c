/* SPDX-License-Identifier: MIT */
#include "port/spawn.h"

#include "kit.h"
#include "kit_resources.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

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
    pid_t pid;
    int err = rmdi_spawn_program(&spawn, &pid);
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
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
}

/* A file with a name that shows in /proc. */
static int named(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    REQUIRE(fd >= 0);
    return fd;
}

TEST(sources_below_their_targets_arrive)
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

TEST(a_source_far_below_its_target_arrives_although_others_come_first)
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

TEST(descriptors_that_are_not_listed_are_closed)
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

TEST(signals_begin_unblocked_with_pipe_and_file_size_at_their_defaults)
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

TEST(a_program_leads_a_group_or_a_session)
{
    int fds[4] = { 0, 1, 2 };
    look((rmdi_spawn){ .fds_len = 4 }, fds, 3, NULL);
    CHECK(saw("group own") && saw("session other"));
    look((rmdi_spawn){ .fds_len = 4, .new_session = true }, fds, 3, NULL);
    CHECK(saw("group own") && saw("session own"));
}

TEST(a_program_runs_in_its_directory)
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
    pid_t pid;
    rmdi_spawn spawn = {
        .path = path, .argv = argv, .envp = environ, .dir = dir, .fds = fds, .fds_len = fds_len
    };
    return rmdi_spawn_program(&spawn, &pid);
}

TEST(what_cannot_be_started_is_told_and_leaves_nothing_behind)
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
