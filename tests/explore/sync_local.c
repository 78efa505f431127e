/* SPDX-License-Identifier: MIT */
/* Thread-local values: destroyed once, at the end of their thread, and a local is freed by whoever
 * comes last. */
#include "crew.h"
#include "sync/local_value.h"

#include <remuda.h>

typedef struct box {
    int content; /* of one thread at a time */
    int *emptied;
} box;

static void empty(void *value)
{
    box *b = value;
    RMD_PLAIN_SET(b->content, 0);
    RMD_PLAIN_SET(*b->emptied, RMD_PLAIN(*b->emptied) + 1);
}

typedef struct user {
    rmd_local *local, *other;
    box box;
    int emptied;
} user;

static void use_local(void *arg)
{
    user *u = arg;
    u->box = (box){ 1, &u->emptied };
    RMD_ASSERT(!rmd_local_get(u->local));
    RMD_ASSERT(rmd_local_set(u->local, &u->box) == 0);
    RMD_ASSERT(rmd_local_get(u->local) == &u->box);
    RMD_ASSERT(!u->other || rmd_local_set(u->other, u) == 0);
    RMD_ASSERT(RMD_PLAIN(u->box.content) == 1);
}

static void start_user(rmd_thread **thread, user *u)
{
    RMD_ASSERT(rmd_thread_start(thread, use_local, u, NULL) == 0);
}

static void end_thread(rmd_thread *thread)
{
    RMD_ASSERT(rmd_thread_join(thread, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_thread_free(thread) == 0);
}

HARNESS(local_values_are_destroyed_before_the_thread_is_joined)
{
    rmd_local *local, *other;
    rmd_thread *threads[2];
    crew crew = { 0 };
    RMD_ASSERT(rmd_local_open(&local, empty) == 0);
    RMD_ASSERT(rmd_local_open(&other, NULL) == 0);
    user users[3] = { { .local = local, .other = other },
                      { .local = local, .other = other },
                      { .local = local } };
    crew_add(&crew, use_local, &users[2], "foreign");
    for (int i = 0; i < 2; i++)
        start_user(&threads[i], &users[i]);
    for (int i = 0; i < 2; i++) {
        end_thread(threads[i]);
        RMD_ASSERT(RMD_PLAIN(users[i].emptied) == 1 && RMD_PLAIN(users[i].box.content) == 0);
    }
    crew_join(&crew);
    RMD_ASSERT(RMD_PLAIN(users[2].emptied) == 1);
    RMD_ASSERT(rmd_local_free(local) == 0 && rmd_local_free(other) == 0);
}

HARNESS(local_values_are_each_threads_own)
{
    rmd_local *local;
    crew crew = { 0 };
    RMD_ASSERT(rmd_local_open(&local, empty) == 0);
    user users[2] = { { .local = local }, { .local = local } };
    box mine = { 1, &(int){ 0 } };
    RMD_ASSERT(rmd_local_set(local, &mine) == 0);
    for (int i = 0; i < 2; i++)
        crew_add(&crew, use_local, &users[i], "user");
    crew_join(&crew);
    RMD_ASSERT(*mine.emptied == 0 && rmd_local_get(local) == &mine);
    RMD_ASSERT(rmd_local_free(local) == 0);
    RMD_ASSERT(*mine.emptied == 1);
    RMD_ASSERT(RMD_PLAIN(users[0].emptied) == 1 && RMD_PLAIN(users[1].emptied) == 1);
}

typedef struct holder {
    rmd_local *local;
    rmd_event *has_it;
    int emptied;
} holder;

static void hold_value(void *arg)
{
    holder *h = arg;
    box b = { 1, &h->emptied };
    RMD_ASSERT(rmd_local_set(h->local, &b) == 0);
    RMD_ASSERT(rmd_event_set(h->has_it) == 0);
    empty(rmd_local_get(h->local));
    RMD_ASSERT(rmd_local_set(h->local, NULL) == 0); /* the last use of it */
}

/* Whoever sees that it can be freed comes after all that the others did with it. */
HARNESS(local_is_freed_by_who_sees_that_nobody_has_a_value)
{
    holder h = { .emptied = 0 };
    crew crew = { 0 };
    int err;
    RMD_ASSERT(rmd_local_open(&h.local, empty) == 0);
    RMD_ASSERT(rmd_event_open(&h.has_it) == 0);
    crew_add(&crew, hold_value, &h, "holder");
    RMD_ASSERT(rmd_event_wait(h.has_it, RMD_FOREVER) == 0);
    while ((err = rmd_local_free(h.local)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0 && RMD_PLAIN(h.emptied) == 1);
    crew_join(&crew);
    RMD_ASSERT(rmd_event_free(h.has_it) == 0);
}

/* All numbers are given once, also when they are given back at the same time. */
static void open_and_free(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        rmd_local *local;
        RMD_ASSERT(rmd_local_open(&local, NULL) == 0);
        RMD_ASSERT(!rmd_local_get(local));
        RMD_ASSERT(rmd_local_set(local, &local) == 0);
        RMD_ASSERT(rmd_local_get(local) == &local);
        RMD_ASSERT(rmd_local_free(local) == 0);
    }
}

HARNESS(locals_come_and_go)
{
    crew crew = { 0 };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, open_and_free, NULL, "opener");
    crew_join(&crew);
}

HARNESS(local_that_fails_leaves_nothing, .faults_max = 2, .fail_allocations = true)
{
    rmd_local *local;
    int err = rmd_local_open(&local, NULL);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM);
    if (err < 0)
        return;
    err = rmd_local_set(local, &local);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM || err == RMD_EAGAIN);
    RMD_ASSERT(rmd_local_get(local) == (err ? NULL : &local));
    RMD_ASSERT(rmd_local_free(local) == 0);
}

static void free_other(void *value)
{
    user *u = value;
    RMD_ASSERT(rmd_local_free(u->other) == 0);
    u->emptied++;
}

static void use_and_free(void *arg)
{
    user *u = arg;
    RMD_ASSERT(rmd_local_open(&u->other, NULL) == 0);
    RMD_ASSERT(rmd_local_set(u->local, u) == 0);
}

HARNESS(local_is_freed_by_the_destructor_of_another)
{
    rmd_local *local;
    crew crew = { 0 };
    RMD_ASSERT(rmd_local_open(&local, free_other) == 0);
    user users[2] = { { .local = local }, { .local = local } };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, use_and_free, &users[i], "user");
    crew_join(&crew);
    RMD_ASSERT(users[0].emptied == 1 && users[1].emptied == 1);
    RMD_ASSERT(rmd_local_free(local) == 0);
}
