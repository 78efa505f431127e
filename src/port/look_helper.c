/* SPDX-License-Identifier: MIT */
/* Tells what a started program finds: look_helper FD writes, one per line and to that
 * descriptor, the descriptors that are open, the signals that are blocked or ignored, its
 * directory, and whether it leads a group and a session. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void tell_descriptors(FILE *out)
{
    DIR *folder = opendir("/proc/self/fd");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char path[300], target[300];
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        ssize_t len = readlink(path, target, sizeof target - 1);
        if (len < 0 || atoi(entry->d_name) == dirfd(folder))
            continue;
        target[len] = 0;
        fprintf(out, "fd %s %s\n", entry->d_name, target);
    }
    if (folder)
        closedir(folder);
}

static void tell_signals(FILE *out)
{
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int signal = 1; signal < _NSIG; signal++) {
        struct sigaction action;
        if (sigismember(&blocked, signal) == 1)
            fprintf(out, "blocked %d\n", signal);
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            fprintf(out, "ignored %d\n", signal);
    }
}

int main(int argc, char **argv)
{
    char dir[4096];
    FILE *out = argc > 1 ? fdopen(atoi(argv[1]), "w") : NULL;
    if (!out)
        return 2;
    tell_descriptors(out);
    tell_signals(out);
    fprintf(out, "dir %s\n", getcwd(dir, sizeof dir) ? dir : "?");
    fprintf(out, "group %s\n", getpgrp() == getpid() ? "own" : "other");
    fprintf(out, "session %s\n", getsid(0) == getpid() ? "own" : "other");
    return fclose(out) == 0 ? 0 : 1;
}
