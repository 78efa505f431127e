/* SPDX-License-Identifier: MIT */
/* Numbers as text, without the machinery of snprintf: a task has ten of them. */
#ifndef RMDI_BASE_DECIMAL_H
#define RMDI_BASE_DECIMAL_H

#include <stdint.h>

enum { RMDI_DECIMAL_MAX = 21 }; /* with the 0 at the end */

/* Writes the number and a 0 to `to`, as stpcpy does with text; returns where the 0 is. */
char *rmdi_decimal(char *to, uint64_t number);

#endif
