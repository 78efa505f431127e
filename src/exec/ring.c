/* SPDX-License-Identifier: MIT */
#include "exec/ring.h"

#include "base/park.h"
#include "exec/place.h"
#include "port/thread.h"
#include "sync/spin.h"

#include <limits.h>
#include <remuda/error.h>
#include <string.h>

enum { LINE = 64, FOR_TASK = 1, FOR_ROOM = 2 };

/* How long a worker stays awake when there is nothing to do. */
static const int64_t awake_ns = 50 * 1000;

/* Of a slot, what is handed over with its state: the task, and its answer. */
enum {
    TASK_BYTES = offsetof(rmdi_ring_slot, error) - offsetof(rmdi_ring_slot, attempt),
    ANSWER_BYTES = offsetof(rmdi_ring_slot, begun_ns) - offsetof(rmdi_ring_slot, error),
};

_Static_assert((RMDI_RING_SLOTS & (RMDI_RING_SLOTS - 1)) == 0, "indexes overflow");
_Static_assert(sizeof(rmdi_ring_slot) == LINE, "a slot is one line");

static unsigned slot_of(unsigned index)
{
    return index % RMDI_RING_SLOTS;
}

/* ---- room ---- */

/* Whole lines, at least one: so no two pieces begin at the same place. */
static size_t rounded(size_t len)
{
    return len ? (len + LINE - 1) & ~(size_t)(LINE - 1) : LINE;
}

/* Where a piece of that size may be; false: nowhere, now. */
static bool find_place(const rmdi_room *room, size_t size, uint32_t *at)
{
    *at = room->used ? room->next : 0;
    if (!room->used)
        return size <= RMDI_RING_ROOM;
    if (room->next > room->first) {
        if (room->next + size <= RMDI_RING_KEPT)
            return true;
        *at = 0;
    }
    return *at + size <= room->first; /* up to the oldest; so next == first is: full */
}

static void use(rmdi_room *room, uint32_t at, size_t size)
{
    if (room->used++ == 0)
        room->first = at;
    room->next = at + (uint32_t)size;
}

/* The oldest is given back; the one after it, if there is one, is there. */
static void give_first(rmdi_room *room, uint32_t after)
{
    if (--room->used)
        room->first = after;
}

/* ---- the owner ---- */

void rmdi_ring_init(rmdi_ring *ring, rmdi_ring_memory *memory)
{
    *ring = (rmdi_ring){ .memory = memory };
    rmd_atomic_init(&memory->awaited, RMDI_AWAITED_BY_KEEPER); /* until it is ready */
}

/* With a 0 behind it. A longer one is cut: names are any length, and the worker's copy is only for
 * the task itself to look at. */
static size_t text_bytes(const char *text)
{
    return text ? strnlen(text, RMDI_RING_TEXT_MAX) + 1 : 0;
}

size_t rmdi_ring_bytes(const rmdi_ring_order *order)
{
    return rounded(text_bytes(order->function) + text_bytes(order->name) + order->arguments.len);
}

static uint32_t copy_in(unsigned char *to, const void *from, size_t len)
{
    if (len)
        memcpy(to, from, len);
    return (uint32_t)len;
}

static uint32_t copy_text(unsigned char *to, const char *text)
{
    uint32_t size = copy_in(to, text, text_bytes(text));
    if (size)
        to[size - 1] = 0;
    return size;
}

static void fill(rmdi_ring_memory *memory, rmdi_ring_slot *slot, const rmdi_ring_order *order,
                 uint32_t at)
{
    unsigned char *to = memory->in + at;
    RMD_PLAIN_WRITES(to, rmdi_ring_bytes(order));
    uint32_t function = copy_text(to, order->function);
    uint32_t name = copy_text(to + function, order->name);
    uint32_t arguments = copy_in(to + function + name, order->arguments.data, order->arguments.len);
    RMD_PLAIN_WRITES(&slot->attempt, TASK_BYTES);
    slot->attempt = order->attempt;
    slot->id = order->id;
    slot->in_at = at;
    slot->in_len = function + name + arguments;
    slot->function_len = (uint16_t)function;
    slot->name_len = (uint16_t)name;
    slot->timed = order->timed;
    slot->adds = order->adds;
    rmd_atomic_store(&slot->begun_ns, 0, RMD_RELAXED); /* with the state */
}

bool rmdi_ring_put(rmdi_ring *ring, const rmdi_ring_order *order, unsigned *slot)
{
    uint32_t at;
    size_t size = rmdi_ring_bytes(order);
    if (rmdi_ring_len(ring) == RMDI_RING_SLOTS || !find_place(&ring->room, size, &at))
        return false;
    unsigned index = slot_of(ring->tail++);
    use(&ring->room, at, size);
    ring->places[index] = at;
    ring->is_taken[index] = false;
    fill(ring->memory, &ring->memory->slots[index], order, at);
    /* Release: of what it is made of. */
    rmd_atomic_store(&ring->memory->slots[index].state, RMDI_RING_READY, RMD_RELEASE);
    *slot = index;
    return true;
}

/* It has changed what the worker sleeps for. */
static void wake(rmdi_ring_memory *memory, uint32_t what)
{
    rmd_fence(RMD_SEQ_CST); /* see the head of ring.h */
    if (rmd_atomic_load(&memory->sleeps, RMD_RELAXED) != what)
        return;
    rmd_atomic_store(&memory->sleeps, 0, RMD_RELAXED);
    rmdi_unpark_shared(&memory->sleeps, 1);
}

void rmdi_ring_wake(rmdi_ring *ring)
{
    wake(ring->memory, FOR_TASK);
}

void rmdi_ring_wake_anyway(rmdi_ring *ring)
{
    rmdi_unpark_shared(&ring->memory->sleeps, 1);
}

static bool change(rmdi_ring *ring, unsigned slot, rmdi_ring_state to)
{
    uint32_t ready = RMDI_RING_READY;
    /* Acquire, if it has begun: then those before it are done, and are to be seen so. */
    return rmd_atomic_cas(&ring->memory->slots[slot].state, &ready, to, RMD_ACQUIRE, RMD_ACQUIRE);
}

bool rmdi_ring_take(rmdi_ring *ring, unsigned slot)
{
    if (ring->is_taken[slot] || !change(ring, slot, RMDI_RING_TAKEN))
        return false;
    ring->is_taken[slot] = true;
    ring->taken++;
    return true;
}

bool rmdi_ring_take_last(rmdi_ring *ring, unsigned *slot)
{
    unsigned last = slot_of(ring->tail - 1);
    if (rmdi_ring_len(ring) == 0 || ring->is_taken[last] || !change(ring, last, RMDI_RING_FREE))
        return false;
    ring->tail--;
    ring->room.used--;
    ring->room.next = ring->places[last];
    *slot = last;
    return true;
}

static bool is_within(uint32_t at, uint32_t len)
{
    return at <= RMDI_RING_ROOM && len <= RMDI_RING_ROOM - at;
}

static int read_answer(const rmdi_ring *ring, unsigned slot, rmdi_ring_answer *answer)
{
    const rmdi_ring_slot *shared = &ring->memory->slots[slot];
    RMD_PLAIN_READS(&shared->error, ANSWER_BYTES);
    /* Volatile: each is read once, so that what was checked is what is used. */
    uint32_t at = *(const volatile uint32_t *)&shared->out_at;
    uint32_t len = *(const volatile uint32_t *)&shared->out_len;
    uint32_t added_len = *(const volatile uint32_t *)&shared->added_len;
    int32_t error = *(const volatile int32_t *)&shared->error;
    if (!is_within(at, len) || added_len > len || error > 0)
        return RMD_EIO;
    *answer = (rmdi_ring_answer){ slot, error, { ring->memory->out + at, len }, added_len };
    return 1;
}

int rmdi_ring_next(rmdi_ring *ring, rmdi_ring_answer *answer)
{
    for (; rmdi_ring_len(ring); rmdi_ring_release(ring)) {
        unsigned slot = slot_of(ring->head);
        /* Acquire: of the answer; and of what the worker has read, before it is overwritten. */
        uint32_t state = rmd_atomic_load(&ring->memory->slots[slot].state, RMD_ACQUIRE);
        if (ring->is_taken[slot]) {
            if (state != RMDI_RING_SKIPPED)
                return state == RMDI_RING_TAKEN ? 0 : RMD_EIO;
            continue;
        }
        if (state == RMDI_RING_DONE)
            return read_answer(ring, slot, answer);
        return state == RMDI_RING_READY || state == RMDI_RING_BEGUN ? 0 : RMD_EIO;
    }
    return 0;
}

void rmdi_ring_release(rmdi_ring *ring)
{
    unsigned slot = slot_of(ring->head++);
    ring->taken -= ring->is_taken[slot];
    ring->is_taken[slot] = false;
    give_first(&ring->room, ring->places[slot_of(ring->head)]);
    /* Release: what we have read of it. */
    rmd_atomic_store(&ring->memory->slots[slot].state, RMDI_RING_FREE, RMD_RELEASE);
    wake(ring->memory, FOR_ROOM);
}

bool rmdi_ring_has_begun(const rmdi_ring *ring, unsigned slot, int64_t *begun_ns)
{
    const rmdi_ring_slot *shared = &ring->memory->slots[slot];
    uint32_t state = rmd_atomic_load(&shared->state, RMD_ACQUIRE);
    *begun_ns = rmd_atomic_load(&shared->begun_ns, RMD_RELAXED); /* a number, nothing more */
    return !ring->is_taken[slot] && state != RMDI_RING_READY;
}

bool rmdi_ring_is_done(const rmdi_ring *ring, unsigned slot)
{
    return rmd_atomic_load(&ring->memory->slots[slot].state, RMD_ACQUIRE) == RMDI_RING_DONE;
}

bool rmdi_ring_has_answer(const rmdi_ring *ring)
{
    if (rmdi_ring_len(ring) == 0)
        return false;
    uint32_t state = rmd_atomic_load(&ring->memory->slots[slot_of(ring->head)].state, RMD_ACQUIRE);
    return state != RMDI_RING_READY && state != RMDI_RING_BEGUN && state != RMDI_RING_TAKEN;
}

bool rmdi_ring_await(rmdi_ring *ring, uint32_t who)
{
    rmd_atomic_or(&ring->memory->awaited, who, RMD_RELAXED);
    rmd_fence(RMD_SEQ_CST); /* see the head of ring.h */
    return rmdi_ring_has_answer(ring);
}

void rmdi_ring_await_no_more(rmdi_ring_memory *memory)
{
    rmd_atomic_and(&memory->awaited, ~(uint32_t)RMDI_AWAITED_BY_THREAD, RMD_RELAXED);
    rmd_fence(RMD_SEQ_CST); /* before the look that follows: see the head of ring.h */
}

void rmdi_ring_quit(rmdi_ring *ring)
{
    rmd_atomic_store(&ring->memory->quit, 1, RMD_RELAXED);
    wake(ring->memory, FOR_TASK);
}

/* ---- the worker ---- */

void rmdi_ring_end_init(rmdi_ring_end *end, rmdi_ring_memory *memory, void (*ring_bell)(void *ctx),
                        void *ctx)
{
    *end = (rmdi_ring_end){ .memory = memory, .ring_bell = ring_bell, .ctx = ctx };
}

static void take_back_room(rmdi_ring_end *end);

rmdi_ring_slot *rmdi_ring_claim(rmdi_ring_end *end)
{
    RMDI_PLACE("claiming");
    for (;;) {
        rmdi_ring_slot *slot = &end->memory->slots[slot_of(end->cursor)];
        uint32_t state = rmd_atomic_load(&slot->state, RMD_ACQUIRE);
        if (state == RMDI_RING_TAKEN) {
            take_back_room(end); /* of the answer that was there before, if it was not yet */
            rmd_atomic_store(&slot->state, RMDI_RING_SKIPPED, RMD_RELEASE);
            end->has_piece[slot_of(end->cursor++)] = false;
            end->untold = true;
        } else if (state != RMDI_RING_READY) {
            return NULL;
        } else if (rmd_atomic_cas(&slot->state, &state, RMDI_RING_BEGUN, RMD_ACQ_REL,
                                  RMD_RELAXED)) { /* release: see change() */
            return slot;
        }
    }
}

/* The owner has taken some of our answers: their room is free. They are freed in their order, so
 * what is a whole round behind is free in any case, and its slot is another one's by now. */
static bool is_in_use(const rmdi_ring_end *end, unsigned index)
{
    if (end->cursor - index >= RMDI_RING_SLOTS)
        return false;
    /* Acquire: the owner has read it before it is overwritten. */
    uint32_t state = rmd_atomic_load(&end->memory->slots[slot_of(index)].state, RMD_ACQUIRE);
    return state == RMDI_RING_DONE || state == RMDI_RING_SKIPPED;
}

static void take_back_room(rmdi_ring_end *end)
{
    for (; end->oldest != end->cursor && !is_in_use(end, end->oldest); end->oldest++)
        end->room.used -= end->has_piece[slot_of(end->oldest)];
    for (unsigned i = end->oldest; i != end->cursor && end->room.used; i++)
        if (end->has_piece[slot_of(i)]) {
            end->room.first = end->places[slot_of(i)];
            return;
        }
}

static bool find_room(rmdi_ring_end *end, size_t size, uint32_t *at)
{
    take_back_room(end);
    return find_place(&end->room, size, at);
}

/* Says what it sleeps for, and sleeps unless that is there. */
static void await_room(rmdi_ring_end *end, size_t size, uint32_t *at)
{
    while (!find_room(end, size, at)) {
        end->untold = true;
        rmdi_ring_tell(end, true); /* whoever takes answers shall come and do so */
        rmd_atomic_store(&end->memory->sleeps, FOR_ROOM, RMD_RELAXED);
        rmd_fence(RMD_SEQ_CST); /* see the head of ring.h */
        if (!find_room(end, size, at))
            (void)rmdi_park_shared(&end->memory->sleeps, FOR_ROOM, RMD_FOREVER);
        rmd_atomic_store(&end->memory->sleeps, 0, RMD_RELAXED);
    }
}

size_t rmdi_ring_offer(rmdi_ring_end *end, char **space)
{
    const rmdi_room *room = &end->room;
    take_back_room(end);
    uint32_t at = room->used ? room->next : 0;
    uint32_t to = !room->used ? RMDI_RING_ROOM : at <= room->first ? room->first : RMDI_RING_KEPT;
    uint32_t size = to > at ? to - at : 0;
    if (room->used && at > room->first && room->first > size) {
        at = 0; /* there is more at the beginning */
        size = room->first;
    }
    *space = (char *)end->memory->out + at;
    end->offered = at;
    end->offered_size = size;
    return size;
}

bool rmdi_ring_wake_threads(rmdi_ring_memory *memory)
{
    rmd_fence(RMD_SEQ_CST); /* see the head of ring.h */
    if (!(rmd_atomic_load(&memory->awaited, RMD_RELAXED) & RMDI_AWAITED_BY_THREAD) ||
        !(rmd_atomic_and(&memory->awaited, ~(uint32_t)RMDI_AWAITED_BY_THREAD, RMD_RELAXED) &
          RMDI_AWAITED_BY_THREAD))
        return false;
    rmdi_unpark_shared(&memory->awaited, INT_MAX);
    return true;
}

int rmdi_ring_finish(rmdi_ring_end *end, int error, rmd_bytes result, size_t added_len)
{
    rmdi_ring_memory *memory = end->memory;
    size_t size = rounded(result.len);
    uint32_t at = end->offered;
    if (size > RMDI_RING_ROOM)
        return RMD_E2BIG;
    bool is_there = end->offered_size >= size && result.data == memory->out + at;
    if (!is_there && !find_room(end, size, &at))
        await_room(end, size, &at);
    end->offered_size = 0;
    unsigned index = slot_of(end->cursor++);
    rmdi_ring_slot *slot = &memory->slots[index];
    use(&end->room, at, size);
    end->places[index] = at;
    end->has_piece[index] = true;
    RMD_PLAIN_WRITES(&slot->error, ANSWER_BYTES);
    RMD_PLAIN_WRITES(memory->out + at, size);
    slot->out_at = at;
    slot->out_len = is_there ? (uint32_t)result.len
                             : copy_in(memory->out + at, result.data, result.len);
    slot->added_len = (uint32_t)added_len;
    slot->error = error;
    RMDI_PLACE("written");
    /* Release: of the answer. */
    rmd_atomic_store(&slot->state, RMDI_RING_DONE, RMD_RELEASE);
    RMDI_PLACE("done");
    end->woke = rmdi_ring_wake_threads(memory);
    end->untold = !end->woke;
    return 0;
}

static void tell(rmdi_ring_end *end, uint32_t whom)
{
    rmdi_ring_memory *memory = end->memory;
    rmd_fence(RMD_SEQ_CST); /* see the head of ring.h */
    whom &= rmd_atomic_load(&memory->awaited, RMD_RELAXED);
    end->untold = false;
    if (!whom)
        return;
    rmd_atomic_and(&memory->awaited, ~whom, RMD_RELAXED);
    RMDI_PLACE("ringing");
    end->ring_bell(end->ctx);
}

/* Has nobody taken our last answer yet? */
static bool last_waits(const rmdi_ring_end *end)
{
    return end->oldest != end->cursor && is_in_use(end, end->cursor - 1);
}

void rmdi_ring_tell(rmdi_ring_end *end, bool always)
{
    if (end->untold || always)
        tell(end, RMDI_AWAITED_BY_KEEPER);
}

void rmdi_ring_tell_begun(rmdi_ring_end *end, bool always)
{
    bool done = always || (end->untold && last_waits(end));
    tell(end, RMDI_AWAITED_BEGIN | (done ? RMDI_AWAITED_BY_KEEPER : 0));
}

/* Is there something to be claimed, or passed? */
static bool has_next(const rmdi_ring_end *end)
{
    const rmdi_ring_slot *slot = &end->memory->slots[slot_of(end->cursor)];
    uint32_t state = rmd_atomic_load(&slot->state, RMD_RELAXED); /* a hint */
    return state == RMDI_RING_READY || state == RMDI_RING_TAKEN;
}

/* Its line is written once, when a task comes: looking at it costs its writer next to nothing. */
static bool comes_while_we_look(const rmdi_ring_end *end)
{
    RMD_STATIC rmdi_spin spin;
    bool found = false;
    rmdi_spin_doubt(&spin, 8);
    for (rmdi_spin_time time = rmdi_spin_for_ns(&spin, awake_ns);
         !found && rmdi_spin_goes_on(&time);)
        found = has_next(end);
    rmdi_spin_learn(&spin, found);
    return found;
}

bool rmdi_ring_wait(rmdi_ring_end *end, void (*idle)(void *ctx))
{
    rmdi_ring_memory *memory = end->memory;
    if (has_next(end))
        return true;
    /* Who has woken us may have had to make way for us, on this processor: it is to take our answer
     * now, and not to wait until we have looked long enough. */
    if (end->slept)
        rmdi_os_thread_yield();
    end->slept = false;
    /* Whom we had to wake is to run now, perhaps on this processor, too. */
    if (!end->woke && comes_while_we_look(end))
        return true;
    if (last_waits(end))
        rmdi_ring_tell(end, false);
    idle(end->ctx);
    bool found, quit = false;
    do {
        rmd_atomic_store(&memory->sleeps, FOR_TASK, RMD_RELAXED);
        rmd_fence(RMD_SEQ_CST); /* see the head of ring.h */
        found = has_next(end);
        quit = !found && rmd_atomic_load(&memory->quit, RMD_RELAXED);
        RMDI_PLACE("sleeping");
        if (!found && !quit) {
            end->slept = true;
            (void)rmdi_park_shared(&memory->sleeps, FOR_TASK, RMD_FOREVER);
        }
    } while (!found && !quit);
    rmd_atomic_store(&memory->sleeps, 0, RMD_RELAXED);
    return found;
}
