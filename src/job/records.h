/* SPDX-License-Identifier: MIT */
/* One source of values, split at a delimiter: a descriptor, read as it is needed, or memory. */
#ifndef RMDI_JOB_RECORDS_H
#define RMDI_JOB_RECORDS_H

#include "data/bytes.h"

/* Borrowed by the records for as long as they live. */
typedef struct rmdi_records_format {
    rmd_bytes delimiter; /* empty: paragraphs, separated by empty lines */
    bool continued;      /* -L: a record that ends in a blank goes on with the next */
    bool skip_empty;     /* leave out records of nothing but white space */
    size_t value_max;
} rmdi_records_format;

typedef struct rmdi_records {
    const rmdi_records_format *format;
    char *name; /* for messages; NULL: words of the command line */
    int fd;     /* -1: none (any more) */
    bool owned; /* close it at the end */
    bool polled, at_end;
    rmdi_buffer buffer;
    size_t start, searched; /* in the buffer: the next record, and up to where it has no end */
    uint64_t number;        /* of records handed over or skipped */
} rmdi_records;

/* Opens the file; "-" is stdin_fd. Blocks on the disk only. RMD_ENOENT ..., RMD_ENOMEM. The
 * records can be freed after a failure. */
int rmdi_records_open_file(rmdi_records *records, const rmdi_records_format *format,
                           const char *file, int stdin_fd);

/* The words, each as if followed by the delimiter. Copies. RMD_ENOMEM. */
int rmdi_records_open_words(rmdi_records *records, const rmdi_records_format *format,
                            const char *const *words);

void rmdi_records_free(rmdi_records *records); /* zeroed is fine */

/* The next record: 1, and *record borrows it until the next call; 0 at the end; RMD_EAGAIN when
 * records->fd must become readable first; or another error, see inputs.h. */
int rmdi_records_next(rmdi_records *records, rmd_bytes *record);

/* Goes back to the first record; for words only. */
void rmdi_records_rewind(rmdi_records *records);

/* read(2) into the end of a buffer, at most `most` bytes: how many came, 0 at the end of the
 * file, RMD_EAGAIN when there is nothing yet (asked by poll(2) when `polled`, so that it does not
 * block), RMD_ENOMEM or the code of a system error, with a detail that names the input. */
int64_t rmdi_records_read(int fd, bool polled, rmdi_buffer *buffer, size_t most, const char *name);

/* Must it be asked before each read? Not so for regular files, which are always ready. */
bool rmdi_records_is_polled(int fd);

#endif
