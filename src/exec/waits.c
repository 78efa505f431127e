/* SPDX-License-Identifier: MIT */
/* Finding circles of waits.
 *
 * A thread on which a task runs, and that is about to sleep, notes under one lock of the process
 * what it waits for, and keeps the note until it runs again. On its stack lie the task on top and
 * those beneath, each of which waits for the one above it; so what is noted holds for all of them.
 * As long as the note stands the thread sleeps, or waits for the lock, or takes a pool down, and
 * its frames can be read by others.
 *
 * When it has noted, it follows the waits: from what it wants to wait for to the thread on whose
 * stack that lies, if there is one with a note, and on to what that waits for, until there is none,
 * or it comes to a task on its own stack: then that is a circle. Of those whose waits would close
 * one together, the last to take the lock sees the notes of all others. A task that has not begun
 * has no frame, one that has ended is waited for no more, whatever the notes say.
 *
 * All of a group, or any of several
 * ---------------------------------
 * A wait may end when what it waits for may end: each of a group, or of a pool that is drained, or
 * any of several. (Of a pool's tasks those are looked at that wait, by their notes.) The search
 * asks whether its own may. What runs, and does not wait, may end; so may what is queued, though
 * perhaps no worker can take it; a wait that is come by again in the same round, and is just being
 * looked at or has not been found to end, may not, as far as that round knows. Each is looked at
 * once in a round, and a round in which one has been found that may end, after others have perhaps
 * been told the opposite, is followed by another. What then has not been found is a set of tasks
 * each of which waits for others of the set.
 *
 * A circle is refused although one of its waits has a deadline; but if one waits for any of
 * several, or for the end of a pool, only when none has, and none is told to stop: for a wait that
 * might end must not be refused then. So there are two searches, the second, strict one only while
 * somebody waits for such.
 *
 * In a search locks of groups and completions are held, one in another: nobody else holds two. What
 * is being gone through already is not entered again. */
#include "exec/waits.h"

#include "base/error.h"
#include "base/recorder.h"
#include "exec/completions.h"
#include "exec/future_wait.h"
#include "exec/worker.h"
#include "sync/lock.h"

#include <stdio.h>

/* A group or completions that a search goes through, so that its lock is held. */
typedef struct entered {
    const struct entered *outer;
    const void *what;
} entered;

RMD_STATIC struct {
    rmdi_lock lock;
    rmdi_link notes; /* zeroed: empty, too */
    uint32_t strict; /* how many of them count in the strict search only */
    uint32_t round, search;
    const entered *entered;
} all;

enum { NAMED_MAX = 8, NAME_MAX_BYTES = 40 };

/* A search, and the circle that it has found, from its end. */
typedef struct search {
    rmdi_waits *from;
    bool strict;  /* it goes through all waits, but not those that end anyway */
    bool alone;   /* nobody but us is left to run what is queued in our pool, and we cannot */
    bool changed; /* in this round one has been found that may end */
    rmd_future *path[NAMED_MAX];
    unsigned len; /* may be more than there is room for; 0: we have not come back */
} search;

void rmdi_waits_forked(void)
{
    all.lock = (rmdi_lock){ 0 };
    all.notes = (rmdi_link){ 0 };
    all.strict = 0;
    all.entered = NULL;
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

static bool is_entered(const void *what)
{
    const entered *e = all.entered;
    while (e && e->what != what)
        e = e->outer;
    return e != NULL;
}

/* Of the task of the pool that is on top on that stack; NULL: there is none. */
static rmd_future *task_of_pool(const rmdi_frame *top, const rmd_pool *pool)
{
    while (top && top->pool != pool)
        top = top->outer;
    return top ? top->future : NULL;
}

/* Of those of its tasks that wait. */
static bool any_of_pool(const rmd_pool *pool, bool (*fn)(rmd_future *future, void *ctx), void *ctx)
{
    bool found = false;
    for (rmdi_link *l = all.notes.next; l && l != &all.notes && !found; l = l->next) {
        rmdi_waits *waits = RMDI_CONTAINER(l, rmdi_waits, link);
        rmd_future *future = task_of_pool(waits->top, pool);
        found = future && fn(future, ctx);
    }
    return found;
}

/* What is locked while it is gone through; NULL: nothing. */
static const void *lock_of(const rmdi_awaited *what)
{
    return what->group ? (const void *)what->group : (const void *)what->any;
}

/* Calls fn for each that is waited for, until it returns true; and returns that. */
static bool any_awaited(const rmdi_awaited *what, bool (*fn)(rmd_future *future, void *ctx),
                        void *ctx)
{
    if (what->future)
        return fn(what->future, ctx);
    if (what->pool)
        return any_of_pool(what->pool, fn, ctx);
    entered here = { all.entered, lock_of(what) };
    all.entered = &here;
    bool found = what->group ? rmdi_group_any(what->group, fn, ctx)
                             : rmdi_completions_any(what->any, fn, ctx);
    all.entered = here.outer;
    return found;
}

static bool is_locked(const rmdi_awaited *what)
{
    return lock_of(what) && is_entered(lock_of(what));
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

/* It neither has begun nor is held. */
static bool is_queued(const rmd_future *future)
{
    /* Relaxed: a hint. */
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    return !(word & (RMDI_FUTURE_STATE | RMDI_FUTURE_HELD));
}

static bool wait_may_end(search *s, rmdi_waits *waits);

/* By itself, or what it is held back by: no recursion, for such a chain may be long. */
static bool may_end(rmd_future *future, void *ctx)
{
    search *s = ctx;
    rmd_future *passed[NAMED_MAX], *last = future;
    unsigned n = 0, before = s->len;
    for (; future && !rmdi_future_ended(future); future = held_for(future))
        passed[n++ % NAMED_MAX] = last = future;
    if (future)
        return true;
    rmdi_waits *waits = note_of(last);
    if (!waits)
        return !s->alone || !is_queued(last) || !rmdi_worker_could_run(last);
    if (wait_may_end(s, waits))
        return true;
    /* The first way back is the one that is told. */
    if (waits == s->from ? !before : s->len > before)
        add_to_path(s, passed, n);
    return false;
}

static bool never_ends(rmd_future *future, void *ctx)
{
    return !may_end(future, ctx);
}

/* Whatever becomes of what it waits for. */
static bool ends_anyway(const rmdi_waits *waits)
{
    return waits->limited || rmd_stop_requested(waits->stop);
}

static bool is_strict(const rmdi_awaited *what)
{
    return what->any || what->pool;
}

static bool look_at(search *s, const rmdi_waits *waits)
{
    const rmdi_awaited *what = &waits->what;
    if (s->strict ? ends_anyway(waits) : is_strict(what))
        return true;
    if (is_locked(what))
        return false;
    return what->group || what->pool ? !any_awaited(what, never_ends, s)
                                     : any_awaited(what, may_end, s);
}

static bool wait_may_end(search *s, rmdi_waits *waits)
{
    if (waits->freed == all.search)
        return true;
    if (waits->round == all.round)
        return false;
    waits->round = all.round;
    if (!look_at(s, waits))
        return false;
    waits->freed = all.search;
    s->changed = true;
    return true;
}

static bool finds_end(search *s)
{
    bool may;
    all.search++;
    do {
        all.round++;
        s->changed = false;
        s->len = 0;
        may = wait_may_end(s, s->from);
    } while (!may && s->changed);
    return may;
}

/* A wait that never ends without being part of a circle is left alone. */
static bool is_in_circle(search *s)
{
    return !finds_end(s) && s->len > 0;
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
    rmd_future *self = s->from->top->future;
    size_t at = add_task(text, 0, "", self);
    rmdi_record(RMDI_RECORD_CIRCLE, self->id, 0);
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
    search s = { .from = waits };
    bool found = is_in_circle(&s);
    if (!found && all.strict) {
        s.strict = true;
        found = is_in_circle(&s);
    }
    return found ? refuse(&s) : 0;
}

/* ---- around a sleep ---- */

static void take_out(rmdi_waits *waits)
{
    rmdi_list_remove(&waits->link);
    all.strict -= is_strict(&waits->what);
}

static int note(rmdi_waits *waits)
{
    rmdi_lock_enter(&all.lock);
    if (!all.notes.next)
        rmdi_list_init(&all.notes);
    rmdi_list_append(&all.notes, &waits->link);
    all.strict += is_strict(&waits->what);
    int err = look_for_circle(waits);
    if (err < 0)
        take_out(waits);
    rmdi_lock_release(&all.lock);
    return err;
}

/* What keeps a wait from ending, as far as it can be seen: a task of our pool that has not begun,
 * at the end of the waits. */
static bool find_leaf_of_wait(rmdi_waits *waits, rmd_future **found);

/* With the lock held. *found is held. */
static bool find_leaf(rmd_future *future, void *ctx)
{
    rmd_future **found = ctx;
    for (rmd_future *first; (first = held_for(future));)
        future = first;
    if (is_queued(future)) { /* help() looks again */
        if (!rmdi_worker_could_run(future))
            return false; /* others will */
        rmdi_future_hold(future);
        *found = future;
        return true;
    }
    rmdi_waits *waits = rmdi_future_ended(future) ? NULL : note_of(future);
    return waits && find_leaf_of_wait(waits, found);
}

static bool find_leaf_of_wait(rmdi_waits *waits, rmd_future **found)
{
    if (waits->round == all.round || is_locked(&waits->what))
        return false;
    waits->round = all.round;
    any_awaited(&waits->what, find_leaf, found); /* also true if there is nothing to wait for */
    return *found != NULL;
}

static rmd_future *look_for_leaf(rmdi_waits *waits)
{
    rmd_future *found = NULL;
    rmdi_lock_enter(&all.lock);
    all.round++;
    find_leaf_of_wait(waits, &found);
    rmdi_lock_release(&all.lock);
    return found;
}

int rmdi_waits_note(rmdi_waits *waits, rmdi_awaited what, rmd_deadline deadline)
{
    bool limited = deadline.ns != RMD_FOREVER.ns;
    *waits = (rmdi_waits){ .top = rmdi_frame_now(), .what = what, .limited = limited };
    waits->stop = rmdi_self_stop();
    return waits->top ? note(waits) : 0;
}

/* As rmdi_waits_begin(). 1: it was the last worker, and is not to sleep: *found, held, is for it to
 * run. found NULL: it sleeps in any case. */
static int begin(rmdi_waits *waits, rmdi_awaited what, rmd_deadline deadline, rmd_future **found)
{
    int err = rmdi_waits_note(waits, what, deadline);
    waits->worker = rmdi_self_worker();
    if (err < 0 || !waits->worker)
        return err;
    rmdi_worker_block(waits->worker);
    if (!found || waits->limited || !rmdi_worker_is_last(waits->worker))
        return 0;
    *found = look_for_leaf(waits);
    if (!*found)
        return 0;
    rmdi_waits_end(waits);
    return 1;
}

static bool may_end_without_us(rmdi_waits *waits)
{
    if (!rmdi_worker_is_last(waits->worker))
        return true;
    search s = { .from = waits, .strict = true, .alone = true };
    rmdi_lock_enter(&all.lock);
    bool may = finds_end(&s);
    rmdi_lock_release(&all.lock);
    return may;
}

/* The last worker has no room for what keeps the wait from ending: but another one of several may
 * end instead. */
static int begin_alone(rmdi_waits *waits, rmdi_awaited what)
{
    int err = begin(waits, what, RMD_FOREVER, NULL);
    if (err < 0 || may_end_without_us(waits))
        return err;
    rmdi_waits_end(waits);
    return rmdi_fail(RMD_EDEADLK, "waits are nested too deep: the stack has no room for another "
                                  "task on top, and no worker is left to run one");
}

/* The last worker of a pool that still could run something does not go to sleep over tasks that
 * wait: it runs what keeps that from ending which it waits for, wherever those are asleep that wait
 * for it in turn. (R. Wagner and B. Calder's leapfrogging, 1993, for the last one only.) */
int rmdi_waits_begin(rmdi_waits *waits, rmdi_awaited what, rmd_deadline deadline)
{
    rmd_future *found = NULL;
    int more;
    while ((more = begin(waits, what, deadline, &found)) == 1) {
        bool helped = rmdi_future_help(found, RMD_FOREVER, false);
        int err = rmdi_future_check(found, "wait"); /* it may have forked, and this be the child */
        if (err < 0)
            return err;
        bool begun = rmd_atomic_load(&found->word, RMD_RELAXED) & RMDI_FUTURE_STATE;
        rmdi_future_drop(found);
        if (!helped && !begun)
            return begin_alone(waits, what);
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
    take_out(waits);
    rmdi_lock_release(&all.lock);
}
