/* SPDX-License-Identifier: MIT */
#include "job/journal.h"

#include "base/alloc.h"
#include "base/error.h"
#include "job/journal_file.h"
#include "job/journal_private.h"
#include "port/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the writer's thread ---- */

/* The lock is held. */
static void give_up(rmdi_journal *journal, int error, const char *detail)
{
    if (journal->error)
        return;
    journal->error = error;
    snprintf(journal->detail, sizeof journal->detail, "%s", detail);
}

static void free_batch(rmdi_link *batch)
{
    while (!rmdi_list_empty(batch))
        rmdi_record_free(RMDI_CONTAINER(rmdi_list_take_first(batch), rmdi_record, link));
}

static uint64_t last_ticket(const rmdi_link *batch)
{
    return rmdi_list_empty(batch) ? 0 : RMDI_CONTAINER(batch->prev, rmdi_record, link)->ticket;
}

/* Takes all that has come. False: there is nothing, and nothing will come. */
static bool take_batch(rmdi_journal *journal, rmdi_link *batch, rmdi_journal_counts *counts)
{
    rmdi_lock_enter(&journal->lock);
    while (rmdi_list_empty(&journal->queue) && !journal->counts_changed && !journal->closing &&
           !journal->error &&
           rmdi_condition_wait(&journal->changed, &journal->lock, RMD_FOREVER) == 0)
        ;
    rmdi_list_init(batch);
    while (!rmdi_list_empty(&journal->queue))
        rmdi_list_append(batch, rmdi_list_take_first(&journal->queue));
    *counts = journal->counts;
    bool some = !rmdi_list_empty(batch) || journal->counts_changed;
    journal->counts_changed = false;
    bool writable = !journal->error;
    rmdi_lock_release(&journal->lock);
    if (!writable)
        free_batch(batch);
    return some && writable;
}

static void write_all(void *arg)
{
    rmdi_journal *journal = arg;
    rmdi_link batch;
    rmdi_journal_counts counts;
    while (take_batch(journal, &batch, &counts)) {
        int result = rmdi_journal_write(journal, &batch, &counts);
        if (result != SQLITE_OK)
            rmdi_journal_fail(journal->db, journal->path, result);
        rmdi_lock_enter(&journal->lock);
        if (result != SQLITE_OK)
            give_up(journal, rmdi_journal_code(result), rmd_error_detail());
        else if (last_ticket(&batch))
            journal->committed = last_ticket(&batch);
        rmdi_lock_release(&journal->lock);
        free_batch(&batch);
        rmdi_loop_send(journal->loop, &journal->post);
    }
    rmdi_lock_enter(&journal->lock);
    journal->writer_gone = true;
    rmdi_lock_release(&journal->lock);
    rmdi_loop_send(journal->loop, &journal->post);
}

static void on_post(void *ctx)
{
    rmdi_journal *journal = ctx;
    rmdi_lock_enter(&journal->lock);
    uint64_t committed = journal->committed;
    int error = journal->writer_gone ? journal->error : 0; /* before, it may look at outputs */
    rmdi_lock_release(&journal->lock);
    journal->options.committed(journal->options.ctx, committed);
    if (!error || journal->told_failure)
        return;
    journal->told_failure = true;
    rmdi_fail_copy(error, journal->detail); /* no longer changed, once it is set */
    journal->options.failed(journal->options.ctx, error);
}

/* ---- records ---- */

/* The ticket; 0 when nothing is written any more. Takes the record. */
static uint64_t submit(rmdi_journal *journal, rmdi_record *record)
{
    uint64_t ticket = record->ticket = ++journal->tickets;
    rmdi_lock_enter(&journal->lock);
    bool writable = !journal->error;
    if (writable) {
        rmdi_list_append(&journal->queue, &record->link);
        journal->counts = journal->told; /* so that account and tasks agree in each commit */
        rmdi_condition_notify_all(&journal->changed);
    }
    rmdi_lock_release(&journal->lock);
    if (writable)
        return ticket; /* the record may be written and freed by now */
    rmdi_record_free(record);
    return 0;
}

static rmdi_record *new_record(rmdi_journal *journal, rmdi_record_kind kind, int64_t id)
{
    rmdi_record *record = rmdi_alloc_zeroed(sizeof *record);
    if (!record)
        return NULL;
    record->kind = kind;
    record->id = id;
    record->at_ns = rmdi_clock_monotonic_ns() + journal->realtime_ns;
    return record;
}

/* A record that cannot be made is one that is missing: the journal is at its end. */
static uint64_t no_memory(rmdi_journal *journal, rmdi_record *record)
{
    if (record)
        rmdi_record_free(record);
    rmdi_fail_memory();
    rmdi_lock_enter(&journal->lock);
    give_up(journal, RMD_ENOMEM, rmd_error_detail());
    rmdi_condition_notify_all(&journal->changed); /* it goes, and that is told */
    rmdi_lock_release(&journal->lock);
    return 0;
}

/* False: no memory. */
static bool copy_attempt(rmdi_record *record, const rmdi_journal_attempt *attempt)
{
    const rmd_exit *account = attempt->account;
    record->has_attempt = true;
    record->slot = attempt->slot;
    record->queued_ns = attempt->queued_ns;
    record->sent_bytes = attempt->sent_bytes;
    record->output = attempt->output;
    record->account = *account;
    record->account.detail = NULL;
    record->account.err_tail = (rmd_bytes){ 0 };
    if (*account->detail && !(record->account_detail = rmdi_strdup(account->detail)))
        return false;
    return !account->err_tail.len ||
           rmdi_buffer_add(&record->text, account->err_tail.data, account->err_tail.len) == 0;
}

uint64_t rmdi_journal_begin(rmdi_journal *journal, int64_t *id, const rmdi_key *key, uint64_t seq,
                            rmd_bytes command)
{
    rmdi_record *record = new_record(journal, RMDI_RECORD_BEGIN, *id);
    if (!record || rmdi_buffer_add(&record->text, command.data, command.len) < 0)
        return no_memory(journal, record);
    record->again = *id != 0;
    if (!record->again)
        *id = record->id = ++journal->last_id;
    record->key = *key;
    record->seq = seq;
    return submit(journal, record);
}

uint64_t rmdi_journal_attempt_ended(rmdi_journal *journal, const rmdi_journal_attempt *attempt)
{
    rmdi_record *record = new_record(journal, RMDI_RECORD_ATTEMPT, attempt->task);
    if (!record || !copy_attempt(record, attempt))
        return no_memory(journal, record);
    return submit(journal, record);
}

uint64_t rmdi_journal_ended(rmdi_journal *journal, int64_t id, rmd_outcome outcome,
                            const char *detail, const rmdi_journal_attempt *attempt,
                            rmd_future *keep)
{
    rmdi_record *record = new_record(journal, RMDI_RECORD_END, id);
    if (!record || (attempt && !copy_attempt(record, attempt)) ||
        (*detail && !(record->detail = rmdi_strdup(detail))))
        return no_memory(journal, record);
    record->outcome = outcome;
    record->keep = keep;
    return submit(journal, record);
}

uint64_t rmdi_journal_shown(rmdi_journal *journal, int64_t id)
{
    rmdi_record *record = new_record(journal, RMDI_RECORD_SHOWN, id);
    return record ? submit(journal, record) : no_memory(journal, record);
}

void rmdi_journal_count(rmdi_journal *journal, const rmdi_journal_counts *counts)
{
    journal->told = *counts;
}

/* ---- what earlier runs have done ---- */

rmdi_known_task rmdi_journal_find(rmdi_journal *journal, const rmdi_key *key)
{
    return rmdi_known_take(&journal->known, key);
}

uint64_t rmdi_journal_unclaimed(const rmdi_journal *journal)
{
    return journal->known.left;
}

bool rmdi_journal_is_at_most_once(const rmdi_journal *journal)
{
    return journal->options.at_most_once;
}

const char *rmdi_journal_elsewhere(const rmdi_journal *journal)
{
    return journal->elsewhere;
}

/* A connection of our own: the other one is the writer's. */
static int open_reader(rmdi_journal *journal)
{
    if (journal->reader)
        return SQLITE_OK;
    return sqlite3_open_v2(journal->path, &journal->reader,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
}

static int fail_reading(rmdi_journal *journal, int result)
{
    return rmdi_journal_fail(journal->reader, journal->path, result);
}

int64_t rmdi_journal_output(rmdi_journal *journal, int64_t id, int stream, uint64_t offset,
                            void *buffer, size_t len)
{
    sqlite3_stmt *row;
    int result = open_reader(journal);
    if (result == SQLITE_OK)
        result = sqlite3_prepare_v2(journal->reader,
                                    "SELECT substr(data, ?3 - position + 1, ?4) FROM output "
                                    "WHERE task = ?1 AND stream = ?2 AND position <= ?3 "
                                    "ORDER BY position DESC LIMIT 1",
                                    -1, &row, NULL);
    if (result != SQLITE_OK)
        return fail_reading(journal, result);
    sqlite3_bind_int64(row, 1, id);
    sqlite3_bind_int64(row, 2, stream);
    sqlite3_bind_int64(row, 3, (int64_t)offset);
    sqlite3_bind_int64(row, 4, (int64_t)len);
    int64_t n = 0;
    result = sqlite3_step(row);
    if (result == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(row, 0);
        n = sqlite3_column_bytes(row, 0);
        if (n)
            memcpy(buffer, data, (size_t)n);
    } else if (result != SQLITE_DONE) {
        n = fail_reading(journal, result);
    }
    sqlite3_finalize(row);
    return n;
}

/* ---- opening and closing ---- */

static rmdi_journal *new_journal(rmd_loop *loop, const rmdi_journal_options *options)
{
    rmdi_journal *journal = rmdi_alloc_zeroed(sizeof *journal);
    if (!journal)
        return NULL;
    journal->options = *options;
    journal->path = rmdi_journal_path(options->path);
    journal->lock_fd = -1;
    journal->loop = loop;
    journal->realtime_ns = rmdi_clock_realtime_ns() - rmdi_clock_monotonic_ns();
    journal->counts.total = journal->told.total = UINT64_MAX;
    rmdi_list_init(&journal->queue);
    rmdi_post_init(&journal->post, on_post, journal);
    if (journal->path)
        return journal;
    rmdi_free(journal);
    return NULL;
}

static void free_journal(rmdi_journal *journal, bool whole)
{
    rmdi_journal_let_go(journal, whole);
    rmdi_known_free(&journal->known);
    rmdi_free(journal->elsewhere);
    rmdi_free(journal->path);
    rmdi_free(journal);
}

static void remove_made(rmdi_journal *journal)
{
    char *path = journal->path;
    journal->path = NULL;
    free_journal(journal, true); /* as one file: nothing shall lie beside it */
    unlink(path);
    rmdi_free(path);
}

int rmdi_journal_open(rmdi_journal **out, rmd_loop *loop, const rmdi_journal_options *options)
{
    rmdi_journal *journal = new_journal(loop, options);
    if (!journal)
        return rmdi_fail_memory();
    int err = rmdi_journal_prepare(journal);
    if (err == 0 && !options->read_only)
        err = rmdi_thread_start(&journal->thread, write_all, journal, "rmd-journal");
    if (err < 0 && journal->made)
        remove_made(journal);
    else if (err < 0)
        free_journal(journal, false);
    else
        *out = journal;
    return err;
}

static void stop_writer(rmdi_journal *journal)
{
    rmdi_lock_enter(&journal->lock);
    journal->closing = journal->counts_changed = true;
    journal->counts = journal->told;
    rmdi_condition_notify_all(&journal->changed);
    rmdi_lock_release(&journal->lock);
    if (rmdi_thread_join(&journal->thread, RMD_FOREVER) < 0)
        return;
    rmdi_loop_unsend(journal->loop, &journal->post);
    free_batch(&journal->queue);
}

void rmdi_journal_discard(rmdi_journal *journal)
{
    if (!journal)
        return;
    if (!journal->made) {
        (void)rmdi_journal_close(journal, 255, rmd_error_detail());
        return;
    }
    stop_writer(journal);
    remove_made(journal);
}

/* What was recorded in a file that is gone is not recorded. */
static void check_still_there(rmdi_journal *journal)
{
    struct stat ours, named;
    if (fstat(journal->lock_fd, &ours) == 0 && stat(journal->path, &named) == 0 &&
        ours.st_dev == named.st_dev && ours.st_ino == named.st_ino)
        return;
    rmdi_fail(RMD_ENOENT, "journal %s was removed or replaced while the run went on",
              journal->path);
    give_up(journal, RMD_ENOENT, rmd_error_detail());
}

int rmdi_journal_close(rmdi_journal *journal, int status, const char *detail)
{
    if (!journal)
        return 0;
    if (journal->options.read_only) {
        free_journal(journal, false);
        return 0;
    }
    stop_writer(journal);
    if (!journal->error)
        check_still_there(journal);
    int result = SQLITE_OK, err = journal->error;
    if (!err && (result = rmdi_journal_write_end(journal, status, detail)) != SQLITE_OK)
        err = rmdi_journal_fail(journal->db, journal->path, result);
    else if (err)
        rmdi_fail_copy(err, journal->detail);
    free_journal(journal, !err);
    return err;
}
