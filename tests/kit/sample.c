/* SPDX-License-Identifier: MIT */
/* Cases that fail in every way there is. kit_test runs them and reads the report. */
#include "kit.h"
#include "kit_alloc.h"
#include "kit_resources.h"

#include "base/alloc.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { NO_MEMORY = -12 };

TEST(good_case)
{
    puts("output of a good case");
    CHECK(getpid() == getpgrp());
    CHECK_INT(2, <=, 2);
    CHECK_INT(-1, <, 2);
    CHECK_EQ(3, 3);
    CHECK_STR("a", "a");
    CHECK_STR(NULL, NULL);
    CHECK_CONTAINS("abc", "b");
    CHECK_MEM("abcd", "abxx", 2);
    REQUIRE(true);
}

TEST(bad_checks)
{
    int calls = 0;
    puts("output of a bad case");
    CHECK(1 == 2);
    CHECK_INT(++calls, >, 5);
    CHECK_INT(calls, !=, 1);
    CHECK_STR("left", "right");
    CHECK_STR("left", NULL);
    CHECK_CONTAINS("abc", "x");
    CHECK_MEM("abcd", "abxd", 4);
}

TEST(bad_require_ends)
{
    REQUIRE(calloc(0, 0) == stdin);
    puts("unreachable");
}

TEST(bad_crash)
{
    raise(SIGSEGV);
}

TEST(bad_exit)
{
    _exit(3);
}

TEST_LIMIT(bad_hang, 1)
{
    signal(SIGTERM, SIG_IGN);
    for (;;)
        pause();
}

static void *check_in_thread(void *arg)
{
    CHECK_EQ(1, 2);
    return arg;
}

TEST(bad_check_in_thread)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, check_in_thread, NULL) == 0);
    pthread_join(thread, NULL);
    puts("reached");
}

static void *require_in_thread(void *arg)
{
    REQUIRE(arg != NULL);
    return NULL;
}

TEST(bad_require_in_thread)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, require_in_thread, NULL) == 0);
    pthread_join(thread, NULL);
    puts("unreachable");
}

TEST(bad_check_in_child)
{
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(1, 2);
        _exit(0);
    }
    if (CHECK_CHILD(pid))
        puts("reached");
}

TEST(bad_children)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    CHECK(!CHECK_CHILD(pid));
    CHECK(!CHECK_CHILD(pid));
    pid = fork();
    if (pid == 0)
        for (;;)
            raise(SIGKILL);
    CHECK(!CHECK_CHILD(pid));
    CHECK_CHILD(-1);
    puts("unreachable");
}

TEST(skip_case)
{
    SKIP("no such hardware");
}

TEST(skip_after_bad_check)
{
    CHECK_EQ(1, 2);
    SKIP("too late");
}

/* Both processes outlive the case by far; the second leaves the group as well. */
TEST(good_orphans)
{
    if (fork() == 0)
        for (;;)
            pause();
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            for (;;)
                pause();
        _exit(0);
    }
}

TEST(good_folder)
{
    FILE *file = fopen(getenv("SAMPLE_FOLDER_FILE"), "w");
    REQUIRE(file != NULL);
    fprintf(file, "%s", getenv("TMPDIR"));
    fclose(file);
    REQUIRE(chdir(getenv("TMPDIR")) == 0);
    REQUIRE(open("left behind", O_CREAT | O_WRONLY, 0600) >= 0);
}

static void *wait_forever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

TEST(bad_leaks)
{
    kit_resources before;
    kit_resources_take(&before);
    pthread_t thread;
    char path[4096];
    snprintf(path, sizeof path, "%s/leaked-file", getenv("TMPDIR"));
    REQUIRE(open(path, O_CREAT | O_WRONLY, 0600) >= 0);
    REQUIRE(pthread_create(&thread, NULL, wait_forever, NULL) == 0);
    if (fork() == 0)
        wait_forever(NULL);
    CHECK_RESOURCES(&before);
}

static void *end_at_once(void *arg)
{
    return arg;
}

TEST(good_resources)
{
    kit_resources before;
    kit_resources_take(&before);
    pthread_t thread;
    int fd = open("/dev/null", O_RDONLY);
    REQUIRE(pthread_create(&thread, NULL, end_at_once, NULL) == 0);
    pthread_join(thread, NULL);
    close(fd);
    CHECK_RESOURCES(&before);
}

static int careful(void *arg)
{
    (void)arg;
    char *a = rmdi_alloc(10);
    if (a == NULL)
        return NO_MEMORY;
    char *b = rmdi_alloc(20);
    rmdi_free(a);
    if (b == NULL)
        return NO_MEMORY;
    rmdi_free(b);
    return 0;
}

TEST(good_alloc)
{
    CHECK_EQ(kit_alloc(careful, NULL, NO_MEMORY), 3);
}

static int leaky(void *arg)
{
    (void)arg;
    char *a = rmdi_alloc(10);
    if (a == NULL)
        return NO_MEMORY;
    char *b = rmdi_alloc(20);
    if (b == NULL)
        return NO_MEMORY;
    rmdi_free(a);
    rmdi_free(b);
    return 0;
}

TEST(bad_alloc_leak)
{
    kit_alloc(leaky, NULL, NO_MEMORY);
}

static int forgiving(void *arg)
{
    (void)arg;
    char *a = rmdi_alloc(10);
    rmdi_free(a);
    return a == NULL ? -1 : 0;
}

TEST(bad_alloc_result)
{
    kit_alloc(forgiving, NULL, NO_MEMORY);
}
