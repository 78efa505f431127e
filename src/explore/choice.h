/* SPDX-License-Identifier: MIT */
/* Every decision of an exploration is taken here, so that it can be repeated: by the strategy
 * with its seed, or from a list. Whatever is decided, 0 is the ordinary course: the running thread
 * goes on, a load sees the newest value, nothing unusual happens. */
#ifndef RMDI_EXPLORE_CHOICE_H
#define RMDI_EXPLORE_CHOICE_H

#include <remuda/explore.h>

/* One decision that was not 0: the how-manieth it was, and what. A list of these is a schedule. */
typedef struct rmdi_choice {
    uint32_t at;
    uint32_t what;
} rmdi_choice;

/* How a schedule is chosen. */
typedef struct rmdi_plan {
    rmd_explore_strategy strategy; /* never MIX */
    rmd_explore_memory memory;     /* never MIX */
    uint64_t seed;
    unsigned depth;  /* PCT */
    uint32_t length; /* PCT: steps that a schedule is expected to have */
    bool listed;     /* chosen by `list`, whatever the strategy */
    const rmdi_choice *list;
    size_t list_len;
} rmdi_plan;

/* Before each schedule. The plan is borrowed until the next. */
void rmdi_choice_begin(const rmdi_plan *plan);

/* From now on everybody has their turn: no chance, and threads one after the other. */
void rmdi_choice_be_fair(void);

/* Which thread of `ready` (a set of bits, not empty) goes on. `current` ran last; `resting` are
 * those that only wait by looking again: they come when nobody else can. */
unsigned rmdi_choose_thread(uint32_t ready, uint32_t resting, unsigned current);

/* One of n (at least 1): 0, or with a chance of 1 / 2^odds another. `what` are its codes in lists,
 * 0 first; NULL: 0 to n - 1. Returns the index. */
unsigned rmdi_choose(unsigned n, const uint32_t *what, unsigned odds);

/* One of n (at least 1), each as likely, and in EXHAUSTIVE no deviation. */
unsigned rmdi_choose_evenly(unsigned n);

/* Before a decision between the ordinary course and something unusual: false: it is taken, for the
 * ordinary course. True: take it, with rmdi_choose(). Cheap. */
bool rmdi_choice_is_eventful(void);

/* How seldom this schedule does unusual things: with a chance of 1 / 2^calm; 2 to 5. */
unsigned rmdi_choice_calm(void);

/* A number that is not a decision; the same when the schedule is repeated. */
uint64_t rmdi_choice_random(void);

/* What was decided in the last schedule, kept from now on if so wanted. */
void rmdi_choice_record(bool wanted);
const rmdi_choice *rmdi_choice_recorded(size_t *len);

/* EXHAUSTIVE: goes to the next schedule; false when there is none. Reset starts from the first one,
 * with so many deviations at most. */
void rmdi_choice_exhaust(unsigned deviations_max);
bool rmdi_choice_next(void);

/* Frees what is kept between schedules. */
void rmdi_choice_end(void);

#endif
