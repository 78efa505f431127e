/* SPDX-License-Identifier: MIT */
/* The inside of completions: see <remuda/completions.h>. */
#ifndef RMDI_EXEC_COMPLETIONS_H
#define RMDI_EXEC_COMPLETIONS_H

#include <remuda/completions.h>

/* As the public ones; the tag comes back with the future. */
int rmdi_completions_add(rmd_completions *completions, rmd_future *future, uint64_t tag);
int rmdi_completions_next(rmd_completions *completions, rmd_future **future, uint64_t *tag,
                          rmd_deadline deadline) RMD_NODISCARD;

#endif
