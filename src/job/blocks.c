/* SPDX-License-Identifier: MIT */
/* A border is where record_end is followed by record_start; `border` is both as one text, and a
 * cut lies record_end's length behind its beginning. */
#include "job/blocks.h"

#include "base/alloc.h"
#include "base/error.h"
#include "job/escapes.h"
#include "job/records.h"

#include <string.h>

enum { READ_BYTES = 256 * 1024 };

struct rmdi_blocks {
    int fd;
    bool polled, at_end, remove_separators;
    rmdi_buffer border, end;
    size_t start_len, block_bytes, record_max;
    uint64_t records;

    rmdi_buffer buffer;
    size_t begin;     /* of what was not handed over yet */
    size_t target;    /* by size: until where the buffer is to be filled; 0: the round is over */
    size_t searched;  /* no border begins before here, counted from begin */
    size_t last;      /* by records: where the last border was found, counted from begin */
    uint64_t borders; /* by records: how many were found */
    uint64_t number, position; /* blocks and bytes handed over, for messages */
    int failed;
};

/* ---- open and free ---- */

static int set_separators(rmdi_blocks *b, const rmdi_blocks_options *options)
{
    const char *start = options->record_start, *end = options->record_end;
    if (!start && !end)
        end = "\n";
    int err = rmdi_buffer_add_text(&b->end, "");
    if (err == 0 && end)
        err = rmdi_escapes_record(end, &b->end);
    if (err == 0)
        err = rmdi_buffer_add(&b->border, b->end.data, b->end.len);
    if (err == 0 && start)
        err = rmdi_escapes_record(start, &b->border);
    b->start_len = b->border.len - b->end.len;
    return err;
}

int rmdi_blocks_open(rmdi_blocks **made, const rmdi_blocks_options *options)
{
    *made = NULL;
    if (options->fd < 0)
        return rmdi_fail(RMD_EINVAL, "%d is no descriptor", options->fd);
    rmdi_blocks *b = rmdi_alloc_zeroed(sizeof *b);
    if (!b)
        return rmdi_fail_memory();
    b->fd = options->fd;
    b->polled = rmdi_records_is_polled(b->fd);
    b->block_bytes = options->block_bytes ? options->block_bytes : (size_t)1 << 20;
    b->record_max = options->record_max ? options->record_max : (size_t)1 << 30;
    b->records = options->records;
    b->remove_separators = options->remove_separators;
    int err = set_separators(b, options);
    if (err < 0)
        rmdi_blocks_free(b);
    else
        *made = b;
    return err;
}

void rmdi_blocks_free(rmdi_blocks *b)
{
    if (!b)
        return;
    rmdi_buffer_free(&b->border);
    rmdi_buffer_free(&b->end);
    rmdi_buffer_free(&b->buffer);
    rmdi_free(b);
}

/* ---- reading ---- */

static size_t left(const rmdi_blocks *b)
{
    return b->buffer.len - b->begin;
}

static const char *data(const rmdi_blocks *b)
{
    return b->buffer.data + b->begin;
}

/* Views were given up by now, so what was handed over can be dropped. */
static int fill(rmdi_blocks *b, size_t most)
{
    rmdi_buffer_consume(&b->buffer, b->begin);
    b->begin = 0;
    int64_t n = rmdi_records_read(b->fd, b->polled, &b->buffer, most, "standard input");
    b->at_end = n == 0;
    return n < 0 ? (int)n : 0;
}

/* The record begins with the block, or behind the last border in it. */
static int fail_too_long(const rmdi_blocks *b)
{
    uint64_t begin = b->position + (b->borders ? b->last + b->end.len : 0);
    return rmdi_fail(RMD_E2BIG,
                     "the record that begins at byte %llu of standard input, in block %llu, is "
                     "longer than %zu bytes",
                     (unsigned long long)begin, (unsigned long long)b->number + 1, b->record_max);
}

/* ---- handing over ---- */

/* Drops all borders inside and the separators at both ends; in place, as they are ours. */
static size_t remove_separators(const rmdi_blocks *b, char *bytes, size_t len)
{
    const char *from = bytes, *end = bytes + len, *next, *start = b->border.data + b->end.len;
    char *to = bytes;
    for (; b->border.len; from = next + b->border.len) {
        next = memmem(from, (size_t)(end - from), b->border.data, b->border.len);
        size_t piece = (size_t)((next ? next : end) - from);
        memmove(to, from, piece);
        to += piece;
        if (!next)
            break;
    }
    len = b->border.len ? (size_t)(to - bytes) : len;
    if (b->start_len && len >= b->start_len && memcmp(bytes, start, b->start_len) == 0) {
        len -= b->start_len;
        memmove(bytes, bytes + b->start_len, len);
    }
    if (b->end.len && len >= b->end.len &&
        memcmp(bytes + len - b->end.len, b->end.data, b->end.len) == 0)
        len -= b->end.len;
    return len;
}

/* Nothing is the end. */
static int hand_over(rmdi_blocks *b, size_t len, rmd_bytes *block)
{
    if (!len)
        return 0;
    char *bytes = b->buffer.data + b->begin;
    *block = (rmd_bytes){ .data = bytes, .len = len };
    if (b->remove_separators)
        block->len = remove_separators(b, bytes, len);
    b->begin += len;
    b->position += len;
    b->number++;
    b->last = 0;
    b->borders = 0;
    b->searched = b->searched > len ? b->searched - len : 0;
    return 1;
}

/* ---- by size ---- */

/* The last border that begins in [from, len): its offset, or SIZE_MAX. Looks for the border's last
 * byte, which memrchr does fast. */
static size_t find_last(const rmdi_blocks *b, size_t from)
{
    size_t len = left(b), border = b->border.len;
    const char *bytes = data(b), last = border ? b->border.data[border - 1] : 0;
    if (!border)
        return len;
    while (len >= from + border) {
        const char *found = memrchr(bytes + from + border - 1, last, len - (from + border - 1));
        if (!found)
            return SIZE_MAX;
        const char *begin = found - (border - 1);
        if (memcmp(begin, b->border.data, border) == 0)
            return (size_t)(begin - bytes);
        len = (size_t)(found - bytes);
    }
    return SIZE_MAX;
}

/* Before the searched bytes no border can begin; only its start may still be incomplete. */
static void set_searched(rmdi_blocks *b)
{
    size_t tail = b->border.len ? b->border.len - 1 : 0;
    b->searched = left(b) > tail ? left(b) - tail : 0;
}

/* A record is longer than a block: from now on blocks are larger. */
static void grow(rmdi_blocks *b)
{
    double bytes = (double)b->block_bytes * 1.3 + 1;
    size_t limit = INT32_MAX;
    size_t wanted = bytes < (double)limit ? (size_t)bytes : limit;
    wanted += (double)wanted < bytes && wanted < limit;
    if (b->block_bytes < wanted)
        b->block_bytes = wanted;
}

/* A round: the buffer is filled up to a multiple of the block size. 0: go on. */
static int fill_round(rmdi_blocks *b)
{
    if (!b->target)
        b->target = left(b) + b->block_bytes - left(b) % b->block_bytes;
    int err = 0;
    while (err == 0 && left(b) < b->target && !b->at_end)
        err = fill(b, b->target - left(b));
    if (err == 0)
        b->target = 0;
    return err;
}

static int next_by_size(rmdi_blocks *b, rmd_bytes *block)
{
    for (;;) {
        int err = fill_round(b);
        if (err < 0)
            return err;
        if (b->at_end)
            return hand_over(b, left(b), block);
        size_t border = find_last(b, b->searched);
        set_searched(b);
        size_t cut = border == SIZE_MAX ? 0 : border + b->end.len;
        if (cut)
            return hand_over(b, cut, block);
        if (left(b) > b->record_max)
            return fail_too_long(b);
        grow(b);
    }
}

/* ---- by records ---- */

static size_t find_next(const rmdi_blocks *b, size_t from)
{
    if (from + b->border.len > left(b))
        return SIZE_MAX;
    const char *found = b->border.len == 1
                            ? memchr(data(b) + from, b->border.data[0], left(b) - from)
                            : memmem(data(b) + from, left(b) - from, b->border.data, b->border.len);
    return found ? (size_t)(found - data(b)) : SIZE_MAX;
}

/* Looks for the borders that are still missing; true when all are found. The first byte of a
 * block, and the one behind a border, cannot begin one. */
static bool find_borders(rmdi_blocks *b)
{
    while (b->borders < b->records) {
        size_t from = b->last + 1 > b->searched ? b->last + 1 : b->searched;
        size_t border = find_next(b, from);
        if (border == SIZE_MAX)
            return false;
        b->last = border;
        b->borders++;
    }
    return true;
}

/* What is left behind a border that was found is a record without an end, so far. */
static bool is_too_long(const rmdi_blocks *b)
{
    return left(b) - b->last > b->record_max;
}

static int next_by_records(rmdi_blocks *b, rmd_bytes *block)
{
    while (!find_borders(b)) {
        set_searched(b);
        if (b->at_end)
            return hand_over(b, left(b), block);
        if (is_too_long(b))
            return fail_too_long(b);
        int err = fill(b, READ_BYTES);
        if (err < 0)
            return err;
    }
    size_t cut = b->last + b->end.len;
    return hand_over(b, cut, block);
}

/* Without a border each byte is a record. GNU parallel cuts what it has read, block_bytes, to its
 * end before it reads more, so the last block of each round can be shorter. */
static int next_by_bytes(rmdi_blocks *b, rmd_bytes *block)
{
    int err = left(b) && !b->target ? 0 : fill_round(b);
    if (err < 0)
        return err;
    return hand_over(b, left(b) < b->records ? left(b) : (size_t)b->records, block);
}

static int next(rmdi_blocks *b, rmd_bytes *block)
{
    if (!b->records)
        return next_by_size(b, block);
    return b->border.len ? next_by_records(b, block) : next_by_bytes(b, block);
}

/* A block of nothing but separators is none when they are removed. */
int rmdi_blocks_next(rmdi_blocks *b, rmd_bytes *block)
{
    *block = (rmd_bytes){ 0 };
    int got = b->failed;
    if (!got)
        do
            got = next(b, block);
        while (got == 1 && !block->len);
    if (got < 0 && got != RMD_EAGAIN)
        b->failed = got;
    return got;
}

size_t rmdi_blocks_size(const rmdi_blocks *b)
{
    return b->block_bytes;
}

int rmdi_blocks_fd(const rmdi_blocks *b)
{
    return b->fd;
}
