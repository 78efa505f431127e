/* SPDX-License-Identifier: MIT */
/* The system's clocks, in nanoseconds. */
#ifndef RMDI_PORT_CLOCK_H
#define RMDI_PORT_CLOCK_H

#include <stdint.h>

int64_t rmdi_clock_monotonic_ns(void); /* never jumps; what deadlines are made of */
int64_t rmdi_clock_realtime_ns(void);  /* since 1970; only for people to read */

#endif
