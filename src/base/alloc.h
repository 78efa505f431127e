/* SPDX-License-Identifier: MIT */
/* The one way to memory inside Remuda: see <remuda/alloc.h>. */
#ifndef RMDI_BASE_ALLOC_H
#define RMDI_BASE_ALLOC_H

#include "port/shared.h"

#include <remuda/alloc.h>

/* NULL when there is none; the caller answers with rmdi_fail_memory(). */
RMDI_SHARED void *rmdi_alloc(size_t bytes);
RMDI_SHARED void *rmdi_alloc_zeroed(size_t bytes);
void *rmdi_realloc(void *p, size_t bytes); /* on NULL, p is untouched */
RMDI_SHARED void rmdi_free(void *p);       /* NULL is fine */

/* Copies of text; NULL when there is no memory. */
RMDI_SHARED char *rmdi_strdup(const char *text);
void *rmdi_memdup(const void *data, size_t bytes);

/* Makes room for one more element of the given size in a growing array: *capacity
 * counts elements and doubles from 8. 0, or RMD_ENOMEM with nothing changed. */
int rmdi_array_reserve(void **array, size_t *capacity, size_t used, size_t element);

#endif
