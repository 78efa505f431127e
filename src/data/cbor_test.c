/* SPDX-License-Identifier: MIT */
#include "data/cbor.h"

#include "base/alloc.h"

#include "kit.h"
#include "kit_alloc.h"

#include <remuda/error.h>

#include <stdlib.h>
#include <string.h>

typedef struct bytes {
    unsigned char data[512];
    size_t len;
} bytes;

static bytes from_hex(const char *hex)
{
    bytes b = { 0 };
    char two[3] = "";
    for (; *hex; hex += 2) {
        if (*hex == ' ')
            hex++;
        memcpy(two, hex, 2);
        b.data[b.len++] = (unsigned char)strtoul(two, NULL, 16);
    }
    return b;
}

/* Decodes bytes, encodes what came, and shows it. */
static void check_both_ways(const char *hex, const char *shown)
{
    bytes b = from_hex(hex);
    unsigned char back[512];
    char text[600];
    const rmd_value *value = NULL;
    if (!CHECK_EQ(rmd_value_decode(&value, (rmd_bytes){ b.data, b.len }, NULL), 0)) {
        fprintf(stderr, "    %s: %s\n", hex, rmd_error_detail());
        return;
    }
    CHECK_EQ(rmd_value_encode(value, back, sizeof back), (int64_t)b.len);
    CHECK_MEM(back, b.data, b.len);
    rmd_value_format(value, text, sizeof text);
    CHECK_STR(text, shown);
    rmd_value_free(value);
}

static void check_refused(const char *hex, const char *cause)
{
    bytes b = from_hex(hex);
    const rmd_value *value = NULL;
    if (!CHECK_INT(rmd_value_decode(&value, (rmd_bytes){ b.data, b.len }, NULL), <, 0))
        fprintf(stderr, "    %s is decoded\n", hex);
    CHECK(value == NULL);
    CHECK_CONTAINS(rmd_error_detail(), cause);
}

TEST(examples_of_the_standard_come_out_as_they_went_in)
{
    static const struct {
        const char *hex, *shown;
    } examples[] = {
        /* RFC 8949, appendix A, but for those below. */
        { "00", "0" },
        { "01", "1" },
        { "0a", "10" },
        { "17", "23" },
        { "1818", "24" },
        { "1819", "25" },
        { "1864", "100" },
        { "1903e8", "1000" },
        { "1a000f4240", "1000000" },
        { "1b000000e8d4a51000", "1000000000000" },
        { "1bffffffffffffffff", "18446744073709551615" },
        { "c249010000000000000000", "18446744073709551616" },
        { "3bffffffffffffffff", "-18446744073709551616" },
        { "c349010000000000000000", "-18446744073709551617" },
        { "20", "-1" },
        { "29", "-10" },
        { "3863", "-100" },
        { "3903e7", "-1000" },
        { "f90000", "0.0" },
        { "f98000", "-0.0" },
        { "f93c00", "1.0" },
        { "fb3ff199999999999a", "1.1" },
        { "f93e00", "1.5" },
        { "f97bff", "65504.0" },
        { "fa47c35000", "100000.0" },
        { "fa7f7fffff", "3.4028234663852886e+38" },
        { "fb7e37e43c8800759c", "1e+300" },
        { "f90001", "5.9604644775390625e-08" },
        { "f90400", "6.103515625e-05" },
        { "f9c400", "-4.0" },
        { "fbc010666666666666", "-4.1" },
        { "f97c00", "inf" },
        { "f97e00", "nan" },
        { "f9fc00", "-inf" },
        { "f4", "false" },
        { "f5", "true" },
        { "f6", "null" },
        { "40", "h''" },
        { "4401020304", "h'01020304'" },
        { "60", "\"\"" },
        { "6161", "\"a\"" },
        { "6449455446", "\"IETF\"" },
        { "62225c", "\"\\\"\\\\\"" },
        { "62c3bc", "\"\xc3\xbc\"" },
        { "63e6b0b4", "\"\xe6\xb0\xb4\"" },
        { "64f0908591", "\"\xf0\x90\x85\x91\"" },
        { "80", "[]" },
        { "83010203", "[1, 2, 3]" },
        { "8301820203820405", "[1, [2, 3], [4, 5]]" },
        { "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
          "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, "
          "25]" },
        { "a0", "{}" },
        { "a201020304", "{1: 2, 3: 4}" },
        { "a26161016162820203", "{\"a\": 1, \"b\": [2, 3]}" },
        { "826161a161626163", "[\"a\", {\"b\": \"c\"}]" },
        { "a56161614161626142616361436164614461656145",
          "{\"a\": \"A\", \"b\": \"B\", \"c\": \"C\", \"d\": \"D\", \"e\": \"E\"}" },
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        check_both_ways(examples[i].hex, examples[i].shown);
}

TEST(the_other_examples_of_the_standard_are_refused)
{
    static const struct {
        const char *hex, *cause;
    } examples[] = {
        { "fa7f800000", "byte 0: the float is not the shortest" },
        { "fa7fc00000", "byte 0: NaN is f9 7e 00 and nothing else" },
        { "faff800000", "the float is not the shortest" },
        { "fb7ff0000000000000", "the float is not the shortest" },
        { "fb7ff8000000000000", "NaN is f9 7e 00 and nothing else" },
        { "fbfff0000000000000", "the float is not the shortest" },
        { "f7", "undefined is not a value here" },
        { "f0", "such a simple value is not used here" },
        { "f8ff", "such a simple value is not used here" },
        { "c074323031332d30332d32315432303a30343a30305a", "byte 0: tag 0 is not used here" },
        { "c11a514b67b0", "tag 1 is not used here" },
        { "c1fb41d452d9ec200000", "tag 1 is not used here" },
        { "d74401020304", "tag 23 is not used here" },
        { "d818456449455446", "tag 24 is not used here" },
        { "d82076687474703a2f2f7777772e6578616d706c652e636f6d", "tag 32 is not used here" },
        { "5f42010243030405ff", "byte 0: a length that is not given in advance" },
        { "7f657374726561646d696e67ff", "a length that is not given in advance" },
        { "9fff", "a length that is not given in advance" },
        { "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
          "a length that is not given in advance" },
        { "9f01820203820405ff", "a length that is not given in advance" },
        { "9f018202039f0405ffff", "a length that is not given in advance" },
        { "83018202039f0405ff", "byte 5: a length that is not given in advance" },
        { "83019f0203ff820405", "byte 2: a length that is not given in advance" },
        { "bf61610161629f0203ffff", "a length that is not given in advance" },
        { "826161bf61626163ff", "byte 3: a length that is not given in advance" },
        { "bf6346756ef563416d7421ff", "a length that is not given in advance" },
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        check_refused(examples[i].hex, examples[i].cause);
}

TEST(what_is_not_the_one_encoding_is_refused_with_its_place_and_cause)
{
    static const struct {
        const char *hex, *cause;
    } wrong[] = {
        { "", "byte 0: 1 more bytes should follow, and 0 do" },
        { "1817", "byte 0: the head is not the shortest" },
        { "81190017", "byte 1: the head is not the shortest" },
        { "1a0000ffff", "the head is not the shortest" },
        { "1b00000000ffffffff", "the head is not the shortest" },
        { "7800", "the head is not the shortest" },
        { "b800", "the head is not the shortest" },
        { "d802490100000000000000", "the head is not the shortest" },
        { "1c", "byte 0: such a head is not defined" },
        { "fe", "such a head is not defined" },
        { "ff", "a length that is not given in advance" },
        { "19ff", "byte 0: 3 more bytes should follow, and 2 do" },
        { "f818", "such a simple value is not used here" },
        { "f97e01", "NaN is f9 7e 00" },
        { "f9fe00", "NaN is f9 7e 00" },
        { "f97c01", "NaN is f9 7e 00" },
        { "fa7f800001", "NaN is f9 7e 00" },
        { "fb7ff0000000000001", "NaN is f9 7e 00" },
        { "fa3fc00000", "the float is not the shortest" },
        { "fa33800000", "the float is not the shortest" }, /* the least subnormal half */
        { "fb3ff8000000000000", "the float is not the shortest" },
        { "fb36a0000000000000", "the float is not the shortest" }, /* the least subnormal single */
        { "c24100", "not the shortest form" },
        { "c248ffffffffffffffff", "byte 2: the bignum is not the shortest form" },
        { "c34900ffffffffffffffff", "the bignum is not the shortest form" },
        { "c201", "it follows the tag of a bignum" },
        { "c2", "byte 1: 1 more bytes should follow" },
        { "c24a0100", "byte 2: 10 more bytes should follow, and 2 do" },
        { "da524d445201", "a reference holds a text, bytes or a list" },
        { "da524d4452a0", "a reference holds a text, bytes or a list" },
        { "da524d4452", "1 more bytes should follow, and 0 do" },
        { "da524d44536161", "tag 1380795475 is not used here" },
        { "61ff", "byte 1: a text is not UTF-8" },
        { "63616263c0", "the value ends here, and 1 bytes follow" },
        { "6861626364656667c3", "byte 8: a text is not UTF-8" },
        { "63eda080", "byte 1: a text is not UTF-8" }, /* a surrogate */
        { "62c080", "byte 1: a text is not UTF-8" },
        { "6261", "byte 1: 2 more bytes should follow, and 1 do" },
        { "7affffffff", "byte 5: 4294967295 more bytes should follow, and 0 do" },
        { "5bffffffffffffffff", "byte 9: 18446744073709551615 more bytes should follow" },
        { "9affffffff00000000", "byte 5: 4294967295 more bytes should follow, and 4 do" },
        { "9bffffffffffffffff", "18446744073709551615 more bytes should follow" },
        { "baffffffff00000000", "byte 5: 8589934590 more bytes should follow" },
        { "bb8000000000000001", "more bytes should follow" },
        { "a20200"
          "0100",
          "byte 3: the key should stand in front of the one before it" },
        { "a201000100", "byte 3: the key is there twice" },
        { "a2626162006163", "byte 5: the key should stand in front" }, /* shorter heads first */
        { "a18001", "byte 1: a list, a map or a tag cannot be the key" },
        { "a1a001", "byte 1: a list, a map or a tag cannot be the key" },
        { "a1da524d4452616101", "byte 1: a list, a map or a tag cannot be the key" },
        { "a101", "byte 1: 2 more bytes should follow, and 1 do" },
        { "8201", "byte 1: 2 more bytes should follow, and 1 do" },
        { "0000", "byte 1: the value ends here, and 1 bytes follow" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_refused(wrong[i].hex, wrong[i].cause);
}

static const char *encoded(const rmd_value *value)
{
    static char hex[2 * 512 + 1];
    unsigned char out[512];
    int64_t len = rmd_value_encode(value, out, sizeof out);
    if (!CHECK_INT(len, >=, 0))
        return rmd_error_detail();
    for (int64_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", out[i]);
    return hex;
}

TEST(heads_grow_where_they_must)
{
    static const struct {
        uint64_t number;
        const char *natural, *negative; /* the number, and -1 - it */
    } edges[] = {
        { 23, "17", "37" },
        { 24, "1818", "3818" },
        { 0xff, "18ff", "38ff" },
        { 0x100, "190100", "390100" },
        { 0xffff, "19ffff", "39ffff" },
        { 0x10000, "1a00010000", "3a00010000" },
        { 0xffffffff, "1affffffff", "3affffffff" },
        { 0x100000000, "1b0000000100000000", "3b0000000100000000" },
        { INT64_MAX, "1b7fffffffffffffff", "3b7fffffffffffffff" },
        { (uint64_t)INT64_MAX + 1, "1b8000000000000000", "3b8000000000000000" },
        { UINT64_MAX, "1bffffffffffffffff", "3bffffffffffffffff" },
    };
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        rmd_value natural = rmd_uint(edges[i].number);
        rmd_value negative = rmd_big(-1 - (rmd_int128)edges[i].number);
        const rmd_value *back = NULL;
        CHECK_STR(encoded(&natural), edges[i].natural);
        CHECK_STR(encoded(&negative), edges[i].negative);
        bytes b = from_hex(edges[i].negative);
        REQUIRE(rmd_value_decode(&back, (rmd_bytes){ b.data, b.len }, NULL) == 0);
        CHECK(rmd_value_equal(back, &negative) && back->type == negative.type);
        rmd_value_free(back);
    }
}

TEST(keys_are_put_in_the_order_of_their_encodings)
{
    rmd_value map = RMD_MAP_OF(RMD_PAIR(false, 1), RMD_PAIR("aa", 2), RMD_PAIR("z", 3),
                               RMD_PAIR(-1, 4), RMD_PAIR(100, 5), RMD_PAIR(10, 6));
    /* RFC 8949, 4.2.1: 10, 100, -1, "z", "aa", and here 0 (in C false is an int) before all. */
    CHECK_STR(encoded(&map), "a600010a061864052004617a0362616102");
    rmd_int128 big = (rmd_int128)1 << 64;
    rmd_value keys = RMD_MAP_OF(RMD_PAIR(1.5, 1), RMD_PAIR(RMD_VALUE(rmd_null()), 2),
                                RMD_PAIR((bool)true, 3), RMD_PAIR(-big - 2, 4), RMD_PAIR(big, 5),
                                RMD_PAIR(-big - 1, 6), RMD_PAIR(((rmd_bytes){ "b", 1 }), 7));
    CHECK_STR(encoded(&keys), "a7416207c24901000000000000000005c34901000000000000000006"
                              "c34901000000000000000104f503f602f93e0001");
}

enum { MANY = 1000 };

TEST(a_large_map_in_any_order_has_one_encoding)
{
    static rmd_pair pairs[MANY];
    rmdi_buffer first = { 0 }, again = { 0 };
    for (int i = 0; i < MANY; i++)
        pairs[i] = (rmd_pair){ RMD_VALUE(i), RMD_VALUE(-i) };
    rmd_value map = rmd_map_value(pairs, MANY);
    REQUIRE(rmdi_cbor_encode(&first, &map) == 0);
    srand(1);
    for (int turn = 0; turn < 5; turn++) {
        for (int i = MANY - 1; i > 0; i--) {
            int k = rand() % (i + 1);
            rmd_pair swap = pairs[i];
            pairs[i] = pairs[k];
            pairs[k] = swap;
        }
        rmdi_buffer_clear(&again);
        REQUIRE(rmdi_cbor_encode(&again, &map) == 0);
        CHECK(rmdi_bytes_equal(rmdi_buffer_view(&first), rmdi_buffer_view(&again)));
    }
    pairs[0].key = pairs[1].key;
    CHECK_EQ(rmdi_cbor_encode(&again, &map), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "twice");
    CHECK(rmdi_bytes_equal(rmdi_buffer_view(&first), rmdi_buffer_view(&again)));
    rmdi_buffer_free(&first);
    rmdi_buffer_free(&again);
}

TEST(what_cannot_be_encoded_is_refused)
{
    char out[64];
    rmd_value text = rmd_text_of("abc\xff"
                                 "d",
                                 5);
    CHECK_EQ(rmd_value_encode(&text, out, sizeof out), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "a text of 5 bytes: byte 3 is not UTF-8");
    rmd_value twice = RMD_MAP_OF(RMD_PAIR("k", 1), RMD_PAIR("k", 2));
    CHECK_EQ(rmd_value_encode(&twice, out, sizeof out), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "a map has the key \"k\" twice");
    rmd_value key = RMD_MAP_OF(RMD_PAIR(RMD_LIST_OF(1), 1));
    CHECK_EQ(rmd_value_encode(&key, out, sizeof out), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "a value of type list cannot be the key of a map");
    rmd_value absent = { .type = RMD_TYPE_ABSENT };
    CHECK_EQ(rmd_value_encode(&absent, out, sizeof out), RMD_EINVAL);
    rmd_value number = RMD_VALUE(1), wrong = rmd_reference(&number), none = rmd_reference(NULL);
    CHECK_EQ(rmd_value_encode(&wrong, out, sizeof out), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "a reference holds a text, bytes or a list, not int");
    CHECK_EQ(rmd_value_encode(&none, out, sizeof out), RMD_EINVAL);
    CHECK_EQ(rmd_value_encode(NULL, out, sizeof out), RMD_EINVAL);
}

TEST(a_reference_is_a_tag_around_what_it_holds)
{
    rmd_value id = RMD_VALUE("counter/7"), reference = rmd_reference(&id);
    CHECK_STR(encoded(&reference), "da524d445269636f756e7465722f37");
    check_both_ways("da524d445269636f756e7465722f37", "ref(\"counter/7\")");
    check_both_ways("82da524d44524101da524d4452820102", "[ref(h'01'), ref([1, 2])]");
}

TEST(a_place_that_is_too_small_is_not_written_beyond)
{
    rmd_value value = RMD_LIST_OF(1, "text", 1.1, -((rmd_int128)1 << 64) - 1);
    unsigned char whole[64], part[64];
    int64_t len = rmd_value_encode(&value, whole, sizeof whole);
    CHECK_EQ(len, 1 + 1 + 5 + 9 + 11);
    CHECK_EQ(rmd_value_encode(&value, NULL, 0), len);
    for (int64_t size = 0; size < len; size++) {
        memset(part, 0xaa, sizeof part);
        CHECK_EQ(rmd_value_encode(&value, part, (size_t)size), len);
        for (size_t i = (size_t)size; i < sizeof part; i++)
            CHECK_EQ(part[i], 0xaa);
    }
    memset(part, 0xaa, sizeof part);
    CHECK_EQ(rmd_value_encode(&value, part, (size_t)len), len);
    CHECK_MEM(part, whole, (size_t)len);
}

TEST(values_lie_64_deep_in_each_other_and_no_deeper)
{
    rmd_value levels[70];
    unsigned char out[80], in[80];
    levels[0] = RMD_VALUE(1);
    for (int i = 1; i < 70; i++)
        levels[i] = rmd_list(&levels[i - 1], 1);
    CHECK_EQ(rmd_value_encode(&levels[RMD_VALUE_DEPTH_MAX], out, sizeof out), 65);
    CHECK_EQ(rmd_value_encode(&levels[RMD_VALUE_DEPTH_MAX + 1], out, sizeof out), RMD_E2BIG);
    const rmd_value *value = NULL;
    memset(in, 0x81, sizeof in);
    in[64] = in[65] = 1;
    REQUIRE(rmd_value_decode(&value, (rmd_bytes){ in, 65 }, NULL) == 0);
    CHECK(rmd_value_equal(value, &levels[64]));
    rmd_value_free(value);
    in[64] = 0x81;
    CHECK_EQ(rmd_value_decode(&value, (rmd_bytes){ in, 66 }, NULL), RMD_E2BIG);
    CHECK_STR(rmd_error_detail(), "byte 65: more than 64 deep");
}

static int decode_limited(const char *hex, rmd_value_limits limits)
{
    limits.size = sizeof limits;
    bytes b = from_hex(hex);
    const rmd_value *value = NULL;
    int err = rmd_value_decode(&value, (rmd_bytes){ b.data, b.len }, &limits);
    rmd_value_free(value);
    return err;
}

TEST(limits_are_seen_before_memory_is_taken)
{
    kit_alloc_fail(1); /* so that any would be refused with another code */
    CHECK_EQ(decode_limited("83010203", (rmd_value_limits){ .bytes_max = 3 }), RMD_E2BIG);
    CHECK_EQ(decode_limited("83010203", (rmd_value_limits){ .items_max = 3 }), RMD_E2BIG);
    CHECK_EQ(decode_limited("818101", (rmd_value_limits){ .depth_max = 1 }), RMD_E2BIG);
    CHECK_EQ(decode_limited("00", (rmd_value_limits){ .depth_max = 65 }), RMD_EINVAL);
    CHECK_EQ(decode_limited("9affffffff00000000", (rmd_value_limits){ 0 }), RMD_EINVAL);
    CHECK_EQ(decode_limited("7bffffffffffffffff", (rmd_value_limits){ 0 }), RMD_EINVAL);
    CHECK_EQ(decode_limited("83010203", (rmd_value_limits){ 0 }), RMD_ENOMEM);
    kit_alloc_fail(0);
    CHECK_EQ(decode_limited("83010203", (rmd_value_limits){ 0, 4, 4, 1 }), 0);
    rmd_value_limits unsized = { .items_max = 3 };
    const rmd_value *value = NULL;
    CHECK_EQ(rmd_value_decode(&value, (rmd_bytes){ "", 1 }, &unsized), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "limits of size 0, not 32");
    static char zeros[1000005] = "\x9a\x00\x0f\x42\x40"; /* a list of 1,000,000 */
    CHECK_EQ(rmd_value_decode(&value, (rmd_bytes){ zeros, sizeof zeros }, NULL), RMD_E2BIG);
    CHECK_STR(rmd_error_detail(), "byte 5: more than 1000000 values");
    zeros[4] = 0x3f; /* and 999,999: with itself 1,000,000 */
    CHECK_EQ(rmd_value_decode(&value, (rmd_bytes){ zeros, sizeof zeros - 1 }, NULL), 0);
    rmd_value_free(value);
}

TEST(scratch_memory_is_used_if_it_does)
{
    bytes b = from_hex("8301626162420102"); /* [1, "ab", h'0102'] */
    rmd_value scratch[6];
    rmdi_document document;
    rmd_bytes in = { b.data, b.len };
    size_t need = 4 * sizeof(rmd_value) + 3;
    REQUIRE(rmdi_cbor_decode(&document, in, NULL, true, scratch, need) == 0);
    CHECK(document.root == scratch && !document.owned);
    CHECK(rmd_value_at(document.root, 2)->as.bytes.data == b.data + 6); /* borrowed */
    const char *text;
    CHECK_EQ(rmd_value_get(rmd_value_at(document.root, 1), &text), 0);
    CHECK_STR(text, "ab");
    rmdi_document_free(&document);
    REQUIRE(rmdi_cbor_decode(&document, in, NULL, true, scratch, need - 1) == 0);
    CHECK(document.root != scratch && document.owned);
    rmdi_document_free(&document);
    REQUIRE(rmdi_cbor_decode(&document, in, NULL, false, scratch, need) == 0);
    CHECK(document.owned != NULL); /* the bytes are copied, too */
    rmdi_document_free(&document);
    CHECK(!document.root && !document.owned);
}

static int there_and_back(void *arg)
{
    const rmd_value *value = arg, *copy = NULL;
    rmdi_buffer out = { 0 };
    int err = rmdi_cbor_encode(&out, value);
    CHECK_EQ(out.len > 0, err == 0);
    if (err == 0)
        err = rmd_value_decode(&copy, rmdi_buffer_view(&out), NULL);
    if (err == 0)
        CHECK(rmd_value_equal(value, copy));
    rmd_value_free(copy);
    rmdi_buffer_free(&out);
    return err;
}

TEST(no_memory_is_told_and_nothing_is_kept)
{
    rmd_pair pairs[40];
    for (int i = 0; i < 40; i++)
        pairs[i] = (rmd_pair){ RMD_VALUE(100 - i), RMD_VALUE("a text of some length") };
    rmd_value value = RMD_LIST_OF(rmd_map_value(pairs, 40), "x", -((rmd_int128)1 << 100));
    CHECK_INT(kit_alloc(there_and_back, &value, RMD_ENOMEM), >, 3);
}

/* ---- random values ---- */

typedef struct maker {
    uint64_t state;
    rmd_value values[4096];
    size_t used;
    char texts[65536];
    size_t texts_used;
} maker;

static uint64_t next(maker *m)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return m->state;
}

static rmd_bytes random_bytes(maker *m, bool text)
{
    size_t len = next(m) % (next(m) % 8 ? 12 : 300);
    char *to = m->texts + m->texts_used;
    if (m->texts_used + len > sizeof m->texts)
        return (rmd_bytes){ 0 };
    m->texts_used += len;
    for (size_t i = 0; i < len; i++)
        to[i] = (char)(text ? next(m) % 128 : next(m));
    return (rmd_bytes){ to, len };
}

static rmd_value random_scalar(maker *m)
{
    uint64_t bits = next(m) >> next(m) % 64;
    double x;
    rmd_bytes b;
    switch (next(m) % 9) {
    case 0: return rmd_null();
    case 1: return rmd_bool(bits & 1);
    case 2: return rmd_int((int64_t)bits);
    case 3: return rmd_uint(bits);
    case 4: return rmd_big(-(rmd_int128)bits);
    case 5: return rmd_big_of(bits & 1, random_bytes(m, false));
    case 6:
        bits = next(m) << next(m) % 64; /* so that some are short */
        memcpy(&x, &bits, sizeof x);
        return rmd_float(x);
    case 7: b = random_bytes(m, true); return rmd_text_of(b.data, b.len);
    default: return rmd_bytes_value(random_bytes(m, false));
    }
}

static rmd_value random_value(maker *m, int depth)
{
    size_t count = next(m) % 6;
    uint64_t kind = next(m) % 8;
    if (kind > 3 || !depth || m->used + 2 * count + 1 > sizeof m->values / sizeof m->values[0])
        return random_scalar(m);
    rmd_value *inside = &m->values[m->used];
    m->used += 2 * count;
    for (size_t i = 0; i < 2 * count; i++)
        inside[i] = kind > 1 && i % 2 == 0 ? random_scalar(m) : random_value(m, depth - 1);
    if (kind <= 1)
        return rmd_list(inside, count);
    return rmd_map_value((rmd_pair *)(void *)inside, count); /* a pair is two values */
}

TEST(random_values_come_back_equal_and_byte_for_byte)
{
    static maker m = { .state = 88172645463325252u };
    int refused = 0;
    rmdi_buffer out = { 0 }, again = { 0 };
    for (int i = 0; i < 30000; i++) {
        const rmd_value *copy = NULL;
        m.used = m.texts_used = 0;
        rmd_value value = random_value(&m, 5);
        rmdi_buffer_clear(&out);
        rmdi_buffer_clear(&again);
        if (rmdi_cbor_encode(&out, &value) < 0) { /* a key that came twice */
            CHECK_CONTAINS(rmd_error_detail(), "twice");
            refused++;
            continue;
        }
        REQUIRE(rmd_value_decode(&copy, rmdi_buffer_view(&out), NULL) == 0);
        CHECK(rmd_value_equal(&value, copy) && rmd_value_equal(copy, &value));
        REQUIRE(rmdi_cbor_encode(&again, copy) == 0);
        CHECK(rmdi_bytes_equal(rmdi_buffer_view(&out), rmdi_buffer_view(&again)));
        rmd_value_free(copy);
    }
    CHECK_INT(refused, <, 3000);
    rmdi_buffer_free(&out);
    rmdi_buffer_free(&again);
}
