/* SPDX-License-Identifier: MIT */
/* The tables of a journal, version 1. docs/protocol/journal.md tells what the columns mean; a test
 * compares the two. Nothing is ever deleted but rows of `output`, so the ids of `task` have no
 * gaps. There is no index over the keys: a run that resumes reads them all once, and one that
 * does not need them would pay for it at every task. */
#ifndef RMDI_JOB_JOURNAL_SCHEMA_H
#define RMDI_JOB_JOURNAL_SCHEMA_H

#define RMDI_JOURNAL_APPLICATION 0x524d444a /* "RMDJ" */
#define RMDI_JOURNAL_VERSION     1

#define RMDI_JOURNAL_SCHEMA                                            \
    "CREATE TABLE run ("                                               \
    " id INTEGER PRIMARY KEY,"                                         \
    " version TEXT NOT NULL,"                                          \
    " host TEXT NOT NULL,"                                             \
    " boot TEXT NOT NULL,"                                             \
    " pid INTEGER NOT NULL,"                                           \
    " dir TEXT NOT NULL,"                                              \
    " command TEXT NOT NULL,"                                          \
    " slots INTEGER NOT NULL,"                                         \
    " cpus INTEGER NOT NULL,"                                          \
    " memory_bytes INTEGER NOT NULL,"                                  \
    " at_most_once INTEGER NOT NULL,"                                  \
    " started_ns INTEGER NOT NULL,"                                    \
    " ended_ns INTEGER,"                                               \
    " status INTEGER,"                                                 \
    " detail TEXT,"                                                    \
    " total INTEGER,"                                                  \
    " skipped INTEGER NOT NULL DEFAULT 0,"                             \
    " begun INTEGER NOT NULL DEFAULT 0,"                               \
    " ok INTEGER NOT NULL DEFAULT 0,"                                  \
    " failed INTEGER NOT NULL DEFAULT 0,"                              \
    " cancelled INTEGER NOT NULL DEFAULT 0,"                           \
    " timeout INTEGER NOT NULL DEFAULT 0,"                             \
    " lost INTEGER NOT NULL DEFAULT 0);"                               \
    "CREATE TABLE task ("                                              \
    " id INTEGER PRIMARY KEY,"                                         \
    " key BLOB NOT NULL,"                                              \
    " outcome TEXT,"                                                   \
    " run INTEGER NOT NULL REFERENCES run,"                            \
    " seq INTEGER NOT NULL,"                                           \
    " begun_ns INTEGER NOT NULL,"                                      \
    " ended_ns INTEGER,"                                               \
    " attempts INTEGER NOT NULL DEFAULT 0,"                            \
    " detail TEXT,"                                                    \
    " command TEXT NOT NULL);"                                         \
    "CREATE INDEX task_unfinished ON task(run) WHERE outcome IS NULL;" \
    "CREATE TABLE attempt ("                                           \
    " task INTEGER NOT NULL REFERENCES task,"                          \
    " run INTEGER NOT NULL REFERENCES run,"                            \
    " number INTEGER NOT NULL,"                                        \
    " slot INTEGER NOT NULL,"                                          \
    " pid INTEGER NOT NULL,"                                           \
    " outcome TEXT NOT NULL,"                                          \
    " status INTEGER,"                                                 \
    " signal INTEGER,"                                                 \
    " detail TEXT,"                                                    \
    " queued_ns INTEGER NOT NULL,"                                     \
    " started_ns INTEGER,"                                             \
    " executed_ns INTEGER,"                                            \
    " exited_ns INTEGER,"                                              \
    " ended_ns INTEGER NOT NULL,"                                      \
    " user_ns INTEGER NOT NULL,"                                       \
    " system_ns INTEGER NOT NULL,"                                     \
    " memory_bytes INTEGER NOT NULL,"                                  \
    " in_blocks INTEGER NOT NULL,"                                     \
    " out_blocks INTEGER NOT NULL,"                                    \
    " major_faults INTEGER NOT NULL,"                                  \
    " switches INTEGER NOT NULL,"                                      \
    " sent_bytes INTEGER NOT NULL,"                                    \
    " out_bytes INTEGER NOT NULL,"                                     \
    " err_bytes INTEGER NOT NULL,"                                     \
    " output TEXT NOT NULL,"                                           \
    " err_tail BLOB,"                                                  \
    " PRIMARY KEY (task, run, number)) WITHOUT ROWID;"                 \
    "CREATE TABLE output ("                                            \
    " task INTEGER NOT NULL REFERENCES task,"                          \
    " stream INTEGER NOT NULL,"                                        \
    " position INTEGER NOT NULL,"                                      \
    " data BLOB NOT NULL,"                                             \
    " PRIMARY KEY (task, stream, position)) WITHOUT ROWID;"

#endif
