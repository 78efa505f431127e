/* SPDX-License-Identifier: MIT */
/* floor: data */
/* Values: what goes into a call and comes out of it, the same for threads, processes and hosts.
 *
 *     rmd_value point = RMD_MAP_OF(RMD_PAIR("x", 1), RMD_PAIR("y", 2.5));
 *
 *     int x;
 *     err = rmd_value_get(rmd_value_find(&point, "x"), &x);        typed by what x is
 *
 * A value is a small struct, given and returned as such. It borrows what it points to: a text,
 * bytes, the items of a list. What RMD_LIST_OF and RMD_MAP_OF make is valid to the end of the block
 * in which they stand (it is made of compound literals, as C calls them), and the texts and bytes
 * that were named as long as their owner keeps them.
 *
 * Nothing here blocks, and nothing is shared: a value that nobody changes may be read by any
 * number of threads. How values look outside of a process is described in
 * docs/protocol/values.md. */
#ifndef REMUDA_VALUE_H
#define REMUDA_VALUE_H

#include <remuda/api.h>
#include <remuda/bytes.h>

#ifdef __cplusplus
#include <cstddef>
#endif

RMD_BEGIN

typedef enum rmd_type {
    RMD_TYPE_NULL = 0,  /* zeroed is null */
    RMD_TYPE_BOOL,      /* as.boolean */
    RMD_TYPE_INT,       /* as.integer */
    RMD_TYPE_UINT,      /* as.natural: an int above INT64_MAX */
    RMD_TYPE_BIG,       /* an int beyond both: `negative`, and rmd_value_magnitude() */
    RMD_TYPE_FLOAT,     /* as.real */
    RMD_TYPE_TEXT,      /* as.bytes: UTF-8 */
    RMD_TYPE_BYTES,     /* as.bytes */
    RMD_TYPE_LIST,      /* as.list */
    RMD_TYPE_MAP,       /* as.map: in any order; keys are neither lists nor maps nor references */
    RMD_TYPE_REFERENCE, /* as.content, a text, bytes or a list: what names an object elsewhere */
    RMD_TYPE_ABSENT,    /* an argument that may be left out, and was; never inside another value */
    RMD_TYPE_NAMED,     /* one with a name, in RMD_ARGS only: as.map, of one pair */
} rmd_type;

enum { RMD_VALUE_DEPTH_MAX = 64 }; /* how deep lists, maps and references lie in each other */

__extension__ typedef __int128 rmd_int128;
__extension__ typedef unsigned __int128 rmd_uint128;

typedef struct rmd_value rmd_value;
typedef struct rmd_pair rmd_pair;

struct rmd_value {
    rmd_type type;
    bool negative;         /* BIG only: below zero */
    bool terminated;       /* TEXT only: a 0 stands behind it */
    unsigned char big_len; /* BIG only: length of as.big; 0: the magnitude is in as.bytes */
    union {
        bool boolean;
        int64_t integer;
        uint64_t natural;
        double real;
        rmd_bytes bytes;
        struct {
            const rmd_value *items;
            size_t count;
        } list;
        struct {
            const rmd_pair *pairs;
            size_t count;
        } map;
        const rmd_value *content;
        unsigned char big[16]; /* big-endian */
    } as;
};

struct rmd_pair {
    rmd_value key, value;
};

/* "null", "bool", "int" (of INT, UINT and BIG), "float", "text", "bytes", "list", "map",
 * "reference"; "nothing" of ABSENT, "named" of NAMED; "?" of a number that is no type. Static
 * storage. */
RMD_API const char *rmd_type_name(rmd_type type);

/* ---- making ---- */

static inline rmd_value rmd_null(void)
{
    rmd_value v;
    v.type = RMD_TYPE_NULL;
    v.negative = v.terminated = false;
    v.big_len = 0;
    v.as.bytes.data = NULL;
    v.as.bytes.len = 0;
    return v;
}

static inline rmd_value rmd_bool(bool x)
{
    rmd_value v = rmd_null();
    v.type = RMD_TYPE_BOOL;
    v.as.boolean = x;
    return v;
}

static inline rmd_value rmd_int(long long x)
{
    rmd_value v = rmd_null();
    v.type = RMD_TYPE_INT;
    v.as.integer = x;
    return v;
}

static inline rmd_value rmd_uint(unsigned long long x)
{
    rmd_value v = rmd_null();
    v.type = x > INT64_MAX ? RMD_TYPE_UINT : RMD_TYPE_INT;
    v.as.natural = x; /* the same bits in either member */
    return v;
}

static inline rmd_value rmd_float(double x)
{
    rmd_value v = rmd_null();
    v.type = RMD_TYPE_FLOAT;
    v.as.real = x;
    return v;
}

/* Borrows the text, which ends in a 0. NULL is the value null. */
RMD_API rmd_value rmd_text(const char *text);

/* Borrows len bytes of UTF-8, which may hold zeros; whether they are UTF-8 is seen when the value
 * is encoded. */
RMD_API rmd_value rmd_text_of(const char *text, size_t len);

static inline rmd_value rmd_bytes_value(rmd_bytes bytes)
{
    rmd_value v = rmd_null();
    v.type = RMD_TYPE_BYTES;
    v.as.bytes = bytes;
    return v;
}

/* Of any size; the type is the smallest that holds it. */
RMD_API rmd_value rmd_big(rmd_int128 x);
RMD_API rmd_value rmd_ubig(rmd_uint128 x);

/* An int whose magnitude is given in big-endian bytes, which are borrowed if there are more than
 * 16. Leading zeros are fine; the type is the smallest that holds it. */
RMD_API rmd_value rmd_big_of(bool negative, rmd_bytes magnitude);

static inline rmd_value rmd_list(const rmd_value *items, size_t count)
{
    rmd_value v = rmd_null();
    v.type = RMD_TYPE_LIST;
    v.as.list.items = items;
    v.as.list.count = count;
    return v;
}

static inline rmd_value rmd_map_value(const rmd_pair *pairs, size_t count)
{
    rmd_value v = rmd_null();
    v.type = RMD_TYPE_MAP;
    v.as.map.pairs = pairs;
    v.as.map.count = count;
    return v;
}

/* Borrows content, which is a text, bytes or a list. */
static inline rmd_value rmd_reference(const rmd_value *content)
{
    rmd_value v = rmd_null();
    v.type = RMD_TYPE_REFERENCE;
    v.as.content = content;
    return v;
}

static inline rmd_pair rmdi_pair(rmd_value key, rmd_value value)
{
    rmd_pair pair;
    pair.key = key;
    pair.value = value;
    return pair;
}

static inline rmd_value rmdi_value_same(rmd_value x)
{
    return x;
}

static inline rmd_value rmdi_value_at_pointer(const rmd_value *x)
{
    return x ? *x : rmd_null();
}

/* ---- reading ---- */

/* The magnitude of a BIG, big-endian; borrowed from the value. */
RMD_API rmd_bytes rmd_value_magnitude(const rmd_value *value);

/* The item of a list, counted from 0; NULL when there is none, or it is no list, or NULL. */
RMD_API const rmd_value *rmd_value_at(const rmd_value *list, size_t index);

/* The value that stands in a map under this text; NULL when there is none, or it is no map, or
 * NULL. Looks at one pair after the other. */
RMD_API const rmd_value *rmd_value_find(const rmd_value *map, const char *key);

/* Do both have the same encoding? So 1 and 1.0 are different, and so are 0.0 and -0.0; every NaN is
 * equal to every other; pairs of maps may stand in any order. */
RMD_API bool rmd_value_equal(const rmd_value *a, const rmd_value *b);

/* What is wanted of a value: the type of the variable that receives it. */
typedef enum rmd_wanted {
    RMD_WANT_BOOL,
    RMD_WANT_SIGNED, /* and the size of the integer, as in RMD_WANT_SIGNED + 4 */
    RMD_WANT_UNSIGNED = RMD_WANT_SIGNED + 32,
    RMD_WANT_DOUBLE = RMD_WANT_UNSIGNED + 32,
    RMD_WANT_TEXT,
    RMD_WANT_BYTES,
    RMD_WANT_VALUE,
} rmd_wanted;

/* rmd_value_get(value, &x): reads a value into a variable. x may be a bool, any integer (__int128,
 * too), a double, a const char *, an rmd_bytes or a const rmd_value *.
 *
 *   - A bool takes a bool, and the ints 0 and 1: in C, true and n > 1 are ints.
 *   - An integer takes an int that fits: else RMD_E2BIG.
 *   - A double takes a float, and an int which it can hold exactly: else RMD_E2BIG.
 *   - A const char * takes a text, and null as NULL; it is borrowed from the value's memory and
 *     ends in a 0. RMD_EINVAL for a text with a 0 inside, and for one that was made without a 0
 *     behind it (rmd_text_of).
 *   - An rmd_bytes takes bytes and a text, borrowed.
 *
 * RMD_EINVAL for everything else, and for NULL; the detail says what it is and what was wanted. x
 * is changed only on success. */
#define rmd_value_get(value, to) rmd_value_read((value), RMD_WANTED(to), (to))

/* The function behind it: `to` points to a variable of the wanted type. */
RMD_API int rmd_value_read(const rmd_value *value, rmd_wanted wanted, void *to);

/* ---- as text, as bytes ---- */

/* Writes the value in one line, like JSON: {"n": 12, "data": h'00ff', "list": [null, 1.5]}; a
 * reference as ref("…"). An int of more than 512 bytes is written in hexadecimal. Cut at size,
 * never inside a character. Returns the length it would have, like snprintf; RMD_E2BIG, with an
 * empty text, when that is more than INT_MAX or it is too deep. */
RMD_API int rmd_value_format(const rmd_value *value, char *text, size_t size);

/* Encodes the value in at most size bytes. Returns the length, which may be more than size: then
 * `to` holds nothing of use. Errors: RMD_EINVAL (text that is no UTF-8, a key twice or of a type
 * that keys have not, a type that is none), RMD_E2BIG (too deep), RMD_ENOMEM (to sort a large
 * map). */
RMD_API int64_t rmd_value_encode(const rmd_value *value, void *to, size_t size);

/* How much may be decoded. Zero means the default. */
typedef struct rmd_value_limits {
    size_t size;      /* sizeof(rmd_value_limits), exactly: else RMD_EINVAL */
    size_t bytes_max; /* of the encoded value; 16 MiB */
    size_t items_max; /* values, with all that are inside others; 1,000,000 */
    size_t depth_max; /* and at most RMD_VALUE_DEPTH_MAX, which is the default */
} rmd_value_limits;

/* Decodes one value, which must be encoded in the one way that docs/protocol/values.md allows, and
 * nothing behind it. *value gets it, with its own copies of everything, to be given to
 * rmd_value_free(). limits is borrowed and may be NULL. Errors, with *value untouched: RMD_EINVAL
 * naming the byte and the cause; RMD_E2BIG for a limit, which is seen before memory is taken;
 * RMD_ENOMEM. */
RMD_API int rmd_value_decode(const rmd_value **value, rmd_bytes encoded,
                             const rmd_value_limits *limits) RMD_NODISCARD;

/* Gives back what rmd_value_decode() made, and all that is inside. NULL is fine. */
RMD_API void rmd_value_free(const rmd_value *value);

RMD_END

#ifdef __cplusplus

/* ---- the same in C++, by overloads. RMD_LIST_OF, RMD_MAP_OF and RMD_PAIR are C's: here, an array
 * and rmd_list() or rmd_map_value() ---- */

#define RMDI_CXX_INT(type)                       \
    static inline rmd_value rmd_value_of(type x) \
    {                                            \
        return rmd_int(x);                       \
    }
#define RMDI_CXX_UINT(type)                      \
    static inline rmd_value rmd_value_of(type x) \
    {                                            \
        return rmd_uint(x);                      \
    }
#define RMDI_CXX_WANTED(type, wanted)               \
    static inline rmd_wanted rmdi_wanted_of(type *) \
    {                                               \
        return static_cast<rmd_wanted>(wanted);     \
    }
#define RMDI_CXX_SIGNED(type) \
    RMDI_CXX_INT(type)        \
    RMDI_CXX_WANTED(type, RMD_WANT_SIGNED + static_cast<int>(sizeof(type)))
#define RMDI_CXX_UNSIGNED(type) \
    RMDI_CXX_UINT(type)         \
    RMDI_CXX_WANTED(type, RMD_WANT_UNSIGNED + static_cast<int>(sizeof(type)))

RMDI_CXX_SIGNED(signed char)
RMDI_CXX_SIGNED(short)
RMDI_CXX_SIGNED(int)
RMDI_CXX_SIGNED(long)
RMDI_CXX_SIGNED(long long)
RMDI_CXX_UNSIGNED(unsigned char)
RMDI_CXX_UNSIGNED(unsigned short)
RMDI_CXX_UNSIGNED(unsigned)
RMDI_CXX_UNSIGNED(unsigned long)
RMDI_CXX_UNSIGNED(unsigned long long)
RMDI_CXX_WANTED(bool, RMD_WANT_BOOL)
RMDI_CXX_WANTED(rmd_int128, RMD_WANT_SIGNED + 16)
RMDI_CXX_WANTED(rmd_uint128, RMD_WANT_UNSIGNED + 16)
RMDI_CXX_WANTED(double, RMD_WANT_DOUBLE)
RMDI_CXX_WANTED(const char *, RMD_WANT_TEXT)
RMDI_CXX_WANTED(rmd_bytes, RMD_WANT_BYTES)
RMDI_CXX_WANTED(const rmd_value *, RMD_WANT_VALUE)

static inline rmd_value rmd_value_of(bool x)
{
    return rmd_bool(x);
}

static inline rmd_value rmd_value_of(double x)
{
    return rmd_float(x);
}

static inline rmd_value rmd_value_of(rmd_int128 x)
{
    return rmd_big(x);
}

static inline rmd_value rmd_value_of(rmd_uint128 x)
{
    return rmd_ubig(x);
}

static inline rmd_value rmd_value_of(const char *x)
{
    return rmd_text(x);
}

static inline rmd_value rmd_value_of(rmd_bytes x)
{
    return rmd_bytes_value(x);
}

static inline rmd_value rmd_value_of(rmd_value x)
{
    return x;
}

static inline rmd_value rmd_value_of(const rmd_value *x)
{
    return rmdi_value_at_pointer(x);
}

#define RMD_VALUE(x)   rmd_value_of(x)
#define RMD_WANTED(to) rmdi_wanted_of(to)

#else /* C */

/* The value of x, which is a bool, any integer (__int128, too), a float or double, a (const) char *
 * (a text; NULL is null), an rmd_bytes, an rmd_value or a pointer to one. What C takes for an int
 * is one: also 'a', n > 1 and, before C23, true. */
#define RMD_VALUE(x) _Generic((x), RMDI_VALUE_KINDS)(x)
/* clang-format off */
#define RMDI_KIND(type, make) type: make
/* clang-format on */
#define RMDI_VALUE_KINDS                                                                           \
    RMDI_KIND(bool, rmd_bool), RMDI_KIND(char, rmd_int), RMDI_KIND(signed char, rmd_int),          \
        RMDI_KIND(short, rmd_int), RMDI_KIND(int, rmd_int), RMDI_KIND(long, rmd_int),              \
        RMDI_KIND(long long, rmd_int), RMDI_KIND(unsigned char, rmd_uint),                         \
        RMDI_KIND(unsigned short, rmd_uint), RMDI_KIND(unsigned, rmd_uint),                        \
        RMDI_KIND(unsigned long, rmd_uint), RMDI_KIND(unsigned long long, rmd_uint),               \
        RMDI_KIND(float, rmd_float), RMDI_KIND(double, rmd_float), RMDI_KIND(rmd_int128, rmd_big), \
        RMDI_KIND(rmd_uint128, rmd_ubig), RMDI_KIND(char *, rmd_text),                             \
        RMDI_KIND(const char *, rmd_text), RMDI_KIND(rmd_bytes, rmd_bytes_value),                  \
        RMDI_KIND(rmd_value, rmdi_value_same), RMDI_KIND(rmd_value *, rmdi_value_at_pointer),      \
        RMDI_KIND(const rmd_value *, rmdi_value_at_pointer)

/* A list of up to 16 values: RMD_LIST_OF(1, "two", 3.0). For more, an array and rmd_list(). */
#define RMD_LIST_OF(...)                                                          \
    rmd_list((const rmd_value[]){ RMDI_EACH(RMD_VALUE, __VA_ARGS__) rmd_null() }, \
             RMDI_COUNT(__VA_ARGS__))

/* A map of up to 16 pairs: RMD_MAP_OF(RMD_PAIR("x", 1), RMD_PAIR("y", 2)). For more, an array and
 * rmd_map_value(). */
#define RMD_MAP_OF(...)                                                                 \
    rmd_map_value((const rmd_pair[]){ RMDI_EACH(RMDI_SAME, __VA_ARGS__) RMDI_NO_PAIR }, \
                  RMDI_COUNT(__VA_ARGS__))
#define RMD_PAIR(key, value) rmdi_pair(RMD_VALUE(key), RMD_VALUE(value))
#define RMDI_NO_PAIR         rmdi_pair(rmd_null(), rmd_null())

/* What the variable wants that `to` points to. */
#define RMD_WANTED(to) \
    ((rmd_wanted)_Generic((to),                                                         \
        bool *: RMD_WANT_BOOL,                                                          \
        signed char *: RMD_WANT_SIGNED + (int)sizeof(signed char),                      \
        short *: RMD_WANT_SIGNED + (int)sizeof(short),                                  \
        int *: RMD_WANT_SIGNED + (int)sizeof(int),                                      \
        long *: RMD_WANT_SIGNED + (int)sizeof(long),                                    \
        long long *: RMD_WANT_SIGNED + (int)sizeof(long long),                          \
        rmd_int128 *: RMD_WANT_SIGNED + (int)sizeof(rmd_int128),                        \
        unsigned char *: RMD_WANT_UNSIGNED + (int)sizeof(unsigned char),                \
        unsigned short *: RMD_WANT_UNSIGNED + (int)sizeof(unsigned short),              \
        unsigned *: RMD_WANT_UNSIGNED + (int)sizeof(unsigned),                          \
        unsigned long *: RMD_WANT_UNSIGNED + (int)sizeof(unsigned long),                \
        unsigned long long *: RMD_WANT_UNSIGNED + (int)sizeof(unsigned long long),      \
        rmd_uint128 *: RMD_WANT_UNSIGNED + (int)sizeof(rmd_uint128),                    \
        double *: RMD_WANT_DOUBLE,                                                      \
        const char **: RMD_WANT_TEXT,                                                   \
        rmd_bytes *: RMD_WANT_BYTES,                                                    \
        const rmd_value **: RMD_WANT_VALUE))

/* ---- the machinery: how many arguments there are, from 0 to 16, and a macro for each ---- */

#define RMDI_SAME(x)                                                        x
#define RMDI_JOIN(a, b)                                                     RMDI_JOIN_2(a, b)
#define RMDI_JOIN_2(a, b)                                                   a##b
#define RMDI_17TH(...)                                                      RMDI_17TH_2(__VA_ARGS__)
#define RMDI_17TH_2(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, ...) q
/* With an argument for the dots at the end. */
#define RMDI_COMMAS(...) \
    RMDI_17TH(__VA_ARGS__, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, )
/* One empty argument and none look alike: no comma is in it, but there is one when it is put
 * between the name of a macro that makes one and its brackets. */
#define RMDI_A_COMMA(...) ,
#define RMDI_COUNT(...)                                                           \
    RMDI_COUNT_2(RMDI_COMMAS(__VA_ARGS__), RMDI_COMMAS(RMDI_A_COMMA __VA_ARGS__), \
                 RMDI_COMMAS(__VA_ARGS__()), RMDI_COMMAS(RMDI_A_COMMA __VA_ARGS__()))
#define RMDI_COUNT_2(commas, b, c, d) RMDI_COUNT_3(commas, b, c, d)
#define RMDI_COUNT_3(commas, b, c, d) RMDI_COUNT_OF_##commas(b, c, d)
#define RMDI_COUNT_OF_0(b, c, d)      RMDI_COUNT_IF_##b##_##c##_##d
#define RMDI_COUNT_OF_1(b, c, d)      2
#define RMDI_COUNT_OF_2(b, c, d)      3
#define RMDI_COUNT_OF_3(b, c, d)      4
#define RMDI_COUNT_OF_4(b, c, d)      5
#define RMDI_COUNT_OF_5(b, c, d)      6
#define RMDI_COUNT_OF_6(b, c, d)      7
#define RMDI_COUNT_OF_7(b, c, d)      8
#define RMDI_COUNT_OF_8(b, c, d)      9
#define RMDI_COUNT_OF_9(b, c, d)      10
#define RMDI_COUNT_OF_10(b, c, d)     11
#define RMDI_COUNT_OF_11(b, c, d)     12
#define RMDI_COUNT_OF_12(b, c, d)     13
#define RMDI_COUNT_OF_13(b, c, d)     14
#define RMDI_COUNT_OF_14(b, c, d)     15
#define RMDI_COUNT_OF_15(b, c, d)     16
#define RMDI_COUNT_IF_0_0_0           1
#define RMDI_COUNT_IF_0_0_1           0
#define RMDI_COUNT_IF_0_1_0           1
#define RMDI_COUNT_IF_0_1_1           1
#define RMDI_COUNT_IF_1_0_0           1
#define RMDI_COUNT_IF_1_0_1           1
#define RMDI_COUNT_IF_1_1_0           1
#define RMDI_COUNT_IF_1_1_1           1

#define RMDI_EACH(m, ...) RMDI_JOIN(RMDI_EACH_, RMDI_COUNT(__VA_ARGS__))(m, __VA_ARGS__)
#define RMDI_EACH_0(m, nothing)
#define RMDI_EACH_1(m, a)       m(a),
#define RMDI_EACH_2(m, a, ...)  m(a), RMDI_EACH_1(m, __VA_ARGS__)
#define RMDI_EACH_3(m, a, ...)  m(a), RMDI_EACH_2(m, __VA_ARGS__)
#define RMDI_EACH_4(m, a, ...)  m(a), RMDI_EACH_3(m, __VA_ARGS__)
#define RMDI_EACH_5(m, a, ...)  m(a), RMDI_EACH_4(m, __VA_ARGS__)
#define RMDI_EACH_6(m, a, ...)  m(a), RMDI_EACH_5(m, __VA_ARGS__)
#define RMDI_EACH_7(m, a, ...)  m(a), RMDI_EACH_6(m, __VA_ARGS__)
#define RMDI_EACH_8(m, a, ...)  m(a), RMDI_EACH_7(m, __VA_ARGS__)
#define RMDI_EACH_9(m, a, ...)  m(a), RMDI_EACH_8(m, __VA_ARGS__)
#define RMDI_EACH_10(m, a, ...) m(a), RMDI_EACH_9(m, __VA_ARGS__)
#define RMDI_EACH_11(m, a, ...) m(a), RMDI_EACH_10(m, __VA_ARGS__)
#define RMDI_EACH_12(m, a, ...) m(a), RMDI_EACH_11(m, __VA_ARGS__)
#define RMDI_EACH_13(m, a, ...) m(a), RMDI_EACH_12(m, __VA_ARGS__)
#define RMDI_EACH_14(m, a, ...) m(a), RMDI_EACH_13(m, __VA_ARGS__)
#define RMDI_EACH_15(m, a, ...) m(a), RMDI_EACH_14(m, __VA_ARGS__)
#define RMDI_EACH_16(m, a, ...) m(a), RMDI_EACH_15(m, __VA_ARGS__)

#endif

#endif
