/* SPDX-License-Identifier: MIT */
#include "job/liveness.h"

#include "port/fd.h"
#include "port/procfs.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

void rmdi_boot_id(char *text, size_t size)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    rmdi_fd_close(&fd);
}

bool rmdi_run_is_alive(const rmd_journal_run *run)
{
    char host[HOST_NAME_MAX + 1] = "", boot[64];
    bool zombie = false;
    if (run->ended_ns || run->pid <= 0)
        return false;
    gethostname(host, sizeof host - 1);
    rmdi_boot_id(boot, sizeof boot);
    return strcmp(host, run->host) == 0 && strcmp(boot, run->boot) == 0 &&
           rmdi_procfs_group(run->pid, &zombie) >= 0 && !zombie;
}
