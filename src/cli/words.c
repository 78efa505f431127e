/* SPDX-License-Identifier: MIT */
#include "cli/words.h"

#include "base/alloc.h"
#include "base/error.h"

int rmdi_words_add(rmdi_words *list, const char *word)
{
    void *words = list->words;
    int err = rmdi_array_reserve(&words, &list->capacity, list->len + 1, sizeof *list->words);
    list->words = words;
    if (err < 0)
        return rmdi_fail_memory();
    list->words[list->len++] = word;
    list->words[list->len] = NULL;
    return 0;
}
