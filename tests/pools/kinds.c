/* SPDX-License-Identifier: MIT */
/* The kinds of pools, one row each, and how they run a work. */
#include "suite.h"

#include <unistd.h>

const kind *the_kind;
const char *the_pool;

/* ---- kinds that call functions ---- */

static int begin_call(rmd_pool *pool, rmd_future **future, const char *work, rmd_args args,
                      const rmd_task_options *options)
{
    return rmd_pool_call(pool, future, work, args, options);
}

static void result_of_call(const rmd_future *future, char *text, size_t size)
{
    const rmd_value *value;
    if (!CHECK_EQ(rmd_future_value(future, &value), 0))
        return;
    if (value->type == RMD_TYPE_TEXT)
        snprintf(text, size, "%.*s", (int)value->as.bytes.len, (const char *)value->as.bytes.data);
    else
        rmd_value_format(value, text, size);
}

static void said_of_call(const rmd_future *future, char *text, size_t size)
{
    snprintf(text, size, "%s", failure_of(future).detail);
}

static int map_call(rmd_map_task *task, const char *work, rmd_args args)
{
    return rmd_map_call(task, work, args);
}

/* ---- kinds that run commands: this program, as the work ---- */

enum { ROOM_WORDS = 8, ROOM_WORD = 64 };
typedef struct room {
    char text[ROOM_WORDS][ROOM_WORD];
    const char *words[ROOM_WORDS + 4];
    rmd_command command;
} room;

static void write_word(char *word, const rmd_value *value)
{
    if (value->type == RMD_TYPE_TEXT)
        snprintf(word, ROOM_WORD, "%s", (const char *)value->as.bytes.data);
    else
        rmd_value_format(value, word, ROOM_WORD);
}

static void fill_room(room *space, const char *work, rmd_args args)
{
    size_t used = 0;
    *space = (room){ .command = { .size = sizeof(rmd_command), .argv = space->words } };
    space->words[used++] = "/proc/self/exe";
    space->words[used++] = "--work";
    space->words[used++] = work;
    for (size_t i = 0; i < args.count && i < ROOM_WORDS; i++) {
        write_word(space->text[i], &args.values[i]);
        space->words[used++] = space->text[i];
    }
}

static int begin_command(rmd_pool *pool, rmd_future **future, const char *work, rmd_args args,
                         const rmd_task_options *options)
{
    room space;
    fill_room(&space, work, args);
    space.command.name = options->name;
    space.command.limits = options->limits;
    space.command.group = options->group;
    space.command.full_ms = options->full_ms;
    space.command.ctx = options->ctx;
    return rmd_pool_exec(pool, future, &space.command);
}

static void result_of_command(const rmd_future *future, char *text, size_t size)
{
    int64_t length = rmd_future_read(future, RMD_STDOUT, 0, text, size - 1);
    CHECK_INT(length, >=, 0);
    text[length < 0 ? 0 : length] = 0;
}

static void said_of_command(const rmd_future *future, char *text, size_t size)
{
    const rmd_exit *account;
    if (CHECK_EQ(rmd_future_exit(future, &account), 0))
        snprintf(text, size, "%.*s", (int)account->err_tail.len,
                 (const char *)account->err_tail.data);
}

static int map_command(rmd_map_task *task, const char *work, rmd_args args)
{
    room space;
    fill_room(&space, work, args);
    return rmd_map_exec(task, &space.command);
}

/* ---- the table ---- */

static const kind kinds[] = {
    { .name = "threads",
      .has = CALLS | THREADS | HERE,
      .cancel_races = 10000,
      .begin = begin_call,
      .result = result_of_call,
      .said = said_of_call,
      .map = map_call },
    { .name = "processes",
      .has = CALLS,
      .cancel_races = 2000,
      .begin = begin_call,
      .result = result_of_call,
      .said = said_of_call,
      .map = map_call },
    { .name = "programs",
      .failed_with = RMD_EEXIT,
      .cancel_races = 300,
      .begin = begin_command,
      .result = result_of_command,
      .said = said_of_command,
      .map = map_command },
};

bool choose_kind(const char *pool)
{
    size_t len = strcspn(pool, ":?");
    the_pool = pool;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i].name) == len && memcmp(kinds[i].name, pool, len) == 0)
            the_kind = &kinds[i];
    return the_kind != NULL;
}

const char *kind_names(void)
{
    static char names[128];
    names[0] = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        strcat(names, i ? ", " : "");
        strcat(names, kinds[i].name);
    }
    return names;
}
