/* SPDX-License-Identifier: MIT */
#include "exec/guard_watch.h"

#include "exec/guard.h"

static void on_guard_end(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_guard_watch *watch = ctx;
    (void)events;
    rmd_source_free(source);
    watch->source = NULL;
    (void)rmdi_guard_watch_ensure(watch); /* if that fails, the next start tries again */
}

static int follow(rmdi_guard_watch *watch)
{
    pid_t pid = rmdi_guard_pid();
    int err = rmd_loop_child(watch->loop, &watch->source, pid, on_guard_end, watch);
    watch->pid = err == 0 ? pid : 0;
    if (err == 0)
        rmd_source_set_background(watch->source, true);
    return err;
}

int rmdi_guard_watch_open(rmdi_guard_watch *watch, rmd_loop *loop)
{
    *watch = (rmdi_guard_watch){ .loop = loop };
    return follow(watch);
}

int rmdi_guard_watch_ensure(rmdi_guard_watch *watch)
{
    if (watch->source)
        return 0;
    int err = rmdi_guard_revive(watch->pid);
    return err < 0 ? err : follow(watch);
}

void rmdi_guard_watch_close(rmdi_guard_watch *watch)
{
    rmd_source_free(watch->source);
    watch->source = NULL;
}
