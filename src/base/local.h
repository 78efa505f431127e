/* SPDX-License-Identifier: MIT */
/* One pointer per thread. (The explorer brings its own: per thread of the exploration.) */
#ifndef RMDI_BASE_LOCAL_H
#define RMDI_BASE_LOCAL_H

/* Where the calling thread's pointer lies; NULL is in it at first. It belongs to the sync floor:
 * see sync/self.h. Ask again after anything that may sleep: a coroutine may go on elsewhere. */
void **rmdi_local(void);

#endif
