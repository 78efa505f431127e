/* SPDX-License-Identifier: MIT */
/* What the harnesses of futures have in common: a thing, which is a future of a kind that does no
 * more than it must. It fails with `cause`, unless it is told to stop. */
#ifndef FUTURE_STAGE_H
#define FUTURE_STAGE_H

#include "crew.h"
#include "exec/future.h"

#include <remuda.h>

static const int cause = -1001;

/* A mark in the word: the frame is known, and with it `stop`. */
enum { FRAMED = 1 << 12 };

typedef struct thing {
    rmd_future future; /* first */
    rmd_stop *stop;    /* of whoever runs it, on its stack */
    void *ctx;
    int result; /* written by it, nothing but its end guards it */
    rmd_atomic(int) begun, ends, told;
} thing;

thing *new_thing(void);
thing *new_thing_with(uint32_t flags); /* of its word; NULL: no memory */
void free_thing(thing *t);             /* the only one, and the last reference */
thing *thing_of(const rmd_future *future);
int destroyed(void); /* how many, since the last was made */

void end_thing(thing *t, rmd_outcome outcome, int error);
void check_ended(thing *t);
void fire(rmd_future *future);

/* ---- what threads do with it ---- */

void run_thing(void *t); /* a worker, who has the pool's reference */
void wait_for_it(void *t);
void cancel_it(void *t);

#endif
