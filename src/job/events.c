/* SPDX-License-Identifier: MIT */
#include "job/events.h"

#include "base/alloc.h"
#include "base/error.h"
#include "job/json.h"
#include "port/clock.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int user_descriptor(const char *target, int *fd)
{
    errno = 0;
    long number = strtol(target, NULL, 10);
    int mode = errno || number > INT32_MAX ? -1 : fcntl((int)number, F_GETFL);
    if (number < 3)
        return rmdi_fail(RMD_EINVAL,
                         "--events %s: standard output and error are the tasks'; use another "
                         "descriptor, as in --events 3 3>FILE",
                         target);
    if (mode < 0 || (mode & O_ACCMODE) == O_RDONLY)
        return rmdi_fail(RMD_EINVAL, "--events %s: descriptor %s is not open for writing", target,
                         target);
    *fd = (int)number;
    return 0;
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == 0;
}

int rmdi_events_open(rmdi_events *events, rmd_loop *loop, const char *target, bool append,
                     void (*ready)(void *ctx), void *ctx)
{
    int fd = -1, err = 0;
    *events = (rmdi_events){ .fd = -1 };
    if (is_number(target)) {
        err = user_descriptor(target, &fd);
    } else {
        append |= *target == '+';
        target += *target == '+';
        fd = events->fd = open(
            target, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | (append ? 0 : O_TRUNC), 0666);
        if (fd < 0)
            err = rmdi_fail_errno(errno, "events %s", target);
    }
    if (err == 0)
        err = rmdi_writer_open(&events->writer, loop, fd, ready, ctx);
    events->open = err == 0;
    return err;
}

/* The envelope comes first in the line. Takes what. NULL: no memory. */
static char *line_of(rmdi_events *events, const char *type, json_t *what)
{
    json_t *line = json_pack("{s:I, s:s, s:o}", "id", (json_int_t)++events->id, "type", type,
                             "time", rmdi_json_time(rmdi_clock_realtime_ns()));
    char *text = NULL;
    if (line && what && json_object_update(line, what) == 0)
        text = json_dumps(line, RMDI_JSON_LINE);
    json_decref(line);
    json_decref(what);
    return text;
}

int rmdi_events_add(rmdi_events *events, const char *type, json_t *what)
{
    if (!events->open || events->quiet) {
        json_decref(what);
        return 0;
    }
    char *text = line_of(events, type, what);
    if (!text)
        return rmdi_fail_memory();
    size_t len = strlen(text);
    text[len] = '\n'; /* in place of its NUL: a line is one write, as far as can be */
    int err = rmdi_writer_add(&events->writer, text, len + 1);
    rmdi_json_free(text);
    events->quiet = err < 0 && err != RMD_EAGAIN;
    return err;
}

bool rmdi_events_idle(const rmdi_events *events)
{
    return !events->open || events->quiet || rmdi_writer_idle(&events->writer);
}

void rmdi_events_close(rmdi_events *events, rmd_deadline deadline)
{
    if (!events->open)
        return;
    rmdi_writer_close(&events->writer, deadline);
    if (events->fd >= 0)
        rmdi_fd_close(&events->fd);
    events->open = false;
}
