/* SPDX-License-Identifier: MIT */
/* Ctrl-C and its like, for verbs that wait on the main thread: the first INT, TERM or HUP fires the
 * thread's stop token, the second leaves at once, with the status that belongs to it. One that was
 * ignored when the program began still is. Ctrl-Z stops the workers, too. */
#ifndef RMDI_CLI_INTERRUPTS_H
#define RMDI_CLI_INTERRUPTS_H

#include <remuda/atomics.h>
#include <remuda/pool.h>
#include <remuda/signals.h>
#include <remuda/stop.h>
#include <remuda/thread.h>

typedef struct rmdi_interrupts {
    const char *verb;
    rmd_pool *pool;
    rmd_signals *signals;
    rmd_thread *thread; /* that waits for them */
    rmd_stop *stop, *before;
    rmd_atomic(int) signal; /* the first that came; 0: none so far */
} rmdi_interrupts;

/* From now on, on the calling thread, which gets a stop token of its own. verb and pool are
 * borrowed until the end. RMD_ENOMEM, RMD_EMFILE, RMD_EAGAIN. */
int rmdi_interrupts_begin(rmdi_interrupts *interrupts, const char *verb, rmd_pool *pool);

/* The same thread: signals have their own actions again. Returns the first that came, or 0. */
int rmdi_interrupts_end(rmdi_interrupts *interrupts);

#endif
