/* SPDX-License-Identifier: MIT */
/* What a program has added while it ran, and its worker processes are to have as well: they come
 * from the program started anew (template_setup.h), which knows only what it adds before
 * rmd_start().
 *
 *     static int add_again(const rmd_value *value);          in the template: adds what this says
 *     static rmdi_carrier carrier = { "plug-in", add_again };
 *
 *     rmdi_carrier_add(&carrier);                             before rmd_start()
 *     ...
 *     err = rmdi_carry("plug-in", &path);                     it was added here
 *
 * What was carried when a processes pool is opened comes to all its workers, in the order in which
 * it was added, before anything is preloaded. What comes later does not. Any thread; nothing
 * blocks. */
#ifndef RMDI_EXEC_CARRIED_H
#define RMDI_EXEC_CARRIED_H

#include "data/bytes.h"

#include <remuda/value.h>

/* In the template, with one thread. value is borrowed for the call. It may carry, too: so it comes
 * to the workers of pools that workers open. An error ends the template, and its detail is told to
 * whoever opens the pool. */
typedef int rmdi_carried_fn(const rmd_value *value);

/* What that is, in words, for whoever opens the pool if the template dies of it. */
typedef void rmdi_carried_words_fn(const rmd_value *value, char *text, size_t size);

/* In static storage: it is borrowed for ever. */
typedef struct rmdi_carrier {
    const char *kind;
    rmdi_carried_fn *replay;
    rmdi_carried_words_fn *words; /* NULL: it has none */
    struct rmdi_carrier *next;    /* its own */
} rmdi_carrier;

/* Makes a kind known; before threads are started. The same again is fine. */
void rmdi_carrier_add(rmdi_carrier *carrier);

/* Carries a value, which is copied; the same kind and value again are carried once. RMD_EINVAL and
 * RMD_E2BIG as rmd_value_encode(), RMD_ENOMEM. */
int rmdi_carry(const char *kind, const rmd_value *value);

/* All that is carried, for a template: adds it to the buffer. RMD_ENOMEM. */
int rmdi_carried_write(rmdi_buffer *out);

/* In the template. What is about to be replayed, in words; NULL: nothing any more. */
typedef void rmdi_carried_note_fn(const char *what);

/* In the template; note may be NULL. RMD_EWORKER: a kind that this program does not know; or what a
 * replay returned. */
int rmdi_carried_replay(rmd_bytes written, rmdi_carried_note_fn *note);

/* Forgets all. For tests, while nobody carries. */
void rmdi_carried_forget(void);

#endif
