/* SPDX-License-Identifier: MIT */
/* How the two ends agree
 * ----------------------
 * A cell holds the address of a link, and in its lowest bit whether it was put there in an even or
 * in an odd lap; so it says by itself whether it is filled for a position, and is not emptied. It
 * belongs to those who take from when it is filled, by a release, until `head` is moved past it, by
 * a release, which the putter acquires before it fills it again. So an end needs the other one's
 * position only when it seems to be at its own: `seen_head` and `seen_gone` are what was read last,
 * and both only grow.
 *
 * What has been taken is still said to be there until whoever takes it has put it where others find
 * it (rmdi_injection_took()). So who looks, without a lock, first here and then there, misses
 * nothing, as long as he does not take "not filled" for the truth when `head` moved meanwhile.
 *
 * `added` is counted before the cell is filled, and `gone` after it was taken, by a release; who
 * acquires `gone` and then reads `added` never finds fewer added than gone. */
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

static bool is_filled(const rmdi_injection *injection, uint64_t place, uintptr_t value)
{
    return (value & 1) == rmdi_injection_lap(injection, place);
}

static bool has_in_ring(const rmdi_injection *injection)
{
    uint64_t before, head = rmd_atomic_load(&injection->head, RMD_ACQUIRE);
    do {
        /* Acquire: `head` is read again after it. */
        uintptr_t value = rmd_atomic_load(rmdi_injection_cell(injection, head), RMD_ACQUIRE);
        if (is_filled(injection, head, value))
            return true;
        before = head;
        head = rmd_atomic_load(&injection->head, RMD_ACQUIRE);
    } while (head != before);
    return false;
}

bool rmdi_injection_has(const rmdi_injection *injection, unsigned priority)
{
    /* Acquire: what was taken is seen where it has been put. (That it was added: who must not miss
     * that passes a fence, see idle.c.) */
    if (priority == RMDI_PRIORITY_HIGH)
        return rmd_atomic_load(&injection->high, RMD_ACQUIRE);
    if (priority == RMDI_PRIORITY_LOW)
        return rmd_atomic_load(&injection->low, RMD_ACQUIRE);
    return has_in_ring(injection) || rmd_atomic_load(&injection->listed, RMD_ACQUIRE);
}

/* ---- with `in` held ---- */

/* So many are there. It costs the line of those who take, so this is asked seldom. */
static uint32_t count_all(rmdi_injection *injection)
{
    /* Relaxed: only the number counts. */
    RMD_PLAIN_SET(injection->seen_gone, rmd_atomic_load(&injection->gone, RMD_RELAXED));
    return rmdi_injection_at_most(injection);
}

uint32_t rmdi_injection_room(rmdi_injection *injection, uint32_t max, uint32_t wanted)
{
    uint32_t n = rmdi_injection_at_most(injection);
    if (n > max || max - n < wanted)
        n = count_all(injection);
    uint32_t room = n < max ? max - n : 0;
    return room < wanted ? room : wanted;
}

void rmdi_injection_note_more(rmdi_injection *injection)
{
    uint32_t n = count_all(injection);
    if (n > RMD_PLAIN(injection->most))
        RMD_PLAIN_SET(injection->most, n);
}

bool rmdi_injection_ring_is_full(rmdi_injection *injection)
{
    /* Acquire: the cells before it are empty. */
    RMD_PLAIN_SET(injection->seen_head, rmd_atomic_load(&injection->head, RMD_ACQUIRE));
    return RMD_PLAIN(injection->tail) - RMD_PLAIN(injection->seen_head) > injection->mask;
}

static void put_into_list(rmdi_injection *injection, rmdi_link *link, unsigned priority)
{
    rmd_atomic(uint32_t) *len = len_of(injection, priority);
    if (priority == RMDI_PRIORITY_NORMAL)
        rmdi_injection_count_added(injection);
    RMD_PLAIN_WRITES(&injection->lists[priority], sizeof *injection->lists);
    rmdi_list_append(&injection->lists[priority], link);
    rmd_atomic_store(len, rmd_atomic_load(len, RMD_RELAXED) + 1, RMD_RELAXED);
}

void rmdi_injection_add_to_list(rmdi_injection *injection, rmdi_link *link, unsigned priority)
{
    rmdi_brief_enter(&injection->out);
    put_into_list(injection, link, priority);
    rmdi_brief_leave(&injection->out);
}

void rmdi_injection_add_here(rmdi_injection *injection, rmdi_link *link, uint16_t *place,
                             unsigned priority)
{
    if (priority != RMDI_PRIORITY_NORMAL || !rmdi_injection_put(injection, link, place))
        put_into_list(injection, link, priority);
}

/* ---- with `out` held ---- */

static uint64_t own_head(const rmdi_injection *injection)
{
    return rmd_atomic_load(&injection->head, RMD_RELAXED);
}

/* What lies at a place, or a hole; NULL: nothing does. */
static rmdi_link *look_at(const rmdi_injection *injection, uint64_t place)
{
    /* Acquire: what the submitter has written. */
    uintptr_t value = rmd_atomic_load(rmdi_injection_cell(injection, place), RMD_ACQUIRE);
    return is_filled(injection, place, value) ? (rmdi_link *)(value & ~(uintptr_t)1) : NULL;
}

/* Nothing of the tasks is touched. */
static unsigned take_from_ring(rmdi_injection *injection, rmdi_link **links, unsigned n)
{
    unsigned taken = 0;
    uint64_t head = own_head(injection);
    for (rmdi_link *link; taken < n && (link = look_at(injection, head)); head++)
        if (link != &hole)
            links[taken++] = link;
    RMD_PLAIN_SET(injection->next_head, head);
    return taken;
}

static void take_out(rmdi_injection *injection, rmdi_link *link, unsigned priority)
{
    RMD_PLAIN_WRITES(&injection->lists[priority], sizeof *injection->lists);
    rmdi_list_remove(link);
    *link = (rmdi_link){ 0 }; /* says that it is in none */
}

static unsigned take_from_list(rmdi_injection *injection, unsigned priority, rmdi_link **links,
                               unsigned n)
{
    unsigned taken = 0;
    rmdi_link *list = &injection->lists[priority];
    for (; taken < n && !rmdi_list_empty(list); taken++) {
        links[taken] = list->next;
        take_out(injection, links[taken], priority);
    }
    return taken;
}

unsigned rmdi_injection_take(rmdi_injection *injection, unsigned priority, rmdi_link **links,
                             unsigned n)
{
    unsigned taken = priority == RMDI_PRIORITY_NORMAL ? take_from_ring(injection, links, n) : 0;
    unsigned listed = taken < n ? take_from_list(injection, priority, links + taken, n - taken) : 0;
    RMD_PLAIN_SET(injection->taken, taken + listed);
    RMD_PLAIN_SET(injection->taken_listed, listed);
    return taken + listed;
}

/* n have left the list of that priority, or all that there is of it. Release: where they are. */
static void count_left(rmdi_injection *injection, unsigned priority, uint32_t n, uint32_t listed)
{
    rmd_atomic(uint32_t) *len = len_of(injection, priority);
    if (listed)
        rmd_atomic_store(len, rmd_atomic_load(len, RMD_RELAXED) - listed, RMD_RELEASE);
    if (priority == RMDI_PRIORITY_NORMAL)
        rmd_atomic_store(&injection->gone, rmd_atomic_load(&injection->gone, RMD_RELAXED) + n,
                         RMD_RELEASE);
}

void rmdi_injection_took(rmdi_injection *injection, unsigned priority)
{
    if (priority == RMDI_PRIORITY_NORMAL)
        /* Release: that its cells were read, and where it is now. */
        rmd_atomic_store(&injection->head, RMD_PLAIN(injection->next_head), RMD_RELEASE);
    count_left(injection, priority, RMD_PLAIN(injection->taken),
               RMD_PLAIN(injection->taken_listed));
}

/* Is it in the ring, where it was put? What was taken stays in its cell, behind the head. */
static bool is_in_ring(const rmdi_injection *injection, const rmdi_link *link, uint16_t place)
{
    uint16_t ahead = (uint16_t)(place - own_head(injection));
    return ahead <= injection->mask && look_at(injection, own_head(injection) + ahead) == link;
}

/* Those at the head are passed by at once: so who cancels one after the other, from the oldest on,
 * does not find them again each time, and nobody looks for a task there. */
static void make_hole(rmdi_injection *injection, uint16_t place)
{
    /* Relaxed: with `out`, as whoever takes it. */
    rmd_atomic_store(rmdi_injection_cell(injection, place),
                     (uintptr_t)&hole | rmdi_injection_lap(injection, place), RMD_RELAXED);
    uint64_t first = own_head(injection), head = first;
    while (look_at(injection, head) == &hole)
        head++;
    if (head != first)
        rmd_atomic_store(&injection->head, head, RMD_RELEASE); /* as rmdi_injection_took() */
}

bool rmdi_injection_remove(rmdi_injection *injection, rmdi_link *link, uint16_t place,
                           unsigned priority)
{
    bool listed = link->next != NULL;
    if (listed)
        take_out(injection, link, priority);
    else if (is_in_ring(injection, link, place))
        make_hole(injection, place);
    else
        return false;
    count_left(injection, priority, 1, listed);
    return true;
}

rmdi_link *rmdi_injection_find(const rmdi_injection *injection, unsigned priority,
                               bool (*wanted)(const rmdi_link *link, const void *ctx),
                               const void *ctx)
{
    rmdi_link *link;
    uint64_t at = own_head(injection), end = at + injection->mask + 1;
    for (; priority == RMDI_PRIORITY_NORMAL && at != end && (link = look_at(injection, at)); at++)
        if (link != &hole && wanted(link, ctx))
            return link;
    const rmdi_link *list = &injection->lists[priority];
    for (rmdi_link *l = list->next; l != list; l = l->next)
        if (wanted(l, ctx))
            return l;
    return NULL;
}
