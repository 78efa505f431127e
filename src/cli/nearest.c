/* SPDX-License-Identifier: MIT */
#include "cli/nearest.h"

#include <remuda/function.h>
#include <string.h>

enum { NAME_MAX_LEN = 128 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many letters are to be added, left out or exchanged to make one of the other: Wagner and
 * Fischer 1974, one row of the table at a time. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[NAME_MAX_LEN + 1];
    size_t len = strlen(b);
    for (unsigned j = 0; j <= len; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            unsigned above = row[j];
            row[j] = least(diagonal + (a[i - 1] != b[j - 1]), 1 + least(above, row[j - 1]));
            diagonal = above;
        }
    }
    return row[len];
}

typedef struct search {
    const char *name, *best;
    unsigned least;
} search;

static int look(const rmd_function *function, void *ctx)
{
    search *s = ctx;
    unsigned d = distance(s->name, function->name);
    if (d < s->least) {
        s->least = d;
        s->best = function->name;
    }
    return 0;
}

const char *rmdi_nearest_function(const char *name)
{
    size_t len = strlen(name);
    search s = { .name = name, .least = 1 + (unsigned)(len < 3 ? 1 : len / 3) };
    if (len <= NAME_MAX_LEN)
        (void)rmd_functions_walk(look, &s);
    return s.best;
}
