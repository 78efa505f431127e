/* SPDX-License-Identifier: MIT */
/* `remuda call`: one call of a function. */
#include "base/alloc.h"
#include "base/error.h"
#include "cli/calling.h"
#include "cli/given.h"
#include "cli/interrupts.h"
#include "cli/option_table.h"
#include "cli/results.h"
#include "cli/verb.h"
#include "data/bytes.h"
#include "job/json_value.h"

#include <errno.h>
#include <remuda/descriptor.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_MAX = 16 * 1024 * 1024, A_TASK_FAILED = 1 };

typedef struct call {
    rmdi_calling calling;
    bool raw, text;
    rmdi_words words; /* the function, and its arguments */
    rmdi_words named;
    rmdi_buffer input; /* what was read from stdin */
    int results;       /* the descriptor that the result is written to */
} call;

/* ---- options ---- */

static int add_word(void *to, const char *word)
{
    call *c = to;
    return rmdi_words_add(&c->words, word);
}

static int set_arg(void *to, const char *value)
{
    call *c = to;
    return rmdi_words_add(&c->named, value);
}

static const rmdi_option rows[] = {
    RMDI_CALLING_SOURCES,
    { "arg", 0, "NAME=JSON", set_arg, .help = "give an argument by its name (repeatable)" },
    { "text", 0, .help = "arguments are texts, as they are, not JSON",
      .flag = offsetof(call, text) },
    { "raw", 0, .help = "the argument is standard input, and the result is written as it is",
      .flag = offsetof(call, raw) },
    RMDI_CALLING_TASKS,
    RMDI_CALLING_HELP,
};

static const rmdi_option_table table = { .verb = "call",
                                         .rows = rows,
                                         .count = sizeof rows / sizeof *rows,
                                         .word = add_word };

static void help(void)
{
    printf("usage: remuda call [options] FUNCTION [JSON...]\n\n"
           "Calls a function once, on a pool of its own, and prints its result as JSON in a line.\n"
           "Arguments are JSON: 12, '\"text\"', '[1, 2.5, null]'. Options may stand anywhere.\n\n");
    rmdi_options_help(&table);
    printf(
        "\nExit status: 0; 1 if the task failed; 255 for errors of our own; 129, 130, 143 after\n"
        "HUP, INT, TERM; 141 when nobody reads the output.\n"
        "Examples:\n"
        "  remuda call --load ./libdemo.so is_prime 999983\n"
        "  remuda call --load ./libdemo.so digits 255 --arg base=16\n"
        "  remuda call --load ./libdemo.so upper --raw < letter.txt\n"
        "More: man remuda-call\n");
}

/* ---- arguments ---- */

static int read_input(rmdi_buffer *input)
{
    for (;;) {
        int err = rmdi_buffer_reserve(input, 65536);
        if (err < 0)
            return err;
        ssize_t n = read(STDIN_FILENO, input->data + input->len, 65536);
        if (n == 0)
            return 0;
        if (n < 0 && errno == EAGAIN)
            err = rmd_fd_wait(STDIN_FILENO, RMD_READABLE, RMD_FOREVER);
        else if (n < 0 && errno != EINTR)
            err = rmdi_fail_errno(errno, "standard input");
        if (err < 0)
            return err;
        rmdi_buffer_filled(input, n > 0 ? (size_t)n : 0);
        if (input->len > INPUT_MAX)
            return rmdi_fail(RMD_E2BIG, "standard input has more than 16 MiB");
    }
}

/* --raw without words: all of stdin. */
static int give_input(call *c, rmdi_given *given)
{
    int err = read_input(&c->input);
    rmd_bytes bytes = rmdi_buffer_view(&c->input);
    if (err < 0)
        return err;
    rmdi_given_add(given, c->text ? rmd_text_of(bytes.data, bytes.len) : rmd_bytes_value(bytes));
    return 0;
}

static int give(call *c, rmdi_given *given)
{
    bool text = c->text || c->raw;
    int err = rmdi_given_open(given, c->words.len + c->named.len + 1);
    for (size_t i = 1; i < c->words.len && err == 0; i++)
        err = rmdi_given_add_word(given, c->words.words[i], text);
    for (size_t i = 0; i < c->named.len && err == 0; i++)
        err = rmdi_given_add_named(given, c->named.words[i], text);
    if (err == 0 && c->raw && !given->args.count && !given->args.named_count)
        err = give_input(c, given);
    return err;
}

/* ---- the result ---- */

static int write_all(const call *c, const void *data, size_t len)
{
    int error = rmdi_results_write(c->results, data, len);
    if (error == EPIPE)
        return 128 + SIGPIPE;
    return error ? rmdi_complain("call", "writing the output: %s", strerror(error)) : 0;
}

static int print_value(const call *c, const rmd_value *value)
{
    rmdi_buffer line = { 0 };
    if (c->raw && (value->type == RMD_TYPE_BYTES || value->type == RMD_TYPE_TEXT))
        return write_all(c, value->as.bytes.data, value->as.bytes.len);
    int err = rmdi_json_encode(&line, value);
    if (err == 0 && !c->raw)
        err = rmdi_buffer_add_byte(&line, '\n');
    int status = err < 0 ? rmdi_complain_error("call", err) : write_all(c, line.data, line.len);
    rmdi_buffer_free(&line);
    return status;
}

static int tell_failure(const rmd_failure *failure)
{
    rmdi_buffer text = { 0 };
    if (rmdi_calling_failure(&text, failure) == 0)
        rmdi_complain("call", "%s", text.data);
    rmdi_buffer_free(&text);
    return A_TASK_FAILED;
}

static int tell(const call *c, const rmd_future *future)
{
    const rmd_value *value;
    rmd_failure failure;
    if (rmd_future_failure(future, &failure) == 0)
        return tell_failure(&failure);
    int err = rmd_future_value(future, &value);
    return err < 0 ? rmdi_complain_error("call", err) : print_value(c, value);
}

/* ---- the verb ---- */

/* Told to stop, it cancels, and waits for what becomes of that. */
static int wait_for_end(rmd_future *future)
{
    int err = rmd_future_wait(future, RMD_FOREVER);
    if (err != RMD_ECANCELED)
        return err;
    (void)rmd_future_cancel(future);
    rmd_stop *before = rmd_stop_set(NULL);
    err = rmd_future_wait(future, RMD_FOREVER);
    rmd_stop_set(before);
    return err;
}

static int submit_and_wait(const call *c, rmd_pool *pool, rmd_args args, rmd_future **future)
{
    rmd_task_options options = { .size = sizeof options, .limits = c->calling.limits };
    int err = rmd_pool_call(pool, future, c->words.words[0], args, &options);
    return err < 0 ? err : wait_for_end(*future);
}

static int call_on(const call *c, rmd_pool *pool, rmd_args args)
{
    rmdi_interrupts interrupts;
    rmd_future *future = NULL;
    int status, signal = 0, err = rmdi_interrupts_begin(&interrupts, "call", pool);
    if (err == 0) {
        err = submit_and_wait(c, pool, args, &future);
        signal = rmdi_interrupts_end(&interrupts);
    }
    if (signal && (err < 0 || rmd_future_error(future) < 0))
        status = 128 + signal;
    else
        status = err < 0 ? rmdi_complain_error("call", err) : tell(c, future);
    rmd_future_free(future);
    return status;
}

/* One worker does for one call; and a process, so that whatever the function does is told. */
static int open_and_call(const call *c, rmd_args args)
{
    rmd_pool *pool;
    int err = rmdi_calling_open(&c->calling, &pool, "processes:1");
    if (err < 0)
        return rmdi_complain_error("call", err);
    int status = call_on(c, pool, args);
    if (!rmdi_calling_close(pool))
        _exit(status);
    return status;
}

static int call_function(call *c)
{
    rmdi_given given = { 0 };
    int err = rmdi_results_open(&c->results);
    if (err == 0)
        err = rmdi_calling_add_functions(&c->calling);
    if (err == 0 && !rmdi_calling_find(c->words.words[0]))
        err = RMD_ENOENT;
    if (err == 0)
        err = give(c, &given);
    int status = err < 0 ? rmdi_complain_error("call", err) : open_and_call(c, given.args);
    rmdi_given_free(&given);
    return status;
}

int rmdi_verb_call(int argc, char **argv)
{
    call c = { .calling.verb = "call", .results = -1 };
    int status = 0;
    signal(SIGCHLD, SIG_DFL); /* the ends of workers are to be known */
    signal(SIGPIPE, SIG_IGN); /* told by the error of the write */
    int err = rmdi_options_read(&table, &c, argc, argv);
    if (err < 0)
        status = rmdi_complain("call", "%s", rmd_error_detail());
    else if (c.calling.help)
        help();
    else if (!c.words.len)
        status = rmdi_complain("call", "which function? remuda call FUNCTION [JSON...]; "
                                       "remuda functions lists them");
    else
        status = call_function(&c);
    rmdi_results_close(c.results);
    rmdi_buffer_free(&c.input);
    rmdi_free(c.words.words);
    rmdi_free(c.named.words);
    rmdi_calling_free(&c.calling);
    return status;
}
