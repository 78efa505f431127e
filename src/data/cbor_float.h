/* SPDX-License-Identifier: MIT */
/* Floating-point numbers of 16, 32 and 64 bits, by their bits: whether one becomes another is a
 * question of exponents and of bits that are 0. NaN is not for these. */
#ifndef RMDI_DATA_CBOR_FLOAT_H
#define RMDI_DATA_CBOR_FLOAT_H

#include <stdbool.h>
#include <stdint.h>

/* The same number in fewer bits; false: there it is none. */
bool rmdi_float_narrow_64_to_32(uint64_t from, uint32_t *to);
bool rmdi_float_narrow_32_to_16(uint32_t from, uint16_t *to);

/* The same number in more bits. */
uint32_t rmdi_float_widen_16_to_32(uint16_t from);
uint64_t rmdi_float_widen_32_to_64(uint32_t from);

uint64_t rmdi_float_bits(double x);
double rmdi_float_of_bits(uint64_t bits);

#endif
