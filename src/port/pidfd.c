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
