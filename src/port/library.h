/* SPDX-License-Identifier: MIT */
/* Shared libraries that are loaded into the running program. */
#ifndef RMDI_PORT_LIBRARY_H
#define RMDI_PORT_LIBRARY_H

/* Loads the library at this path, which has a '/', with all that it needs; it stays for good. Its
 * constructors run here. NULL: *why says in words what is wrong, on this thread, until the next
 * call. The same file again is the same handle. Blocks as long as reading it takes. */
void *rmdi_library_load(const char *path, const char **why);

/* Where the object of this name is, in that library or what it needs; NULL: there is none. */
void *rmdi_library_find(void *library, const char *name);

#endif
