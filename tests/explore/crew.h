/* SPDX-License-Identifier: MIT */
/* The threads of a harness. */
#ifndef CREW_H
#define CREW_H

#include "harness.h"

enum { CREW_MAX = 6 };

typedef struct crew {
    rmd_explore_thread *threads[CREW_MAX];
    int len;
} crew;

static inline void crew_add(crew *c, void (*fn)(void *arg), void *arg, const char *name)
{
    RMD_ASSERT(c->len < CREW_MAX);
    c->threads[c->len++] = rmd_explore_start(fn, arg, name);
}

static inline void crew_join(crew *c)
{
    for (int i = 0; i < c->len; i++)
        rmd_explore_join(c->threads[i]);
    c->len = 0;
}

#endif
