/* SPDX-License-Identifier: MIT */
#include "data/cbor_float.h"

#include <string.h>

/* A format of IEEE 754: so many bits of exponent and of fraction behind the sign. */
typedef struct format {
    int exponent, fraction;
} format;

static const format f16 = { 5, 10 }, f32 = { 8, 23 }, f64 = { 11, 52 };

static int bias(format f)
{
    return (1 << (f.exponent - 1)) - 1;
}

static uint64_t join(format f, uint64_t sign, uint64_t exponent, uint64_t fraction)
{
    return sign << (f.exponent + f.fraction) | exponent << f.fraction | fraction;
}

/* The fraction without its last bits, if those are 0. */
static bool drop_zeros(uint64_t fraction, int bits, uint64_t *to)
{
    if (bits >= 64 || (fraction & ((UINT64_C(1) << bits) - 1)))
        return false;
    *to = fraction >> bits;
    return true;
}

/* A finite number that is not 0: as a normal one of the other format, or a subnormal one. A
 * subnormal number is always too small for a narrower format. */
static bool narrow_finite(format from, format to, uint64_t exponent, uint64_t fraction,
                          uint64_t *exponent_to, uint64_t *fraction_to)
{
    int drop = from.fraction - to.fraction;
    int e = (int)exponent - bias(from) + bias(to);
    if (!exponent || e >= (1 << to.exponent) - 1)
        return false;
    *exponent_to = e > 0 ? (uint64_t)e : 0;
    if (e > 0)
        return drop_zeros(fraction, drop, fraction_to);
    return drop_zeros(fraction | UINT64_C(1) << from.fraction, drop + 1 - e, fraction_to);
}

static bool narrow(format from, format to, uint64_t bits, uint64_t *narrowed)
{
    uint64_t sign = bits >> (from.exponent + from.fraction);
    uint64_t exponent = bits >> from.fraction & ((UINT64_C(1) << from.exponent) - 1);
    uint64_t fraction = bits & ((UINT64_C(1) << from.fraction) - 1);
    uint64_t e = 0, f = 0;
    if (exponent == (UINT64_C(1) << from.exponent) - 1)
        e = (UINT64_C(1) << to.exponent) - 1; /* infinite */
    else if ((exponent || fraction) && !narrow_finite(from, to, exponent, fraction, &e, &f))
        return false;
    *narrowed = join(to, sign, e, f);
    return true;
}

static uint64_t widen(format from, format to, uint64_t bits)
{
    uint64_t sign = bits >> (from.exponent + from.fraction);
    uint64_t exponent = bits >> from.fraction & ((UINT64_C(1) << from.exponent) - 1);
    uint64_t fraction = bits & ((UINT64_C(1) << from.fraction) - 1);
    int e = (int)exponent - bias(from) + bias(to);
    if (exponent == (UINT64_C(1) << from.exponent) - 1)
        return join(to, sign, (UINT64_C(1) << to.exponent) - 1, 0);
    if (!exponent && !fraction)
        return join(to, sign, 0, 0);
    if (!exponent) { /* subnormal: its first bit becomes the hidden one */
        for (e++; !(fraction >> from.fraction); e--)
            fraction <<= 1;
        fraction &= (UINT64_C(1) << from.fraction) - 1;
    }
    return join(to, sign, (uint64_t)e, fraction << (to.fraction - from.fraction));
}

bool rmdi_float_narrow_64_to_32(uint64_t from, uint32_t *to)
{
    uint64_t narrowed = 0;
    bool exact = narrow(f64, f32, from, &narrowed);
    *to = (uint32_t)narrowed;
    return exact;
}

bool rmdi_float_narrow_32_to_16(uint32_t from, uint16_t *to)
{
    uint64_t narrowed = 0;
    bool exact = narrow(f32, f16, from, &narrowed);
    *to = (uint16_t)narrowed;
    return exact;
}

uint32_t rmdi_float_widen_16_to_32(uint16_t from)
{
    return (uint32_t)widen(f16, f32, from);
}

uint64_t rmdi_float_widen_32_to_64(uint32_t from)
{
    return widen(f32, f64, from);
}

uint64_t rmdi_float_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

double rmdi_float_of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
