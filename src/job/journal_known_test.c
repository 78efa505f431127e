/* SPDX-License-Identifier: MIT */
#include "kit.h"

#include "job/journal_known.h"

#include <remuda/error.h>

static rmdi_key key_of(uint64_t n)
{
    rmdi_key key = { { 0 } };
    n *= UINT64_C(0x9e3779b97f4a7c15);
    memcpy(key.bytes, &n, sizeof n);
    return key;
}

TEST(equal_tasks_are_given_out_in_the_order_in_which_they_were_begun)
{
    rmdi_known known;
    rmdi_key a = key_of(1), b = key_of(2), c = key_of(3);
    REQUIRE(rmdi_known_init(&known, 4) == 0);
    rmdi_known_add(&known, 4, &a, RMD_PENDING, true);
    rmdi_known_add(&known, 3, &b, RMD_OUTCOME_OK, true);
    rmdi_known_add(&known, 2, &a, RMD_OUTCOME_FAILED, true);
    rmdi_known_add(&known, 1, &a, RMD_OUTCOME_CANCELLED, false);
    CHECK_EQ(rmdi_known_take(&known, &c).id, 0);
    rmdi_known_task first = rmdi_known_take(&known, &a);
    CHECK_EQ(first.id, 1);
    CHECK_EQ(first.outcome, RMD_OUTCOME_CANCELLED);
    CHECK(!first.started);
    CHECK_EQ(rmdi_known_take(&known, &a).id, 2);
    CHECK_EQ(known.left, 2);
    CHECK_EQ(rmdi_known_take(&known, &a).id, 4);
    CHECK_EQ(rmdi_known_take(&known, &a).id, 0);
    CHECK_EQ(rmdi_known_take(&known, &b).id, 3);
    CHECK_EQ(rmdi_known_take(&known, &b).id, 0);
    CHECK_EQ(known.left, 0);
    rmdi_known_free(&known);
}

/* Also when all of them fall on the same place of the table, and when all are equal: nothing here
 * may take time that grows with the square. */
TEST(many_tasks_are_all_found_whatever_their_keys)
{
    enum { MANY = 200000 };
    for (int kind = 0; kind < 2; kind++) {
        rmdi_known known;
        REQUIRE(rmdi_known_init(&known, MANY) == 0);
        for (uint32_t id = MANY; id; id--) {
            rmdi_key key = key_of(kind ? 7 : id);
            rmdi_known_add(&known, id, &key, RMD_OUTCOME_OK, true);
        }
        uint32_t wrong = 0;
        for (uint32_t id = 1; id <= MANY; id++) {
            rmdi_key key = key_of(kind ? 7 : id);
            wrong += rmdi_known_take(&known, &key).id != id;
        }
        CHECK_EQ(wrong, 0);
        rmdi_known_free(&known);
    }
}

TEST(nothing_known_is_no_special_case)
{
    rmdi_known known = { 0 };
    rmdi_key key = key_of(1);
    CHECK_EQ(rmdi_known_take(&known, &key).id, 0);
    rmdi_known_free(&known);
    REQUIRE(rmdi_known_init(&known, 0) == 0);
    CHECK_EQ(rmdi_known_take(&known, &key).id, 0);
    rmdi_known_free(&known);
    CHECK_INT(rmdi_known_init(&known, UINT64_C(1) << 40), ==, RMD_E2BIG);
}
