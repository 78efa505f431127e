/* SPDX-License-Identifier: MIT */
/* Handlers of signals, with what was there before. */
#ifndef RMDI_PORT_CATCH_H
#define RMDI_PORT_CATCH_H

#include <stdint.h>

/* fn(signal, address) is called in the handler, and then the signal goes its way: one that ends the
 * program (fatal) to what was installed before, as if this had never been; another one to the
 * handler that was there, if it was a function, and the program goes on. address: of a fault; 0: it
 * was sent by somebody. fn leaves errno alone or not: it is restored. 0 or an errno value (EBUSY:
 * the signal is caught already). One thread at a time. */
typedef void rmdi_catch_fn(int signal, uintptr_t address);
int rmdi_catch(int signal, rmdi_catch_fn *fn, int fatal);

/* Is there a handler to which a caught signal goes, or is it ignored? Else it ends the program. */
int rmdi_catch_has_before(int signal);

/* Gives it back, unless it is not caught, or another handler was installed since. */
void rmdi_catch_end(int signal);

#endif
