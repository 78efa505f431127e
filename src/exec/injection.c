/* SPDX-License-Identifier: MIT */
/* How the two ends agree
 * ----------------------
 * A cell belongs to those who put while it is NULL and its position is less than `head` and the
 * length of the ring, else to those who take. It is filled by a release, and emptied before `head`
 * is moved on by a release, which the putter acquires before it fills it again. So an end needs the
 * other one's position only when it seems to be at its own: `seen_head` and `seen_gone` are what
 * was read last, and both only grow.
 *
 * `added` is counted before the cell is filled, and `gone` after it has been emptied, by a release;
 * who acquires `gone` and then reads `added` never finds fewer added than gone. */
#include "exec/injection.h"

#include "base/alloc.h"
#include "base/error.h"

/* An address: one lay there, and was taken out. */
static rmdi_link hole;

int rmdi_injection_open(rmdi_injection *injection, uint32_t about)
{
    uint64_t cells = 1;
    while (cells < about && cells < RMDI_RING_MAX)
        cells *= 2;
    *injection = (rmdi_injection){ .mask = cells - 1 };
    for (unsigned i = 0; i < RMDI_PRIORITIES; i++)
        rmdi_list_init(&injection->lists[i]);
    injection->ring = rmdi_alloc_zeroed(cells * sizeof *injection->ring);
    return injection->ring ? 0 : rmdi_fail_memory();
}

void rmdi_injection_free(rmdi_injection *injection)
{
    rmdi_free(injection->ring);
}

static rmd_atomic(rmdi_link *) *cell(const rmdi_injection *injection, uint64_t place)
{
    return &injection->ring[place & injection->mask];
}

/* How many are in the list of that priority. */
static rmd_atomic(uint32_t) *len_of(rmdi_injection *injection, unsigned priority)
{
    return priority == RMDI_PRIORITY_NORMAL ? &injection->listed
           : priority == RMDI_PRIORITY_HIGH ? &injection->high
                                            : &injection->low;
}

/* ---- hints ---- */

uint32_t rmdi_injection_normal(const rmdi_injection *injection)
{
    uint32_t gone = rmd_atomic_load(&injection->gone, RMD_ACQUIRE); /* see above */
    return rmd_atomic_load(&injection->added, RMD_RELAXED) - gone;
}

bool rmdi_injection_has(const rmdi_injection *injection, unsigned priority)
{
    /* Relaxed: who must not miss it passes a fence (idle.c). */
    if (priority == RMDI_PRIORITY_HIGH)
        return rmd_atomic_load(&injection->high, RMD_RELAXED);
    if (priority == RMDI_PRIORITY_LOW)
        return rmd_atomic_load(&injection->low, RMD_RELAXED);
    uint64_t head = rmd_atomic_load(&injection->head, RMD_RELAXED);
    return rmd_atomic_load(cell(injection, head), RMD_RELAXED) ||
           rmd_atomic_load(&injection->listed, RMD_RELAXED);
}

/* ---- with `in` held ---- */

/* At most so many are there. */
static uint32_t upper_bound(const rmdi_injection *injection)
{
    return rmd_atomic_load(&injection->added, RMD_RELAXED) - RMD_PLAIN(injection->seen_gone) +
           rmdi_injection_others(injection);
}

/* So many are there. It costs the line of those who take, so this is asked seldom. */
static uint32_t count_all(rmdi_injection *injection)
{
    /* Relaxed: only the number counts. */
    RMD_PLAIN_SET(injection->seen_gone, rmd_atomic_load(&injection->gone, RMD_RELAXED));
    return upper_bound(injection);
}

bool rmdi_injection_is_below(rmdi_injection *injection, uint32_t max)
{
    return upper_bound(injection) < max || count_all(injection) < max;
}

static void note_most(rmdi_injection *injection)
{
    uint32_t most = RMD_PLAIN(injection->most);
    if (upper_bound(injection) <= most)
        return;
    uint32_t n = count_all(injection);
    if (n > most)
        RMD_PLAIN_SET(injection->most, n);
}

static bool ring_is_full(rmdi_injection *injection)
{
    uint64_t tail = RMD_PLAIN(injection->tail);
    if (tail - RMD_PLAIN(injection->seen_head) <= injection->mask)
        return false;
    /* Acquire: the cells before it are empty. */
    RMD_PLAIN_SET(injection->seen_head, rmd_atomic_load(&injection->head, RMD_ACQUIRE));
    return tail - RMD_PLAIN(injection->seen_head) > injection->mask;
}

static void count_added(rmdi_injection *injection)
{
    uint32_t added = rmd_atomic_load(&injection->added, RMD_RELAXED) + 1;
    rmd_atomic_store(&injection->added, added, RMD_RELAXED);
}

/* False: to the list, as it is full, or those in the list came earlier. (Only with `in` held there
 * come more.) */
static bool put_into_ring(rmdi_injection *injection, rmdi_link *link, uint32_t *place)
{
    if (rmd_atomic_load(&injection->listed, RMD_RELAXED) || ring_is_full(injection))
        return false;
    uint64_t tail = RMD_PLAIN(injection->tail);
    *place = (uint32_t)tail;
    count_added(injection);
    /* Release: the task, its place, and that it was counted. */
    rmd_atomic_store(cell(injection, tail), link, RMD_RELEASE);
    RMD_PLAIN_SET(injection->tail, tail + 1);
    return true;
}

static void put_into_list(rmdi_injection *injection, rmdi_link *link, unsigned priority)
{
    rmd_atomic(uint32_t) *len = len_of(injection, priority);
    if (priority == RMDI_PRIORITY_NORMAL)
        count_added(injection);
    RMD_PLAIN_WRITES(&injection->lists[priority], sizeof *injection->lists);
    rmdi_list_append(&injection->lists[priority], link);
    rmd_atomic_store(len, rmd_atomic_load(len, RMD_RELAXED) + 1, RMD_RELAXED);
}

void rmdi_injection_add(rmdi_injection *injection, rmdi_link *link, uint32_t *place,
                        unsigned priority)
{
    if (priority != RMDI_PRIORITY_NORMAL || !put_into_ring(injection, link, place)) {
        rmdi_brief_enter(&injection->out);
        put_into_list(injection, link, priority);
        rmdi_brief_leave(&injection->out);
    }
    note_most(injection);
}

void rmdi_injection_add_here(rmdi_injection *injection, rmdi_link *link, uint32_t *place,
                             unsigned priority)
{
    if (priority != RMDI_PRIORITY_NORMAL || !put_into_ring(injection, link, place))
        put_into_list(injection, link, priority);
    note_most(injection);
}

/* ---- with `out` held ---- */

static uint64_t own_head(const rmdi_injection *injection)
{
    return rmd_atomic_load(&injection->head, RMD_RELAXED);
}

static void count_gone(rmdi_injection *injection, uint32_t n)
{
    /* Release: see above. */
    rmd_atomic_store(&injection->gone, rmd_atomic_load(&injection->gone, RMD_RELAXED) + n,
                     RMD_RELEASE);
}

/* Nothing of the tasks is touched. */
static unsigned take_from_ring(rmdi_injection *injection, rmdi_link **links, unsigned n)
{
    unsigned taken = 0;
    uint64_t head = own_head(injection), first = head;
    while (taken < n) {
        rmd_atomic(rmdi_link *) *at = cell(injection, head);
        rmdi_link *link = rmd_atomic_load(at, RMD_ACQUIRE); /* what the submitter has written */
        if (!link)
            break;
        rmd_atomic_store(at, NULL, RMD_RELAXED);
        head++;
        if (link != &hole)
            links[taken++] = link;
    }
    if (head != first)
        rmd_atomic_store(&injection->head, head, RMD_RELEASE); /* that the cells are empty */
    return taken;
}

static void take_out(rmdi_injection *injection, rmdi_link *link, unsigned priority)
{
    rmd_atomic(uint32_t) *len = len_of(injection, priority);
    rmdi_list_remove(link);
    *link = (rmdi_link){ 0 }; /* says that it has been taken */
    rmd_atomic_store(len, rmd_atomic_load(len, RMD_RELAXED) - 1, RMD_RELAXED);
}

static unsigned take_from_list(rmdi_injection *injection, unsigned priority, rmdi_link **links,
                               unsigned n)
{
    unsigned taken = 0;
    rmdi_link *list = &injection->lists[priority];
    RMD_PLAIN_WRITES(list, sizeof *list);
    for (; taken < n && !rmdi_list_empty(list); taken++) {
        links[taken] = list->next;
        take_out(injection, links[taken], priority);
    }
    return taken;
}

unsigned rmdi_injection_take(rmdi_injection *injection, unsigned priority, rmdi_link **links,
                             unsigned n)
{
    bool normal = priority == RMDI_PRIORITY_NORMAL;
    unsigned taken = normal ? take_from_ring(injection, links, n) : 0;
    if (taken < n)
        taken += take_from_list(injection, priority, links + taken, n - taken);
    if (normal && taken)
        count_gone(injection, taken);
    return taken;
}

bool rmdi_injection_remove(rmdi_injection *injection, rmdi_link *link, uint32_t place,
                           unsigned priority)
{
    rmd_atomic(rmdi_link *) *at = cell(injection, place);
    if (rmd_atomic_load(at, RMD_RELAXED) == link) {
        rmd_atomic_store(at, &hole, RMD_RELAXED); /* with `out`, as whoever takes it */
    } else {
        if (!link->next)
            return false;
        RMD_PLAIN_WRITES(&injection->lists[priority], sizeof *injection->lists);
        take_out(injection, link, priority);
    }
    if (priority == RMDI_PRIORITY_NORMAL)
        count_gone(injection, 1);
    return true;
}

rmdi_link *rmdi_injection_find(const rmdi_injection *injection, unsigned priority,
                               bool (*wanted)(const rmdi_link *link, const void *ctx),
                               const void *ctx)
{
    rmdi_link *link = NULL;
    uint64_t first = own_head(injection);
    uint64_t end = priority == RMDI_PRIORITY_NORMAL ? first + injection->mask + 1 : first;
    for (uint64_t at = first; at != end; at++) {
        link = rmd_atomic_load(cell(injection, at), RMD_ACQUIRE); /* as one that takes it */
        if (!link)
            break;
        if (link != &hole && wanted(link, ctx))
            return link;
    }
    const rmdi_link *list = &injection->lists[priority];
    for (rmdi_link *l = list->next; l != list; l = l->next)
        if (wanted(l, ctx))
            return l;
    return NULL;
}
