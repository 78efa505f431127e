/* SPDX-License-Identifier: MIT */
/* The barrier: rounds do not overlap, each has one last, who leaves does not count, and the last
 * out may free it. */
#include "crew.h"
#include "sync/barrier.h"

#include <remuda.h>

typedef struct party {
    rmd_barrier *barrier;
    rmd_stop *stop;
    int64_t patience_ms; /* 0: for ever */
    int rounds;
    int passed, last, left;
    int *pages; /* of all parties, plain; each writes its own */
    int number;
} party;

static int come(party *p)
{
    int err = rmd_barrier_wait(p->barrier,
                               p->patience_ms ? rmd_after_ms(p->patience_ms) : RMD_FOREVER);
    p->last += err == RMD_BARRIER_LAST;
    p->passed += err >= 0;
    p->left += err < 0;
    RMD_ASSERT(err >= 0 || err == RMD_ECLOSED || (err == RMD_ETIMEDOUT && p->patience_ms) ||
               (err == RMD_ECANCELED && p->stop));
    return err;
}

static void attend(void *arg)
{
    party *p = arg;
    rmd_stop *before = rmd_stop_set(p->stop);
    for (int i = 0; i < p->rounds; i++)
        if (come(p) == RMD_ECLOSED)
            break;
    rmd_stop_set(before);
}

static void stop_it(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

static void close_it(void *arg)
{
    RMD_ASSERT(rmd_barrier_close(arg) == 0);
}

/* Each reads in each round what all have written in it: a race if rounds overlapped. */
static void write_and_read(void *arg)
{
    party *p = arg;
    for (int i = 1; i <= 2; i++) {
        RMD_PLAIN_SET(p->pages[p->number], i);
        come(p);
        for (int j = 0; j < 3; j++)
            RMD_ASSERT(RMD_PLAIN(p->pages[j]) == i);
        come(p);
    }
}

HARNESS(barrier_rounds_do_not_overlap)
{
    rmd_barrier *barrier;
    int pages[3] = { 0 };
    party parties[3];
    crew crew = { 0 };
    RMD_ASSERT(rmd_barrier_open(&barrier, 3) == 0);
    for (int i = 0; i < 3; i++) {
        parties[i] = (party){ .barrier = barrier, .pages = pages, .number = i };
        crew_add(&crew, write_and_read, &parties[i], "party");
    }
    crew_join(&crew);
    RMD_ASSERT(parties[0].last + parties[1].last + parties[2].last == 4);
    RMD_ASSERT(rmd_barrier_free(barrier) == 0);
}

/* Three for two places, one of whom may leave, and come again: whatever happens, a round is two
 * who pass, one of them last. */
HARNESS(barrier_who_leaves_has_not_arrived)
{
    rmd_barrier *barrier;
    rmd_stop *stop;
    crew crew = { 0 };
    RMD_ASSERT(rmd_barrier_open(&barrier, 2) == 0);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    party parties[3] = { { .barrier = barrier, .patience_ms = 1, .rounds = 2 },
                         { .barrier = barrier, .stop = stop, .rounds = 2 },
                         { .barrier = barrier, .patience_ms = 2, .rounds = 1 } };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, attend, &parties[i], "party");
    crew_add(&crew, stop_it, stop, "stopper");
    crew_join(&crew);
    int passed = parties[0].passed + parties[1].passed + parties[2].passed;
    int last = parties[0].last + parties[1].last + parties[2].last;
    RMD_ASSERT(passed == 2 * last);
    RMD_ASSERT(barrier->barrier.arrived == 0 && barrier->barrier.round == (uint64_t)last);
    RMD_ASSERT(rmd_barrier_wait(barrier, RMD_NOW) == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_barrier_free(barrier) == 0);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
}

/* Nobody has a deadline, and one will not come: closing is what ends it. */
HARNESS(barrier_close_sends_everybody_away)
{
    rmd_barrier *barrier;
    crew crew = { 0 };
    RMD_ASSERT(rmd_barrier_open(&barrier, 2) == 0);
    party parties[3];
    for (int i = 0; i < 3; i++) {
        parties[i] = (party){ .barrier = barrier, .rounds = 1 };
        crew_add(&crew, attend, &parties[i], "party");
    }
    crew_add(&crew, close_it, barrier, "closer");
    crew_join(&crew);
    int passed = 0, last = 0;
    for (int i = 0; i < 3; i++) {
        passed += parties[i].passed;
        last += parties[i].last;
        RMD_ASSERT(parties[i].passed + parties[i].left == 1);
    }
    RMD_ASSERT(passed == 2 * last && last <= 1);
    RMD_ASSERT(rmd_barrier_close(barrier) == RMD_ECLOSED);
    RMD_ASSERT(rmd_barrier_wait(barrier, RMD_FOREVER) == RMD_ECLOSED);
    RMD_ASSERT(rmd_barrier_free(barrier) == 0);
}

/* ---- freed by whoever is out last ---- */

typedef struct shared {
    rmd_barrier *barrier;
    rmd_atomic(int) out;
} shared;

static void pass_and_free(void *arg)
{
    shared *s = arg;
    RMD_ASSERT(rmd_barrier_wait(s->barrier, RMD_FOREVER) >= 0);
    if (rmd_atomic_add(&s->out, 1, RMD_ACQ_REL) == 2)
        RMD_ASSERT(rmd_barrier_free(s->barrier) == 0);
}

HARNESS(barrier_is_freed_by_the_last_out)
{
    shared s;
    crew crew = { 0 };
    rmd_atomic_init(&s.out, 0);
    RMD_ASSERT(rmd_barrier_open(&s.barrier, 3) == 0);
    for (int i = 0; i < 3; i++)
        crew_add(&crew, pass_and_free, &s, "party");
    crew_join(&crew);
}

static void free_when_it_goes(void *arg)
{
    shared *s = arg;
    int err = rmd_barrier_wait(s->barrier, RMD_FOREVER);
    if (err != RMD_BARRIER_LAST)
        return;
    while ((err = rmd_barrier_free(s->barrier)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0);
}

HARNESS(barrier_is_busy_until_all_are_out)
{
    shared s;
    crew crew = { 0 };
    RMD_ASSERT(rmd_barrier_open(&s.barrier, 3) == 0);
    for (int i = 0; i < 3; i++)
        crew_add(&crew, free_when_it_goes, &s, "party");
    crew_join(&crew);
}
