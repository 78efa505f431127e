/* SPDX-License-Identifier: MIT */
/* What the files of a journal that is written share: journal.c (the run's side and the writer's
 * thread), journal_open.c (making, locking, loading), journal_write.c (records into tables). */
#ifndef RMDI_JOB_JOURNAL_PRIVATE_H
#define RMDI_JOB_JOURNAL_PRIVATE_H

#include "data/bytes.h"
#include "job/journal.h"
#include "job/journal_known.h"
#include "loop/loop.h"
#include "sync/condition.h"
#include "sync/thread.h"

#include <sqlite3.h>

enum { RMDI_JOURNAL_DETAIL = 512 };

typedef enum rmdi_record_kind {
    RMDI_RECORD_BEGIN,
    RMDI_RECORD_ATTEMPT,
    RMDI_RECORD_END,
    RMDI_RECORD_SHOWN,
} rmdi_record_kind;

/* Something to be written. */
typedef struct rmdi_record {
    rmdi_link link;
    rmdi_record_kind kind;
    uint64_t ticket;
    int64_t id; /* of the task */
    int64_t at_ns;

    bool again; /* BEGIN: a task of an earlier run */
    rmdi_key key;
    uint64_t seq;
    rmdi_buffer text; /* BEGIN: the command; else the last of stderr */

    rmd_outcome outcome; /* END */
    char *detail;
    rmd_future *keep;

    bool has_attempt; /* ATTEMPT, END */
    unsigned slot;
    int64_t queued_ns;
    uint64_t sent_bytes;
    const char *output;
    rmd_exit account; /* without what it borrows */
    char *account_detail;
} rmdi_record;

typedef enum rmdi_statement {
    RMDI_SQL_BEGIN,
    RMDI_SQL_COMMIT,
    RMDI_SQL_TASK,
    RMDI_SQL_TASK_AGAIN,
    RMDI_SQL_ATTEMPT,
    RMDI_SQL_TASK_ENDED,
    RMDI_SQL_OUTPUT,
    RMDI_SQL_SHOWN,
    RMDI_SQL_COUNTS,
    RMDI_SQL_RUN_ENDED,
    RMDI_STATEMENTS,
} rmdi_statement;

struct rmdi_journal {
    rmdi_journal_options options;
    char *path;
    int lock_fd; /* holds the lock; closed last, since that drops SQLite's own locks, too */
    rmd_loop *loop;
    bool made; /* by us, just now */
    int64_t run;
    int64_t last_id;     /* of the tasks */
    int64_t realtime_ns; /* to be added to monotonic times: the clock of people may jump, and the
                          * times of a run shall stay in order */
    rmdi_known known;
    char *elsewhere;
    sqlite3 *reader; /* of outputs that were not shown; the other one is the writer's */

    /* The writer's own while its thread runs. */
    sqlite3 *db;
    sqlite3_stmt *statements[RMDI_STATEMENTS];
    int log_pages; /* in the log, after the last commit */
    rmdi_thread thread;

    rmdi_lock lock;
    rmdi_condition changed; /* there is something to do for the writer */
    /* Guarded by the lock: */
    rmdi_link queue;
    rmdi_journal_counts counts;
    bool counts_changed, closing, writer_gone;
    uint64_t committed;
    int error;
    char detail[RMDI_JOURNAL_DETAIL];

    rmdi_post post; /* committed or failed */
    uint64_t tickets;
    rmdi_journal_counts told; /* goes with the next record */
    bool told_failure;
};

/* ---- journal_open.c ---- */

/* Makes or checks, locks and opens the file, records the run. On an error the caller closes. */
int rmdi_journal_prepare(rmdi_journal *journal);
/* Lets go of database and lock. whole: everything was written; make one file of it. */
void rmdi_journal_let_go(rmdi_journal *journal, bool whole);

/* ---- journal_write.c ---- */

/* The statement with its numbers bound, run to its end. SQLITE_OK or what went wrong. */
int rmdi_journal_run_sql(rmdi_journal *journal, rmdi_statement which, const int64_t *numbers,
                         int numbers_len);
/* Writes a batch and the counts in one transaction. SQLITE_OK or what went wrong. */
int rmdi_journal_write(rmdi_journal *journal, rmdi_link *batch, const rmdi_journal_counts *counts);
int rmdi_journal_write_end(rmdi_journal *journal, int status, const char *detail);
int rmdi_journal_prepare_statements(rmdi_journal *journal);
void rmdi_record_free(rmdi_record *record);

#endif
