/* SPDX-License-Identifier: MIT */
/* Guards: check-then-add under one lock, methods that call methods, and the end. */
#include "crew.h"
#include "sync/lock.h"

#include <remuda.h>
#include <remuda/guard.h>

typedef struct names {
    bool there[3];
    int added;
} names;

static bool has_name(rmd_guard *guard, int name)
{
    bool found = false;
    RMD_WITH_GUARD (names *n, guard, RMD_FOREVER)
        found = RMD_PLAIN(n->there[name]);
    return found;
}

static void add_missing(void *arg)
{
    for (int name = 0; name < 3; name++)
        RMD_WITH_GUARD (names *n, arg, RMD_FOREVER) {
            if (has_name(arg, name))
                continue; /* with this block, and so to the next name */
            RMD_PLAIN_SET(n->there[name], true);
            RMD_PLAIN_SET(n->added, RMD_PLAIN(n->added) + 1);
        }
}

static void count_names(void *data)
{
    RMD_ASSERT(((names *)data)->added == 3);
}

HARNESS(guard_adds_each_name_once)
{
    rmd_guard *guard;
    crew crew = { 0 };
    rmd_guard_options options = { .size = sizeof options,
                                  .reentrant = true,
                                  .destroy = count_names };
    RMD_ASSERT(rmd_guard_open(&guard, sizeof(names), &options) == 0);
    for (int i = 0; i < 3; i++)
        crew_add(&crew, add_missing, guard, "adder");
    crew_join(&crew);
    RMD_ASSERT(rmd_guard_free(guard) == 0);
}

/* ---- freed by whoever uses it last ---- */

static void leave_guard(void *arg)
{
    void *data;
    RMD_ASSERT(rmd_guard_acquire(arg, &data, RMD_FOREVER) == 0);
    int *users = data;
    RMD_PLAIN_SET(*users, RMD_PLAIN(*users) - 1);
    bool last = RMD_PLAIN(*users) == 0;
    RMD_ASSERT(rmd_guard_release(arg) == 0);
    if (last)
        RMD_ASSERT(rmd_guard_free(arg) == 0);
}

HARNESS(guard_is_freed_by_its_last_user)
{
    rmd_guard *guard;
    crew crew = { 0 };
    RMD_ASSERT(rmd_guard_open(&guard, sizeof(int), NULL) == 0);
    RMD_WITH_GUARD (int *users, guard, RMD_NOW)
        RMD_PLAIN_SET(*users, 3);
    for (int i = 0; i < 3; i++)
        crew_add(&crew, leave_guard, guard, "user");
    crew_join(&crew);
}

typedef struct last {
    rmd_guard *guard;
    int destroyed;
} last;

static void note_end(void *data)
{
    last *l = *(last **)data;
    RMD_PLAIN_SET(l->destroyed, RMD_PLAIN(l->destroyed) + 1);
}

static void hold_guard(void *arg)
{
    last *l = arg;
    RMD_WITH_GUARD (last **data, l->guard, RMD_FOREVER)
        RMD_ASSERT(*data == l && !RMD_PLAIN(l->destroyed));
}

/* Whoever asks until it may: refused, it has done nothing, and let, all. */
HARNESS(guard_is_freed_and_destroyed_or_refused)
{
    last l = { .destroyed = 0 };
    crew crew = { 0 };
    int err;
    rmd_guard_options options = { .size = sizeof options, .destroy = note_end };
    RMD_ASSERT(rmd_guard_open(&l.guard, sizeof(last *), &options) == 0);
    void *data;
    RMD_ASSERT(rmd_guard_acquire(l.guard, &data, RMD_NOW) == 0);
    *(last **)data = &l;
    for (int i = 0; i < 2; i++)
        crew_add(&crew, hold_guard, &l, "holder");
    while (rmd_atomic_load(&rmd_guard_lock(l.guard)->lock.waits.count, RMD_ACQUIRE) < 2)
        rmd_pause();
    RMD_ASSERT(rmd_guard_release(l.guard) == 0);
    while ((err = rmd_guard_free(l.guard)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0 && RMD_PLAIN(l.destroyed) == 1);
    crew_join(&crew);
}

HARNESS(guard_without_memory_is_not_there, .faults_max = 2)
{
    rmd_guard *guard;
    int err = rmd_guard_open(&guard, sizeof(int), NULL);
    RMD_ASSERT(err == 0 || (err == RMD_ENOMEM && guard == NULL));
    RMD_ASSERT(rmd_guard_free(guard) == 0);
}
