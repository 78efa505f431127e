/* SPDX-License-Identifier: MIT */
#include "base/local.h"

#include "kit.h"

#include <pthread.h>

static void *look(void *mine)
{
    void **local = rmdi_local();
    for (int i = 0; i < RMDI_LOCAL_POINTERS; i++)
        CHECK(local[i] == NULL);
    *local = mine;
    CHECK(*rmdi_local() == mine);
    return local;
}

TEST(each_thread_has_pointers_of_its_own)
{
    pthread_t thread;
    int a, b;
    void **here = look(&a), *there;
    REQUIRE(pthread_create(&thread, NULL, look, &b) == 0);
    pthread_join(thread, &there);
    CHECK(here != there);
    CHECK(*here == &a);
}
