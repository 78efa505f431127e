/* SPDX-License-Identifier: MIT */
#ifndef PRIMES_FARM_H
#define PRIMES_FARM_H

#include <remuda.h>

enum { INTEGERS_MAX = 100000 };

/* Ends the program when err is less than 0. */
void must(int err, const char *what);

/* Draws the integers, and makes the function known. */
void open_farm(void);

/* How many of the first `count` integers are primes. */
int count_primes(rmd_pool *pool, int count, bool asynchronous);

#endif
