/* SPDX-License-Identifier: MIT */
/* JSON, which this library does not speak: it needs the C library alone. What does speak it
 * (libremuda-net) says so here. */
#ifndef RMDI_EXEC_JSON_HOOK_H
#define RMDI_EXEC_JSON_HOOK_H

#include "port/shared.h"

#include <remuda/value.h>

/* All in static storage. Any thread calls them, at once. */
typedef struct rmdi_json {
    /* The value as JSON text of *len bytes, to be given to free_text(). RMD_EINVAL (a value that
     * JSON has not), RMD_E2BIG, RMD_ENOMEM. */
    int (*encode)(const rmd_value *value, char **text, size_t *len);
    void (*free_text)(char *text);
    /* A value of a text that holds one, and nothing behind it; with its own copies of everything,
     * to be given to free_value(). RMD_ESYNTAX naming the place, RMD_E2BIG, RMD_ENOMEM. */
    int (*decode)(const rmd_value **value, rmd_bytes text);
    void (*free_value)(const rmd_value *value);
} rmdi_json;

/* From now on this is used; NULL: none. Borrowed for ever. Before rmd_start(), if the workers of
 * processes pools are to use it, too. */
RMDI_SHARED void rmdi_json_use(const rmdi_json *json);

/* What was set; NULL: nothing. */
const rmdi_json *rmdi_json_used(void);

#endif
