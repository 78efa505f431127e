/* SPDX-License-Identifier: MIT */
#include "port/library.h"

#include <dlfcn.h>

/* Now, as what is missing is to be told here and not where it is first called; for this library
 * alone, so that two may have functions of the same names; never unloaded, as what it has added is
 * borrowed for ever. */
void *rmdi_library_load(const char *path, const char **why)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        *why = dlerror();
    return library;
}

void *rmdi_library_find(void *library, const char *name)
{
    return dlsym(library, name);
}
