/* SPDX-License-Identifier: MIT */
#include "port/procfs.h"

#include "kit.h"
#include "port/fd.h"
#include "port/spawn.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process with this environment, which ends when *leash is closed. Returns only when
 * it runs: while a program is being executed it still has our environment. */
static pid_t process_with(char *const *envp, int *leash)
{
    int in[2], out[2];
    char name[] = "cat", *argv[] = { name, NULL }, byte;
    rmdi_spawned child;
    REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    int fds[] = { in[0], out[1], 2 };
    rmdi_spawn spawn = { .path = "/bin/cat", .argv = argv, .envp = envp, .fds = fds, .fds_len = 3 };
    REQUIRE(rmdi_spawn_program(&spawn, &child) == 0);
    close(child.pidfd);
    close(in[0]);
    close(out[1]);
    REQUIRE(write(in[1], "x", 1) == 1 && read(out[0], &byte, 1) == 1);
    close(out[0]);
    *leash = in[1];
    return child.pid;
}

static void end(pid_t pid, int leash)
{
    close(leash);
    waitpid(pid, NULL, 0);
}

TEST(a_variable_is_found_wherever_the_chunks_of_the_environment_end)
{
    enum { CHUNK = 4096, AROUND = 24 };
    char filler[CHUNK + AROUND + 1], ours[] = "MARK=some value", after[] = "LAST=1";
    char *envp[] = { filler, ours, after, NULL }, value[32];
    for (int before = CHUNK - AROUND; before < CHUNK + 4; before++) {
        int leash;
        memset(filler, 'x', sizeof filler);
        filler[1] = '=';
        filler[before - 1] = 0; /* MARK= begins at offset `before` */
        pid_t pid = process_with(envp, &leash);
        int found = rmdi_procfs_environment(pid, "MARK", value, sizeof value);
        if (!CHECK_EQ(found, 1) || !CHECK_STR(value, "some value"))
            printf("with %d bytes before it\n", before);
        end(pid, leash);
    }
}

TEST(a_process_that_is_being_executed_is_waited_for)
{
    int in[2];
    rmdi_spawned child;
    char mark[] = "MARK=1", *argv[] = { mark, NULL }, *envp[] = { mark, NULL }, value[8];
    REQUIRE(pipe2(in, O_CLOEXEC) == 0);
    int fds[] = { in[0], 1, 2 };
    rmdi_spawn spawn = { .path = kit_helper("port-again_helper"),
                         .argv = argv,
                         .envp = envp,
                         .fds = fds,
                         .fds_len = 3 };
    REQUIRE(rmdi_spawn_program(&spawn, &child) == 0);
    pid_t pid = child.pid;
    close(child.pidfd);
    while (rmdi_procfs_environment(pid, "MARK", value, sizeof value) != 1)
        ; /* until it has been executed for the first time */
    int missed = 0;
    for (int i = 0; i < 2000; i++)
        missed += rmdi_procfs_environment(pid, "MARK", value, sizeof value) == 0;
    CHECK_EQ(missed, 0);
    close(in[0]);
    end(pid, in[1]);
}

static bool look_up(char *const *envp, const char *name, char *value, size_t size)
{
    int leash;
    pid_t pid = process_with(envp, &leash);
    int found = rmdi_procfs_environment(pid, name, value, size);
    end(pid, leash);
    return found == 1;
}

TEST(only_the_whole_name_counts)
{
    char a[] = "MARKED=1", b[] = "XMARK=2", c[] = "X=MARK=3", d[] = "MARK", e[] = "EMPTY=";
    char *envp[] = { a, b, c, d, e, NULL }, value[32] = "untouched";
    CHECK(!look_up(envp, "MARK", value, sizeof value));
    CHECK_STR(value, "");
    CHECK(look_up(envp, "EMPTY", value, sizeof value));
    CHECK_STR(value, "");
    CHECK(look_up(envp, "MARKED", value, sizeof value));
    CHECK_STR(value, "1");
}

TEST(a_long_value_is_cut)
{
    char a[] = "MARK=0123456789", *envp[] = { a, NULL }, value[5];
    CHECK(look_up(envp, "MARK", value, sizeof value));
    CHECK_STR(value, "0123");
}

TEST(a_process_that_is_gone_has_neither_environment_nor_group)
{
    char a[] = "MARK=1", *envp[] = { a, NULL }, value[8];
    int leash;
    bool zombie;
    pid_t pid = process_with(envp, &leash);
    end(pid, leash);
    CHECK_EQ(rmdi_procfs_environment(pid, "MARK", value, sizeof value), 0);
    CHECK_EQ(rmdi_procfs_group(pid, &zombie), -1);
}

TEST(who_has_no_environment_is_not_waited_for)
{
    char *none[] = { NULL }, value[8];
    int leash;
    pid_t pid = process_with(none, &leash);
    CHECK_EQ(rmdi_procfs_environment(pid, "MARK", value, sizeof value), 0);
    kill(pid, SIGKILL);
    siginfo_t info;
    REQUIRE(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK_EQ(rmdi_procfs_environment(pid, "MARK", value, sizeof value), 0); /* a zombie */
    end(pid, leash);
    CHECK_EQ(rmdi_procfs_environment(2, "MARK", value, sizeof value), 0); /* mostly the kernel's */
}

TEST(the_group_is_read_behind_a_hostile_name_and_a_zombie_is_known)
{
    int ends[2];
    bool zombie = true;
    char byte;
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NAME, ") Z 1 (1 1 1)");
        setpgid(0, 0);
        close(ends[0]);
        if (write(ends[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    REQUIRE(read(ends[0], &byte, 1) == 1);
    CHECK_EQ(rmdi_procfs_group(pid, &zombie), pid);
    CHECK(!zombie);
    kill(pid, SIGKILL);
    siginfo_t info;
    REQUIRE(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK_EQ(rmdi_procfs_group(pid, &zombie), pid);
    CHECK(zombie);
    waitpid(pid, NULL, 0);
}

TEST(the_newest_number_is_that_of_the_last_fork)
{
    pid_t before = rmdi_procfs_newest(), pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    CHECK_INT(before, >, 0);
    pid_t after = rmdi_procfs_newest();
    if (after < before)
        SKIP("numbers began anew");
    CHECK_INT(before, <, pid);
    CHECK_INT(after, >=, pid);
}

static bool count_until_ours(void *ctx, pid_t pid)
{
    int *after_ours = ctx;
    if (*after_ours >= 0)
        ++*after_ours;
    else if (pid == getpid())
        *after_ours = 0;
    return *after_ours < 0;
}

TEST(processes_are_listed_until_the_caller_has_enough)
{
    int after_ours = -1;
    CHECK_EQ(rmdi_procfs_each(count_until_ours, &after_ours), 0);
    CHECK_EQ(after_ours, 0);
}

static void *wait_at(void *barrier)
{
    pthread_barrier_wait(barrier);
    pthread_barrier_wait(barrier);
    return NULL;
}

static void count_threads(const char *name)
{
    pthread_barrier_t barrier;
    pthread_t threads[2];
    prctl(PR_SET_NAME, name);
    unsigned alone = rmdi_procfs_threads();
    pthread_barrier_init(&barrier, NULL, 3);
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_create(&threads[i], NULL, wait_at, &barrier) == 0);
    pthread_barrier_wait(&barrier);
    unsigned together = rmdi_procfs_threads();
    if (KIT_SANITIZED) { /* some have a thread of their own */
        CHECK_INT(alone, >=, 1);
        CHECK_INT(together, >=, alone + 2);
    } else {
        CHECK_EQ(alone, 1);
        CHECK_EQ(together, 3);
    }
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

TEST(our_threads_are_counted)
{
    count_threads("plain");
}

TEST(our_threads_are_counted_behind_a_hostile_name)
{
    count_threads(") S 1 2 (3 4 5)");
}

TEST(the_memory_that_is_there_is_what_was_touched)
{
    enum { BYTES = 32 * 1024 * 1024, ABOUT = 4 * 1024 * 1024 };
    int64_t before = (int64_t)rmdi_procfs_resident();
    CHECK_INT(before, >, 64 * 1024);
    char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    CHECK_INT((int64_t)rmdi_procfs_resident() - before, <, ABOUT);
    for (int i = 0; i < BYTES; i += 4096)
        memory[i] = 1;
    int64_t grown = (int64_t)rmdi_procfs_resident() - before;
    CHECK_INT(grown, >, BYTES - ABOUT);
    CHECK_INT(grown, <, KIT_SANITIZED ? 3 * (int64_t)BYTES : BYTES + ABOUT);
    munmap(memory, BYTES);
    CHECK_INT((int64_t)rmdi_procfs_resident() - before, <, KIT_SANITIZED ? BYTES : ABOUT);
}
