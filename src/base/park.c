/* SPDX-License-Identifier: MIT */
#include "base/park.h"

#include "port/futex.h"

#include <limits.h>
#include <remuda/error.h>

/* The kernel compares the word itself; an atomic of this size is just the word. */
_Static_assert(sizeof(rmd_atomic(uint32_t)) == sizeof(uint32_t), "a futex needs a bare word");

/* The names are in parentheses because the explorer's build has macros of that name. */
int(rmdi_park)(rmd_atomic(uint32_t) *word, uint32_t expected, rmd_deadline deadline)
{
    if (deadline.ns <= 0) /* RMD_NOW: spare the system call */
        return RMD_ETIMEDOUT;
    return rmdi_futex_wait(word, expected, deadline.ns) ? RMD_ETIMEDOUT : 0;
}

int(rmdi_park_shared)(rmd_atomic(uint32_t) *word, uint32_t expected, rmd_deadline deadline)
{
    if (deadline.ns <= 0)
        return RMD_ETIMEDOUT;
    return rmdi_futex_wait_shared(word, expected, deadline.ns) ? RMD_ETIMEDOUT : 0;
}

bool rmdi_can_park_either(void)
{
    return rmdi_futex_has_either();
}

int(rmdi_park_either)(rmd_atomic(uint32_t) *word, uint32_t expected, rmd_atomic(uint32_t) *shared,
                      uint32_t shared_expected, rmd_deadline deadline)
{
    if (deadline.ns <= 0)
        return RMD_ETIMEDOUT;
    return rmdi_futex_wait_either(word, expected, shared, shared_expected, deadline.ns)
               ? RMD_ETIMEDOUT
               : 0;
}

void(rmdi_unpark_shared)(rmd_atomic(uint32_t) *word, int n)
{
    rmdi_futex_wake_shared(word, n);
}

void(rmdi_unpark_one)(rmd_atomic(uint32_t) *word)
{
    rmdi_futex_wake(word, 1);
}

void(rmdi_unpark_all)(rmd_atomic(uint32_t) *word)
{
    rmdi_futex_wake(word, INT_MAX);
}
