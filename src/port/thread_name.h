/* SPDX-License-Identifier: MIT */
/* What the system calls a thread. */
#ifndef RMDI_PORT_THREAD_NAME_H
#define RMDI_PORT_THREAD_NAME_H

#include <stdint.h>

enum { RMDI_THREAD_NAME_BYTES = 16 };

/* Of the calling thread: its name, cut at 15 bytes, with a 0. */
void rmdi_thread_name_get(char name[RMDI_THREAD_NAME_BYTES]);

/* Its number in the system, which is the process's for its first thread. */
uint32_t rmdi_thread_number(void);

#endif
