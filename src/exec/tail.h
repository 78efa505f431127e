/* SPDX-License-Identifier: MIT */
/* The last of what a process has written: so much as is told when it has failed. */
#ifndef RMDI_EXEC_TAIL_H
#define RMDI_EXEC_TAIL_H

#include <stddef.h>

enum { RMDI_TAIL_BYTES = 4096 };

/* Zeroed is empty. */
typedef struct rmdi_tail {
    char data[RMDI_TAIL_BYTES];
    size_t len;
} rmdi_tail;

void rmdi_tail_add(rmdi_tail *tail, const char *data, size_t len);

/* The last line, without its end, or the last `max` bytes of it; how long that is. It is borrowed
 * from the tail. */
size_t rmdi_tail_line(const rmdi_tail *tail, size_t max, const char **line);

/* The last lines that fit, as one text, " | " between them; always at least the end of the last
 * one. "" when nothing was written. */
void rmdi_tail_lines(const rmdi_tail *tail, char *text, size_t size);

#endif
