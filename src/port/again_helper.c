/* SPDX-License-Identifier: MIT */
/* Executes itself again and again until its standard input is at its end. */
#include <poll.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
    struct pollfd in = { .fd = 0, .events = POLLIN };
    if (argc < 1 || poll(&in, 1, 0) != 0)
        return 0;
    execve("/proc/self/exe", argv, environ);
    return 1;
}
