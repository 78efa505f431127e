/* SPDX-License-Identifier: MIT */
/* Random values, the same for the same seed. Keys of maps are texts, bytes and ints: what the peers
 * can have as keys, too, and tell apart. */
#ifndef RANDOM_VALUE_H
#define RANDOM_VALUE_H

#include <remuda/value.h>

#include <string.h>

typedef struct maker {
    uint64_t state; /* not 0 */
    rmd_value values[4096];
    size_t used;
    char bytes[65536];
    size_t bytes_used;
} maker;

static inline uint64_t maker_next(maker *m)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return m->state;
}

/* Of 1 to 4 bytes each, so that UTF-8 is met in all its lengths. */
static inline size_t maker_character(maker *m, char *to)
{
    static const char *const some[] = { "a",
                                        "Z",
                                        "\x01",
                                        "\x7f",
                                        "\xc3\xbc",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xef\xbf\xbd",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf" };
    const char *c = some[maker_next(m) % (sizeof some / sizeof *some)];
    memcpy(to, c, strlen(c));
    return strlen(c);
}

static inline rmd_bytes maker_bytes(maker *m, bool text)
{
    size_t count = maker_next(m) % (maker_next(m) % 8 ? 12 : 300), len = 0;
    char *to = m->bytes + m->bytes_used;
    if (m->bytes_used + 4 * count > sizeof m->bytes)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        if (text)
            len += maker_character(m, to + len);
        else
            to[len++] = (char)maker_next(m);
    }
    m->bytes_used += len;
    return (rmd_bytes){ to, len };
}

static inline rmd_value maker_key(maker *m)
{
    uint64_t bits = maker_next(m) >> maker_next(m) % 64;
    rmd_bytes b;
    switch (maker_next(m) % 5) {
    case 0: return rmd_int((int64_t)bits);
    case 1: return rmd_big(-(rmd_int128)bits);
    case 2: return rmd_big_of(bits & 1, maker_bytes(m, false));
    case 3: b = maker_bytes(m, true); return rmd_text_of(b.data, b.len);
    default: return rmd_bytes_value(maker_bytes(m, false));
    }
}

static inline rmd_value maker_float(maker *m)
{
    double x;
    uint64_t bits = maker_next(m) << maker_next(m) % 64; /* so that some are short */
    memcpy(&x, &bits, sizeof x);
    if (maker_next(m) % 4 == 0)
        x = (double)(float)(int16_t)bits / 64;
    return rmd_float(x);
}

static inline rmd_value maker_scalar(maker *m)
{
    switch (maker_next(m) % 8) {
    case 0: return rmd_null();
    case 1: return rmd_bool(maker_next(m) & 1);
    case 2:
    case 3: return maker_float(m);
    default: return maker_key(m);
    }
}

static inline rmd_value maker_value(maker *m, int depth)
{
    size_t count = maker_next(m) % 6;
    uint64_t kind = maker_next(m) % 8;
    if (kind > 3 || !depth || m->used + 2 * count + 1 > sizeof m->values / sizeof m->values[0])
        return maker_scalar(m);
    rmd_value *inside = &m->values[m->used];
    m->used += 2 * count + 1;
    for (size_t i = 0; i < 2 * count; i++)
        inside[i] = kind > 1 && i % 2 == 0 ? maker_key(m) : maker_value(m, depth - 1);
    if (kind > 1)
        return rmd_map_value((rmd_pair *)(void *)inside, count); /* a pair is two values */
    inside[2 * count] = rmd_list(inside, count);
    return maker_next(m) % 8 ? inside[2 * count] : rmd_reference(&inside[2 * count]);
}

#endif
