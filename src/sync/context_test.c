/* SPDX-License-Identifier: MIT */
#include "sync/context.h"

#include "kit.h"
#include "kit_alloc.h"
#include "sync/thread.h"

#include <pthread.h>
#include <remuda/error.h>

static const rmd_context_key color = { "color" }, size = { "size" };
static char red[] = "red", blue[] = "blue", hidden[] = "hidden";
static char workers[] = "the worker's", works[] = "the work's";

static const char *color_now(void)
{
    return rmd_context_get(&color);
}

TEST(a_binding_holds_for_its_block_and_inner_ones_hide_it)
{
    int wide = 7;
    CHECK(color_now() == NULL);
    RMD_WITH_CONTEXT (&color, red) {
        CHECK_STR(color_now(), "red");
        CHECK(rmd_context_get(&size) == NULL);
        RMD_WITH_CONTEXT (&size, &wide)
            RMD_WITH_CONTEXT (&color, blue) {
                CHECK_STR(color_now(), "blue");
                CHECK(rmd_context_get(&size) == &wide);
            }
        CHECK(rmd_context_get(&size) == NULL);
        CHECK_STR(color_now(), "red");
        RMD_WITH_CONTEXT (&color, NULL)
            CHECK(color_now() == NULL);
        CHECK_STR(color_now(), "red");
    }
    CHECK(color_now() == NULL);
}

#define WITH_BOTH                  \
    RMD_WITH_CONTEXT (&color, red) \
        RMD_WITH_CONTEXT (&size, blue)
#define WITH_NONE              \
    RMD_WITH_CONTEXT_OF (NULL) \
        RMD_WITH_CONTEXT_OF (NULL)

TEST(two_blocks_may_begin_on_one_line)
{
    int ran = 0;
    WITH_BOTH
    {
        CHECK_STR(color_now(), "red");
        CHECK(rmd_context_get(&size) == blue);
        WITH_NONE
        ran += color_now() == NULL;
        CHECK_STR(color_now(), "red");
    }
    CHECK_EQ(ran, 1);
    CHECK(color_now() == NULL);
}

TEST(keys_are_told_apart_by_their_address)
{
    static const rmd_context_key other = { "color" };
    RMD_WITH_CONTEXT (&color, red)
        CHECK(rmd_context_get(&other) == NULL);
    CHECK(rmd_context_get(NULL) == NULL);
}

/* ---- all ways out ---- */

static int return_from_it(void)
{
    RMD_WITH_CONTEXT (&color, red) {
        RMD_WITH_CONTEXT (&color, blue)
            return color_now() ? 1 : 0;
    }
    return 2;
}

TEST(every_way_out_of_the_block_unbinds)
{
    int rounds = 0;
    CHECK_EQ(return_from_it(), 1);
    CHECK(color_now() == NULL);
    RMD_WITH_CONTEXT (&color, red)
        break;
    CHECK(color_now() == NULL);
    for (int i = 0; i < 3; i++) {
        RMD_WITH_CONTEXT (&color, red)
            continue;
        CHECK(color_now() == NULL);
        rounds++;
    }
    CHECK_EQ(rounds, 3); /* it is the block that is left, not the loop around it */
    RMD_WITH_CONTEXT (&color, red)
        goto out;
    FAIL("it went on");
out:
    CHECK(color_now() == NULL);
}

TEST(the_same_by_functions)
{
    rmd_binding outer, inner;
    CHECK(rmd_context_bind(&outer, &color, red) == &outer);
    CHECK(rmd_context_bind(&inner, &color, blue) == &inner);
    CHECK_STR(color_now(), "blue");
    rmd_context_unbind(&outer); /* with what is in it */
    CHECK(color_now() == NULL);
    CHECK(rmd_context_bind(NULL, &color, NULL) == NULL);
    rmd_context_unbind(NULL);
    CHECK(rmd_context_enter(NULL, NULL) == NULL);
    rmd_context_leave(NULL);
}

/* ---- captured ---- */

TEST(a_captured_context_takes_the_place_of_what_is_bound)
{
    int wide = 7;
    rmd_context *context, *nothing;
    REQUIRE(rmd_context_capture(&nothing) == 0);
    RMD_WITH_CONTEXT (&color, hidden)
        RMD_WITH_CONTEXT (&color, red)
            REQUIRE(rmd_context_capture(&context) == 0);
    RMD_WITH_CONTEXT (&size, &wide) {
        RMD_WITH_CONTEXT_OF (context) {
            CHECK_STR(color_now(), "red");
            CHECK(rmd_context_get(&size) == NULL); /* the worker's own does not leak in */
            CHECK_EQ(rmd_context_free(context), RMD_EBUSY);
            RMD_WITH_CONTEXT (&color, blue)
                CHECK_STR(color_now(), "blue");
            RMD_WITH_CONTEXT_OF (context)
                CHECK_STR(color_now(), "red");
            RMD_WITH_CONTEXT_OF (nothing)
                CHECK(color_now() == NULL);
            RMD_WITH_CONTEXT_OF (NULL)
                CHECK(color_now() == NULL);
            CHECK_STR(color_now(), "red");
        }
        CHECK(color_now() == NULL);
        CHECK(rmd_context_get(&size) == &wide);
    }
    CHECK_EQ(rmd_context_free(context), 0);
    CHECK_EQ(rmd_context_free(nothing), 0);
    CHECK_EQ(rmd_context_free(NULL), 0);
    CHECK_EQ(rmd_context_capture(NULL), RMD_EINVAL);
}

static rmd_context *shared;

static void look_under_it(void *arg)
{
    RMD_WITH_CONTEXT (&color, workers)
        for (int i = 0; i < 5000; i++) {
            RMD_WITH_CONTEXT_OF (shared) {
                CHECK(rmd_context_get(&size) == arg);
                CHECK(color_now() == NULL);
                RMD_WITH_CONTEXT (&color, works)
                    CHECK_STR(color_now(), "the work's");
            }
            CHECK_STR(color_now(), "the worker's");
        }
}

TEST_LIMIT(several_threads_may_work_under_one_context, 60)
{
    rmdi_thread threads[4];
    RMD_WITH_CONTEXT (&size, &shared)
        REQUIRE(rmd_context_capture(&shared) == 0);
    for (int i = 0; i < 4; i++)
        REQUIRE(rmdi_thread_start(&threads[i], look_under_it, &shared, "looks") == 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(rmd_context_free(shared), 0);
}

static void *nothing_is_bound_here(void *arg)
{
    CHECK(color_now() == NULL);
    RMD_WITH_CONTEXT (&color, blue)
        CHECK_STR(color_now(), "blue");
    return arg;
}

TEST(bindings_belong_to_their_thread)
{
    pthread_t thread;
    RMD_WITH_CONTEXT (&color, red) {
        REQUIRE(pthread_create(&thread, NULL, nothing_is_bound_here, NULL) == 0);
        pthread_join(thread, NULL);
        CHECK_STR(color_now(), "red");
    }
}

/* A coroutine has its own: it goes on elsewhere, and with what it has bound. */
TEST(bindings_belong_to_whoever_brings_an_rmdi_self)
{
    rmdi_self coroutine = { 0 };
    RMD_WITH_CONTEXT (&color, red) {
        rmdi_self *before = rmdi_self_swap(&coroutine);
        CHECK(before == NULL);
        CHECK(rmdi_self_id() == &coroutine);
        CHECK(color_now() == NULL);
        rmd_binding binding;
        rmd_context_bind(&binding, &color, blue);
        rmdi_self_swap(before);
        CHECK_STR(color_now(), "red");
        before = rmdi_self_swap(&coroutine);
        CHECK_STR(color_now(), "blue");
        rmdi_self_swap(before);
    }
}

static int capture_and_free(void *arg)
{
    rmd_context *c;
    int err = -1;
    RMD_WITH_CONTEXT (&color, arg)
        err = rmd_context_capture(&c);
    return err ? err : rmd_context_free(c);
}

TEST(a_context_without_memory_is_not_captured)
{
    CHECK_INT(kit_alloc(capture_and_free, NULL, RMD_ENOMEM), >=, 2);
}
