/* SPDX-License-Identifier: MIT */
#include "data/bignum.h"

#include "kit.h"
#include "kit_alloc.h"

#include <remuda/error.h>
#include <string.h>

static const char *decimal(const char *bytes, size_t len)
{
    static char text[1300];
    size_t digits = rmdi_big_decimal((rmd_bytes){ bytes, len }, text);
    CHECK_EQ(digits, strlen(text));
    return text;
}

TEST(numbers_are_written_in_decimal)
{
    CHECK_STR(decimal("", 0), "0");
    CHECK_STR(decimal("\0\0", 2), "0");
    CHECK_STR(decimal("\x7b", 1), "123");
    CHECK_STR(decimal("\x3b\x9a\xca\x00", 4), "1000000000");
    CHECK_STR(decimal("\0\x01\0\0\0\0\0\0\0\0", 10), "18446744073709551616");
    CHECK_STR(decimal("\x13\x33\xdb\x76\xa7\xc5\x94\xbf\xc3", 9), "354224848179261915075");
}

TEST(the_largest_number_that_is_written_in_decimal_fits)
{
    char bytes[RMDI_BIG_DECIMAL_MAX];
    memset(bytes, 0xff, sizeof bytes);
    const char *text = decimal(bytes, sizeof bytes);
    CHECK_EQ(strlen(text), 1234);
    CHECK(strncmp(text, "1044388881413152506691752710716624382579", 40) == 0);
}

static void check_power(const char *digits, int power)
{
    rmdi_buffer magnitude = { 0 };
    REQUIRE(rmdi_big_from_decimal(&magnitude, (rmd_bytes){ digits, strlen(digits) }) == 0);
    CHECK_EQ(magnitude.len, power / 8 + 1);
    CHECK_EQ((unsigned char)magnitude.data[0], 1 << power % 8);
    CHECK_STR(decimal(magnitude.data, magnitude.len), digits);
    rmdi_buffer_free(&magnitude);
}

/* By doubling in decimal, from 1 on; each 17th is looked at. */
TEST(decimal_and_bytes_are_the_same_number)
{
    char digits[1300] = "1";
    for (int power = 0; power < 3900; power++) {
        if (power < 70 || power % 17 == 0)
            check_power(digits, power);
        int carry = 0;
        for (size_t i = strlen(digits); i-- > 0;) {
            int d = 2 * (digits[i] - '0') + carry;
            digits[i] = (char)('0' + d % 10);
            carry = d / 10;
        }
        if (carry) {
            memmove(digits + 1, digits, strlen(digits) + 1);
            digits[0] = '1';
        }
    }
}

TEST(what_is_no_number_is_refused)
{
    rmdi_buffer to = { 0 };
    char many[1201];
    memset(many, '1', sizeof many);
    CHECK_EQ(rmdi_big_from_decimal(&to, (rmd_bytes){ "12x", 3 }), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "\"12x\" is not a number");
    CHECK_EQ(rmdi_big_from_decimal(&to, (rmd_bytes){ "", 0 }), RMD_EINVAL);
    CHECK_EQ(rmdi_big_from_decimal(&to, (rmd_bytes){ many, 1201 }), RMD_E2BIG);
    CHECK_EQ(rmdi_big_from_decimal(&to, (rmd_bytes){ many, 1200 }), 0);
    CHECK_INT(to.len, >, 490);
    rmdi_buffer_clear(&to);
    CHECK_EQ(rmdi_big_from_decimal(&to, (rmd_bytes){ "000", 3 }), 0);
    CHECK_EQ(to.len, 0);
    rmdi_buffer_free(&to);
    kit_alloc_fail(1);
    CHECK_EQ(rmdi_big_from_decimal(&to, (rmd_bytes){ "12", 2 }), RMD_ENOMEM);
    kit_alloc_fail(0);
}

TEST(one_is_taken_off_and_put_on)
{
    unsigned char to[4];
    CHECK_EQ(rmdi_big_decrease((rmd_bytes){ "\x01\0\0", 3 }, to), 2);
    CHECK_MEM(to, "\0\xff\xff", 3);
    CHECK_EQ(rmdi_big_decrease((rmd_bytes){ "\x01\0\x01", 3 }, to), 3);
    CHECK_MEM(to, "\x01\0\0", 3);
    CHECK_EQ(rmdi_big_increase((rmd_bytes){ "\xff\xff\xff", 3 }, to), 4);
    CHECK_MEM(to, "\x01\0\0\0", 4);
    CHECK_EQ(rmdi_big_increase((rmd_bytes){ "\x01\0\xff", 3 }, to), 3);
    CHECK_MEM(to, "\0\x01\x01\0", 4);
}

TEST(numbers_are_compared_without_their_zeros)
{
    CHECK_EQ(rmdi_big_compare((rmd_bytes){ "\0\0\x05", 3 }, (rmd_bytes){ "\x05", 1 }), 0);
    CHECK_INT(rmdi_big_compare((rmd_bytes){ "\x05\0", 2 }, (rmd_bytes){ "\xff", 1 }), >, 0);
    CHECK_INT(rmdi_big_compare((rmd_bytes){ "\x05\0", 2 }, (rmd_bytes){ "\x05\x01", 2 }), <, 0);
    CHECK_EQ(rmdi_big_compare((rmd_bytes){ "", 0 }, (rmd_bytes){ "\0", 1 }), 0);
}
