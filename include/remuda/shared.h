/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Shared memory: large data that tasks work on where it lies, on threads and in worker processes
 * alike. What is passed to a task is a few bytes that name a part of it.
 *
 *     rmd_shared *shared;
 *     err = rmd_shared_open(&shared, 1 << 30);
 *     rmd_pool_options options = { .size = sizeof options, .shared = shared };
 *     err = rmd_pool_open(&pool, "processes:4", &options, RMD_FOREVER);
 *
 *     rmd_shared_part part;
 *     err = rmd_shared_take(shared, rows * sizeof(double), &part);
 *     fill(part.data);
 *     err = rmd_pool_call(pool, &future, "sum", RMD_ARGS(rmd_shared_value(&part)), NULL);
 *
 * and in the body
 *
 *     void *data;
 *     size_t len;
 *     err = rmd_call_shared(call, 0, &data, &len);       nothing is copied
 *
 * Nobody keeps tasks from working on the same part at once, nor a task that runs wild from writing
 * anywhere in it: it is for data, and what a result is worth is for its reader to judge. Any thread
 * may call these. */
#ifndef REMUDA_SHARED_H
#define REMUDA_SHARED_H

#include <remuda/api.h>
#include <remuda/call.h>
#include <remuda/value.h>

RMD_BEGIN

typedef struct rmd_shared rmd_shared;

/* Some of it. May be copied; the fields are to be read only. */
typedef struct rmd_shared_part {
    void *data;        /* in this process */
    size_t len;        /* bytes */
    rmd_value content; /* Remuda's */
    unsigned char name[32];
} rmd_shared_part;

/* Opens shared memory of up to bytes_max. What was never written takes none; it is zeroed. It is
 * given to pools by rmd_pool_options.shared, to as many as you like, when they are opened. Errors:
 * RMD_EINVAL (0), RMD_ENOMEM, RMD_EMFILE, RMD_ENOSPC (more than RLIMIT_FSIZE). Never blocks. */
RMD_API int rmd_shared_open(rmd_shared **shared, size_t bytes_max) RMD_NODISCARD;

/* Errors: RMD_EBUSY, as long as a pool has it that is not freed. All parts are gone then; in a
 * forked child those of the child only. NULL is fine. Never blocks. */
RMD_API int rmd_shared_free(rmd_shared *shared);

/* Takes a part of so many bytes, at an address that is a multiple of 64; what it holds is as its
 * last user has left it. *part is filled. Errors: RMD_EINVAL (0 bytes), RMD_EFULL (nowhere are so
 * many in a row), RMD_ENOMEM, RMD_EFORKED. Never blocks. */
RMD_API int rmd_shared_take(rmd_shared *shared, size_t bytes, rmd_shared_part *part) RMD_NODISCARD;

/* Gives back a part that was taken; its slices go with it, and nobody must use it any more. NULL is
 * fine. Errors: RMD_ENOENT: it is none, or a slice; RMD_EFORKED. Never blocks. */
RMD_API int rmd_shared_give(rmd_shared *shared, const rmd_shared_part *part);

/* *slice becomes len bytes of the part from the offset. RMD_EINVAL: they are not within it. Never
 * blocks. */
RMD_API int rmd_shared_slice(const rmd_shared_part *part, size_t offset, size_t len,
                             rmd_shared_part *slice);

/* The value that names the part, for arguments: a reference (value.h). Borrows the part, and writes
 * to it: of two threads each needs a copy of its own. */
RMD_API rmd_value rmd_shared_value(rmd_shared_part *part);

/* In a body: where the part lies that the argument at this place names, and how many bytes it has.
 * Errors: as rmd_call_get(), RMD_EINVAL also when it is no part; RMD_ENOENT when it names nothing
 * that this process shares. Never blocks. */
RMD_API int rmd_call_shared(rmd_call *call, size_t index, void **data, size_t *len);

RMD_END

#endif
