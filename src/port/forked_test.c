/* SPDX-License-Identifier: MIT */
#include "port/forked.h"

#include "kit.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void in_child(uint64_t parent, uint64_t *mark)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(!rmdi_process_is(parent));
        uint64_t ours = rmdi_process_mark();
        CHECK(rmdi_process_is(ours));
        CHECK(!rmdi_process_is(parent));
        _exit(write(ends[1], &ours, sizeof ours) != sizeof ours);
    }
    REQUIRE(read(ends[0], mark, sizeof *mark) == sizeof *mark);
    waitpid(pid, NULL, 0);
}

TEST(a_fork_has_a_mark_of_its_own)
{
    uint64_t ours = rmdi_process_mark(), first, second;
    CHECK(ours != 0);
    CHECK(rmdi_process_mark() == ours);
    in_child(ours, &first);
    in_child(ours, &second);
    CHECK(first != ours && second != ours && first != second);
    CHECK(rmdi_process_is(ours));
}

TEST(nothing_is_ours_before_the_first_mark)
{
    CHECK(!rmdi_process_is(1));
}

static void *take_mark(void *arg)
{
    *(uint64_t *)arg = rmdi_process_mark();
    return NULL;
}

TEST(threads_that_ask_at_once_get_the_same_mark)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    uint64_t marks[THREADS];
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, take_mark, &marks[i]) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 1; i < THREADS; i++)
        CHECK(marks[i] == marks[0]);
}
