/* SPDX-License-Identifier: MIT */
/* Context: goes along with the work, and is freed by whoever comes last. */
#include "crew.h"

#include <remuda.h>

static const rmd_context_key name = { "name" }, size = { "size" }, other = { "other" };

typedef struct work {
    rmd_context *context;
    int *expected;
} work;

static void work_under_it(void *arg)
{
    work *w = arg;
    int mine = 0;
    RMD_WITH_CONTEXT (&other, &mine) {
        RMD_WITH_CONTEXT_OF (w->context) {
            RMD_ASSERT(rmd_context_get(&name) == w->expected && rmd_context_get(&size) == w);
            RMD_ASSERT(!rmd_context_get(&other));
            RMD_WITH_CONTEXT (&name, &mine)
                RMD_ASSERT(rmd_context_get(&name) == &mine);
        }
        RMD_ASSERT(!rmd_context_get(&name) && rmd_context_get(&other) == &mine);
    }
}

HARNESS(context_goes_along_with_the_work)
{
    int value = 0;
    work w = { .expected = &value };
    crew crew = { 0 };
    RMD_WITH_CONTEXT (&size, &w)
        RMD_WITH_CONTEXT (&name, &value)
            RMD_ASSERT(rmd_context_capture(&w.context) == 0);
    for (int i = 0; i < 3; i++)
        crew_add(&crew, work_under_it, &w, "worker");
    crew_join(&crew);
    RMD_ASSERT(rmd_context_free(w.context) == 0);
}

typedef struct stay {
    rmd_context *context;
    rmd_event *entered;
} stay;

static void stay_for_a_while(void *arg)
{
    stay *s = arg;
    RMD_WITH_CONTEXT_OF (s->context) {
        RMD_ASSERT(rmd_event_set(s->entered) == 0);
        RMD_ASSERT(rmd_context_get(&name) == s);
    }
}

HARNESS(context_is_busy_until_it_was_left)
{
    stay s;
    crew crew = { 0 };
    int err;
    RMD_ASSERT(rmd_event_open(&s.entered) == 0);
    RMD_WITH_CONTEXT (&name, &s)
        RMD_ASSERT(rmd_context_capture(&s.context) == 0);
    crew_add(&crew, stay_for_a_while, &s, "guest");
    RMD_ASSERT(rmd_event_wait(s.entered, RMD_FOREVER) == 0);
    while ((err = rmd_context_free(s.context)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0);
    crew_join(&crew);
    RMD_ASSERT(rmd_event_free(s.entered) == 0);
}
