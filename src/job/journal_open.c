/* SPDX-License-Identifier: MIT */
/* A journal comes to be: made as a whole or not at all, locked against other runs, recovered by
 * SQLite if the last run was killed, and read for what that had done. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/point.h"
#include "exec/guard.h"
#include "job/journal_file.h"
#include "job/journal_private.h"
#include "job/journal_schema.h"
#include "job/liveness.h"
#include "port/clock.h"
#include "port/cpu.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <remuda/journal.h>
#include <remuda/version.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A reader that recovers the log takes no longer; somebody who holds a transaction of his own open
 * may, and a week's work shall not end by that. */
enum {
    OPEN_BUSY_MS = 5000,
    WRITE_BUSY_MS = 60000,
    GUARD_MS = 5000,
    READER_MS = 200,
    PAUSE_MS = 10
};

/* Far behind the bytes that SQLite locks, which are at 1 GiB. */
#define LOCK_OFFSET (INT64_C(1) << 62)

/* ---- the lock ---- */

typedef struct last_run {
    pid_t pid;
    bool alive;
} last_run;

static int on_run(void *ctx, const rmd_journal_run *run)
{
    last_run *last = ctx;
    *last = (last_run){ .pid = run->pid, .alive = rmdi_run_is_alive(run) };
    return 0;
}

static last_run last_run_of(const char *path)
{
    last_run last = { 0 };
    rmd_journal *journal;
    if (rmd_journal_open(&journal, path) < 0)
        return last;
    if (rmd_journal_runs(journal, on_run, &last) < 0)
        last = (last_run){ 0 };
    rmd_journal_free(journal);
    return last;
}

/* A lock of the open file, not of the process: it does not go when somebody else in this process
 * closes the file, and the guard shares it, so that it lasts until all that we have started has
 * ended, however we end. */
static int try_lock(rmdi_journal *journal, bool *got)
{
    struct flock range = { .l_type = F_WRLCK, .l_start = LOCK_OFFSET, .l_len = 1 };
    *got = fcntl(journal->lock_fd, F_OFD_SETLK, &range) == 0;
    if (*got || errno == EAGAIN || errno == EACCES)
        return 0;
    return rmdi_fail_errno(errno, "locking journal %s", journal->path);
}

/* When the last run is dead its guard has the lock: for the milliseconds that it takes to end what
 * that run had started. Nothing tells us within a time limit when a lock is free. */
static int lock(rmdi_journal *journal)
{
    bool got;
    last_run last = { 0 };
    for (int left = GUARD_MS / PAUSE_MS;; left--) {
        int err = try_lock(journal, &got);
        if (err < 0 || got)
            return err;
        last = last_run_of(journal->path);
        if (last.alive || left == 0)
            break;
        poll(NULL, 0, PAUSE_MS);
    }
    if (last.alive)
        return rmdi_fail(RMD_EBUSY, "journal %s is in use by another run (pid %d)", journal->path,
                         last.pid);
    return rmdi_fail(
        RMD_EBUSY,
        "journal %s is in use: by a run that is just beginning, or by the tasks of its "
        "last run (pid %d), which are still being ended; try again",
        journal->path, last.pid);
}

/* Before our end is told, and whatever the guard still does. */
static void unlock(rmdi_journal *journal)
{
    struct flock range = { .l_type = F_UNLCK, .l_start = LOCK_OFFSET, .l_len = 1 };
    rmdi_guard_lend(-1);
    if (journal->lock_fd >= 0)
        fcntl(journal->lock_fd, F_OFD_SETLK, &range);
    rmdi_fd_close(&journal->lock_fd);
}

/* ---- making ---- */

/* Bytes 18 and 19 of the header: 2 is a database with a log from the start. To be made one later
 * would be a transaction of its own. */
static int write_image(int fd, sqlite3 *memory)
{
    sqlite3_int64 len;
    unsigned char *image = sqlite3_serialize(memory, "main", &len, 0);
    if (image)
        image[18] = image[19] = 2;
    int error = image ? rmdi_fd_write_at(fd, image, (size_t)len, 0) : ENOMEM;
    sqlite3_free(image);
    return error == 0 && fsync(fd) < 0 ? errno : error;
}

/* Writes a database with our tables and nothing in them. 0 or an errno value. */
static int write_empty(int fd)
{
    sqlite3 *memory = NULL;
    char text[160];
    snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             RMDI_JOURNAL_APPLICATION, RMDI_JOURNAL_VERSION);
    int result = sqlite3_open(":memory:", &memory);
    if (result == SQLITE_OK)
        result = sqlite3_exec(memory, text, NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_exec(memory, RMDI_JOURNAL_SCHEMA, NULL, NULL, NULL);
    int error = result == SQLITE_OK ? write_image(fd, memory) : ENOMEM;
    sqlite3_close(memory);
    return error;
}

/* So that the name survives a loss of power. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) /* some file systems cannot, and do not need to */
        fsync(fd);
    rmdi_fd_close(&fd);
}

static int fail_to_make(const rmdi_journal *journal, int error)
{
    if (error == EEXIST)
        return rmdi_fail(RMD_EINVAL,
                         "journal %s is there already; --resume goes on with it, and a new run "
                         "needs another file",
                         journal->path);
    return rmdi_fail_errno(error, "making journal %s", journal->path);
}

/* Filled and locked under another name first: under its own it is whole, and ours. */
static int make_as(rmdi_journal *journal, const char *name)
{
    journal->lock_fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (journal->lock_fd < 0)
        return fail_to_make(journal, errno);
    rmdi_point("journal-make");
    int error = write_empty(journal->lock_fd);
    int err = error ? fail_to_make(journal, error) : lock(journal);
    rmdi_point("journal-made");
    if (err == 0 && link(name, journal->path) < 0)
        err = fail_to_make(journal, errno);
    unlink(name);
    journal->made = err == 0;
    rmdi_point("journal-named");
    if (err == 0)
        sync_folder(journal->path);
    return err;
}

/* SQLite would take the log of a journal that is gone for that of the new one. */
static int check_no_log(const rmdi_journal *journal)
{
    char name[PATH_MAX];
    struct stat status;
    snprintf(name, sizeof name, "%s-wal", journal->path);
    if (lstat(name, &status) < 0)
        return 0;
    return rmdi_fail(RMD_EINVAL,
                     "%s is the log of a journal that is not there any more; remove it, or put the "
                     "journal back and go on with --resume",
                     name);
}

static int make(rmdi_journal *journal)
{
    char name[PATH_MAX];
    struct stat status;
    if (lstat(journal->path, &status) == 0)
        return fail_to_make(journal, EEXIST);
    int err = check_no_log(journal);
    if (err < 0)
        return err;
    int n = snprintf(name, sizeof name, "%s.new-%d", journal->path, getpid());
    if (n >= (int)sizeof name)
        return rmdi_fail_errno(ENAMETOOLONG, "making journal %.80s...", journal->path);
    return make_as(journal, name);
}

static int take(rmdi_journal *journal)
{
    int err = rmdi_journal_check(journal->path, !journal->options.read_only);
    if (err == RMD_ENOENT)
        return rmdi_fail(RMD_ENOENT,
                         "there is no journal %s to be resumed; without --resume it is made",
                         journal->path);
    if (err < 0)
        return err;
    if (journal->options.read_only)
        return 0;
    journal->lock_fd = open(journal->path, O_RDWR | O_CLOEXEC);
    if (journal->lock_fd < 0)
        return rmdi_fail_errno(errno, "journal %s", journal->path);
    err = lock(journal);
    rmdi_point("journal-locked");
    return err;
}

/* ---- SQLite ---- */

static int fail(rmdi_journal *journal, int result)
{
    return rmdi_journal_fail(journal->db, journal->path, result);
}

/* What is damaged is found here, before anything is written: quick_check looks at every page. */
static int check_whole(rmdi_journal *journal)
{
    sqlite3_stmt *statement;
    int result = sqlite3_prepare_v2(journal->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    const char *said = result == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : "";
    bool whole = said && strcmp(said, "ok") == 0;
    sqlite3_finalize(statement);
    if (whole)
        return 0;
    return fail(journal, result == SQLITE_ROW ? SQLITE_CORRUPT : result);
}

static int on_log(void *ctx, sqlite3 *db, const char *name, int pages)
{
    rmdi_journal *journal = ctx;
    (void)db;
    (void)name;
    journal->log_pages = pages;
    return SQLITE_OK;
}

static int open_database(rmdi_journal *journal)
{
    static const char *const pragmas[] = {
        [RMDI_SYNC_FULL] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
        [RMDI_SYNC_NORMAL] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
        [RMDI_SYNC_OFF] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF",
    };
    int mode = journal->options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int result = sqlite3_open_v2(journal->path, &journal->db, mode | SQLITE_OPEN_NOMUTEX, NULL);
    /* A journal that we give up must not be written to by being closed. */
    if (result == SQLITE_OK)
        result = sqlite3_db_config(journal->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_busy_timeout(journal->db, OPEN_BUSY_MS);
    int err = result == SQLITE_OK ? 0 : fail(journal, result);
    if (err == 0 && journal->options.resume)
        err = check_whole(journal);
    if (err == 0 && !journal->options.read_only) {
        /* In place of SQLite's own, which would not tell when it fails, and try again. */
        sqlite3_wal_hook(journal->db, on_log, journal);
        result = sqlite3_exec(journal->db, pragmas[journal->options.sync], NULL, NULL, NULL);
        if (result == SQLITE_OK)
            result = rmdi_journal_prepare_statements(journal);
        err = result == SQLITE_OK ? 0 : fail(journal, result);
    }
    return err;
}

/* ---- what earlier runs have done ---- */

static int ask_number(rmdi_journal *journal, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement;
    int result = sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return result == SQLITE_ROW ? 0 : fail(journal, result);
}

static int load_row(rmdi_journal *journal, sqlite3_stmt *row)
{
    rmdi_key key;
    int64_t id = sqlite3_column_int64(row, 0);
    const void *bytes = sqlite3_column_blob(row, 1);
    if (id < 1 || id > journal->last_id || sqlite3_column_bytes(row, 1) != RMDI_KEY_BYTES)
        return fail(journal, SQLITE_CORRUPT);
    memcpy(key.bytes, bytes, sizeof key.bytes);
    rmdi_known_add(&journal->known, (uint32_t)id, &key,
                   rmdi_journal_outcome((const char *)sqlite3_column_text(row, 2)),
                   sqlite3_column_int(row, 3) > 0);
    return 0;
}

static int load_unshown(rmdi_journal *journal)
{
    sqlite3_stmt *rows;
    int result = sqlite3_prepare_v2(journal->db, "SELECT DISTINCT task FROM output", -1, &rows,
                                    NULL);
    while (result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(rows, 0);
        if (id >= 1 && id <= journal->last_id)
            journal->known.tasks[id - 1].unshown = true;
        result = SQLITE_OK;
    }
    sqlite3_finalize(rows);
    return result == SQLITE_DONE ? 0 : fail(journal, result);
}

static int load_tasks(rmdi_journal *journal)
{
    sqlite3_stmt *rows;
    int err = ask_number(journal, "SELECT ifnull(max(id), 0) FROM task", &journal->last_id);
    if (err == 0)
        err = rmdi_known_init(&journal->known, (uint64_t)journal->last_id);
    if (err < 0)
        return err;
    int result = sqlite3_prepare_v2(journal->db,
                                    "SELECT id, key, outcome, attempts FROM task ORDER BY id DESC",
                                    -1, &rows, NULL);
    while (err == 0 && result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW) {
        err = load_row(journal, rows);
        result = SQLITE_OK;
    }
    if (err == 0 && result != SQLITE_DONE)
        err = fail(journal, result);
    sqlite3_finalize(rows);
    return err;
}

static int inherit_at_most_once(rmdi_journal *journal)
{
    int64_t last = 0;
    int err = ask_number(
        journal, "SELECT ifnull((SELECT at_most_once FROM run ORDER BY id DESC LIMIT 1), 0)",
        &last);
    journal->options.at_most_once |= last != 0;
    return err;
}

/* At most once can only be kept when every start was recorded before it happened. */
static int check_starts(rmdi_journal *journal)
{
    int64_t careless;
    int err = ask_number(journal, "SELECT count(*) FROM run WHERE NOT at_most_once", &careless);
    if (err < 0 || !careless)
        return err;
    return rmdi_fail(RMD_EINVAL,
                     "journal %s: --at-most-once was not given from the beginning, so that tasks "
                     "may have started unrecorded; resume without it",
                     journal->path);
}

static int note_elsewhere(rmdi_journal *journal, const char *here)
{
    sqlite3_stmt *statement;
    int result = sqlite3_prepare_v2(journal->db, "SELECT dir FROM run ORDER BY id DESC LIMIT 1", -1,
                                    &statement, NULL);
    if (result == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        const char *dir = (const char *)sqlite3_column_text(statement, 0);
        if (dir && strcmp(dir, here) != 0)
            journal->elsewhere = rmdi_strdup(dir);
    }
    sqlite3_finalize(statement);
    return result == SQLITE_OK ? 0 : fail(journal, result);
}

/* ---- this run ---- */

static int record_run(rmdi_journal *journal, const char *dir)
{
    char host[HOST_NAME_MAX + 1] = "", boot[64];
    sqlite3_stmt *statement;
    gethostname(host, sizeof host - 1);
    rmdi_boot_id(boot, sizeof boot);
    int result = sqlite3_prepare_v2(
        journal->db,
        "INSERT INTO run (version, host, boot, pid, dir, command, slots, cpus, memory_bytes, "
        "at_most_once, started_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        -1, &statement, NULL);
    if (result != SQLITE_OK)
        return fail(journal, result);
    const char *texts[] = { rmd_version(), host, boot, NULL, dir, journal->options.command };
    const int64_t numbers[] = {
        journal->options.slots,
        rmdi_cpu_usable(),
        sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE),
        journal->options.at_most_once,
        rmdi_clock_realtime_ns(),
    };
    sqlite3_bind_int64(statement, 4, getpid());
    for (int i = 0; i < 6; i++)
        if (texts[i])
            sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
    for (int i = 0; i < 5; i++)
        sqlite3_bind_int64(statement, i + 7, numbers[i]);
    sqlite3_step(statement);
    result = sqlite3_finalize(statement);
    journal->run = sqlite3_last_insert_rowid(journal->db);
    return result == SQLITE_OK ? 0 : fail(journal, result);
}

int rmdi_journal_prepare(rmdi_journal *journal)
{
    char dir[PATH_MAX];
    bool resume = journal->options.resume;
    if (!getcwd(dir, sizeof dir))
        snprintf(dir, sizeof dir, "?");
    int err = resume ? take(journal) : make(journal);
    if (err == 0)
        err = open_database(journal);
    if (err == 0 && resume)
        err = load_tasks(journal);
    if (err == 0 && resume)
        err = load_unshown(journal);
    if (err == 0 && resume)
        err = inherit_at_most_once(journal);
    if (err == 0 && resume && journal->options.at_most_once)
        err = check_starts(journal);
    if (err == 0 && resume)
        err = note_elsewhere(journal, dir);
    if (err == 0 && !journal->options.read_only)
        err = record_run(journal, dir);
    if (err == 0 && !journal->options.read_only) {
        sqlite3_busy_timeout(journal->db, WRITE_BUSY_MS);
        rmdi_guard_lend(journal->lock_fd);
    }
    rmdi_point("journal-opened");
    return err;
}

void rmdi_journal_let_go(rmdi_journal *journal, bool whole)
{
    for (int i = 0; i < RMDI_STATEMENTS; i++)
        sqlite3_finalize(journal->statements[i]);
    sqlite3_close(journal->reader);
    rmdi_point("journal-end");
    /* Not possible while somebody reads: then the log stays beside it, and is as good. Those who
     * follow a run read for moments only; nothing would wake us at their end. */
    for (int left = READER_MS / PAUSE_MS; whole && left > 0; left--) {
        int result = sqlite3_exec(journal->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
        if ((result & 0xff) != SQLITE_BUSY && (result & 0xff) != SQLITE_LOCKED)
            break;
        poll(NULL, 0, PAUSE_MS);
    }
    rmdi_point("journal-ended");
    sqlite3_close(journal->db);
    unlock(journal);
}
