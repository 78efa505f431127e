/* SPDX-License-Identifier: MIT */
/* The inside of completions: see <remuda/completions.h>. */
#ifndef RMDI_EXEC_COMPLETIONS_H
#define RMDI_EXEC_COMPLETIONS_H

#include <remuda/completions.h>

/* As the public ones; the tag comes back with the future. */
int rmdi_completions_add(rmd_completions *completions, rmd_future *future, uint64_t tag);
int rmdi_completions_next(rmd_completions *completions, rmd_future **future, uint64_t *tag,
                          rmd_deadline deadline) RMD_NODISCARD;

/* Calls fn for each that has not ended, with the lock held, until it returns true; and returns
 * that. True without a call: the next is there, or none is left. */
bool rmdi_completions_any(rmd_completions *completions, bool (*fn)(rmd_future *future, void *ctx),
                          void *ctx);

#endif
