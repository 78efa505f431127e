/* SPDX-License-Identifier: MIT */
/* `remuda explain`: why the tasks of a journal ended as they did; what a flight record shows. */
#include "job/explain.h"
#include "base/alloc.h"
#include "base/error.h"
#include "cli/verb.h"
#include "job/flight.h"
#include "job/json.h"
#include "job/liveness.h"
#include "port/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <remuda/journal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts are collected so far and written between two looks at the journal: whoever reads them may
 * take his time, and a run's log would grow meanwhile. */
enum { CHUNK = 1024 * 1024, CHUNK_IS_FULL = 1, LAST_DEFAULT = 5, LAST_MAX = 1000000 };

typedef struct explanation {
    rmd_journal *journal;
    const char *path;
    bool failed, json, help;
    int64_t last; /* events of each thread; -1: not said */
    uint64_t *seqs;
    size_t seqs_len;
    rmdi_explain_run *runs;
    size_t runs_len, runs_capacity;
    int64_t now_ns;
    rmdi_buffer text;
    json_t *attempts; /* of the task at hand, with --json */
    int64_t last_id;
    uint64_t found, lowest, highest;
} explanation;

static const char usage[] =
    "usage: remuda explain [--json] JOURNAL [SEQ... | --failed]\n"
    "       remuda explain [--json] [--last N] RECORD\n\n"
    "Tells from a journal (remuda run --journal) how a job went; with SEQ, the number of an "
    "input,\n"
    "why that task ended as it did. From a flight record (remuda run --record, REMUDA_RECORD,\n"
    "rmd_recorder_on) it tells what the workers did, and at a crash which thread it was, and "
    "which task.\n\n"
    "  --failed    every task that failed, ran out of time, was cancelled or lost\n"
    "  --last N    so many of the last events of each thread (5)\n"
    "  --json      a JSON object for each task, in a line; one for a flight record\n"
    "  -h, --help  this text\n";

/* ---- arguments ---- */

static int add_seq(explanation *e, const char *word)
{
    char *end;
    errno = 0;
    uint64_t seq = strtoull(word, &end, 10);
    if (errno || *end || seq == 0 || word[0] == '-')
        return rmdi_fail(RMD_EINVAL, "\"%s\" is no number of an input, from 1", word);
    e->seqs[e->seqs_len++] = seq;
    return 0;
}

static int read_last(explanation *e, const char *word)
{
    char *end;
    errno = 0;
    e->last = word ? strtoll(word, &end, 10) : -1;
    if (!word || errno || *end || end == word || e->last < 0 || e->last > LAST_MAX)
        return rmdi_fail(RMD_EINVAL, "--last takes a number of events, up to %d", LAST_MAX);
    return 0;
}

static int read_word(explanation *e, const char *word)
{
    if (strcmp(word, "--failed") == 0)
        e->failed = true;
    else if (strcmp(word, "--json") == 0)
        e->json = true;
    else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        e->help = true;
    else if (strncmp(word, "--last=", 7) == 0)
        return read_last(e, word + 7);
    else if (word[0] == '-' && word[1])
        return rmdi_fail(RMD_EINVAL, "unknown option %s; remuda explain --help lists them", word);
    else if (!e->path)
        e->path = word;
    else
        return add_seq(e, word);
    return 0;
}

static int read_arguments(explanation *e, int argc, char **argv)
{
    int err = 0;
    e->seqs = rmdi_alloc((size_t)argc * sizeof *e->seqs);
    if (!e->seqs)
        return rmdi_fail_memory();
    e->last = -1;
    for (int i = 1; i < argc && err == 0; i++)
        err = strcmp(argv[i], "--last") == 0 ? read_last(e, argv[++i]) : read_word(e, argv[i]);
    if (err == 0 && !e->help && !e->path)
        err = rmdi_fail(RMD_EINVAL, "which journal or flight record? remuda explain FILE");
    if (err == 0 && e->failed && e->seqs_len)
        err = rmdi_fail(RMD_EINVAL, "--failed and numbers exclude one another");
    return err;
}

/* ---- runs ---- */

static int on_run(void *ctx, const rmd_journal_run *run)
{
    explanation *e = ctx;
    void *runs = e->runs;
    int err = rmdi_array_reserve(&runs, &e->runs_capacity, e->runs_len, sizeof *e->runs);
    e->runs = runs;
    if (err < 0)
        return err;
    e->runs[e->runs_len++] = (rmdi_explain_run){ .id = run->id,
                                                 .ended = run->ended_ns != 0,
                                                 .alive = rmdi_run_is_alive(run),
                                                 .at_most_once = run->at_most_once };
    return 0;
}

static const rmdi_explain_run *run_of(const explanation *e, int64_t id)
{
    static const rmdi_explain_run unknown = { .ended = true };
    for (size_t i = 0; i < e->runs_len; i++)
        if (e->runs[i].id == id)
            return &e->runs[i];
    return &unknown;
}

/* ---- tasks ---- */

static int on_attempt(void *ctx, const rmd_journal_attempt *attempt)
{
    explanation *e = ctx;
    if (!e->json)
        return rmdi_explain_attempt(attempt, &e->text);
    return json_array_append_new(e->attempts, rmdi_explain_attempt_json(attempt)) < 0
               ? rmdi_fail_memory()
               : 0;
}

static int add_json(explanation *e, const rmd_journal_task *task)
{
    json_t *object = rmdi_explain_task_json(task);
    e->attempts = json_array();
    int err = rmd_journal_attempts(e->journal, task->id, on_attempt, e);
    char *line = NULL;
    if (err == 0 && object && json_object_set(object, "all_attempts", e->attempts) == 0)
        line = json_dumps(object, RMDI_JSON_LINE);
    if (err == 0)
        err = line ? rmdi_buffer_add_format(&e->text, "%s\n", line) : rmdi_fail_memory();
    rmdi_json_free(line);
    json_decref(e->attempts);
    json_decref(object);
    return err;
}

static int add_words(explanation *e, const rmd_journal_task *task)
{
    int err = e->found > 1 ? rmdi_buffer_add_byte(&e->text, '\n') : 0;
    if (err == 0)
        err = rmdi_explain_task(task, run_of(e, task->run), e->now_ns, &e->text);
    return err < 0 ? err : rmd_journal_attempts(e->journal, task->id, on_attempt, e);
}

static int on_task(void *ctx, const rmd_journal_task *task)
{
    explanation *e = ctx;
    e->found++;
    e->last_id = task->id;
    int err = e->json ? add_json(e, task) : add_words(e, task);
    return err == 0 && e->text.len >= CHUNK ? CHUNK_IS_FULL : err;
}

static int write_text(explanation *e)
{
    if (!e->text.len)
        return 0;
    bool all = fwrite(e->text.data, 1, e->text.len, stdout) == e->text.len && fflush(stdout) == 0;
    rmdi_buffer_clear(&e->text);
    return all ? 0 : rmdi_fail_errno(errno, "writing the output");
}

static int tell_tasks(explanation *e, rmd_journal_query query)
{
    int err;
    e->last_id = 0;
    do {
        query.after = e->last_id;
        err = rmd_journal_tasks(e->journal, &query, on_task, e);
        if (err >= 0 && write_text(e) < 0)
            err = RMD_EIO;
    } while (err == CHUNK_IS_FULL);
    return err;
}

static int on_number(void *ctx, const rmd_journal_task *task)
{
    explanation *e = ctx;
    e->highest = task->seq > e->highest ? task->seq : e->highest;
    e->lowest = task->seq < e->lowest ? task->seq : e->lowest;
    return 0;
}

static int tell_seq(explanation *e, uint64_t seq)
{
    uint64_t before = e->found;
    int err = tell_tasks(e, (rmd_journal_query){ .size = sizeof(rmd_journal_query), .seq = seq });
    if (err < 0 || e->found > before)
        return err;
    e->lowest = UINT64_MAX;
    err = rmd_journal_tasks(e->journal, NULL, on_number, e);
    if (err < 0)
        return err;
    if (!e->highest)
        return rmdi_fail(RMD_ENOENT, "journal %s has no tasks yet", e->path);
    return rmdi_fail(RMD_ENOENT,
                     "journal %s has no task %" PRIu64 "; there are tasks from %" PRIu64
                     " to %" PRIu64,
                     e->path, seq, e->lowest, e->highest);
}

static int tell(explanation *e)
{
    rmd_journal_query query = { .size = sizeof query, .failed = e->failed };
    int err = 0;
    for (size_t i = 0; i < e->seqs_len && err == 0; i++)
        err = tell_seq(e, e->seqs[i]);
    if (err < 0 || e->seqs_len)
        return err;
    if (!e->failed && !e->json) {
        err = rmdi_explain_all(e->journal, &e->text);
        return err < 0 ? err : write_text(e);
    }
    err = tell_tasks(e, query);
    if (err == 0 && !e->found && !e->json)
        puts(e->failed ? "No task failed." : "No task was begun.");
    return err;
}

/* ---- flight records ---- */

static int add_flight(explanation *e, const rmdi_flight *flight)
{
    unsigned last = e->last < 0 ? LAST_DEFAULT : (unsigned)e->last;
    if (!e->json)
        return rmdi_flight_tell(flight, last, &e->text);
    json_t *object = rmdi_flight_json(flight, last);
    char *line = object ? json_dumps(object, RMDI_JSON_LINE) : NULL;
    int err = line ? rmdi_buffer_add_format(&e->text, "%s\n", line) : rmdi_fail_memory();
    rmdi_json_free(line);
    json_decref(object);
    return err;
}

static int explain_flight(explanation *e, rmdi_flight *flight)
{
    if (e->failed || e->seqs_len)
        return rmdi_fail(RMD_EINVAL, "%s is a flight record: it has no numbers of inputs", e->path);
    int err = rmdi_flight_sum(flight);
    if (err == 0)
        err = add_flight(e, flight);
    return err < 0 ? err : write_text(e);
}

/* ---- the verb ---- */

static int explain_journal(explanation *e)
{
    if (e->last >= 0)
        return rmdi_fail(RMD_EINVAL, "--last is for flight records, and %s is none", e->path);
    e->now_ns = rmdi_clock_realtime_ns();
    int err = rmd_journal_open(&e->journal, e->path);
    if (err == 0)
        err = rmd_journal_runs(e->journal, on_run, e);
    if (err == 0)
        err = tell(e);
    rmd_journal_free(e->journal);
    return err;
}

static int explain(explanation *e)
{
    rmdi_flight flight;
    int err = rmdi_flight_read(&flight, e->path);
    if (err == 1)
        err = explain_flight(e, &flight);
    else if (err == 0)
        err = explain_journal(e);
    rmdi_flight_free(&flight);
    return err;
}

int rmdi_verb_explain(int argc, char **argv)
{
    explanation e = { 0 };
    int err = read_arguments(&e, argc, argv);
    if (err == 0 && e.help)
        fputs(usage, stdout);
    else if (err == 0)
        err = explain(&e);
    int status = err < 0 ? rmdi_complain("explain", "%s", rmd_error_detail()) : 0;
    rmdi_buffer_free(&e.text);
    rmdi_free(e.seqs);
    rmdi_free(e.runs);
    return status;
}
