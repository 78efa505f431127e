/* SPDX-License-Identifier: MIT */
#include "job/estimate.h"

#include "job/escapes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t unknown = UINT64_MAX;

/* The byte that ends a record, or -1. */
static int delimiter_byte(const rmdi_inputs_options *options)
{
    rmdi_buffer text = { 0 };
    int byte = options->nul ? 0 : '\n';
    if (options->delimiter) {
        bool single = rmdi_escapes_delimiter(options->delimiter, &text) == 0 && text.len == 1;
        byte = single ? (unsigned char)text.data[0] : -1;
    }
    rmdi_buffer_free(&text);
    return byte;
}

static uint64_t count_records(int fd, off_t at, char end)
{
    char chunk[64 * 1024], last = end;
    uint64_t records = 0;
    for (ssize_t n; (n = pread(fd, chunk, sizeof chunk, at)) > 0; at += n) {
        for (const char *from = chunk; (from = memchr(from, end, (size_t)(chunk + n - from)));)
            from++, records++;
        last = chunk[n - 1];
    }
    return records + (last != end);
}

static uint64_t count_file(int fd, int end)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return unknown;
    off_t at = lseek(fd, 0, SEEK_CUR);
    return at < 0 ? unknown : count_records(fd, at, (char)end);
}

uint64_t rmdi_estimate_total(const rmdi_inputs_options *options)
{
    const rmdi_inputs_source *source = options->sources_count ? &options->sources[0] : NULL;
    int end = delimiter_byte(options);
    if (options->sources_count > 1 || (source && source->words) || end < 0 || options->skip_empty)
        return unknown;
    bool from_stdin = !source || strcmp(source->file, "-") == 0;
    int fd = from_stdin ? options->stdin_fd : open(source->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint64_t records = fd < 0 ? unknown : count_file(fd, end);
    if (!from_stdin && fd >= 0)
        close(fd);
    uint64_t group = options->group ? options->group : 1;
    return records == unknown ? unknown : records / group + (records % group != 0);
}
