/* SPDX-License-Identifier: MIT */
/* Values as they are given on the command line, or in lines: as JSON, as text, as bytes. */
#ifndef RMDI_CLI_GIVEN_H
#define RMDI_CLI_GIVEN_H

#include <remuda/args.h>
#include <remuda/call.h>

/* The arguments of one call. Zeroed has none. */
typedef struct rmdi_given {
    rmd_args args;
    /* private */
    rmd_value *values;
    rmd_pair *named;
    const rmd_value **decoded; /* to be freed */
    size_t decoded_len, capacity;
} rmdi_given;

/* Room for so many arguments. RMD_ENOMEM. */
int rmdi_given_open(rmdi_given *given, size_t count);
void rmdi_given_free(rmdi_given *given);

/* Each adds one, as the next: a value; a word that is JSON, or, as text, stands for itself; a word
 * NAME=VALUE. Words are borrowed. The details name the word and the cure. */
void rmdi_given_add(rmdi_given *given, rmd_value value);
int rmdi_given_add_word(rmdi_given *given, const char *word, bool text);
int rmdi_given_add_named(rmdi_given *given, const char *word, bool text);

#endif
