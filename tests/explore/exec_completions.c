/* SPDX-License-Identifier: MIT */
/* Several futures at once: waited for together, selected among others, and taken one by one as they
 * end. */
#include "future_stage.h"

typedef struct several {
    thing *things[3];
    rmd_future *futures[3];
    rmd_completions *ends;
    rmd_atomic(int) given;
} several;

static void open_several(several *s)
{
    *s = (several){ 0 };
    for (int i = 0; i < 3; i++) {
        s->things[i] = new_thing();
        s->futures[i] = &s->things[i]->future;
    }
}

static void free_several(several *s)
{
    for (int i = 0; i < 3; i++)
        rmd_future_free(s->futures[i]);
    RMD_ASSERT(destroyed() == 3);
}

static void run_pair(void *arg)
{
    several *s = arg;
    run_thing(s->things[0]);
    run_thing(s->things[1]);
}

static void wait_for_any(void *arg)
{
    several *s = arg;
    int64_t i = rmd_futures_wait(s->futures, 3, RMD_WAIT_ANY, RMD_FOREVER);
    RMD_ASSERT(i >= 0 && i < 3 && rmdi_future_ended(s->futures[i]));
}

static void wait_for_all(void *arg)
{
    several *s = arg;
    RMD_ASSERT(rmd_futures_wait(s->futures, 3, RMD_WAIT_ALL, RMD_FOREVER) == 3);
}

static void wait_for_failure(void *arg)
{
    several *s = arg;
    int64_t i = rmd_futures_wait(s->futures, 3, RMD_WAIT_FIRST_FAILURE, rmd_after_ms(1));
    RMD_ASSERT(i == RMD_ETIMEDOUT || (i >= 0 && i < 3 && rmdi_future_ended(s->futures[i])));
}

HARNESS(futures_are_waited_for_together)
{
    crew all = { 0 };
    several s;
    open_several(&s);
    crew_add(&all, run_pair, &s, "runs 1 and 2");
    crew_add(&all, run_thing, s.things[2], "runs 3");
    crew_add(&all, wait_for_any, &s, "waits for any");
    crew_add(&all, rmd_explore_choose(2) ? wait_for_all : wait_for_failure, &s, "waits");
    crew_join(&all);
    free_several(&s);
}

/* Of those that have ended before, no entry is added. */
static void select_one(void *arg)
{
    several *s = arg;
    rmd_waitable what[3];
    for (int i = 0; i < 3; i++)
        what[i] = rmd_future_waitable(s->futures[i]);
    int i = rmd_select(what, 3, rmd_explore_choose(2) ? RMD_FOREVER : rmd_after_ms(1));
    RMD_ASSERT(i == RMD_ETIMEDOUT || (i >= 0 && i < 3 && rmdi_future_ended(s->futures[i])));
}

HARNESS(future_is_selected_among_others)
{
    crew all = { 0 };
    several s;
    open_several(&s);
    crew_add(&all, run_pair, &s, "runs 1 and 2");
    crew_add(&all, select_one, &s, "selects");
    crew_add(&all, run_thing, s.things[2], "runs 3");
    select_one(&s);
    crew_join(&all);
    free_several(&s);
}

static void take_all(void *arg)
{
    several *s = arg;
    rmd_future *future;
    int err;
    while ((err = rmd_completions_next(s->ends, &future, RMD_FOREVER)) == 0) {
        RMD_ASSERT(rmdi_future_ended(future));
        rmd_atomic_add(&s->given, 1, RMD_RELAXED);
    }
    RMD_ASSERT(err == RMD_ENOENT);
}

/* Two take what ends, each once, and both end; one more comes while they do. */
HARNESS(completions_give_each_once)
{
    crew all = { 0 };
    several s;
    open_several(&s);
    RMD_ASSERT(rmd_completions_open(&s.ends, s.futures, 2) == 0);
    crew_add(&all, take_all, &s, "takes 1");
    crew_add(&all, take_all, &s, "takes 2");
    crew_add(&all, run_pair, &s, "runs 1 and 2");
    crew_add(&all, run_thing, s.things[2], "runs 3");
    RMD_ASSERT(rmd_completions_add(s.ends, s.futures[2]) == 0);
    crew_join(&all);
    take_all(&s);
    RMD_ASSERT(rmd_atomic_load(&s.given, RMD_RELAXED) == 3);
    RMD_ASSERT(rmd_completions_left(s.ends) == 0);
    rmd_completions_free(s.ends);
    free_several(&s);
}

/* Freed with some of them taken, some ended, some just ending, and some not. */
HARNESS(completions_are_freed_while_futures_end)
{
    crew all = { 0 };
    several s;
    rmd_future *future;
    open_several(&s);
    RMD_ASSERT(rmd_completions_open(&s.ends, s.futures, 3) == 0);
    crew_add(&all, run_pair, &s, "runs 1 and 2");
    crew_add(&all, run_thing, s.things[2], "runs 3");
    if (rmd_explore_choose(2)) {
        int err = rmd_completions_next(s.ends, &future, rmd_after_ms(1));
        RMD_ASSERT(err == RMD_ETIMEDOUT || (err == 0 && rmdi_future_ended(future)));
    }
    rmd_completions_free(s.ends);
    for (int i = 0; i < 3; i++)
        rmd_future_free(s.futures[i]);
    crew_join(&all);
    RMD_ASSERT(destroyed() == 3);
}
