/* SPDX-License-Identifier: MIT */
/* Named places in the life of a worker process, at which a test may end it. In the library there is
 * nothing at them: tests/chaos compiles these sources once more, with RMDI_PLACES. */
#ifndef RMDI_EXEC_PLACE_H
#define RMDI_EXEC_PLACE_H

#ifdef RMDI_PLACES
void rmdi_place(const char *name);
#define RMDI_PLACE(name) rmdi_place(name)
#else
#define RMDI_PLACE(name) ((void)0)
#endif

#endif
