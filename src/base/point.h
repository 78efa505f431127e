/* SPDX-License-Identifier: MIT */
/* Named places in the code where a test may step in, to kill the process there or to make it
 * wait. Without a test it is a load and a branch. */
#ifndef RMDI_BASE_POINT_H
#define RMDI_BASE_POINT_H

/* Set by a test before anything starts; called on whatever thread gets there. */
extern void (*rmdi_point_hook)(const char *name);

static inline void rmdi_point(const char *name)
{
    if (__builtin_expect(rmdi_point_hook != 0, 0))
        rmdi_point_hook(name);
}

#endif
