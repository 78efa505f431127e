/* SPDX-License-Identifier: MIT */
/* Making all threads of the process pass a memory barrier, by the kernel (Linux 4.14). */
#ifndef RMDI_PORT_MEMBARRIER_H
#define RMDI_PORT_MEMBARRIER_H

#include <stdbool.h>

/* Can the kernel do that? To be asked once before the first use; again is fine. */
bool rmdi_membarrier_register(void);

/* Returns when every thread of the process that runs has passed a full barrier since the call
 * began; those that do not run have passed one by not running. Some microseconds. Not to be
 * forbidden by a filter of system calls once it is registered. */
void rmdi_membarrier(void);

#endif
