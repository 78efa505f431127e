/* SPDX-License-Identifier: MIT */
/* The inside of a context: see <remuda/context.h>. */
#ifndef RMDI_SYNC_CONTEXT_H
#define RMDI_SYNC_CONTEXT_H

#include <remuda/atomics.h>
#include <remuda/context.h>

struct rmd_context {
    rmd_atomic(uint32_t) stays; /* how often it is entered at present */
    const rmd_binding *innermost;
    rmd_binding bindings[];
};

/* The innermost binding of the calling thread: for a moment in which it waits for another thread,
 * which may work under it. NULL: nothing is bound. */
const rmd_binding *rmdi_bindings_now(void);

/* Takes the place of what is bound on the calling thread. Returns that, to be put back. */
const rmd_binding *rmdi_bindings_swap(const rmd_binding *innermost);

#endif
