/* SPDX-License-Identifier: MIT */
#include "port/tick.h"

#include "port/clock.h"

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>

enum { POWER_MANAGEMENT = (int)0x80000007, INVARIANT = 1 << 8 };

static bool is_counter; /* written before other threads look, or with the same value again */

static bool is_invariant(void)
{
    unsigned eax, ebx, ecx, edx = 0;
    return __get_cpuid((unsigned)POWER_MANAGEMENT, &eax, &ebx, &ecx, &edx) && (edx & INVARIANT);
}

void rmdi_tick_prepare(void)
{
    __atomic_store_n(&is_counter, is_invariant(), __ATOMIC_RELAXED);
}

bool rmdi_tick_is_counter(void)
{
    return __atomic_load_n(&is_counter, __ATOMIC_RELAXED);
}

uint64_t rmdi_tick(void)
{
    if (__builtin_expect(rmdi_tick_is_counter(), 1))
        return __builtin_ia32_rdtsc();
    return (uint64_t)rmdi_clock_monotonic_ns();
}

#else

void rmdi_tick_prepare(void) {}

bool rmdi_tick_is_counter(void)
{
    return false;
}

uint64_t rmdi_tick(void)
{
    return (uint64_t)rmdi_clock_monotonic_ns();
}

#endif
