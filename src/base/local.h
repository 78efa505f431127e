/* SPDX-License-Identifier: MIT */
/* A few pointers per thread. (The explorer brings its own: per thread of the exploration.) */
#ifndef RMDI_BASE_LOCAL_H
#define RMDI_BASE_LOCAL_H

enum { RMDI_LOCAL_POINTERS = 11 };

/* Where the calling thread's pointers lie, the first of them; NULL is in all at first. They belong
 * to the sync floor: see sync/self.c. Ask again after anything that may sleep: a coroutine may go
 * on elsewhere. */
void **rmdi_local(void);

#endif
