/* SPDX-License-Identifier: MIT */
#include "exec/spill.h"

#include "kit.h"
#include "kit_alloc.h"
#include "kit_resources.h"

#include <remuda/error.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>

static rmdi_spill *open_spill(size_t memory_max)
{
    rmdi_spill *spill;
    REQUIRE(rmdi_spill_open(&spill, getenv("TMPDIR"), memory_max) == 0);
    return spill;
}

static uint32_t put(rmdi_spill *spill, int number)
{
    static char data[RMDI_SPILL_BLOCK];
    uint32_t block;
    memset(data, number, sizeof data);
    REQUIRE(rmdi_spill_put(spill, data, sizeof data, &block) == 0);
    return block;
}

static void check_block(rmdi_spill *spill, uint32_t block, int number)
{
    char data[2] = { 0 };
    CHECK_EQ(rmdi_spill_get(spill, block, RMDI_SPILL_BLOCK - 1, &data[1], 1), 0);
    CHECK_EQ(rmdi_spill_get(spill, block, 0, &data[0], 1), 0);
    CHECK_EQ(data[0], number);
    CHECK_EQ(data[1], number);
}

TEST(the_budget_is_taken_and_given_back_whole)
{
    rmdi_spill *spill = open_spill(100);
    CHECK(rmdi_spill_take_memory(spill, 60));
    CHECK(!rmdi_spill_take_memory(spill, 41));
    CHECK(rmdi_spill_take_memory(spill, 40));
    CHECK(!rmdi_spill_take_memory(spill, 1));
    rmdi_spill_give_memory(spill, 60);
    CHECK(rmdi_spill_take_memory(spill, 60));
    rmdi_spill_drop(spill);
}

TEST(blocks_that_were_given_back_are_used_again)
{
    enum { COUNT = 40 };
    uint32_t blocks[COUNT], highest = 0;
    rmdi_spill *spill = open_spill(0);
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = put(spill, i);
        highest = blocks[i] > highest ? blocks[i] : highest;
    }
    CHECK_EQ(highest, COUNT - 1);
    for (int i = 0; i < COUNT; i += 2)
        rmdi_spill_free_block(spill, blocks[i]);
    for (int i = 0; i < COUNT; i += 2) {
        blocks[i] = put(spill, i + 50);
        CHECK_INT(blocks[i], <=, highest);
    }
    for (int i = 0; i < COUNT; i++)
        check_block(spill, blocks[i], i % 2 ? i : i + 50);
    rmdi_spill_drop(spill);
}

TEST(the_file_lives_as_long_as_the_last_reference)
{
    kit_resources before;
    kit_resources_take(&before);
    rmdi_spill *spill = open_spill(0);
    rmdi_spill_hold(spill);
    uint32_t block = put(spill, 7);
    rmdi_spill_drop(spill);
    check_block(spill, block, 7);
    rmdi_spill_drop(spill);
    CHECK_RESOURCES(&before);
}

TEST(a_directory_that_is_missing_is_named)
{
    uint32_t block;
    rmdi_spill *spill;
    REQUIRE(rmdi_spill_open(&spill, "/no/such/place", 0) == 0);
    CHECK_EQ(rmdi_spill_put(spill, "x", 1, &block), RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "/no/such/place");
    rmdi_spill_drop(spill);
}

TEST(a_write_that_fails_holds_no_block_and_the_next_one_works)
{
    static const char data[RMDI_SPILL_BLOCK];
    uint32_t block;
    struct rlimit before, small = { RMDI_SPILL_BLOCK + 10, RLIM_INFINITY };
    rmdi_spill *spill = open_spill(0);
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0 && setrlimit(RLIMIT_FSIZE, &small) == 0);
    uint32_t first = put(spill, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rmdi_spill_put(spill, data, sizeof data, &block), RMD_ENOSPC);
        CHECK_CONTAINS(rmd_error_detail(), getenv("TMPDIR"));
    }
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK_EQ(put(spill, 2), 1);
    check_block(spill, first, 1);
    rmdi_spill_drop(spill);
}

TEST(the_space_of_blocks_that_nobody_uses_serves_others)
{
    enum { HALVES = 20, WHOLES = 14 };
    static char data[RMDI_SPILL_BLOCK];
    uint32_t blocks[HALVES];
    if (mount("small", getenv("TMPDIR"), "tmpfs", 0, "size=1m") < 0)
        SKIP("no right to mount a small file system");
    rmdi_spill *spill = open_spill(0);
    for (int i = 0; i < HALVES; i++)
        REQUIRE(rmdi_spill_put(spill, data, sizeof data / 2, &blocks[i]) == 0);
    for (int i = 0; i < HALVES; i++)
        rmdi_spill_free_block(spill, blocks[i]);
    for (int i = 0; i < WHOLES; i++) /* more than is left beside the halves */
        CHECK_EQ(rmdi_spill_put(spill, data, sizeof data, &blocks[i]), 0);
    int err = 0;
    for (int i = WHOLES; i < HALVES && err == 0; i++)
        err = rmdi_spill_put(spill, data, sizeof data, &blocks[i]);
    CHECK_EQ(err, RMD_ENOSPC);
    rmdi_spill_drop(spill);
    CHECK_EQ(umount(getenv("TMPDIR")), 0);
}

static int put_some(void *arg)
{
    rmdi_spill *spill = NULL;
    uint32_t block;
    (void)arg;
    int err = rmdi_spill_open(&spill, getenv("TMPDIR"), 0);
    for (int i = 0; i < 20 && err == 0; i++)
        err = rmdi_spill_put(spill, "x", 1, &block);
    if (spill)
        rmdi_spill_drop(spill);
    return err;
}

TEST(without_memory_a_put_fails_cleanly)
{
    CHECK_INT(kit_alloc(put_some, NULL, RMD_ENOMEM), >, 4);
}
