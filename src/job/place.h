/* SPDX-License-Identifier: MIT */
/* Placeholders: how they are spelled and what they make of a value. Pure. */
#ifndef RMDI_JOB_PLACE_H
#define RMDI_JOB_PLACE_H

#include "data/bytes.h"

typedef enum rmdi_place_kind {
    RMDI_PLACE_VALUE,     /* {}   */
    RMDI_PLACE_STEM,      /* {.}  */
    RMDI_PLACE_BASE,      /* {/}  */
    RMDI_PLACE_DIRECTORY, /* {//} */
    RMDI_PLACE_BASE_STEM, /* {/.} */
    RMDI_PLACE_SEQ,       /* {#}  */
    RMDI_PLACE_SLOT,      /* {%}  */
} rmdi_place_kind;

typedef struct rmdi_place {
    rmdi_place_kind kind;
    bool all;         /* without a number: all values of the task, one after the other */
    int64_t position; /* else: from 1; from -1 backwards; 0 is none */
} rmdi_place;

/* Does a placeholder begin at text[offset]? Its length, and *place; 0 when not. replace is what
 * stands for {}; when that is itself in braces, {@} say, the third value is {3@}. Borrows. */
size_t rmdi_place_match(rmd_bytes text, size_t offset, const char *replace, rmdi_place *place);

/* Which of count values a position means: an index, or count when there is none. */
size_t rmdi_place_index(int64_t position, size_t count);

/* What the placeholder makes of a value: a view of a part of it, or of static text. Byte-wise:
 *   STEM       without the last dot and what follows it, if that holds no slash
 *   BASE       what follows the last slash
 *   DIRECTORY  what precedes it, as dirname(1), which is "." without a slash
 * SEQ and SLOT have no value to work on and give it back. */
rmd_bytes rmdi_place_apply(rmdi_place_kind kind, rmd_bytes value);

#endif
