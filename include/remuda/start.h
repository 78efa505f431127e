/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Letting the program itself serve as Remuda's helper processes. */
#ifndef REMUDA_START_H
#define REMUDA_START_H

#include <remuda/api.h>

RMD_BEGIN

/* Call it first in main(), before threads are started. In an ordinary start it only
 * notes that it was called and returns 0. When Remuda itself has started the program
 * anew as a helper process, it does that work and never returns: as the guard, which ends programs
 * and workers whose owner was killed, or as the template of which the workers of a processes pool
 * are forked (pool.h); so functions that they are to have are added before, or come from
 * plug-ins (plugin.h). It starts nothing itself.
 *
 * When the variable REMUDA_RECORD of the environment names a path it calls rmd_recorder_on() with
 * that, SIGUSR2 and crash, here and in the template, so for workers, too; %p in it is the number of
 * the process, and with a path without it those write to the path with .PID behind it (recorder.h).
 * A program with more rights than who started it (set-user-ID, say) does not look at it, nor at
 * REMUDA_GUARD.
 *
 * A program that cannot call it needs the installed helper `remuda-guard`; when neither
 * is there, opening a programs pool fails with RMD_EGUARD. For a processes pool it names another
 * program as its worker (rmd_pool_options.program). argc and argv are borrowed for the call and
 * left as they are. Errors: those of rmd_recorder_on(), if REMUDA_RECORD is set; all else is done
 * then, and who does not care need not look. Never blocks. */
RMD_API int rmd_start(int *argc, char ***argv);

RMD_END

#endif
