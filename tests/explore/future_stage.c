/* SPDX-License-Identifier: MIT */
#include "future_stage.h"

#include "port/forked.h"
#include "sync/stop.h"

#include <stdlib.h>

static rmd_atomic(int) gone;

/* ---- a kind of future ---- */

thing *thing_of(const rmd_future *future)
{
    return RMDI_CONTAINER(future, thing, future);
}

static uint64_t process(const rmd_future *future)
{
    (void)future;
    return rmdi_process_mark();
}

void end_thing(thing *t, rmd_outcome outcome, int error)
{
    rmd_atomic_add(&t->ends, 1, RMD_RELAXED);
    if (rmdi_future_end(&t->future, outcome, error))
        rmdi_future_call_back(&t->future);
}

void fire(rmd_future *future)
{
    rmd_atomic_add(&thing_of(future)->told, 1, RMD_RELAXED);
    if (rmd_atomic_load(&future->word, RMD_ACQUIRE) & FRAMED)
        (void)rmd_stop_request(RMD_PLAIN(thing_of(future)->stop));
}

static int cancel(rmd_future *future)
{
    if (rmdi_future_claim(future, true)) {
        end_thing(thing_of(future), RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
        return 0;
    }
    return rmdi_future_tell(future, false, fire) ? 0 : RMD_ETOOLATE;
}

static bool call_later(rmd_future *future)
{
    (void)future;
    return false;
}

static void *ctx_of(const rmd_future *future)
{
    return thing_of(future)->ctx;
}

static const char *name_of(const rmd_future *future)
{
    (void)future;
    return "thing";
}

static void describe(const rmd_future *future, rmd_failure *failure)
{
    failure->attempt = (unsigned)rmd_atomic_load(&thing_of(future)->begun, RMD_RELAXED);
}

static void destroy(rmd_future *future)
{
    RMD_ASSERT(rmdi_future_ended(future));
    rmd_atomic_add(&gone, 1, RMD_RELAXED);
    free(thing_of(future));
}

static const rmdi_future_ops ops = {
    .process = process,
    .cancel = cancel,
    .call_later = call_later,
    .ctx = ctx_of,
    .name = name_of,
    .describe = describe,
    .destroy = destroy,
};

/* ---- its life ---- */

thing *new_thing_with(uint32_t flags)
{
    thing *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    rmdi_future_init(&t->future, &ops, rmdi_future_next_ids(1), 2, flags);
    rmd_atomic_init(&gone, 0);
    return t;
}

thing *new_thing(void)
{
    thing *t = new_thing_with(0);
    RMD_ASSERT(t != NULL);
    return t;
}

/* Until it is told to stop, or not. */
static void run_claimed(thing *t)
{
    rmd_stop stop = { 0 };
    rmd_atomic_add(&t->begun, 1, RMD_RELAXED);
    RMD_PLAIN_SET(t->stop, &stop);
    uint32_t word = rmd_atomic_or(&t->future.word, FRAMED, RMD_ACQ_REL);
    if (word & (RMDI_FUTURE_CANCEL | RMDI_FUTURE_LATE))
        (void)rmd_stop_request(&stop);
    RMD_PLAIN_SET(t->result, 5);
    bool stopped = rmd_stop_requested(&stop);
    end_thing(t, stopped ? RMD_OUTCOME_CANCELLED : RMD_OUTCOME_FAILED,
              stopped ? RMD_ECANCELED : cause);
}

void run_thing(void *arg)
{
    thing *t = arg;
    if (rmdi_future_claim(&t->future, false))
        run_claimed(t);
    rmdi_future_drop(&t->future);
}

void check_ended(thing *t)
{
    int error = rmd_future_error(&t->future);
    RMD_ASSERT(rmd_atomic_load(&t->ends, RMD_RELAXED) == 1);
    RMD_ASSERT(error == cause || error == RMD_ECANCELED);
    RMD_ASSERT(rmd_future_state(&t->future) == RMD_STATE_ENDED);
    RMD_ASSERT((error == cause) == (rmd_future_outcome(&t->future) == RMD_OUTCOME_FAILED));
    RMD_ASSERT(RMD_PLAIN(t->result) == (rmd_atomic_load(&t->begun, RMD_RELAXED) ? 5 : 0));
}

int destroyed(void)
{
    return rmd_atomic_load(&gone, RMD_RELAXED);
}

void free_thing(thing *t)
{
    check_ended(t);
    rmd_future_free(&t->future);
    RMD_ASSERT(destroyed() == 1);
}

void wait_for_it(void *arg)
{
    thing *t = arg;
    RMD_ASSERT(rmd_future_wait(&t->future, RMD_FOREVER) == 0);
    check_ended(t);
}

void cancel_it(void *arg)
{
    thing *t = arg;
    int err = rmd_future_cancel(&t->future);
    RMD_ASSERT(err == 0 || err == RMD_ETOOLATE);
    if (err < 0)
        check_ended(t);
}
