/* SPDX-License-Identifier: MIT */
#include "cli/map_bad.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

enum { WAITING_MAX = 1024 };

typedef struct rmdi_bad_line {
    struct rmdi_bad_line *next;
    uint64_t after; /* so many tasks */
    uint64_t line;
    int error;
    char detail[];
} bad_line;

static bad_line *make(const rmdi_bad_lines *bad, uint64_t line, int error)
{
    size_t size = strlen(rmd_error_detail()) + 1;
    bad_line *l = rmdi_alloc(sizeof *l + size);
    if (!l)
        return NULL;
    *l = (bad_line){ .after = bad->made, .line = line, .error = error };
    memcpy(l->detail, rmd_error_detail(), size);
    return l;
}

static void append(rmdi_bad_lines *bad, bad_line *l)
{
    if (bad->last)
        bad->last->next = l;
    else
        bad->first = l;
    bad->last = l;
    bad->len++;
}

static void remove_first(rmdi_bad_lines *bad)
{
    bad_line *l = bad->first;
    bad->first = l->next;
    if (!bad->first)
        bad->last = NULL;
    bad->len--;
    rmdi_free(l);
}

/* The lock held, so that nothing overtakes them. */
static int tell_due(rmdi_bad_lines *bad)
{
    int err = 0;
    while (err == 0 && bad->first && bad->first->after <= bad->given) {
        const bad_line *l = bad->first;
        rmd_failure failure = { .outcome = RMD_OUTCOME_FAILED,
                                .error = l->error,
                                .detail = l->detail };
        err = bad->tell(bad->ctx, l->line, &failure);
        remove_first(bad);
    }
    rmdi_condition_notify_all(&bad->changed);
    return err;
}

void rmdi_bad_lines_made(rmdi_bad_lines *bad)
{
    bad->made++;
}

int rmdi_bad_lines_add(rmdi_bad_lines *bad, uint64_t line, int error)
{
    bad_line *l = make(bad, line, error);
    int err = 0;
    if (!l)
        return rmdi_fail_memory();
    rmdi_lock_enter(&bad->lock);
    while (err == 0 && bad->len >= WAITING_MAX)
        err = rmdi_condition_wait(&bad->changed, &bad->lock, RMD_FOREVER);
    if (err == 0) {
        append(bad, l);
        err = tell_due(bad);
    } else
        rmdi_free(l);
    rmdi_lock_release(&bad->lock);
    return err;
}

int rmdi_bad_lines_given(rmdi_bad_lines *bad)
{
    rmdi_lock_enter(&bad->lock);
    bad->given++;
    int err = tell_due(bad);
    rmdi_lock_release(&bad->lock);
    return err;
}

void rmdi_bad_lines_free(rmdi_bad_lines *bad)
{
    while (bad->first)
        remove_first(bad);
}
