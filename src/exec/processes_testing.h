/* SPDX-License-Identifier: MIT */
/* Shorthands for the tests of the processes pool, and functions that its workers run. The test
 * program itself is the worker:
 *
 *     static const rmd_function own[] = { ... };
 *     WORKERS(own)
 */
#ifndef RMDI_EXEC_PROCESSES_TESTING_H
#define RMDI_EXEC_PROCESSES_TESTING_H

#include "exec/programs_testing.h"

#include "kit_gate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <remuda/call.h>
#include <remuda/function.h>
#include <remuda/start.h>
#include <remuda/stop.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

#define WORKERS(own)                                                               \
    void kit_first(int *argc, char ***argv)                                        \
    {                                                                              \
        if (rmd_functions_add(common_functions) < 0 || rmd_functions_add(own) < 0) \
            _exit(2);                                                              \
        rmd_start(argc, argv);                                                     \
    }

/* ---- at gates ---- */

/* The task's. */
static inline void arrive(const char *name)
{
    if (!arrive_at(name))
        _exit(99);
}

static inline void stand_at(const char *name)
{
    int fd = open_pipe(name, "opening");
    struct pollfd opened = { .fd = fd, .events = POLLIN };
    arrive(name);
    while (poll(&opened, 1, -1) < 0)
        ;
    close(fd);
}

/* ---- what tasks leave behind ---- */

static inline int64_t add_line(const char *name, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ssize_t written = write(fd, text, strlen(text));
    close(fd);
    return written;
}

/* What they have written there, one after the other. */
static inline const char *lines_of(const char *name)
{
    static char text[65536];
    int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[length < 0 ? 0 : length] = 0;
    return text;
}

/* ---- what they do ---- */

static inline const char *text_at(rmd_call *call, size_t i)
{
    const char *text = "";
    rmd_call_get(call, i, &text);
    return text;
}

static inline int64_t int_at(rmd_call *call, size_t i)
{
    int64_t n = 0;
    rmd_call_get(call, i, &n);
    return n;
}

static int do_add(rmd_call *call)
{
    return rmd_call_return(call, int_at(call, 0) + int_at(call, 1));
}

static int do_echo(rmd_call *call)
{
    const rmd_value *value;
    int err = rmd_call_get(call, 0, &value);
    return err < 0 ? err : rmd_call_return(call, value);
}

static int do_fail(rmd_call *call)
{
    return rmd_call_fail(call, (int)int_at(call, 0), "%s", text_at(call, 1));
}

static int do_pid(rmd_call *call)
{
    return rmd_call_return(call, (int64_t)getpid());
}

static inline void die(const char *how)
{
    if (strcmp(how, "exit 0") == 0)
        exit(0);
    if (strcmp(how, "exit 3") == 0)
        exit(3);
    if (strcmp(how, "_exit 0") == 0)
        _exit(0);
    if (strcmp(how, "_exit 4") == 0)
        _exit(4);
    if (strcmp(how, "abort") == 0)
        abort();
    int number = atoi(how);
    signal(number, SIG_DFL); /* not the sanitizer's */
    kill(getpid(), number);
    pause();
}

/* "exit 3", "abort", or the number of a signal; before that words to stderr. */
static int do_die(rmd_call *call)
{
    const char *words = text_at(call, 1);
    if (write(STDERR_FILENO, words, strlen(words)) < 0)
        return RMD_EIO;
    die(text_at(call, 0));
    return 0;
}

/* In its first attempts, so many; each leaves a letter. */
static int do_die_first(rmd_call *call)
{
    add_line("attempts", "x");
    if (rmd_call_attempt(call) <= int_at(call, 0))
        die("9");
    return rmd_call_return(call, (int64_t)rmd_call_attempt(call));
}

static int do_stand(rmd_call *call)
{
    stand_at(text_at(call, 0));
    return rmd_call_return(call, (int64_t)getpid());
}

/* Leaves a line. */
static int do_note(rmd_call *call)
{
    add_line(text_at(call, 0), text_at(call, 1));
    return rmd_call_return(call, (int64_t)getpid());
}

static int do_worker_name(rmd_call *call)
{
    return rmd_call_return(call, rmd_worker_name());
}

static const rmd_function common_functions[] = {
    { .name = "add", .fn = do_add },
    { .name = "echo", .fn = do_echo },
    { .name = "fail", .fn = do_fail },
    { .name = "pid", .fn = do_pid },
    { .name = "die", .fn = do_die },
    { .name = "die_first", .fn = do_die_first },
    { .name = "stand", .fn = do_stand },
    { .name = "note", .fn = do_note },
    { .name = "worker_name", .fn = do_worker_name },
    { 0 },
};

/* ---- the owner's ---- */

static inline rmd_future *call_with(rmd_pool *pool, const char *function, rmd_args args,
                                    rmd_task_options options)
{
    rmd_future *future = NULL;
    options.size = sizeof options;
    if (rmd_pool_call(pool, &future, function, args, &options) < 0)
        FAIL(rmd_error_detail());
    REQUIRE(future != NULL);
    return future;
}

static inline rmd_future *call(rmd_pool *pool, const char *function, rmd_args args)
{
    return call_with(pool, function, args, (rmd_task_options){ 0 });
}

/* A task that stands at the gate; where is the process that runs it. */
static inline rmd_future *stand(rmd_pool *pool, const gate *at, const char *name, pid_t *where)
{
    rmd_future *future = call(pool, "stand", RMD_ARGS(name));
    pid_t pid = await_arrival(at);
    if (where)
        *where = pid;
    return future;
}

/* Waits for the end, checks how it came, and frees the future. */
#define CHECK_ENDED(future, outcome, error) check_ended((future), (outcome), (error), KIT_HERE)
static inline void check_ended(rmd_future *future, rmd_outcome outcome, int error, const char *file,
                               int line)
{
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    int found = rmd_future_error(future);
    bool right = kit_check_str(rmd_outcome_name(rmd_future_outcome(future)),
                               rmd_outcome_name(outcome), file, line, "the outcome");
    right &= kit_check_str(rmd_error_name(found), rmd_error_name(error), file, line, "the error");
    if (!right && found)
        kit_check(false, file, line, rmd_error_detail());
    rmd_future_free(future);
}
#define CHECK_OK(future)   CHECK_ENDED((future), RMD_OUTCOME_OK, 0)
#define CHECK_LOST(future) CHECK_ENDED((future), RMD_OUTCOME_LOST, RMD_ELOST)

/* Waits for the end; the number that it has returned. Frees the future. */
#define INT_OF(future) int_of((future), KIT_HERE)
static inline int64_t int_of(rmd_future *future, const char *file, int line)
{
    int64_t n = -1;
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    if (rmd_future_get(future, &n) < 0)
        kit_check(false, file, line, rmd_error_detail());
    rmd_future_free(future);
    return n;
}

/* The sentence of one that has not ended OK; borrowed from the future. */
static inline const char *detail_of(rmd_future *future)
{
    rmd_failure failure = { .detail = "" };
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_EQ(rmd_future_failure(future, &failure), 0);
    return failure.detail;
}

static inline pid_t pid_of_worker(rmd_pool *pool)
{
    return (pid_t)INT_OF(call(pool, "pid", RMD_ARGS()));
}

/* It still does what it is for. */
static inline void check_works(rmd_pool *pool)
{
    CHECK_EQ(INT_OF(call(pool, "add", RMD_ARGS(2, 3))), 5);
}

/* The child of ours that is a template; 0: none is, at the moment. */
static inline pid_t find_template(void)
{
    pid_t found = 0;
    char path[300], name[32];
    DIR *tasks = opendir("/proc/self/task");
    REQUIRE(tasks != NULL);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char list[4096] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/children", entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
        if (file && !fgets(list, sizeof list, file))
            list[0] = 0;
        if (file)
            fclose(file);
        for (char *rest = list, *id; (id = strtok_r(rest, " \n", &rest)) != NULL;) {
            snprintf(path, sizeof path, "/proc/%s/comm", id);
            file = fopen(path, "re");
            if (file && fgets(name, sizeof name, file) && strcmp(name, "rmd:template\n") == 0)
                found = (pid_t)atoi(id);
            if (file)
                fclose(file);
        }
    }
    closedir(tasks);
    return found;
}

#endif
