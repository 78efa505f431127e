/* SPDX-License-Identifier: MIT */
/* The inside of a template, shared by parsing, expanding and rendering. */
#ifndef RMDI_JOB_TEMPLATE_PRIVATE_H
#define RMDI_JOB_TEMPLATE_PRIVATE_H

#include "base/decimal.h"
#include "job/place.h"
#include "job/shell.h"
#include "job/template.h"

typedef enum rmdi_atom_kind {
    RMDI_ATOM_LITERAL,
    RMDI_ATOM_BREAK, /* the blanks between two arguments; in direct and quoted templates only */
    RMDI_ATOM_PLACE,
    RMDI_ATOM_GROUP, /* the next `members` atoms are repeated for each value */
} rmdi_atom_kind;

typedef struct rmdi_atom {
    rmdi_atom_kind kind;
    size_t offset, len; /* in the text */
    size_t members;

    /* PLACE */
    rmdi_place place;
    rmdi_shell_context context;
    bool glued; /* a value directly behind what precedes it could be read as a part of that */
    bool first; /* in the first word */
} rmdi_atom;

struct rmdi_template {
    rmdi_buffer text;
    char *replace, *shell;
    rmdi_atom *atoms;
    size_t atoms_len, atoms_capacity;
    bool script; /* values are scripts; there are no atoms */
    bool direct, quote;
    bool alike; /* direct, but see rmdi_shell_is_alike() */
};

/* One place of a script: what its variable holds. */
typedef struct rmdi_variable {
    rmdi_place_kind kind;
    size_t value;
} rmdi_variable;

/* What walking a template calls; each returns 0 or an error, which ends the walk. */
typedef struct rmdi_walker {
    const rmdi_template *t;
    const rmdi_task_input *input;
    void *ctx;
    int (*literal)(struct rmdi_walker *w, rmd_bytes text);
    int (*gap)(struct rmdi_walker *w, rmd_bytes text); /* between arguments or values */
    int (*value)(struct rmdi_walker *w, const rmdi_atom *atom, size_t value);
} rmdi_walker;

int rmdi_template_walk(rmdi_walker *w);

/* The number of a value that the task does not have; it is empty. */
#define RMDI_NO_VALUE SIZE_MAX

/* What a placeholder of this kind makes of value number `value`; digits is room for a number. */
rmd_bytes rmdi_template_value(const rmdi_task_input *input, rmdi_place_kind kind, size_t value,
                              char digits[RMDI_DECIMAL_MAX]);

/* Fills the expansion with the arguments themselves, for direct and for quoted templates. */
int rmdi_template_arguments(const rmdi_template *t, const rmdi_task_input *input,
                            rmdi_expansion *expansion);

/* Adds the values joined by a space. */
int rmdi_template_join(const rmdi_task_input *input, rmdi_buffer *out);

#endif
