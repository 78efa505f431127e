/* SPDX-License-Identifier: MIT */
/* Switching the processor from one stack to another. */
#ifndef RMDI_PORT_CONTEXT_H
#define RMDI_PORT_CONTEXT_H

#include <stddef.h>

/* A computation that is not running: where its registers lie on its stack. */
typedef struct rmdi_context {
    void *stack_pointer;
} rmdi_context;

/* Prepares fn(arg) to run on the stack (borrowed; at least 4 KiB, 16-byte aligned at both ends)
 * when it is first switched to. fn must not return. */
void rmdi_context_make(rmdi_context *context, void *stack, size_t bytes, void (*fn)(void *arg),
                       void *arg);

/* Leaves the running computation in *from and goes on with *to; returns when somebody switches
 * back to *from. Keeps what the ABI says a function keeps, but for the modes of the floating-point
 * unit, which are the thread's. The signal mask stays as it is: no system call. */
void rmdi_context_switch(rmdi_context *from, const rmdi_context *to);

#endif
