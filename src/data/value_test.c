/* SPDX-License-Identifier: MIT */
#include <remuda/args.h>
#include <remuda/value.h>

#include "kit.h"

#include <limits.h>
#include <math.h>
#include <remuda/error.h>
#include <string.h>

static const char *shown(rmd_value value)
{
    static char text[4][2000];
    static int turn;
    char *to = text[turn++ % 4];
    CHECK_INT(rmd_value_format(&value, to, sizeof text[0]), <, (int)sizeof text[0]);
    return to;
}

#define SHOWN(x) shown(RMD_VALUE(x))

TEST(each_type_of_c_becomes_a_value)
{
    char letter = 'a', text[] = "own";
    const char *none = NULL;
    rmd_value list = RMD_LIST_OF(1);
    const rmd_value *pointer = &list;
    CHECK_STR(SHOWN((bool)true), "true");
    CHECK_STR(SHOWN(letter), "97");
    CHECK_STR(SHOWN((signed char)-3), "-3");
    CHECK_STR(SHOWN((unsigned char)200), "200");
    CHECK_STR(SHOWN((short)-300), "-300");
    CHECK_STR(SHOWN((unsigned short)65535), "65535");
    CHECK_STR(SHOWN(INT_MIN), "-2147483648");
    CHECK_STR(SHOWN(UINT_MAX), "4294967295");
    CHECK_STR(SHOWN(LONG_MIN), "-9223372036854775808");
    CHECK_STR(SHOWN(ULLONG_MAX), "18446744073709551615");
    CHECK_STR(SHOWN((rmd_uint128)-1), "340282366920938463463374607431768211455");
    CHECK_STR(SHOWN((rmd_int128)((rmd_uint128)1 << 127)),
              "-170141183460469231731687303715884105728");
    CHECK_STR(SHOWN(0.1f), "0.10000000149011612");
    CHECK_STR(SHOWN(0.1), "0.1");
    CHECK_STR(SHOWN("text"), "\"text\"");
    CHECK_STR(SHOWN(text), "\"own\"");
    CHECK_STR(SHOWN(none), "null");
    CHECK_STR(SHOWN(((rmd_bytes){ "\0\xff", 2 })), "h'00ff'");
    CHECK_STR(SHOWN(list), "[1]");
    CHECK_STR(SHOWN(pointer), "[1]");
    CHECK_STR(SHOWN(rmd_null()), "null");
}

TEST(an_int_has_the_smallest_type_that_holds_it)
{
    CHECK_EQ(RMD_VALUE(ULLONG_MAX).type, RMD_TYPE_UINT);
    CHECK_EQ(RMD_VALUE((unsigned long long)LLONG_MAX).type, RMD_TYPE_INT);
    CHECK_EQ(RMD_VALUE((rmd_int128)LLONG_MIN).type, RMD_TYPE_INT);
    CHECK_EQ(RMD_VALUE((rmd_int128)LLONG_MIN - 1).type, RMD_TYPE_BIG);
    CHECK_EQ(RMD_VALUE((rmd_int128)ULLONG_MAX).type, RMD_TYPE_UINT);
    CHECK_EQ(RMD_VALUE((rmd_int128)ULLONG_MAX + 1).type, RMD_TYPE_BIG);
    rmd_value zero = rmd_big_of(true, (rmd_bytes){ "\0\0", 2 });
    CHECK(zero.type == RMD_TYPE_INT && zero.as.integer == 0);
    rmd_value small = rmd_big_of(true, (rmd_bytes){ "\0\x01\0", 3 });
    CHECK(small.type == RMD_TYPE_INT && small.as.integer == -256);
    CHECK_STR(shown(rmd_big_of(true, (rmd_bytes){ "\x80\0\0\0\0\0\0\0", 8 })),
              "-9223372036854775808");
}

TEST(lists_and_maps_are_written_as_they_look)
{
    rmd_value none = RMD_LIST_OF(), empty = RMD_MAP_OF();
    rmd_value list = RMD_LIST_OF(1, "two", 3.0, RMD_LIST_OF(4, RMD_LIST_OF(5)));
    rmd_value map = RMD_MAP_OF(RMD_PAIR("x", 1), RMD_PAIR(2, RMD_MAP_OF(RMD_PAIR("y", "z"))));
    rmd_value most = RMD_LIST_OF(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    rmd_value cast = RMD_LIST_OF((int64_t)5); /* brackets in front are no call */
    CHECK_STR(shown(none), "[]");
    CHECK_STR(shown(empty), "{}");
    CHECK_STR(shown(list), "[1, \"two\", 3.0, [4, [5]]]");
    CHECK_STR(shown(map), "{\"x\": 1, 2: {\"y\": \"z\"}}");
    CHECK_STR(shown(most), "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]");
    CHECK_STR(shown(cast), "[5]");
}

TEST(arguments_are_counted_from_none_to_16)
{
    CHECK_EQ(RMD_ARGS().count, 0);
    CHECK_EQ(RMD_ARGS(1).count, 1);
    CHECK_EQ(RMD_ARGS((char)1).count, 1);
    CHECK_EQ(RMD_ARGS((1)).count, 1);
    rmd_args most = RMD_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    rmd_args args = RMD_ARGS(1, RMD_NAMED("base", 16));
    CHECK_EQ(most.count, 16);
    CHECK_EQ(args.count, 2);
    CHECK_EQ(args.values[1].type, RMD_TYPE_NAMED);
    CHECK_STR(shown(args.values[1]), "{\"base\": 16}");
}

#define CHECK_READ(type, x, wanted)                       \
    do {                                                  \
        type rmdi_to = 0;                                 \
        rmd_value rmdi_from = RMD_VALUE(x);               \
        CHECK_EQ(rmd_value_get(&rmdi_from, &rmdi_to), 0); \
        CHECK(rmdi_to == (wanted));                       \
    } while (0)

#define CHECK_NOT_READ(type, x, code, cause)                 \
    do {                                                     \
        type rmdi_to = 7;                                    \
        rmd_value rmdi_from = RMD_VALUE(x);                  \
        CHECK_EQ(rmd_value_get(&rmdi_from, &rmdi_to), code); \
        CHECK_STR(rmd_error_detail(), cause);                \
        CHECK(rmdi_to == 7);                                 \
    } while (0)

TEST(an_int_is_read_into_whatever_holds_it)
{
    const rmd_int128 one = 1;
    CHECK_READ(signed char, -128, -128);
    CHECK_READ(unsigned char, 255, 255);
    CHECK_READ(short, 32767, 32767);
    CHECK_READ(unsigned short, 65535, 65535);
    CHECK_READ(int, INT_MIN, INT_MIN);
    CHECK_READ(unsigned, UINT_MAX, UINT_MAX);
    CHECK_READ(long, LONG_MIN, LONG_MIN);
    CHECK_READ(unsigned long, ULONG_MAX, ULONG_MAX);
    CHECK_READ(long long, LLONG_MAX, LLONG_MAX);
    CHECK_READ(int64_t, INT64_MIN, INT64_MIN);
    CHECK_READ(uint64_t, 0, 0);
    CHECK_READ(rmd_int128, -5, -5);
    CHECK_READ(rmd_int128, -(one << 126) * 2, -(one << 126) * 2);
    CHECK_READ(rmd_uint128, (rmd_uint128)-1, (rmd_uint128)-1);
    CHECK_NOT_READ(signed char, 128, RMD_E2BIG, "int 128 does not fit an int of 8 bits");
    CHECK_NOT_READ(signed char, -129, RMD_E2BIG, "int -129 does not fit an int of 8 bits");
    CHECK_NOT_READ(unsigned, -1, RMD_E2BIG, "int -1 does not fit an int of 32 bits without a sign");
    CHECK_NOT_READ(int, 2147483648, RMD_E2BIG, "int 2147483648 does not fit an int of 32 bits");
    CHECK_NOT_READ(int64_t, ULLONG_MAX, RMD_E2BIG,
                   "int 18446744073709551615 does not fit an int of 64 bits");
    CHECK_NOT_READ(rmd_int128, (rmd_uint128)1 << 127, RMD_E2BIG,
                   "int 170141183460469231731687303715884105728 does not fit an int of 128 bits");
    CHECK_NOT_READ(rmd_uint128, -(one << 100), RMD_E2BIG,
                   "int -1267650600228229401496703205376 does not fit an int of 128 bits without a "
                   "sign");
    CHECK_NOT_READ(rmd_uint128, rmd_big_of(false, (rmd_bytes){ "12345678901234567", 17 }),
                   RMD_E2BIG,
                   "int 16740563244956186729660364613398849467959 does not fit an int of 128 bits "
                   "without a sign");
}

TEST(a_double_takes_what_it_can_hold_exactly)
{
    CHECK_READ(double, 1.5, 1.5);
    CHECK_READ(double, -3, -3.0);
    CHECK_READ(double, INT64_C(1) << 53, 9007199254740992.0);
    CHECK_READ(double, INT64_MIN, -9223372036854775808.0);
    CHECK_READ(double, (rmd_int128)1 << 100, 0x1p100);
    CHECK_READ(double, 0, 0.0);
    unsigned char power[128] = { 0x80 }; /* 2^1023, and then 2^1024 */
    CHECK_READ(double, rmd_big_of(true, (rmd_bytes){ power, 128 }), -0x1p1023);
    unsigned char beyond[129] = { 1 };
    rmd_value value = rmd_big_of(false, (rmd_bytes){ beyond, 129 });
    double x = 7;
    CHECK_EQ(rmd_value_get(&value, &x), RMD_E2BIG);
    CHECK_NOT_READ(double, (INT64_C(1) << 53) + 1, RMD_E2BIG,
                   "int 9007199254740993 has no exact value as a float");
    CHECK_NOT_READ(double, ((rmd_int128)1 << 100) + 1, RMD_E2BIG,
                   "int 1267650600228229401496703205377 has no exact value as a float");
    CHECK_NOT_READ(double, "1.5", RMD_EINVAL, "text \"1.5\" is not a float");
    CHECK_NOT_READ(int, 1.0, RMD_EINVAL, "float 1.0 is not an int");
}

TEST(a_bool_takes_the_two_ints_that_c_has_for_it)
{
    CHECK_READ(bool, (bool)true, true);
    CHECK_READ(bool, 2 > 1, true);
    CHECK_READ(bool, 0, false);
    rmd_value two = RMD_VALUE(2), text = RMD_VALUE("true");
    bool b = true;
    CHECK_EQ(rmd_value_get(&two, &b), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "int 2 is not a bool");
    CHECK_EQ(rmd_value_get(&text, &b), RMD_EINVAL);
    CHECK_NOT_READ(int, (bool)true, RMD_EINVAL, "bool true is not an int");
}

TEST(a_text_is_read_with_its_0_or_as_bytes)
{
    const char *text = "before";
    rmd_bytes bytes;
    rmd_value value = RMD_VALUE("abc"), none = rmd_null(), inner = rmd_text_of("a\0b", 4);
    CHECK_EQ(rmd_value_get(&value, &text), 0);
    CHECK_STR(text, "abc");
    CHECK_EQ(rmd_value_get(&none, &text), 0);
    CHECK(text == NULL);
    rmd_value part = rmd_text_of("abcdef", 3);
    CHECK_EQ(rmd_value_get(&part, &text), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "text \"abc\" has no 0 behind it; read it as rmd_bytes");
    CHECK_EQ(rmd_value_get(&part, &bytes), 0);
    CHECK_EQ(bytes.len, 3);
    inner.terminated = true;
    CHECK_EQ(rmd_value_get(&inner, &text), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "has a 0 inside; read it as rmd_bytes");
    rmd_value blob = RMD_VALUE(((rmd_bytes){ "xy", 2 })), number = RMD_VALUE(5);
    CHECK_EQ(rmd_value_get(&blob, &bytes), 0);
    CHECK_MEM(bytes.data, "xy", 2);
    CHECK_EQ(rmd_value_get(&blob, &text), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "bytes h'7879' is not a text");
    CHECK_EQ(rmd_value_get(&number, &bytes), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "int 5 is not bytes");
    CHECK(text == NULL);
}

TEST(what_is_not_there_cannot_be_read)
{
    int n = 7;
    const rmd_value *whole = NULL;
    rmd_value list = RMD_LIST_OF(1, 2), map = RMD_MAP_OF(RMD_PAIR("a", 1), RMD_PAIR(5, 2));
    CHECK_EQ(rmd_value_get(rmd_value_at(&list, 1), &n), 0);
    CHECK_EQ(n, 2);
    CHECK_EQ(rmd_value_get(rmd_value_at(&list, 2), &n), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "no value to be read as an int");
    CHECK_EQ(rmd_value_get(rmd_value_find(&map, "b"), &n), RMD_EINVAL);
    CHECK_EQ(rmd_value_get(rmd_value_find(&map, "a"), &n), 0);
    CHECK_EQ(n, 1);
    CHECK_EQ(rmd_value_get(&map, &whole), 0);
    CHECK(whole == &map);
    CHECK(!rmd_value_at(&map, 0) && !rmd_value_find(&list, "a") && !rmd_value_at(NULL, 0));
    CHECK(!rmd_value_find(NULL, "a") && !rmd_value_find(&map, NULL));
    CHECK_EQ(rmd_value_get(&list, &n), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "list [1, 2] is not an int");
    rmd_value null = rmd_null();
    CHECK_EQ(rmd_value_get(&null, &n), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "null is not an int");
}

TEST(a_long_value_is_cut_in_a_message)
{
    char text[300];
    int n;
    memset(text, 'x', sizeof text);
    text[299] = 0;
    rmd_value value = RMD_VALUE(text);
    CHECK_EQ(rmd_value_get(&value, &n), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "xxx... is not an int");
    CHECK_INT(strlen(rmd_error_detail()), <, 110);
}

TEST(equal_is_what_has_the_same_encoding)
{
    rmd_value a = RMD_MAP_OF(RMD_PAIR("x", RMD_LIST_OF(1, 2)), RMD_PAIR("y", NAN));
    rmd_value b = RMD_MAP_OF(RMD_PAIR("y", NAN), RMD_PAIR("x", RMD_LIST_OF(1, 2)));
    rmd_value c = RMD_MAP_OF(RMD_PAIR("y", NAN), RMD_PAIR("x", RMD_LIST_OF(1, 3)));
    rmd_value d = RMD_MAP_OF(RMD_PAIR("y", NAN), RMD_PAIR("z", RMD_LIST_OF(1, 2)));
    CHECK(rmd_value_equal(&a, &b) && rmd_value_equal(&b, &a));
    CHECK(!rmd_value_equal(&a, &c) && !rmd_value_equal(&a, &d));
    rmd_value uint_five = { .type = RMD_TYPE_UINT, .as.natural = 5 }, five = RMD_VALUE(5);
    rmd_value big_five = { .type = RMD_TYPE_BIG, .big_len = 2, .as.big = { 0, 5 } };
    CHECK(rmd_value_equal(&five, &uint_five) && rmd_value_equal(&big_five, &five));
    rmd_value real = RMD_VALUE(5.0), zero = RMD_VALUE(0.0), minus = RMD_VALUE(-0.0);
    CHECK(!rmd_value_equal(&five, &real) && !rmd_value_equal(&zero, &minus));
    rmd_value text = RMD_VALUE("a"), blob = RMD_VALUE(((rmd_bytes){ "a", 1 }));
    CHECK(!rmd_value_equal(&text, &blob));
    rmd_value one = rmd_reference(&text), other = rmd_reference(&blob), same = rmd_reference(&text);
    CHECK(rmd_value_equal(&one, &same) && !rmd_value_equal(&one, &other));
    CHECK(!rmd_value_equal(&one, NULL) && rmd_value_equal(NULL, NULL));
    rmd_value list = RMD_LIST_OF(1, 2), longer = RMD_LIST_OF(1, 2, 3);
    CHECK(!rmd_value_equal(&list, &longer) && !rmd_value_equal(&list, &a));
}

TEST(a_value_is_shown_in_one_line)
{
    CHECK_STR(SHOWN("\"quoted\"\\ \n\t\r\x01\x7f \xc3\xbc"),
              "\"\\\"quoted\\\"\\\\ \\n\\t\\r\\u0001\\u007f \xc3\xbc\"");
    CHECK_STR(shown(rmd_text_of("a\xff", 2)), "\"a\xef\xbf\xbd\"");
    CHECK_STR(SHOWN("\xc2\x9b\xe2\x80\xa8\xc2\xa0"), "\"\\u009b\\u2028\xc2\xa0\"");
    CHECK_STR(SHOWN(1e300), "1e+300");
    CHECK_STR(SHOWN(0.1 + 0.2), "0.30000000000000004");
    CHECK_STR(SHOWN(-5.0), "-5.0");
    CHECK_STR(SHOWN((double)NAN), "nan");
    CHECK_STR(SHOWN(-(double)INFINITY), "-inf");
    static unsigned char long_number[600] = { 0xab };
    rmd_value number = rmd_big_of(true, (rmd_bytes){ long_number, sizeof long_number });
    CHECK_CONTAINS(shown(number), "-0xab00");
    CHECK_STR(rmd_type_name((rmd_type)77), "?");
}

TEST(a_shown_value_is_cut_between_characters)
{
    rmd_value value = RMD_LIST_OF("a\xc3\xbc\xc3\xb6", 12);
    static const char whole[] = "[\"a\xc3\xbc\xc3\xb6\", 12]";
    char text[32];
    CHECK_EQ(rmd_value_format(&value, NULL, 0), (int)strlen(whole));
    for (size_t size = 1; size <= sizeof whole + 2; size++) {
        memset(text, 'z', sizeof text);
        CHECK_EQ(rmd_value_format(&value, text, size), (int)strlen(whole));
        size_t len = strlen(text);
        CHECK_INT(len, <, size);
        CHECK(strncmp(text, whole, len) == 0);
        CHECK(len == strlen(whole) || ((unsigned char)whole[len] & 0xc0) != 0x80);
        CHECK_INT(len, >=, size < sizeof whole ? size - 2 : sizeof whole - 1);
        CHECK_EQ(text[size], 'z');
    }
    rmd_value levels[70];
    levels[0] = value;
    for (int i = 1; i < 70; i++)
        levels[i] = rmd_list(&levels[i - 1], 1);
    CHECK_EQ(rmd_value_format(&levels[69], text, sizeof text), RMD_E2BIG);
    CHECK_STR(text, "");
}

TEST(bytes_that_are_nowhere_are_refused)
{
    char to[16];
    rmd_value value = RMD_VALUE(((rmd_bytes){ NULL, 5 }));
    CHECK_EQ(rmd_value_encode(&value, to, sizeof to), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "5 bytes at NULL");
}
