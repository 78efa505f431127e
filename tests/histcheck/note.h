/* SPDX-License-Identifier: MIT */
/* Writing a history that histcheck judges. One write for each line, so that the lines of many
 * processes never mix and no line is lost with its writer once note() has returned. */
#ifndef HISTORY_NOTE_H
#define HISTORY_NOTE_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Descriptor of the history, or -1 with errno. */
static inline int history_open(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* history_note(fd, "start %d attempt=%d", task, n). False, with errno, when it was not written. */
__attribute__((format(printf, 2, 3))) static inline bool history_note(int fd, const char *format,
                                                                      ...)
{
    char line[512];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int used = snprintf(line, sizeof line, "%lld ", now.tv_sec * 1000000000LL + now.tv_nsec);
    va_list arguments;
    va_start(arguments, format);
    used += vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    va_end(arguments);
    if (used >= (int)sizeof line - 1)
        return false; /* too long for one line */
    line[used++] = '\n';
    return write(fd, line, (size_t)used) == used;
}

#endif
