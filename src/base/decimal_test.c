/* SPDX-License-Identifier: MIT */
#include "base/decimal.h"

#include "kit.h"

#include <inttypes.h>

TEST(numbers_are_written_as_printf_writes_them)
{
    static const uint64_t numbers[] = {
        0, 1, 9, 10, 99, 100, 4294967296, UINT64_MAX - 1, UINT64_MAX
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char wanted[32], got[RMDI_DECIMAL_MAX];
        snprintf(wanted, sizeof wanted, "%" PRIu64, numbers[i]);
        char *end = rmdi_decimal(got, numbers[i]);
        CHECK_STR(got, wanted);
        CHECK_EQ(end - got, strlen(wanted));
    }
}
