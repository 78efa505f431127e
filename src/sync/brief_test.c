/* SPDX-License-Identifier: MIT */
#include "sync/brief.h"

#include "kit.h"
#include "sync/thread.h"

static rmdi_brief brief;
static long counter;

static void count(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100000; i++) {
        rmdi_brief_enter(&brief);
        counter++;
        rmdi_brief_leave(&brief);
    }
}

TEST(a_counter_of_many_threads_ends_right)
{
    rmdi_thread threads[6];
    for (int i = 0; i < 6; i++)
        REQUIRE(rmdi_thread_start(&threads[i], count, NULL, "count") == 0);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], rmd_after_ms(15000 * kit_patience())), 0);
    CHECK_EQ(counter, 600000);
}
