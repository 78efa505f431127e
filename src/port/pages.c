/* SPDX-License-Identifier: MIT */
#include "port/pages.h"

#include <errno.h>
#include <sys/mman.h>

void *rmdi_pages_get(size_t bytes)
{
    int before = errno;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = before;
    return p == MAP_FAILED ? NULL : p;
}

void rmdi_pages_give(void *pages, size_t bytes)
{
    int before = errno;
    munmap(pages, bytes);
    errno = before;
}
