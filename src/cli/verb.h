/* SPDX-License-Identifier: MIT */
/* The verbs of the command: one file and one row of the table in main.c for each. */
#ifndef RMDI_CLI_VERB_H
#define RMDI_CLI_VERB_H

/* Exit status of errors of our own: bad usage, no memory, no input file. */
enum { RMDI_EXIT_OWN_ERROR = 255 };

/* argv[0] is the verb. Returns the exit status. */
int rmdi_verb_run(int argc, char **argv);
int rmdi_verb_call(int argc, char **argv);
int rmdi_verb_map(int argc, char **argv);
int rmdi_verb_functions(int argc, char **argv);
int rmdi_verb_explain(int argc, char **argv);
int rmdi_verb_watch(int argc, char **argv);

/* Says on stderr what is wrong, as "remuda run: <text>", and returns 255. */
int rmdi_complain(const char *verb, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));

/* The same for a failed call of the library, with its code and detail. */
int rmdi_complain_error(const char *verb, int error);

#endif
