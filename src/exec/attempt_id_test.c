/* SPDX-License-Identifier: MIT */
#include "exec/attempt_id.h"

#include "kit.h"

#define OURS   "0123456789abcdef"
#define THEIRS "fedcba9876543210"

static uint64_t find(const char *path)
{
    uint64_t number = 0;
    return rmdi_attempt_id_find(path, OURS, &number) ? number : 0;
}

TEST(our_id_is_found_anywhere_in_the_path)
{
    CHECK_EQ(find(OURS "-7"), 7);
    CHECK_EQ(find(THEIRS "-1/" OURS "-18446744073709551615"), UINT64_MAX);
    CHECK_EQ(find(OURS "-3/" THEIRS "-4"), 3);
    CHECK_EQ(find(THEIRS "-1/" OURS "-2/" THEIRS "-3"), 2);
}

TEST(what_only_resembles_our_id_is_not_ours)
{
    static const char *const paths[] = {
        "",
        "/",
        OURS,
        OURS "-",
        OURS "-x",
        OURS "-7x",
        OURS "7",
        "x" OURS "-7",
        THEIRS "-7",
        OURS "/7",
        OURS "-/7",
        "-" OURS "-7",
        OURS "-7-8/",
        "01234567-1",
        THEIRS OURS "-7",
        THEIRS "-" OURS "-7",
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (!CHECK_EQ(find(paths[i]), 0))
            printf("\"%s\"\n", paths[i]);
}
