/* SPDX-License-Identifier: MIT */
/* The memory model.
 *
 * For each atomic object there is the list of its stores in modification order, newest first. In
 * SC and TSO that is the order in which they became visible. A store keeps who made it and when,
 * and the clock that it releases.
 *
 * SC and TSO: a load reads the newest. TSO besides: a store that is neither an RMW nor
 * sequentially consistent goes into its thread's store buffer and becomes visible later, in order;
 * the thread itself reads its own newest buffered store; an RMW, a sequentially consistent store
 * or fence, and a call of the kernel empty the buffer first (on x86 all of these have a lock
 * prefix, or are as good as one).
 *
 * WEAK: a load may read any store of the list down to the *floor*, the newest one that the reader
 * must know of:
 *   - a store that happened before the load (coherence: write-read),
 *   - a store that somebody has read in a read that happened before the load (read-read),
 *   - for sequentially consistent loads: the last store that a sequentially consistent operation
 *     has made or read, and any that happened, or was read, before a sequentially consistent fence,
 *   - after a sequentially consistent fence: the last store that a sequentially consistent
 *     operation before that fence has made or read.
 * A store may be put behind others, too, that are already there, down to the same floor, as if it
 * had become visible before them; but not between an RMW and what that has read. An RMW reads the
 * newest and becomes it; one that fails is a load. Sequentially consistent fences know of each
 * other's past in the order in which they are made; so a race between what only such fences order
 * is not seen in that order, but in the other one.
 *
 * Nothing is read from the future: load buffering, which C11 allows and Arm may show, is not
 * explored; nor is an RMW of an older value; and at most CANDIDATES_MAX values are offered,
 * STALE_MAX older ones in a row. Much else that C11 allows is, and nothing that it forbids, with
 * its repairs in C++20: no sequentially consistent loads in opposite orders of other stores, and no
 * release sequence that goes on by the same thread's relaxed stores. Consume is acquire.
 *
 * Happens-before: acquire joins what the store released; a release fence makes later relaxed
 * stores release what was known at the fence, an acquire fence joins what earlier relaxed loads
 * found; an RMW passes on what the store that it replaces released. Threads: start and join.
 * Parking orders nothing. A thread's own time moves on at each release. */
#include "explore/memory.h"

#include "explore/heap.h"
#include "explore/race.h"
#include "explore/trace.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCATIONS = 4096, /* a power of two */
    CHUNK_BYTES = 256 * 1024,
    CANDIDATES_MAX = 4, /* of the values that a load may see: that many newest ones */
    STALE_MAX = 3,      /* older values that a thread reads in a row */
};

/* What a store is in the list of its object. */
typedef struct store {
    struct store *older;
    uint64_t value;
    uint64_t sc;   /* number of the first sequentially consistent operation that made or read it */
    uint32_t time; /* of the thread that made it; 0: it was there before everybody */
    uint8_t thread;
    bool releases;
    bool replaces; /* an RMW: nothing may come between it and `older` */
    rmdi_vclock release;
    uint32_t first_read[RMDI_FIBERS_MAX]; /* each thread's time when it read this first; 0: not */
} store;

typedef struct location {
    const volatile void *p;
    uint64_t generation;
    unsigned size;
    store *newest;
} location;

static location table[LOCATIONS];
static uint64_t generation;

/* Stores are never freed within a schedule. */
static struct chunk {
    struct chunk *next;
    size_t used;
    _Alignas(16) char bytes[CHUNK_BYTES];
} * first_chunk, *chunk;

static uint64_t sc_count;
static rmdi_vclock sc_fences; /* what all sequentially consistent fences so far knew */

static bool is_acquire(int order)
{
    return order == memory_order_acquire || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

static bool is_release(int order)
{
    return order == memory_order_release || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

static unsigned running(void)
{
    return rmdi_fiber_number(rmdi_running);
}

/* ---- memory itself ---- */

static uint64_t peek(const volatile void *p, unsigned size)
{
    switch (size) {
    case 1: return *(const volatile uint8_t *)p;
    case 2: return *(const volatile uint16_t *)p;
    case 4: return *(const volatile uint32_t *)p;
    default: return *(const volatile uint64_t *)p;
    }
}

static void poke(volatile void *p, unsigned size, uint64_t value)
{
    switch (size) {
    case 1: *(volatile uint8_t *)p = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)p = (uint16_t)value; break;
    case 4: *(volatile uint32_t *)p = (uint32_t)value; break;
    default: *(volatile uint64_t *)p = value; break;
    }
}

/* ---- the lists ---- */

static void *take_bytes(size_t bytes)
{
    if (!chunk || chunk->used + bytes > CHUNK_BYTES) {
        struct chunk *next = chunk ? chunk->next : first_chunk;
        if (!next) {
            next = rmdi_real_malloc(sizeof *next);
            if (!next)
                rmdi_found(RMD_EXPLORE_ASSERTION, NULL, "no memory for the explorer itself");
            next->next = NULL;
            *(chunk ? &chunk->next : &first_chunk) = next;
        }
        next->used = 0;
        chunk = next;
    }
    void *p = chunk->bytes + chunk->used;
    chunk->used += (bytes + 15) & ~(size_t)15;
    return p;
}

void rmdi_memory_begin(void)
{
    generation++;
    chunk = NULL;
    sc_count = 0;
    memset(&sc_fences, 0, sizeof sc_fences);
}

void rmdi_memory_end(void)
{
    while (first_chunk) {
        struct chunk *next = first_chunk->next;
        rmdi_real_free(first_chunk);
        first_chunk = next;
    }
    chunk = NULL;
}

/* newer NULL: it is the newest. */
static store *add_store(location *l, store *newer, uint64_t value)
{
    store *s = take_bytes(sizeof *s), **at = newer ? &newer->older : &l->newest;
    memset(s, 0, sizeof *s);
    s->value = value;
    s->older = *at;
    *at = s;
    return s;
}

static location *slot_of(const volatile void *p)
{
    size_t i = (size_t)(((uintptr_t)p * 0x9e3779b97f4a7c15) >> 52) & (LOCATIONS - 1);
    for (size_t tries = 0; tries < LOCATIONS; tries++, i = (i + 1) & (LOCATIONS - 1))
        if (table[i].generation != generation || table[i].p == p)
            return &table[i];
    rmdi_found(RMD_EXPLORE_ASSERTION, NULL, "more than %d atomic objects in a schedule", LOCATIONS);
}

static void begin_location(location *l, const volatile void *p, unsigned size, uint64_t value)
{
    *l = (location){ .p = p, .generation = generation, .size = size };
    add_store(l, NULL, value); /* time 0: known to everybody */
}

/* Memory that does not hold the newest value any more was written by other means: a new object. */
static location *find(const volatile void *p, unsigned size)
{
    location *l = slot_of(p);
    if (l->generation != generation || l->size != size || l->newest->value != peek(p, size))
        begin_location(l, p, size, peek(p, size));
    return l;
}

/* ---- clocks ---- */

void rmdi_memory_start(rmdi_fiber *child, rmdi_fiber *parent)
{
    unsigned number = rmdi_fiber_number(child);
    if (parent) {
        child->clock = parent->clock;
        parent->clock.at[rmdi_fiber_number(parent)]++;
    }
    child->clock.at[number] = 1;
}

static void release_by(rmdi_fiber *fiber, int order, rmdi_vclock *release, bool *releases)
{
    if (is_release(order)) {
        *release = fiber->clock;
        *releases = true;
        fiber->clock.at[rmdi_fiber_number(fiber)]++;
    } else if (fiber->has_released) {
        *release = fiber->released;
        *releases = true;
    }
}

static void acquire_from(const store *s, int order)
{
    rmdi_fiber *self = rmdi_running;
    if (!s->releases)
        return;
    if (is_acquire(order)) {
        rmdi_vclock_join(&self->clock, &s->release);
    } else {
        rmdi_vclock_join(&self->unclaimed, &s->release);
        self->has_unclaimed = true;
    }
}

static void note_read(store *s, int order)
{
    uint32_t *first = &s->first_read[running()];
    if (!*first)
        *first = rmdi_running->clock.at[running()];
    if (order == memory_order_seq_cst && !s->sc)
        s->sc = ++sc_count;
}

/* ---- what a load may see ---- */

static bool read_was_seen(const store *s, const rmdi_vclock *clock)
{
    for (unsigned t = 0; t < RMDI_FIBERS_MAX; t++)
        if (s->first_read[t] && s->first_read[t] <= clock->at[t])
            return true;
    return false;
}

static bool is_floor(const store *s, int order)
{
    const rmdi_fiber *self = rmdi_running;
    if (rmdi_vclock_covers(&self->clock, s->thread, s->time) || read_was_seen(s, &self->clock))
        return true;
    if (s->sc && s->sc <= self->fenced)
        return true;
    return order == memory_order_seq_cst &&
           (s->sc || rmdi_vclock_covers(&sc_fences, s->thread, s->time) ||
            read_was_seen(s, &sc_fences));
}

/* The newest ones down to the floor; at most CANDIDATES_MAX. */
static unsigned candidates(location *l, int order, store **found)
{
    unsigned n = 0;
    for (store *s = l->newest; s && n < CANDIDATES_MAX; s = s->older) {
        found[n++] = s;
        if (is_floor(s, order))
            break;
    }
    return n;
}

static store *choose_store(location *l, int order)
{
    rmdi_fiber *self = rmdi_running;
    store *found[CANDIDATES_MAX];
    if (rmdi_memory_model != RMD_MEMORY_WEAK)
        return l->newest;
    unsigned n = candidates(l, order, found);
    if (n == 1 || self->stale >= STALE_MAX) { /* nobody reads old values for ever */
        self->stale = 0;
        return l->newest;
    }
    unsigned chosen = rmdi_choose(n, NULL, rmdi_choice_calm() - 1);
    self->stale = chosen ? self->stale + 1 : 0;
    return found[chosen];
}

/* Behind which store a new one is put; NULL: it is the newest. */
static store *choose_place(location *l, int order)
{
    store *found[CANDIDATES_MAX];
    unsigned n = rmdi_memory_model == RMD_MEMORY_WEAK ? candidates(l, order, found) : 1;
    unsigned chosen = rmdi_choose(n, NULL, rmdi_choice_calm() - 1);
    store *newer = chosen ? found[chosen - 1] : NULL;
    return newer && !newer->replaces ? newer : NULL;
}

static const rmdi_buffered *in_own_buffer(const volatile void *p)
{
    const rmdi_fiber *self = rmdi_running;
    for (unsigned i = self->buffered; i-- > 0;)
        if (self->buffer[i].p == p)
            return &self->buffer[i];
    return NULL;
}

uint64_t rmdi_memory_load(const volatile void *p, unsigned size, int order, bool *is_old)
{
    const rmdi_buffered *own = in_own_buffer(p);
    *is_old = false;
    if (own)
        return own->value;
    location *l = find(p, size);
    store *s = choose_store(l, order);
    *is_old = s != l->newest;
    note_read(s, order);
    acquire_from(s, order);
    return s->value;
}

/* ---- stores ---- */

static store *commit(rmdi_fiber *fiber, const rmdi_buffered *b, uint32_t time, store *newer)
{
    store *s = add_store(find(b->p, b->size), newer, b->value);
    s->thread = (uint8_t)rmdi_fiber_number(fiber);
    s->time = time;
    s->releases = b->releases;
    if (b->releases)
        s->release = b->release;
    if (!newer)
        poke(b->p, b->size, b->value);
    return s;
}

void rmdi_memory_flush_one(rmdi_fiber *fiber)
{
    rmdi_buffered first = fiber->buffer[0];
    commit(fiber, &first, fiber->clock.at[rmdi_fiber_number(fiber)], NULL);
    rmdi_trace_note(fiber, "its store at %s:%d becomes visible", rmdi_trace_file(first.site),
                    first.site->line);
    fiber->buffered--;
    memmove(&fiber->buffer[0], &fiber->buffer[1], fiber->buffered * sizeof first);
    rmdi_buffering(fiber, fiber->buffered);
}

void rmdi_memory_flush(rmdi_fiber *fiber)
{
    while (fiber->buffered)
        rmdi_memory_flush_one(fiber);
}

static void hold_back(const rmdi_buffered *b)
{
    rmdi_fiber *self = rmdi_running;
    if (self->buffered == RMDI_BUFFER_MAX)
        rmdi_memory_flush_one(self);
    self->buffer[self->buffered++] = *b;
    rmdi_buffering(self, true);
}

void rmdi_memory_store(const rmdi_site *site, volatile void *p, unsigned size, uint64_t value,
                       int order)
{
    rmdi_fiber *self = rmdi_running;
    rmdi_buffered b = { .p = p, .size = size, .value = value, .site = site };
    uint32_t time = self->clock.at[running()];
    release_by(self, order, &b.release, &b.releases);
    /* On no stack: the frame may be gone, and the explorer's own frames there, before the store
     * would become visible. A real processor would write there, too; here others read older
     * values. */
    if (rmdi_memory_model == RMD_MEMORY_TSO && order != memory_order_seq_cst &&
        !rmdi_is_on_a_stack(p)) {
        hold_back(&b);
        return;
    }
    rmdi_memory_flush(self);
    store *s = commit(self, &b, time, choose_place(find(p, size), order));
    s->sc = order == memory_order_seq_cst ? ++sc_count : 0;
}

/* ---- read-modify-write ---- */

static uint64_t apply(uint64_t old, int operation, uint64_t value, unsigned size)
{
    uint64_t result;
    switch (operation) {
    case RMDI_ADD: result = old + value; break;
    case RMDI_SUB: result = old - value; break;
    case RMDI_AND: result = old & value; break;
    case RMDI_OR: result = old | value; break;
    default: result = value; break;
    }
    return size == 8 ? result : result & ((UINT64_C(1) << 8 * size) - 1);
}

static void replace(location *l, uint64_t value, int order)
{
    rmdi_fiber *self = rmdi_running;
    store *old = l->newest;
    rmdi_buffered b = { .p = (volatile void *)(uintptr_t)l->p, .size = l->size, .value = value };
    uint32_t time = self->clock.at[running()];
    note_read(old, order);
    acquire_from(old, order);
    release_by(self, order, &b.release, &b.releases);
    if (old->releases) { /* the release sequence goes on */
        rmdi_vclock_join(&b.release, &old->release);
        b.releases = true;
    }
    store *s = commit(self, &b, time, NULL);
    s->sc = order == memory_order_seq_cst ? ++sc_count : 0;
    s->replaces = true;
}

uint64_t rmdi_memory_rmw(volatile void *p, unsigned size, int operation, uint64_t value, int order)
{
    if (!rmdi_running) {
        uint64_t before = peek(p, size);
        poke(p, size, apply(before, operation, value, size));
        return before;
    }
    rmdi_memory_flush(rmdi_running);
    location *l = find(p, size);
    uint64_t old = l->newest->value;
    replace(l, apply(old, operation, value, size), order);
    return old;
}

/* Outside a schedule. */
static bool cas_alone(volatile void *p, unsigned size, uint64_t *expected, uint64_t value)
{
    uint64_t before = peek(p, size);
    if (before == *expected)
        poke(p, size, value);
    bool done = before == *expected;
    *expected = before;
    return done;
}

/* An older value lets it fail as any load may read one; what succeeds has read the newest. */
bool rmdi_memory_cas(volatile void *p, unsigned size, uint64_t *expected, uint64_t value,
                     int success, int failure, bool weak, bool *is_old)
{
    *is_old = false;
    if (!rmdi_running)
        return cas_alone(p, size, expected, value);
    rmdi_memory_flush(rmdi_running);
    location *l = find(p, size);
    store *seen = l->newest;
    if (rmdi_memory_model == RMD_MEMORY_WEAK) {
        store *chosen = choose_store(l, failure);
        if (chosen->value != *expected) {
            *is_old = chosen != seen;
            seen = chosen;
        }
    }
    if (seen == l->newest && seen->value == *expected && !(weak && rmdi_choose(2, NULL, 3))) {
        replace(l, value, success);
        return true;
    }
    note_read(seen, failure);
    acquire_from(seen, failure);
    *expected = seen->value;
    return false;
}

/* ---- the rest ---- */

void rmdi_memory_fence(int order)
{
    rmdi_fiber *self = rmdi_running;
    if (is_acquire(order) && self->has_unclaimed)
        rmdi_vclock_join(&self->clock, &self->unclaimed);
    if (order == memory_order_seq_cst) {
        rmdi_memory_flush(self);
        rmdi_vclock_join(&self->clock, &sc_fences);
        rmdi_vclock_join(&sc_fences, &self->clock);
        self->fenced = ++sc_count;
    }
    if (is_release(order)) {
        self->released = self->clock;
        self->has_released = true;
        self->clock.at[running()]++;
    }
}

/* Twice, so that those that came first know of those that came last. The kernel's threads pass
 * their barriers one after the other, and know less of each other then: a race, or an order of two
 * light sides, that depends on nothing but that is found in schedules in which the barrier comes
 * earlier or later, if at all. */
void rmdi_memory_fence_all(void)
{
    rmdi_fiber *self = rmdi_running;
    for (unsigned i = 0, n = rmdi_fiber_count(); i < 2 * n; i++) {
        rmdi_running = rmdi_fiber_at(i % n); /* one that has ended has done all its stores, too */
        rmdi_memory_fence(memory_order_seq_cst);
    }
    rmdi_running = self;
}

void rmdi_memory_init(volatile void *p, unsigned size, uint64_t value)
{
    rmdi_memory_flush(rmdi_running);
    begin_location(slot_of(p), p, size, value);
    poke(p, size, value);
}
