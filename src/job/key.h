/* SPDX-License-Identifier: MIT */
/* What a task is, as a number: the key by which a resumed run knows it again. SHA-256 (OpenSSL)
 * of the command with its placeholders, how values go into it, where it runs, the environment
 * that was chosen, the task's values and its block of standard input; each with its length, so that
 * no two lists of parts make the same bytes. Sequence and slot numbers are no part of it: the same
 * task may stand elsewhere in a longer list. docs/protocol/journal.md has the layout. */
#ifndef RMDI_JOB_KEY_H
#define RMDI_JOB_KEY_H

#include "job/template.h"

enum { RMDI_KEY_BYTES = 32 };

typedef struct rmdi_key {
    uint8_t bytes[RMDI_KEY_BYTES];
} rmdi_key;

typedef struct rmdi_keys rmdi_keys;

/* dir: as given with --wd; NULL: none. environment: names, NULL-terminated, whose values now
 * belong to the key; NULL: none. Borrows for the call. RMD_ENOMEM. */
RMD_NODISCARD int rmdi_keys_open(rmdi_keys **keys, const rmdi_template_options *options,
                                 const char *dir, const char *const *environment);
void rmdi_keys_free(rmdi_keys *keys); /* NULL is fine */

/* The key of one task. block: what it gets as standard input; len 0 without --pipe. RMD_ENOMEM. */
RMD_NODISCARD int rmdi_keys_make(rmdi_keys *keys, const rmd_bytes *values, size_t count,
                                 rmd_bytes block, rmdi_key *key);

#endif
