/* SPDX-License-Identifier: MIT */
/* A heap of timers, the earliest on top. */
#ifndef RMDI_LOOP_TIMERS_H
#define RMDI_LOOP_TIMERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct rmdi_timer {
    int64_t due_ns;
    size_t place; /* index in the heap + 1; 0: not armed */
} rmdi_timer;

typedef struct rmdi_timers {
    rmdi_timer **heap;
    size_t used, capacity;
} rmdi_timers;

/* Makes room for one more timer, so that arming cannot fail. RMD_ENOMEM. */
int rmdi_timers_reserve(rmdi_timers *timers, size_t count);
void rmdi_timers_arm(rmdi_timers *timers, rmdi_timer *timer, int64_t due_ns);
void rmdi_timers_disarm(rmdi_timers *timers, rmdi_timer *timer);
rmdi_timer *rmdi_timers_first(const rmdi_timers *timers); /* NULL: none */
void rmdi_timers_free(rmdi_timers *timers);

#endif
