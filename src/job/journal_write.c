/* SPDX-License-Identifier: MIT */
/* Records into tables. Runs on the writer's thread, but for opening and closing. */
#include "base/alloc.h"
#include "base/point.h"
#include "job/journal_private.h"
#include "port/clock.h"

#include <remuda/command.h>

#include <string.h>
#include <sys/time.h>

enum {
    PIECE = 256 * 1024, /* of an output, in one row */
    LOG_PAGES = 1000,   /* as long may the log grow */
};

static const char *const sql[RMDI_STATEMENTS] = {
    [RMDI_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [RMDI_SQL_COMMIT] = "COMMIT",
    [RMDI_SQL_TASK] = "INSERT INTO task (id, run, seq, begun_ns, key, command) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [RMDI_SQL_TASK_AGAIN] = "UPDATE task SET run = ?2, seq = ?3, begun_ns = ?4, command = ?6, "
                            "outcome = NULL, ended_ns = NULL, detail = NULL, attempts = 0 "
                            "WHERE id = ?1 AND key = ?5",
    [RMDI_SQL_ATTEMPT] = "INSERT INTO attempt VALUES (?1, ?2, ?3, ?4, ?5, ?23, nullif(?6, -1), "
                         "nullif(?7, 0), ?24, ?8, nullif(?9, 0), nullif(?10, 0), nullif(?11, 0), "
                         "?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?25, ?26)",
    [RMDI_SQL_TASK_ENDED] = "UPDATE task SET ended_ns = ?2, attempts = ?3, outcome = ?4, "
                            "detail = ?5 WHERE id = ?1",
    [RMDI_SQL_OUTPUT] = "INSERT INTO output VALUES (?1, ?2, ?3, ?4)",
    [RMDI_SQL_SHOWN] = "DELETE FROM output WHERE task = ?1",
    [RMDI_SQL_COUNTS] = "UPDATE run SET total = nullif(?2, -1), skipped = ?3, begun = ?4, "
                        "ok = ?5, failed = ?6, cancelled = ?7, timeout = ?8, lost = ?9 "
                        "WHERE id = ?1",
    [RMDI_SQL_RUN_ENDED] = "UPDATE run SET ended_ns = ?2, status = ?3, detail = nullif(?4, '') "
                           "WHERE id = ?1",
};

int rmdi_journal_prepare_statements(rmdi_journal *journal)
{
    int result = SQLITE_OK;
    for (int i = 0; i < RMDI_STATEMENTS && result == SQLITE_OK; i++)
        result = sqlite3_prepare_v3(journal->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &journal->statements[i], NULL);
    return result;
}

static int finish(sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    sqlite3_reset(statement);
    return result == SQLITE_DONE || result == SQLITE_ROW ? SQLITE_OK : result;
}

static sqlite3_stmt *bound(rmdi_journal *journal, rmdi_statement which, const int64_t *numbers,
                           int numbers_len)
{
    sqlite3_stmt *statement = journal->statements[which];
    for (int i = 0; i < numbers_len; i++)
        sqlite3_bind_int64(statement, i + 1, numbers[i]);
    return statement;
}

int rmdi_journal_run_sql(rmdi_journal *journal, rmdi_statement which, const int64_t *numbers,
                         int numbers_len)
{
    return finish(bound(journal, which, numbers, numbers_len));
}

/* "" and NULL become NULL. Borrows until the next bind: statements are finished before that. */
static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    if (text && *text)
        sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, at);
}

/* ---- one record ---- */

static int write_begin(rmdi_journal *journal, const rmdi_record *record)
{
    const int64_t numbers[] = { record->id, journal->run, (int64_t)record->seq, record->at_ns };
    sqlite3_stmt *statement = bound(journal, record->again ? RMDI_SQL_TASK_AGAIN : RMDI_SQL_TASK,
                                    numbers, 4);
    sqlite3_bind_blob(statement, 5, record->key.bytes, RMDI_KEY_BYTES, SQLITE_STATIC);
    sqlite3_bind_text64(statement, 6, record->text.data ? record->text.data : "", record->text.len,
                        SQLITE_STATIC, SQLITE_UTF8);
    int result = finish(statement);
    if (result == SQLITE_OK && record->again) /* what it had written before is nobody's any more */
        result = rmdi_journal_run_sql(journal, RMDI_SQL_SHOWN, &record->id, 1);
    return result;
}

static int64_t realtime(const rmdi_journal *journal, int64_t monotonic_ns)
{
    return monotonic_ns ? monotonic_ns + journal->realtime_ns : 0;
}

static int64_t ns_of(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

static int write_attempt(rmdi_journal *journal, const rmdi_record *record)
{
    const rmd_exit *account = &record->account;
    const struct rusage *usage = &account->usage;
    const int64_t numbers[] = {
        record->id,
        journal->run,
        account->attempts,
        record->slot,
        account->pid,
        account->status,
        account->signal,
        realtime(journal, record->queued_ns),
        realtime(journal, account->started_ns),
        realtime(journal, account->executed_ns),
        realtime(journal, account->exited_ns),
        realtime(journal, account->ended_ns),
        ns_of(usage->ru_utime),
        ns_of(usage->ru_stime),
        (int64_t)usage->ru_maxrss * 1024,
        usage->ru_inblock,
        usage->ru_oublock,
        usage->ru_majflt,
        (int64_t)usage->ru_nvcsw + usage->ru_nivcsw,
        (int64_t)record->sent_bytes,
        (int64_t)account->out_bytes,
        (int64_t)account->err_bytes,
    };
    sqlite3_stmt *statement = bound(journal, RMDI_SQL_ATTEMPT, numbers, 22);
    bind_text(statement, 23, rmd_outcome_name(account->outcome));
    bind_text(statement, 24, record->account_detail);
    bind_text(statement, 25, record->output);
    if (record->text.len)
        sqlite3_bind_blob64(statement, 26, record->text.data, record->text.len, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, 26);
    return finish(statement);
}

static int write_output(rmdi_journal *journal, const rmdi_record *record, int stream, char *piece)
{
    int result = SQLITE_OK;
    for (int64_t at = 0, n; result == SQLITE_OK; at += n) {
        n = rmd_future_read(record->keep, stream, (uint64_t)at, piece, PIECE);
        if (n < 0) /* the task fails when it is to be shown; a part of it is nobody's output */
            return rmdi_journal_run_sql(journal, RMDI_SQL_SHOWN, &record->id, 1);
        if (n == 0)
            break;
        const int64_t numbers[] = { record->id, stream, at };
        sqlite3_stmt *statement = bound(journal, RMDI_SQL_OUTPUT, numbers, 3);
        sqlite3_bind_blob64(statement, 4, piece, (uint64_t)n, SQLITE_STATIC);
        result = finish(statement);
    }
    return result;
}

static int write_outputs(rmdi_journal *journal, const rmdi_record *record)
{
    char *piece = rmdi_alloc(PIECE);
    int result = piece ? SQLITE_OK : SQLITE_NOMEM;
    for (int stream = RMD_STDOUT; stream <= RMD_STDERR && result == SQLITE_OK; stream++)
        result = write_output(journal, record, stream, piece);
    rmdi_free(piece);
    return result;
}

static int write_end(rmdi_journal *journal, const rmdi_record *record)
{
    int result = record->has_attempt ? write_attempt(journal, record) : SQLITE_OK;
    const int64_t numbers[] = { record->id, record->at_ns,
                                record->has_attempt ? record->account.attempts : 0 };
    sqlite3_stmt *statement = bound(journal, RMDI_SQL_TASK_ENDED, numbers, 3);
    bind_text(statement, 4, rmd_outcome_name(record->outcome));
    bind_text(statement, 5, record->detail);
    if (result == SQLITE_OK)
        result = finish(statement);
    return result == SQLITE_OK && record->keep ? write_outputs(journal, record) : result;
}

static int write_record(rmdi_journal *journal, const rmdi_record *record)
{
    switch (record->kind) {
    case RMDI_RECORD_BEGIN: return write_begin(journal, record);
    case RMDI_RECORD_ATTEMPT: return write_attempt(journal, record);
    case RMDI_RECORD_END: return write_end(journal, record);
    case RMDI_RECORD_SHOWN: return rmdi_journal_run_sql(journal, RMDI_SQL_SHOWN, &record->id, 1);
    }
    return SQLITE_INTERNAL;
}

/* ---- a batch ---- */

static int write_counts(rmdi_journal *journal, const rmdi_journal_counts *counts)
{
    const rmd_census *census = &counts->census;
    const int64_t numbers[] = { journal->run,
                                counts->total == UINT64_MAX ? -1 : (int64_t)counts->total,
                                (int64_t)counts->skipped,
                                (int64_t)census->submitted,
                                (int64_t)census->ok,
                                (int64_t)census->failed,
                                (int64_t)census->cancelled,
                                (int64_t)census->timeout,
                                (int64_t)census->lost };
    return rmdi_journal_run_sql(journal, RMDI_SQL_COUNTS, numbers, 9);
}

/* From the log into the file. What a reader still needs stays for the next time; that is no
 * error, but a sync that fails is one: the next one would not tell of what that has lost. */
static int checkpoint(rmdi_journal *journal)
{
    rmdi_point("journal-checkpoint");
    int result = sqlite3_wal_checkpoint_v2(journal->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                           NULL);
    rmdi_point("journal-checkpointed");
    journal->log_pages = 0; /* until the next commit */
    return result == SQLITE_BUSY || result == SQLITE_LOCKED ? SQLITE_OK : result;
}

int rmdi_journal_write(rmdi_journal *journal, rmdi_link *batch, const rmdi_journal_counts *counts)
{
    int result = rmdi_journal_run_sql(journal, RMDI_SQL_BEGIN, NULL, 0);
    for (rmdi_link *l = batch->next; l != batch && result == SQLITE_OK; l = l->next)
        result = write_record(journal, RMDI_CONTAINER(l, rmdi_record, link));
    if (result == SQLITE_OK)
        result = write_counts(journal, counts);
    rmdi_point("journal-commit");
    if (result == SQLITE_OK)
        result = rmdi_journal_run_sql(journal, RMDI_SQL_COMMIT, NULL, 0);
    rmdi_point("journal-committed");
    return result == SQLITE_OK && journal->log_pages >= LOG_PAGES ? checkpoint(journal) : result;
}

int rmdi_journal_write_end(rmdi_journal *journal, int status, const char *detail)
{
    const int64_t numbers[] = { journal->run, realtime(journal, rmdi_clock_monotonic_ns()),
                                status };
    sqlite3_stmt *statement = bound(journal, RMDI_SQL_RUN_ENDED, numbers, 3);
    sqlite3_bind_text(statement, 4, detail ? detail : "", -1, SQLITE_STATIC);
    return finish(statement);
}

void rmdi_record_free(rmdi_record *record)
{
    rmdi_buffer_free(&record->text);
    rmdi_free(record->detail);
    rmdi_free(record->account_detail);
    rmdi_free(record);
}
