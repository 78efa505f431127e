/* SPDX-License-Identifier: MIT */
/* What posix_spawn of glibc 2.36 does, with less: clone3 gives the pidfd and clears the signal
 * handlers in the same call (posix_spawn: 64 calls in the child, another one for the pidfd,
 * and a stack that is mapped and unmapped each time).
 *
 * The child shares our memory and has a stack of its own, inside the frame of our thread,
 * which waits until the child has executed its program or ended. It shares our thread-local
 * data, too, errno among them: so it makes bare system calls only, nothing that the C library
 * or a sanitizer keeps books on.
 *
 * Until it has left our process group it gets what is sent to the group: Ctrl-Z, Ctrl-C. That
 * is not meant for it, and a program that stopped before its exec could not be continued with
 * the group: so signals stay blocked, and what has come is thrown away. Nobody can block
 * SIGSTOP; so our wait is not CLONE_VFORK's, which nothing would end then. */
#include "port/spawn_ways.h"

#include <errno.h>

#if defined __x86_64__ && defined __LP64__

#include "port/clock.h"
#include "port/futex.h"
#include "port/pidfd.h"
#include "port/poll.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    STACK_SIZE = 8 * 1024,
    KERNEL_SIGSET_SIZE = 8, /* as the system calls want it; the C library's is larger */
};
static const int64_t patience_ns = INT64_C(20) * 1000 * 1000;

#define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

typedef struct child_birth {
    const rmdi_spawn *spawn;
    int error;              /* of what failed in the child */
    bool unsupported;       /* the child was refused a call that the other way can do without */
    uint32_t shares_memory; /* the kernel clears it and wakes us: CLONE_CHILD_CLEARTID */
} child_birth;

/* A system call, and nothing else: its result, or -errno. */
IN_CHILD static inline __attribute__((always_inline)) long call(long number, long a, long b, long c,
                                                                long d)
{
    register long fourth __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory", "cc");
    return result;
}

IN_CHILD static long set_default(int signal)
{
    long zeros[4] = { 0 }; /* the kernel's structure: handler, flags, restorer, mask */
    return call(SYS_rt_sigaction, signal, (long)zeros, 0, KERNEL_SIGSET_SIZE);
}

/* Drops the signals that came while we were in our parent's group. */
IN_CHILD static void forget_signals(void)
{
    uint64_t every = ~UINT64_C(0);
    struct timespec now = { 0 };
    while (call(SYS_rt_sigtimedwait, (long)&every, 0, (long)&now, KERNEL_SIGSET_SIZE) > 0)
        ;
}

/* Descriptor i of the child. */
IN_CHILD static long place_descriptor(const rmdi_spawn *spawn, int i)
{
    int fd = spawn->fds[i];
    if (fd < 0) {
        call(SYS_close, i, 0, 0, 0); /* may be closed already */
        return 0;
    }
    if (fd == i)
        return call(SYS_fcntl, fd, F_SETFD, 0, 0);
    return call(SYS_dup3, fd, i, 0, 0);
}

/* 0 or -errno. */
IN_CHILD static long prepare(child_birth *birth)
{
    const rmdi_spawn *spawn = birth->spawn;
    long err = call(spawn->new_session ? SYS_setsid : SYS_setpgid, 0, 0, 0, 0);
    forget_signals();
    if (err >= 0)
        err = set_default(SIGPIPE);
    if (err >= 0)
        err = set_default(SIGXFSZ);
    for (int i = 0; i < (int)spawn->fds_len && err >= 0; i++)
        err = place_descriptor(spawn, i);
    if (err < 0)
        return err;
    /* What the program that uses us has left open without close-on-exec. */
    err = call(SYS_close_range, (long)spawn->fds_len, UINT32_MAX, 0, 0);
    birth->unsupported = err < 0; /* a sandbox: nothing is wrong with the call */
    if (err >= 0 && spawn->dir)
        err = call(SYS_chdir, (long)spawn->dir, 0, 0, 0);
    uint64_t none = 0;
    if (err >= 0)
        err = call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, KERNEL_SIGSET_SIZE);
    return err < 0 ? err : 0;
}

IN_CHILD static void be_born(void *arg)
{
    child_birth *birth = arg;
    const rmdi_spawn *spawn = birth->spawn;
    long err = prepare(birth);
    if (err == 0)
        err = call(SYS_execve, (long)spawn->path, (long)spawn->argv, (long)spawn->envp, 0);
    birth->error = (int)-err;
    for (;;)
        call(SYS_exit_group, 127, 0, 0, 0);
}

/* clone3 with the child calling fn(arg) on its new stack: the C library offers no such
 * function, and a child that returned from syscall() would find nothing to return to. The
 * number of the child, or -errno. */
IN_CHILD __attribute__((noinline)) static long clone_to(struct clone_args *how, void (*fn)(void *),
                                                        void *arg)
{
    register void (*kept_fn)(void *) __asm__("r12") = fn;
    register void *kept_arg __asm__("r13") = arg;
    long pid;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t" /* the outermost frame */
                     "movq %[arg], %%rdi\n\t"
                     "callq *%[fn]\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(pid)
                     : "0"((long)SYS_clone3), "D"(how),
                       "S"(sizeof *how), [fn] "r"(kept_fn), [arg] "r"(kept_arg)
                     : "rcx", "r11", "memory", "cc");
    return pid;
}

/* Until the child has given our memory back, by exec or by its end. One that was stopped after
 * it had left our group is not continued with the group: so that is done here. */
static void await_exec(const child_birth *birth, int pidfd)
{
    /* Acquire: what the child wrote before is seen. The kernel's store is ordered by its wake. */
    while (__atomic_load_n(&birth->shares_memory, __ATOMIC_ACQUIRE)) {
        int64_t patient_until = rmdi_clock_monotonic_ns() + patience_ns;
        if (rmdi_futex_wait_shared(&birth->shares_memory, 1, patient_until) == 0)
            continue;
        if (rmdi_poll_readable(pidfd)) /* old kernels do not clear it for one that dumps core */
            return;
        rmdi_pidfd_signal(pidfd, SIGCONT);
    }
}

int rmdi_spawn_by_clone(const rmdi_spawn *spawn, rmdi_spawned *child)
{
    _Alignas(16) char stack[STACK_SIZE];
    child_birth birth = { .spawn = spawn, .shares_memory = 1 };
    sigset_t all, before;
    struct clone_args how = {
        .flags = CLONE_VM | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | CLONE_CHILD_CLEARTID,
        .pidfd = (uintptr_t)&child->pidfd,
        .child_tid = (uintptr_t)&birth.shares_memory,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)stack,
        .stack_size = sizeof stack,
    };
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    long pid = clone_to(&how, be_born, &birth);
    if (pid > 0)
        await_exec(&birth, child->pidfd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return pid == -ENOSYS ? ENOTSUP : (int)-pid;
    child->pid = (pid_t)pid;
    if (!birth.error)
        return 0;
    close(child->pidfd);
    rmdi_child_bury(child->pid);
    return birth.unsupported ? ENOTSUP : birth.error;
}

#else

int rmdi_spawn_by_clone(const rmdi_spawn *spawn, rmdi_spawned *child)
{
    (void)spawn;
    (void)child;
    return ENOTSUP;
}

#endif
