/* SPDX-License-Identifier: MIT */
/* The limit for launching: posix_spawn and waitpid in a loop, nothing captured.
 * bare COUNT IN_FLIGHT [numbered]: with an argument, as xargs gives it */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char path[] = "/bin/true", number[16], *words[] = { path, argc > 3 ? number : NULL, NULL };
    int count = argc > 1 ? atoi(argv[1]) : 5000, in_flight = argc > 2 ? atoi(argv[2]) : 2;
    for (int started = 0, live = 0, done = 0; done < count;) {
        for (pid_t pid; live < in_flight && started < count; started++, live++) {
            snprintf(number, sizeof number, "%d", started + 1);
            if (posix_spawn(&pid, path, NULL, NULL, words, environ))
                return 1;
        }
        if (waitpid(-1, NULL, 0) > 0) {
            live--;
            done++;
        }
    }
    return 0;
}
