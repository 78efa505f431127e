/* SPDX-License-Identifier: MIT */
#include "kit.h"

#include "job/base64.h"

static void check(const char *plain, const char *text)
{
    rmdi_buffer made = { 0 };
    unsigned char back[64];
    CHECK_EQ(rmdi_base64_add(&made, rmdi_bytes_of(plain)), 0);
    CHECK_STR(made.data ? made.data : "", text);
    CHECK_EQ(rmdi_base64_read(rmdi_bytes_of(text), back), strlen(plain));
    CHECK_MEM(back, plain, strlen(plain));
    rmdi_buffer_free(&made);
}

TEST(the_examples_of_the_standard)
{
    check("", "");
    check("f", "Zg==");
    check("fo", "Zm8=");
    check("foo", "Zm9v");
    check("foob", "Zm9vYg==");
    check("fooba", "Zm9vYmE=");
    check("foobar", "Zm9vYmFy");
}

TEST(all_bytes_come_back_in_place_too)
{
    unsigned char all[256];
    rmdi_buffer made = { 0 };
    for (unsigned len = 0; len <= 256; len++) {
        for (unsigned i = 0; i < len; i++)
            all[i] = (unsigned char)(i * 7 + len);
        rmdi_buffer_clear(&made);
        REQUIRE(rmdi_base64_add(&made, (rmd_bytes){ all, len }) == 0);
        CHECK_EQ(made.len, (len + 2) / 3 * 4);
        CHECK_EQ(rmdi_base64_read(rmdi_buffer_view(&made), (unsigned char *)made.data), len);
        CHECK_MEM(made.data, all, len);
    }
    rmdi_buffer_free(&made);
}

TEST(what_is_no_base64_is_refused)
{
    static const char *const wrong[] = {
        "A",      "AA",   "AAA",  "AAAAA", "Zg=",  "Zg= ", "Z===",     "====", "Zg==Zg==",
        "Zm9v\n", "Zm-v", "Zm_v", "Zh==",  "Zm9=", "=AAA", "Zm9vZm=v", "Z g=", "Zm\xc3v"
    };
    unsigned char to[16];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!CHECK_EQ(rmdi_base64_read(rmdi_bytes_of(wrong[i]), to), -1))
            FAIL(wrong[i]);
}
