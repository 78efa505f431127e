/* SPDX-License-Identifier: MIT */
#include "port/fd.h"

#include "kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_pending(int signal)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, signal);
}

static int broken_pipe(void)
{
    int ends[2];
    REQUIRE(rmdi_fd_pipe(ends, 1) == 0);
    close(ends[0]);
    return ends[1];
}

TEST(our_end_of_a_pipe_never_blocks_and_theirs_does)
{
    for (int ours = 0; ours < 2; ours++) {
        int ends[2];
        REQUIRE(rmdi_fd_pipe(ends, ours) == 0);
        for (int i = 0; i < 2; i++) {
            CHECK(fcntl(ends[i], F_GETFD) & FD_CLOEXEC);
            CHECK_EQ((fcntl(ends[i], F_GETFL) & O_NONBLOCK) != 0, i == ours);
        }
    }
}

TEST(writing_to_a_broken_pipe_raises_no_signal)
{
    sigset_t before, after;
    int fd = broken_pipe();
    sigprocmask(SIG_BLOCK, NULL, &before);
    CHECK_EQ(rmdi_fd_write_quietly(fd, "x", 1), -EPIPE);
    sigprocmask(SIG_BLOCK, NULL, &after);
    CHECK_MEM(&before, &after, _NSIG / 8);
    CHECK(!is_pending(SIGPIPE));
}

TEST(a_pipe_signal_that_was_pending_before_stays_pending)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGPIPE);
    CHECK_EQ(rmdi_fd_write_quietly(broken_pipe(), "x", 1), -EPIPE);
    CHECK(is_pending(SIGPIPE));
}

TEST(a_file_that_may_not_grow_raises_no_signal)
{
    int fd;
    sigset_t after;
    REQUIRE(rmdi_fd_temporary(getenv("TMPDIR"), &fd) == 0);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 0, RLIM_INFINITY }) == 0);
    CHECK_EQ(rmdi_fd_write_quietly(fd, "x", 1), -EFBIG);
    sigprocmask(SIG_BLOCK, NULL, &after);
    CHECK(!sigismember(&after, SIGXFSZ));
    CHECK(!is_pending(SIGXFSZ));
}

TEST(a_blocked_pipe_signal_stays_blocked_and_is_not_left_pending)
{
    sigset_t set, after;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
    CHECK_EQ(rmdi_fd_write_quietly(broken_pipe(), "x", 1), -EPIPE);
    sigprocmask(SIG_BLOCK, NULL, &after);
    CHECK(sigismember(&after, SIGPIPE));
    CHECK(!is_pending(SIGPIPE));
}

static int count_files(const char *dir)
{
    int count = 0;
    DIR *folder = opendir(dir);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

TEST(a_temporary_file_has_no_name_and_is_ours_alone)
{
    int fd;
    struct stat st;
    char byte;
    REQUIRE(rmdi_fd_temporary(getenv("TMPDIR"), &fd) == 0);
    CHECK_EQ(count_files(getenv("TMPDIR")), 0);
    REQUIRE(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_mode & 07777, 0600);
    CHECK_EQ(st.st_nlink, 0);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(rmdi_fd_write_at(fd, "abc", 3, 100), 0);
    CHECK_EQ(rmdi_fd_read_at(fd, &byte, 1, 101), 0);
    CHECK_EQ(byte, 'b');
    CHECK_EQ(rmdi_fd_temporary("/nowhere", &fd), ENOENT);
}

TEST(a_short_file_and_a_full_device_are_told)
{
    int fd, full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    char data[8];
    REQUIRE(rmdi_fd_temporary(getenv("TMPDIR"), &fd) == 0);
    CHECK_EQ(rmdi_fd_write_at(fd, "abc", 3, 0), 0);
    CHECK_EQ(rmdi_fd_read_at(fd, data, 4, 0), EIO);
    CHECK_EQ(rmdi_fd_write_at(full, "abc", 3, 0), ENOSPC);
}

TEST(a_punched_part_of_a_file_is_given_back_and_reads_as_zeros)
{
    enum { LEN = 64 * 1024 };
    static char data[2 * LEN];
    int fd;
    struct stat before, after;
    memset(data, 'x', sizeof data);
    REQUIRE(rmdi_fd_temporary(getenv("TMPDIR"), &fd) == 0);
    REQUIRE(rmdi_fd_write_at(fd, data, sizeof data, 0) == 0 && fstat(fd, &before) == 0);
    int err = rmdi_fd_punch(fd, LEN, LEN);
    if (err == EOPNOTSUPP)
        SKIP("this file system cannot");
    REQUIRE(fstat(fd, &after) == 0);
    CHECK_EQ(err, 0);
    CHECK_INT(after.st_blocks, <, before.st_blocks);
    CHECK_EQ(after.st_size, before.st_size);
    CHECK_EQ(rmdi_fd_read_at(fd, data, 2, LEN - 1), 0);
    CHECK_MEM(data, "x", 2);
}

TEST(closing_twice_closes_once)
{
    int fd = dup(1), other;
    rmdi_fd_close(&fd);
    CHECK_EQ(fd, -1);
    other = dup(1); /* has the number now */
    rmdi_fd_close(&fd);
    CHECK(fcntl(other, F_GETFD) >= 0);
}
