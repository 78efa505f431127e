/* SPDX-License-Identifier: MIT */
/* Planted bugs of a map with a producer's thread: the protocol of src/exec/map.h in small, with one
 * mistake. Tasks end as soon as they are submitted. */
#include "small_lock.h"

#include <stdlib.h>

typedef enum map_flaw {
    NO_MAP_FLAW,
    ROOM_NOT_TOLD,       /* the mapper frees a place, and tells nobody */
    END_NOT_TOLD,        /* the producer comes to its end, and tells nobody */
    ENDED_BEFORE_TAKEN,  /* it says so before the last is in the window */
    PLACED_AFTER_SUBMIT, /* a task takes its place when it was submitted already */
} map_flaw;

enum { TASKS = 3, WINDOW = 1 };

typedef struct small_map {
    small_lock lock;
    small_condition changed;
    int under_way, there, given, submitted; /* guarded by the lock */
    bool produced;
    rmd_atomic(int) at_work; /* submitted, and not given */
} small_map;

static small_map *map;
static map_flaw map_has;

static void submit_small(void)
{
    small_lock_drop(&map->lock);
    int at_work = rmd_atomic_add(&map->at_work, 1, RMD_RELAXED) + 1;
    RMD_ASSERT(at_work <= WINDOW);
    small_lock_take(&map->lock);
}

static void produce_small(void *arg)
{
    (void)arg;
    small_lock_take(&map->lock);
    for (int i = 0; i < TASKS; i++) {
        while (map->under_way == WINDOW && map_has != PLACED_AFTER_SUBMIT)
            small_condition_wait(&map->changed, &map->lock);
        map->under_way += map_has != PLACED_AFTER_SUBMIT;
        map->produced = map_has == ENDED_BEFORE_TAKEN && i == TASKS - 1;
        submit_small();
        map->under_way += map_has == PLACED_AFTER_SUBMIT;
        map->there++;
        small_condition_notify_all(&map->changed);
    }
    small_lock_drop(&map->lock); /* it is asked once more, and has none */
    small_lock_take(&map->lock);
    map->produced = true;
    if (map_has != END_NOT_TOLD)
        small_condition_notify_all(&map->changed);
    small_lock_drop(&map->lock);
}

static void give_small(void *arg)
{
    (void)arg;
    small_lock_take(&map->lock);
    while (map->there || !map->produced) {
        if (!map->there) {
            small_condition_wait(&map->changed, &map->lock);
            continue;
        }
        map->there--;
        map->under_way--;
        map->given++;
        rmd_atomic_sub(&map->at_work, 1, RMD_RELAXED);
        if (map_has != ROOM_NOT_TOLD)
            small_condition_notify_all(&map->changed);
    }
    RMD_ASSERT(map->given == TASKS);
    small_lock_drop(&map->lock);
}

static void map_small(map_flaw flaw)
{
    map_has = flaw;
    map = calloc(1, sizeof *map);
    small_lock_init(&map->lock);
    small_condition_init(&map->changed);
    run_together((void (*const[])(void *)){ produce_small, give_small }, NULL, 2);
    free(map);
}

PLANTED(exec_map_frees_a_place_and_tells_nobody, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    map_small(broken ? ROOM_NOT_TOLD : NO_MAP_FLAW);
}

PLANTED(exec_map_is_not_told_that_its_producer_has_ended, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    map_small(broken ? END_NOT_TOLD : NO_MAP_FLAW);
}

PLANTED(exec_map_producer_has_ended_before_its_last_is_there, RMD_EXPLORE_ASSERTION)
{
    map_small(broken ? ENDED_BEFORE_TAKEN : NO_MAP_FLAW);
}

PLANTED(exec_map_takes_a_place_after_the_task_was_submitted, RMD_EXPLORE_ASSERTION)
{
    map_small(broken ? PLACED_AFTER_SUBMIT : NO_MAP_FLAW);
}
