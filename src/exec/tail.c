/* SPDX-License-Identifier: MIT */
#include "exec/tail.h"

#include <stdio.h>
#include <string.h>

void rmdi_tail_add(rmdi_tail *tail, const char *data, size_t len)
{
    if (len >= sizeof tail->data) {
        memcpy(tail->data, data + len - sizeof tail->data, sizeof tail->data);
        tail->len = sizeof tail->data;
        return;
    }
    size_t over = tail->len + len > sizeof tail->data ? tail->len + len - sizeof tail->data : 0;
    memmove(tail->data, tail->data + over, tail->len - over);
    memcpy(tail->data + tail->len - over, data, len);
    tail->len += len - over;
}

/* Without blanks and line ends in front of `end`. */
static size_t trimmed(const char *data, size_t end)
{
    while (end && (data[end - 1] == '\n' || data[end - 1] == '\r' || data[end - 1] == ' '))
        end--;
    return end;
}

static size_t begin_of_line(const char *data, size_t end)
{
    while (end && data[end - 1] != '\n')
        end--;
    return end;
}

size_t rmdi_tail_line(const rmdi_tail *tail, size_t max, const char **line)
{
    size_t end = trimmed(tail->data, tail->len), begin = begin_of_line(tail->data, end);
    if (end - begin > max)
        begin = end - max;
    *line = tail->data + begin;
    return end - begin;
}

/* Where those lines begin that take at most `max` bytes, with two more for each but the last. */
static size_t begin_of_lines(const rmdi_tail *tail, size_t end, size_t max)
{
    size_t begin = begin_of_line(tail->data, end), taken = end - begin;
    while (begin) {
        size_t before_end = trimmed(tail->data, begin);
        size_t before = begin_of_line(tail->data, before_end);
        taken += before_end - before + strlen(" | ");
        if (!before_end || taken > max)
            break;
        begin = before;
    }
    return begin;
}

void rmdi_tail_lines(const rmdi_tail *tail, char *text, size_t size)
{
    const char *last;
    size_t end = trimmed(tail->data, tail->len), written = 0;
    size_t at = begin_of_lines(tail, end, size - 1);
    size_t last_len = rmdi_tail_line(tail, size - 1, &last);
    text[0] = 0;
    while (at < (size_t)(last - tail->data)) {
        const char *line_end = memchr(tail->data + at, '\n', end - at);
        size_t line = line_end ? (size_t)(line_end - tail->data) : end;
        int len = (int)(trimmed(tail->data + at, line - at));
        if (len && line < end)
            written += (size_t)snprintf(text + written, size - written, "%.*s | ", len,
                                        tail->data + at);
        at = line + 1;
    }
    snprintf(text + written, size - written, "%.*s", (int)last_len, last);
}
