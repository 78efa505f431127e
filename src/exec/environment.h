/* SPDX-License-Identifier: MIT */
/* Environments as arrays of "NAME=value". */
#ifndef RMDI_EXEC_ENVIRONMENT_H
#define RMDI_EXEC_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* The value of a name in a NULL-terminated environment; NULL: not there. Borrowed. */
const char *rmdi_env_get(char *const *env, const char *name);

/* Copies a NULL-terminated array of strings into one piece of memory, to be freed with
 * rmdi_free. NULL when there is no memory. array NULL counts as empty. */
char **rmdi_strings_copy(const char *const *array);

/* base with the entries of `over` added, or replacing those of the same name. Borrows all
 * the strings; only the array itself is new (rmdi_free). NULL when there is no memory. */
char **rmdi_env_merge(char *const *base, char *const *over);

#endif
