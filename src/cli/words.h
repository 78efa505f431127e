/* SPDX-License-Identifier: MIT */
/* Lists of words of the command line, which are borrowed. */
#ifndef RMDI_CLI_WORDS_H
#define RMDI_CLI_WORDS_H

#include <stddef.h>

/* Zeroed is empty; NULL-terminated once it has a member. Its array is given back by rmdi_free(). */
typedef struct rmdi_words {
    const char **words;
    size_t len, capacity;
} rmdi_words;

/* 0, or RMD_ENOMEM. */
int rmdi_words_add(rmdi_words *list, const char *word);

#endif
