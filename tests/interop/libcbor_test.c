/* SPDX-License-Identifier: MIT */
/* The codec against libcbor, in both directions. */
#include "random_value.h"

#include "kit.h"

#include <cbor.h>
#include <remuda/error.h>
#include <stdlib.h>

enum { VALUES = 20000, BYTES_MAX = 1 << 20, NESTED_MAX = 4096 };

static unsigned char bytes[BYTES_MAX], again[BYTES_MAX];

/* ---- what libcbor has decoded, as a value of ours ---- */

static rmd_value nested[NESTED_MAX];
static size_t nested_used;

static rmd_value *take(size_t count)
{
    rmd_value *taken = &nested[nested_used];
    nested_used += count;
    REQUIRE(nested_used <= NESTED_MAX);
    return taken;
}

static rmd_value convert(cbor_item_t *item);

static rmd_value convert_int(cbor_item_t *item)
{
    uint64_t number = cbor_get_int(item);
    return cbor_isa_uint(item) ? rmd_uint(number) : rmd_big(-1 - (rmd_int128)number);
}

static rmd_value convert_list(cbor_item_t *item)
{
    size_t count = cbor_array_size(item);
    rmd_value *items = take(count);
    for (size_t i = 0; i < count; i++)
        items[i] = convert(cbor_array_handle(item)[i]);
    return rmd_list(items, count);
}

static rmd_value convert_map(cbor_item_t *item)
{
    size_t count = cbor_map_size(item);
    rmd_value *items = take(2 * count);
    for (size_t i = 0; i < count; i++) {
        items[2 * i] = convert(cbor_map_handle(item)[i].key);
        items[2 * i + 1] = convert(cbor_map_handle(item)[i].value);
    }
    return rmd_map_value((rmd_pair *)(void *)items, count);
}

/* Magnitudes of negative ones are n, for -1 - n: one more, in bytes that last. */
static rmd_value convert_big(cbor_item_t *content, bool negative)
{
    static unsigned char room[65536];
    static size_t room_used;
    size_t len = cbor_bytestring_length(content), i = len + 1;
    if (room_used + len + 1 > sizeof room)
        room_used = 0;
    unsigned char *to = room + room_used;
    room_used += len + 1;
    to[0] = 0;
    memcpy(to + 1, cbor_bytestring_handle(content), len);
    while (negative && ++to[--i] == 0)
        ;
    return rmd_big_of(negative, (rmd_bytes){ to, len + 1 });
}

static rmd_value convert_tag(cbor_item_t *item)
{
    cbor_item_t *content = cbor_tag_item(item);
    rmd_value *inside = take(1);
    uint64_t tag = cbor_tag_value(item);
    *inside = tag == 2 || tag == 3 ? convert_big(content, tag == 3) : convert(content);
    cbor_decref(&content); /* the item has one of its own */
    return tag == 2 || tag == 3 ? *inside : rmd_reference(inside);
}

static rmd_value convert_other(cbor_item_t *item)
{
    if (cbor_is_float(item) && cbor_float_get_width(item) != CBOR_FLOAT_0)
        return rmd_float(cbor_float_get_float(item));
    return cbor_is_null(item) ? rmd_null() : rmd_bool(cbor_get_bool(item));
}

static rmd_value convert(cbor_item_t *item)
{
    switch (cbor_typeof(item)) {
    case CBOR_TYPE_BYTESTRING:
        return rmd_bytes_value(
            (rmd_bytes){ cbor_bytestring_handle(item), cbor_bytestring_length(item) });
    case CBOR_TYPE_STRING:
        return rmd_text_of((char *)cbor_string_handle(item), cbor_string_length(item));
    case CBOR_TYPE_ARRAY: return convert_list(item);
    case CBOR_TYPE_MAP: return convert_map(item);
    case CBOR_TYPE_TAG: return convert_tag(item);
    case CBOR_TYPE_FLOAT_CTRL: return convert_other(item);
    default: return convert_int(item);
    }
}

TEST(what_we_encode_libcbor_decodes_to_the_same)
{
    static maker m = { .state = 4711 };
    for (int done = 0; done < VALUES;) {
        struct cbor_load_result result;
        m.used = m.bytes_used = nested_used = 0;
        rmd_value value = maker_value(&m, 5);
        int64_t len = rmd_value_encode(&value, bytes, sizeof bytes);
        if (len < 0) /* a key came twice */
            continue;
        cbor_item_t *item = cbor_load(bytes, (size_t)len, &result);
        REQUIRE(item && result.read == (size_t)len);
        rmd_value theirs = convert(item);
        CHECK(rmd_value_equal(&value, &theirs));
        CHECK_EQ(rmd_value_encode(&theirs, again, sizeof again), len);
        CHECK_MEM(again, bytes, (size_t)len);
        cbor_decref(&item);
        done++;
    }
}

/* ---- what libcbor encodes ---- */

static cbor_item_t *make_int(uint64_t n, bool negative)
{
    cbor_item_t *item = n <= UINT8_MAX    ? cbor_build_uint8((uint8_t)n)
                        : n <= UINT16_MAX ? cbor_build_uint16((uint16_t)n)
                        : n <= UINT32_MAX ? cbor_build_uint32((uint32_t)n)
                                          : cbor_build_uint64(n);
    if (negative)
        cbor_mark_negint(item);
    return item;
}

static cbor_item_t *make_float(uint64_t chance)
{
    static const float halves[] = { 0, 1.5f, -2, 65504, 5.9604645e-8f };
    static const float singles[] = { 100000, 3.4028235e38f, 1.4012985e-45f, -16777215, 0.1f };
    static const double doubles[] = { 0.1, -1e300, 5e-324, 16777217.5, 4.9e-300 };
    switch (chance % 3) {
    case 0: return cbor_build_float2(halves[chance / 3 % 5]);
    case 1: return cbor_build_float4(singles[chance / 3 % 5]);
    default: return cbor_build_float8(doubles[chance / 3 % 5]);
    }
}

static cbor_item_t *make_scalar(maker *m)
{
    uint64_t chance = maker_next(m);
    rmd_bytes b;
    switch (chance % 7) {
    case 0: return cbor_new_null();
    case 1: return cbor_build_bool(chance >> 8 & 1);
    case 2: return make_int(maker_next(m) >> (chance >> 8) % 64, false);
    case 3: return make_int(maker_next(m) >> (chance >> 8) % 64, true);
    case 4: b = maker_bytes(m, true); return cbor_build_stringn(b.data, b.len);
    case 5: b = maker_bytes(m, false); return cbor_build_bytestring(b.data, b.len);
    default: return make_float(chance >> 8);
    }
}

/* Keys grow from one to the next, so they are in order. */
static cbor_item_t *make(maker *m, int depth)
{
    size_t count = maker_next(m) % 6;
    uint64_t kind = maker_next(m) % 6, key = 0;
    cbor_item_t *item;
    if (kind > 2 || !depth)
        return make_scalar(m);
    if (kind == 0) {
        item = cbor_new_definite_array(count);
        for (size_t i = 0; i < count; i++)
            REQUIRE(cbor_array_push(item, cbor_move(make(m, depth - 1))));
        return kind == 0 && count == 3 ? cbor_build_tag(0x524d4452, cbor_move(item)) : item;
    }
    item = cbor_new_definite_map(count);
    for (size_t i = 0; i < count; i++) {
        key += 1 + maker_next(m) % 300;
        struct cbor_pair pair = { cbor_move(make_int(key, kind == 2)),
                                  cbor_move(make(m, depth - 1)) };
        REQUIRE(cbor_map_add(item, pair));
    }
    return item;
}

TEST(what_libcbor_encodes_we_decode_and_encode_to_the_same)
{
    static maker m = { .state = 1147 };
    for (int done = 0; done < VALUES; done++) {
        const rmd_value *value = NULL;
        m.bytes_used = nested_used = 0;
        cbor_item_t *item = make(&m, 5);
        size_t len = cbor_serialize(item, bytes, sizeof bytes);
        REQUIRE(len > 0);
        if (!CHECK_EQ(rmd_value_decode(&value, (rmd_bytes){ bytes, len }, NULL), 0))
            fprintf(stderr, "    %s\n", rmd_error_detail());
        rmd_value theirs = convert(item);
        CHECK(value && rmd_value_equal(value, &theirs));
        CHECK_EQ(rmd_value_encode(value, again, sizeof again), (int64_t)len);
        CHECK_MEM(again, bytes, len);
        rmd_value_free(value);
        cbor_decref(&item);
    }
}
