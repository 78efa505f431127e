/* SPDX-License-Identifier: MIT */
/* Shared memory: which parts there are, who may have them, and that every process sees the same
 * bytes. */
#include "exec/processes_testing.h"

#include "kit_alloc.h"
#include "kit_resources.h"

#include <remuda/shared.h>
#include <stdint.h>

enum { LINE = 64, WHOLE = 64 * 1024 };

static int put_len(rmd_call *call, size_t index)
{
    void *data = NULL;
    size_t len = 0;
    int err = rmd_call_shared(call, index, &data, &len);
    return err < 0 ? err : rmd_call_return(call, (int64_t)len);
}

static int do_length(rmd_call *call)
{
    return put_len(call, 0);
}

static int do_second_length(rmd_call *call)
{
    return put_len(call, 1);
}

/* Adds one to each byte, and returns what they were in all. */
static int do_increase(rmd_call *call)
{
    void *data;
    size_t len;
    int64_t sum = 0;
    int err = rmd_call_shared(call, 0, &data, &len);
    for (size_t i = 0; err == 0 && i < len; i++)
        sum += ((unsigned char *)data)[i]++;
    return err < 0 ? err : rmd_call_return(call, sum);
}

/* How many descriptors from 3 to 99 there are: what a program that it executes would have. */
static int do_descriptors(rmd_call *call)
{
    int64_t n = 0;
    for (int fd = 3; fd < 100; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return rmd_call_return(call, n);
}

static int do_nowhere(rmd_call *call)
{
    void *data;
    size_t len;
    bool refused = rmd_call_shared(call, 0, NULL, &len) == RMD_EINVAL &&
                   rmd_call_shared(call, 0, &data, NULL) == RMD_EINVAL;
    return refused ? 0 : RMD_EIO;
}

static const rmd_function own[] = {
    { .name = "length", .fn = do_length },     { .name = "second_length", .fn = do_second_length },
    { .name = "increase", .fn = do_increase }, { .name = "descriptors", .fn = do_descriptors },
    { .name = "nowhere", .fn = do_nowhere },   { 0 }
};
WORKERS(own)

static rmd_shared *open_shared(size_t bytes)
{
    rmd_shared *shared = NULL;
    REQUIRE(rmd_shared_open(&shared, bytes) == 0);
    return shared;
}

static rmd_shared_part take(rmd_shared *shared, size_t bytes)
{
    rmd_shared_part part = { 0 };
    REQUIRE(rmd_shared_take(shared, bytes, &part) == 0);
    CHECK_EQ(part.len, bytes);
    CHECK_EQ((uintptr_t)part.data % LINE, 0);
    return part;
}

/* ---- parts ---- */

TEST(what_was_never_written_is_zero)
{
    static const char zeros[WHOLE];
    rmd_shared *shared = open_shared(WHOLE);
    rmd_shared_part part = take(shared, WHOLE);
    CHECK_MEM(part.data, zeros, WHOLE);
    CHECK_EQ(rmd_shared_free(shared), 0); /* with the part */
}

TEST(all_of_it_can_be_taken_whatever_its_size)
{
    static const size_t sizes[] = { 1, 63, 64, 65, 100, 4097, WHOLE + 1 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        rmd_shared *shared = open_shared(sizes[i]);
        rmd_shared_part part = take(shared, sizes[i]);
        memset(part.data, 1, sizes[i]);
        CHECK_EQ(rmd_shared_give(shared, &part), 0);
        CHECK_EQ(rmd_shared_free(shared), 0);
    }
}

TEST(parts_do_not_overlap_and_begin_at_lines)
{
    rmd_shared *shared = open_shared(WHOLE);
    rmd_shared_part one = take(shared, 1), two = take(shared, LINE), three = take(shared, LINE + 1);
    rmd_shared_part four = take(shared, 1);
    CHECK_EQ((char *)two.data - (char *)one.data, LINE);
    CHECK_EQ((char *)three.data - (char *)two.data, LINE);
    CHECK_EQ((char *)four.data - (char *)three.data, 2 * LINE);
    CHECK_EQ(rmd_shared_free(shared), 0);
}

TEST(the_first_gap_that_is_large_enough_is_taken)
{
    rmd_shared *shared = open_shared(WHOLE);
    rmd_shared_part parts[5], again;
    for (int i = 0; i < 5; i++)
        parts[i] = take(shared, (size_t)(i + 1) * LINE);
    void *second = parts[1].data, *fourth = parts[3].data;
    CHECK_EQ(rmd_shared_give(shared, &parts[1]), 0);
    CHECK_EQ(rmd_shared_give(shared, &parts[3]), 0);
    again = take(shared, 3 * LINE);
    CHECK(again.data == fourth);
    again = take(shared, LINE);
    CHECK(again.data == second);
    again = take(shared, LINE); /* what is left of it */
    CHECK(again.data == (char *)second + LINE);
    again = take(shared, 2 * LINE);
    CHECK(again.data == (char *)parts[4].data + parts[4].len);
    CHECK_EQ(rmd_shared_free(shared), 0);
}

TEST(a_full_one_says_so_and_gaps_come_together)
{
    rmd_shared *shared = open_shared(4 * LINE);
    rmd_shared_part parts[4], none = { .len = 7 };
    for (int i = 0; i < 4; i++)
        parts[i] = take(shared, LINE);
    CHECK_EQ(rmd_shared_take(shared, 1, &none), RMD_EFULL);
    CHECK_EQ(none.len, 7);
    CHECK_EQ(rmd_shared_give(shared, &parts[0]), 0);
    CHECK_EQ(rmd_shared_give(shared, &parts[2]), 0);
    CHECK_EQ(rmd_shared_take(shared, LINE + 1, &none), RMD_EFULL); /* not in a row */
    CHECK_EQ(rmd_shared_give(shared, &parts[1]), 0);
    none = take(shared, 3 * LINE);
    CHECK(none.data == parts[0].data);
    CHECK_EQ(rmd_shared_free(shared), 0);
}

TEST(sizes_that_cannot_be_are_refused)
{
    rmd_shared *shared = NULL;
    rmd_shared_part part;
    CHECK_EQ(rmd_shared_open(NULL, 1), RMD_EINVAL);
    CHECK_EQ(rmd_shared_open(&shared, 0), RMD_EINVAL);
    CHECK_EQ(rmd_shared_open(&shared, SIZE_MAX), RMD_EINVAL);
    CHECK_EQ(rmd_shared_open(&shared, PTRDIFF_MAX), RMD_EINVAL);
    CHECK_EQ(rmd_shared_open(&shared, PTRDIFF_MAX - LINE), RMD_ENOMEM);
    CHECK_EQ(rmd_shared_open(&shared, (size_t)1 << 60), RMD_ENOMEM);
    CHECK(!shared);
    shared = open_shared(WHOLE);
    CHECK_EQ(rmd_shared_take(shared, 0, &part), RMD_EINVAL);
    CHECK_EQ(rmd_shared_take(shared, 1, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_shared_take(NULL, 1, &part), RMD_EINVAL);
    CHECK_EQ(rmd_shared_take(shared, WHOLE + 1, &part), RMD_EFULL);
    CHECK_EQ(rmd_shared_take(shared, SIZE_MAX, &part), RMD_EFULL);
    CHECK_EQ(rmd_shared_take(shared, SIZE_MAX - LINE, &part), RMD_EFULL);
    CHECK_EQ(rmd_shared_take(shared, PTRDIFF_MAX, &part), RMD_EFULL);
    CHECK_EQ(rmd_shared_free(shared), 0);
    CHECK_EQ(rmd_shared_free(NULL), 0);
}

TEST(only_a_part_that_was_taken_is_given_back)
{
    rmd_shared *shared = open_shared(WHOLE), *other = open_shared(WHOLE);
    rmd_shared_part part = take(shared, 2 * LINE), theirs = take(other, LINE), slice, forged = part;
    CHECK_EQ(rmd_shared_give(shared, NULL), 0);
    CHECK_EQ(rmd_shared_give(NULL, &part), RMD_EINVAL);
    CHECK_EQ(rmd_shared_give(shared, &theirs), RMD_ENOENT);
    CHECK_EQ(rmd_shared_slice(&part, 0, LINE, &slice), 0);
    CHECK_EQ(rmd_shared_give(shared, &slice), RMD_ENOENT); /* or the rest would go with it */
    CHECK_EQ(rmd_shared_slice(&part, LINE, LINE, &slice), 0);
    CHECK_EQ(rmd_shared_give(shared, &slice), RMD_ENOENT);
    forged.data = (char *)forged.data + 1;
    CHECK_EQ(rmd_shared_give(shared, &forged), RMD_ENOENT);
    CHECK_EQ(rmd_shared_give(shared, &part), 0);
    CHECK_EQ(rmd_shared_give(shared, &part), RMD_ENOENT);
    CHECK_EQ(rmd_shared_free(shared), 0);
    CHECK_EQ(rmd_shared_free(other), 0);
}

TEST(slices_lie_within_their_part)
{
    rmd_shared *shared = open_shared(WHOLE);
    rmd_shared_part part = take(shared, 1000), slice, inner;
    CHECK_EQ(rmd_shared_slice(&part, 100, 200, &slice), 0);
    CHECK(slice.data == (char *)part.data + 100);
    CHECK_EQ(slice.len, 200);
    CHECK_EQ(rmd_shared_slice(&slice, 50, 150, &inner), 0);
    CHECK(inner.data == (char *)part.data + 150);
    CHECK_EQ(rmd_shared_slice(&slice, 200, 0, &inner), 0);
    CHECK_EQ(inner.len, 0);
    CHECK_EQ(rmd_shared_slice(&slice, 201, 0, &inner), RMD_EINVAL);
    CHECK_EQ(rmd_shared_slice(&slice, 1, 200, &inner), RMD_EINVAL);
    CHECK_EQ(rmd_shared_slice(&slice, 1, SIZE_MAX, &inner), RMD_EINVAL);
    CHECK_EQ(rmd_shared_slice(&slice, SIZE_MAX, 2, &inner), RMD_EINVAL);
    CHECK_EQ(rmd_shared_slice(NULL, 0, 0, &inner), RMD_EINVAL);
    CHECK_EQ(rmd_shared_slice(&slice, 0, 0, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_shared_slice(&slice, 10, 20, &slice), 0); /* of itself */
    CHECK(slice.data == (char *)part.data + 110);
    CHECK_EQ(rmd_shared_free(shared), 0);
}

static int open_and_take(void *arg)
{
    rmd_shared *shared = NULL;
    rmd_shared_part part;
    (void)arg;
    int err = rmd_shared_open(&shared, WHOLE);
    if (err == 0)
        err = rmd_shared_take(shared, 1, &part);
    CHECK_EQ(rmd_shared_free(shared), 0);
    return err;
}

TEST(without_memory_it_is_not_opened_and_no_part_is_taken)
{
    kit_resources before;
    kit_resources_take(&before);
    CHECK_INT(kit_alloc(open_and_take, NULL, RMD_ENOMEM), >=, 2);
    CHECK_RESOURCES(&before);
}

/* ---- who has it ---- */

TEST(it_is_not_freed_while_a_pool_has_it)
{
    static const char *const kinds[] = { "threads:1", "processes:1" };
    kit_resources before;
    kit_resources_take(&before);
    rmd_shared *shared = open_shared(WHOLE);
    for (int i = 0; i < 2; i++) {
        rmd_pool *pool = open_pool_with(kinds[i], (rmd_pool_options){ .shared = shared });
        CHECK_EQ(rmd_shared_free(shared), RMD_EBUSY);
        CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
        CHECK_EQ(rmd_shared_free(shared), RMD_EBUSY);
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
    rmd_pool *pool;
    rmd_pool_options options = { .size = sizeof options,
                                 .shared = shared,
                                 .program = "/nowhere/nothing" };
    CHECK_EQ(rmd_pool_open(&pool, "processes:1", &options, soon()), RMD_EWORKER);
    CHECK_EQ(rmd_shared_free(shared), 0);
    CHECK_RESOURCES(&before);
}

TEST(a_forked_child_sees_it_and_changes_nothing_of_its_owners)
{
    rmd_shared *shared = open_shared(WHOLE);
    rmd_shared_part part = take(shared, LINE), more;
    pid_t pid = fork();
    if (pid == 0) {
        memset(part.data, 7, LINE);
        CHECK_EQ(rmd_shared_take(shared, 1, &more), RMD_EFORKED);
        CHECK_EQ(rmd_shared_give(shared, &part), RMD_EFORKED);
        rmd_pool *pool = NULL;
        rmd_pool_options options = { .size = sizeof options, .shared = shared };
        CHECK_EQ(rmd_pool_open(&pool, "threads:1", &options, soon()), RMD_EFORKED);
        CHECK_EQ(rmd_shared_free(shared), 0);
        _exit(0);
    }
    CHECK_CHILD(pid);
    CHECK_EQ(((char *)part.data)[LINE - 1], 7);
    CHECK_EQ(rmd_shared_give(shared, &part), 0);
    CHECK_EQ(rmd_shared_free(shared), 0);
}

TEST(workers_have_no_descriptor_of_it)
{
    rmd_shared *shared = open_shared(WHOLE);
    rmd_pool *pool = open_pool("processes:1");
    int64_t without = INT_OF(call(pool, "descriptors", RMD_ARGS()));
    close_pool(pool);
    pool = open_pool_with("processes:1", (rmd_pool_options){ .shared = shared });
    CHECK_EQ(INT_OF(call(pool, "descriptors", RMD_ARGS())), without);
    close_pool(pool);
    CHECK_EQ(rmd_shared_free(shared), 0);
}

/* ---- in bodies ---- */

TEST(threads_and_processes_see_the_same_bytes)
{
    rmd_shared *shared = open_shared(WHOLE);
    rmd_pool_options options = { .shared = shared };
    rmd_pool *threads = open_pool_with("threads:2", options);
    rmd_pool *processes = open_pool_with("processes:2", options);
    rmd_shared_part part = take(shared, 1000), slice;
    memset(part.data, 0, part.len);
    REQUIRE(rmd_shared_slice(&part, 300, 100, &slice) == 0);
    CHECK_EQ(INT_OF(call(processes, "increase", RMD_ARGS(rmd_shared_value(&part)))), 0);
    CHECK_EQ(INT_OF(call(threads, "increase", RMD_ARGS(rmd_shared_value(&slice)))), 100);
    CHECK_EQ(INT_OF(call(processes, "increase", RMD_ARGS(rmd_shared_value(&slice)))), 200);
    CHECK_EQ(INT_OF(call(threads, "increase", RMD_ARGS(rmd_shared_value(&part)))), 1200);
    CHECK_EQ(((char *)part.data)[299], 2);
    CHECK_EQ(((char *)part.data)[300], 4);
    CHECK_EQ(((char *)part.data)[400], 2);
    close_pool(threads);
    close_pool(processes);
    CHECK_EQ(rmd_shared_free(shared), 0);
}

TEST(a_worker_that_is_forked_later_has_it_too)
{
    rmd_shared *shared = open_shared(WHOLE);
    rmd_pool *pool = open_pool_with("processes:1", (rmd_pool_options){ .shared = shared });
    rmd_shared_part part = take(shared, 10);
    CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
    CHECK_EQ(INT_OF(call(pool, "length", RMD_ARGS(rmd_shared_value(&part)))), 10);
    close_pool(pool);
    CHECK_EQ(rmd_shared_free(shared), 0);
}

static void check_refused(rmd_pool *pool, rmd_shared_part part, int error)
{
    CHECK_ENDED(call(pool, "length", RMD_ARGS(rmd_shared_value(&part))), RMD_OUTCOME_FAILED, error);
}

/* What the name of a part consists of: see shared.c. */
static rmd_shared_part forge(rmd_shared_part part, uint64_t id, uint64_t at, uint64_t len)
{
    uint64_t name[3];
    memcpy(name, part.name, sizeof name);
    name[0] ^= id;
    name[1] = at;
    name[2] = len;
    memcpy(part.name, name, sizeof name);
    return part;
}

TEST(names_that_are_not_within_it_are_refused)
{
    static const char *const kinds[] = { "threads:1", "processes:1" };
    rmd_shared *shared = open_shared(WHOLE);
    rmd_shared_part part = take(shared, 10);
    for (int i = 0; i < 2; i++) {
        rmd_pool *pool = open_pool_with(kinds[i], (rmd_pool_options){ .shared = shared });
        check_refused(pool, forge(part, 0, WHOLE + 1, 0), RMD_ENOENT);
        check_refused(pool, forge(part, 0, 1, WHOLE), RMD_ENOENT);
        check_refused(pool, forge(part, 0, 0, WHOLE + 1), RMD_ENOENT);
        check_refused(pool, forge(part, 0, UINT64_MAX, 2), RMD_ENOENT);
        check_refused(pool, forge(part, 0, 2, UINT64_MAX), RMD_ENOENT);
        check_refused(pool, forge(part, 1, 0, 10), RMD_ENOENT);
        CHECK_EQ(INT_OF(call(pool, "length", RMD_ARGS(rmd_shared_value(&part)))), 10);
        CHECK_OK(call(pool, "nowhere", RMD_ARGS(rmd_shared_value(&part))));
        close_pool(pool);
    }
    CHECK_EQ(rmd_shared_free(shared), 0);
}

TEST(memory_that_the_pool_was_not_given_is_unknown_to_its_workers)
{
    rmd_shared *shared = open_shared(WHOLE), *other = open_shared(WHOLE);
    rmd_shared_part part = take(other, 10);
    rmd_pool *none = open_pool("processes:1");
    rmd_pool *pool = open_pool_with("processes:1", (rmd_pool_options){ .shared = shared });
    rmd_future *future = call(pool, "length", RMD_ARGS(rmd_shared_value(&part)));
    CHECK_CONTAINS(detail_of(future), "length: argument 1: it names shared memory");
    CHECK_ENDED(future, RMD_OUTCOME_FAILED, RMD_ENOENT);
    check_refused(none, part, RMD_ENOENT);
    close_pool(pool);
    close_pool(none);
    CHECK_EQ(rmd_shared_free(shared), 0);
    CHECK_EQ(rmd_shared_free(other), 0);
}

TEST(arguments_that_are_no_parts_are_refused)
{
    rmd_shared *shared = open_shared(WHOLE);
    rmd_pool *pool = open_pool_with("processes:1", (rmd_pool_options){ .shared = shared });
    rmd_value text = rmd_text("which");
    CHECK_ENDED(call(pool, "length", RMD_ARGS(7)), RMD_OUTCOME_FAILED, RMD_EINVAL);
    CHECK_ENDED(call(pool, "length", RMD_ARGS(rmd_reference(&text))), RMD_OUTCOME_FAILED,
                RMD_EINVAL);
    CHECK_ENDED(call(pool, "length", RMD_ARGS()), RMD_OUTCOME_FAILED, RMD_ENOENT);
    CHECK_ENDED(call(pool, "second_length", RMD_ARGS(7)), RMD_OUTCOME_FAILED, RMD_ENOENT);
    close_pool(pool);
    CHECK_EQ(rmd_shared_free(shared), 0);
}
