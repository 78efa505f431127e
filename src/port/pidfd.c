/* SPDX-License-Identifier: MIT */
#include "port/pidfd.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int rmdi_pidfd_open(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
    return fd < 0 ? -errno : (int)fd;
}

int rmdi_pidfd_signal(int pidfd, int signal)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? errno : 0;
}

int rmdi_child_peek(pid_t pid, bool *ended)
{
    siginfo_t info;
    info.si_pid = 0;
    *ended = false;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0)
        if (errno != EINTR)
            return errno;
    *ended = info.si_pid == pid;
    return 0;
}

int rmdi_child_reap(pid_t pid, rmdi_child_end *end)
{
    int status;
    pid_t r;
    while ((r = wait4(pid, &status, WNOHANG, &end->usage)) < 0 && errno == EINTR)
        ;
    if (r <= 0)
        return r < 0 ? errno : EAGAIN;
    end->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return 0;
}

/* The library's waitid() has no place for the usage. */
static bool look_once(pid_t pid, int what, siginfo_t *info, struct rusage *usage)
{
    info->si_pid = 0;
    while (syscall(SYS_waitid, P_PID, pid, info, what | WNOHANG, usage) < 0)
        if (errno != EINTR)
            return false;
    return info->si_pid == pid;
}

rmdi_child_news rmdi_child_look(pid_t pid, rmdi_child_end *end)
{
    siginfo_t info;
    if (look_once(pid, WEXITED | WNOWAIT, &info, &end->usage)) {
        end->status = info.si_code == CLD_EXITED ? info.si_status : -1;
        end->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
        return RMDI_CHILD_ENDED;
    }
    if (!look_once(pid, WSTOPPED | WCONTINUED, &info, NULL))
        return RMDI_CHILD_RUNS;
    return info.si_code == CLD_CONTINUED ? RMDI_CHILD_CONTINUED : RMDI_CHILD_STOPPED;
}

void rmdi_child_bury(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

bool rmdi_child_ends_are_dropped(void)
{
    struct sigaction action;
    if (sigaction(SIGCHLD, NULL, &action) < 0)
        return false;
    bool ignored = !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_IGN;
    return ignored || (action.sa_flags & SA_NOCLDWAIT);
}
