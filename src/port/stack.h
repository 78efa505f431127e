/* SPDX-License-Identifier: MIT */
/* How much stack there is, for those who may call deeper or not. */
#ifndef RMDI_PORT_STACK_H
#define RMDI_PORT_STACK_H

#include <stddef.h>

/* About how many bytes of the calling thread's own stack are left below the caller's frame. 0: not
 * known: the caller is on another stack (a coroutine's, that of a signal handler), or the system
 * does not tell.
 *
 * The bounds are asked for at a thread's first call, which on the main thread reads /proc and takes
 * some tens of microseconds; later calls take a few nanoseconds. The main thread's stack grows up
 * to RLIMIT_STACK as it was at that call; without a limit 8 MiB are counted. Any thread; never
 * blocks. */
size_t rmdi_stack_left(void);

#endif
