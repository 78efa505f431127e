/* SPDX-License-Identifier: MIT */
#include "port/membarrier.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static long call(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

bool rmdi_membarrier_register(void)
{
    int before = errno;
    bool can = call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
    errno = before;
    return can;
}

/* A process that has registered cannot fail here; a child made by fork() registers anew if the
 * kernel has not kept it for the child. */
void rmdi_membarrier(void)
{
    int before = errno;
    if (call(MEMBARRIER_CMD_PRIVATE_EXPEDITED) < 0 && rmdi_membarrier_register())
        call(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    errno = before;
}
