/* SPDX-License-Identifier: MIT */
#include "exec/overlooked.h"

#include "base/alloc.h"

#include <string.h>

typedef struct rmdi_kept_failure {
    rmd_failure failure;
    char texts[]; /* name, detail */
} kept_failure;

void rmdi_overlooked_init(rmdi_overlooked *overlooked, rmd_future *(*future_of)(rmdi_link *link))
{
    rmdi_list_init(&overlooked->failed);
    overlooked->future_of = future_of;
}

void rmdi_overlooked_free(rmdi_overlooked *overlooked)
{
    for (unsigned i = 0; i < overlooked->kept_len; i++)
        rmdi_free(overlooked->kept[i]);
}

static kept_failure *copy_failure(const rmd_failure *failure)
{
    size_t name = strlen(failure->name) + 1, detail = strlen(failure->detail) + 1;
    kept_failure *copy = rmdi_alloc(sizeof *copy + name + detail);
    if (!copy)
        return NULL;
    copy->failure = *failure;
    copy->failure.name = memcpy(copy->texts, failure->name, name);
    copy->failure.detail = memcpy(copy->texts + name, failure->detail, detail);
    return copy;
}

void rmdi_overlooked_add(rmdi_overlooked *overlooked, rmdi_link *link)
{
    rmdi_lock_enter(&overlooked->lock);
    rmdi_list_append(&overlooked->failed, link);
    rmdi_lock_release(&overlooked->lock);
}

static bool was_seen(const rmd_future *future)
{
    return rmd_atomic_load(&future->word, RMD_RELAXED) & RMDI_FUTURE_SEEN;
}

static void keep_failure(rmdi_overlooked *overlooked, const rmd_future *future)
{
    rmd_failure failure;
    rmdi_future_describe(future, &failure);
    kept_failure *copy = NULL;
    if (overlooked->kept_len < RMDI_OVERLOOKED_MAX)
        copy = copy_failure(&failure);
    if (copy)
        overlooked->kept[overlooked->kept_len++] = copy;
    else
        overlooked->more++;
}

void rmdi_overlooked_remove(rmdi_overlooked *overlooked, rmdi_link *link)
{
    const rmd_future *future = overlooked->future_of(link);
    rmdi_lock_enter(&overlooked->lock);
    rmdi_list_remove(link);
    if (!was_seen(future))
        keep_failure(overlooked, future);
    rmdi_lock_release(&overlooked->lock);
}

/* Copies of all of them, so that fn is called without the lock; how many, at most as many as are
 * kept. *more are not among them. */
static size_t collect(rmdi_overlooked *overlooked, kept_failure **copies, uint64_t *more)
{
    size_t n = 0;
    rmdi_lock_enter(&overlooked->lock);
    *more = overlooked->more;
    for (unsigned i = 0; i < overlooked->kept_len; i++) {
        copies[n] = copy_failure(&overlooked->kept[i]->failure);
        n += copies[n] != NULL;
    }
    for (rmdi_link *l = overlooked->failed.next; l != &overlooked->failed; l = l->next) {
        rmd_future *future = overlooked->future_of(l);
        rmd_failure failure;
        if (was_seen(future) || !rmdi_future_ended(future))
            continue;
        rmdi_future_describe(future, &failure);
        kept_failure *copy = n < RMDI_OVERLOOKED_MAX ? copy_failure(&failure) : NULL;
        if (copy)
            copies[n++] = copy;
        else
            ++*more;
    }
    rmdi_lock_release(&overlooked->lock);
    return n;
}

void rmdi_overlooked_tell(rmdi_overlooked *overlooked,
                          void (*fn)(void *ctx, const rmd_failure *failure), void *ctx,
                          uint64_t *more)
{
    kept_failure *copies[RMDI_OVERLOOKED_MAX];
    uint64_t rest;
    size_t n = collect(overlooked, copies, &rest);
    for (size_t i = 0; i < n; i++) {
        fn(ctx, &copies[i]->failure);
        rmdi_free(copies[i]);
    }
    if (more)
        *more = rest;
}
