/* SPDX-License-Identifier: MIT */
/* The inside of an event: see <remuda/event.h>. rmdi_event is embedded where others need one;
 * zeroed is not set. */
#ifndef RMDI_SYNC_EVENT_H
#define RMDI_SYNC_EVENT_H

#include "sync/waiter.h"

#include <remuda/event.h>

typedef struct rmdi_event {
    rmd_atomic(uint32_t) is_set; /* set with the list entered */
    rmdi_wait_list waits;
} rmdi_event;

struct rmd_event {
    rmdi_event event;
};

/* As the public ones, without a detail. */
void rmdi_event_set(rmdi_event *event);
void rmdi_event_clear(rmdi_event *event);
bool rmdi_event_is_set(const rmdi_event *event);
int rmdi_event_wait(rmdi_event *event, rmd_deadline deadline) RMD_NODISCARD;

/* Puts the waiter's entry into its list, unless the event is set (false). */
bool rmdi_event_add(rmdi_event *event, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index);

/* Is it waited for? For whoever is about to free its memory: when it returns, nobody who has set
 * it uses it any more. */
bool rmdi_event_busy(rmdi_event *event);

#endif
