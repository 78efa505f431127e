/* SPDX-License-Identifier: MIT */
/* A local is a number, and each rmdi_self has an array of values that is as long as it needs to be.
 *
 * Why nobody sees the value of a local that had the number before: a local is freed when no thread
 * has a value of it; so all arrays hold NULL there, or end before, when the number is given to the
 * next one.
 *
 * That is what `holders` counts, which only its own thread raises for a value it sets, and lowers
 * last of all when the value is gone, after its destructor. So when it is 0 nobody uses the local
 * any more, and it may be freed.
 *
 * In a child made by fork() there are no other threads, and nothing that would tell which local
 * they had values of; nor could a list of locals be trusted, which one of them may have been
 * changing. So the count carries the generation of the process in its upper half, and one of
 * another generation is 0. The child's one thread counts its own values anew, with those that are
 * in their destructors, before it can have started another. The numbers are given by atomic
 * operations alone, since a lock could be held by a thread that is not there any more.
 *
 * Orders. The holder that leaves is a release, and reading the count in free() an acquire: whoever
 * frees comes after all that the other threads did with the local. Numbers publish nothing. */
#include "sync/local_value.h"

#include "base/alloc.h"
#include "base/error.h"
#include "port/forked.h"
#include "port/thread_end.h"
#include "sync/thread.h"

#include <remuda/atomics.h>
#include <string.h>

enum { PASSES_MAX = 4 };

struct rmd_local {
    void (*destroy)(void *value);
    rmd_atomic(uint64_t) holders; /* generation << 32 | threads that have a value */
    uint32_t index;
};

typedef struct slot {
    rmd_local *local; /* valid while there is a value */
    void *value;
} slot;

/* A value that its destructor has: no more in its slot, but it counts. */
typedef struct flight {
    rmd_local *local;
    struct flight *outer; /* of the destructor in which this one runs */
} flight;

struct rmdi_values {
    uint32_t len, held; /* slots; values in them */
    flight *in_flight;  /* NULL: no destructor runs */
    slot slots[];
};

/* ---- numbers ---- */

enum { WORD_BITS = 64, WORDS = RMD_LOCALS_MAX / WORD_BITS };

RMD_STATIC rmd_atomic(uint64_t) taken[WORDS];

/* Takes a bit that is not set. -1: all are. */
static int take_bit(rmd_atomic(uint64_t) *word)
{
    uint64_t seen = rmd_atomic_load(word, RMD_RELAXED);
    for (int bit = 0; bit < WORD_BITS; bit++)
        while (!(seen >> bit & 1))
            if (rmd_atomic_cas_weak(word, &seen, seen | UINT64_C(1) << bit, RMD_RELAXED,
                                    RMD_RELAXED))
                return bit;
    return -1;
}

/* RMD_EFULL when there is none. */
static int take_index(uint32_t *index)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        int bit = take_bit(&taken[i]);
        if (bit >= 0) {
            *index = i * WORD_BITS + (uint32_t)bit;
            return 0;
        }
    }
    return rmdi_fail(RMD_EFULL, "local: %d are open already", RMD_LOCALS_MAX);
}

static void give_index(uint32_t index)
{
    rmd_atomic_and(&taken[index / WORD_BITS], ~(UINT64_C(1) << index % WORD_BITS), RMD_RELAXED);
}

/* ---- how many hold it ---- */

/* Of the process: grows from parent to child. */
static uint64_t generation(void)
{
    return rmdi_process_mark() >> 32 << 32;
}

static uint32_t holders(rmd_local *local)
{
    uint64_t seen = rmd_atomic_load(&local->holders, RMD_ACQUIRE);
    return seen >> 32 << 32 == generation() ? (uint32_t)seen : 0;
}

static void add_holder(rmd_local *local)
{
    uint64_t now = generation(), seen = rmd_atomic_load(&local->holders, RMD_RELAXED), next;
    do
        next = seen >> 32 << 32 == now ? seen + 1 : now + 1;
    while (!rmd_atomic_cas_weak(&local->holders, &seen, next, RMD_RELAXED, RMD_RELAXED));
}

/* The last use of the local, unless we have another value of it. */
static void drop_holder(rmd_local *local)
{
    rmd_atomic_sub(&local->holders, 1, RMD_RELEASE);
}

/* ---- the values of a thread ---- */

static slot *slot_of(rmdi_self *self, const rmd_local *local)
{
    struct rmdi_values *values = self->values;
    return values && local->index < values->len ? &values->slots[local->index] : NULL;
}

static uint32_t len_for(uint32_t index)
{
    uint32_t len = 8;
    while (len <= index)
        len *= 2;
    return len;
}

/* What the system calls at the end of a thread: of one that rmd_thread_start() did not start, and
 * of one that sets values still later, in destructors of the system. */
static void end_own(void)
{
    rmdi_values_end(rmdi_self_now());
}

/* Makes the array long enough. */
static int grow(rmdi_self *self, uint32_t index)
{
    struct rmdi_values *values = self->values;
    uint32_t before = values ? values->len : 0, len = len_for(index);
    if (!values && rmdi_self_is_own()) { /* a coroutine's end is its own matter */
        int err = rmdi_thread_end_call(end_own);
        if (err)
            return rmdi_fail_errno(err, "local: the end of the thread cannot be watched");
    }
    values = rmdi_realloc(values, sizeof *values + len * sizeof *values->slots);
    if (!values)
        return rmdi_fail_memory();
    memset(&values->slots[before], 0, (len - before) * sizeof *values->slots);
    if (!before)
        *values = (struct rmdi_values){ .held = 0 };
    values->len = len;
    self->values = values;
    return 0;
}

static void take_out(rmdi_self *self, slot *s)
{
    s->value = NULL;
    self->values->held--;
}

static void put_in(rmdi_self *self, slot *s, rmd_local *local, void *value)
{
    if (!s->value) {
        add_holder(local);
        self->values->held++;
    }
    *s = (slot){ local, value };
}

/* The destructor may set values, and so move the array, and free other locals; but while there is
 * one in flight the array is not freed. */
static void destroy_value(rmdi_self *self, uint32_t index)
{
    slot *s = &self->values->slots[index];
    flight f = { .local = s->local, .outer = self->values->in_flight };
    void *value = s->value;
    self->values->in_flight = &f;
    take_out(self, s);
    if (f.local->destroy)
        f.local->destroy(value);
    self->values->in_flight = f.outer;
    drop_holder(f.local);
}

static void forget_value(rmdi_self *self, uint32_t index)
{
    slot *s = &self->values->slots[index];
    take_out(self, s);
    drop_holder(s->local);
}

static void for_each_value(rmdi_self *self, void (*fn)(rmdi_self *self, uint32_t index))
{
    for (uint32_t i = 0; i < self->values->len && self->values->held; i++)
        if (self->values->slots[i].value)
            fn(self, i);
}

static void free_array(rmdi_self *self)
{
    rmdi_free(self->values);
    self->values = NULL;
}

void rmdi_values_end(rmdi_self *self)
{
    if (!self->values)
        return;
    for (int pass = 0; pass < PASSES_MAX && self->values->held; pass++)
        for_each_value(self, destroy_value);
    for_each_value(self, forget_value);
    free_array(self);
}

/* The counts there are, are of the parent's generation: the first one begins anew. */
static void recount(rmdi_self *self, uint32_t index)
{
    add_holder(self->values->slots[index].local);
}

void rmdi_values_forked(rmdi_self *self)
{
    if (!self->values)
        return;
    for_each_value(self, recount);
    for (flight *f = self->values->in_flight; f; f = f->outer)
        add_holder(f->local);
}

/* ---- the public local ---- */

static int open_local(rmd_local *local, void (*destroy)(void *value))
{
    int err = rmdi_thread_list_watch_forks();
    if (err)
        return rmdi_fail_errno(err, "local");
    local->destroy = destroy;
    rmd_atomic_init(&local->holders, 0);
    return generation() ? take_index(&local->index) : rmdi_fail_memory();
}

int rmd_local_open(rmd_local **local, void (*destroy)(void *value))
{
    if (!local)
        return rmdi_fail(RMD_EINVAL, "local: no place for it was given");
    *local = NULL;
    rmd_local *l = rmdi_alloc_zeroed(sizeof *l);
    if (!l)
        return rmdi_fail_memory();
    int err = open_local(l, destroy);
    if (err < 0)
        rmdi_free(l);
    else
        *local = l;
    return err;
}

/* Of the calling thread. */
static void destroy_own(rmdi_self *self, rmd_local *local)
{
    slot *s;
    for (int pass = 0; pass < PASSES_MAX && (s = slot_of(self, local)) && s->value; pass++)
        destroy_value(self, local->index);
    if ((s = slot_of(self, local)) && s->value)
        forget_value(self, local->index);
    if (self->values && !self->values->held && !self->values->in_flight)
        free_array(self);
}

int rmd_local_free(rmd_local *local)
{
    if (!local)
        return 0;
    rmdi_self *self = rmdi_self_now();
    uint32_t own = rmd_local_get(local) ? 1 : 0, all = holders(local);
    if (all > own)
        return rmdi_fail(RMD_EBUSY, "local: %u other threads have a value of it", all - own);
    destroy_own(self, local);
    give_index(local->index);
    rmdi_free(local);
    return 0;
}

int rmd_local_set(rmd_local *local, void *value)
{
    if (!local)
        return rmdi_fail(RMD_EINVAL, "set: no local was given");
    rmdi_self *self = rmdi_self_now();
    slot *s = slot_of(self, local);
    if (!value) {
        if (s && s->value)
            forget_value(self, local->index);
        return 0;
    }
    int err = s ? 0 : grow(self, local->index);
    if (err < 0)
        return err;
    put_in(self, slot_of(self, local), local, value);
    return 0;
}

void *rmd_local_get(const rmd_local *local)
{
    slot *s = local ? slot_of(rmdi_self_now(), local) : NULL;
    return s ? s->value : NULL;
}
