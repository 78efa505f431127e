/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include "port/clock.h"

#include <sys/random.h>
#include <unistd.h>

uint64_t rmdi_random(void)
{
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number)
        return number;
    /* Only on kernels without the call: unique is enough for what we name with it. */
    return (uint64_t)rmdi_clock_monotonic_ns() ^ ((uint64_t)getpid() << 40);
}
