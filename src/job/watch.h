/* SPDX-License-Identifier: MIT */
/* What `remuda watch` knows of a run, and how it tells it. Reading the journal fills the state; the
 * rest makes text of it and asks nobody. All that others have written (commands, reasons, names)
 * is cleaned before it gets into a text. */
#ifndef RMDI_JOB_WATCH_H
#define RMDI_JOB_WATCH_H

#include "data/bytes.h"

#include <remuda/journal.h>

enum {
    RMDI_WATCH_RUNNING = 256, /* tasks that are kept for showing, the oldest */
    RMDI_WATCH_FAILURES = 10, /* the latest */
    RMDI_WATCH_COMMAND = 512,
    RMDI_WATCH_DETAIL = 256,
};

typedef struct rmdi_watch_task {
    int64_t id;
    uint64_t seq;
    rmd_outcome outcome;
    int64_t begun_ns, ended_ns;
    char detail[RMDI_WATCH_DETAIL];
    char command[RMDI_WATCH_COMMAND]; /* as it is in the journal, not cleaned */
    size_t command_len;
    bool command_cut;
} rmdi_watch_task;

/* What is known of the process of a run. Only the one who looks at processes can tell. */
typedef enum rmdi_watch_life {
    RMDI_WATCH_ALIVE,
    RMDI_WATCH_GONE,      /* without having recorded an end */
    RMDI_WATCH_ELSEWHERE, /* on another machine: nobody here can tell */
} rmdi_watch_life;

typedef struct rmdi_watch_state {
    char path[RMDI_WATCH_COMMAND]; /* of the journal, as it was given */
    rmdi_watch_life life;
    rmd_journal_run run; /* id 0: the journal has none; its texts are the ones below */
    char host[RMDI_WATCH_DETAIL], boot[64], command[RMDI_WATCH_COMMAND], detail[RMDI_WATCH_DETAIL];
    /* As many as are pending; the run's own count of them is told before a task begins, and so is
     * behind by that one until the next is told. */
    uint64_t pending;
    size_t running_len, failures_len;
    rmdi_watch_task running[RMDI_WATCH_RUNNING];   /* in the order of their ids */
    rmdi_watch_task failures[RMDI_WATCH_FAILURES]; /* the latest first */
} rmdi_watch_state;

/* ---- looking (watch_look.c) ---- */

typedef struct rmdi_watch {
    const char *path;
    rmdi_watch_state state;
    int64_t *pending, *were_pending; /* ids, now and at the look before, ascending */
    size_t pending_len, pending_capacity, were_len, were_capacity;
    int64_t seen; /* no task up to this id is news, but those that were pending */
} rmdi_watch;

/* The last run of the journal will be followed. path is borrowed. RMD_ENOMEM. */
RMD_NODISCARD int rmdi_watch_open(rmdi_watch **watch, const char *path);
void rmdi_watch_free(rmdi_watch *watch); /* NULL is fine */

/* Reads what has changed. The journal is open only meanwhile: a run that ends makes one file of it,
 * which it cannot while others have it open. Errors as rmd_journal_open() and the walks. */
RMD_NODISCARD int rmdi_watch_look(rmdi_watch *watch);

/* ---- telling ---- */

/* Has it come to an end, or is nothing to be known of it any more? */
bool rmdi_watch_is_over(const rmdi_watch_state *state);

/* Each adds to the text: 0 or RMD_ENOMEM. now_ns: nanoseconds since 1970. */

/* A page of lines, each ended by a newline, none wider than columns, and of no more lines than
 * that; 0: any number. */
int rmdi_watch_page(const rmdi_watch_state *state, int64_t now_ns, unsigned columns, unsigned lines,
                    rmdi_buffer *text);
/* The counts in one line, without a newline. */
int rmdi_watch_line(const rmdi_watch_state *state, int64_t now_ns, rmdi_buffer *text);
/* How it ended, in words and in one line, without a newline. */
int rmdi_watch_last_words(const rmdi_watch_state *state, rmdi_buffer *text);

#endif
