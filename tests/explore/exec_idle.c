/* SPDX-License-Identifier: MIT */
/* Where workers sleep: no work lies while all of them do, who is told is not told in vain, and one
 * that searches is enough for a burst. A pool in small, whose queue is a number. */
#include "crew.h"
#include "exec/idle.h"
#include "sync/event.h"

#include <remuda.h>

typedef struct small_pool {
    rmdi_idle idle;
    rmd_atomic(int) work;   /* to be done */
    rmd_atomic(int) done;   /* by all workers */
    rmd_atomic(int) wanted; /* when so many are done, whoever waits for that is told */
    rmd_atomic(uint32_t) quit;
    rmdi_event finished;
    uint32_t searchers_max;
} small_pool;

static bool has_work(small_pool *p)
{
    return rmd_atomic_load(&p->work, RMD_RELAXED) > 0;
}

static bool find_none(void *arg)
{
    small_pool *p = arg;
    return !has_work(p) && !rmd_atomic_load(&p->quit, RMD_ACQUIRE);
}

static bool take(small_pool *p)
{
    int n = rmd_atomic_load(&p->work, RMD_RELAXED);
    while (n > 0)
        if (rmd_atomic_cas(&p->work, &n, n - 1, RMD_ACQUIRE, RMD_RELAXED))
            return true;
    return false;
}

static void put(small_pool *p, int n)
{
    rmd_atomic_add(&p->work, n, RMD_RELEASE);
    rmdi_idle_tell(&p->idle);
}

static void end_search(small_pool *p, bool *searching)
{
    if (*searching && rmdi_idle_found(&p->idle) && has_work(p))
        rmdi_idle_tell(&p->idle);
    *searching = false;
}

static void do_one(small_pool *p)
{
    if (rmd_atomic_add(&p->done, 1, RMD_RELAXED) + 1 == rmd_atomic_load(&p->wanted, RMD_RELAXED))
        rmdi_event_set(&p->finished);
}

/* As in exec/threads_worker.c. */
static bool work_once(small_pool *p, bool *searching)
{
    bool found = take(p);
    if (!found) {
        if (!*searching)
            *searching = rmdi_idle_search(&p->idle, p->searchers_max);
        found = *searching && take(p);
    }
    if (found) {
        end_search(p, searching);
        do_one(p);
        return true;
    }
    if (rmd_atomic_load(&p->quit, RMD_ACQUIRE)) {
        end_search(p, searching);
        return false;
    }
    rmdi_idle_sleep(&p->idle, *searching, find_none, p);
    *searching = true;
    return true;
}

static void work(void *arg)
{
    bool searching = false;
    while (work_once(arg, &searching))
        ;
}

static void begin(small_pool *p, crew *all, int workers, int wanted)
{
    static const char *const names[] = { "worker 1", "worker 2", "worker 3" };
    *p = (small_pool){ .searchers_max = 1 + rmd_explore_choose(2) };
    rmd_atomic_init(&p->wanted, wanted);
    for (int i = 0; i < workers; i++)
        crew_add(all, work, p, names[i]);
}

/* Everything that was put has been done, by workers that were told of it, and of nothing else. */
static void end(small_pool *p, crew *all)
{
    RMD_ASSERT(rmdi_event_wait(&p->finished, RMD_FOREVER) == 0);
    rmd_atomic_store(&p->quit, 1, RMD_RELEASE);
    rmd_fence(RMD_SEQ_CST);
    rmdi_idle_tell_all(&p->idle);
    crew_join(all);
    RMD_ASSERT(rmd_atomic_load(&p->work, RMD_RELAXED) == 0);
    RMD_ASSERT(rmd_atomic_load(&p->done, RMD_RELAXED) == rmd_atomic_load(&p->wanted, RMD_RELAXED));
    /* Who has begun to search has ended it: else nobody would ever be told again. */
    RMD_ASSERT(rmd_atomic_load(&p->idle.searching, RMD_RELAXED) == 0);
    RMD_ASSERT(!rmdi_wait_list_busy(&p->idle.sleepers));
}

static void put_two(void *arg)
{
    put(arg, 1);
    put(arg, 1);
}

static void put_burst(void *arg)
{
    put(arg, 3);
}

HARNESS(idle_one_worker_is_told_of_everything)
{
    small_pool p;
    crew all = { 0 };
    begin(&p, &all, 1, 4);
    crew_add(&all, put_two, &p, "puts");
    put_two(&p);
    end(&p, &all);
}

HARNESS(idle_no_work_lies_while_all_sleep)
{
    small_pool p;
    crew all = { 0 };
    begin(&p, &all, 2, 4);
    crew_add(&all, put_two, &p, "puts");
    put_two(&p);
    end(&p, &all);
}

HARNESS(idle_a_burst_wakes_one_who_wakes_others)
{
    small_pool p;
    crew all = { 0 };
    begin(&p, &all, 3, 5);
    crew_add(&all, put_burst, &p, "puts a burst");
    put_two(&p);
    end(&p, &all);
}

/* ---- each that was told finds as many at work as there is work for ---- */

typedef struct meeting {
    small_pool pool;
    rmdi_event all_here;
    rmd_atomic(int) here;
} meeting;

/* Ends only when another one is at work, too: a worker that sleeps beside work is never missed by
 * those who do short tasks. */
static void meet(meeting *m)
{
    if (rmd_atomic_add(&m->here, 1, RMD_RELAXED) == 1)
        rmdi_event_set(&m->all_here);
    RMD_ASSERT(rmdi_event_wait(&m->all_here, RMD_FOREVER) == 0);
    do_one(&m->pool);
}

static void work_and_meet(void *arg)
{
    meeting *m = arg;
    small_pool *p = &m->pool;
    bool searching = false;
    for (;;) {
        bool found = take(p);
        if (!found) {
            if (!searching)
                searching = rmdi_idle_search(&p->idle, p->searchers_max);
            found = searching && take(p);
        }
        if (found) {
            end_search(p, &searching);
            meet(m);
        } else if (rmd_atomic_load(&p->quit, RMD_ACQUIRE)) {
            end_search(p, &searching);
            return;
        } else {
            rmdi_idle_sleep(&p->idle, searching, find_none, p);
            searching = true;
        }
    }
}

static void meet_all(bool burst)
{
    meeting m = { 0 };
    crew all = { 0 };
    m.pool.searchers_max = 1;
    rmd_atomic_init(&m.pool.wanted, 2);
    crew_add(&all, work_and_meet, &m, "worker 1");
    crew_add(&all, work_and_meet, &m, "worker 2");
    put(&m.pool, burst ? 2 : 1);
    if (!burst)
        put(&m.pool, 1);
    end(&m.pool, &all);
}

HARNESS(idle_two_workers_do_two_things_at_once)
{
    meet_all(false);
}

HARNESS(idle_who_has_found_one_of_two_tells_of_the_other)
{
    meet_all(true);
}

/* ---- a search that ends with something else ---- */

/* A callback, say. Who has put something meanwhile may have told nobody. */
HARNESS(idle_who_leaves_a_search_tells)
{
    small_pool p;
    crew all = { 0 };
    begin(&p, &all, 1, 2);
    bool searching = rmdi_idle_search(&p.idle, 4);
    RMD_ASSERT(searching && !rmdi_idle_search(&p.idle, 1));
    crew_add(&all, put_two, &p, "puts");
    end_search(&p, &searching);
    end(&p, &all);
}

/* Woken for something else than work. */
HARNESS(idle_all_are_woken)
{
    small_pool p;
    crew all = { 0 };
    begin(&p, &all, 3, 2);
    rmdi_idle_tell_all(&p.idle);
    crew_add(&all, put_two, &p, "puts");
    rmdi_idle_tell_all(&p.idle);
    end(&p, &all);
}

/* ---- false: nobody is there who would look ---- */

static void put_and_do(void *arg)
{
    small_pool *p = arg;
    rmd_atomic_add(&p->work, 1, RMD_RELEASE);
    /* As whoever opens a spare: if nobody looks, it does. */
    while (!rmdi_idle_tell(&p->idle) && take(p))
        do_one(p);
}

HARNESS(idle_tell_says_whether_anybody_looks)
{
    small_pool p;
    crew all = { 0 };
    begin(&p, &all, 1, 2);
    crew_add(&all, put_and_do, &p, "puts 1");
    crew_add(&all, put_and_do, &p, "puts 2");
    end(&p, &all);
}
