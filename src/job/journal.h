/* SPDX-License-Identifier: MIT */
/* The journal of a run, for writing. Everything is recorded by one thread of its own, which takes
 * all records that have come meanwhile and commits them together: a sync of the disk serves as
 * many tasks as end during the one before it. The run goes on meanwhile, and is called back when
 * what it told is on disk. Reading is <remuda/journal.h>.
 *
 * After the first error nothing is written any more, and above all no sync is tried again: the
 * system may have dropped what it could not write, and the next sync would succeed without it.
 * What was committed before is safe.
 *
 * All calls on the loop's thread. */
#ifndef RMDI_JOB_JOURNAL_H
#define RMDI_JOB_JOURNAL_H

#include "job/key.h"

#include <remuda/census.h>
#include <remuda/future.h>
#include <remuda/loop.h>

typedef struct rmdi_journal rmdi_journal;

/* What earlier runs have made of a task. */
typedef struct rmdi_known_task {
    int64_t id;          /* 0: it is new */
    rmd_outcome outcome; /* RMD_PENDING: it was begun and has not ended */
    bool started;        /* one that has ended: an attempt was made */
    bool unshown;        /* it has ended, and its output was not shown */
} rmdi_known_task;

/* What survives when. */
typedef enum rmdi_journal_sync {
    RMDI_SYNC_FULL,   /* what was committed survives the loss of power */
    RMDI_SYNC_NORMAL, /* it survives the end of the process, not of the machine */
    RMDI_SYNC_OFF,    /* for a journal that is thrown away */
} rmdi_journal_sync;

typedef struct rmdi_journal_options {
    const char *path;
    bool resume;    /* it has to be there already; else it must not be there */
    bool read_only; /* only to look up what there is; nothing may be recorded */
    bool at_most_once;
    rmdi_journal_sync sync;
    const char *command; /* of the run, for people */
    unsigned slots;
    void (*committed)(void *ctx, uint64_t ticket); /* everything up to it is on disk */
    void (*failed)(void *ctx, int error);          /* with the thread's detail */
    void *ctx;
} rmdi_journal_options;

/* What the counters of the run say. They go into the journal with the next record. */
typedef struct rmdi_journal_counts {
    uint64_t total; /* UINT64_MAX: not known */
    uint64_t skipped;
    rmd_census census;
} rmdi_journal_counts;

/* One attempt, as it is recorded. */
typedef struct rmdi_journal_attempt {
    int64_t task;
    unsigned slot;
    int64_t queued_ns; /* monotonic, as in account */
    uint64_t sent_bytes;
    const char *output;      /* where its outputs go; static */
    const rmd_exit *account; /* borrowed for the call */
} rmdi_journal_attempt;

/* Opens or makes the file, locks it, and records the run. Errors with a detail that names the
 * file and the cure; one that is refused is left as it was: RMD_EBUSY (in use by another run),
 * RMD_ENOENT, RMD_EINVAL, RMD_ENOTSUP, RMD_EACCES, RMD_EIO, RMD_ENOSPC, RMD_ENOMEM. Blocks on the
 * disk. */
RMD_NODISCARD int rmdi_journal_open(rmdi_journal **journal, rmd_loop *loop,
                                    const rmdi_journal_options *options);

/* The next task of earlier runs with this key; each is given out once. */
rmdi_known_task rmdi_journal_find(rmdi_journal *journal, const rmdi_key *key);
/* How many tasks of earlier runs were not asked for. */
uint64_t rmdi_journal_unclaimed(const rmdi_journal *journal);
/* Is each start on disk before it happens? Once asked for, for all runs of the journal. */
bool rmdi_journal_is_at_most_once(const rmdi_journal *journal);
/* Where the latest of the earlier runs was started, when that was elsewhere; else NULL. */
const char *rmdi_journal_elsewhere(const rmdi_journal *journal);

/* Each adds to what is to be written and returns its ticket, from 1; 0: no memory, and the journal
 * has failed. */

/* A task is about to be submitted. id: as found, or 0 for a new one; *id becomes its id. */
uint64_t rmdi_journal_begin(rmdi_journal *journal, int64_t *id, const rmdi_key *key, uint64_t seq,
                            rmd_bytes command);
/* An attempt has ended and another will follow. */
uint64_t rmdi_journal_attempt_ended(rmdi_journal *journal, const rmdi_journal_attempt *attempt);
/* A task has ended. attempt: its last; NULL: nothing was started. detail is copied. keep: its
 * captured outputs go into the journal until they are shown; borrowed until the ticket is
 * committed or the journal has failed. */
uint64_t rmdi_journal_ended(rmdi_journal *journal, int64_t id, rmd_outcome outcome,
                            const char *detail, const rmdi_journal_attempt *attempt,
                            rmd_future *keep);
/* Its outputs were shown, and need not be kept any longer. */
uint64_t rmdi_journal_shown(rmdi_journal *journal, int64_t id);

/* To be called before the record that it goes with. */
void rmdi_journal_count(rmdi_journal *journal, const rmdi_journal_counts *counts);

/* Outputs of a task that a killed run had not shown: up to len bytes from the offset, 0 at the end,
 * RMD_EIO. */
int64_t rmdi_journal_output(rmdi_journal *journal, int64_t id, int stream, uint64_t offset,
                            void *buffer, size_t len);

/* For a run that cannot begin: if the journal was made by us, it is removed; else the run is
 * recorded as one that ended at once, with the thread's detail. */
void rmdi_journal_discard(rmdi_journal *journal);

/* Writes what is left and the end of the run, makes one plain file of it, and lets go of it. The
 * error, with a detail, when that failed or the journal had failed before. Blocks on the disk.
 * Nothing is called back any more. */
int rmdi_journal_close(rmdi_journal *journal, int status, const char *detail);

#endif
