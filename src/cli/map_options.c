/* SPDX-License-Identifier: MIT */
#include "cli/map_options.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/option_table.h"
#include "job/size.h"

#include <stdio.h>

enum { WINDOW_MAX = 1 << 20 };

static int add_word(void *to, const char *word)
{
    rmdi_cli_map *cli = to;
    return rmdi_words_add(&cli->words, word);
}

static int set_window(void *to, const char *value)
{
    rmdi_cli_map *cli = to;
    uint64_t n;
    int err = rmdi_count_parse(value, 1, WINDOW_MAX, &n);
    if (err == 0)
        cli->window = (unsigned)n;
    return err;
}

static const rmdi_option rows[] = {
    RMDI_CALLING_SOURCES,
    { "text", 0, .help = "lines are texts, as they are, not JSON",
      .flag = offsetof(rmdi_cli_map, text) },
    { "raw", 0, .help = "lines are bytes; results that are bytes or texts are written as such",
      .flag = offsetof(rmdi_cli_map, raw) },
    { "spread", 0, .help = "a line is a list: the arguments of the task",
      .flag = offsetof(rmdi_cli_map, spread) },
    { "as-completed", 0, .help = "print results as tasks end, not in the order of the lines",
      .flag = offsetof(rmdi_cli_map, as_completed) },
    { "keyed", 0, .help = "print objects with the number of the line, for failures, too",
      .flag = offsetof(rmdi_cli_map, keyed) },
    { "halt", 0, .help = "end at the first failure, and cancel the rest",
      .flag = offsetof(rmdi_cli_map, halt) },
    { "window", 0, "N", set_window, .help = "N tasks are under way at most (256 for each worker)" },
    { "quiet", 0, .help = "say nothing about failed tasks, print no account",
      .flag = offsetof(rmdi_cli_map, quiet) },
    RMDI_CALLING_TASKS,
    RMDI_CALLING_HELP,
};

static const rmdi_option_table table = { .verb = "map",
                                         .rows = rows,
                                         .count = sizeof rows / sizeof *rows,
                                         .word = add_word };

static int check(const rmdi_cli_map *cli)
{
    if (!cli->words.len)
        return rmdi_fail(RMD_EINVAL, "which function? remuda map FUNCTION < LINES; remuda "
                                     "functions lists them");
    if (cli->words.len > 1)
        return rmdi_fail(RMD_EINVAL,
                         "\"%s\": one function, and its arguments are the lines of standard input",
                         cli->words.words[1]);
    if (cli->text + cli->raw + cli->spread > 1)
        return rmdi_fail(RMD_EINVAL, "--text, --raw and --spread exclude one another");
    if (cli->raw && cli->keyed)
        return rmdi_fail(RMD_EINVAL, "--raw and --keyed exclude one another");
    return 0;
}

int rmdi_cli_map_read(rmdi_cli_map *cli, int argc, char **argv)
{
    *cli = (rmdi_cli_map){ .calling.verb = "map" };
    int rest = rmdi_options_read(&table, cli, argc, argv);
    return rest < 0 ? rest : cli->calling.help ? 0 : check(cli);
}

void rmdi_cli_map_free(rmdi_cli_map *cli)
{
    rmdi_free(cli->words.words);
    rmdi_calling_free(&cli->calling);
}

void rmdi_cli_map_help(void)
{
    printf(
        "usage: remuda map [options] FUNCTION < LINES\n\n"
        "Calls a function for each line of standard input, on a pool of workers, and prints the\n"
        "results, as JSON, each in a line, in the order of the lines. A line is JSON: the one\n"
        "argument. Lines of nothing but blanks are left out.\n\n");
    rmdi_options_help(&table);
    printf("\nExit status: 0; the number of failed tasks, 101 if more than 100; 255 for errors of\n"
           "our own; 129, 130, 143 after HUP, INT, TERM; 141 when nobody reads the output.\n"
           "Examples:\n"
           "  seq 1000 | remuda map --load ./libdemo.so is_prime\n"
           "  remuda map --load ./libdemo.so --text upper < letter.txt\n"
           "  echo '[255, 16]' | remuda map --load ./libdemo.so --spread digits\n"
           "More: man remuda-map\n");
}
