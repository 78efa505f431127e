/* SPDX-License-Identifier: MIT */
#include "port/stack.h"

#include "kit.h"
#include "port/context.h"
#include "port/thread.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1024 * 1024, ROOM = 256 * 1024 };

/* Uses that much stack, and then some for the call; returns what is left there. */
static __attribute__((noinline)) size_t left_below(size_t bytes)
{
    char used[ROOM];
    __asm__ volatile("" : : "r"(used) : "memory"); /* so that it is really there */
    size_t left = bytes > ROOM ? left_below(bytes - ROOM) : rmdi_stack_left();
    __asm__ volatile("" : : "r"(used) : "memory"); /* and this is no tail call */
    return left;
}

static size_t limit_bytes(void)
{
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_STACK, &limit) == 0);
    return limit.rlim_cur == RLIM_INFINITY ? 8 * (size_t)MIB : limit.rlim_cur;
}

TEST(the_main_thread_has_what_its_limit_says)
{
    size_t left = rmdi_stack_left();
    CHECK_INT(left, >, limit_bytes() - ROOM - MIB);
    CHECK_INT(left, <=, limit_bytes());
    size_t deeper = left_below(MIB);
    CHECK_INT(left - deeper, >=, MIB);
    CHECK_INT(left - deeper, <, MIB + ROOM);
    CHECK_EQ(rmdi_stack_left(), left);
}

/* The limit is the process's, so each of these is one. */
static size_t left_with_limit(rlim_t bytes)
{
    int pair[2];
    size_t left = 0;
    REQUIRE(pipe(pair) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        struct rlimit limit;
        REQUIRE(getrlimit(RLIMIT_STACK, &limit) == 0);
        limit.rlim_cur = bytes;
        left = setrlimit(RLIMIT_STACK, &limit) == 0 ? rmdi_stack_left() : 1;
        REQUIRE(write(pair[1], &left, sizeof left) == sizeof left);
        _exit(0);
    }
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    REQUIRE(read(pair[0], &left, sizeof left) == sizeof left);
    close(pair[0]);
    close(pair[1]);
    return left;
}

TEST(without_a_limit_the_main_thread_counts_as_8_mib)
{
    size_t left = left_with_limit(RLIM_INFINITY);
    if (left == 1)
        SKIP("the limit of the stack cannot be lifted here");
    CHECK_INT(left, >, 7 * MIB);
    CHECK_INT(left, <=, 8 * MIB);
    left = left_with_limit(4 * MIB);
    CHECK_INT(left, >, 3 * MIB);
    CHECK_INT(left, <=, 4 * MIB);
}

static size_t thread_left, thread_deeper;

static void *look(void *arg)
{
    thread_left = rmdi_stack_left();
    /* All of it can be used. */
    char *lowest = (char *)__builtin_frame_address(0) - thread_left + ROOM / 8;
    CHECK_EQ(*(volatile char *)lowest, 0);
    thread_deeper = left_below(arg ? MIB : 1);
    return NULL;
}

static void on_thread(size_t bytes, void *arg)
{
    rmdi_os_thread thread;
    REQUIRE(rmdi_os_thread_start_sized(&thread, look, arg, "look", bytes) == 0);
    REQUIRE(rmdi_os_thread_join(&thread) == 0);
}

TEST(a_thread_has_the_stack_that_it_was_started_with)
{
    /* Growing: the C library may give a thread the larger stack of one that has ended. */
    static const size_t sizes[] = { 4 * (size_t)MIB, 16 * (size_t)MIB, 64 * (size_t)MIB };
    for (int i = 0; i < 3; i++) {
        on_thread(sizes[i], i ? &thread_left : NULL);
        CHECK_INT(thread_left, >, sizes[i] - MIB); /* thread-local data lies there, too */
        CHECK_INT(thread_left, <=, sizes[i]);
        CHECK_INT(thread_left - thread_deeper, >=, i ? MIB : ROOM);
        CHECK_INT(thread_left - thread_deeper, <, (i ? MIB : ROOM) + ROOM);
    }
}

/* ---- on another stack ---- */

enum { STACK_BYTES = 65536 };

static rmdi_context home, other;
static size_t elsewhere;

static void look_elsewhere(void *arg)
{
    (void)arg;
    for (;;) {
        elsewhere = rmdi_stack_left();
        rmdi_context_switch(&other, &home);
    }
}

static void *go_elsewhere(void *arg)
{
    char *stack = arg;
    elsewhere = 1;
    rmdi_context_make(&other, stack, STACK_BYTES, look_elsewhere, NULL);
    rmdi_context_switch(&home, &other); /* nobody has asked on this thread before */
    CHECK_EQ(elsewhere, 0);
    CHECK_INT(rmdi_stack_left(), >, 0);
    elsewhere = 1;
    rmdi_context_switch(&home, &other);
    CHECK_EQ(elsewhere, 0);
    return NULL;
}

TEST(on_a_stack_that_is_not_the_threads_own_it_is_not_known)
{
#if defined(__SANITIZE_THREAD__)
    SKIP("the thread sanitizer keeps a stack of its own that does not follow the switch");
#endif
    /* One that lies below the main thread's own, and one above that of another thread. */
    static _Alignas(16) char stack[STACK_BYTES];
    _Alignas(16) char above[STACK_BYTES];
    rmdi_os_thread thread;
    go_elsewhere(stack);
    REQUIRE(rmdi_os_thread_start(&thread, go_elsewhere, above, "elsewhere") == 0);
    REQUIRE(rmdi_os_thread_join(&thread) == 0);
}
