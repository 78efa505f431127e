/* SPDX-License-Identifier: MIT */
/* How a program that we started, and everything it starts in turn, is known again: by
 * REMUDA_ATTEMPT_ID in its environment. The value is a path of ids, "outer/inner", so
 * that a program that uses Remuda itself stays known to whoever started it. Each id is
 * "<instance>-<number>": the process that owns the pool, and the attempt in it. */
#ifndef RMDI_EXEC_ATTEMPT_ID_H
#define RMDI_EXEC_ATTEMPT_ID_H

#include <stdbool.h>
#include <stdint.h>

#define RMDI_ATTEMPT_ID_NAME "REMUDA_ATTEMPT_ID"

enum { RMDI_INSTANCE_LEN = 16, RMDI_ATTEMPT_ID_MAX = 1024 };

/* Of the path that we have ourselves, what there is room for before an id of our own: of a longer
 * one the outermost are forgotten. NULL: none, as path. */
const char *rmdi_attempt_id_outer(const char *path);

/* Looks in a path of ids for one of this instance; false when there is none. */
bool rmdi_attempt_id_find(const char *path, const char *instance, uint64_t *number);

#endif
