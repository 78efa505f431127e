/* SPDX-License-Identifier: MIT */
#include "explore/sanitizer.h"

#ifdef __SANITIZE_ADDRESS__

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

static const void *home;
static size_t home_bytes;

void rmdi_sanitizer_leave(void **fake_stack, const void *stack, size_t bytes)
{
    __sanitizer_start_switch_fiber(fake_stack, stack ? stack : home, stack ? bytes : home_bytes);
}

void rmdi_sanitizer_arrive(void *fake_stack)
{
    const void *from;
    size_t bytes;
    __sanitizer_finish_switch_fiber(fake_stack, &from, &bytes);
    if (!home) {
        home = from;
        home_bytes = bytes;
    }
}

void rmdi_sanitizer_forget(const void *stack, size_t bytes)
{
    __asan_unpoison_memory_region(stack, bytes);
}

#else

void rmdi_sanitizer_leave(void **fake_stack, const void *stack, size_t bytes)
{
    (void)fake_stack;
    (void)stack;
    (void)bytes;
}

void rmdi_sanitizer_arrive(void *fake_stack)
{
    (void)fake_stack;
}

void rmdi_sanitizer_forget(const void *stack, size_t bytes)
{
    (void)stack;
    (void)bytes;
}

#endif
