/* SPDX-License-Identifier: MIT */
#include <remuda/value.h>

#include "data/bignum.h"
#include "data/cbor.h"

#include <string.h>

const char *rmd_type_name(rmd_type type)
{
    switch (type) {
    case RMD_TYPE_NULL: return "null";
    case RMD_TYPE_BOOL: return "bool";
    case RMD_TYPE_INT:
    case RMD_TYPE_UINT:
    case RMD_TYPE_BIG: return "int";
    case RMD_TYPE_FLOAT: return "float";
    case RMD_TYPE_TEXT: return "text";
    case RMD_TYPE_BYTES: return "bytes";
    case RMD_TYPE_LIST: return "list";
    case RMD_TYPE_MAP: return "map";
    case RMD_TYPE_REFERENCE: return "reference";
    case RMD_TYPE_ABSENT: return "nothing";
    case RMD_TYPE_NAMED: return "named";
    }
    return "?";
}

/* ---- making ---- */

rmd_value rmd_text_of(const char *text, size_t len)
{
    rmd_value v = rmd_null();
    v.type = RMD_TYPE_TEXT;
    v.as.bytes = (rmd_bytes){ .data = text, .len = len };
    return v;
}

rmd_value rmd_text(const char *text)
{
    if (!text)
        return rmd_null();
    rmd_value v = rmd_text_of(text, strlen(text));
    v.terminated = true;
    return v;
}

static rmd_value small(bool negative, uint64_t number)
{
    return negative ? rmd_int(-1 - (int64_t)(number - 1)) : rmd_uint(number);
}

rmd_value rmd_big_of(bool negative, rmd_bytes magnitude)
{
    rmd_value v = rmd_null();
    magnitude = rmdi_big_strip(magnitude);
    if (magnitude.len <= sizeof(uint64_t)) {
        uint64_t number = (uint64_t)rmdi_big_to_number(magnitude);
        if (!negative || !number || number <= (uint64_t)INT64_MAX + 1)
            return small(negative && number, number);
    }
    v.type = RMD_TYPE_BIG;
    v.negative = negative;
    if (magnitude.len <= sizeof v.as.big) {
        v.big_len = (unsigned char)magnitude.len;
        memcpy(v.as.big, magnitude.data, magnitude.len);
    } else {
        v.as.bytes = magnitude;
    }
    return v;
}

static rmd_value big(bool negative, rmd_uint128 number)
{
    unsigned char bytes[16];
    for (int i = 16; i-- > 0; number >>= 8)
        bytes[i] = (unsigned char)number;
    return rmd_big_of(negative, (rmd_bytes){ .data = bytes, .len = sizeof bytes });
}

rmd_value rmd_big(rmd_int128 x)
{
    return big(x < 0, x < 0 ? -(rmd_uint128)x : (rmd_uint128)x);
}

rmd_value rmd_ubig(rmd_uint128 x)
{
    return big(false, x);
}

/* ---- reading ---- */

rmd_bytes rmd_value_magnitude(const rmd_value *value)
{
    if (!value || value->type != RMD_TYPE_BIG)
        return (rmd_bytes){ 0 };
    return value->big_len ? (rmd_bytes){ .data = value->as.big, .len = value->big_len }
                          : value->as.bytes;
}

const rmd_value *rmd_value_at(const rmd_value *list, size_t index)
{
    if (!list || list->type != RMD_TYPE_LIST || index >= list->as.list.count)
        return NULL;
    return &list->as.list.items[index];
}

static bool is_text(const rmd_value *v, const char *text, size_t len)
{
    return v->type == RMD_TYPE_TEXT && v->as.bytes.len == len &&
           memcmp(v->as.bytes.data, text, len) == 0;
}

const rmd_value *rmd_value_find(const rmd_value *map, const char *key)
{
    if (!map || map->type != RMD_TYPE_MAP || !key)
        return NULL;
    size_t len = strlen(key);
    for (size_t i = 0; i < map->as.map.count; i++)
        if (is_text(&map->as.map.pairs[i].key, key, len))
            return &map->as.map.pairs[i].value;
    return NULL;
}

/* ---- equality ---- */

static bool equal_to(const rmd_value *a, const rmd_value *b, unsigned depth);

static bool equal_lists(const rmd_value *a, const rmd_value *b, unsigned depth)
{
    if (a->as.list.count != b->as.list.count)
        return false;
    for (size_t i = 0; i < a->as.list.count; i++)
        if (!equal_to(&a->as.list.items[i], &b->as.list.items[i], depth))
            return false;
    return true;
}

/* The value that stands under the same key; where it stands in the other map is the first guess. */
static const rmd_value *counterpart(const rmd_value *map, const rmd_pair *pair, size_t guess)
{
    const rmd_pair *pairs = map->as.map.pairs;
    size_t count = map->as.map.count;
    for (size_t n = 0; n < count; n++) {
        const rmd_pair *other = &pairs[(guess + n) % count];
        if (rmdi_cbor_is_scalar(other->key.type) && rmdi_cbor_compare(&other->key, &pair->key) == 0)
            return &other->value;
    }
    return NULL;
}

static bool equal_maps(const rmd_value *a, const rmd_value *b, unsigned depth)
{
    if (a->as.map.count != b->as.map.count)
        return false;
    for (size_t i = 0; i < a->as.map.count; i++) {
        const rmd_pair *pair = &a->as.map.pairs[i];
        const rmd_value *other = NULL;
        if (rmdi_cbor_is_scalar(pair->key.type))
            other = counterpart(b, pair, i);
        if (!other || !equal_to(&pair->value, other, depth))
            return false;
    }
    return true;
}

static bool equal_to(const rmd_value *a, const rmd_value *b, unsigned depth)
{
    if (rmdi_cbor_is_scalar(a->type) && rmdi_cbor_is_scalar(b->type))
        return rmdi_cbor_compare(a, b) == 0;
    if (a->type != b->type || depth == RMD_VALUE_DEPTH_MAX)
        return false;
    switch (a->type) {
    case RMD_TYPE_LIST: return equal_lists(a, b, depth + 1);
    case RMD_TYPE_MAP: return equal_maps(a, b, depth + 1);
    case RMD_TYPE_REFERENCE: return equal_to(a->as.content, b->as.content, depth + 1);
    default: return a->type == RMD_TYPE_ABSENT;
    }
}

bool rmd_value_equal(const rmd_value *a, const rmd_value *b)
{
    return a && b ? equal_to(a, b, 0) : a == b;
}
