/* SPDX-License-Identifier: MIT */
#include "port/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* WAIT_BITSET, unlike WAIT, takes an absolute time on the monotonic clock. */
static int wait_on(const volatile void *word, int operation, uint32_t expected, int64_t deadline_ns)
{
    struct timespec at = { .tv_sec = deadline_ns / 1000000000,
                           .tv_nsec = deadline_ns % 1000000000 };
    long r = syscall(SYS_futex, word, operation, expected, deadline_ns == INT64_MAX ? NULL : &at,
                     NULL, FUTEX_BITSET_MATCH_ANY);
    return r < 0 && errno == ETIMEDOUT ? ETIMEDOUT : 0;
}

int rmdi_futex_wait(const volatile void *word, uint32_t expected, int64_t deadline_ns)
{
    return wait_on(word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline_ns);
}

int rmdi_futex_wait_shared(const volatile void *word, uint32_t expected, int64_t deadline_ns)
{
    return wait_on(word, FUTEX_WAIT_BITSET, expected, deadline_ns);
}

/* As in <linux/futex.h> of Linux 5.16. */
struct word {
    uint64_t value, address;
    uint32_t flags, reserved;
};
enum { WORD_32 = 2, WORD_PRIVATE = 128, SYS_WAITV = 449 };

bool rmdi_futex_has_either(void)
{
    /* Asked once; it does not matter that two may do so at once. No words at all are refused, by a
     * kernel that knows the call, as wrong arguments. */
    static int known;
    int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (!answer) {
        syscall(SYS_WAITV, NULL, 0, 0, NULL, CLOCK_MONOTONIC);
        answer = errno == EINVAL ? 1 : -1;
        __atomic_store_n(&known, answer, __ATOMIC_RELAXED);
    }
    return answer > 0;
}

int rmdi_futex_wait_either(const volatile void *word, uint32_t expected,
                           const volatile void *shared, uint32_t shared_expected,
                           int64_t deadline_ns)
{
    struct word words[] = { { expected, (uintptr_t)word, WORD_32 | WORD_PRIVATE, 0 },
                            { shared_expected, (uintptr_t)shared, WORD_32, 0 } };
    struct timespec at = { .tv_sec = deadline_ns / 1000000000,
                           .tv_nsec = deadline_ns % 1000000000 };
    long r = syscall(SYS_WAITV, words, 2, 0, deadline_ns == INT64_MAX ? NULL : &at,
                     CLOCK_MONOTONIC);
    return r < 0 && errno == ETIMEDOUT ? ETIMEDOUT : 0;
}

void rmdi_futex_wake(const volatile void *word, int sleepers)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, sleepers, NULL, NULL, 0);
}

void rmdi_futex_wake_shared(const volatile void *word, int sleepers)
{
    syscall(SYS_futex, word, FUTEX_WAKE, sleepers, NULL, NULL, 0);
}
