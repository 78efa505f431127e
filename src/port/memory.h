/* SPDX-License-Identifier: MIT */
/* Memory that several processes map. */
#ifndef RMDI_PORT_MEMORY_H
#define RMDI_PORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* A file in memory of that many zeros, whose size nobody can change any more; *fd is its descriptor
 * (close-on-exec). What was never written takes no memory. name is for people who look into /proc.
 * 0 or an errno value. */
int rmdi_memory_open(const char *name, size_t bytes, int *fd);

/* Maps it, for reading and writing or for reading only; *memory is where. 0 or an errno value. */
int rmdi_memory_map(int fd, size_t bytes, bool read_only, void **memory);
void rmdi_memory_unmap(void *memory, size_t bytes);

#endif
