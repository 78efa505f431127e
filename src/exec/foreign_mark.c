/* SPDX-License-Identifier: MIT */
#include "exec/foreign_mark.h"

#include "base/random.h"
#include "exec/attempt_id.h"
#include "port/forked.h"
#include "sync/lock.h"

#include <inttypes.h>
#include <stdio.h>

static struct {
    rmd_atomic(uint64_t) process; /* rmdi_process_mark() of whom all this belongs to; 0: nobody */
    rmdi_lock lock;
    uint64_t begun; /* the same, with the lock held */
    rmdi_link marks;
    uint64_t last;
    char instance[RMDI_INSTANCE_LEN + 1];
} given;

/* A forked copy begins anew: the lock may be held by a thread that only its parent has. */
static void enter(void)
{
    uint64_t ours = rmdi_process_mark(), seen = rmd_atomic_load(&given.process, RMD_RELAXED);
    if (seen != ours && rmd_atomic_cas(&given.process, &seen, ours, RMD_RELAXED, RMD_RELAXED) &&
        seen)
        given.lock = (rmdi_lock){ 0 };
    rmdi_lock_enter(&given.lock);
    if (given.begun == ours)
        return;
    given.begun = ours;
    rmdi_list_init(&given.marks);
    snprintf(given.instance, sizeof given.instance, "%016" PRIx64, rmdi_random());
}

void rmdi_foreign_mark_enter(rmdi_foreign_mark *mark)
{
    enter();
    mark->number = ++given.last;
    rmdi_list_append(&given.marks, &mark->link);
    rmdi_lock_release(&given.lock);
}

void rmdi_foreign_mark_leave(rmdi_foreign_mark *mark)
{
    enter();
    rmdi_list_remove(&mark->link);
    rmdi_lock_release(&given.lock);
}

bool rmdi_foreign_mark_is_there(uint64_t number)
{
    bool there = false;
    enter();
    for (rmdi_link *l = given.marks.next; l != &given.marks && !there; l = l->next)
        there = RMDI_CONTAINER(l, rmdi_foreign_mark, link)->number == number;
    rmdi_lock_release(&given.lock);
    return there;
}

const char *rmdi_foreign_mark_instance(void)
{
    return given.instance;
}
