/* SPDX-License-Identifier: MIT */
/* Whole numbers as a sign and a magnitude in big-endian bytes. */
#ifndef RMDI_DATA_BIGNUM_H
#define RMDI_DATA_BIGNUM_H

#include "port/shared.h"

#include "data/bytes.h"

#include <remuda/value.h>

/* Without leading zeros. */
RMDI_SHARED rmd_bytes rmdi_big_strip(rmd_bytes magnitude);

/* At most 16 bytes as a number. */
rmd_uint128 rmdi_big_to_number(rmd_bytes magnitude);

/* Less than, equal to or more than 0. */
int rmdi_big_compare(rmd_bytes a, rmd_bytes b);

/* Writes the magnitude less 1, or with 1 more, to a place of the same length, or one byte longer;
 * returns the length without leading zeros, which end at the same byte: the number lies in the last
 * bytes of the place. The magnitude is stripped, and to be decreased it is not 0. */
size_t rmdi_big_decrease(rmd_bytes magnitude, unsigned char *to);
size_t rmdi_big_increase(rmd_bytes magnitude, unsigned char *to);

enum { RMDI_BIG_DECIMAL_MAX = 512 }; /* bytes that are written in decimal */

/* Writes the magnitude in decimal, and a 0, to `to`, which has room for 1300 bytes. At most
 * RMDI_BIG_DECIMAL_MAX bytes. Returns the number of digits. */
RMDI_SHARED size_t rmdi_big_decimal(rmd_bytes magnitude, char *to);

/* The magnitude of a number in decimal digits, added to a buffer without leading zeros. RMD_EINVAL
 * when something else than digits is there, or nothing; RMD_E2BIG for more than
 * 1200; RMD_ENOMEM. */
RMDI_SHARED int rmdi_big_from_decimal(rmdi_buffer *to, rmd_bytes digits);

#endif
