/* SPDX-License-Identifier: MIT */
/* Tasks that a running task has added (rmd_call_add(), rmd_task_add()), as bytes. They travel with
 * its result, on whatever worker it runs: so they count if it has ended OK, and only then; and an
 * attempt that fails, or whose worker dies, has added nothing.
 *
 * One after the other: a head, the name of the function with a 0 behind it, and the arguments as
 * rmdi_call_encode() makes them; or, of a function by pointer, an rmd_task. What a worker process
 * has written is checked when it is read. */
#ifndef RMDI_EXEC_ADDED_H
#define RMDI_EXEC_ADDED_H

#include "data/bytes.h"

#include <remuda/args.h>
#include <remuda/task.h>

/* One of them. Borrows from the bytes it was read from. */
typedef struct rmdi_addition {
    const char *function; /* NULL: by pointer */
    rmd_bytes arguments;
    rmd_task task;
} rmdi_addition;

/* Each adds one: 0; RMD_E2BIG when all of them together would have more than 16 MiB; the errors of
 * rmdi_call_encode(); RMD_E2BIG for more values than a call may have; RMD_ENOMEM. On failure there
 * are as many as before. */
int rmdi_added_call(rmdi_buffer *added, const char *function, const rmd_args *args);
int rmdi_added_submit(rmdi_buffer *added, rmd_task_fn *fn, void *arg);

/* What a worker process says that a task has added: is it that, and no pointer? 0, or RMD_EIO. */
int rmdi_added_check(rmd_bytes added);

/* Takes the first out of *rest: 1. 0: there is none. RMD_EIO: these are no such bytes. */
int rmdi_added_take(rmd_bytes *rest, rmdi_addition *addition);

/* The arguments of one as a value, to be freed with rmd_value_free(), and as what lends them. */
int rmdi_added_arguments(const rmdi_addition *addition, const rmd_value **value, rmd_args *args);

#endif
