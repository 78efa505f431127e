/* SPDX-License-Identifier: MIT */
/* The semaphore: no permit is lost or made, the line is kept, and who was the last may free it. */
#include "crew.h"
#include "sync/semaphore.h"

#include <remuda.h>

/* One that acquires and releases, and what may come in between. */
typedef struct guest {
    rmd_semaphore *s;
    uint32_t n;
    rmd_stop *stop;
    int64_t patience_ms; /* 0: for ever; < 0: not at all */
    int rounds;
    bool selects;
    bool keeps; /* releases nothing */
    int got;
    uint32_t *inside; /* NULL: nobody counts */
    uint32_t room;
} guest;

static int enter(guest *g)
{
    rmd_deadline deadline = g->patience_ms < 0 ? RMD_NOW
                            : g->patience_ms   ? rmd_after_ms(g->patience_ms)
                                               : RMD_FOREVER;
    rmd_waitable what = rmd_semaphore_waitable(g->s);
    return g->selects ? rmd_select(&what, 1, deadline)
                      : rmd_semaphore_acquire_many(g->s, g->n, deadline);
}

static void visit(void *arg)
{
    guest *g = arg;
    rmd_stop *before = rmd_stop_set(g->stop);
    for (int i = 0; i < g->rounds; i++) {
        int err = enter(g);
        if (err < 0) {
            RMD_ASSERT((err == RMD_ETIMEDOUT && g->patience_ms) ||
                       (err == RMD_ECANCELED && g->stop));
            continue;
        }
        g->got++;
        if (g->inside) /* with one permit it is a lock */
            RMD_PLAIN_SET(*g->inside, RMD_PLAIN(*g->inside) + 1);
        if (!g->keeps)
            RMD_ASSERT(rmd_semaphore_release(g->s, g->n) == 0);
    }
    rmd_stop_set(before);
}

static void stop_guest(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

static void close_and_count(rmd_semaphore *s, uint32_t n)
{
    RMD_ASSERT(rmd_semaphore_value(s) == n);
    RMD_ASSERT(rmd_semaphore_acquire_many(s, n, RMD_NOW) == 0);
    RMD_ASSERT(rmd_semaphore_acquire(s, RMD_NOW) == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_semaphore_free(s) == 0);
}

HARNESS(semaphore_of_one_excludes)
{
    rmd_semaphore *s;
    uint32_t inside = 0;
    crew crew = { 0 };
    RMD_ASSERT(rmd_semaphore_open(&s, 1, NULL) == 0);
    guest guests[3];
    for (int i = 0; i < 3; i++) {
        guests[i] = (guest){ .s = s, .n = 1, .rounds = 2, .inside = &inside };
        crew_add(&crew, visit, &guests[i], "guest");
    }
    crew_join(&crew);
    RMD_ASSERT(inside == 6);
    close_and_count(s, 1);
}

HARNESS(semaphore_many_and_few)
{
    rmd_semaphore *s;
    rmd_semaphore_options options = { .size = sizeof options, .count_max = 3 };
    crew crew = { 0 };
    RMD_ASSERT(rmd_semaphore_open(&s, 3, &options) == 0);
    guest guests[4] = { { .s = s, .n = 3, .rounds = 1 },
                        { .s = s, .n = 2, .rounds = 2 },
                        { .s = s, .n = 1, .rounds = 2 },
                        { .s = s, .n = 1, .rounds = 2 } };
    for (int i = 0; i < 4; i++)
        crew_add(&crew, visit, &guests[i], "guest");
    crew_join(&crew);
    for (int i = 0; i < 4; i++)
        RMD_ASSERT(guests[i].got == guests[i].rounds);
    RMD_ASSERT(rmd_semaphore_release(s, 1) == RMD_EFULL);
    close_and_count(s, 3);
}

HARNESS(semaphore_with_deadline_stop_and_select)
{
    rmd_semaphore *s;
    rmd_stop *stop;
    crew crew = { 0 };
    RMD_ASSERT(rmd_semaphore_open(&s, 2, NULL) == 0);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    guest guests[5] = { { .s = s, .n = 2, .rounds = 1, .patience_ms = 1 },
                        { .s = s, .n = 2, .rounds = 1, .stop = stop },
                        { .s = s, .n = 1, .rounds = 1, .selects = true, .stop = stop },
                        { .s = s, .n = 1, .rounds = 1, .patience_ms = 1, .selects = true },
                        { .s = s, .n = 1, .rounds = 1, .patience_ms = -1 } };
    for (int i = 0; i < 5; i++)
        crew_add(&crew, visit, &guests[i], "guest");
    crew_add(&crew, stop_guest, stop, "stopper");
    guest host = { .s = s, .n = 2, .rounds = 2 };
    visit(&host);
    crew_join(&crew);
    RMD_ASSERT(host.got == 2);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    close_and_count(s, 2);
}

static void until_in_line(rmd_semaphore *s, uint32_t n)
{
    while (rmd_atomic_load(&s->semaphore.line.count, RMD_ACQUIRE) < n)
        rmd_pause();
}

/* The first wants more than there is. Nobody else would ever wake the second. */
HARNESS(semaphore_who_gives_up_lets_the_next_through)
{
    rmd_semaphore *s;
    rmd_stop *stop;
    crew crew = { 0 };
    RMD_ASSERT(rmd_semaphore_open(&s, 1, NULL) == 0);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    guest guests[2] = { { .s = s, .n = 2, .rounds = 1, .stop = stop, .patience_ms = 1 },
                        { .s = s, .n = 1, .rounds = 1, .selects = rmd_explore_choose(2) } };
    crew_add(&crew, visit, &guests[0], "many");
    if (rmd_explore_choose(2))
        crew_add(&crew, stop_guest, stop, "stopper");
    crew_add(&crew, visit, &guests[1], "few");
    crew_join(&crew);
    RMD_ASSERT(guests[0].got == 0 && guests[1].got == 1);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    close_and_count(s, 1);
}

/* One release for three, of whom one may leave. */
typedef struct giver {
    rmd_semaphore *s;
    uint32_t n;
    int *news;
} giver;

static void give(void *arg)
{
    giver *g = arg;
    RMD_PLAIN_SET(*g->news, 9);
    RMD_ASSERT(rmd_semaphore_release(g->s, g->n) == 0);
}

static void take_news(void *arg)
{
    giver *g = arg;
    RMD_ASSERT(rmd_semaphore_acquire(g->s, RMD_FOREVER) == 0);
    RMD_ASSERT(RMD_PLAIN(*g->news) == 9);
}

HARNESS(semaphore_one_release_wakes_several_and_brings_the_news)
{
    rmd_semaphore *s;
    int news = 0;
    crew crew = { 0 };
    RMD_ASSERT(rmd_semaphore_open(&s, 0, NULL) == 0);
    giver g = { s, 4, &news };
    guest impatient = { .s = s, .n = 1, .rounds = 1, .patience_ms = 1, .keeps = true };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, take_news, &g, "taker");
    crew_add(&crew, visit, &impatient, "impatient");
    crew_add(&crew, give, &g, "giver");
    crew_join(&crew);
    RMD_ASSERT(rmd_semaphore_value(s) == (uint32_t)(1 - impatient.got));
    RMD_ASSERT(rmd_semaphore_free(s) == 0);
}

/* Permits of two releases, handed over by the second: the news of both come with them. */
HARNESS(semaphore_hands_over_what_others_have_written)
{
    rmd_semaphore *s;
    int news[2] = { 0, 0 };
    crew crew = { 0 };
    RMD_ASSERT(rmd_semaphore_open(&s, 0, NULL) == 0);
    giver givers[2] = { { s, 1, &news[0] }, { s, 1, &news[1] } };
    crew_add(&crew, give, &givers[0], "giver");
    crew_add(&crew, give, &givers[1], "giver");
    RMD_ASSERT(rmd_semaphore_acquire_many(s, 2, RMD_FOREVER) == 0);
    RMD_ASSERT(RMD_PLAIN(news[0]) == 9 && RMD_PLAIN(news[1]) == 9);
    RMD_ASSERT(rmd_semaphore_free(s) == 0);
    crew_join(&crew);
}

HARNESS(semaphore_select_stands_in_line)
{
    rmd_semaphore *s;
    crew crew = { 0 };
    RMD_ASSERT(rmd_semaphore_open(&s, 0, NULL) == 0);
    guest first = { .s = s, .n = 1, .rounds = 1, .selects = true, .keeps = true };
    crew_add(&crew, visit, &first, "first");
    until_in_line(s, 1);
    RMD_ASSERT(rmd_semaphore_release(s, 1) == 0);
    RMD_ASSERT(rmd_semaphore_acquire(s, RMD_NOW) == RMD_ETIMEDOUT);
    crew_join(&crew);
    RMD_ASSERT(first.got == 1 && rmd_semaphore_value(s) == 0);
    RMD_ASSERT(rmd_semaphore_free(s) == 0);
}

/* ---- freed by the last ---- */

static void acquire_and_free(void *arg)
{
    RMD_ASSERT(rmd_semaphore_acquire(arg, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_semaphore_free(arg) == 0);
}

static void release_one(void *arg)
{
    RMD_ASSERT(rmd_semaphore_release(arg, 1) == 0);
}

HARNESS(semaphore_is_freed_by_who_acquired)
{
    rmd_semaphore *s[2];
    crew crew = { 0 };
    for (int i = 0; i < 2; i++) {
        RMD_ASSERT(rmd_semaphore_open(&s[i], 0, NULL) == 0);
        crew_add(&crew, acquire_and_free, s[i], "acquirer");
        crew_add(&crew, release_one, s[i], "releaser");
    }
    crew_join(&crew);
}

/* The last of three, two of whom were in line, or not. */
static void pass_through(void *arg)
{
    guest *g = arg;
    RMD_ASSERT(rmd_semaphore_acquire(g->s, RMD_FOREVER) == 0);
    RMD_PLAIN_SET(*g->inside, RMD_PLAIN(*g->inside) - 1);
    bool last = RMD_PLAIN(*g->inside) == 0;
    RMD_ASSERT(rmd_semaphore_release(g->s, 1) == 0);
    if (!last)
        return;
    RMD_ASSERT(rmd_semaphore_acquire(g->s, RMD_NOW) == 0);
    int err;
    while ((err = rmd_semaphore_free(g->s)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0);
}

HARNESS(semaphore_is_freed_by_the_last_of_three)
{
    rmd_semaphore *s;
    uint32_t left = 3;
    crew crew = { 0 };
    RMD_ASSERT(rmd_semaphore_open(&s, 1, NULL) == 0);
    guest g = { .s = s, .inside = &left };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, pass_through, &g, "guest");
    crew_join(&crew);
}
