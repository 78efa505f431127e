/* SPDX-License-Identifier: MIT */
/* Memory is watched in cells of eight bytes. A cell keeps what was done to its bytes, as far as
 * nothing that was ordered after it has taken its place: an access that is ordered after the last
 * write is ordered after the earlier ones too, else one of those would have been a race. */
#include "explore/race.h"

#include "explore/heap.h"
#include "explore/trace.h"

enum { CELLS = 8192 /* a power of two */, ACCESSES_MAX = 20 };

typedef struct memory_access {
    const rmdi_site *site;
    uint32_t time; /* of its thread */
    uint8_t thread;
    uint8_t bytes; /* which of the eight */
    bool write, atomic;
} memory_access;

typedef struct cell {
    uintptr_t at; /* the address divided by eight */
    uint64_t generation;
    unsigned len;
    memory_access past[ACCESSES_MAX];
} cell;

static cell table[CELLS];
static uint64_t generation;
static bool any; /* anything plain in this schedule? */

void rmdi_race_begin(void)
{
    generation++;
    any = false;
}

/* NULL: not watched yet, and `wanted` did not ask for it; or the table is full, and it stays so. */
static cell *find(uintptr_t at, bool wanted)
{
    size_t i = (size_t)((at * 0x9e3779b97f4a7c15) >> 51) & (CELLS - 1);
    for (size_t tries = 0; tries < CELLS; tries++, i = (i + 1) & (CELLS - 1)) {
        cell *c = &table[i];
        if (c->generation == generation && c->at == at)
            return c;
        if (c->generation != generation) {
            if (!wanted)
                return NULL;
            c->at = at;
            c->generation = generation;
            c->len = 0;
            return c;
        }
    }
    return NULL;
}

static bool is_ordered(const memory_access *before)
{
    return before->thread == rmdi_fiber_number(rmdi_running) ||
           rmdi_vclock_covers(&rmdi_running->clock, before->thread, before->time);
}

static const char *kind(const memory_access *a)
{
    return a->atomic ? a->write ? "atomic write" : "atomic read" : a->write ? "write" : "read";
}

static _Noreturn void found_race(const memory_access *before, const memory_access *mine)
{
    rmdi_trace_call(rmdi_running, mine->site); /* not done, but it is what the trace leads to */
    rmdi_found(RMD_EXPLORE_RACE, mine->site,
               "data race on %s: %s by %s at %s:%d, %s by %s at %s:%d, and nothing orders them",
               *mine->site->object ? mine->site->object : "memory", kind(before),
               rmdi_fiber_at(before->thread)->name, rmdi_trace_file(before->site),
               before->site->line, kind(mine), rmdi_running->name, rmdi_trace_file(mine->site),
               mine->site->line);
}

static void visit(cell *c, const memory_access *mine)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < c->len; i++) {
        memory_access *before = &c->past[i];
        bool ordered = is_ordered(before);
        if (before->bytes & mine->bytes) {
            if (!ordered && (before->write || mine->write) && !(before->atomic && mine->atomic))
                found_race(before, mine);
            /* What comes after both is ordered after mine, and that is enough: whatever races with
             * the earlier one races with mine. Not with an atomic one, if it is atomic, too. */
            if (ordered && (before->atomic || !mine->atomic) &&
                (mine->write || (!before->write && before->thread == mine->thread)))
                before->bytes &= (uint8_t)~mine->bytes;
        }
        if (before->bytes)
            c->past[kept++] = *before;
    }
    if (kept == ACCESSES_MAX) { /* the oldest is forgotten: a race may be missed, none made up */
        kept--;
        for (unsigned i = 0; i < kept; i++)
            c->past[i] = c->past[i + 1];
    }
    c->past[kept] = *mine;
    c->len = kept + 1;
}

static uint8_t bytes_in(uintptr_t cell_at, uintptr_t from, uintptr_t to)
{
    uintptr_t low = cell_at * 8 > from ? 0 : from - cell_at * 8;
    uintptr_t high = cell_at * 8 + 8 < to ? 8 : to - cell_at * 8;
    return (uint8_t)((0xffu << low) & (0xffu >> (8 - high)));
}

/* new_cells: watch from now on what was not watched yet. */
static void touch(const rmdi_site *site, const volatile void *p, size_t bytes, bool write,
                  bool atomic, bool new_cells)
{
    unsigned self = rmdi_fiber_number(rmdi_running);
    uintptr_t from = (uintptr_t)p, to = from + bytes;
    memory_access mine = { .site = site,
                           .time = rmdi_running->clock.at[self],
                           .thread = (uint8_t)self,
                           .write = write,
                           .atomic = atomic };
    for (uintptr_t at = from / 8; at * 8 < to; at++) {
        cell *c = find(at, new_cells);
        mine.bytes = bytes_in(at, from, to);
        if (c)
            visit(c, &mine);
    }
}

static void check_life(const rmdi_site *site, const volatile void *p)
{
    bool freed = rmdi_heap_was_freed(p);
    const rmdi_fiber *owner = rmdi_fiber_left(p);
    if (freed || owner)
        rmdi_trace_call(rmdi_running, site);
    if (freed)
        rmdi_found(RMD_EXPLORE_FREED, site, "%s uses %s at %s:%d, which was freed",
                   rmdi_running->name, site->object, rmdi_trace_file(site), site->line);
    if (owner)
        rmdi_found(RMD_EXPLORE_FREED, site,
                   "%s uses %s at %s:%d, in a function of %s that has returned", rmdi_running->name,
                   site->object, rmdi_trace_file(site), site->line, owner->name);
}

void rmdi_race_plain(const rmdi_site *site, const volatile void *p, size_t bytes, bool write)
{
    any = true;
    check_life(site, p);
    touch(site, p, bytes, write, false, true);
}

void rmdi_race_atomic(const rmdi_site *site, const volatile void *p, size_t bytes, bool write)
{
    check_life(site, p);
    if (any)
        touch(site, p, bytes, write, true, false);
}

void rmdi_race_free(const volatile void *p, size_t bytes)
{
    if (any && rmdi_running && rmdi_running->site)
        touch(rmdi_running->site, p, bytes, true, false, false);
}
