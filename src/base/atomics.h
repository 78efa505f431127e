/* SPDX-License-Identifier: MIT */
/* The only door to atomic operations: C11's, with the order always written out.
 * (A build that controls the interleaving of threads replaces them here.) */
#ifndef RMDI_BASE_ATOMICS_H
#define RMDI_BASE_ATOMICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define rmd_atomic(type) _Atomic(type)

#define RMD_RELAXED memory_order_relaxed
#define RMD_ACQUIRE memory_order_acquire
#define RMD_RELEASE memory_order_release
#define RMD_ACQ_REL memory_order_acq_rel

#define rmd_atomic_init(p, value)            atomic_init(p, value)
#define rmd_atomic_load(p, order)            atomic_load_explicit(p, order)
#define rmd_atomic_store(p, value, order)    atomic_store_explicit(p, value, order)
#define rmd_atomic_exchange(p, value, order) atomic_exchange_explicit(p, value, order)
#define rmd_atomic_add(p, value, order)      atomic_fetch_add_explicit(p, value, order)
#define rmd_atomic_sub(p, value, order)      atomic_fetch_sub_explicit(p, value, order)
/* *p == *expected: stores value, true; else *expected is what was found, false. */
#define rmd_atomic_cas(p, expected, value, success, failure) \
    atomic_compare_exchange_strong_explicit(p, expected, value, success, failure)

#endif
