/* SPDX-License-Identifier: MIT */
/* The template process: see template_setup.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "config.h"
#include "exec/attempt_id.h"
#include "exec/call.h"
#include "exec/carried.h"
#include "exec/shared.h"
#include "exec/stray.h"
#include "exec/template_setup.h"
#include "port/fd.h"
#include "port/memory.h"
#include "port/procfs.h"
#include "port/signalfd.h"
#include "port/socket.h"
#include "port/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DYING_MS = 300 };

typedef struct child {
    pid_t pid;
    bool told; /* of its end */
} child;

/* There is one in a process. */
static struct {
    const rmdi_template_setup *setup;
    int ends, owner, bell; /* descriptors: of SIGCHLD, the owner's pidfd, the bell */
    sigset_t mask;         /* as it was, for the workers */
    char *mark;
    char instance[RMDI_INSTANCE_LEN + 1]; /* of the owner, in marks; "": not known */
    child *children;
    size_t used, capacity;
} me = { .ends = -1, .owner = -1 };

static void tell(rmdi_template_message *message, const int *fds, unsigned n)
{
    /* Nobody left to be told: the end of the socket says so, too. */
    (void)rmdi_socket_send(RMDI_TEMPLATE_SOCKET, message, sizeof *message, fds, n);
}

static _Noreturn void fail(int err)
{
    rmdi_template_message message = { .what = RMDI_TEMPLATE_FAILED, .error = err };
    snprintf(message.text, sizeof message.text, "%s", rmd_error_detail());
    tell(&message, NULL, 0);
    fflush(NULL);
    _exit(1);
}

/* ---- beginning ---- */

int rmdi_setup_run(const rmdi_template_setup *setup, const rmdi_setup_call *call)
{
    rmdi_buffer result = { 0 };
    const rmd_function *function = rmd_function_find(call->function);
    if (!function)
        return rmdi_fail(RMD_ENOENT, "no function is called \"%s\"", call->function);
    rmd_bytes arguments = { setup->data + call->at, call->len };
    int err = rmdi_call_run(function, arguments, 0, 1, NULL, &result, NULL);
    rmdi_buffer_free(&result);
    return err;
}

static void map_setup(void)
{
    struct stat st;
    void *memory;
    if (fstat(RMDI_TEMPLATE_SETUP, &st) < 0 ||
        rmdi_memory_map(RMDI_TEMPLATE_SETUP, (size_t)st.st_size, true, &memory))
        _exit(1);
    me.setup = memory;
    if (strcmp(me.setup->version, RMDI_VERSION) != 0)
        fail(rmdi_fail(RMD_EWORKER, "the pool is of version %s of Remuda, its workers of %s",
                       me.setup->version, RMDI_VERSION));
}

/* The number at the end of the mark, where every child of ours has it: what changes it there
 * changes what /proc shows of the process, and of all that it starts. */
static char *find_mark(void)
{
    char *mark = getenv(RMDI_ATTEMPT_ID_NAME);
    size_t len = mark ? strlen(mark) : 0;
    if (len <= RMDI_NUMBER_DIGITS + RMDI_INSTANCE_LEN)
        return NULL;
    mark += len - RMDI_NUMBER_DIGITS;
    memcpy(me.instance, mark - 1 - RMDI_INSTANCE_LEN, RMDI_INSTANCE_LEN);
    return mark;
}

static void map_shared(void)
{
    const rmdi_template_setup *setup = me.setup;
    if (!setup->shared_bytes)
        return;
    int err = rmdi_shared_adopt(RMDI_TEMPLATE_SHARED, setup->shared_bytes, setup->shared_id);
    if (err < 0)
        fail(err);
}

static void note_busy(const char *what)
{
    rmdi_template_message message = { .what = RMDI_TEMPLATE_BUSY };
    snprintf(message.text, sizeof message.text, "%s", what ? what : "");
    tell(&message, NULL, 0);
}

static int run_preload(const rmdi_template_setup *setup)
{
    char what[RMDI_FUNCTION_NAME_MAX + 40];
    snprintf(what, sizeof what, "calling the preload function %s", setup->preload.function);
    note_busy(what);
    int err = rmdi_setup_run(setup, &setup->preload);
    note_busy(NULL);
    return err;
}

static void preload(void)
{
    const rmdi_template_setup *setup = me.setup;
    int err = rmdi_carried_replay(
        (rmd_bytes){ setup->data + setup->carried_at, setup->carried_len }, note_busy);
    if (err == 0 && setup->preload.function[0])
        err = run_preload(setup);
    if (err < 0)
        fail(err);
    unsigned threads = rmdi_procfs_threads();
    if (threads > 1)
        fail(rmdi_fail(RMD_EPRELOAD,
                       "%u threads run before the first worker is forked, which would have none of "
                       "them: start them in the initializer of each worker instead",
                       threads));
}

static void watch(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ends, &me.mask);
    me.ends = rmdi_signalfd_set(-1, &ends);
    me.owner = rmdi_pidfd_open(me.setup->owner);
    if (me.ends < 0)
        fail(rmdi_fail_errno(-me.ends, "signals"));
    if (getppid() != me.setup->owner)
        _exit(0);
}

/* Far from the numbers that a task gets that closes everything and opens anew. */
static void move_bell(void)
{
    me.bell = fcntl(RMDI_TEMPLATE_BELL, F_DUPFD_CLOEXEC, 900);
    if (me.bell < 0)
        me.bell = RMDI_TEMPLATE_BELL;
    else
        close(RMDI_TEMPLATE_BELL);
}

/* ---- what it is told ---- */

static int note_child(pid_t pid)
{
    void *children = me.children;
    if (rmdi_array_reserve(&children, &me.capacity, me.used, sizeof(child)) < 0)
        return ENOMEM;
    me.children = children;
    me.children[me.used++] = (child){ .pid = pid };
    return 0;
}

static _Noreturn void be_worker(const rmdi_template_message *order, const int fds[2])
{
    rmdi_worker_birth birth = { .setup = me.setup,
                                .index = order->index,
                                .number = order->number,
                                .memory = fds[0],
                                .errors = fds[1],
                                .bell = me.bell,
                                .mark = me.mark };
    int others[] = { RMDI_TEMPLATE_SOCKET, RMDI_TEMPLATE_SETUP, me.ends, me.owner };
    setpgid(0, 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        rmdi_fd_close(&others[i]);
    rmdi_free(me.children);
    sigprocmask(SIG_SETMASK, &me.mask, NULL);
    rmdi_worker_process(&birth);
}

/* One of fds is -1 when there was none left to take it in. */
static void fork_worker(const rmdi_template_message *order, const int fds[2])
{
    rmdi_template_message answer = { .what = RMDI_TEMPLATE_FORKED, .number = order->number };
    fflush(NULL); /* or each of them would write it */
    errno = EMFILE;
    pid_t pid = fds[0] < 0 || fds[1] < 0 ? -1 : rmdi_spawn_copy();
    if (pid == 0)
        be_worker(order, fds);
    int err = pid < 0 ? errno : note_child(pid);
    int pidfd = -1;
    if (!err) {
        pidfd = rmdi_pidfd_open(pid);
        err = pidfd < 0 ? -pidfd : 0;
    }
    if (err && pid > 0) {
        kill(pid, SIGKILL);
        rmdi_child_bury(pid);
        me.used -= me.used && me.children[me.used - 1].pid == pid;
    }
    if (err) {
        answer.what = RMDI_TEMPLATE_NOT_FORKED;
        answer.error = rmdi_fail_errno(err, "a worker process");
        snprintf(answer.text, sizeof answer.text, "%s", rmd_error_detail());
    }
    answer.pid = pid;
    tell(&answer, &pidfd, !err);
    rmdi_fd_close(&pidfd);
}

static void reap(pid_t pid)
{
    rmdi_child_end end;
    for (size_t i = 0; i < me.used; i++)
        if (me.children[i].pid == pid && me.children[i].told) {
            rmdi_child_reap(pid, &end);
            me.children[i] = me.children[--me.used];
            return;
        }
}

/* One that dies closes its end of the socket a moment before that; one that executes another
 * program closes it, too. (One that has no use for us closes it, and kills us.) */
static bool owner_is_gone(void)
{
    struct pollfd end = { .fd = me.owner, .events = POLLIN };
    (void)poll(&end, 1, DYING_MS);
    return getppid() != me.setup->owner;
}

/* Nobody is there who could use them: they, and what they have started in their groups; and if the
 * owner is gone, perhaps with its guard, everything else that it has started, too. */
static _Noreturn void leave(void)
{
    for (size_t i = 0; i < me.used; i++)
        kill(-me.children[i].pid, SIGKILL);
    if (owner_is_gone() && me.instance[0])
        rmdi_strays_kill_all(me.instance);
    _exit(0);
}

static void obey(void)
{
    rmdi_template_message order;
    int fds[2] = { -1, -1 };
    unsigned n;
    ssize_t got = rmdi_socket_receive(RMDI_TEMPLATE_SOCKET, &order, sizeof order, fds, 2, &n);
    if (got == 0)
        leave();
    if (got == (ssize_t)sizeof order && order.what == RMDI_TEMPLATE_FORK)
        fork_worker(&order, fds);
    else if (got == (ssize_t)sizeof order && order.what == RMDI_TEMPLATE_REAP)
        reap(order.pid);
    rmdi_fd_close(&fds[0]);
    rmdi_fd_close(&fds[1]);
}

/* ---- what it tells ---- */

static void look_at_children(void)
{
    for (size_t i = 0; i < me.used; i++) {
        rmdi_template_message message = { .pid = me.children[i].pid };
        rmdi_child_news news = me.children[i].told ? RMDI_CHILD_RUNS
                                                   : rmdi_child_look(message.pid, &message.end);
        if (news == RMDI_CHILD_RUNS)
            continue;
        me.children[i].told = news == RMDI_CHILD_ENDED;
        message.what = news == RMDI_CHILD_ENDED     ? RMDI_TEMPLATE_ENDED
                       : news == RMDI_CHILD_STOPPED ? RMDI_TEMPLATE_STOPPED
                                                    : RMDI_TEMPLATE_CONTINUED;
        tell(&message, NULL, 0);
    }
}

_Noreturn void rmdi_template_process(void)
{
    rmdi_template_message ready = { .what = RMDI_TEMPLATE_READY };
    prctl(PR_SET_NAME, RMDI_TEMPLATE_NAME);
    me.mark = find_mark(); /* before anything can change the environment */
    map_setup();
    move_bell();
    map_shared();
    preload();
    watch();
    tell(&ready, NULL, 0);
    for (;;) {
        struct pollfd fds[] = { { .fd = RMDI_TEMPLATE_SOCKET, .events = POLLIN },
                                { .fd = me.ends, .events = POLLIN },
                                { .fd = me.owner, .events = POLLIN } };
        if (poll(fds, me.owner < 0 ? 2 : 3, -1) <= 0)
            continue;
        if (fds[2].revents)
            leave();
        if (fds[1].revents) {
            while (rmdi_signalfd_read(me.ends))
                ;
            look_at_children();
        }
        if (fds[0].revents)
            obey();
    }
}
