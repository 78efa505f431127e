/* SPDX-License-Identifier: MIT */
/* Journals in words: why a task ended as it did, and how a whole job went. Texts are made fit for
 * a terminal: nothing that a task has written can move its cursor. */
#ifndef RMDI_JOB_EXPLAIN_H
#define RMDI_JOB_EXPLAIN_H

#include "data/bytes.h"

#include <jansson.h>
#include <remuda/journal.h>

/* What is told of a run beside its tasks. */
typedef struct rmdi_explain_run {
    int64_t id;
    bool ended, alive; /* neither: it was killed */
    bool at_most_once;
} rmdi_explain_run;

/* Each adds to the text, with a newline at its end. RMD_ENOMEM. */

/* What became of the task. now_ns: of the clock, since 1970. */
int rmdi_explain_task(const rmd_journal_task *task, const rmdi_explain_run *run, int64_t now_ns,
                      rmdi_buffer *text);
/* How one of its attempts went. */
int rmdi_explain_attempt(const rmd_journal_attempt *attempt, rmdi_buffer *text);

/* The same facts as new objects; NULL: no memory. */
json_t *rmdi_explain_task_json(const rmd_journal_task *task);
json_t *rmdi_explain_attempt_json(const rmd_journal_attempt *attempt);

/* The whole journal. RMD_EIO and the like from reading, RMD_ENOMEM. */
int rmdi_explain_all(rmd_journal *journal, rmdi_buffer *text);

#endif
