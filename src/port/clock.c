/* SPDX-License-Identifier: MIT */
#include "port/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t); /* cannot fail for these two clocks */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t rmdi_clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t rmdi_clock_realtime_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}
