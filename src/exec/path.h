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

/* The last answer, for tasks that all run the same program: looking through PATH costs
 * several system calls. Zeroed is empty. As with a shell's own memory of this kind, a
 * program that appears earlier in PATH later on is not noticed. Where PATH has a relative
 * directory nothing is remembered. */
typedef struct rmdi_path_cache {
    char *name, *path;
    char *found;
} rmdi_path_cache;

/* As rmdi_path_find; without memory it just does not remember. */
int rmdi_path_find_again(rmdi_path_cache *cache, const char *name, const char *path,
                         const char *dir, char *found);

/* The answer has turned out wrong, or the cache goes. */
void rmdi_path_forget(rmdi_path_cache *cache);

#endif
