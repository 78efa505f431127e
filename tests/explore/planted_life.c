/* SPDX-License-Identifier: MIT */
/* Planted bugs of beginning and end: outcomes that come twice, memory and stack frames that are
 * used after their end or have none, processes that die, allocations that fail. */
#include "base/alloc.h"
#include "small_lock.h"

#include <stdlib.h>
#include <string.h>

/* ---- one outcome ---- */

/* A future completed by whoever is first. Looking and then storing lets both be first. */
enum { PENDING, OK, CANCELLED, TIMED_OUT };

static struct {
    rmd_atomic(uint32_t) outcome;
    rmd_atomic(int) callbacks;
    rmd_atomic(void *) frame; /* where the waiter's node is; NULL: nobody waits */
    bool broken;
} future;

static bool complete(uint32_t outcome)
{
    uint32_t found = PENDING;
    if (future.broken) {
        if (rmd_atomic_load(&future.outcome, RMD_ACQUIRE) != PENDING)
            return false;
        rmd_atomic_store(&future.outcome, outcome, RMD_RELEASE);
    } else if (!rmd_atomic_cas(&future.outcome, &found, outcome, RMD_ACQ_REL, RMD_ACQUIRE)) {
        return false;
    }
    rmd_atomic_add(&future.callbacks, 1, RMD_RELAXED);
    rmdi_unpark_all(&future.outcome);
    return true;
}

static void future_init(bool broken)
{
    future.broken = broken;
    rmd_atomic_init(&future.outcome, PENDING);
    rmd_atomic_init(&future.callbacks, 0);
    rmd_atomic_init(&future.frame, NULL);
}

static void finish(void *arg)
{
    (void)arg;
    complete(OK);
}

static void cancel(void *arg)
{
    (void)arg;
    complete(CANCELLED);
}

PLANTED(double_completion, RMD_EXPLORE_ASSERTION)
{
    future_init(broken);
    run_together((void (*const[])(void *)){ finish, cancel }, NULL, 2);
    RMD_ASSERT(rmd_atomic_load(&future.callbacks, RMD_RELAXED) == 1);
}

/* The deadline passes while the other one completes. */
static void wait_an_hour(void *arg)
{
    rmd_deadline deadline = rmd_after_ms(3600 * 1000);
    (void)arg;
    while (rmd_atomic_load(&future.outcome, RMD_ACQUIRE) == PENDING) {
        if (rmdi_park(&future.outcome, PENDING, deadline) && complete(TIMED_OUT))
            break;
    }
}

PLANTED(timeout_races_completion, RMD_EXPLORE_ASSERTION)
{
    future_init(broken);
    run_together((void (*const[])(void *)){ wait_an_hour, finish }, NULL, 2);
    RMD_ASSERT(rmd_atomic_load(&future.callbacks, RMD_RELAXED) == 1);
}

/* ---- the stack frame of a sleeper ---- */

/* The waiter's node lies in its frame. Whoever has the node's address from the future is going to
 * use it, so a waiter whose time is up must take the address back, or wait for its use to end. */
typedef struct node {
    rmd_atomic(uint32_t) woken;
} node;

static bool sleep_in(node *mine)
{
    rmd_deadline deadline = rmd_after_ms(10);
    void *expected = mine;
    while (rmd_atomic_load(&mine->woken, RMD_ACQUIRE) == 0)
        if (rmdi_park(&mine->woken, 0, deadline))
            break;
    if (future.broken || rmd_atomic_cas(&future.frame, &expected, NULL, RMD_ACQUIRE, RMD_RELAXED))
        return false;
    while (rmd_atomic_load(&mine->woken, RMD_ACQUIRE) == 0)
        rmdi_park(&mine->woken, 0, RMD_FOREVER);
    return true;
}

__attribute__((noinline)) static bool wait_in_a_frame(void)
{
    node mine;
    rmd_atomic_init(&mine.woken, 0);
    rmd_atomic_store(&future.frame, &mine, RMD_RELEASE);
    return sleep_in(&mine);
}

static void wait_with_frame(void *arg)
{
    (void)arg;
    wait_in_a_frame();
    rmd_explore_point();
}

static void wake_frame(void *arg)
{
    (void)arg;
    node *theirs = rmd_atomic_exchange(&future.frame, NULL, RMD_ACQ_REL);
    if (!theirs)
        return;
    rmd_atomic_store(&theirs->woken, 1, RMD_RELEASE);
    rmdi_unpark_one(&theirs->woken);
}

PLANTED(frame_used_after_timeout, RMD_EXPLORE_FREED)
{
    future_init(broken);
    run_together((void (*const[])(void *)){ wait_with_frame, wake_frame }, NULL, 2);
}

/* ---- memory ---- */

typedef struct object {
    rmd_atomic(int) references;
    int value;
} object;

static struct {
    rmd_atomic(object *) current;
    rmd_atomic(object *) hazard;
    small_lock lock;
    bool broken;
} shelf;

static object *new_object(void)
{
    object *o = rmdi_alloc(sizeof *o);
    rmd_atomic_init(&o->references, 1);
    RMD_PLAIN_SET(o->value, 7);
    return o;
}

static void shelf_init(bool broken)
{
    shelf.broken = broken;
    small_lock_init(&shelf.lock);
    rmd_atomic_init(&shelf.hazard, NULL);
    rmd_atomic_init(&shelf.current, new_object());
}

static void drop_reference(object *o, rmd_atomic(int) *references, int order)
{
    if (rmd_atomic_sub(references, 1, order) == 1)
        rmdi_free(o);
}

/* Takes a reference: under the lock, else the last one may be dropped between the two steps. */
static void read_with_reference(void *arg)
{
    (void)arg;
    if (!shelf.broken)
        small_lock_take(&shelf.lock);
    object *o = rmd_atomic_load(&shelf.current, RMD_ACQUIRE);
    if (o)
        rmd_atomic_add(&o->references, 1, RMD_RELAXED);
    if (!shelf.broken)
        small_lock_drop(&shelf.lock);
    if (!o)
        return;
    RMD_ASSERT(RMD_PLAIN(o->value) == 7);
    drop_reference(o, &o->references, RMD_ACQ_REL);
}

static void remove_current(void *arg)
{
    (void)arg;
    small_lock_take(&shelf.lock);
    object *o = rmd_atomic_exchange(&shelf.current, NULL, RMD_ACQ_REL);
    small_lock_drop(&shelf.lock);
    drop_reference(o, &o->references, RMD_ACQ_REL);
}

PLANTED(reader_without_reference, RMD_EXPLORE_FREED)
{
    shelf_init(broken);
    run_together((void (*const[])(void *)){ read_with_reference, remove_current }, NULL, 2);
}

/* A hazard pointer (Michael, IEEE TPDS 2004): announced, fence, looked at again. */
static void read_with_hazard(void *arg)
{
    (void)arg;
    object *o = rmd_atomic_load(&shelf.current, RMD_ACQUIRE);
    rmd_atomic_store(&shelf.hazard, o, RMD_RELEASE);
    if (!shelf.broken)
        rmd_fence(RMD_SEQ_CST);
    if (o && rmd_atomic_load(&shelf.current, RMD_ACQUIRE) == o)
        RMD_ASSERT(RMD_PLAIN(o->value) == 7);
    rmd_atomic_store(&shelf.hazard, NULL, RMD_RELEASE);
}

static void remove_unless_hazard(void *arg)
{
    (void)arg;
    object *o = rmd_atomic_exchange(&shelf.current, NULL, RMD_ACQ_REL);
    rmd_fence(RMD_SEQ_CST);
    while (rmd_atomic_load(&shelf.hazard, RMD_ACQUIRE) == o)
        rmd_pause();
    RMD_PLAIN_SET(o->value, 0); /* it is used for something else */
}

PLANTED(hazard_without_fence, RMD_EXPLORE_RACE)
{
    shelf_init(broken);
    object *o = rmd_atomic_load(&shelf.current, RMD_RELAXED);
    run_together((void (*const[])(void *)){ read_with_hazard, remove_unless_hazard }, NULL, 2);
    rmdi_free(o);
}

/* The last reference: what the others did must be known to who frees. */
static void use_and_drop(void *arg)
{
    (void)arg;
    object *o = rmd_atomic_load(&shelf.current, RMD_ACQUIRE);
    RMD_ASSERT(RMD_PLAIN(o->value) == 7);
    drop_reference(o, &o->references, shelf.broken ? RMD_RELAXED : RMD_ACQ_REL);
}

PLANTED(last_reference_relaxed, RMD_EXPLORE_RACE)
{
    shelf_init(broken);
    rmd_atomic_add(&rmd_atomic_load(&shelf.current, RMD_RELAXED)->references, 1, RMD_RELAXED);
    run_together((void (*const[])(void *)){ use_and_drop, use_and_drop }, NULL, 2);
}

/* Made by the first who needs it; who comes second has made one in vain. */
static void make_if_missing(void *arg)
{
    (void)arg;
    object *found = rmd_atomic_load(&shelf.current, RMD_ACQUIRE);
    if (found)
        return;
    object *mine = new_object();
    if (!rmd_atomic_cas(&shelf.current, &found, mine, RMD_ACQ_REL, RMD_ACQUIRE) && !shelf.broken)
        rmdi_free(mine);
}

PLANTED(made_twice_and_freed_once, RMD_EXPLORE_LEAK)
{
    shelf.broken = broken;
    rmd_atomic_init(&shelf.current, NULL);
    run_together((void (*const[])(void *)){ make_if_missing, make_if_missing }, NULL, 2);
    rmdi_free(rmd_atomic_load(&shelf.current, RMD_ACQUIRE));
}

/* Both see that it is closed for the last time. */
static void close_shelf(void *arg)
{
    (void)arg;
    object *o = rmd_atomic_load(&shelf.current, RMD_ACQUIRE);
    if (shelf.broken)
        rmd_atomic_store(&shelf.current, NULL, RMD_RELEASE);
    else
        o = rmd_atomic_exchange(&shelf.current, NULL, RMD_ACQ_REL);
    rmdi_free(o);
}

PLANTED(freed_twice, RMD_EXPLORE_FREED)
{
    shelf_init(broken);
    run_together((void (*const[])(void *)){ close_shelf, close_shelf }, NULL, 2);
}

/* ---- the C library's memory, as a user's program has it ---- */

typedef struct counted {
    rmd_atomic(int) refs;
    int value;
} counted;

static void drop_node(counted *n)
{
    if (rmd_atomic_sub(&n->refs, 1, RMD_ACQ_REL) == 1)
        free(n);
}

static void use_own_nodes(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) { /* an address that came twice would look like a race */
        counted *n = malloc(sizeof *n);
        RMD_ASSERT(n);
        rmd_atomic_init(&n->refs, 1);
        RMD_PLAIN_SET(n->value, i);
        drop_node(n);
    }
}

static struct {
    rmd_atomic(counted *) current;
    bool broken;
} library;

static void read_node(void *arg)
{
    counted *n = rmd_atomic_load(&library.current, RMD_ACQUIRE);
    use_own_nodes(arg);
    RMD_ASSERT(rmd_atomic_load(&n->refs, RMD_RELAXED) > 0);
    drop_node(n);
}

PLANTED(malloc_used_after_free, RMD_EXPLORE_FREED)
{
    counted *n = calloc(1, sizeof *n);
    RMD_ASSERT(n);
    rmd_atomic_store(&n->refs, broken ? 1 : 2, RMD_RELAXED); /* it was begun by calloc() */
    rmd_atomic_init(&library.current, n);
    run_together((void (*const[])(void *)){ read_node, read_node }, NULL, 2);
}

static void grow(void *arg)
{
    char *text = malloc(3);
    (void)arg;
    text = realloc(text, 20);
    strcpy(text, "long enough");
    if (library.broken && rmd_atomic_load(&library.current, RMD_ACQUIRE))
        return;
    rmd_atomic_store(&library.current, (counted *)(void *)text, RMD_RELEASE);
    free(text);
}

PLANTED(malloc_not_freed_by_the_second, RMD_EXPLORE_LEAK)
{
    library.broken = broken;
    rmd_atomic_init(&library.current, NULL);
    run_together((void (*const[])(void *)){ grow, grow }, NULL, 2);
}

/* ---- allocations that fail ---- */

static struct {
    small_lock lock;
    int len;
    void *items[4];
    bool broken;
} list;

/* Counts the item before there is one. */
static void append(void *arg)
{
    (void)arg;
    small_lock_take(&list.lock);
    int at = RMD_PLAIN(list.len);
    if (list.broken)
        RMD_PLAIN_SET(list.len, at + 1);
    void *item = rmdi_alloc(8);
    if (item) {
        RMD_PLAIN_SET(list.items[at], item);
        RMD_PLAIN_SET(list.len, at + 1);
    }
    small_lock_drop(&list.lock);
}

PLANTED(failed_allocation_is_counted, RMD_EXPLORE_ASSERTION, .faults_max = 1,
        .fail_allocations = true)
{
    small_lock_init(&list.lock);
    list.len = 0;
    list.broken = broken;
    for (int i = 0; i < 4; i++)
        list.items[i] = NULL;
    run_together((void (*const[])(void *)){ append, append }, NULL, 2);
    for (int i = 0; i < list.len; i++) {
        RMD_ASSERT(list.items[i]);
        rmdi_free(list.items[i]);
    }
}

/* ---- a process that dies ---- */

/* Two words that belong together, shared by processes under a lock. Who finds the lock held by a
 * process that is dead takes it over and repairs the words. */
static struct {
    rmd_atomic(uint32_t) lock; /* 0, or the number of the process */
    int left, right;
    bool broken;
} shared;

static void change_shared(void *arg)
{
    uint32_t found = 0;
    (void)arg;
    while (!rmd_atomic_cas(&shared.lock, &found, 1, RMD_ACQUIRE, RMD_RELAXED)) {
        rmdi_park(&shared.lock, found, rmd_after_ms(10));
        found = 0;
    }
    RMD_PLAIN_SET(shared.left, RMD_PLAIN(shared.left) + 1);
    RMD_PLAIN_SET(shared.right, RMD_PLAIN(shared.right) + 1);
    rmd_atomic_store(&shared.lock, 0, RMD_RELEASE);
    rmdi_unpark_one(&shared.lock);
}

static void lock_robustly(rmd_explore_thread *other)
{
    uint32_t found = 0;
    while (!rmd_atomic_cas(&shared.lock, &found, 2, RMD_ACQUIRE, RMD_RELAXED)) {
        bool dead = !shared.broken && rmd_explore_killed(other);
        if (dead && rmd_atomic_cas(&shared.lock, &found, 2, RMD_ACQUIRE, RMD_RELAXED)) {
            RMD_PLAIN_SET(shared.right, RMD_PLAIN(shared.left));
            return;
        }
        if (!dead)
            rmdi_park(&shared.lock, found, rmd_after_ms(10));
        found = 0;
    }
}

PLANTED(killed_with_the_lock, RMD_EXPLORE_LIVELOCK, .kills_max = 1, .steps_max = 500)
{
    rmd_atomic_init(&shared.lock, 0);
    shared.left = shared.right = 0;
    shared.broken = broken;
    rmd_explore_thread *process = rmd_explore_process(change_shared, NULL, "process");
    lock_robustly(process);
    RMD_ASSERT(RMD_PLAIN(shared.left) == RMD_PLAIN(shared.right));
    rmd_atomic_store(&shared.lock, 0, RMD_RELEASE);
    rmdi_unpark_one(&shared.lock);
    rmd_explore_join(process);
}

/* Takes the lock over, and believes the words. */
PLANTED(killed_between_two_words, RMD_EXPLORE_ASSERTION, .kills_max = 1)
{
    rmd_atomic_init(&shared.lock, 0);
    shared.left = shared.right = 0;
    shared.broken = false;
    rmd_explore_thread *process = rmd_explore_process(change_shared, NULL, "process");
    if (!rmd_explore_join(process) && !broken)
        RMD_PLAIN_SET(shared.right, RMD_PLAIN(shared.left));
    RMD_ASSERT(RMD_PLAIN(shared.left) == RMD_PLAIN(shared.right));
}

/* ---- what a body must not do ---- */

static void keep_count(void *arg)
{
    static int calls;
    bool *counts = arg;
    for (int i = *counts ? calls++ % 50 : 0; i > 0; i--)
        rmd_explore_point();
    rmd_explore_point();
}

PLANTED(body_depends_on_a_static_variable, RMD_EXPLORE_DIFFERS)
{
    run_together((void (*const[])(void *)){ keep_count, keep_count, keep_count }, &broken, 3);
}
