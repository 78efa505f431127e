/* SPDX-License-Identifier: MIT */
/* A group knows the tasks in it that have not ended, so that it can cancel them, and run those that
 * have not begun while it is waited for. A task is in at most one group and leaves it in the same
 * moment, under the group's lock, in which its end is published: who sees all tasks ended may free
 * the group, and who has waited for the group sees all tasks ended. (Tasks that nobody has a handle
 * of, so that nobody sees their end but here, may leave together a little later.) */
#include "base/alloc.h"
#include "base/error.h"
#include "exec/census.h"
#include "exec/future_wait.h"
#include "exec/waits.h"
#include "port/forked.h"
#include "sync/condition.h"
#include "sync/lock.h"

struct rmd_group {
    rmdi_lock lock;
    rmdi_condition changed; /* there is none left, or one that a waiter has to turn a loop for */
    rmdi_link members;
    rmd_census census; /* `queued` counts all that have not ended */
    uint64_t special;  /* of them, those that are not always waited for parked */
    uint64_t process;  /* rmdi_process_mark() of its owner */
};

static int check_process(const rmd_group *group)
{
    if (rmdi_process_is(group->process))
        return 0;
    return rmdi_fail(RMD_EFORKED, "the group belongs to the process that opened it");
}

static int refuse_unended(int err, uint64_t left)
{
    return rmdi_fail(err, "%llu task%s of the group %s not ended", (unsigned long long)left,
                     left == 1 ? "" : "s", left == 1 ? "has" : "have");
}

int rmdi_group_check(const rmd_group *group)
{
    return group ? check_process(group) : 0;
}

int rmd_group_open(rmd_group **group)
{
    if (!group)
        return rmdi_fail(RMD_EINVAL, "group: no place for it was given");
    rmd_group *g = rmdi_alloc_zeroed(sizeof *g);
    if (!g)
        return rmdi_fail_memory();
    g->process = rmdi_process_mark();
    if (!g->process) {
        rmdi_free(g);
        return rmdi_fail_memory();
    }
    rmdi_list_init(&g->members);
    *group = g;
    return 0;
}

/* ---- coming and going ---- */

void rmdi_group_open_door(rmd_group *group)
{
    rmdi_lock_enter(&group->lock);
}

void rmdi_group_let_in(rmd_group *group, rmd_future *future)
{
    RMD_PLAIN_WRITES(&group->members, sizeof group->members);
    future->group = group;
    /* Relaxed: nobody else knows the task. */
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    rmd_atomic_store(&future->word, word | RMDI_FUTURE_GROUPED, RMD_RELAXED);
    rmdi_list_append(&group->members, &future->group_link);
    group->special += future->ops->how_to_wait != NULL;
    group->census.submitted++;
    group->census.queued++;
}

void rmdi_group_close_door(rmd_group *group)
{
    rmdi_lock_release(&group->lock);
}

void rmdi_group_enter(rmd_group *group, rmd_future *future)
{
    rmdi_group_open_door(group);
    rmdi_group_let_in(group, future);
    rmdi_group_close_door(group);
}

void rmdi_group_undo(rmd_future *future)
{
    rmd_group *group = future->group;
    rmdi_lock_enter(&group->lock);
    RMD_PLAIN_WRITES(&group->members, sizeof group->members);
    rmdi_list_remove(&future->group_link);
    group->special -= future->ops->how_to_wait != NULL;
    group->census.submitted--;
    if (--group->census.queued == 0)
        rmdi_condition_notify_all(&group->changed);
    rmdi_lock_release(&group->lock);
    rmd_atomic_and(&future->word, ~(uint32_t)RMDI_FUTURE_GROUPED, RMD_RELAXED);
}

/* With the lock held. */
static void leave(rmd_group *group, rmd_future *future, rmd_outcome outcome)
{
    RMD_PLAIN_WRITES(&group->members, sizeof group->members);
    rmdi_list_remove(&future->group_link);
    group->special -= future->ops->how_to_wait != NULL;
    group->census.queued--;
    rmdi_census_add(&group->census, outcome);
}

unsigned rmdi_group_leave(rmd_future *future, rmd_outcome outcome, int error)
{
    rmd_group *group = future->group;
    rmdi_lock_enter(&group->lock);
    leave(group, future, outcome);
    unsigned left = rmdi_future_publish(future, outcome, error);
    if (!group->census.queued)
        rmdi_condition_notify_all(&group->changed);
    rmdi_lock_release(&group->lock);
    return left;
}

void rmdi_group_leave_many(rmd_group *group, rmd_future *const *futures, size_t n)
{
    rmdi_lock_enter(&group->lock);
    for (size_t i = 0; i < n; i++) {
        uint32_t word = rmd_atomic_load(&futures[i]->word, RMD_RELAXED);
        leave(group, futures[i], rmdi_future_outcome_in(word));
    }
    if (!group->census.queued)
        rmdi_condition_notify_all(&group->changed);
    rmdi_lock_release(&group->lock);
}

bool rmdi_group_any(rmd_group *group, bool (*fn)(rmd_future *future, void *ctx), void *ctx)
{
    bool found = false;
    rmdi_lock_enter(&group->lock);
    for (rmdi_link *l = group->members.next; l != &group->members && !found; l = l->next)
        found = fn(RMDI_CONTAINER(l, rmd_future, group_link), ctx);
    rmdi_lock_release(&group->lock);
    return found;
}

/* ---- waiting ---- */

/* A member, held, for which parking is not the way to wait: its pool lives on our own loop,
 * which we have to turn (*err is 0 then), or we are in a callback of its pool (RMD_EDEADLK).
 * NULL: there is none. */
static rmd_future *special_member(rmd_group *group, int *err)
{
    rmd_future *found = NULL;
    rmdi_lock_enter(&group->lock);
    rmdi_link *l = group->special ? group->members.next : &group->members;
    for (; l != &group->members && !found; l = l->next) {
        rmd_future *future = RMDI_CONTAINER(l, rmd_future, group_link);
        *err = future->ops->how_to_wait ? future->ops->how_to_wait(future) : RMD_EAGAIN;
        if (*err != RMD_EAGAIN)
            found = future;
    }
    if (found)
        rmdi_future_hold(found);
    rmdi_lock_release(&group->lock);
    return found;
}

/* The first that has not begun, but for so many of them, held; NULL: there is none. */
static rmd_future *unstarted_member(rmd_group *group, uint64_t but)
{
    rmd_future *found = NULL;
    rmdi_lock_enter(&group->lock);
    for (rmdi_link *l = group->members.next; l != &group->members && !found; l = l->next) {
        rmd_future *future = RMDI_CONTAINER(l, rmd_future, group_link);
        /* Relaxed: a hint; help() looks again. */
        uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
        if (rmdi_future_may_help(future) && !(word & (RMDI_FUTURE_STATE | RMDI_FUTURE_HELD)) &&
            but-- == 0)
            found = future;
    }
    if (found)
        rmdi_future_hold(found);
    rmdi_lock_release(&group->lock);
    return found;
}

static uint64_t left_in(rmd_group *group)
{
    rmdi_lock_enter(&group->lock);
    uint64_t left = group->census.queued;
    rmdi_lock_release(&group->lock);
    return left;
}

static bool has_begun(const rmd_future *future)
{
    return rmd_atomic_load(&future->word, RMD_RELAXED) & RMDI_FUTURE_STATE;
}

/* Runs what has not begun, one after the other. Of those that we may not run there can be fewer
 * meanwhile, and one that we may is passed by: so again, until there was none. RMD_EFORKED: what we
 * ran has forked, and this is the child. */
static int help(rmd_group *group, rmd_deadline deadline)
{
    bool ran = true;
    while (ran) {
        uint64_t not_ours = 0;
        ran = false;
        for (rmd_future *future; (future = unstarted_member(group, not_ours));) {
            bool helped = rmdi_future_help(future, deadline, false);
            int err = check_process(group);
            if (err < 0)
                return err;
            ran = ran || helped;
            not_ours += !helped && !has_begun(future); /* else another one was faster */
            rmdi_future_drop(future);
        }
    }
    return 0;
}

static int sleep_until_empty(rmd_group *group, rmd_deadline deadline)
{
    rmdi_waits waits;
    if (deadline.ns <= 0)
        return RMD_ETIMEDOUT;
    int err = rmdi_waits_begin(&waits, (rmdi_awaited){ .group = group }, deadline);
    if (err < 0)
        return err;
    rmdi_lock_enter(&group->lock);
    while (group->census.queued && err == 0)
        err = rmdi_condition_wait(&group->changed, &group->lock, deadline);
    rmdi_lock_release(&group->lock);
    rmdi_waits_end(&waits);
    return err;
}

static int wait_parked(rmd_group *group, rmd_deadline deadline)
{
    int err = deadline.ns == RMD_FOREVER.ns ? help(group, deadline) : 0;
    if (err < 0)
        return err;
    err = left_in(group) ? sleep_until_empty(group, deadline) : 0;
    if (err == RMD_EFORKED)
        return err;
    uint64_t left = left_in(group);
    if (!left || err == RMD_EDEADLK)
        return left ? err : 0;
    return refuse_unended(err, left);
}

int rmd_group_wait(rmd_group *group, rmd_deadline deadline)
{
    if (!group)
        return rmdi_fail(RMD_EINVAL, "wait: no group was given");
    int err = check_process(group);
    if (err < 0)
        return err;
    for (rmd_future *future; (future = special_member(group, &err));) {
        if (err == 0)
            err = rmd_future_wait(future, deadline);
        rmdi_future_drop(future);
        if (err < 0)
            return err;
    }
    return wait_parked(group, deadline);
}

/* ---- cancel, census, end ---- */

/* The first member, held, and put last; NULL: it is not one of those that run, or do not, as
 * wanted, or there is none. */
static rmd_future *next_member(rmd_group *group, bool runs)
{
    rmd_future *future = NULL;
    rmdi_lock_enter(&group->lock);
    RMD_PLAIN_WRITES(&group->members, sizeof group->members);
    rmdi_link *first = rmdi_list_take_first(&group->members);
    if (first) {
        future = RMDI_CONTAINER(first, rmd_future, group_link);
        rmdi_list_append(&group->members, first);
        /* Relaxed: a hint. */
        uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
        if (((word & RMDI_FUTURE_STATE) == RMDI_FUTURE_RUNNING) == runs)
            rmdi_future_hold(future);
        else
            future = NULL;
    }
    rmdi_lock_release(&group->lock);
    return future;
}

/* As many as there are now: later ones are not ours to cancel. */
static void cancel_members(rmd_group *group, bool running)
{
    for (uint64_t n = left_in(group); n > 0; n--) {
        rmd_future *future = next_member(group, running);
        if (!future)
            continue;
        (void)!rmd_future_cancel(future);
        rmdi_future_drop(future);
    }
}

/* First those that have not begun: else a worker whose task was told to stop would begin them. */
void rmd_group_cancel(rmd_group *group)
{
    if (!group || check_process(group) < 0)
        return;
    cancel_members(group, false);
    cancel_members(group, true);
}

void rmd_group_census(rmd_group *group, rmd_census *census)
{
    if (!census)
        return;
    *census = (rmd_census){ 0 };
    if (!group || check_process(group) < 0)
        return;
    rmdi_lock_enter(&group->lock);
    *census = group->census;
    rmdi_lock_release(&group->lock);
}

int rmd_group_free(rmd_group *group)
{
    if (!group)
        return 0;
    int err = check_process(group);
    if (err < 0)
        return err;
    rmd_census census;
    rmd_group_census(group, &census);
    if (census.queued)
        return refuse_unended(RMD_EBUSY, census.queued);
    rmdi_free(group);
    return 0;
}

/* ---- scopes ---- */

rmd_group *rmd_group_scope_begin(rmd_group_scope *scope, rmd_deadline deadline, int *err)
{
    *scope = (rmd_group_scope){ .deadline = deadline, .err = err };
    int opened = rmd_group_open(&scope->group);
    if (err)
        *err = opened;
    return scope->group;
}

/* Until all have ended, whatever comes: what they use may be about to go. Who waits for us in a
 * circle has been told to stop, and does not wait any more. */
static void cancel_for_good(rmd_group *group)
{
    rmd_stop *before = rmd_stop_set(NULL);
    rmd_group_cancel(group);
    if (rmd_group_wait(group, RMD_FOREVER) < 0) {
        rmdi_lock_enter(&group->lock);
        while (group->census.queued)
            (void)!rmdi_condition_wait(&group->changed, &group->lock, RMD_FOREVER);
        rmdi_lock_release(&group->lock);
    }
    rmd_stop_set(before);
}

void rmd_group_scope_end(rmd_group_scope *scope)
{
    if (!scope->group)
        return;
    int err = scope->finished ? rmd_group_wait(scope->group, scope->deadline) : RMD_ECANCELED;
    if (err < 0 && check_process(scope->group) == 0) /* in a forked child nothing of it runs */
        cancel_for_good(scope->group);
    if (scope->finished && scope->err)
        *scope->err = err;
    rmd_group_free(scope->group);
    scope->group = NULL;
}
