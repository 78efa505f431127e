/* SPDX-License-Identifier: MIT */
/* Reading a journal: see <remuda/journal.h>. Each walk is one statement, so that it sees one
 * moment; SQLite's log lets it do so while a run goes on writing. */
#include "base/alloc.h"
#include "base/error.h"
#include "job/journal_file.h"

#include <remuda/journal.h>
#include <sqlite3.h>
#include <string.h>

enum { BUSY_MS = 5000 }; /* somebody recovers the log after a crash; it takes no longer */

struct rmd_journal {
    sqlite3 *db;
    char *path;
    bool begun;
};

static int open_database(rmd_journal *journal)
{
    int result = sqlite3_open_v2(journal->path, &journal->db,
                                 SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_db_config(journal->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_busy_timeout(journal->db, BUSY_MS);
    if (result == SQLITE_OK)
        result = sqlite3_exec(journal->db, "SELECT id FROM run LIMIT 1", NULL, NULL, NULL);
    return result == SQLITE_OK ? 0 : rmdi_journal_fail(journal->db, journal->path, result);
}

int rmd_journal_open(rmd_journal **out, const char *path)
{
    if (!out || !path)
        return rmdi_fail(RMD_EINVAL, "rmd_journal_open: an argument is NULL");
    int err = rmdi_journal_check(path, false);
    if (err < 0)
        return err;
    rmd_journal *journal = rmdi_alloc_zeroed(sizeof *journal);
    if (!journal || !(journal->path = rmdi_journal_path(path))) {
        rmdi_free(journal);
        return rmdi_fail_memory();
    }
    err = open_database(journal);
    if (err < 0)
        rmd_journal_free(journal);
    else
        *out = journal;
    return err;
}

void rmd_journal_free(rmd_journal *journal)
{
    if (!journal)
        return;
    sqlite3_close(journal->db);
    rmdi_free(journal->path);
    rmdi_free(journal);
}

static int check_arguments(const rmd_journal *journal, bool fn, const char *function)
{
    return journal && fn ? 0 : rmdi_fail(RMD_EINVAL, "%s: an argument is NULL", function);
}

int rmd_journal_begin(rmd_journal *journal)
{
    int err = check_arguments(journal, true, "rmd_journal_begin");
    if (err < 0)
        return err;
    if (journal->begun)
        return rmdi_fail(RMD_EBUSY, "journal %s: begun twice", journal->path);
    int result = sqlite3_exec(journal->db, "BEGIN; SELECT id FROM run LIMIT 1", NULL, NULL, NULL);
    if (result != SQLITE_OK)
        return rmdi_journal_fail(journal->db, journal->path, result);
    journal->begun = true;
    return 0;
}

void rmd_journal_end(rmd_journal *journal)
{
    if (!journal || !journal->begun)
        return;
    sqlite3_exec(journal->db, "COMMIT", NULL, NULL, NULL);
    journal->begun = false;
}

/* ---- columns ---- */

static const char *text(sqlite3_stmt *row, int column)
{
    const char *value = (const char *)sqlite3_column_text(row, column);
    return value ? value : "";
}

static rmd_bytes bytes(sqlite3_stmt *row, int column)
{
    const void *data = sqlite3_column_blob(row, column); /* first: it may change the length */
    return (rmd_bytes){ .data = data ? data : "",
                        .len = (size_t)sqlite3_column_bytes(row, column) };
}

static uint64_t count(sqlite3_stmt *row, int column)
{
    return (uint64_t)sqlite3_column_int64(row, column);
}

static int number(sqlite3_stmt *row, int column, int if_null)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? if_null
                                                           : sqlite3_column_int(row, column);
}

/* ---- walking ---- */

typedef struct walk {
    rmd_journal *journal;
    int (*each)(struct walk *w, sqlite3_stmt *row);
    union { /* the one that `each` calls */
        rmd_journal_run_fn *run;
        rmd_journal_task_fn *task;
        rmd_journal_attempt_fn *attempt;
    } fn;
    void *ctx;
} walk;

static int step_through(walk *w, sqlite3_stmt *statement)
{
    int err = 0, result = SQLITE_DONE;
    while (err == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW)
        err = w->each(w, statement);
    if (err == 0 && result != SQLITE_DONE)
        err = rmdi_journal_fail(w->journal->db, w->journal->path, result);
    return err;
}

/* Runs the statement with ?1, ?2 ... bound to the numbers. */
static int run_statement(walk *w, const char *sql, const int64_t *numbers, int numbers_len)
{
    sqlite3_stmt *statement;
    int result = sqlite3_prepare_v2(w->journal->db, sql, -1, &statement, NULL);
    for (int i = 0; result == SQLITE_OK && i < numbers_len; i++)
        result = sqlite3_bind_int64(statement, i + 1, numbers[i]);
    int err = result == SQLITE_OK ? step_through(w, statement)
                                  : rmdi_journal_fail(w->journal->db, w->journal->path, result);
    sqlite3_finalize(statement);
    return err;
}

/* ---- runs ---- */

static rmd_census census_of(sqlite3_stmt *row, int column)
{
    rmd_census census = { .submitted = count(row, column),
                          .ok = count(row, column + 1),
                          .failed = count(row, column + 2),
                          .cancelled = count(row, column + 3),
                          .timeout = count(row, column + 4),
                          .lost = count(row, column + 5) };
    census.running = census.submitted - census.ok - census.failed - census.cancelled -
                     census.timeout - census.lost;
    return census;
}

static int on_run(walk *w, sqlite3_stmt *row)
{
    rmd_journal_run run = {
        .id = sqlite3_column_int64(row, 0),
        .version = text(row, 1),
        .host = text(row, 2),
        .boot = text(row, 3),
        .pid = sqlite3_column_int(row, 4),
        .dir = text(row, 5),
        .command = text(row, 6),
        .slots = (unsigned)sqlite3_column_int(row, 7),
        .cpus = (unsigned)sqlite3_column_int(row, 8),
        .memory_bytes = count(row, 9),
        .at_most_once = sqlite3_column_int(row, 10),
        .started_ns = sqlite3_column_int64(row, 11),
        .ended_ns = sqlite3_column_int64(row, 12),
        .status = number(row, 13, -1),
        .detail = text(row, 14),
        .total = sqlite3_column_type(row, 15) == SQLITE_NULL ? UINT64_MAX : count(row, 15),
        .skipped = count(row, 16),
        .census = census_of(row, 17),
    };
    return w->fn.run(w->ctx, &run);
}

int rmd_journal_runs(rmd_journal *journal, rmd_journal_run_fn *fn, void *ctx)
{
    int err = check_arguments(journal, fn, "rmd_journal_runs");
    if (err < 0)
        return err;
    walk w = { .journal = journal, .each = on_run, .fn.run = fn, .ctx = ctx };
    return run_statement(
        &w,
        "SELECT id, version, host, boot, pid, dir, command, slots, cpus, "
        "memory_bytes, at_most_once, started_ns, ended_ns, status, detail, total, "
        "skipped, begun, ok, failed, cancelled, timeout, lost FROM run ORDER BY id",
        NULL, 0);
}

/* ---- tasks ---- */

static int on_task(walk *w, sqlite3_stmt *row)
{
    rmd_journal_task task = {
        .id = sqlite3_column_int64(row, 0),
        .run = sqlite3_column_int64(row, 2),
        .seq = count(row, 3),
        .outcome = rmdi_journal_outcome(text(row, 4)),
        .detail = text(row, 5),
        .command = bytes(row, 6),
        .attempts = (unsigned)sqlite3_column_int(row, 7),
        .begun_ns = sqlite3_column_int64(row, 8),
        .ended_ns = sqlite3_column_int64(row, 9),
        .unshown = sqlite3_column_int(row, 10),
    };
    rmd_bytes key = bytes(row, 1);
    memcpy(task.key, key.data, key.len < sizeof task.key ? key.len : sizeof task.key);
    return w->fn.task(w->ctx, &task);
}

int rmd_journal_tasks(rmd_journal *journal, const rmd_journal_query *query, rmd_journal_task_fn *fn,
                      void *ctx)
{
    static const rmd_journal_query all = { .size = sizeof all };
    int err = check_arguments(journal, fn, "rmd_journal_tasks");
    if (err < 0)
        return err;
    query = query ? query : &all;
    if (query->size != sizeof *query)
        return rmdi_fail(RMD_EINVAL, "rmd_journal_query.size is not sizeof(rmd_journal_query)");
    walk w = { .journal = journal, .each = on_task, .fn.task = fn, .ctx = ctx };
    int64_t limit = query->limit && query->limit <= INT64_MAX ? (int64_t)query->limit : -1;
    /* Both bounds are plain comparisons, so that SQLite walks only between them. */
    int64_t low = query->after + 1 > query->id ? query->after + 1 : query->id;
    int64_t high = query->id ? query->id : INT64_MAX;
    const char *sql =
        query->pending
            ? "SELECT id, key, run, seq, outcome, detail, command, attempts, begun_ns, ended_ns, "
              "0 FROM task WHERE outcome IS NULL AND id BETWEEN ?1 AND ?6 AND "
              "(?2 = 0 OR run = ?2) AND (?3 = 0 OR seq = ?3) AND NOT ?4 ORDER BY id LIMIT ?5"
            : "SELECT id, key, run, seq, outcome, detail, command, attempts, begun_ns, ended_ns, "
              "EXISTS (SELECT 1 FROM output WHERE output.task = task.id) FROM task "
              "WHERE id BETWEEN ?1 AND ?6 AND (?2 = 0 OR run = ?2) AND "
              "(?3 = 0 OR seq = ?3) AND (NOT ?4 OR outcome <> 'ok') ORDER BY id LIMIT ?5";
    int64_t numbers[] = { low, query->run, (int64_t)query->seq, query->failed, limit, high };
    return run_statement(&w, sql, numbers, 6);
}

/* ---- attempts ---- */

static int on_attempt(walk *w, sqlite3_stmt *row)
{
    rmd_journal_attempt attempt = {
        .task = sqlite3_column_int64(row, 0),
        .run = sqlite3_column_int64(row, 1),
        .number = (unsigned)sqlite3_column_int(row, 2),
        .slot = (unsigned)sqlite3_column_int(row, 3),
        .pid = sqlite3_column_int(row, 4),
        .outcome = rmdi_journal_outcome(text(row, 5)),
        .status = number(row, 6, -1),
        .signal = number(row, 7, 0),
        .detail = text(row, 8),
        .queued_ns = sqlite3_column_int64(row, 9),
        .started_ns = sqlite3_column_int64(row, 10),
        .executed_ns = sqlite3_column_int64(row, 11),
        .exited_ns = sqlite3_column_int64(row, 12),
        .ended_ns = sqlite3_column_int64(row, 13),
        .user_ns = sqlite3_column_int64(row, 14),
        .system_ns = sqlite3_column_int64(row, 15),
        .memory_bytes = count(row, 16),
        .in_blocks = count(row, 17),
        .out_blocks = count(row, 18),
        .major_faults = count(row, 19),
        .switches = count(row, 20),
        .sent_bytes = count(row, 21),
        .out_bytes = count(row, 22),
        .err_bytes = count(row, 23),
        .output = text(row, 24),
        .err_tail = bytes(row, 25),
    };
    return w->fn.attempt(w->ctx, &attempt);
}

#define ATTEMPT_COLUMNS                                                                           \
    "task, run, number, slot, pid, outcome, status, signal, detail, queued_ns, started_ns, "      \
    "executed_ns, exited_ns, ended_ns, user_ns, system_ns, memory_bytes, in_blocks, out_blocks, " \
    "major_faults, switches, sent_bytes, out_bytes, err_bytes, output, err_tail"

int rmd_journal_attempts(rmd_journal *journal, int64_t task, rmd_journal_attempt_fn *fn, void *ctx)
{
    int err = check_arguments(journal, fn, "rmd_journal_attempts");
    if (err < 0)
        return err;
    walk w = { .journal = journal, .each = on_attempt, .fn.attempt = fn, .ctx = ctx };
    const char *sql = task ? "SELECT " ATTEMPT_COLUMNS " FROM attempt WHERE task = ?1"
                             " ORDER BY task, run, number"
                           : "SELECT " ATTEMPT_COLUMNS " FROM attempt ORDER BY task, run, number";
    return run_statement(&w, sql, &task, task != 0);
}
