/* SPDX-License-Identifier: MIT */
/* The cheapest clock there is, in a unit of its own: for many time stamps of which few are ever
 * looked at. What it is worth is found then, by comparing with the system's clock at two moments.
 *
 * On x86 the time stamp counter, if the processor says that it runs evenly whatever the processor
 * does (invariant): about 8 ns, where the system's clock takes 20 to 30. Elsewhere the system's
 * clock itself, in nanoseconds. */
#ifndef RMDI_PORT_TICK_H
#define RMDI_PORT_TICK_H

#include <stdbool.h>
#include <stdint.h>

/* To be called once before the other: finds out which clock it is. Again is fine. */
void rmdi_tick_prepare(void);

/* Any thread, and any signal handler. Of two calls on different processors the later one may be
 * smaller by some tens of nanoseconds. */
uint64_t rmdi_tick(void);

/* Is it the counter of the processor? */
bool rmdi_tick_is_counter(void);

#endif
