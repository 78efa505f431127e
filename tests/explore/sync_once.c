/* SPDX-License-Identifier: MIT */
/* The once: one at a time, one successful, everybody sees it; nobody is left waiting by a failure,
 * a deadline or a stop. */
#include "crew.h"
#include "sync/once.h"

#include <remuda.h>

RMD_STATIC rmd_once once = RMD_ONCE;
RMD_STATIC int made, runs, failures_left;

static int make(void *arg)
{
    RMD_PLAIN_SET(runs, RMD_PLAIN(runs) + 1); /* a race if two ran it at once */
    if (arg)
        RMD_ASSERT(rmd_once_call(&once, make, NULL, RMD_FOREVER) == RMD_EDEADLK);
    if (RMD_PLAIN(failures_left) > 0) {
        RMD_PLAIN_SET(failures_left, RMD_PLAIN(failures_left) - 1);
        return RMD_EIO;
    }
    RMD_PLAIN_SET(made, 9);
    return 3;
}

typedef struct caller {
    rmd_stop *stop;
    int64_t patience_ms; /* 0: for ever; < 0: not at all */
    bool again;          /* until it does not fail */
    int result, failed;
} caller;

static void call(void *arg)
{
    caller *c = arg;
    rmd_stop *before = rmd_stop_set(c->stop);
    do {
        c->result = rmd_once_call(&once, make, NULL,
                                  c->patience_ms < 0 ? RMD_NOW
                                  : c->patience_ms   ? rmd_after_ms(c->patience_ms)
                                                     : RMD_FOREVER);
        c->failed += c->result == RMD_EIO;
    } while (c->again && c->result == RMD_EIO);
    if (c->result == 0)
        RMD_ASSERT(RMD_PLAIN(made) == 9);
    rmd_stop_set(before);
}

static void stop_it(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

HARNESS(once_is_done_once_and_all_see_it)
{
    caller callers[3] = { { .result = 1 }, { .result = 1 }, { .result = 1 } };
    crew crew = { 0 };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, call, &callers[i], "caller");
    crew_join(&crew);
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(callers[i].result == 0);
    RMD_ASSERT(runs == 1 && rmd_once_is_done(&once));
}

/* Whoever fails wakes one who tries in its turn; nobody has a deadline. */
HARNESS(once_that_fails_is_tried_by_the_next)
{
    caller callers[4];
    crew crew = { 0 };
    failures_left = 2;
    for (int i = 0; i < 4; i++) {
        callers[i] = (caller){ 0 };
        crew_add(&crew, call, &callers[i], "caller");
    }
    crew_join(&crew);
    int failed = 0;
    for (int i = 0; i < 4; i++) {
        RMD_ASSERT(callers[i].result == 0 || callers[i].result == RMD_EIO);
        failed += callers[i].failed;
    }
    RMD_ASSERT(failed == 2 && runs == 3);
}

HARNESS(once_with_failures_deadline_and_stop)
{
    rmd_stop *stop;
    crew crew = { 0 };
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    caller callers[4] = { { .again = true },
                          { .patience_ms = 1, .again = true },
                          { .stop = stop },
                          { .patience_ms = -1 } };
    failures_left = 2;
    for (int i = 0; i < 4; i++)
        crew_add(&crew, call, &callers[i], "caller");
    crew_add(&crew, stop_it, stop, "stopper");
    crew_join(&crew);
    int failed = 0;
    for (int i = 0; i < 4; i++) {
        int r = callers[i].result;
        RMD_ASSERT(r == 0 || r == RMD_EIO || (r == RMD_ETIMEDOUT && callers[i].patience_ms) ||
                   (r == RMD_ECANCELED && callers[i].stop));
        failed += callers[i].failed;
    }
    RMD_ASSERT(callers[0].result == 0 && failed == 2 && runs == 3);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
}

static void call_within(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_once_call(&once, make, &once, RMD_FOREVER) == 0);
}

static void call_without(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_once_call(&once, make, NULL, RMD_FOREVER) == 0);
}

HARNESS(once_called_by_its_own_function)
{
    crew crew = { 0 };
    crew_add(&crew, call_within, NULL, "within");
    crew_add(&crew, call_within, NULL, "within");
    crew_add(&crew, call_without, NULL, "without");
    crew_join(&crew);
    RMD_ASSERT(runs == 1 && made == 9);
}
