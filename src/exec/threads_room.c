/* SPDX-License-Identifier: MIT */
/* The bounds of a threads pool, and waiting for room.
 *
 * The injection queue is bounded by queue_max, and the deque of each worker by its own size. Where
 * queue_max is less than that it is the bound of all together, and a task that was ended where it
 * lay in a deque counts until a worker comes by. When the queue is full, a submitter from outside
 * enters the list `place`, passes a fence, looks again, and sleeps. Whoever takes tasks out passes
 * a fence and looks whether anybody is in that list. Both fences are sequentially consistent, so
 * one of the two sees the other. One is woken at a time; it passes that on if there is still room.
 * Inside a task nobody waits for room, which might never come: the task is run at once, in place,
 * on top of the one that submits it. */
#include "base/error.h"
#include "base/recorder.h"
#include "exec/threads_submit.h"
#include "port/thread.h"

#ifdef RMD_EXPLORE
enum { PLACE_PAUSES = 1, PLACE_YIELDS = 1 };
#else
enum { PLACE_PAUSES = 64, PLACE_YIELDS = 4 };
#endif

/* ---- how full ---- */

/* A hint; with `out` of the injection held nothing is counted twice while a worker takes it. */
static size_t count_queued(const rmdi_threads *pool)
{
    size_t n = rmdi_injection_all(&pool->injection);
    for (unsigned i = 0; pool->is_small && i < pool->threads_max; i++)
        n += rmdi_deque_len(&pool->workers[i].deque);
    return n;
}

bool rmdi_room_is_none(const rmdi_threads *pool)
{
    uint32_t max = rmdi_room_max(pool);
    return count_queued(pool) >= max;
}

static uint32_t room_for(rmdi_threads *pool, uint32_t wanted)
{
    uint32_t max = rmdi_room_max(pool);
    if (!pool->is_small)
        return rmdi_injection_room(&pool->injection, max, wanted);
    size_t n = count_queued(pool), room = n < max ? max - n : 0;
    return room < wanted ? (uint32_t)room : wanted;
}

/* What a worker is just taking is said to be in the queue until it is elsewhere, and in a small
 * queue counts twice for a moment. Who does not wait for room is told exactly; whoever waits is
 * woken when that is over. */
static uint32_t room_now(rmdi_threads *pool, uint32_t wanted)
{
    rmdi_brief_enter(&pool->injection.out);
    uint32_t room = room_for(pool, wanted);
    rmdi_brief_leave(&pool->injection.out);
    return room;
}

int rmdi_room_look(rmdi_threads *pool, bool inside, const rmd_task_options *options, uint32_t *n)
{
    if (rmdi_threads_is_closed(pool))
        return RMD_ECLOSED;
    uint32_t wanted = *n;
    *n = room_for(pool, wanted);
    if (!*n && (inside || options->full_ms < 0))
        *n = room_now(pool, wanted);
    if (*n)
        return 0;
    if (options->full_ms < 0)
        return RMD_EFULL;
    return inside ? RMD_EDEADLK : RMD_EAGAIN;
}

void rmdi_threads_tell_room(rmdi_threads *pool)
{
    rmd_fence(RMD_SEQ_CST); /* with that in sleep_for_place() */
    if (rmdi_wait_list_waits(&pool->place))
        rmdi_wake_one(&pool->place);
}

void rmdi_room_pass_on(rmdi_threads *pool)
{
    if (!rmdi_room_is_none(pool))
        rmdi_threads_tell_room(pool);
}

/* ---- waiting for some ---- */

static int refuse_full(const rmdi_threads *pool, int err)
{
    if (err == RMD_ECANCELED)
        return rmdi_fail(err, "%u tasks are queued", pool->queue_max);
    return rmdi_fail(RMD_EFULL, "%u tasks are queued%s", pool->queue_max,
                     err == RMD_ETIMEDOUT ? ", and none of them was started in time" : "");
}

static bool must_wait(const rmdi_threads *pool)
{
    return rmdi_room_is_none(pool) && !rmdi_threads_is_closed(pool);
}

/* Awake for some microseconds, then letting others run a few times: until there is room for
 * several, or it has been of no use. */
static bool room_while_we_look(rmdi_threads *pool)
{
    bool room = false;
    for (unsigned looks = rmdi_spin_looks(&pool->place_spin); looks > 0 && !room; looks--) {
        rmdi_spin_for(PLACE_PAUSES);
        room = !must_wait(pool);
    }
    rmdi_spin_learn(&pool->place_spin, room);
    for (int yields = 0; yields < PLACE_YIELDS && !room; yields++) {
        rmdi_os_thread_yield();
        room = !must_wait(pool);
    }
    return room;
}

/* Sleeps until there may be room. 0: look again. */
static int sleep_for_place(rmdi_threads *pool, rmd_deadline deadline)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_waiter_init(&waiter, true);
    rmdi_wait_list_enter(&pool->place);
    rmdi_wait_list_add(&pool->place, &wait, &waiter, 0);
    rmdi_wait_list_leave(&pool->place);
    rmd_fence(RMD_SEQ_CST); /* with that in rmdi_threads_tell_room() */
    rmdi_record(RMDI_RECORD_FULL, 0, pool->queue_max);
    int err = must_wait(pool) ? rmdi_waiter_sleep(&waiter, deadline) : 0;
    rmdi_record(RMDI_RECORD_ROOM, 0, 0);
    rmdi_wait_list_remove(&pool->place, &wait);
    return err < 0 ? err : 0;
}

int rmdi_room_wait(rmdi_threads *pool, int err, rmd_deadline deadline)
{
    if (err == RMD_ECLOSED)
        return rmdi_fail(RMD_ECLOSED, "the pool takes no more tasks");
    if (err == RMD_EFULL)
        return refuse_full(pool, 0);
    if (err != RMD_EAGAIN)
        return err;
    err = room_while_we_look(pool) ? 0 : sleep_for_place(pool, deadline);
    return err < 0 ? refuse_full(pool, err) : 0;
}

rmd_deadline rmdi_room_deadline(const rmd_task_options *options)
{
    return options->full_ms > 0 ? rmd_after_ms(options->full_ms) : RMD_FOREVER;
}
