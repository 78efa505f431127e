/* SPDX-License-Identifier: MIT */
#include "port/clock.h"

#include <remuda/deadline.h>

rmd_deadline rmd_after_ns(int64_t ns)
{
    int64_t at;
    if (ns < 0)
        ns = 0;
    if (__builtin_add_overflow(rmdi_clock_monotonic_ns(), ns, &at))
        return RMD_FOREVER;
    return RMD_DEADLINE_AT(at);
}

rmd_deadline rmd_after_ms(int64_t ms)
{
    int64_t ns;
    if (__builtin_mul_overflow(ms, 1000000, &ns))
        return ms < 0 ? rmd_after_ns(0) : RMD_FOREVER;
    return rmd_after_ns(ns);
}

bool rmd_deadline_passed(rmd_deadline deadline)
{
    return deadline.ns != INT64_MAX && deadline.ns <= rmdi_clock_monotonic_ns();
}

int64_t rmd_deadline_left_ms(rmd_deadline deadline)
{
    if (deadline.ns == INT64_MAX)
        return INT64_MAX;
    int64_t now = rmdi_clock_monotonic_ns();
    if (deadline.ns <= now)
        return 0;
    int64_t left = deadline.ns - now;
    return left / 1000000 + (left % 1000000 != 0);
}
