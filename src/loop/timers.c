/* SPDX-License-Identifier: MIT */
/* A binary heap in an array; each timer knows its place, so that it can leave. */
#include "loop/timers.h"

#include "base/alloc.h"
#include "base/error.h"

int rmdi_timers_reserve(rmdi_timers *timers, size_t count)
{
    while (timers->capacity < count) {
        void *heap = timers->heap;
        int err = rmdi_array_reserve(&heap, &timers->capacity, timers->capacity,
                                     sizeof *timers->heap);
        if (err < 0)
            return err;
        timers->heap = heap;
    }
    return 0;
}

static void put(rmdi_timers *timers, size_t index, rmdi_timer *timer)
{
    timers->heap[index] = timer;
    timer->place = index + 1;
}

static void sift_up(rmdi_timers *timers, size_t index, rmdi_timer *timer)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (timers->heap[parent]->due_ns <= timer->due_ns)
            break;
        put(timers, index, timers->heap[parent]);
        index = parent;
    }
    put(timers, index, timer);
}

static void sift_down(rmdi_timers *timers, size_t index, rmdi_timer *timer)
{
    for (size_t child; (child = 2 * index + 1) < timers->used; index = child) {
        if (child + 1 < timers->used &&
            timers->heap[child + 1]->due_ns < timers->heap[child]->due_ns)
            child++;
        if (timer->due_ns <= timers->heap[child]->due_ns)
            break;
        put(timers, index, timers->heap[child]);
    }
    put(timers, index, timer);
}

void rmdi_timers_disarm(rmdi_timers *timers, rmdi_timer *timer)
{
    if (!timer->place)
        return;
    size_t index = timer->place - 1;
    timer->place = 0;
    rmdi_timer *last = timers->heap[--timers->used];
    if (last == timer)
        return;
    /* The last one takes the empty place; it may belong further up or down. */
    if (index > 0 && last->due_ns < timers->heap[(index - 1) / 2]->due_ns)
        sift_up(timers, index, last);
    else
        sift_down(timers, index, last);
}

void rmdi_timers_arm(rmdi_timers *timers, rmdi_timer *timer, int64_t due_ns)
{
    rmdi_timers_disarm(timers, timer);
    timer->due_ns = due_ns;
    sift_up(timers, timers->used++, timer);
}

rmdi_timer *rmdi_timers_first(const rmdi_timers *timers)
{
    return timers->used ? timers->heap[0] : NULL;
}

void rmdi_timers_free(rmdi_timers *timers)
{
    rmdi_free(timers->heap);
    *timers = (rmdi_timers){ 0 };
}
