/* SPDX-License-Identifier: MIT */
/* Where the values of the tasks come from.
 *
 * Sources are lists of words (:::) and files (::::, -a), in the order given. Several sources make
 * all combinations, the last one fastest; a linked source (:::+, ::::+) goes in step with the one
 * before it and ends with the shorter. An empty source beside others counts as one empty value.
 *
 * The first source, and those linked to it, are streamed: memory is bounded by one value, and a
 * pipe that never ends works. All others have to be repeated and are kept in memory, read to
 * their end before the first task; with link_all all of them are.
 *
 * Words are split at the delimiter as if they came from a file, as GNU parallel does.
 */
#ifndef RMDI_JOB_INPUTS_H
#define RMDI_JOB_INPUTS_H

#include "data/bytes.h"

typedef struct rmdi_inputs rmdi_inputs;

typedef struct rmdi_inputs_source {
    const char *const *words; /* :::, NULL-terminated; or NULL and */
    const char *file;         /* a path, or "-" for standard input (one source at most) */
    bool linked;              /* :::+ ::::+; without meaning for the first */
} rmdi_inputs_source;

typedef enum rmdi_trim {
    RMDI_TRIM_DEFAULT, /* both sides with column_separator, else none */
    RMDI_TRIM_LEFT = 1,
    RMDI_TRIM_RIGHT = 2,
    RMDI_TRIM_BOTH = RMDI_TRIM_LEFT | RMDI_TRIM_RIGHT,
    RMDI_TRIM_NONE = 4,
} rmdi_trim;

/* Zero is the default of each. Everything is copied. */
typedef struct rmdi_inputs_options {
    const rmdi_inputs_source *sources;
    size_t sources_count;  /* 0: standard input */
    const char *delimiter; /* -d, with its escapes (escapes.h); NULL: newline; "": blank lines */
    bool nul;              /* -0; delimiter wins over it */
    const char *column_separator; /* -C: a POSIX extended regular expression; also \t \n \d \xHH */
    rmdi_trim trim;
    bool skip_empty;  /* -r: leave out records of nothing but white space */
    bool link_all;    /* --link: all sources in step, shorter ones start again */
    size_t group;     /* -n -N: records for one task; 0: 1 */
    bool no_values;   /* -N0: a task for each record, but without its values */
    bool continued;   /* -L: a record that ends in a blank goes on with the next one */
    int stdin_fd;     /* what "-" reads; 0 is standard input. Borrowed, never closed */
    size_t value_max; /* longest value in bytes; 0: 16 MiB */
} rmdi_inputs_options;

/* Opens all files. RMD_ENOENT, RMD_EACCES ... with a detail that names the file; RMD_ESYNTAX for
 * a column_separator that is no regular expression; RMD_EINVAL; RMD_ENOMEM. Does not block (a
 * FIFO is opened without waiting for its writer). */
RMD_NODISCARD int rmdi_inputs_open(rmdi_inputs **made, const rmdi_inputs_options *options);
void rmdi_inputs_free(rmdi_inputs *inputs); /* NULL is fine */

typedef struct rmdi_values {
    const rmd_bytes *values; /* borrowed: valid until the next call on the inputs */
    size_t count;
} rmdi_values;

/* The values of the next task: 1; 0 at the end. RMD_EAGAIN: nothing is there yet, call again when
 * rmdi_inputs_fd() is readable. Other errors end the inputs, with a detail that names file and
 * record: RMD_EIO ..., RMD_E2BIG for a value longer than value_max, RMD_ENOMEM.
 * Does not block but for a disk: a descriptor is asked (poll with no timeout) before each read,
 * and O_NONBLOCK, which others who share it would see, is never set on standard input. */
RMD_NODISCARD int rmdi_inputs_next(rmdi_inputs *inputs, rmdi_values *values);

/* The descriptor that the last RMD_EAGAIN waits for; -1 when there is none. Borrowed. */
int rmdi_inputs_fd(const rmdi_inputs *inputs);

/* How many tasks there will be in all; UINT64_MAX while that is not known, that is, until a
 * streamed file was read to its end. Lists of words are known from the start. */
uint64_t rmdi_inputs_total(const rmdi_inputs *inputs);

#endif
