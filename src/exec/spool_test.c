/* SPDX-License-Identifier: MIT */
#include "exec/spool.h"

#include "base/alloc.h"
#include "kit.h"
#include "kit_alloc.h"
#include "kit_resources.h"

#include <remuda/error.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { KIB = 1024, MIB = 1024 * KIB };

/* Byte number i of every output here. */
static char byte_at(uint64_t i)
{
    return (char)(i * 31 + i / 251);
}

static rmdi_spill *open_spill(size_t memory_max)
{
    rmdi_spill *spill;
    REQUIRE(rmdi_spill_open(&spill, getenv("TMPDIR"), memory_max) == 0);
    return spill;
}

/* Adds so many bytes in pieces of that size. */
static int add(rmdi_spool *spool, size_t bytes, size_t piece)
{
    int err = 0;
    char *data = rmdi_alloc(piece);
    REQUIRE(data != NULL);
    while (bytes && err == 0) {
        size_t n = bytes < piece ? bytes : piece;
        for (size_t i = 0; i < n; i++)
            data[i] = byte_at(spool->total + i);
        err = rmdi_spool_add(spool, data, n);
        bytes -= n;
    }
    rmdi_free(data);
    return err;
}

/* Reads it back in pieces of that size and compares. */
static void check_all(const rmdi_spool *spool, size_t bytes, size_t piece)
{
    char *data = rmdi_alloc(piece);
    uint64_t at = 0, wrong = 0;
    for (int64_t n; (n = rmdi_spool_read(spool, at, data, piece)) > 0; at += (uint64_t)n)
        for (int64_t i = 0; i < n; i++)
            wrong += data[i] != byte_at(at + (uint64_t)i);
    CHECK_EQ(at, bytes);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(rmdi_spool_read(spool, bytes, data, piece), 0);
    CHECK_EQ(rmdi_spool_read(spool, UINT64_MAX, data, piece), 0);
    CHECK_EQ(rmdi_spool_read(spool, 0, data, 0), 0);
    rmdi_free(data);
}

TEST(output_of_any_size_comes_back_whole_from_memory_or_file)
{
    static const size_t sizes[] = { 0, 1, 100, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 300 * KIB };
    static const size_t budgets[] = { 0, 1000, 100 * KIB, MIB };
    static const size_t pieces[] = { 999, 64 * KIB, 200 * KIB };
    for (int s = 0; s < 7; s++)
        for (int b = 0; b < 4; b++)
            for (int p = 0; p < 3; p++) {
                rmdi_spill *spill = open_spill(budgets[b]);
                rmdi_spool spool;
                rmdi_spool_init(&spool, spill);
                CHECK_EQ(add(&spool, sizes[s], pieces[p]), 0);
                check_all(&spool, sizes[s], 1234);
                rmdi_spool_free(&spool);
                CHECK(rmdi_spill_take_memory(spill, budgets[b])); /* all was given back */
                rmdi_spill_drop(spill);
            }
}

TEST(what_is_over_the_budget_goes_to_one_file_without_a_name)
{
    kit_resources before;
    kit_resources_take(&before);
    rmdi_spill *spill = open_spill(128 * KIB);
    static rmdi_spool spools[20];
    for (int i = 0; i < 20; i++) {
        rmdi_spool_init(&spools[i], spill);
        CHECK_EQ(add(&spools[i], 100 * KIB, 4 * KIB), 0);
    }
    size_t memory = 0;
    for (int i = 0; i < 20; i++) {
        rmdi_spool_complete(&spools[i]);
        memory += spools[i].memory.capacity;
        check_all(&spools[i], 100 * KIB, 64 * KIB);
    }
    CHECK_INT(memory, <=, 128 * KIB + 20 * 64);
    for (int i = 0; i < 20; i++)
        rmdi_spool_free(&spools[i]);
    rmdi_spill_drop(spill);
    CHECK_RESOURCES(&before);
}

TEST(many_small_pieces_fill_few_blocks)
{
    rmdi_spill *spill = open_spill(0);
    rmdi_spool spool;
    rmdi_spool_init(&spool, spill);
    CHECK_EQ(add(&spool, 200 * KIB, 100), 0);
    CHECK_EQ(spool.blocks_used, 4);
    check_all(&spool, 200 * KIB, 999);
    rmdi_spool_free(&spool);
    rmdi_spill_drop(spill);
}

TEST(output_in_memory_takes_no_more_than_it_is_long)
{
    rmdi_spill *spill = open_spill(MIB);
    rmdi_spool spool;
    rmdi_spool_init(&spool, spill);
    CHECK_EQ(add(&spool, 40 * KIB, 1000), 0);
    rmdi_spool_complete(&spool);
    CHECK_INT(spool.memory.capacity, <=, 40 * KIB + 1);
    check_all(&spool, 40 * KIB, 999);
    rmdi_spool_free(&spool);
    rmdi_spill_drop(spill);
}

TEST(the_tail_is_the_last_of_the_output_however_it_is_kept)
{
    static const size_t sizes[] = { 0,
                                    1,
                                    RMDI_TAIL_MAX - 1,
                                    RMDI_TAIL_MAX,
                                    RMDI_TAIL_MAX + 1,
                                    2 * RMDI_TAIL_MAX + 5,
                                    10 * RMDI_TAIL_MAX };
    for (int kept = 0; kept < 3; kept++)
        for (int s = 0; s < 7; s++)
            for (size_t piece = 100; piece <= 200000; piece *= 45) {
                rmdi_spill *spill = open_spill(kept == 1 ? 0 : MIB);
                rmdi_spool spool;
                rmdi_buffer storage = { 0 };
                rmdi_spool_init(&spool, kept ? spill : NULL);
                CHECK_EQ(add(&spool, sizes[s], piece), 0);
                CHECK_EQ(spool.total, sizes[s]);
                rmd_bytes tail = rmdi_spool_tail(&spool, &storage);
                CHECK_EQ(tail.len, sizes[s] < RMDI_TAIL_MAX ? sizes[s] : RMDI_TAIL_MAX);
                int wrong = 0;
                for (size_t i = 0; i < tail.len; i++)
                    wrong += ((const char *)tail.data)[i] != byte_at(sizes[s] - tail.len + i);
                CHECK_EQ(wrong, 0);
                CHECK_INT(storage.capacity + spool.memory.capacity, <=, 2 * RMDI_TAIL_MAX + 2);
                rmdi_buffer_free(&storage);
                rmdi_spool_free(&spool);
                rmdi_spill_drop(spill);
            }
}

TEST(a_full_disk_is_told_and_what_was_kept_before_stays)
{
    struct rlimit small = { 3 * RMDI_SPILL_BLOCK, RLIM_INFINITY };
    rmdi_spill *spill = open_spill(0);
    rmdi_spool spool;
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    rmdi_spool_init(&spool, spill);
    CHECK_EQ(add(&spool, 3 * RMDI_SPILL_BLOCK, RMDI_SPILL_BLOCK), 0);
    CHECK_EQ(add(&spool, 1, 1), RMD_ENOSPC);
    CHECK_CONTAINS(rmd_error_detail(), getenv("TMPDIR"));
    check_all(&spool, 3 * RMDI_SPILL_BLOCK, 1000);
    rmdi_spool_free(&spool);
    rmdi_spill_drop(spill);
}

static int spool_and_tail(void *arg)
{
    rmdi_spill *spill = NULL;
    rmdi_spool whole = { 0 }, tail = { 0 };
    rmdi_buffer storage = { 0 };
    char data[10 * KIB] = { 0 };
    (void)arg;
    int err = rmdi_spill_open(&spill, getenv("TMPDIR"), 30 * KIB);
    if (err == 0) {
        rmdi_spool_init(&whole, spill);
        rmdi_spool_init(&tail, NULL);
    }
    for (int i = 0; i < 20 && err == 0; i++) {
        err = rmdi_spool_add(&whole, data, sizeof data);
        if (err == 0)
            err = rmdi_spool_add(&tail, data, sizeof data);
    }
    if (err == 0) { /* an empty one is an answer, too */
        rmdi_spool_complete(&whole);
        CHECK_EQ(rmdi_spool_tail(&tail, &storage).len % RMDI_TAIL_MAX, 0);
    }
    rmdi_buffer_free(&storage);
    rmdi_spool_free(&whole);
    rmdi_spool_free(&tail);
    if (spill)
        rmdi_spill_drop(spill);
    return err;
}

TEST(without_memory_a_spool_fails_cleanly)
{
    CHECK_INT(kit_alloc(spool_and_tail, NULL, RMD_ENOMEM), >, 5);
}

TEST(a_write_that_fails_half_way_leaves_the_bytes_where_they_were)
{
    enum { FIRST = 60000, SECOND = 40000 };
    static char data[FIRST + 2 * SECOND], got[FIRST + SECOND];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i % 251);
    struct rlimit before, small = { RMDI_SPILL_BLOCK, RLIM_INFINITY };
    rmdi_spill *spill = open_spill(SECOND);
    rmdi_spool spool;
    rmdi_spool_init(&spool, spill);
    REQUIRE(rmdi_spill_take_memory(spill, SECOND)); /* so that the first bytes go to the file */
    REQUIRE(rmdi_spool_add(&spool, data, FIRST) == 0);
    rmdi_spill_give_memory(spill, SECOND);
    REQUIRE(rmdi_spool_add(&spool, data + FIRST, SECOND) == 0);
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0 && setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK_EQ(rmdi_spool_add(&spool, data + FIRST + SECOND, SECOND), RMD_ENOSPC);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK_EQ(rmdi_spool_read(&spool, 0, got, sizeof got), FIRST);
    CHECK_EQ(rmdi_spool_read(&spool, FIRST, got + FIRST, SECOND), SECOND);
    CHECK_MEM(got, data, sizeof got);
    rmdi_spool_free(&spool);
    rmdi_spill_drop(spill);
}
