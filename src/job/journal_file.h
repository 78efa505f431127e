/* SPDX-License-Identifier: MIT */
/* Is this file a journal, and one that may be used? Asked before SQLite gets to see it, because
 * SQLite recovers what it opens, and what is refused shall stay as it is. */
#ifndef RMDI_JOB_JOURNAL_FILE_H
#define RMDI_JOB_JOURNAL_FILE_H

#include <remuda/census.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct sqlite3 sqlite3;

/* 0, or an error with a detail that names the file and the cure: RMD_ENOENT, RMD_EINVAL (not a
 * journal), RMD_ENOTSUP (another version), RMD_EIO (damaged); for one that will be written also
 * RMD_EACCES (not ours, or others may write to it) and RMD_ENOTSUP (a file system of the
 * network, on which its log does not work).
 * It opens the file and closes it, which drops the locks that this process holds on it: not to be
 * called while the process has it open. */
int rmdi_journal_check(const char *path, bool to_write);

/* A name that means a file to SQLite, too, which reads "file:x" and ":memory:" as something else.
 * New (rmdi_free); NULL: no memory. */
char *rmdi_journal_path(const char *path);

/* Does the log of a journal work on a file system of this kind (statfs f_type)? It does not where
 * memory cannot be shared through the file. */
bool rmdi_journal_suits(int64_t filesystem);

/* Our code for what SQLite has answered; the second sets a detail, too: "journal PATH: ...". db may
 * be NULL. */
int rmdi_journal_code(int result);
int rmdi_journal_fail(sqlite3 *db, const char *path, int result);

/* The outcome of that name; RMD_PENDING for NULL and for what is none. */
rmd_outcome rmdi_journal_outcome(const char *name);

#endif
