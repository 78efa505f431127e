/* SPDX-License-Identifier: MIT */
#include "exec/clearing.h"

#include "base/alloc.h"
#include "exec/guard.h"
#include "exec/stray.h"

/* Looking without descriptors is given up after about a second. */
enum { PAUSE_MS = 10, ROUNDS_MAX = 100 };

typedef struct rmdi_stray_watch {
    rmdi_clearing *clearing;
    rmd_source *source;
    struct rmdi_stray_watch *next;
} rmdi_stray_watch;

static void look(rmdi_clearing *clearing);

static void on_stray_end(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_clearing *clearing = ctx;
    (void)source;
    (void)events;
    if (--clearing->strays == 0)
        look(clearing);
}

static void watch_stray(void *ctx, pid_t pid)
{
    rmdi_clearing *clearing = ctx;
    rmdi_stray_watch *watch = pid == clearing->leader ? NULL : rmdi_alloc_zeroed(sizeof *watch);
    /* Without memory, or when it has gone meanwhile, it is just not waited for: it has
     * been sent its SIGKILL. */
    if (!watch || rmd_loop_child(clearing->loop, &watch->source, pid, on_stray_end, clearing) < 0) {
        rmdi_free(watch);
        return;
    }
    watch->next = clearing->watches;
    clearing->watches = watch;
    clearing->strays++;
}

static void free_watches(rmdi_clearing *clearing)
{
    while (clearing->watches) {
        rmdi_stray_watch *watch = clearing->watches;
        clearing->watches = watch->next;
        rmd_source_free(watch->source);
        rmdi_free(watch);
    }
}

static void on_timer(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    look(ctx);
}

/* False when there is no memory for it. */
static bool set_timer(rmdi_clearing *clearing, rmd_deadline due)
{
    if (clearing->timer)
        return rmd_source_set_due(clearing->timer, due) == 0;
    return rmd_loop_timer(clearing->loop, &clearing->timer, due, 0, on_timer, clearing) == 0;
}

/* Looks for what is left and waits for its end, until nothing is. What was killed but cannot
 * be watched is looked for again a little later; and so it is, for a while, when there was
 * no descriptor to look with. */
static void look(rmdi_clearing *clearing)
{
    rmdi_stray_search search = { .instance = rmdi_guard_instance(),
                                 .number = clearing->number,
                                 .group = clearing->group(clearing->ctx),
                                 .found = watch_stray,
                                 .ctx = clearing };
    free_watches(clearing);
    clearing->strays = 0;
    unsigned killed = rmdi_strays_kill(&search);
    if (clearing->strays)
        return;
    bool again = killed || (search.incomplete && ++clearing->rounds < ROUNDS_MAX);
    if (again && set_timer(clearing, rmd_after_ms(PAUSE_MS)))
        return;
    rmd_source_free(clearing->timer);
    clearing->done(clearing->ctx);
}

void rmdi_clearing_begin(rmdi_clearing *clearing)
{
    look(clearing);
}
