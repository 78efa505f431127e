/* SPDX-License-Identifier: MIT */
#include "kit.h"
#include "kit_alloc.h"

#include "job/json_value.h"

#include <locale.h>
#include <remuda/error.h>
#include <stdlib.h>

/* Both ways: the text is the one that is written, and stands for the value. */
static void check(rmd_value value, const char *text)
{
    rmdi_buffer made = { 0 };
    const rmd_value *back;
    CHECK_EQ(rmdi_json_encode(&made, &value), 0);
    CHECK_STR(made.data, text);
    if (CHECK_EQ(rmdi_json_decode(&back, rmdi_bytes_of(text), NULL), 0)) {
        CHECK(rmd_value_equal(&value, back));
        rmd_value_free(back);
    }
    rmdi_buffer_free(&made);
}

/* It may be read, as what is written so. */
static void check_read(const char *text, const char *as)
{
    rmdi_buffer made = { 0 };
    const rmd_value *value;
    if (!CHECK_EQ(rmdi_json_decode(&value, rmdi_bytes_of(text), NULL), 0)) {
        FAIL(rmd_error_detail());
        return;
    }
    CHECK_EQ(rmdi_json_encode(&made, value), 0);
    CHECK_STR(made.data, as);
    rmd_value_free(value);
    rmdi_buffer_free(&made);
}

static void check_refused(const char *text, int err, const char *detail)
{
    const rmd_value *value = NULL;
    CHECK_EQ(rmdi_json_decode(&value, rmdi_bytes_of(text), NULL), err);
    CHECK_CONTAINS(rmd_error_detail(), detail);
    CHECK(!value);
}

#define INVALID(text, detail) check_refused(text, RMD_ESYNTAX, detail)

TEST(plain_values)
{
    check(rmd_null(), "null");
    check(rmd_bool(true), "true");
    check(rmd_bool(false), "false");
    check(rmd_int(0), "0");
    check(rmd_int(-1), "-1");
    check(rmd_text(""), "\"\"");
    check(RMD_LIST_OF(1, "two", RMD_LIST_OF(), RMD_MAP_OF()), "[1,\"two\",[],{}]");
    check(RMD_MAP_OF(RMD_PAIR("a", 1), RMD_PAIR("", RMD_LIST_OF(2.5))), "{\"a\":1,\"\":[2.5]}");
    check_read(" [ 1 ,\n\t2 ]\r\n ", "[1,2]");
    check_read("-0", "0");
}

TEST(ints_are_exact_whatever_their_size)
{
    check(rmd_int(INT64_MAX), "9223372036854775807");
    check(rmd_int(INT64_MIN), "-9223372036854775808");
    check(rmd_uint(UINT64_MAX), "18446744073709551615");
    check(rmd_big((rmd_int128)UINT64_MAX + 1), "18446744073709551616");
    check(rmd_big(-(rmd_int128)UINT64_MAX - 1), "-18446744073709551616");
    unsigned char bytes[1000];
    memset(bytes, 0xab, sizeof bytes);
    check(rmd_big_of(true, (rmd_bytes){ bytes, 17 }), "-58416474095415694810088967901698373430187");
}

TEST(an_int_of_as_many_digits_as_are_read_is_decimal_and_a_larger_one_is_hexadecimal)
{
    unsigned char bytes[600];
    memset(bytes, 0xff, sizeof bytes);
    for (size_t len = 490; len <= 600; len += len < 502 ? 1 : 49) {
        rmdi_buffer made = { 0 };
        const rmd_value *back;
        rmd_value value = rmd_big_of(len % 2, (rmd_bytes){ bytes, len });
        CHECK_EQ(rmdi_json_encode(&made, &value), 0);
        CHECK_EQ(made.data[0] == '{', len > 498);
        if (CHECK_EQ(rmdi_json_decode(&back, rmdi_buffer_view(&made), NULL), 0)) {
            CHECK(rmd_value_equal(&value, back));
            rmd_value_free(back);
        }
        rmdi_buffer_free(&made);
    }
    check_read("{\"$int\":\"0x0001\"}", "1");
    check_read("{\"$int\":\"-0x010000000000000000\"}", "-18446744073709551616");
}

TEST(floats_are_the_shortest_that_read_back)
{
    check(rmd_float(0.0), "0.0");
    check(rmd_float(-0.0), "-0.0");
    check(rmd_float(0.1), "0.1");
    check(rmd_float(1.0), "1.0");
    check(rmd_float(1e15), "1000000000000000.0");
    check(rmd_float(1e16), "1e+16");
    check(rmd_float(123456.789), "123456.789");
    check(rmd_float(0.0001), "0.0001");
    check(rmd_float(0.00001), "1e-05");
    check(rmd_float(1.0 / 3), "0.3333333333333333");
    check(rmd_float(-2.2250738585072014e-308), "-2.2250738585072014e-308");
    check(rmd_float(5e-324), "5e-324");
    check(rmd_float(1.7976931348623157e308), "1.7976931348623157e+308");
    check_read("1E2", "100.0");
    check_read("[1e-400,0.5e+1]", "[0.0,5.0]");
    check(rmd_float(__builtin_nan("")), "{\"$float\":\"nan\"}");
    check(rmd_float(__builtin_inf()), "{\"$float\":\"inf\"}");
    check(rmd_float(-__builtin_inf()), "{\"$float\":\"-inf\"}");
}

TEST(floats_have_a_point_whatever_the_language_of_the_program)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_NUMERIC, names[i]))
            break;
    if (*localeconv()->decimal_point != ',')
        SKIP("no language with a decimal comma is installed");
    check(rmd_float(-1234.5), "-1234.5");
    check(rmd_float(1.25e-7), "1.25e-07");
}

TEST(texts)
{
    check(rmd_text("straße 🐎"), "\"straße 🐎\"");
    check(rmd_text_of("a\0b", 3), "\"a\\u0000b\"");
    check(rmd_text("\"\\\b\f\n\r\t\x1b/"), "\"\\\"\\\\\\b\\f\\n\\r\\t\\u001b/\"");
    check(rmd_text("\x7f\xc2\x9b\xe2\x80\xa8"), "\"\\u007f\\u009b\\u2028\"");
    check_read("\"\\ud83d\\uDC0E\\/\\u00e4\\u20AC\"", "\"🐎/ä€\"");
}

TEST(what_json_has_no_word_for)
{
    check(rmd_bytes_value((rmd_bytes){ "\0\xff", 2 }), "{\"$bytes\":\"AP8=\"}");
    check(rmd_bytes_value((rmd_bytes){ NULL, 0 }), "{\"$bytes\":\"\"}");
    check(RMD_MAP_OF(RMD_PAIR(1, "a"), RMD_PAIR(rmd_null(), RMD_LIST_OF(2))),
          "{\"$map\":[[1,\"a\"],[null,[2]]]}");
    check(RMD_MAP_OF(RMD_PAIR("$bytes", 1)), "{\"$map\":[[\"$bytes\",1]]}");
    check(RMD_MAP_OF(RMD_PAIR("$bytes", 1), RMD_PAIR("x", 1)), "{\"$bytes\":1,\"x\":1}");
    check(RMD_MAP_OF(RMD_PAIR("$ref", "#/x")), "{\"$ref\":\"#/x\"}");
    rmd_value name = rmd_text("counter/7"), list = RMD_LIST_OF(1, "x");
    check(rmd_reference(&name), "{\"$reference\":\"counter/7\"}");
    check(RMD_LIST_OF(rmd_reference(&list), 3), "[{\"$reference\":[1,\"x\"]},3]");
    check_read("{\"$map\":[]}", "{}");
    check_read("{\"$map\":[[\"a\",{\"$map\":[[{\"$bytes\":\"AA==\"},1]]}]]}",
               "{\"a\":{\"$map\":[[{\"$bytes\":\"AA==\"},1]]}}");
    INVALID("{\"$bytes\":\"A\"}", "column 1: \"$bytes\" takes a text of base64");
    INVALID("[{\"$float\":1}]", "column 2: \"$float\" takes");
    INVALID("{\"$int\":\"12\"}", "\"$int\" takes");
    INVALID("{\"$map\":[[[1],2]]}", "\"$map\" takes a list");
    INVALID("{\"$map\":{}}", "\"$map\" takes a list");
    INVALID("{\"$reference\":1}", "\"$reference\" takes");
}

TEST(what_is_wrong_is_named_with_its_place)
{
    INVALID("", "column 1: it ends here; a value should stand here");
    INVALID("  ", "column 3: it ends here");
    INVALID("hello", "column 1: \"hello\" is no JSON: a text stands in");
    INVALID("[1,]", "column 4: not \"]\": a value is a number");
    INVALID("[1 2]", "column 4: not \"2\": a , or ] should follow");
    INVALID("[1", "column 3: it ends here; a , or ] should follow");
    INVALID("{\"a\" 1}", "column 6: not \"1\": a : should follow the key");
    INVALID("{a:1}", "column 2: not \"a\": a key is a text");
    INVALID("{\"a\":1,}", "column 8: not \"}\": a key is a text");
    INVALID("\"ä\n", "column 3: a control character");
    INVALID("{\n \"ü\": 01}", "line 2, column 7: a number does not begin with a 0 in front");
    INVALID("1.", "column 3: it ends here; a digit should follow the point");
    INVALID("-x", "column 2: not \"x\": a digit should follow the sign");
    INVALID("1e", "the digits of the exponent");
    INVALID("+1", "column 1: not \"+\"");
    INVALID("1e400", "column 1: 1e400 is more than a float can be");
    INVALID("[NaN]", "write {\"$float\": \"nan\"}");
    INVALID("-Infinity", "a digit should follow the sign");
    INVALID("\"abc", "column 5: it ends here; a \" should close the text");
    INVALID("\"a\xff\"", "column 3: a text is not UTF-8");
    INVALID("\"\\x\"", "behind \\ there is one of");
    INVALID("\"\\u12g4\"", "column 6: not \"g\": four hexadecimal digits");
    INVALID("\"\\ud83d\"", "column 2: half of a surrogate pair");
    INVALID("\"\\udc0e\\ud83d\"", "column 2: half of a surrogate pair");
    INVALID("1 2", "column 3: the value ends here, and more follows");
    INVALID("{\"a\":1,\"b\":2,\"a\":3}",
            "column 1: the map that begins here has the key \"a\" twice");
    INVALID("[{\"a\":1,\"\\u0061\":2}]", "column 2: the map");
    INVALID("{\"$map\":[[1,2],[1,3]]}", "the key 1 twice");
    CHECK_EQ(rmdi_json_decode(&(const rmd_value *){ NULL }, (rmd_bytes){ "\"a\0\"", 4 }, NULL),
             RMD_ESYNTAX);
}

TEST(of_many_keys_two_equal_ones_are_found)
{
    char text[20000] = "{";
    for (int i = 0; i < 1000; i++)
        sprintf(text + strlen(text), "\"%d\":%d,", i * 7919 % 1000, i);
    strcpy(text + strlen(text) - 1, "}");
    const rmd_value *value;
    REQUIRE(rmdi_json_decode(&value, rmdi_bytes_of(text), NULL) == 0);
    CHECK_EQ(value->as.map.count, 1000);
    rmd_value_free(value);
    strcpy(text + strlen(text) - 1, ",\"500\":1}");
    INVALID(text, "the key \"500\" twice");
}

static void nest(char *text, const char *opening, const char *inside, const char *closing,
                 int depth)
{
    *text = 0;
    for (int i = 0; i < depth; i++)
        strcat(text, opening);
    strcat(text, inside);
    for (int i = 0; i < depth; i++)
        strcat(text, closing);
}

TEST(limits_are_checked)
{
    static char text[100000];
    const rmd_value *value = NULL;
    nest(text, "[", "", "]", 64);
    check_read(text, text);
    nest(text, "[", "", "]", 65);
    check_refused(text, RMD_E2BIG, "column 1: lists and maps lie 65 deep in each other");
    nest(text, "{\"$map\":[[1,", "2", "]]}", 64);
    check_read(text, text);
    nest(text, "{\"$map\":[[1,", "2", "]]}", 65);
    check_refused(text, RMD_E2BIG, "deep");
    nest(text, "[", "", "]", 10000);
    check_refused(text, RMD_E2BIG, "column 193: lists and maps lie too deep");
    nest(text, "", "123456789", "", 0);
    rmd_value_limits limits = { .size = sizeof limits, .bytes_max = 8 };
    CHECK_EQ(rmdi_json_decode(&value, rmdi_bytes_of(text), &limits), RMD_E2BIG);
    CHECK_STR(rmd_error_detail(), "a text of 9 bytes; the limit is 8");
    limits = (rmd_value_limits){ .size = sizeof limits, .items_max = 3 };
    CHECK_EQ(rmdi_json_decode(&value, rmdi_bytes_of("[1,2,3,4,5]"), &limits), RMD_E2BIG);
    CHECK_STR(rmd_error_detail(), "column 6: more than 3 values");
    memset(text, '9', 1201);
    text[1201] = 0;
    check_refused(text, RMD_E2BIG, "column 1: a number of 1201 digits; the limit is 1200");
    limits.size = 1;
    CHECK_EQ(rmdi_json_decode(&value, rmdi_bytes_of("1"), &limits), RMD_EINVAL);
}

TEST(what_cannot_be_written_leaves_the_buffer_as_it_was)
{
    rmdi_buffer to = { 0 };
    rmd_value bad = RMD_LIST_OF(1, rmd_text_of("\xff", 1));
    REQUIRE(rmdi_buffer_add_text(&to, "x") == 0);
    CHECK_EQ(rmdi_json_encode(&to, &bad), RMD_EINVAL);
    CHECK_STR(to.data, "x");
    bad = RMD_MAP_OF(RMD_PAIR(RMD_LIST_OF(), 1));
    CHECK_EQ(rmdi_json_encode(&to, &bad), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "cannot be the key");
    bad.type = RMD_TYPE_ABSENT;
    CHECK_EQ(rmdi_json_encode(&to, &bad), RMD_EINVAL);
    rmd_value deep[70];
    deep[0] = rmd_list(NULL, 0);
    for (int i = 1; i < 70; i++)
        deep[i] = rmd_list(&deep[i - 1], 1);
    CHECK_EQ(rmdi_json_encode(&to, &deep[63]), 0);
    CHECK_EQ(rmdi_json_encode(&to, &deep[64]), RMD_E2BIG);
    rmdi_buffer_free(&to);
}

static int both_ways(void *ctx)
{
    static const char text[] = "[1.5,{\"a\":\"x\",\"b\":123456789012345678901234567890},"
                               "{\"$map\":[[1,{\"$bytes\":\"AP8=\"}]]}]";
    rmdi_buffer made = { 0 };
    const rmd_value *value;
    (void)ctx;
    int err = rmdi_json_decode(&value, rmdi_bytes_of(text), NULL);
    if (err < 0)
        return err;
    err = rmdi_json_encode(&made, value);
    if (err == 0)
        CHECK_STR(made.data, text);
    rmdi_buffer_free(&made);
    rmd_value_free(value);
    return err;
}

TEST(each_allocation_can_fail)
{
    CHECK_INT(kit_alloc(both_ways, NULL, RMD_ENOMEM), >, 2);
}
