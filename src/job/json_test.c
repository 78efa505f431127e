/* SPDX-License-Identifier: MIT */
#include "kit.h"

#include "job/json.h"

static void check_text(const char *in, size_t len, const char *expected)
{
    json_t *string = rmdi_json_text((rmd_bytes){ in, len });
    CHECK_STR(json_string_value(string), expected);
    json_decref(string);
}

#define CHECK_TEXT(in, expected) check_text(in, sizeof(in) - 1, expected)
#define NONE                     "\xef\xbf\xbd"

TEST(valid_text_stays_as_it_is)
{
    CHECK_TEXT("", "");
    CHECK_TEXT("a\n\"\x01", "a\n\"\x01");
    CHECK_TEXT("\u00e9\u20ac\U0001f40e\U0010ffff\ud7ff", "\u00e9\u20ac\U0001f40e\U0010ffff\ud7ff");
}

TEST(each_byte_that_is_no_character_is_replaced)
{
    CHECK_TEXT("a\xff"
               "b",
               "a" NONE "b");
    CHECK_TEXT("\xc3", NONE);                            /* cut off */
    CHECK_TEXT("\xe2\x82", NONE NONE);                   /* the same */
    CHECK_TEXT("\xc0\xaf", NONE NONE);                   /* overlong */
    CHECK_TEXT("\xe0\x80\xaf", NONE NONE NONE);          /* the same */
    CHECK_TEXT("\xed\xa0\x80", NONE NONE NONE);          /* a surrogate */
    CHECK_TEXT("\xf4\x90\x80\x80", NONE NONE NONE NONE); /* beyond the last */
    CHECK_TEXT("\xf5\x80\x80\x80", NONE NONE NONE NONE); /* the same */
    CHECK_TEXT("\x80\u20ac\xe2", NONE "\u20ac" NONE);
}

TEST(moments_are_written_in_utc)
{
    json_t *time = rmdi_json_time(INT64_C(1795526501282141999));
    CHECK_STR(json_string_value(time), "2026-11-24T13:21:41.282141Z");
    json_decref(time);
    CHECK(json_is_null(rmdi_json_time(0)));
}
