/* SPDX-License-Identifier: MIT */
#include "job/records.h"

#include "base/alloc.h"
#include "base/error.h"
#include "port/poll.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 128 * 1024 };

bool rmdi_records_is_polled(int fd)
{
    struct stat status;
    return fstat(fd, &status) != 0 || !S_ISREG(status.st_mode);
}

int64_t rmdi_records_read(int fd, bool polled, rmdi_buffer *buffer, size_t most, const char *name)
{
    int err = rmdi_buffer_reserve(buffer, most);
    if (err < 0)
        return err;
    if (polled && !rmdi_poll_readable(fd))
        return RMD_EAGAIN;
    ssize_t n;
    do
        n = read(fd, buffer->data + buffer->len, most);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) /* another reader was faster */
        return RMD_EAGAIN;
    if (n < 0)
        return rmdi_fail_errno(errno, "cannot read %s", name);
    rmdi_buffer_filled(buffer, (size_t)n);
    return n;
}

/* O_NONBLOCK, because opening a FIFO would wait for its writer. */
int rmdi_records_open_file(rmdi_records *records, const rmdi_records_format *format,
                           const char *file, int stdin_fd)
{
    bool is_stdin = strcmp(file, "-") == 0;
    *records = (rmdi_records){ .format = format, .fd = stdin_fd };
    records->name = rmdi_strdup(is_stdin ? "standard input" : file);
    if (!records->name)
        return rmdi_fail_memory();
    if (!is_stdin) {
        records->fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        records->owned = true;
    }
    if (records->fd < 0)
        return rmdi_fail_errno(errno, "cannot open input file '%s'", file);
    records->polled = rmdi_records_is_polled(records->fd);
    return 0;
}

int rmdi_records_open_words(rmdi_records *records, const rmdi_records_format *format,
                            const char *const *words)
{
    *records = (rmdi_records){ .format = format, .fd = -1, .at_end = true };
    rmd_bytes delimiter = format->delimiter.len ? format->delimiter : rmdi_bytes_of("\n\n");
    int err = rmdi_buffer_add_text(&records->buffer, "");
    for (; err == 0 && *words; words++) {
        err = rmdi_buffer_add_text(&records->buffer, *words);
        if (err == 0)
            err = rmdi_buffer_add(&records->buffer, delimiter.data, delimiter.len);
    }
    return err;
}

void rmdi_records_rewind(rmdi_records *records)
{
    records->start = records->searched = 0;
    records->number = 0;
}

static void close_file(rmdi_records *records)
{
    if (records->owned && records->fd >= 0)
        close(records->fd);
    records->fd = -1;
    records->at_end = true;
}

void rmdi_records_free(rmdi_records *records)
{
    close_file(records);
    rmdi_free(records->name);
    rmdi_buffer_free(&records->buffer);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What was handed over is dropped before more is read: then little has to be moved. */
static int fill(rmdi_records *records)
{
    rmdi_buffer_consume(&records->buffer, records->start);
    records->searched -= records->start;
    records->start = 0;
    int64_t n = rmdi_records_read(records->fd, records->polled, &records->buffer, READ_BYTES,
                                  records->name);
    if (n == 0)
        close_file(records);
    return n < 0 ? (int)n : 0;
}

/* ---- where a record ends ---- */

/* The next delimiter from `from`: its offset, or SIZE_MAX; then *again is from where to search
 * when there is more. */
static size_t find_delimiter(const rmdi_records *records, size_t from, size_t *again)
{
    const char *data = records->buffer.data;
    rmd_bytes delimiter = records->format->delimiter;
    size_t len = records->buffer.len;
    const char *found = delimiter.len == 1
                            ? memchr(data + from, *(const char *)delimiter.data, len - from)
                            : memmem(data + from, len - from, delimiter.data, delimiter.len);
    *again = len - from >= delimiter.len ? len - (delimiter.len - 1) : from;
    return found ? (size_t)(found - data) : SIZE_MAX;
}

static bool ends_in_blank(const rmdi_records *records, size_t end)
{
    const char *data = records->buffer.data;
    return records->format->continued && end > records->start &&
           (data[end - 1] == ' ' || data[end - 1] == '\t');
}

/* Must it be known what follows the delimiter at `end`? */
static bool needs_more(const rmdi_records *records, size_t end)
{
    return ends_in_blank(records, end) && !records->at_end &&
           end + records->format->delimiter.len == records->buffer.len;
}

/* Drops the delimiter at `end` and goes on when the record ends in a blank there. */
static bool is_continued(rmdi_records *records, size_t end)
{
    rmdi_buffer *b = &records->buffer;
    size_t next = end + records->format->delimiter.len;
    if (!ends_in_blank(records, end) || next == b->len)
        return false;
    memmove(b->data + end, b->data + next, b->len - next);
    b->len -= records->format->delimiter.len;
    return true;
}

/* 1: *end is where the record ends and *next where the following one begins; 0: not known yet. */
static int find_end(rmdi_records *records, size_t *end, size_t *next)
{
    size_t again;
    while ((*end = find_delimiter(records, records->searched, &again)) != SIZE_MAX) {
        records->searched = *end;
        if (needs_more(records, *end))
            return 0;
        *next = *end + records->format->delimiter.len;
        if (!is_continued(records, *end))
            return 1;
    }
    records->searched = again;
    return 0;
}

/* Paragraphs: newlines in front do not count, two or more in a row end one. */
static int find_paragraph_end(rmdi_records *records, size_t *end, size_t *next)
{
    const rmdi_buffer *b = &records->buffer;
    while (records->start < b->len && b->data[records->start] == '\n')
        records->start++;
    if (records->searched < records->start)
        records->searched = records->start;
    const char *from = b->data + records->searched;
    const char *found = memmem(from, b->len - records->searched, "\n\n", 2);
    if (!found) {
        records->searched = b->len > records->start ? b->len - 1 : records->start;
        return 0;
    }
    *end = (size_t)(found - b->data);
    *next = *end + 2;
    return 1;
}

/* The end of the input ends the last record, unless nothing is left. */
static int find_last_end(rmdi_records *records, size_t *end, size_t *next)
{
    *end = *next = records->buffer.len;
    if (!records->format->delimiter.len)
        while (*end > records->start && records->buffer.data[*end - 1] == '\n')
            --*end;
    return *end > records->start;
}

static int find(rmdi_records *records, size_t *end, size_t *next)
{
    if (!records->buffer.data)
        return 0;
    return records->format->delimiter.len ? find_end(records, end, next)
                                          : find_paragraph_end(records, end, next);
}

/* ---- handing over ---- */

static int fail_too_long(const rmdi_records *records)
{
    return rmdi_fail(RMD_E2BIG, "record %llu of %s is longer than %zu bytes",
                     (unsigned long long)records->number + 1,
                     records->name ? records->name : "the command line",
                     records->format->value_max);
}

static int next_any(rmdi_records *records, rmd_bytes *record)
{
    size_t end, next;
    int found;
    while (!(found = find(records, &end, &next)) && !records->at_end) {
        size_t limit = records->format->value_max + records->format->delimiter.len;
        if (records->buffer.len - records->start > limit)
            return fail_too_long(records);
        int err = fill(records);
        if (err < 0)
            return err;
    }
    if (!found && !find_last_end(records, &end, &next))
        return 0;
    if (end - records->start > records->format->value_max)
        return fail_too_long(records);
    *record = (rmd_bytes){ .data = records->buffer.data + records->start,
                           .len = end - records->start };
    records->start = records->searched = next;
    records->number++;
    return 1;
}

static bool is_blank(rmd_bytes record)
{
    const char *bytes = record.data;
    for (size_t i = 0; i < record.len; i++)
        if (!is_space(bytes[i]))
            return false;
    return true;
}

int rmdi_records_next(rmdi_records *records, rmd_bytes *record)
{
    int got;
    do
        got = next_any(records, record);
    while (got == 1 && records->format->skip_empty && is_blank(*record));
    return got;
}
