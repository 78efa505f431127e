/* SPDX-License-Identifier: MIT */
#include "port/memory.h"

#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Beyond RLIMIT_FSIZE ftruncate() has the kernel send a signal that ends the process. */
static bool is_too_large(size_t bytes)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           bytes > limit.rlim_cur;
}

int rmdi_memory_open(const char *name, size_t bytes, int *fd)
{
    *fd = -1;
    if (is_too_large(bytes))
        return EFBIG;
    *fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return errno;
    /* Whoever maps it could otherwise be killed by SIGBUS when another one shrinks it. */
    if (ftruncate(*fd, (off_t)bytes) < 0 ||
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        int err = errno;
        rmdi_fd_close(fd);
        return err;
    }
    return 0;
}

int rmdi_memory_map(int fd, size_t bytes, bool read_only, void **memory)
{
    void *p = mmap(NULL, bytes, read_only ? PROT_READ : PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (p == MAP_FAILED)
        return errno;
    *memory = p;
    return 0;
}

void rmdi_memory_unmap(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}
