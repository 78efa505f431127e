/* SPDX-License-Identifier: MIT */
/* An owner of a pool, to be killed: owner_helper HOW TASK TASKS VERB starts so many tasks
 * `TASK VERB`, which tell their numbers to descriptor 3 themselves, and waits.
 *
 * HOW   plain    nothing special
 *       told     tells its own number first
 *       self     is its own guard (rmd_start)
 *       thread   the thread that opened the pool has ended before the tasks are told of
 *       fork     has a fork that lives on, with copies of all its descriptors
 *       exit     calls exit() at once, without a drain
 *       exec     executes another program at once, which waits */
#include <pthread.h>
#include <remuda/pool.h>
#include <remuda/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *task, *verb;
static int tasks;

static void *open_and_submit(void *arg)
{
    rmd_pool *pool;
    int fd = 3;
    char kind[32];
    const char *argv[] = { task, verb, NULL };
    rmd_command command = { .size = sizeof command, .argv = argv, .fds = &fd, .fds_len = 1 };
    (void)arg;
    snprintf(kind, sizeof kind, "programs:%d", tasks);
    if (rmd_pool_open(&pool, kind, NULL, RMD_FOREVER) < 0)
        _exit(98);
    for (int i = 0; i < tasks; i++)
        if (rmd_pool_exec(pool, NULL, &command) < 0)
            _exit(97);
    return NULL;
}

static void open_on_a_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, open_and_submit, NULL) != 0)
        _exit(96);
    pthread_join(thread, NULL);
}

static void fork_one_that_lives_on(void)
{
    if (fork() > 0)
        return;
    alarm(60);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "self") == 0)
        rmd_start(&argc, &argv); /* does not return in its guard */
    if (argc < 5)
        return 99;
    const char *how = argv[1];
    task = argv[2];
    tasks = atoi(argv[3]);
    verb = argv[4];
    if (strcmp(how, "told") == 0 && dprintf(3, "%d\n", getpid()) < 0)
        return 94;
    if (strcmp(how, "thread") == 0)
        open_on_a_thread();
    else
        open_and_submit(NULL);
    if (strcmp(how, "fork") == 0)
        fork_one_that_lives_on();
    char line;
    if (strcmp(how, "exit") == 0 || strcmp(how, "exec") == 0)
        if (read(0, &line, 1) < 0) /* until the test has seen the tasks */
            return 95;
    if (strcmp(how, "exit") == 0)
        exit(0);
    if (strcmp(how, "exec") == 0)
        execlp("sleep", "sleep", "60", (char *)NULL);
    for (;;)
        pause();
}
