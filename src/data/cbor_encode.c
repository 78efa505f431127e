/* SPDX-License-Identifier: MIT */
/* Keys of maps are compared as values, without encoding them: their heads first, and those decide
 * unless both are texts, bytes or bignums of the same length. Most maps come in order, and take no
 * memory; others are sorted as an array of pointers to their pairs. */
#include "base/alloc.h"
#include "base/error.h"
#include "data/bignum.h"
#include "data/cbor.h"
#include "data/cbor_float.h"
#include "data/value_text.h"

#include <string.h>

enum { NATURAL = 0, NEGATIVE, BYTES, TEXT, LIST, MAP, TAG, OTHER };
enum { HEAD_MAX = 9, FALSE = 0xf4, TRUE = 0xf5, NIL = 0xf6, FEW_PAIRS = 16 };

/* Where the bytes go: into memory of the caller, where those that do not fit are only counted; or
 * into a buffer, which grows. */
typedef struct writer {
    rmdi_buffer *grows;
    unsigned char *to;
    size_t room, len;
} writer;

static int make_room(writer *w, size_t n)
{
    w->grows->len = w->len;
    int err = rmdi_buffer_reserve(w->grows, n);
    if (err < 0)
        return err;
    w->to = (unsigned char *)w->grows->data;
    w->room = w->grows->capacity - 1;
    return 0;
}

static int put(writer *w, const void *data, size_t n)
{
    if (n > w->room - w->len && w->grows) {
        int err = make_room(w, n);
        if (err < 0)
            return err;
    }
    if (w->len <= w->room && n <= w->room - w->len && n)
        memcpy(w->to + w->len, data, n);
    w->len += n;
    return 0;
}

/* The last bytes of a number, big-endian. `to` has room for 8, whatever is asked for: one store is
 * faster than a loop. */
static void put_number(unsigned char *to, uint64_t number, unsigned bytes)
{
    number = __builtin_bswap64(number << (64 - 8 * bytes));
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    number = __builtin_bswap64(number);
#endif
    memcpy(to, &number, sizeof number);
}

/* `to` has room for HEAD_MAX. */
static size_t make_head(unsigned char *to, unsigned major, uint64_t number)
{
    if (number < 24) {
        to[0] = (unsigned char)(major << 5 | number);
        return 1;
    }
    unsigned size = 0u + (number > UINT8_MAX) + (number > UINT16_MAX) + (number > UINT32_MAX);
    to[0] = (unsigned char)(major << 5 | (24 + size));
    put_number(to + 1, number, 1u << size);
    return 1 + (1u << size);
}

static size_t make_int(unsigned char *to, int64_t x)
{
    return x < 0 ? make_head(to, NEGATIVE, ~(uint64_t)x) : make_head(to, NATURAL, (uint64_t)x);
}

/* Most numbers that are not whole have bits at the end for which only a double has room. */
static size_t make_float(unsigned char *to, double x)
{
    enum { ENDS = 0x1fffffff };
    uint32_t single;
    uint16_t half = 0x7e00;
    uint64_t bits = rmdi_float_bits(x);
    unsigned size = 1;
    if (x == x && (bits & ENDS || !rmdi_float_narrow_64_to_32(bits, &single)))
        size = 3;
    else if (x == x && !rmdi_float_narrow_32_to_16(single, &half))
        size = 2;
    to[0] = (unsigned char)(OTHER << 5 | (24 + size));
    put_number(to + 1, size == 3 ? bits : size == 2 ? single : half, 1u << size);
    return 1 + (1u << size);
}

static int put_head(writer *w, unsigned major, uint64_t number)
{
    unsigned char head[HEAD_MAX];
    return put(w, head, make_head(head, major, number));
}

/* ---- scalars: a head, and for some what stands behind it ---- */

typedef struct scalar {
    unsigned char head[1 + HEAD_MAX];
    size_t head_len;
    rmd_bytes rest;
    bool less_one; /* the rest less 1, which is a byte shorter if rest_len is less than rest.len */
    size_t rest_len;
} scalar;

/* Is a stripped magnitude a power of 256, which has a byte less when it is decreased? */
static bool loses_a_byte(rmd_bytes magnitude)
{
    const unsigned char *p = magnitude.data;
    for (size_t i = 1; i < magnitude.len; i++)
        if (p[i])
            return false;
    return p[0] == 1;
}

static void take_big(scalar *s, const rmd_value *v)
{
    rmd_bytes magnitude = rmdi_big_strip(rmd_value_magnitude(v));
    bool negative = v->negative && magnitude.len;
    s->rest_len = magnitude.len - (negative && loses_a_byte(magnitude));
    if (s->rest_len <= sizeof(uint64_t)) {
        uint64_t number = (uint64_t)(rmdi_big_to_number(magnitude) - negative);
        s->head_len = make_head(s->head, negative ? NEGATIVE : NATURAL, number);
        s->rest_len = 0;
        return;
    }
    s->rest = magnitude;
    s->less_one = negative;
    s->head[0] = (unsigned char)(TAG << 5 |
                                 (negative ? RMDI_CBOR_TAG_NEGATIVE : RMDI_CBOR_TAG_NATURAL));
    s->head_len = 1 + make_head(s->head + 1, BYTES, s->rest_len);
}

static void take_bytes(scalar *s, unsigned major, rmd_bytes bytes)
{
    s->rest = bytes;
    s->rest_len = bytes.len;
    s->head_len = make_head(s->head, major, bytes.len);
}

static void take_byte(scalar *s, unsigned char byte)
{
    s->head[0] = byte;
    s->head_len = 1;
}

/* False: it is none. */
static bool take_scalar(scalar *s, const rmd_value *v)
{
    s->rest = (rmd_bytes){ 0 };
    s->rest_len = 0;
    s->less_one = false;
    switch (v->type) {
    case RMD_TYPE_NULL: take_byte(s, NIL); return true;
    case RMD_TYPE_BOOL: take_byte(s, v->as.boolean ? TRUE : FALSE); return true;
    case RMD_TYPE_INT: s->head_len = make_int(s->head, v->as.integer); return true;
    case RMD_TYPE_UINT: s->head_len = make_head(s->head, NATURAL, v->as.natural); return true;
    case RMD_TYPE_BIG: take_big(s, v); return true;
    case RMD_TYPE_FLOAT: s->head_len = make_float(s->head, v->as.real); return true;
    case RMD_TYPE_TEXT: take_bytes(s, TEXT, v->as.bytes); return true;
    case RMD_TYPE_BYTES: take_bytes(s, BYTES, v->as.bytes); return true;
    default: return false;
    }
}

static int put_less_one(writer *w, const scalar *s)
{
    static const unsigned char zeros[64];
    for (size_t n = 0; n < s->rest.len; n += sizeof zeros) {
        size_t rest = s->rest.len - n;
        int err = put(w, zeros, rest < sizeof zeros ? rest : sizeof zeros);
        if (err < 0)
            return err;
    }
    size_t start = w->len - s->rest.len;
    if (w->len <= w->room) {
        size_t len = rmdi_big_decrease(s->rest, w->to + start);
        if (len < s->rest.len)
            memmove(w->to + start, w->to + start + 1, len);
    }
    w->len = start + s->rest_len;
    return 0;
}

/* Where a head may be written; the caller then adds its length. NULL: no memory, or no room. */
static unsigned char *head_room(writer *w)
{
    if (w->len <= w->room && w->room - w->len >= HEAD_MAX)
        return w->to + w->len;
    return w->grows && make_room(w, HEAD_MAX) == 0 ? w->to + w->len : NULL;
}

/* What most arguments are, straight to its place. False: something else, or there is no room. */
static bool put_plain(writer *w, const rmd_value *v)
{
    unsigned char *to = head_room(w);
    if (!to)
        return false;
    switch (v->type) {
    case RMD_TYPE_NULL:
        *to = NIL;
        w->len++;
        return true;
    case RMD_TYPE_BOOL:
        *to = v->as.boolean ? TRUE : FALSE;
        w->len++;
        return true;
    case RMD_TYPE_INT: w->len += make_int(to, v->as.integer); return true;
    case RMD_TYPE_UINT: w->len += make_head(to, NATURAL, v->as.natural); return true;
    case RMD_TYPE_FLOAT: w->len += make_float(to, v->as.real); return true;
    default: return false;
    }
}

static int put_string(writer *w, unsigned major, rmd_bytes bytes)
{
    if (!bytes.data && bytes.len)
        return rmdi_fail(RMD_EINVAL, "%zu bytes at NULL cannot be encoded", bytes.len);
    if (major == TEXT) {
        size_t bad = rmdi_text_check(bytes.data, bytes.len);
        if (bad < bytes.len)
            return rmdi_fail(RMD_EINVAL, "a text of %zu bytes: byte %zu is not UTF-8", bytes.len,
                             bad);
    }
    int err = put_head(w, major, bytes.len);
    return err < 0 ? err : put(w, bytes.data, bytes.len);
}

static int put_rest(writer *w, const rmd_value *v)
{
    scalar s;
    if (!take_scalar(&s, v))
        return rmdi_fail(RMD_EINVAL, "a value of type %s (%d) cannot be encoded",
                         rmd_type_name(v->type), (int)v->type);
    int err = put(w, s.head, s.head_len);
    if (err == 0 && s.rest_len)
        err = s.less_one ? put_less_one(w, &s) : put(w, s.rest.data, s.rest_len);
    return err;
}

static int put_scalar(writer *w, const rmd_value *v)
{
    if (v->type == RMD_TYPE_TEXT)
        return put_string(w, TEXT, v->as.bytes);
    if (v->type == RMD_TYPE_BYTES)
        return put_string(w, BYTES, v->as.bytes);
    return put_plain(w, v) ? 0 : put_rest(w, v);
}

bool rmdi_cbor_is_scalar(rmd_type type)
{
    return (unsigned)type <= RMD_TYPE_BYTES;
}

int rmdi_cbor_compare(const rmd_value *a, const rmd_value *b)
{
    scalar x, y;
    (void)take_scalar(&x, a);
    (void)take_scalar(&y, b);
    /* No head is the beginning of another one, so they differ before the shorter ends. */
    size_t len = x.head_len < y.head_len ? x.head_len : y.head_len;
    int order = memcmp(x.head, y.head, len);
    if (order || !x.rest_len)
        return order;
    /* The same head: both have the same length, and 1 is taken off both or neither. */
    return x.head[0] >> 5 == TAG ? rmdi_big_compare(x.rest, y.rest)
                                 : memcmp(x.rest.data, y.rest.data, x.rest_len);
}

/* ---- lists and maps ---- */

static int put_value(writer *w, const rmd_value *v, unsigned depth);

static int put_list(writer *w, const rmd_value *v, unsigned depth)
{
    int err = put_head(w, LIST, v->as.list.count);
    for (size_t i = 0; i < v->as.list.count && err == 0; i++)
        err = put_value(w, &v->as.list.items[i], depth);
    return err;
}

static int put_pair(writer *w, const rmd_pair *pair, unsigned depth)
{
    int err = put_scalar(w, &pair->key);
    return err < 0 ? err : put_value(w, &pair->value, depth);
}

static void sift_down(const rmd_pair **pairs, size_t i, size_t count)
{
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && rmdi_cbor_compare(&pairs[child]->key, &pairs[child + 1]->key) < 0)
            child++;
        if (rmdi_cbor_compare(&pairs[i]->key, &pairs[child]->key) >= 0)
            return;
        const rmd_pair *swap = pairs[i];
        pairs[i] = pairs[child];
        pairs[child] = swap;
    }
}

/* Heapsort: the same time for whatever order somebody else's map comes in, and no memory. */
static void sort(const rmd_pair **pairs, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(pairs, i, count);
    for (size_t end = count; end-- > 1;) {
        const rmd_pair *last = pairs[end];
        pairs[end] = pairs[0];
        pairs[0] = last;
        sift_down(pairs, 0, end);
    }
}

static int refuse_twice(const rmd_value *key)
{
    char text[64];
    (void)rmd_value_format(key, text, sizeof text);
    return rmdi_fail(RMD_EINVAL, "a map has the key %s twice", text);
}

static int put_sorted(writer *w, const rmd_pair **sorted, const rmd_value *v, unsigned depth)
{
    size_t count = v->as.map.count;
    int err = 0;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &v->as.map.pairs[i];
    sort(sorted, count);
    for (size_t i = 0; i < count && err == 0; i++) {
        if (i && rmdi_cbor_compare(&sorted[i - 1]->key, &sorted[i]->key) == 0)
            return refuse_twice(&sorted[i]->key);
        err = put_pair(w, sorted[i], depth);
    }
    return err;
}

/* Not inlined: the frames of the maps around it need no such array. */
static __attribute__((noinline)) int put_few(writer *w, const rmd_value *v, unsigned depth)
{
    const rmd_pair *sorted[FEW_PAIRS];
    return put_sorted(w, sorted, v, depth);
}

static int put_many(writer *w, const rmd_value *v, unsigned depth)
{
    const rmd_pair **sorted = rmdi_alloc(v->as.map.count * sizeof *sorted);
    if (!sorted)
        return rmdi_fail_memory();
    int err = put_sorted(w, sorted, v, depth);
    rmdi_free(sorted);
    return err;
}

/* RMD_EINVAL: a key is none. Else 1 if all stand in order, and 0 if not. */
static int look_at_keys(const rmd_value *v)
{
    const rmd_pair *pairs = v->as.map.pairs;
    int in_order = 1;
    for (size_t i = 0; i < v->as.map.count; i++) {
        if (!rmdi_cbor_is_scalar(pairs[i].key.type))
            return rmdi_fail(RMD_EINVAL, "a value of type %s cannot be the key of a map",
                             rmd_type_name(pairs[i].key.type));
        if (i && in_order && rmdi_cbor_compare(&pairs[i - 1].key, &pairs[i].key) >= 0)
            in_order = 0;
    }
    return in_order;
}

static int put_map(writer *w, const rmd_value *v, unsigned depth)
{
    size_t count = v->as.map.count;
    int in_order = look_at_keys(v);
    int err = in_order < 0 ? in_order : put_head(w, MAP, count);
    if (err < 0)
        return err;
    if (!in_order)
        return count <= FEW_PAIRS ? put_few(w, v, depth) : put_many(w, v, depth);
    for (size_t i = 0; i < count && err == 0; i++)
        err = put_pair(w, &v->as.map.pairs[i], depth);
    return err;
}

static int put_reference(writer *w, const rmd_value *v, unsigned depth)
{
    const rmd_value *content = v->as.content;
    if (!content || (content->type != RMD_TYPE_TEXT && content->type != RMD_TYPE_BYTES &&
                     content->type != RMD_TYPE_LIST))
        return rmdi_fail(RMD_EINVAL, "a reference holds a text, bytes or a list, not %s",
                         content ? rmd_type_name(content->type) : "nothing");
    int err = put_head(w, TAG, RMDI_CBOR_TAG_REFERENCE);
    return err < 0 ? err : put_value(w, content, depth);
}

static int put_value(writer *w, const rmd_value *v, unsigned depth)
{
    bool nests = v->type == RMD_TYPE_LIST || v->type == RMD_TYPE_MAP ||
                 v->type == RMD_TYPE_REFERENCE;
    if (!nests)
        return put_scalar(w, v);
    if (depth == RMD_VALUE_DEPTH_MAX)
        return rmdi_fail(RMD_E2BIG, "values lie more than %d deep in each other",
                         RMD_VALUE_DEPTH_MAX);
    if (v->type == RMD_TYPE_LIST)
        return put_list(w, v, depth + 1);
    return v->type == RMD_TYPE_MAP ? put_map(w, v, depth + 1) : put_reference(w, v, depth + 1);
}

int rmdi_cbor_encode(rmdi_buffer *out, const rmd_value *value)
{
    size_t before = out->len;
    writer w = { .grows = out, .to = (unsigned char *)out->data, .len = before };
    w.room = out->capacity ? out->capacity - 1 : 0;
    int err = put_value(&w, value, 0);
    out->len = err < 0 ? before : w.len;
    if (out->data)
        out->data[out->len] = 0;
    return err;
}

int64_t rmd_value_encode(const rmd_value *value, void *to, size_t size)
{
    writer w = { .to = to, .room = to ? size : 0 };
    if (!value)
        return rmdi_fail(RMD_EINVAL, "encode: no value was given");
    int err = put_value(&w, value, 0);
    return err < 0 ? err : (int64_t)w.len;
}
