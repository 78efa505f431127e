/* SPDX-License-Identifier: MIT */
/* Every allocation fails once. */
#ifndef KIT_ALLOC_H
#define KIT_ALLOC_H

/* Runs the scenario again and again; in run n, from 1, the n-th allocation fails, until a run
 * needs fewer than n. A run must return 0, or 'expected' (RMD_ENOMEM) when its allocation failed;
 * when it returns, everything it allocated must be released. Both are CHECKed. Returns the number
 * of runs, and shows it with the case; a scenario that never ends the series fails at run 100000.
 *
 * Only one series at a time. The scenario may use threads, but has joined them when it returns. */
int kit_alloc(int (*scenario)(void *arg), void *arg, int expected);

/* The n-th allocation from now fails, for tests that want just one; 0 stops it. */
void kit_alloc_fail(int n);

#endif
