/* SPDX-License-Identifier: MIT */
/* How many processors this process may really use. */
#ifndef RMDI_PORT_CPU_H
#define RMDI_PORT_CPU_H

/* The least of: processors in the affinity mask, and the CPU quota of the control
 * groups above us (v2 cpu.max, v1 cpu.cfs_quota_us), rounded up. At least 1. */
unsigned rmdi_cpu_usable(void);

/* The same from files below another root than "/", for tests. */
unsigned rmdi_cpu_quota(const char *root);

#endif
