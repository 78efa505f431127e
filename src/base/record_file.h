/* SPDX-License-Identifier: MIT */
/* A record as a file. In any signal handler: the paths are worked out in memory that is there. */
#ifndef RMDI_BASE_RECORD_FILE_H
#define RMDI_BASE_RECORD_FILE_H

#include "base/record_dump.h"

#include <limits.h>

enum { RMDI_RECORD_SUFFIX_BYTES = 32 };

/* One thread at a time. */
typedef struct rmdi_record_file {
    char path[PATH_MAX + RMDI_RECORD_SUFFIX_BYTES];
    char made[PATH_MAX + 2 * RMDI_RECORD_SUFFIX_BYTES]; /* under this name until it is whole */
} rmdi_record_file;

/* Writes it to file->path, of mode 0600, in place of what is there. What is there and no regular
 * file (a FIFO that somebody reads, a terminal) is written to and stays. 0 or an errno value:
 * ENODATA: nothing is recorded; ELOOP: it is a symbolic link to a file, or to nothing: following it
 * might write where nobody meant to, and replacing it would lose it. At a crash what could be
 * written is kept. */
int rmdi_record_file_write(rmdi_record_file *file, rmd_recorder_format format,
                           const rmdi_record_cause *cause);

/* Could it be written there? 0 or an errno value. */
int rmdi_record_file_check(const char *path);

#endif
