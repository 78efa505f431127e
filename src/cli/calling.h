/* SPDX-License-Identifier: MIT */
/* What the verbs have in common that call functions: where those come from, the pool, limits. */
#ifndef RMDI_CLI_CALLING_H
#define RMDI_CLI_CALLING_H

#include "cli/words.h"
#include "data/bytes.h"

#include <remuda/function.h>
#include <remuda/pool.h>

/* The first member of what the options of such a verb are read into. */
typedef struct rmdi_calling {
    const char *verb;
    const char *pool; /* NULL: the verb's own choice */
    rmdi_words plugins;
    const char *service, *program, *worker; /* a function that is a program, or a worker's */
    rmd_limits limits;
    bool help;
} rmdi_calling;

/* Rows for the tables of options. */
#define RMDI_CALLING_SOURCES                                                    \
    { "load", 0, "FILE", rmdi_calling_set_load,                                 \
      .help = "take functions from a plug-in, as ./libdemo.so (repeatable)" },  \
        { "service", 0, "NAME", rmdi_calling_set_service,                       \
          .help = "the function NAME is what one of the next two says" },       \
        { "program", 0, "CMD", rmdi_calling_set_program,                        \
          .help = "a program for each call: bytes in, bytes out" },             \
    {                                                                           \
        "worker", 0, "CMD", rmdi_calling_set_worker,                            \
            .help = "one for each worker, which speaks the protocol of workers" \
    }
#define RMDI_CALLING_TASKS                                                                \
    { "pool", 0, "KIND:N", rmdi_calling_set_pool, .help = "processes:N, or threads:N" },  \
        { "timeout", 0, "TIME", rmdi_calling_set_timeout,                                 \
          .help = "end a task after TIME (10, 1.5m, 1h30m)" },                            \
    {                                                                                     \
        "retries", 0, "N", rmdi_calling_set_retries,                                      \
            .help = "start a task that fails, or kills its worker, N times (0: for ever)" \
    }
#define RMDI_CALLING_HELP                                                      \
    {                                                                          \
        "help", 'h', .help = "this text", .flag = offsetof(rmdi_calling, help) \
    }

int rmdi_calling_set_load(void *to, const char *value);
int rmdi_calling_set_service(void *to, const char *value);
int rmdi_calling_set_program(void *to, const char *value);
int rmdi_calling_set_worker(void *to, const char *value);
int rmdi_calling_set_pool(void *to, const char *value);
int rmdi_calling_set_timeout(void *to, const char *value);
int rmdi_calling_set_retries(void *to, const char *value);

/* Adds the functions that were asked for. The errors of rmd_plugin_load() and rmd_foreign_add();
 * RMD_EINVAL when what belongs together is not there together. */
int rmdi_calling_add_functions(const rmdi_calling *calling);

/* The function of this name; NULL: there is none, and the detail says how to find one. */
const rmd_function *rmdi_calling_find(const char *name);

/* Opens the pool that was asked for, or this one; for as long as that takes. */
int rmdi_calling_open(const rmdi_calling *calling, rmd_pool **pool, const char *otherwise);

/* Waits for the rest, and frees it. False: tasks that were told to stop still run; then there is no
 * other way out than _exit(). */
bool rmdi_calling_close(rmd_pool *pool);

/* Of the codes that are programs' to use only the number is known. */
bool rmdi_calling_is_own_code(int error);

/* Adds a text that comes from a function, and may quote what it was given: nothing in it commands a
 * terminal, or begins a line. RMD_ENOMEM. */
int rmdi_calling_add_shown(rmdi_buffer *to, const char *text);

/* Writes how a task failed to the buffer: "lost: the sentence [RMD_ELOST]". RMD_ENOMEM. */
int rmdi_calling_failure(rmdi_buffer *to, const rmd_failure *failure);

void rmdi_calling_free(rmdi_calling *calling);

#endif
