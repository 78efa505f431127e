/* SPDX-License-Identifier: MIT */
/* Finding a program by its name. */
#ifndef RMDI_EXEC_PATH_H
#define RMDI_EXEC_PATH_H

#include <stddef.h>

/* Writes the file to execute for `name` into found (PATH_MAX bytes): the name itself when
 * it has a slash, else the first executable file in the directories of `path` (NULL:
 * the system's default). dir, which may be NULL, is where the program will run: relative
 * directories of `path` start there, and so does what is found. RMD_ENOENT or RMD_EACCES
 * with a detail that names the program. Blocks on the disk. Source of the rules: POSIX,
 * execvp. */
int rmdi_path_find(const char *name, const char *path, const char *dir, char *found);

#endif
