/* SPDX-License-Identifier: MIT */
/* What other floors need of a loop beyond <remuda/loop.h>. */
#ifndef RMDI_LOOP_LOOP_H
#define RMDI_LOOP_LOOP_H

#include "base/list.h"

#include <remuda/loop.h>

/* A post that needs no memory when it is sent: it lies in its owner and may be sent
 * again once it has started to run. Zero it, set fn and ctx, init the link. */
typedef struct rmdi_post {
    rmdi_link link;
    void (*fn)(void *ctx);
    void *ctx;
    bool queued; /* guarded by the loop's lock */
} rmdi_post;

void rmdi_post_init(rmdi_post *post, void (*fn)(void *ctx), void *ctx);

/* As rmd_loop_post; when it is queued already, nothing happens. Any thread. */
void rmdi_loop_send(rmd_loop *loop, rmdi_post *post);

/* Takes it back if it has not started to run. On the loop's thread. */
void rmdi_loop_unsend(rmd_loop *loop, rmdi_post *post);

/* rmd_loop_child in two steps, for a child that is about to be started: the first takes the
 * memory, the second takes the pidfd over, also when it fails (the kernel has no memory or
 * no place for one more watch: RMD_ENOMEM, RMD_ENOSPC). */
int rmdi_loop_child_reserve(rmd_loop *loop, rmd_source **source, rmd_source_fn *fn, void *ctx);
int rmdi_source_follow(rmd_source *source, int pidfd);

/* Is the calling thread inside one of the loop's turns, that is, in a callback? */
bool rmdi_loop_is_here(rmd_loop *loop);

/* Is the calling thread the one that opened the loop or turned it last? */
bool rmdi_loop_is_mine(rmd_loop *loop);

/* Opens the one timer that rmdi_loop_watch_later needs, if it is not there yet, so that it does
 * not lack a descriptor for it. RMD_EMFILE, RMD_ENOMEM. */
int rmdi_loop_ready_later(rmd_loop *loop);

/* As rmd_loop_watch, but the descriptor is watched only after a pause (2 to 4 ms): for one that
 * most often has done its work before, so that neither its registration nor its hang-up
 * costs anything. Not for regular files. */
int rmdi_loop_watch_later(rmd_loop *loop, rmd_source **source, int fd, unsigned events,
                          rmd_source_fn *fn, void *ctx);

#endif
