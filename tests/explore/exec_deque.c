/* SPDX-License-Identifier: MIT */
/* The deque of a worker: every item is obtained once, with what was written before it was put in;
 * the oldest leave in the order in which they came; "there was none" is true. A deque has four
 * cells here. */
#include "crew.h"
#include "exec/deque.h"

enum { NUMBERS = 12 };

typedef struct herd {
    rmdi_deque deque;
    int payloads[NUMBERS]; /* an item is the place of its number here */
    int put;               /* the owner's: so many have been put in, in order */
    int oldest[3];         /* the owner's and the thieves': the number taken from the top last */
    rmd_atomic(int) got;   /* as bits, one for each number */
} herd;

static herd h;

enum { OWNER, THIEF_1, THIEF_2 };

static void begin(void)
{
    h = (herd){ 0 };
    rmd_atomic_init(&h.deque.top, 0);
    rmd_atomic_init(&h.deque.bottom, 0);
    for (int i = 0; i < RMDI_DEQUE_MAX; i++)
        rmd_atomic_init(&h.deque.cells[i], NULL);
    rmd_atomic_init(&h.got, 0);
    for (int i = 0; i < 3; i++)
        h.oldest[i] = -1;
}

static int note_got(const int *item)
{
    int number = (int)(item - h.payloads);
    RMD_ASSERT(RMD_PLAIN(*item) == number + 1);
    RMD_ASSERT(!(rmd_atomic_or(&h.got, 1 << number, RMD_RELAXED) & 1 << number));
    return number;
}

/* Each who takes from the top finds growing numbers. */
static void note_oldest(int who, const int *item)
{
    int number = note_got(item);
    RMD_ASSERT(number > h.oldest[who]);
    h.oldest[who] = number;
}

/* ---- what the owner does ---- */

static bool put(void)
{
    RMD_PLAIN_SET(h.payloads[h.put], h.put + 1);
    bool done = rmdi_deque_push(&h.deque, &h.payloads[h.put]);
    h.put += done;
    return done;
}

static bool take(void)
{
    int *item = rmdi_deque_take(&h.deque);
    if (item)
        note_got(item);
    return item;
}

static bool take_oldest(void)
{
    int *item = rmdi_deque_take_oldest(&h.deque);
    if (item)
        note_oldest(OWNER, item);
    return item;
}

static bool steal(int who)
{
    bool again;
    int *item;
    do
        item = rmdi_deque_steal(&h.deque, &again);
    while (!item && again);
    if (item)
        note_oldest(who, item);
    return item;
}

/* With threads that have all ended. */
static void end(void)
{
    while (h.put % 2 ? take() : take_oldest())
        ;
    RMD_ASSERT(rmdi_deque_peek(&h.deque) == NULL);
    RMD_ASSERT(rmdi_deque_len(&h.deque) == 0);
    RMD_ASSERT(!steal(OWNER));
    RMD_ASSERT(rmd_atomic_load(&h.got, RMD_RELAXED) == (1 << h.put) - 1);
}

/* ---- what thieves do ---- */

static void steal_two(void *arg)
{
    int who = *(int *)arg;
    steal(who);
    steal(who);
}

static void steal_until_empty(void *arg)
{
    while (steal(*(int *)arg))
        ;
}

static void run(void (*own)(void *arg), void (*thief)(void *arg))
{
    crew all = { 0 };
    static int thieves[] = { THIEF_1, THIEF_2 };
    if (own)
        crew_add(&all, own, NULL, "owner");
    crew_add(&all, thief, &thieves[0], "thief 1");
    crew_add(&all, thief, &thieves[1], "thief 2");
    crew_join(&all);
    end();
}

/* ---- the newest ---- */

static void put_and_take(void *arg)
{
    (void)arg;
    put();
    put();
    take();
    put();
    take();
    take();
}

HARNESS(deque_put_and_take)
{
    begin();
    run(put_and_take, steal_two);
}

/* The last one is wanted by all three, again and again. */
static void one_by_one(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        put();
        take();
    }
}

HARNESS(deque_the_last_one)
{
    begin();
    run(one_by_one, steal_two);
}

/* The newest is replaced while a thief may still hold the number of an older one. */
static void replace_the_newest(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        take();
        put();
    }
}

HARNESS(deque_the_newest_is_replaced)
{
    begin();
    put();
    put();
    run(replace_the_newest, steal_two);
}

/* ---- the oldest ---- */

static void take_all_oldest(void *arg)
{
    (void)arg;
    put();
    take_oldest();
    put();
    put();
    while (take_oldest())
        ;
}

HARNESS(deque_the_owner_takes_its_oldest)
{
    begin();
    run(take_all_oldest, steal_two);
}

/* As a worker that waits for a task: both ends in turn. */
static void both_ends(void *arg)
{
    (void)arg;
    put();
    put();
    put();
    take_oldest();
    take();
    put();
    steal(OWNER);
    take();
}

HARNESS(deque_the_owner_takes_at_both_ends)
{
    begin();
    run(both_ends, steal_two);
}

/* ---- full, and round ---- */

static void fill_and_go_round(void *arg)
{
    (void)arg;
    for (int i = 0; i < NUMBERS; i++)
        while (!put())
            if (!take_oldest())
                rmd_pause();
}

HARNESS(deque_goes_round)
{
    begin();
    run(fill_and_go_round, steal_until_empty);
}

static void wait_when_full(void *arg)
{
    (void)arg;
    for (int i = 0; i < RMDI_DEQUE_MAX + 3; i++)
        if (!put())
            take();
}

HARNESS(deque_is_full)
{
    begin();
    for (int i = 0; i < RMDI_DEQUE_MAX; i++)
        RMD_ASSERT(put());
    RMD_ASSERT(!put());
    RMD_ASSERT(rmdi_deque_len(&h.deque) == RMDI_DEQUE_MAX);
    run(wait_when_full, steal_two);
}

/* ---- "there was none" ---- */

/* Nobody puts any more: who is told so leaves nothing behind. */
static void steal_all(void *arg)
{
    while (steal(*(int *)arg))
        ;
    RMD_ASSERT(rmdi_deque_len(&h.deque) == 0);
}

HARNESS(deque_is_said_to_be_empty_when_it_is)
{
    begin();
    put();
    put();
    put();
    crew all = { 0 };
    int thieves[] = { THIEF_1, THIEF_2 };
    crew_add(&all, steal_all, &thieves[0], "thief 1");
    crew_add(&all, steal_all, &thieves[1], "thief 2");
    crew_join(&all);
    RMD_ASSERT(rmd_atomic_load(&h.got, RMD_RELAXED) == (1 << h.put) - 1);
    end();
}

/* ---- hints ---- */

static void look(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(rmdi_deque_len(&h.deque) <= RMDI_DEQUE_MAX);
}

static void peek_and_take(void *arg)
{
    (void)arg;
    put();
    put();
    int *newest = rmdi_deque_peek(&h.deque);
    RMD_ASSERT(!newest || newest == &h.payloads[1]);
    take();
    newest = rmdi_deque_peek(&h.deque);
    RMD_ASSERT(!newest || newest == &h.payloads[0]);
}

HARNESS(deque_hints)
{
    static int thief = THIEF_1;
    crew all = { 0 };
    begin();
    crew_add(&all, peek_and_take, NULL, "owner");
    crew_add(&all, steal_two, &thief, "thief");
    crew_add(&all, look, NULL, "looker");
    crew_join(&all);
    end();
}

/* ---- any way ---- */

static void do_anything(void *arg)
{
    (void)arg;
    for (int i = 0; i < 7; i++)
        switch (rmd_explore_choose(5)) {
        case 0: take(); break;
        case 1: take_oldest(); break;
        case 2: steal(OWNER); break;
        default: put(); break;
        }
}

HARNESS(deque_any_way)
{
    begin();
    for (unsigned i = rmd_explore_choose(4); i > 0; i--)
        put();
    run(do_anything, steal_two);
}

/* ---- the owner is a role ---- */

static rmd_atomic(uint32_t) turn;

static void own_first(void *arg)
{
    (void)arg;
    put();
    put();
    take();
    rmd_atomic_store(&turn, 1, RMD_RELEASE);
}

static void own_second(void *arg)
{
    (void)arg;
    while (!rmd_atomic_load(&turn, RMD_ACQUIRE))
        rmd_pause();
    put();
    take_oldest();
    put();
    take();
}

HARNESS(deque_is_handed_over)
{
    static int thief = THIEF_1;
    crew all = { 0 };
    begin();
    rmd_atomic_init(&turn, 0);
    crew_add(&all, own_first, NULL, "owner 1");
    crew_add(&all, own_second, NULL, "owner 2");
    crew_add(&all, steal_two, &thief, "thief");
    crew_join(&all);
    end();
}
