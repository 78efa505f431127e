/* SPDX-License-Identifier: MIT */
/* The failures of a pool that nobody has looked at: of tasks that are there, and of some that are
 * gone. */
#ifndef RMDI_EXEC_OVERLOOKED_H
#define RMDI_EXEC_OVERLOOKED_H

#include "base/list.h"
#include "exec/future.h"
#include "sync/lock.h"

enum { RMDI_OVERLOOKED_MAX = 64 };

typedef struct rmdi_overlooked {
    rmdi_lock lock;
    /* guarded by it: */
    rmdi_link failed; /* tasks that have failed, without a group */
    struct rmdi_kept_failure *kept[RMDI_OVERLOOKED_MAX];
    unsigned kept_len;
    uint64_t more;
    rmd_future *(*future_of)(rmdi_link *link); /* constant */
} rmdi_overlooked;

void rmdi_overlooked_init(rmdi_overlooked *overlooked, rmd_future *(*future_of)(rmdi_link *link));
void rmdi_overlooked_free(rmdi_overlooked *overlooked);

/* A task fails: its end may not have been published yet. */
void rmdi_overlooked_add(rmdi_overlooked *overlooked, rmdi_link *link);
/* Its memory goes. */
void rmdi_overlooked_remove(rmdi_overlooked *overlooked, rmdi_link *link);

/* As rmd_pool_overlooked(). */
void rmdi_overlooked_tell(rmdi_overlooked *overlooked,
                          void (*fn)(void *ctx, const rmd_failure *failure), void *ctx,
                          uint64_t *more);

#endif
