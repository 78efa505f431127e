/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include "kit.h"
#include "kit_alloc.h"

#include <remuda/error.h>
#include <stdlib.h>

static struct counts {
    int taken, retaken, given;
} counts;

static void *take(void *ctx, size_t bytes)
{
    ((struct counts *)ctx)->taken++;
    return malloc(bytes);
}

static void *retake(void *ctx, void *p, size_t bytes)
{
    ((struct counts *)ctx)->retaken++;
    return realloc(p, bytes);
}

static void give(void *ctx, void *p)
{
    ((struct counts *)ctx)->given++;
    free(p);
}

TEST(all_memory_comes_from_the_allocator_that_was_set)
{
    rmd_allocator ours = { sizeof ours, take, retake, give, &counts };
    REQUIRE(rmd_set_allocator(&ours) == 0);
    memset(&ours, 0, sizeof ours); /* it was copied */
    void *p = rmdi_alloc(10), *q = rmdi_alloc_zeroed(10);
    p = rmdi_realloc(p, 20);
    char *text = rmdi_strdup("text");
    CHECK_STR(text, "text");
    rmdi_free(p);
    rmdi_free(q);
    rmdi_free(text);
    rmdi_free(NULL);
    CHECK_EQ(counts.taken, 3);
    CHECK_EQ(counts.retaken, 1);
    CHECK_EQ(counts.given, 3);
    REQUIRE(rmd_set_allocator(NULL) == 0);
    rmdi_free(rmdi_alloc(1));
    CHECK_EQ(counts.taken, 3);
}

TEST(an_incomplete_allocator_is_refused)
{
    rmd_allocator good = { sizeof good, take, retake, give, NULL }, bad = good;
    bad.size = 3;
    CHECK_EQ(rmd_set_allocator(&bad), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "size is 3");
    bad = good;
    bad.allocate = NULL;
    CHECK_EQ(rmd_set_allocator(&bad), RMD_EINVAL);
    bad = good;
    bad.reallocate = NULL;
    CHECK_EQ(rmd_set_allocator(&bad), RMD_EINVAL);
    bad = good;
    bad.release = NULL;
    CHECK_EQ(rmd_set_allocator(&bad), RMD_EINVAL);
}

TEST(nothing_is_a_size_too)
{
    void *p = rmdi_alloc(0), *q = rmdi_alloc_zeroed(0), *r = rmdi_memdup(NULL, 0);
    CHECK(p && q && r);
    CHECK(p = rmdi_realloc(p, 0));
    rmdi_free(p);
    rmdi_free(q);
    rmdi_free(r);
}

static int grow(void *arg)
{
    void *array = NULL;
    size_t capacity = 0, used = 0;
    int err = 0;
    (void)arg;
    while (used < 100 && err == 0) {
        size_t before = capacity;
        err = rmdi_array_reserve(&array, &capacity, used, sizeof(int));
        CHECK(err == 0 || (err == RMD_ENOMEM && capacity == before));
        if (err == 0) {
            ((int *)array)[used] = (int)used;
            used++;
        }
    }
    for (size_t i = 0; i < used; i++)
        CHECK_EQ(((int *)array)[i], i);
    rmdi_free(array);
    return err;
}

TEST(an_array_grows_and_keeps_what_it_has_when_there_is_no_memory)
{
    CHECK_EQ(kit_alloc(grow, NULL, RMD_ENOMEM), 6); /* 8, 16, 32, 64, 128 */
}

TEST(an_array_that_would_overflow_is_refused)
{
    void *array = NULL;
    size_t capacity = SIZE_MAX / 2 + 1;
    CHECK_EQ(rmdi_array_reserve(&array, &capacity, capacity, 1), RMD_ENOMEM);
    capacity = SIZE_MAX / 16;
    CHECK_EQ(rmdi_array_reserve(&array, &capacity, capacity, 64), RMD_ENOMEM);
    CHECK(array == NULL);
}
