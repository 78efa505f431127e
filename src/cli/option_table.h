/* SPDX-License-Identifier: MIT */
/* The options of a verb: one table serves the reader and the help. Long options may be abbreviated,
 * and take their value behind '=' or as the next word. */
#ifndef RMDI_CLI_OPTION_TABLE_H
#define RMDI_CLI_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>

/* What an option, or a word, is read into is `to`, the verb's own. The readers answer 0, or an
 * error whose detail tells what is accepted. */
typedef int rmdi_option_fn(void *to, const char *value);

typedef struct rmdi_option {
    const char *names;    /* long ones, separated by '|'; the first is shown */
    char letter;          /* short one, 0: none */
    const char *value;    /* what it takes, for the help; NULL: nothing */
    rmdi_option_fn *read; /* NULL: it sets a flag */
    const char *help;     /* NULL: not shown */
    size_t flag;          /* the offset in `to` of the bool that is set */
} rmdi_option;

typedef struct rmdi_option_table {
    const char *verb;
    const rmdi_option *rows;
    size_t count;
    /* Gets each word that is no option, in order, and options may stand behind them; what looks
     * like a number below 0 is such a word. NULL: the options end at the first of them. */
    rmdi_option_fn *word;
} rmdi_option_table;

/* Reads argv, of which argv[0] is the verb, up to an option "help", if there is one. Returns the
 * index of the first word that was not read, or an error with a detail that names the option.
 * Borrows argv. */
int rmdi_options_read(const rmdi_option_table *table, void *to, int argc, char **argv);

/* Prints a line for each option that is shown. */
void rmdi_options_help(const rmdi_option_table *table);

#endif
