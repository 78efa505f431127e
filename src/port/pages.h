/* SPDX-License-Identifier: MIT */
/* Memory straight from the system, of zeros: what is never touched takes none. */
#ifndef RMDI_PORT_PAGES_H
#define RMDI_PORT_PAGES_H

#include <stddef.h>

/* NULL: there is none. Both may be called in a signal handler, and leave errno alone. */
void *rmdi_pages_get(size_t bytes);
void rmdi_pages_give(void *pages, size_t bytes);

#endif
