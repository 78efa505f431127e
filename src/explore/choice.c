/* SPDX-License-Identifier: MIT */
#include "explore/choice.h"

#include "explore/heap.h"
#include "explore/vclock.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, THREAD_CODE = 1 /* + its number */ };

/* A place of the tree that EXHAUSTIVE walks: n ways on, the one taken. */
typedef struct branch {
    uint32_t ways, taken;
} branch;

/* PCT: at which step whoever runs gets another priority, and which. */
typedef struct change {
    uint32_t step;
    int priority;
} change;

static struct {
    const rmdi_plan *plan;
    uint64_t random, number; /* states of two generators: for decisions, and for the program */
    uint32_t decided;        /* decisions so far */
    uint32_t steps;
    size_t listed; /* entries of the list that are used up */
    bool fair;
    unsigned restless; /* RANDOM, STARVE: chance of a switch is 1 / 2^restless */
    unsigned calm;     /* chance of something unusual, in the same way */
    unsigned held_off; /* STARVE: who does not run, */
    uint32_t held_until;
    /* PCT */
    int priority[RMDI_FIBERS_MAX];
    int lowest;
    change changes[DEPTH_MAX]; /* the next one is the last */
    unsigned changes_len;
} now;

static struct {
    rmdi_choice *choices;
    size_t len, room;
    bool wanted;
} record;

static struct {
    branch *path;
    size_t len, room, at;
    unsigned spent, deviations_max;
} tree;

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(((next_random(&now.random) >> 32) * n) >> 32);
}

uint64_t rmdi_choice_random(void)
{
    return next_random(&now.number);
}

unsigned rmdi_choice_calm(void)
{
    return now.calm;
}

/* ---- beginning ---- */

static int later_first(const void *a, const void *b)
{
    const change *x = a, *y = b;
    return x->step < y->step ? 1 : x->step > y->step ? -1 : 0;
}

/* Priorities above the depth, in random order; changes give the ones below it. A later change may
 * give a higher one than an earlier change, or a lower one: else two threads could not
 * alternate. */
static void begin_pct(const rmdi_plan *plan)
{
    for (int i = 0; i < RMDI_FIBERS_MAX; i++)
        now.priority[i] = i;
    for (int i = RMDI_FIBERS_MAX - 1; i > 0; i--) {
        int j = (int)below((uint32_t)i + 1), kept = now.priority[i];
        now.priority[i] = now.priority[j];
        now.priority[j] = kept;
    }
    now.lowest = -DEPTH_MAX;
    now.changes_len = plan->depth > DEPTH_MAX ? DEPTH_MAX : plan->depth ? plan->depth - 1 : 0;
    for (unsigned i = 0; i < now.changes_len; i++)
        now.changes[i] = (change){ 1 + below(plan->length ? plan->length : 1), -1 - (int)i };
    qsort(now.changes, now.changes_len, sizeof *now.changes, later_first);
}

void rmdi_choice_begin(const rmdi_plan *plan)
{
    memset(&now, 0, sizeof now);
    now.plan = plan;
    now.random = plan->seed;
    now.number = ~plan->seed;
    record.len = 0;
    tree.at = tree.spent = 0;
    now.restless = below(5);
    now.calm = 2 + below(4);
    if (plan->strategy == RMD_EXPLORE_PCT)
        begin_pct(plan);
}

void rmdi_choice_be_fair(void)
{
    now.fair = true;
}

void rmdi_choice_record(bool wanted)
{
    record.wanted = wanted;
}

const rmdi_choice *rmdi_choice_recorded(size_t *len)
{
    *len = record.len;
    return record.choices;
}

void rmdi_choice_end(void)
{
    rmdi_real_free(record.choices);
    rmdi_real_free(tree.path);
    memset(&record, 0, sizeof record);
    memset(&tree, 0, sizeof tree);
}

/* ---- lists ---- */

static void note(uint32_t what)
{
    if (record.wanted && what) {
        if (record.len == record.room) {
            size_t room = record.room ? 2 * record.room : 256;
            rmdi_choice *grown = rmdi_real_realloc(record.choices, room * sizeof *grown);
            if (!grown)
                return; /* the list is then cut: it does not repeat, and that is noticed */
            record.choices = grown;
            record.room = room;
        }
        record.choices[record.len++] = (rmdi_choice){ now.decided, what };
    }
    now.decided++;
}

/* What the list says of the present decision; 0 when nothing. */
static uint32_t from_list(void)
{
    const rmdi_plan *plan = now.plan;
    while (now.listed < plan->list_len && plan->list[now.listed].at < now.decided)
        now.listed++;
    bool said = now.listed < plan->list_len && plan->list[now.listed].at == now.decided;
    return said ? plan->list[now.listed].what : 0;
}

/* ---- the tree ---- */

void rmdi_choice_exhaust(unsigned deviations_max)
{
    tree.len = 0;
    tree.deviations_max = deviations_max;
}

static branch *new_branch(unsigned ways)
{
    if (tree.len == tree.room) {
        size_t room = tree.room ? 2 * tree.room : 1024;
        branch *grown = rmdi_real_realloc(tree.path, room * sizeof *grown);
        if (!grown)
            return NULL;
        tree.path = grown;
        tree.room = room;
    }
    tree.path[tree.len] = (branch){ .ways = ways, .taken = 0 };
    return &tree.path[tree.len++];
}

/* free_of_charge: none of the ways is a deviation. */
static unsigned walk(unsigned ways, bool free_of_charge)
{
    if (!free_of_charge && tree.spent == tree.deviations_max)
        ways = 1;
    branch *b = tree.at < tree.len ? &tree.path[tree.at] : new_branch(ways);
    if (!b)
        return 0;
    tree.at++;
    tree.spent += !free_of_charge && b->taken;
    return b->taken < ways ? b->taken : 0;
}

bool rmdi_choice_next(void)
{
    while (tree.len) {
        branch *last = &tree.path[tree.len - 1];
        if (last->taken + 1 < last->ways) {
            last->taken++;
            return true;
        }
        tree.len--;
    }
    return false;
}

/* ---- deciding ---- */

bool rmdi_choice_is_eventful(void)
{
    if (now.plan->listed || now.plan->strategy == RMD_EXPLORE_EXHAUSTIVE)
        return true;
    if (!now.fair && (next_random(&now.random) & ((1u << now.calm) - 1)) == 0)
        return true;
    note(0);
    return false;
}

unsigned rmdi_choose(unsigned n, const uint32_t *what, unsigned odds)
{
    unsigned chosen = 0;
    if (n < 2)
        return 0;
    if (now.plan->listed) {
        uint32_t wanted = from_list();
        for (unsigned i = 1; wanted && i < n; i++)
            if ((what ? what[i] : i) == wanted)
                chosen = i;
    } else if (now.fair) {
        chosen = 0;
    } else if (now.plan->strategy == RMD_EXPLORE_EXHAUSTIVE) {
        chosen = walk(n, false);
    } else if ((next_random(&now.random) & ((1u << odds) - 1)) == 0) {
        chosen = 1 + below(n - 1);
    }
    note(chosen ? (what ? what[chosen] : chosen) : 0);
    return chosen;
}

unsigned rmdi_choose_evenly(unsigned n)
{
    unsigned chosen = 0;
    if (n < 2)
        return 0;
    if (now.plan->listed)
        chosen = from_list();
    else if (now.fair)
        chosen = 0;
    else if (now.plan->strategy == RMD_EXPLORE_EXHAUSTIVE)
        chosen = walk(n, true);
    else
        chosen = below(n);
    chosen = chosen < n ? chosen : 0;
    note(chosen);
    return chosen;
}

static unsigned nth(uint32_t set, unsigned n)
{
    while (n--)
        set &= set - 1;
    return (unsigned)__builtin_ctz(set);
}

/* The next in number after the current one, round and round. */
static unsigned after(uint32_t set, unsigned current)
{
    uint32_t higher = set & ~((2u << current) - 1);
    return (unsigned)__builtin_ctz(higher ? higher : set);
}

static unsigned ordinary(uint32_t set, unsigned current)
{
    return set >> current & 1 ? current : after(set, current);
}

static unsigned choose_random(uint32_t set, unsigned current)
{
    if (set >> current & 1 && (next_random(&now.random) & ((1u << now.restless) - 1)) != 0)
        return current;
    return nth(set, below((uint32_t)__builtin_popcount(set)));
}

/* Now and then somebody is held off for up to a thousand steps. */
static unsigned choose_starving(uint32_t set, unsigned current)
{
    if (now.steps >= now.held_until && below(64) == 0) {
        now.held_off = nth(set, below((uint32_t)__builtin_popcount(set)));
        now.held_until = now.steps + (1u << below(11));
    }
    uint32_t others = set & ~(1u << now.held_off);
    return choose_random(now.steps < now.held_until && others ? others : set, current);
}

static unsigned choose_pct(uint32_t set, uint32_t resting, unsigned current)
{
    if (resting >> current & 1)
        now.priority[current] = --now.lowest;
    while (now.changes_len && now.steps >= now.changes[now.changes_len - 1].step)
        now.priority[current] = now.changes[--now.changes_len].priority;
    unsigned best = (unsigned)__builtin_ctz(set);
    for (uint32_t rest = set; rest; rest &= rest - 1) {
        unsigned i = (unsigned)__builtin_ctz(rest);
        best = now.priority[i] > now.priority[best] ? i : best;
    }
    return best;
}

static unsigned choose_listed(uint32_t set, unsigned usual)
{
    uint32_t wanted = from_list();
    bool possible = wanted > 0 && wanted <= RMDI_FIBERS_MAX && set >> (wanted - 1) & 1;
    return possible ? wanted - 1 : usual;
}

/* Who goes on after a thread that sleeps or has ended is no deviation; after one that looks
 * again and again it is, else two of these would make a tree without end. */
static unsigned choose_walking(uint32_t set, unsigned usual, bool current_is_ready)
{
    unsigned ways = (unsigned)__builtin_popcount(set), way = walk(ways, !current_is_ready);
    return way == 0 ? usual : nth(set & ~(1u << usual), way - 1);
}

unsigned rmdi_choose_thread(uint32_t ready, uint32_t resting, unsigned current)
{
    uint32_t set = ready & ~resting ? ready & ~resting : ready;
    unsigned usual = now.fair ? after(set, current) : ordinary(set, current), chosen = usual;
    now.steps++;
    if ((set & (set - 1)) == 0)
        return usual;
    if (now.plan->listed)
        chosen = choose_listed(set, usual);
    else if (now.fair)
        chosen = usual;
    else if (now.plan->strategy == RMD_EXPLORE_EXHAUSTIVE)
        chosen = choose_walking(set, usual, ready >> current & 1);
    else if (now.plan->strategy == RMD_EXPLORE_PCT)
        chosen = choose_pct(set, resting, current);
    else if (now.plan->strategy == RMD_EXPLORE_STARVE)
        chosen = choose_starving(set, current);
    else
        chosen = choose_random(set, current);
    note(chosen == usual ? 0 : THREAD_CODE + chosen);
    return chosen;
}
