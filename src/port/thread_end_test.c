/* SPDX-License-Identifier: MIT */
#include "port/thread_end.h"

#include "kit.h"

#include <pthread.h>

enum { THREADS = 8 };

static _Thread_local int mine;
static int ended, again; /* atomic */

static void at_end(void)
{
    CHECK_INT(mine, >, 0); /* thread-local variables are still there */
    __atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
    if (__atomic_exchange_n(&again, 0, __ATOMIC_RELAXED))
        CHECK_EQ(rmdi_thread_end_call(at_end), 0);
}

static void *ask(void *times)
{
    mine = 1;
    for (int i = 0; i < *(int *)times; i++)
        CHECK_EQ(rmdi_thread_end_call(at_end), 0);
    return NULL;
}

static int ends_of(int threads, int times)
{
    pthread_t ids[THREADS];
    __atomic_store_n(&ended, 0, __ATOMIC_RELAXED);
    for (int i = 0; i < threads; i++)
        REQUIRE(pthread_create(&ids[i], NULL, ask, &times) == 0);
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    return __atomic_load_n(&ended, __ATOMIC_RELAXED);
}

TEST(the_end_of_a_thread_is_told_once_to_those_who_asked)
{
    CHECK_EQ(ends_of(1, 0), 0);
    CHECK_EQ(ends_of(1, 1), 1);
    CHECK_EQ(ends_of(1, 3), 1);
}

TEST(threads_that_ask_first_at_once_are_all_told)
{
    CHECK_EQ(ends_of(THREADS, 1), THREADS);
    CHECK_EQ(ends_of(THREADS, 1), THREADS);
}

TEST(who_asks_at_the_end_is_called_again)
{
    again = 1;
    CHECK_EQ(ends_of(1, 1), 2);
}
