/* SPDX-License-Identifier: MIT */
/* Random numbers from the system. */
#ifndef RMDI_BASE_RANDOM_H
#define RMDI_BASE_RANDOM_H

#include <stdint.h>

uint64_t rmdi_random(void);

#endif
