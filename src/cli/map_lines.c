/* SPDX-License-Identifier: MIT */
#include "cli/map_lines.h"

#include "base/error.h"

#include <errno.h>
#include <remuda/descriptor.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 128 * 1024, LINE_MAX_BYTES = 64 * 1024 * 1024 };

/* What has not been given out moves to the front. */
static int make_room(rmdi_lines *l)
{
    if (l->begin) {
        l->searched -= l->begin;
        rmdi_buffer_consume(&l->read, l->begin);
        l->begin = 0;
    }
    return rmdi_buffer_reserve(&l->read, PIECE);
}

static int read_more(rmdi_lines *l)
{
    int err = make_room(l);
    if (err < 0)
        return err;
    for (;;) {
        int ready = rmd_fd_wait(STDIN_FILENO, RMD_READABLE, RMD_FOREVER);
        if (ready < 0)
            return ready;
        ssize_t n = read(STDIN_FILENO, l->read.data + l->read.len, PIECE);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return rmdi_fail_errno(errno, "standard input");
        rmdi_buffer_filled(&l->read, (size_t)n);
        l->ended = n == 0;
        return 0;
    }
}

/* Finds the end of the line that begins at `begin`; false: it is not there yet. */
static bool find_end(rmdi_lines *l, size_t *end)
{
    const char *found = l->read.len > l->searched
                            ? memchr(l->read.data + l->searched, '\n', l->read.len - l->searched)
                            : NULL;
    l->searched = l->read.len;
    if (found)
        *end = (size_t)(found - l->read.data);
    return found;
}

static void go_behind(rmdi_lines *l, size_t end)
{
    l->begin = l->searched = end < l->read.len ? end + 1 : end;
}

/* What is too long is dropped as it comes. */
static int skip_line(rmdi_lines *l)
{
    size_t end;
    for (bool found = false; !found && !l->ended;) {
        l->begin = l->searched = l->read.len;
        int err = read_more(l);
        if (err < 0)
            return err;
        found = find_end(l, &end);
        if (found)
            go_behind(l, end);
    }
    if (l->ended)
        l->begin = l->searched = l->read.len;
    return rmdi_fail(RMD_E2BIG, "a line of more than 64 MiB");
}

int rmdi_lines_next(rmdi_lines *l, rmd_bytes *line)
{
    size_t end;
    bool found;
    while (!(found = find_end(l, &end)) && !l->ended) {
        if (l->read.len - l->begin > LINE_MAX_BYTES) {
            l->number++;
            return skip_line(l);
        }
        int err = read_more(l);
        if (err < 0)
            return err;
    }
    if (!found && l->begin == l->read.len)
        return 0;
    if (!found) /* the last has no end */
        end = l->read.len;
    *line = (rmd_bytes){ l->read.data + l->begin, end - l->begin };
    l->number++;
    go_behind(l, end);
    return 1;
}

void rmdi_lines_free(rmdi_lines *lines)
{
    rmdi_buffer_free(&lines->read);
}
