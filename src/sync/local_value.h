/* SPDX-License-Identifier: MIT */
/* The values of threads and coroutines: see <remuda/local.h>. They hang on the rmdi_self. */
#ifndef RMDI_SYNC_LOCAL_VALUE_H
#define RMDI_SYNC_LOCAL_VALUE_H

#include "sync/self.h"

#include <remuda/local.h>

/* Destroys all values of *self, which is the present one and is about to end, or to be no more what
 * it was. Does what the destructors do. */
void rmdi_values_end(rmdi_self *self);

/* In a child made by fork(), on its one thread: the values of *self are the only ones now. */
void rmdi_values_forked(rmdi_self *self);

#endif
