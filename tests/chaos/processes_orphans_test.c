/* SPDX-License-Identifier: MIT */
/* Owners of processes pools that end without a word, alone or together with one of their helpers:
 * one second later nothing is alive of their workers, and of what those have started. */
#include "processes_testing.h"

#include "port/clock.h"
#include "port/spawn.h"
#include <pthread.h>
#include <sys/wait.h>

enum { TASKS = 8, MEMBERS = 2 * TASKS };

/* ---- the owner: this program, as `--owner HOW` ---- */

/* Tells its number and that of a child, which goes its own way. Never returns. */
static int stay(rmd_call *call)
{
    int way;
    int err = rmd_call_get(call, 0, &way);
    if (err < 0)
        return err;
    pid_t child = fork();
    if (child == 0) {
        if (way % 4 == 1)
            setsid();
        if (way % 4 == 2)
            setpgid(0, 0);
        if (way % 4 == 3 && (setsid() < 0 || fork() > 0))
            _exit(0); /* its child tells of itself */
        alarm(60);
        dprintf(1, "%d\n", getpid());
        for (;;)
            pause();
    }
    dprintf(1, "%d\n", getpid());
    alarm(60);
    for (;;)
        pause();
}

static const rmd_function functions[] = { { .name = "stay", .fn = stay }, { 0 } };

static void *open_and_submit(void *arg)
{
    rmd_pool *pool;
    (void)arg;
    if (rmd_pool_open(&pool, "processes:8", NULL, RMD_FOREVER) < 0)
        _exit(98);
    for (int i = 0; i < TASKS; i++)
        if (rmd_pool_call(pool, NULL, "stay", RMD_ARGS(i), NULL) < 0)
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

static int be_owner(const char *how)
{
    char byte;
    if (strcmp(how, "thread") == 0)
        open_on_a_thread();
    else
        open_and_submit(NULL);
    if (strcmp(how, "fork") == 0 && fork() == 0) {
        alarm(60);
        for (;;)
            pause();
    }
    if (read(0, &byte, 1) < 0) /* until the test has seen them all */
        return 95;
    if (strcmp(how, "exec") == 0)
        execlp("sleep", "sleep", "60", (char *)NULL);
    return 0;
}

int main(int argc, char **argv)
{
    if (rmd_functions_add(functions) < 0)
        return 2;
    rmd_start(&argc, &argv);
    if (argc == 3 && strcmp(argv[1], "--owner") == 0)
        return be_owner(argv[2]);
    return kit_main(argc, argv);
}

/* ---- the test ---- */

typedef struct owner {
    pid_t pid;
    int in, told;         /* our ends of its standard input and output */
    int members[MEMBERS]; /* its workers and their children */
    pid_t guard, template;
} owner;

extern char **environ;

static int read_number(int fd)
{
    int number = 0;
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    for (char c; poll(&ready, 1, 15000 * kit_patience()) == 1 && read(fd, &c, 1) == 1 && c != '\n';)
        number = number * 10 + (c - '0');
    REQUIRE(number > 0);
    return number;
}

/* Helpers are its children, and known by their names. */
static bool find_helper(void *ctx, pid_t pid)
{
    owner *o = ctx;
    char path[64], text[512] = "";
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(text, sizeof text, file))
        text[0] = 0;
    if (file)
        fclose(file);
    const char *after = strrchr(text, ')');
    if (!after || sscanf(after, ") %*c %d", &parent) != 1 || parent != o->pid)
        return true;
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    file = fopen(path, "re");
    if (!file || !fgets(text, sizeof text, file))
        text[0] = 0;
    if (file)
        fclose(file);
    if (strcmp(text, "rmd:guard") == 0)
        o->guard = pid;
    if (strcmp(text, "rmd:template") == 0)
        o->template = pid;
    return true;
}

static owner start_owner(const char *how)
{
    owner o = { 0 };
    int in[2], told[2];
    char mode[16], name[] = "owner", verb[] = "--owner";
    snprintf(mode, sizeof mode, "%s", how);
    char *argv[] = { name, verb, mode, NULL };
    REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(told, O_CLOEXEC) == 0);
    int fds[] = { in[0], told[1], 2 };
    mark_family();
    rmdi_spawn spawn = {
        .path = "/proc/self/exe", .argv = argv, .envp = environ, .fds = fds, .fds_len = 3
    };
    rmdi_spawned child;
    REQUIRE(rmdi_spawn_program(&spawn, &child) == 0);
    close(child.pidfd);
    close(in[0]);
    close(told[1]);
    o.pid = child.pid;
    o.in = in[1];
    o.told = told[0];
    for (int i = 0; i < MEMBERS; i++) {
        o.members[i] = hold_process(read_number(o.told));
        CHECK(!ends_within(o.members[i], 0));
    }
    for (rmd_deadline limit = soon(); !(o.guard && o.template) && !rmd_deadline_passed(limit);)
        rmdi_procfs_each(find_helper, &o); /* what is just being executed has no name yet */
    CHECK(o.guard && o.template);
    return o;
}

/* `ours`: of the family, so many are to live on. */
static void all_end_within_a_second(owner *o, int ours)
{
    rmd_deadline limit = rmd_after_ms(1000 * kit_patience());
    int64_t end = rmdi_clock_monotonic_ns() + INT64_C(1000000000) * kit_patience();
    for (int i = 0; i < MEMBERS; i++) {
        int64_t left = (end - rmdi_clock_monotonic_ns()) / 1000000;
        CHECK(ends_within(o->members[i], left > 0 ? (int)left : 0));
        close(o->members[i]);
    }
    int left = family_size() - ours; /* its guard is still looking around */
    while (left > 0 && !rmd_deadline_passed(limit))
        left = family_size() - ours;
    CHECK_EQ(left, 0);
    close(o->in);
    close(o->told);
}

static void kill_owner(owner *o)
{
    kill(o->pid, SIGKILL);
    CHECK_EQ(waitpid(o->pid, NULL, 0), o->pid);
}

static int rounds(void)
{
    return how_many(5, 1, 50);
}

TEST_LIMIT(when_the_owner_is_killed_all_end, 120)
{
    for (int i = 0; i < rounds(); i++) {
        owner o = start_owner("plain");
        kill_owner(&o);
        all_end_within_a_second(&o, 0);
    }
}

/* The owner is stopped first, so that it cannot start another one of what is killed. */
TEST_LIMIT(when_guard_and_owner_are_killed_all_end, 120)
{
    for (int i = 0; i < rounds(); i++) {
        owner o = start_owner("plain");
        kill(o.pid, SIGSTOP);
        kill(o.guard, SIGKILL);
        kill_owner(&o);
        all_end_within_a_second(&o, 0);
    }
}

TEST_LIMIT(when_template_and_owner_are_killed_all_end, 120)
{
    for (int i = 0; i < rounds(); i++) {
        owner o = start_owner("plain");
        kill(o.pid, SIGSTOP);
        kill(o.template, SIGKILL);
        kill_owner(&o);
        all_end_within_a_second(&o, 0);
    }
}

TEST(when_the_template_is_stopped_and_the_owner_killed_all_end)
{
    owner o = start_owner("plain");
    kill(o.template, SIGSTOP);
    kill_owner(&o);
    all_end_within_a_second(&o, 0);
}

TEST(a_fork_of_the_owner_that_lives_on_changes_nothing)
{
    owner o = start_owner("fork");
    kill_owner(&o);
    all_end_within_a_second(&o, 1);
}

TEST(an_owner_that_just_exits_leaves_nothing)
{
    owner o = start_owner("exit");
    REQUIRE(write(o.in, "\n", 1) == 1);
    CHECK_EQ(waitpid(o.pid, NULL, 0), o.pid);
    all_end_within_a_second(&o, 0);
}

TEST(an_owner_that_executes_another_program_leaves_nothing)
{
    owner o = start_owner("exec");
    REQUIRE(write(o.in, "\n", 1) == 1);
    all_end_within_a_second(&o, 1);
    CHECK_EQ(kill(o.pid, 0), 0); /* it goes on as the other program */
    kill_owner(&o);
}

TEST(workers_do_not_depend_on_the_thread_that_opened_the_pool)
{
    owner o = start_owner("thread");
    for (int i = 0; i < MEMBERS; i++)
        CHECK(!ends_within(o.members[i], 10));
    kill_owner(&o);
    all_end_within_a_second(&o, 0);
}

TEST(when_the_template_is_killed_its_workers_go_on)
{
    owner o = start_owner("plain");
    kill(o.template, SIGKILL);
    for (int i = 0; i < MEMBERS; i++)
        CHECK(!ends_within(o.members[i], 10));
    kill_owner(&o);
    all_end_within_a_second(&o, 0);
}

TEST(when_the_guard_is_killed_another_one_does_its_work)
{
    owner o = start_owner("plain");
    pid_t before = o.guard;
    rmd_deadline limit = soon();
    kill(before, SIGKILL);
    while (o.guard == before && !rmd_deadline_passed(limit))
        rmdi_procfs_each(find_helper, &o);
    CHECK(o.guard != before);
    kill_owner(&o);
    all_end_within_a_second(&o, 0);
}
