/* SPDX-License-Identifier: MIT */
/* How many processors this process may really use. */
#ifndef RMDI_PORT_CPU_H
#define RMDI_PORT_CPU_H

#include <stdbool.h>

/* The least of: processors in the affinity mask, and the CPU quota of the control
 * groups above us (v2 cpu.max, v1 cpu.cfs_quota_us), rounded up. At least 1. */
unsigned rmdi_cpu_usable(void);

/* Has the process more than one processor: is it of use to wait for another thread without
 * sleeping? Cheap once the answer was yes. */
bool rmdi_cpu_several(void);

/* The same as rmdi_cpu_usable() from files below another root than "/", for tests. */
unsigned rmdi_cpu_quota(const char *root);

#endif
