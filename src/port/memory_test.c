/* SPDX-License-Identifier: MIT */
#include "port/memory.h"

#include "kit.h"
#include "kit_resources.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 3 * 4096 + 100 };

static int open_memory(void)
{
    int fd = -1;
    REQUIRE(rmdi_memory_open("memory-test", BYTES, &fd) == 0);
    REQUIRE(fd >= 0);
    return fd;
}

static unsigned char *map(int fd, bool read_only)
{
    void *memory = NULL;
    REQUIRE(rmdi_memory_map(fd, BYTES, read_only, &memory) == 0);
    return memory;
}

TEST(it_is_zeroed_of_that_size_and_has_a_name_for_people)
{
    char link[64], target[256] = "";
    struct stat st;
    int fd = open_memory();
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, BYTES);
    CHECK_EQ(st.st_blocks, 0); /* what was never written takes no memory */
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    CHECK_INT(readlink(link, target, sizeof target - 1), >, 0);
    CHECK_CONTAINS(target, "memory-test");
    unsigned char *memory = map(fd, false);
    for (int i = 0; i < BYTES; i++)
        REQUIRE(memory[i] == 0);
}

TEST(nobody_can_change_its_size_or_take_the_seals_off)
{
    int fd = open_memory();
    CHECK_EQ(ftruncate(fd, BYTES - 1), -1);
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(ftruncate(fd, BYTES + 1), -1);
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* which would make others' writes fail */
    CHECK_EQ(errno, EPERM);
}

TEST(what_one_process_writes_another_sees)
{
    int fd = open_memory();
    unsigned char *ours = map(fd, false), *again = map(fd, true);
    pid_t pid = fork();
    if (pid == 0) {
        unsigned char *theirs = map(fd, false);
        theirs[BYTES - 1] = 7;
        _exit(0);
    }
    CHECK_CHILD(pid);
    CHECK_EQ(ours[BYTES - 1], 7);
    CHECK_EQ(again[BYTES - 1], 7);
}

TEST(what_is_mapped_to_be_read_cannot_be_written)
{
    int status;
    int fd = open_memory();
    volatile unsigned char *memory = map(fd, true);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* not the sanitizer's */
        memory[0] = 1;
        _exit(0);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK_EQ(memory[0], 0);
}

TEST(it_stays_while_it_is_mapped_and_nothing_is_left_of_it)
{
    kit_resources before;
    kit_resources_take(&before);
    int fd = open_memory();
    unsigned char *memory = map(fd, false);
    close(fd);
    memory[0] = 1;
    CHECK_EQ(memory[0], 1);
    rmdi_memory_unmap(memory, BYTES);
    CHECK_EQ(msync((void *)memory, 1, MS_ASYNC), -1);
    CHECK_EQ(errno, ENOMEM); /* it is not mapped */
    CHECK_RESOURCES(&before);
}

TEST(errors_are_told_and_leave_nothing)
{
    kit_resources before;
    struct rlimit few, none;
    void *memory = &few;
    int fd = open_memory(), other = 0;
    CHECK_EQ(rmdi_memory_open("no-size", (size_t)-1, &other), EINVAL);
    CHECK_EQ(other, -1);
    CHECK_EQ(rmdi_memory_map(fd, 0, false, &memory), EINVAL);
    CHECK_EQ(rmdi_memory_map(-1, BYTES, false, &memory), EBADF);
    CHECK(memory == &few);
    kit_resources_take(&before);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &few) == 0);
    none = few;
    none.rlim_cur = 0;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK_EQ(rmdi_memory_open("one-too-many", BYTES, &other), EMFILE);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK_RESOURCES(&before);
}

TEST(a_limit_of_the_size_of_files_is_told_and_ends_nobody)
{
    struct rlimit limit = { 4096, 4096 };
    int fd = -1;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK_EQ(rmdi_memory_open("test", 4097, &fd), EFBIG);
    CHECK_EQ(fd, -1);
    CHECK_EQ(rmdi_memory_open("test", 4096, &fd), 0);
    CHECK_EQ(close(fd), 0);
}
