/* SPDX-License-Identifier: MIT */
/* Each future that was added has an entry, hooked to its end, which moves it from `pending` to
 * `ended` and wakes one who waits. The lock is held for that, and in free() while the entries are
 * unhooked: an entry that cannot be unhooked any more is being run, waits for the lock, and frees
 * itself. The last reference, of the owner or an entry, frees the whole.
 *
 * Who waits for one that its own thread has to work for, on its loop, turns that, also for the
 * others: an end elsewhere sends something to the loop, which ends the turn.
 *
 * A search for circles (waits.c) acquires it with the lock of all waits held, and perhaps those of
 * groups: so none of these is acquired while it is held. */
#include "exec/completions.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/list.h"
#include "exec/future_wait.h"
#include "exec/waits.h"
#include "loop/loop.h"
#include "port/forked.h"
#include "sync/condition.h"
#include "sync/lock.h"

typedef struct entry {
    rmdi_link link; /* in pending or ended */
    rmdi_on_end hook;
    rmd_completions *completions;
    rmd_future *future;
    uint64_t tag; /* whatever came with it */
    bool special; /* its kind has how_to_wait() */
} entry;

struct rmd_completions {
    uint64_t process; /* rmdi_process_mark() of its owner */
    rmdi_lock lock;
    rmdi_condition changed;
    /* guarded by the lock: */
    rmdi_link pending, ended;
    rmdi_link turners; /* who turns a loop until there is one */
    size_t left;
    size_t special;    /* of those pending, that are not always waited for parked */
    size_t references; /* the owner's, and one for each pending entry */
    bool freed;
};

/* On its thread's stack. */
typedef struct turner {
    rmdi_link link;
    rmdi_post post;
    rmd_loop *loop;
} turner;

static entry *of_link(rmdi_link *link)
{
    return RMDI_CONTAINER(link, entry, link);
}

/* With the lock held, which is released. */
static void drop(rmd_completions *c)
{
    bool last = --c->references == 0;
    rmdi_lock_release(&c->lock);
    if (last)
        rmdi_free(c);
}

/* With the lock held: so each is there as long as it is sent something. */
static void tell_turners(rmd_completions *c)
{
    for (rmdi_link *l = c->turners.next; l != &c->turners; l = l->next) {
        turner *t = RMDI_CONTAINER(l, turner, link);
        rmdi_loop_send(t->loop, &t->post);
    }
}

/* The hook. With the lock held, which is released. */
static void note_end(entry *e)
{
    rmd_completions *c = e->completions;
    rmdi_list_remove(&e->link);
    c->special -= e->special;
    if (c->freed) {
        rmdi_free(e);
    } else {
        rmdi_list_append(&c->ended, &e->link);
        tell_turners(c);
        rmdi_condition_notify_one(&c->changed);
    }
    drop(c);
}

static void on_end(rmd_future *future, void *ctx)
{
    entry *e = ctx;
    (void)future;
    rmdi_lock_enter(&e->completions->lock);
    note_end(e);
}

static int check_process(const rmd_completions *c)
{
    if (rmdi_process_is(c->process))
        return 0;
    return rmdi_fail(RMD_EFORKED, "the completions belong to the process that opened them");
}

int rmdi_completions_add(rmd_completions *c, rmd_future *future, uint64_t tag)
{
    if (!c)
        return rmdi_fail(RMD_EINVAL, "completions: none were given");
    int err = check_process(c);
    if (err == 0)
        err = rmdi_future_check(future, "completions");
    if (err < 0)
        return err;
    entry *e = rmdi_alloc(sizeof *e);
    if (!e)
        return rmdi_fail_memory();
    *e = (entry){
        .hook = { .fn = on_end, .ctx = e }, .completions = c, .future = future, .tag = tag
    };
    e->special = future->ops->how_to_wait != NULL;
    rmdi_lock_enter(&c->lock);
    rmdi_list_append(&c->pending, &e->link);
    c->left++;
    c->special += e->special;
    c->references++;
    if (rmdi_future_hook(future, &e->hook))
        rmdi_lock_release(&c->lock);
    else
        note_end(e); /* it has ended before */
    return 0;
}

int rmd_completions_add(rmd_completions *c, rmd_future *future)
{
    return rmdi_completions_add(c, future, 0);
}

static int add_all(rmd_completions *c, rmd_future *const *futures, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int err = rmd_completions_add(c, futures[i]);
        if (err < 0)
            return err;
    }
    return 0;
}

int rmd_completions_open(rmd_completions **completions, rmd_future *const *futures, size_t n)
{
    if (!completions || (!futures && n))
        return rmdi_fail(RMD_EINVAL, "completions: a place for them, and futures, must be given");
    rmd_completions *c = rmdi_alloc_zeroed(sizeof *c);
    if (!c)
        return rmdi_fail_memory();
    c->process = rmdi_process_mark();
    if (!c->process) {
        rmdi_free(c);
        return rmdi_fail_memory();
    }
    c->references = 1;
    rmdi_list_init(&c->pending);
    rmdi_list_init(&c->ended);
    rmdi_list_init(&c->turners);
    int err = add_all(c, futures, n);
    if (err < 0) {
        rmd_completions_free(c);
        return err;
    }
    *completions = c;
    return 0;
}

void rmd_completions_free(rmd_completions *c)
{
    /* In a forked child another thread may have held the lock, and hooks lie in the memory. */
    if (!c || !rmdi_process_is(c->process))
        return;
    rmdi_lock_enter(&c->lock);
    c->freed = true;
    for (rmdi_link *l = c->pending.next, *next; l != &c->pending; l = next) {
        next = l->next;
        if (!rmdi_future_unhook(of_link(l)->future, &of_link(l)->hook))
            continue; /* it is just ending, and waits for the lock */
        rmdi_list_remove(l);
        rmdi_free(of_link(l));
        c->references--;
    }
    for (rmdi_link *l; (l = rmdi_list_take_first(&c->ended));)
        rmdi_free(of_link(l));
    drop(c);
}

/* ---- the next one ---- */

/* One that has not begun, held; NULL: there is none. The first is put last, so that each is come
 * by. With the lock held. */
static rmd_future *candidate(rmd_completions *c)
{
    rmdi_link *first = c->pending.next;
    if (first == &c->pending)
        return NULL;
    rmd_future *future = of_link(first)->future;
    rmdi_list_remove(first);
    rmdi_list_append(&c->pending, first);
    /* Relaxed: a hint. */
    if (!rmdi_future_may_help(future) ||
        rmd_atomic_load(&future->word, RMD_RELAXED) & (RMDI_FUTURE_STATE | RMDI_FUTURE_HELD))
        return NULL;
    rmdi_future_hold(future);
    return future;
}

/* Runs one of them that has not begun: 1, else 0. With the lock held, which is released meanwhile.
 * RMD_EFORKED, without the lock: what was run has forked, and this is the child. */
static int help(rmd_completions *c, rmd_deadline deadline)
{
    bool helped = false;
    for (size_t tries = c->left; tries > 0 && !helped && rmdi_list_empty(&c->ended); tries--) {
        rmd_future *future = candidate(c);
        if (!future)
            continue;
        rmdi_lock_release(&c->lock);
        helped = rmdi_future_help(future, deadline, true);
        int err = check_process(c);
        if (err < 0)
            return err;
        rmdi_future_drop(future);
        rmdi_lock_enter(&c->lock);
    }
    return helped;
}

bool rmdi_completions_any(rmd_completions *c, bool (*fn)(rmd_future *future, void *ctx), void *ctx)
{
    rmdi_lock_enter(&c->lock);
    bool found = !rmdi_list_empty(&c->ended) || rmdi_list_empty(&c->pending);
    for (rmdi_link *l = c->pending.next; l != &c->pending && !found; l = l->next)
        found = fn(of_link(l)->future, ctx);
    rmdi_lock_release(&c->lock);
    return found;
}

/* Without the lock: the lock of all waits comes before it. */
static int sleep_unlocked(rmd_completions *c, rmd_deadline deadline)
{
    rmdi_waits waits;
    int err = rmdi_waits_begin(&waits, (rmdi_awaited){ .any = c }, deadline);
    if (err < 0)
        return err;
    rmdi_lock_enter(&c->lock);
    while (err == 0 && rmdi_list_empty(&c->ended) && c->left)
        err = rmdi_condition_wait(&c->changed, &c->lock, deadline);
    rmdi_lock_release(&c->lock);
    rmdi_waits_end(&waits);
    return err;
}

static void do_nothing(void *ctx)
{
    (void)ctx;
}

/* Turns the loop once, or until one of the others has ended. With the lock held, which is released
 * meanwhile. */
static int turn(rmd_completions *c, rmd_future *future, rmd_deadline deadline)
{
    turner self = { .loop = future->ops->loop(future) };
    rmdi_post_init(&self.post, do_nothing, NULL);
    rmdi_list_append(&c->turners, &self.link);
    rmdi_future_hold(future);
    rmdi_lock_release(&c->lock);
    int err = future->ops->turn(future, deadline);
    rmdi_lock_enter(&c->lock);
    rmdi_list_remove(&self.link);
    rmdi_loop_unsend(self.loop, &self.post);
    rmdi_lock_release(&c->lock);
    rmdi_future_drop(future);
    rmdi_lock_enter(&c->lock);
    return err;
}

/* How can the calling thread wait for one of them? As how_to_wait(): 0: by turning, for *special.
 * RMD_EDEADLK: for none of them. With the lock held. */
static int how_to_wait(rmd_completions *c, rmd_future **special)
{
    int how = RMD_EDEADLK;
    if (!c->special)
        return RMD_EAGAIN;
    for (rmdi_link *l = c->pending.next; l != &c->pending; l = l->next) {
        *special = of_link(l)->future;
        const rmdi_future_ops *ops = (*special)->ops;
        int its = ops->how_to_wait ? ops->how_to_wait(*special) : RMD_EAGAIN;
        if (its == 0)
            return 0;
        if (its != RMD_EDEADLK)
            how = its;
    }
    return how;
}

/* With the lock held, which is released meanwhile. */
static int sleep_for_one(rmd_completions *c, rmd_deadline deadline)
{
    rmd_future *special;
    int err = how_to_wait(c, &special);
    if (err == 0)
        return turn(c, special, deadline);
    if (err != RMD_EAGAIN || deadline.ns <= 0)
        return err == RMD_EAGAIN ? RMD_ETIMEDOUT : err;
    rmdi_lock_release(&c->lock);
    err = sleep_unlocked(c, deadline);
    rmdi_lock_enter(&c->lock);
    return err;
}

/* With the lock held: waits until there is one, or none is left. RMD_EFORKED: without it. */
static int wait_for_one(rmd_completions *c, rmd_deadline deadline)
{
    int err = 0;
    while (err == 0 && rmdi_list_empty(&c->ended) && c->left) {
        int helped = deadline.ns == RMD_FOREVER.ns ? help(c, deadline) : 0;
        if (helped == RMD_EFORKED)
            return helped;
        if (!helped && rmdi_list_empty(&c->ended))
            err = sleep_for_one(c, deadline);
    }
    return rmdi_list_empty(&c->ended) ? err : 0;
}

static rmd_future *take(rmd_completions *c, uint64_t *tag)
{
    rmdi_link *link = rmdi_list_take_first(&c->ended);
    if (!link)
        return NULL;
    rmd_future *future = of_link(link)->future;
    *tag = of_link(link)->tag;
    rmdi_free(of_link(link));
    if (--c->left == 0)
        rmdi_condition_notify_all(&c->changed); /* who waits for another one waits in vain */
    return future;
}

int rmdi_completions_next(rmd_completions *c, rmd_future **future, uint64_t *tag,
                          rmd_deadline deadline)
{
    if (!c || !future)
        return rmdi_fail(RMD_EINVAL, "completions: they, and a place for a future, must be given");
    int err = check_process(c);
    if (err < 0)
        return err;
    rmdi_lock_enter(&c->lock);
    err = wait_for_one(c, deadline);
    if (err == RMD_EFORKED)
        return err;
    rmd_future *next = take(c, tag);
    size_t left = c->left;
    rmdi_lock_release(&c->lock);
    if (next) {
        *future = next;
        return 0;
    }
    if (err == RMD_EDEADLK)
        return err; /* it is told why */
    if (err < 0)
        return rmdi_fail(err, "%zu future%s not ended", left, left == 1 ? " has" : "s have");
    return rmdi_fail(RMD_ENOENT, "all futures have been given out");
}

int rmd_completions_next(rmd_completions *c, rmd_future **future, rmd_deadline deadline)
{
    uint64_t tag;
    return rmdi_completions_next(c, future, &tag, deadline);
}

size_t rmd_completions_left(const rmd_completions *completions)
{
    rmd_completions *c = (rmd_completions *)(uintptr_t)completions;
    if (!c || !rmdi_process_is(c->process))
        return 0;
    rmdi_lock_enter(&c->lock);
    size_t left = c->left;
    rmdi_lock_release(&c->lock);
    return left;
}
