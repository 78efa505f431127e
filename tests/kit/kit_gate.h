/* SPDX-License-Identifier: MIT */
/* Gates: where what a test has started, in whatever process, says that it is there, and waits until
 * it is let through. They are named pipes in $TMPDIR. */
#ifndef KIT_GATE_H
#define KIT_GATE_H

#include "kit.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct gate {
    int arrivals, opening;
} gate;

static inline const char *path_of(const char *name)
{
    static _Thread_local char path[600];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "/tmp", name);
    return path;
}

/* Held open on both ends by whoever opens it, so that no open waits for the other side. */
static inline int open_pipe(const char *name, const char *end)
{
    char file[128];
    snprintf(file, sizeof file, "%s.%s", name, end);
    return open(path_of(file), O_RDWR | O_CLOEXEC);
}

static inline gate make_gate(const char *name)
{
    static const char *const ends[] = { "arrivals", "opening" };
    char file[128];
    for (int i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "%s.%s", name, ends[i]);
        REQUIRE(mkfifo(path_of(file), 0600) == 0);
    }
    gate made = { open_pipe(name, ends[0]), open_pipe(name, ends[1]) };
    REQUIRE(made.arrivals >= 0 && made.opening >= 0);
    return made;
}

static inline bool has_arrived(const gate *at)
{
    struct pollfd ready = { .fd = at->arrivals, .events = POLLIN };
    return poll(&ready, 1, 0) == 1;
}

/* The process that stands there next. */
static inline pid_t await_arrival(const gate *at)
{
    pid_t pid = 0;
    struct pollfd ready = { .fd = at->arrivals, .events = POLLIN };
    REQUIRE(poll(&ready, 1, 15000 * kit_patience()) == 1);
    REQUIRE(read(at->arrivals, &pid, sizeof pid) == sizeof pid);
    return pid;
}

/* The byte stays in the pipe: whoever comes later passes, too. */
static inline void open_gate(const gate *at)
{
    REQUIRE(write(at->opening, "", 1) == 1);
}

/* By who stands there. False: errno says why. */
static inline bool arrive_at(const char *name)
{
    pid_t pid = getpid();
    int fd = open_pipe(name, "arrivals");
    bool written = fd >= 0 && write(fd, &pid, sizeof pid) == sizeof pid;
    if (fd >= 0)
        close(fd);
    return written;
}

#endif
