/* SPDX-License-Identifier: MIT */
/* `remuda map`: a call for each line. Lines are read on a thread of their own, so that a reader
 * gets results while whoever writes the lines takes his time. */
#include "base/error.h"
#include "cli/interrupts.h"
#include "cli/map_bad.h"
#include "cli/map_lines.h"
#include "cli/map_options.h"
#include "cli/map_output.h"
#include "cli/results.h"
#include "cli/verb.h"
#include "job/json_value.h"
#include "job/progress.h"
#include "port/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <remuda/map.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Until the first result has come, so many tasks at most are under way, or four for each worker. */
enum { WINDOW_BYTES = 64 * 1024 * 1024, UNKNOWN_TASKS = 64, FAILURES_SHOWN_MAX = 100 };

typedef struct map {
    rmdi_cli_map cli;
    const char *function;
    rmd_pool *pool;
    rmdi_lines lines; /* the producer's */
    rmdi_bad_lines bad_lines;
    bool over; /* the producer's: --halt; the line that ends it is on its way */
    rmdi_map_output output;
    int results;      /* the descriptor that it writes to */
    rmdi_buffer text; /* of one result; the sink's */
    rmdi_interrupts interrupts;
    rmd_atomic(uint64_t) expected; /* bytes of a result, judged by those that have come */
    bool has_come;                 /* one; the sink's */
    rmd_atomic(uint64_t) bad;      /* lines of which no task was made */
    rmd_atomic(bool) halted;       /* by --halt */
    int64_t begun_ns;
} map;

/* ---- how large results are ---- */

/* Results that wait for an earlier one, or for who reads, are held: so many that they have about as
 * many bytes as arguments may have. Larger ones count at once, smaller ones little by little. */
static void note_size(map *m, uint64_t bytes)
{
    uint64_t expected = rmd_atomic_load(&m->expected, RMD_RELAXED);
    if (m->has_come && bytes < expected)
        bytes = expected - (expected - bytes + 7) / 8;
    m->has_come = true;
    if (bytes != expected)
        rmd_atomic_store(&m->expected, bytes, RMD_RELAXED);
}

static uint64_t size_of_unknown(const map *m)
{
    uint64_t tasks = 4 * (uint64_t)rmd_pool_size(m->pool);
    return WINDOW_BYTES / (tasks > UNKNOWN_TASKS ? tasks : UNKNOWN_TASKS);
}

/* ---- failures ---- */

/* One that was cancelled because of another, or of a signal, is in the account only. */
static bool is_told(map *m, const rmd_failure *failure)
{
    if (m->cli.quiet)
        return false;
    return failure->outcome != RMD_OUTCOME_CANCELLED ||
           (!rmd_atomic_load(&m->halted, RMD_RELAXED) && !rmd_stop_requested(m->interrupts.stop));
}

static void complain(uint64_t line, const rmd_failure *failure)
{
    rmdi_buffer text = { 0 };
    if (rmdi_calling_failure(&text, failure) == 0) {
        if (line)
            rmdi_complain("map", "line %" PRIu64 ": %s", line, text.data);
        else
            rmdi_complain("map", "a task that was added: %s", text.data);
    }
    rmdi_buffer_free(&text);
}

/* {"line":7,"outcome":"failed","error":"RMD_EIO","detail":"…"} */
static int write_failure(rmdi_buffer *to, uint64_t line, const rmd_failure *failure)
{
    bool own = rmdi_calling_is_own_code(failure->error);
    rmd_value place = line ? rmd_uint(line) : rmd_null();
    rmd_value name = own ? rmd_null() : rmd_text(rmd_error_name(failure->error));
    rmd_value object = RMD_MAP_OF(RMD_PAIR("line", place),
                                  RMD_PAIR("outcome", rmd_outcome_name(failure->outcome)),
                                  RMD_PAIR("error", name), RMD_PAIR("code", failure->error),
                                  RMD_PAIR("detail", failure->detail));
    int err = rmdi_json_encode(to, &object);
    return err < 0 ? err : rmdi_buffer_add_byte(to, '\n');
}

static int add_failure(map *m, uint64_t line, const rmd_failure *failure)
{
    rmdi_buffer text = { 0 };
    int err = write_failure(&text, line, failure);
    if (err == 0 && !rmdi_map_output_add(&m->output, text.data, text.len))
        err = rmdi_fail(RMD_EIO, "writing the output");
    rmdi_buffer_free(&text);
    return err;
}

/* Of a task, or of a line of which none could be made. */
static int on_failure(map *m, uint64_t line, const rmd_failure *failure)
{
    int err = 0;
    if (is_told(m, failure))
        complain(line, failure);
    if (m->cli.keyed)
        err = add_failure(m, line, failure);
    if (err == 0 && m->cli.halt) {
        rmd_atomic_store(&m->halted, true, RMD_RELAXED);
        err = rmdi_fail(failure->error, "%s", failure->detail);
    }
    return err;
}

/* ---- lines become tasks ---- */

static bool is_blank(rmd_bytes line)
{
    const char *text = line.data;
    for (size_t i = 0; i < line.len; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

static int call(map *m, rmd_map_task *task, const rmd_value *values, size_t count)
{
    rmd_map_ctx(task, (void *)(uintptr_t)m->lines.number);
    rmd_map_bytes(task, rmd_atomic_load(&m->expected, RMD_RELAXED));
    return rmd_map_call(task, m->function, (rmd_args){ .values = values, .count = count });
}

static int call_json(map *m, rmd_map_task *task, rmd_bytes line)
{
    const rmd_value *value;
    int err = rmdi_json_decode(&value, line, NULL);
    if (err < 0)
        return err;
    if (!m->cli.spread)
        err = call(m, task, value, 1);
    else if (value->type == RMD_TYPE_LIST)
        err = call(m, task, value->as.list.items, value->as.list.count);
    else
        err = rmdi_fail(RMD_EINVAL, "--spread takes a list, of the arguments, and not %s",
                        rmd_type_name(value->type));
    rmd_value_free(value);
    return err;
}

static int call_line(map *m, rmd_map_task *task, rmd_bytes line)
{
    if (!m->cli.text && !m->cli.raw)
        return call_json(m, task, line);
    rmd_value value = m->cli.text ? rmd_text_of(line.data, line.len) : rmd_bytes_value(line);
    return call(m, task, &value, 1);
}

/* Of making a task of a line: is it about the line, and not about the whole? */
static bool is_of_line(int err)
{
    return err == RMD_ESYNTAX || err == RMD_EINVAL || err == RMD_E2BIG;
}

static int tell_bad_line(void *ctx, uint64_t line, const rmd_failure *failure)
{
    map *m = ctx;
    rmd_atomic_add(&m->bad, 1, RMD_RELAXED);
    return on_failure(m, line, failure);
}

/* In its place; without an order, at once. */
static int on_bad_line(map *m, int err)
{
    if (!m->cli.as_completed) {
        err = rmdi_bad_lines_add(&m->bad_lines, m->lines.number, err);
        m->over = m->cli.halt;
        return err;
    }
    char detail[RMDI_ERROR_DETAIL_MAX];
    snprintf(detail, sizeof detail, "%s", rmd_error_detail());
    rmd_failure failure = { .outcome = RMD_OUTCOME_FAILED, .error = err, .detail = detail };
    return tell_bad_line(m, m->lines.number, &failure);
}

/* 1: the line is a task; 0: it is none, and the next one is to be read. An error of reading is one
 * of the whole, whatever its code: it would come again and again. */
static int take_line(map *m, rmd_map_task *task, int read, rmd_bytes line)
{
    if (read == RMD_E2BIG)
        return on_bad_line(m, read);
    if (read < 0)
        return read;
    if (!m->cli.text && !m->cli.raw && is_blank(line))
        return 0;
    int err = call_line(m, task, line);
    return is_of_line(err) ? on_bad_line(m, err) : err;
}

static int next(void *ctx, rmd_map_task *task)
{
    map *m = ctx;
    rmd_bytes line = { 0 };
    while (!m->over) {
        int err = rmdi_lines_next(&m->lines, &line);
        if (err == 0)
            return 0;
        err = take_line(m, task, err, line);
        if (err > 0)
            rmdi_bad_lines_made(&m->bad_lines);
        if (err != 0)
            return err;
    }
    return 0;
}

/* ---- results ---- */

static int write_value(const map *m, rmdi_buffer *to, uint64_t line, const rmd_value *value)
{
    int err = 0;
    if (m->cli.keyed && line)
        err = rmdi_buffer_add_format(to, "{\"line\":%" PRIu64 ",\"result\":", line);
    else if (m->cli.keyed)
        err = rmdi_buffer_add_text(to, "{\"line\":null,\"result\":");
    if (err < 0)
        return err;
    if (m->cli.raw && (value->type == RMD_TYPE_BYTES || value->type == RMD_TYPE_TEXT))
        err = rmdi_buffer_add(to, value->as.bytes.data, value->as.bytes.len);
    else
        err = rmdi_json_encode(to, value);
    return err < 0 ? err : rmdi_buffer_add_text(to, m->cli.keyed ? "}\n" : "\n");
}

static int give_value(map *m, rmd_future *future, uint64_t line)
{
    const rmd_value *value;
    rmdi_buffer_clear(&m->text);
    int err = rmd_future_value(future, &value);
    if (err == 0)
        err = write_value(m, &m->text, line, value);
    note_size(m, m->text.len);
    if (err == 0 && !rmdi_map_output_add(&m->output, m->text.data, m->text.len))
        err = rmdi_fail(RMD_EIO, "writing the output");
    return err;
}

static int sink(void *ctx, rmd_future *future, uint64_t index)
{
    map *m = ctx;
    rmd_failure failure;
    uint64_t line = (uintptr_t)rmd_future_ctx(future); /* 0: a task has added it */
    (void)index;
    int err = rmd_future_failure(future, &failure) == 0 ? on_failure(m, line, &failure)
                                                        : give_value(m, future, line);
    return err == 0 && line ? rmdi_bad_lines_given(&m->bad_lines) : err;
}

/* ---- the whole ---- */

static void print_account(const map *m, const rmd_census *census)
{
    rmdi_buffer text = { 0 };
    if (!m->cli.quiet && rmdi_progress_census(census, rmdi_clock_monotonic_ns() - m->begun_ns,
                                              rmd_pool_size(m->pool), &text) == 0)
        fputs(text.data, stderr);
    rmdi_buffer_free(&text);
}

/* In the order of what counts most: a signal, the output, errors of our own, failed tasks. */
static int status_of(map *m, int err, const char *detail, const rmd_census *census, int signal,
                     int output)
{
    if (signal)
        return 128 + signal;
    if (output == EPIPE)
        return 128 + SIGPIPE;
    if (output)
        return rmdi_complain("map", "writing the output: %s", strerror(output));
    if (err == RMD_ECANCELED && !m->cli.quiet) /* by a task, which has been told */
        rmdi_complain("map", "ended early by that");
    else if (err < 0 && err != RMD_ECANCELED && !rmd_atomic_load(&m->halted, RMD_RELAXED))
        return rmdi_complain("map", "%s [%s]", detail, rmd_error_name(err));
    uint64_t failed = census->failed + census->timeout + census->lost + census->dead;
    return failed > FAILURES_SHOWN_MAX ? FAILURES_SHOWN_MAX + 1 : (int)failed;
}

static int run(map *m)
{
    char detail[RMDI_ERROR_DETAIL_MAX];
    rmd_census census = { 0 };
    rmd_map_options options = { .size = sizeof options,
                                .next = next,
                                .sink = sink,
                                .ctx = m,
                                .window = m->cli.window,
                                .window_bytes = WINDOW_BYTES,
                                .as_completed = m->cli.as_completed,
                                .producer_thread = true,
                                .task.limits = m->cli.calling.limits,
                                .census = &census };
    int err = rmd_map(m->pool, &options, RMD_FOREVER);
    snprintf(detail, sizeof detail, "%s", rmd_error_detail());
    int output = rmdi_map_output_close(&m->output);
    int signal = rmdi_interrupts_end(&m->interrupts);
    uint64_t bad = rmd_atomic_load(&m->bad, RMD_RELAXED);
    census.submitted += bad;
    census.failed += bad;
    print_account(m, &census);
    return status_of(m, err, detail, &census, signal, output);
}

static int begin(map *m)
{
    m->begun_ns = rmdi_clock_monotonic_ns();
    rmd_atomic_store(&m->expected, size_of_unknown(m), RMD_RELAXED);
    m->bad_lines = (rmdi_bad_lines){ .tell = tell_bad_line, .ctx = m };
    int err = rmdi_map_output_open(&m->output, m->results);
    if (err == 0)
        err = rmdi_interrupts_begin(&m->interrupts, "map", m->pool);
    return err;
}

static int open_and_run(map *m)
{
    int err = rmdi_results_open(&m->results);
    if (err == 0)
        err = rmdi_calling_add_functions(&m->cli.calling);
    if (err == 0 && !rmdi_calling_find(m->function))
        err = RMD_ENOENT;
    if (err == 0)
        err = rmdi_calling_open(&m->cli.calling, &m->pool, "processes");
    if (err < 0)
        return rmdi_complain_error("map", err);
    if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
        rmdi_complain("map", "reading lines from the terminal; Ctrl-D ends them");
    err = begin(m);
    int status = err < 0 ? rmdi_complain_error("map", err) : run(m);
    if (!rmdi_calling_close(m->pool))
        _exit(status);
    rmdi_bad_lines_free(&m->bad_lines);
    rmdi_lines_free(&m->lines);
    rmdi_buffer_free(&m->text);
    return status;
}

int rmdi_verb_map(int argc, char **argv)
{
    map m = { .results = -1 };
    int status = 0;
    signal(SIGCHLD, SIG_DFL); /* the ends of workers are to be known */
    signal(SIGPIPE, SIG_IGN); /* told by the error of the write */
    int err = rmdi_cli_map_read(&m.cli, argc, argv);
    if (err < 0)
        status = rmdi_complain("map", "%s", rmd_error_detail());
    else if (m.cli.calling.help)
        rmdi_cli_map_help();
    else {
        m.function = m.cli.words.words[0];
        status = open_and_run(&m);
    }
    rmdi_results_close(m.results);
    rmdi_cli_map_free(&m.cli);
    return status;
}
