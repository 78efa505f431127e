/* SPDX-License-Identifier: MIT */
/* What a task has failed with, in words. */
#ifndef RMDI_EXEC_FAILURE_H
#define RMDI_EXEC_FAILURE_H

/* The calling thread's detail text, or another one, copied; to be freed with rmdi_failure_free().
 * Without memory, or with nothing to say, a text that is not to be freed, and nothing fails. */
const char *rmdi_failure_take(const char *detail);
void rmdi_failure_free(const char *detail);

/* Texts that need no memory, and that rmdi_failure_free() leaves alone. */
extern const char rmdi_cancelled_unstarted[];
extern const char rmdi_late_in_queue[];
extern const char rmdi_late_in_all[];

#endif
