/* SPDX-License-Identifier: MIT */
#include "port/stack.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

/* A main thread's stack without a limit may take all memory there is, and be told so late that
 * the system is beyond help; so it counts as what it is where nobody has changed it. */
enum { UNLIMITED_BYTES = 8 * 1024 * 1024 };

typedef struct bounds {
    uintptr_t low, high; /* high 0: not asked yet */
} bounds;

/* What the system says of the calling thread's own stack, wherever it is running now. */
static bool ask(bounds *found)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t bytes = 0;
    if (pthread_getattr_np(pthread_self(), &attributes))
        return false;
    bool ok = pthread_attr_getstack(&attributes, &low, &bytes) == 0 && bytes > 0;
    pthread_attr_destroy(&attributes);
    *found = (bounds){ (uintptr_t)low, (uintptr_t)low + bytes };
    return ok;
}

/* The C library takes RLIMIT_STACK into account, but "unlimited" as all that lies below. In a child
 * that a thread made by fork() this is that thread, with a stack that it may call smaller than it
 * is. */
static void limit_main(bounds *found)
{
    struct rlimit limit;
    bool unlimited = getpid() == gettid() && getrlimit(RLIMIT_STACK, &limit) == 0 &&
                     limit.rlim_cur == RLIM_INFINITY;
    if (unlimited && found->high - found->low > UNLIMITED_BYTES)
        found->low = found->high - UNLIMITED_BYTES;
}

/* Not inlined, so that the frame is that of a call, and nobody keeps the address of the variable
 * over a switch of stacks. Failing is not remembered: it may be for want of a descriptor. */
__attribute__((noinline)) size_t rmdi_stack_left(void)
{
    static _Thread_local bounds own;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (!own.high) {
        bounds found;
        if (!ask(&found))
            return 0;
        limit_main(&found);
        own = found;
    }
    return here > own.low && here < own.high ? here - own.low : 0;
}
