/* SPDX-License-Identifier: MIT */
/* Executing what stands at a path, as a shell would. */
#ifndef RMDI_EXEC_PROGRAM_H
#define RMDI_EXEC_PROGRAM_H

#include "port/spawn.h"

/* rmdi_spawn_program(), and a text file without "#!" is run by the shell. 0; RMD_ENOENT,
 * RMD_EACCES, RMD_EEXEC and others with a detail that names the program, or the directory if that
 * is what is wrong. */
int rmdi_program_start(const rmdi_spawn *spawn, rmdi_spawned *child);

#endif
