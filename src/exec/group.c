/* SPDX-License-Identifier: MIT */
/* A group knows the tasks in it that have not ended, so that it can cancel them. A task
 * is in at most one group and leaves it in the same moment, under the group's lock, in
 * which its end is published: who sees all tasks ended may free the group, and who has
 * waited for the group sees all tasks ended. */
#include "base/alloc.h"
#include "base/error.h"
#include "exec/census.h"
#include "exec/future.h"
#include "port/forked.h"
#include "sync/condition.h"

struct rmd_group {
    rmdi_lock lock;
    rmdi_condition changed;
    rmdi_link members;
    rmd_census census; /* `queued` counts all that have not ended */
    uint64_t process;  /* rmdi_process_mark() of its owner */
};

static int check_process(const rmd_group *group)
{
    if (rmdi_process_is(group->process))
        return 0;
    return rmdi_fail(RMD_EFORKED, "the group belongs to the process that opened it");
}

int rmd_group_open(rmd_group **group)
{
    rmd_group *g = rmdi_alloc_zeroed(sizeof *g);
    if (!g)
        return rmdi_fail_memory();
    rmdi_list_init(&g->members);
    g->process = rmdi_process_mark();
    *group = g;
    return 0;
}

void rmdi_group_enter(rmd_group *group, rmd_future *future)
{
    rmdi_lock_enter(&group->lock);
    future->group = group;
    rmdi_list_append(&group->members, &future->group_link);
    group->census.submitted++;
    group->census.queued++;
    rmdi_lock_release(&group->lock);
}

void rmdi_group_leave(rmd_future *future, void (*publish)(rmd_future *future))
{
    rmd_group *group = future->group;
    rmdi_lock_enter(&group->lock);
    rmdi_list_remove(&future->group_link);
    group->census.queued--;
    rmdi_census_add(&group->census, future->exit.outcome);
    publish(future);
    rmdi_condition_notify_all(&group->changed);
    rmdi_lock_release(&group->lock);
}

/* A member, held; NULL when the group is empty. */
static rmd_future *any_member(rmd_group *group)
{
    rmdi_lock_enter(&group->lock);
    rmd_future *future = NULL;
    if (!rmdi_list_empty(&group->members)) {
        future = RMDI_CONTAINER(group->members.next, rmd_future, group_link);
        rmdi_future_hold(future);
    }
    rmdi_lock_release(&group->lock);
    return future;
}

/* A member, held, for which parking is not the way to wait: its pool lives on our own loop,
 * which we have to turn (*err is 0 then), or we are in a callback of its pool (RMD_EDEADLK).
 * NULL: there is none. */
static rmd_future *special_member(rmd_group *group, int *err)
{
    rmd_future *found = NULL;
    rmdi_lock_enter(&group->lock);
    for (rmdi_link *l = group->members.next; l != &group->members && !found; l = l->next) {
        rmd_future *future = RMDI_CONTAINER(l, rmd_future, group_link);
        *err = future->ops->how_to_wait(future);
        if (*err != RMD_EAGAIN)
            found = future;
    }
    if (found)
        rmdi_future_hold(found);
    rmdi_lock_release(&group->lock);
    return found;
}

static int wait_parked(rmd_group *group, rmd_deadline deadline)
{
    int err = 0;
    rmdi_lock_enter(&group->lock);
    while (group->census.queued && err == 0)
        err = rmdi_condition_wait(&group->changed, &group->lock, deadline);
    uint64_t left = group->census.queued;
    rmdi_lock_release(&group->lock);
    if (!left)
        return 0;
    return rmdi_fail(err, "%llu tasks of the group have not ended", (unsigned long long)left);
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

void rmd_group_cancel(rmd_group *group)
{
    rmd_census before;
    if (check_process(group) < 0)
        return;
    rmd_group_census(group, &before);
    /* Each round takes the first member, cancels it and puts it last, as often as there
     * were members: later ones are not ours to cancel. */
    for (uint64_t n = before.queued; n > 0; n--) {
        rmd_future *future = any_member(group);
        if (!future)
            return;
        rmdi_lock_enter(&group->lock);
        if (future->group_link.next != &future->group_link) {
            rmdi_list_remove(&future->group_link);
            rmdi_list_append(&group->members, &future->group_link);
        }
        rmdi_lock_release(&group->lock);
        rmd_future_cancel(future);
        rmdi_future_drop(future);
    }
}

void rmd_group_census(rmd_group *group, rmd_census *census)
{
    *census = (rmd_census){ 0 };
    if (check_process(group) < 0)
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
        return rmdi_fail(RMD_EBUSY, "%llu tasks of the group have not ended",
                         (unsigned long long)census.queued);
    rmdi_free(group);
    return 0;
}
