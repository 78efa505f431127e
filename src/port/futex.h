/* SPDX-License-Identifier: MIT */
/* Sleeping on a word of memory. */
#ifndef RMDI_PORT_FUTEX_H
#define RMDI_PORT_FUTEX_H

#include <stdbool.h>
#include <stdint.h>

/* Sleeps while *word is expected, at most until deadline_ns on the monotonic clock
 * (INT64_MAX: no limit). 0 when woken (perhaps for no reason: look at the word
 * again) or when *word was something else; ETIMEDOUT at the deadline. */
int rmdi_futex_wait(const volatile void *word, uint32_t expected, int64_t deadline_ns);

/* The same for a word that the kernel clears, or another process. */
int rmdi_futex_wait_shared(const volatile void *word, uint32_t expected, int64_t deadline_ns);

/* Can the kernel sleep on two words at once (Linux 5.16)? */
bool rmdi_futex_has_either(void);
/* Does so; the second is one that another process may write. */
int rmdi_futex_wait_either(const volatile void *word, uint32_t expected,
                           const volatile void *shared, uint32_t shared_expected,
                           int64_t deadline_ns);

/* Wakes up to that many sleepers on the word; the second, those of rmdi_futex_wait_shared().
 * The word is an address only: it need not be there any more. */
void rmdi_futex_wake(const volatile void *word, int sleepers);
void rmdi_futex_wake_shared(const volatile void *word, int sleepers);

#endif
