/* SPDX-License-Identifier: MIT */
/* Finding circles of waits.
 *
 * A thread on which a task runs, and that is about to sleep, notes under one lock of the process
 * what it waits for, and keeps the note until it runs again. On its stack lie the task on top and
 * those beneath, each of which waits for the one above it; so what is noted holds for all of them.
 * As long as the note stands the thread sleeps, or waits for the lock, and its frames can be read
 * by others.
 *
 * Before it notes, it follows the waits: from what it wants to wait for to the thread on whose
 * stack that lies, if there is one with a note, and on to what that waits for, until there is none,
 * or it comes to a task on its own stack: then that is a circle. Of those whose waits would close
 * one together, the last to take the lock sees the notes of all others. A task that has not begun
 * has no frame, one that has ended is waited for no more, whatever the notes say.
 *
 * Each thread with a note is visited once in a search: if there was no circle through it the first
 * time, there is none. Waiting for any of several is not noted: another one may end. */
#include "exec/waits.h"

#include "base/error.h"
#include "exec/future_wait.h"
#include "exec/worker.h"
#include "sync/lock.h"

#include <stdio.h>

RMD_STATIC struct {
    rmdi_lock lock;
    rmdi_link notes; /* zeroed: empty, too */
    uint32_t round;
} all;

enum { NAMED_MAX = 8, NAME_MAX_BYTES = 40 };

/* A search, and the circle that it has found, from its end. */
typedef struct search {
    rmdi_frame *top;
    rmd_future *path[NAMED_MAX];
    unsigned len; /* may be more than there is room for */
} search;

void rmdi_waits_forked(void)
{
    all.lock = (rmdi_lock){ 0 };
    all.notes = (rmdi_link){ 0 };
}

/* ---- with the lock held ---- */

static bool is_on_stack(const rmdi_frame *top, const rmd_future *future)
{
    for (; top; top = top->outer)
        if (top->future == future)
            return true;
    return false;
}

static rmdi_waits *note_of(const rmd_future *future)
{
    for (rmdi_link *l = all.notes.next; l && l != &all.notes; l = l->next) {
        rmdi_waits *waits = RMDI_CONTAINER(l, rmdi_waits, link);
        if (is_on_stack(waits->top, future))
            return waits;
    }
    return NULL;
}

static bool leads_back(rmd_future *future, void *ctx);

static bool goes_on(search *s, rmdi_waits *waits)
{
    if (!waits || waits->round == all.round)
        return false;
    waits->round = all.round;
    if (waits->future)
        return leads_back(waits->future, s);
    return waits->group && rmdi_group_any(waits->group, leads_back, s);
}

/* What it waits for to begin; NULL: nothing. Held by it. */
static rmd_future *held_for(const rmd_future *future)
{
    return future->ops->held_for ? future->ops->held_for(future) : NULL;
}

/* n have been passed on the way to the end of a circle, of which the last are known. */
static void add_to_path(search *s, rmd_future *const *passed, unsigned n)
{
    for (unsigned named = 0; n > 0 && named < NAMED_MAX; named++, s->len++) {
        n--;
        if (s->len < NAMED_MAX)
            s->path[s->len] = passed[n % NAMED_MAX];
    }
    s->len += n;
}

/* By itself, or what it is held back by: no recursion, for such a chain may be long. */
static bool leads_back(rmd_future *future, void *ctx)
{
    search *s = ctx;
    rmd_future *passed[NAMED_MAX];
    unsigned n = 0;
    for (; future && !rmdi_future_ended(future); future = held_for(future)) {
        passed[n++ % NAMED_MAX] = future;
        if (is_on_stack(s->top, future) || goes_on(s, note_of(future))) {
            add_to_path(s, passed, n);
            return true;
        }
    }
    return false;
}

/* Adds the task to the text of `at` bytes; how many there are then. */
static size_t add_task(char *text, size_t at, const char *before, const rmd_future *future)
{
    size_t room = RMDI_ERROR_DETAIL_MAX - at;
    int n = snprintf(text + at, room, "%stask %llu \"%.*s\"", before,
                     (unsigned long long)rmd_future_id(future), NAME_MAX_BYTES,
                     rmd_future_name(future));
    return at + ((size_t)n < room ? (size_t)n : room - 1);
}

/* "task 1 "a" waits for task 2 "b", which waits for task 1 "a"". The lock is held, so all of them
 * are there. */
static int refuse(const search *s)
{
    char text[RMDI_ERROR_DETAIL_MAX];
    rmd_future *self = s->top->future;
    size_t at = add_task(text, 0, "", self);
    if (s->len == 1 && s->path[0] == self)
        return rmdi_fail(RMD_EDEADLK, "%s waits for itself", text);
    const char *between = " waits for ";
    for (unsigned i = s->len; i-- > 0;) {
        if (i >= NAMED_MAX)
            continue;
        at = add_task(text, at, between, s->path[i]);
        between = ", which waits for ";
    }
    if (s->path[0] != self) /* one beneath it, which waits for what runs on top */
        add_task(text, at, between, self);
    return rmdi_fail(RMD_EDEADLK, "%s", text);
}

/* 0, or RMD_EDEADLK. */
static int look_for_circle(rmdi_waits *waits)
{
    search s = { .top = waits->top };
    bool found = waits->future ? leads_back(waits->future, &s)
                               : waits->group && rmdi_group_any(waits->group, leads_back, &s);
    return found ? refuse(&s) : 0;
}

/* ---- around a sleep ---- */

static int note(rmdi_waits *waits)
{
    rmdi_lock_enter(&all.lock);
    if (!all.notes.next)
        rmdi_list_init(&all.notes);
    waits->round = all.round++;
    int err = look_for_circle(waits);
    if (err == 0)
        rmdi_list_append(&all.notes, &waits->link);
    rmdi_lock_release(&all.lock);
    return err;
}

/* What keeps all of it from ending, as far as it can be seen: a task of our pool that has not
 * begun, at the end of the waits. Held; NULL: there is none. With the lock held. */
static rmd_future *leaf(rmd_future *future);

static bool take_leaf(rmd_future *future, void *found)
{
    rmd_future **to = found;
    *to = leaf(future);
    return *to != NULL;
}

static rmd_future *leaf_of_group(rmd_group *group)
{
    rmd_future *found = NULL;
    rmdi_group_any(group, take_leaf, &found);
    return found;
}

static rmd_future *leaf(rmd_future *future)
{
    for (rmd_future *first; (first = held_for(future));)
        future = first;
    /* Relaxed: a hint; help() looks again. */
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    if (!(word & (RMDI_FUTURE_STATE | RMDI_FUTURE_HELD))) {
        if (!rmdi_worker_could_run(future))
            return NULL; /* others will */
        rmdi_future_hold(future);
        return future;
    }
    rmdi_waits *waits = rmdi_future_ended(future) ? NULL : note_of(future);
    if (!waits || waits->round == all.round)
        return NULL;
    waits->round = all.round;
    if (waits->future)
        return leaf(waits->future);
    return waits->group ? leaf_of_group(waits->group) : NULL;
}

static rmd_future *find_leaf(const rmdi_waits *waits)
{
    rmdi_lock_enter(&all.lock);
    all.round++;
    rmd_future *found = waits->future  ? leaf(waits->future)
                        : waits->group ? leaf_of_group(waits->group)
                                       : NULL;
    rmdi_lock_release(&all.lock);
    return found;
}

/* As rmdi_waits_begin(). 1: it was the last worker, and is not to sleep: *found, held, is for it to
 * run; NULL: there is nothing that it could. */
static int begin(rmdi_waits *waits, rmd_future *future, rmd_group *group, rmd_deadline deadline,
                 rmd_future **found)
{
    *waits = (rmdi_waits){ .top = rmdi_frame_now(), .future = future, .group = group };
    waits->worker = rmdi_self_worker();
    int err = waits->top ? note(waits) : 0;
    if (err < 0 || !waits->worker)
        return err;
    rmdi_worker_block(waits->worker);
    if (deadline.ns != RMD_FOREVER.ns || !rmdi_worker_is_last(waits->worker))
        return 0;
    *found = find_leaf(waits);
    if (!*found)
        return 0;
    rmdi_waits_end(waits);
    return 1;
}

/* The last worker of a pool that still could run something does not go to sleep over tasks that
 * wait: it runs what keeps that from ending which it waits for, wherever those are asleep that wait
 * for it in turn. (R. Wagner and B. Calder's leapfrogging, 1993, for the last one only.) */
int rmdi_waits_begin(rmdi_waits *waits, rmd_future *future, rmd_group *group, rmd_deadline deadline)
{
    rmd_future *found = NULL;
    int more;
    while ((more = begin(waits, future, group, deadline, &found)) == 1) {
        bool helped = rmdi_future_help(found, RMD_FOREVER, false);
        int err = rmdi_future_check(found, "wait"); /* it may have forked, and this be the child */
        if (err < 0)
            return err;
        bool begun = rmd_atomic_load(&found->word, RMD_RELAXED) & RMDI_FUTURE_STATE;
        rmdi_future_drop(found);
        if (!helped && !begun)
            return rmdi_fail(RMD_EDEADLK,
                             "waits are nested too deep: the stack has no room for another "
                             "task on top, and no worker is left to run one");
    }
    return more;
}

void rmdi_waits_end(rmdi_waits *waits)
{
    if (waits->worker)
        rmdi_worker_unblock(waits->worker);
    if (!waits->top)
        return;
    rmdi_lock_enter(&all.lock);
    rmdi_list_remove(&waits->link);
    rmdi_lock_release(&all.lock);
}
