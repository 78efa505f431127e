/* SPDX-License-Identifier: MIT */
/* A promise is a future that nobody runs: whoever completes it claims it as a worker would. It lies
 * in one piece of memory with its future, which holds it, and which it holds. */
#include "base/alloc.h"
#include "base/error.h"
#include "data/bytes.h"
#include "exec/failure.h"
#include "exec/future.h"
#include "exec/own_value.h"
#include "port/forked.h"

#include <remuda/promise.h>
#include <stdarg.h>
#include <stdio.h>

struct rmd_promise {
    rmd_future future; /* first */
    uint64_t process;
    const char *name;
    const char *detail;
    const rmd_value *value; /* written before the end */
};

static rmd_promise *of(const rmd_future *future)
{
    return RMDI_CONTAINER(future, rmd_promise, future);
}

/* By whoever has claimed it. */
static void complete(rmd_promise *promise, rmd_outcome outcome, int error)
{
    if (rmdi_future_end(&promise->future, outcome, error))
        rmdi_future_call_back(&promise->future);
}

static uint64_t process(const rmd_future *future)
{
    return of(future)->process;
}

static int cancel(rmd_future *future)
{
    if (!rmdi_future_claim(future, false))
        return rmdi_fail(RMD_ETOOLATE, "promise %llu is being completed",
                         (unsigned long long)rmd_future_id(future));
    of(future)->detail = rmdi_failure_take("the promise was cancelled");
    complete(of(future), RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    return 0;
}

static bool call_later(rmd_future *future)
{
    (void)future;
    return false;
}

static const char *name_of(const rmd_future *future)
{
    return of(future)->name;
}

static void describe(const rmd_future *future, rmd_failure *failure)
{
    failure->detail = of(future)->detail ? of(future)->detail : "";
}

static int value_of(const rmd_future *future, const rmd_value **value)
{
    *value = of(future)->value;
    return 0;
}

static void destroy(rmd_future *future)
{
    rmd_promise *promise = of(future);
    if (promise->detail)
        rmdi_failure_free(promise->detail);
    rmd_value_free(promise->value);
    rmdi_free(promise);
}

static const rmdi_future_ops ops = {
    .process = process,
    .cancel = cancel,
    .call_later = call_later,
    .name = name_of,
    .describe = describe,
    .value = value_of,
    .destroy = destroy,
};

int rmd_promise_open(rmd_promise **promise, rmd_future **future, const char *name)
{
    if (!promise || !future)
        return rmdi_fail(RMD_EINVAL, "promise: places for it and for its future must be given");
    rmd_promise *p = rmdi_alloc_zeroed(sizeof *p);
    if (!p)
        return rmdi_fail_memory();
    p->process = rmdi_process_mark();
    if (!p->process) {
        rmdi_free(p);
        return rmdi_fail_memory();
    }
    rmdi_future_init(&p->future, &ops, rmdi_future_next_ids(1), 2, 0);
    p->name = name ? name : "promise";
    *promise = p;
    *future = &p->future;
    return 0;
}

static int check(const rmd_promise *promise)
{
    if (!promise)
        return rmdi_fail(RMD_EINVAL, "promise: none was given");
    if (!rmdi_process_is(promise->process))
        return rmdi_fail(RMD_EFORKED, "the promise belongs to the process that made it");
    return 0;
}

static int claim(rmd_promise *promise)
{
    if (rmdi_future_claim(&promise->future, false))
        return 0;
    return rmdi_fail(RMD_ETOOLATE, "promise %llu was completed, or cancelled",
                     (unsigned long long)rmd_future_id(&promise->future));
}

int rmd_promise_set_value(rmd_promise *promise, rmd_value value)
{
    const rmd_value *copy;
    int err = check(promise);
    if (err < 0)
        return err;
    err = rmdi_value_copy(&copy, &value);
    if (err < 0)
        return err;
    err = claim(promise);
    if (err < 0) {
        rmd_value_free(copy);
        return err;
    }
    promise->value = copy;
    complete(promise, RMD_OUTCOME_OK, 0);
    return 0;
}

int rmd_promise_fail(rmd_promise *promise, int code, const char *format, ...)
{
    char text[RMDI_ERROR_DETAIL_MAX];
    va_list arguments;
    int err = check(promise);
    if (err < 0)
        return err;
    if (code >= 0 || !format)
        return rmdi_fail(RMD_EINVAL, "promise: %d is no error code, or no text was given", code);
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    err = claim(promise);
    if (err < 0)
        return err;
    promise->detail = rmdi_failure_take(text);
    complete(promise, RMD_OUTCOME_FAILED, code);
    return 0;
}

bool rmd_promise_cancelled(const rmd_promise *promise)
{
    if (!promise)
        return false;
    uint32_t word = rmd_atomic_load(&promise->future.word, RMD_RELAXED);
    return rmdi_future_outcome_in(word) == RMD_OUTCOME_CANCELLED;
}

void rmd_promise_free(rmd_promise *promise)
{
    if (!promise)
        return;
    if (rmdi_process_is(promise->process) && rmdi_future_claim(&promise->future, false)) {
        promise->detail = rmdi_failure_take("its promise was freed without a value");
        complete(promise, RMD_OUTCOME_LOST, RMD_ELOST);
    }
    rmdi_future_drop(&promise->future);
}
