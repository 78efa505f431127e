/* SPDX-License-Identifier: MIT */
/* The executor: what it takes runs once, alone, and what it does not take, never; nobody waits for
 * ever, and who was the last may free it. */
#include "crew.h"
#include "sync/executor.h"

#include <remuda.h>
#include <string.h>

/* A library that knows no threads. */
typedef struct library {
    rmd_executor *executor;
    rmd_event *never;
    int calls;   /* nothing guards it but the executor */
    int dropped; /* of the executor's thread */
} library;

static const rmd_context_key place = { "place" };

static int use(void *arg)
{
    library *l = arg;
    RMD_PLAIN_SET(l->calls, RMD_PLAIN(l->calls) + 1);
    return 5;
}

static void drop(int (*fn)(void *arg), void *arg)
{
    library *l = arg;
    RMD_ASSERT(fn == use);
    RMD_PLAIN_SET(l->dropped, RMD_PLAIN(l->dropped) + 1);
}

static void open_library(library *l, size_t posts_max)
{
    rmd_executor_options options = { .size = sizeof options,
                                     .posts_max = posts_max,
                                     .dropped = drop };
    *l = (library){ 0 };
    RMD_ASSERT(rmd_event_open(&l->never) == 0);
    RMD_ASSERT(rmd_executor_open(&l->executor, &options) == 0);
}

static void end_library(library *l)
{
    RMD_ASSERT(rmd_executor_drain(l->executor, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_executor_free(l->executor) == 0);
    RMD_ASSERT(rmd_event_free(l->never) == 0);
}

typedef struct user {
    library *shared;
    rmd_stop *stop;
    int64_t patience_ms; /* 0: for ever */
    bool posts;
    int taken, err; /* how many; the last error */
} user;

static void use_library(void *arg)
{
    user *u = arg;
    rmd_deadline deadline = u->patience_ms ? rmd_after_ms(u->patience_ms) : RMD_FOREVER;
    rmd_stop *before = rmd_stop_set(u->stop);
    for (int i = 0; i < 2; i++) {
        int result = 5;
        int err = u->posts
                      ? rmd_executor_post(u->shared->executor, use, u->shared, deadline)
                      : rmd_executor_call(u->shared->executor, use, u->shared, &result, deadline);
        RMD_ASSERT(result == 5);
        RMD_ASSERT(err != RMD_ECANCELED || u->stop || strstr(rmd_error_detail(), "aborted"));
        u->taken += err == 0;
        u->err = err ? err : u->err;
    }
    rmd_stop_set(before);
}

static int taken_by(const user *users, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += users[i].taken;
    return sum;
}

static void stop_user(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

HARNESS(executor_runs_each_call_once_and_alone)
{
    library l;
    rmd_stop *stop;
    crew crew = { 0 };
    open_library(&l, 0);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    user users[3] = { { .shared = &l },
                      { .shared = &l, .patience_ms = 1 },
                      { .shared = &l, .stop = stop } };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, use_library, &users[i], "user");
    crew_add(&crew, stop_user, stop, "stopper");
    crew_join(&crew);
    RMD_ASSERT(users[0].taken == 2);
    RMD_ASSERT(users[1].err == 0 || users[1].err == RMD_ETIMEDOUT);
    RMD_ASSERT(users[2].err == 0 || users[2].err == RMD_ECANCELED);
    end_library(&l);
    RMD_ASSERT(l.calls == taken_by(users, 3));
    RMD_ASSERT(rmd_stop_free(stop) == 0);
}

HARNESS(executor_bounds_its_posts_and_wakes_who_waits_for_room)
{
    library l;
    crew crew = { 0 };
    open_library(&l, 1);
    user users[3] = { { .shared = &l, .posts = true },
                      { .shared = &l, .posts = true },
                      { .shared = &l, .posts = true, .patience_ms = 1 } };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, use_library, &users[i], "poster");
    crew_join(&crew);
    RMD_ASSERT(users[0].taken == 2 && users[1].taken == 2);
    RMD_ASSERT(users[2].err == 0 || users[2].err == RMD_ETIMEDOUT);
    end_library(&l);
    RMD_ASSERT(l.calls == taken_by(users, 3));
}

static void close_executor(void *arg)
{
    int err = rmd_executor_close(arg);
    RMD_ASSERT(err == 0 || err == RMD_ECLOSED);
}

static void drain_executor(void *arg)
{
    int err = rmd_executor_drain(arg, rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT);
}

HARNESS(executor_closed_while_others_call_loses_nothing)
{
    library l;
    crew crew = { 0 };
    open_library(&l, 1);
    user users[3] = { { .shared = &l },
                      { .shared = &l, .posts = true },
                      { .shared = &l, .posts = true } };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, use_library, &users[i], i ? "poster" : "caller");
    crew_add(&crew, close_executor, l.executor, "closer");
    crew_add(&crew, drain_executor, l.executor, "drainer");
    RMD_ASSERT(rmd_executor_drain(l.executor, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_executor_close(l.executor) == RMD_ECLOSED);
    crew_join(&crew);
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(users[i].err == 0 || users[i].err == RMD_ECLOSED);
    end_library(&l);
    RMD_ASSERT(l.calls == taken_by(users, 3));
}

/* ---- abort ---- */

static int sleep_there(void *arg)
{
    library *l = arg;
    RMD_PLAIN_SET(l->calls, RMD_PLAIN(l->calls) + 1);
    return rmd_event_wait(l->never, RMD_FOREVER);
}

static void call_sleeper(void *arg)
{
    user *u = arg;
    int result = 0;
    rmd_stop *before = rmd_stop_set(u->stop);
    u->err = rmd_executor_call(u->shared->executor, sleep_there, u->shared, &result, RMD_FOREVER);
    RMD_ASSERT(u->err == RMD_ECANCELED || (u->err == 0 && result == RMD_ECANCELED));
    u->taken = u->err == 0;
    RMD_ASSERT(rmd_stop_set(before) == u->stop);
}

/* Begun or not, here or there: it ends when its caller is told to stop. */
HARNESS(executor_call_is_ended_by_the_callers_stop)
{
    library l;
    rmd_stop *stop;
    crew crew = { 0 };
    open_library(&l, 0);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    user users[2] = { { .shared = &l, .stop = stop }, { .shared = &l, .stop = stop } };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, call_sleeper, &users[i], "caller");
    crew_add(&crew, stop_user, stop, "stopper");
    crew_join(&crew);
    end_library(&l);
    RMD_ASSERT(l.calls == taken_by(users, 2));
    RMD_ASSERT(rmd_stop_free(stop) == 0);
}

HARNESS(executor_abort_ends_what_runs_and_drops_the_rest)
{
    library l;
    crew crew = { 0 };
    open_library(&l, 0);
    user users[2] = { { .shared = &l, .posts = true }, { .shared = &l } };
    RMD_ASSERT(rmd_executor_post(l.executor, sleep_there, &l, RMD_FOREVER) == 0);
    while (!rmdi_wait_list_waits(&l.never->event.waits))
        rmd_pause();
    crew_add(&crew, use_library, &users[0], "poster");
    crew_add(&crew, use_library, &users[1], "caller");
    RMD_ASSERT(rmd_executor_abort(l.executor) == 0);
    crew_join(&crew);
    RMD_ASSERT(users[0].err == 0 || users[0].err == RMD_ECLOSED);
    RMD_ASSERT(users[1].taken == 0);
    RMD_ASSERT(users[1].err == RMD_ECLOSED || users[1].err == RMD_ECANCELED);
    RMD_ASSERT(rmd_executor_abort(l.executor) == 0);
    end_library(&l);
    RMD_ASSERT(l.calls == 1 && l.dropped == users[0].taken);
}

/* ---- its start, its context, itself ---- */

static int start_badly(void *arg)
{
    (void)arg;
    return rmdi_fail(RMD_EIO, "it is not there");
}

static int fail_there(void *arg)
{
    (void)arg;
    return rmdi_fail(RMD_EACCES, "it does not like us");
}

static void call_and_read_the_detail(void *arg)
{
    int result = 0;
    int err = rmd_executor_call(arg, fail_there, NULL, &result, RMD_FOREVER);
    RMD_ASSERT((err == RMD_EIO && strcmp(rmd_error_detail(), "it is not there") == 0) ||
               (err == 0 && result == RMD_EACCES &&
                strcmp(rmd_error_detail(), "it does not like us") == 0));
}

HARNESS(executor_brings_along_what_was_said)
{
    rmd_executor *executor;
    crew crew = { 0 };
    bool badly = rmd_explore_choose(2);
    rmd_executor_options options = { .size = sizeof options, .start = badly ? start_badly : NULL };
    RMD_ASSERT(rmd_executor_open(&executor, &options) == 0);
    for (int i = 0; i < 2; i++)
        crew_add(&crew, call_and_read_the_detail, executor, "caller");
    crew_join(&crew);
    RMD_ASSERT(rmd_executor_drain(executor, RMD_FOREVER) == (badly ? RMD_EIO : 0));
    RMD_ASSERT(!badly || strcmp(rmd_error_detail(), "it is not there") == 0);
    RMD_ASSERT(rmd_executor_free(executor) == 0);
}

static void not_reached(void *arg)
{
    (void)arg;
    RMD_ASSERT(false);
}

HARNESS(executor_whose_start_fails_tells_everybody)
{
    library l = { .calls = 0 };
    crew crew = { 0 };
    rmd_executor_options options = {
        .size = sizeof options, .start = start_badly, .end = not_reached, .dropped = drop
    };
    RMD_ASSERT(rmd_executor_open(&l.executor, &options) == 0);
    user users[2] = { { .shared = &l }, { .shared = &l, .posts = true } };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, use_library, &users[i], "user");
    crew_join(&crew);
    RMD_ASSERT(users[0].err == RMD_EIO && users[1].err == 0);
    RMD_ASSERT(rmd_executor_drain(l.executor, RMD_FOREVER) == RMD_EIO);
    RMD_ASSERT(rmd_executor_free(l.executor) == 0);
    RMD_ASSERT(l.calls == 0 && l.dropped == 2);
}

static int look_around(void *arg)
{
    library *l = arg;
    int result = 0;
    RMD_ASSERT(rmd_context_get(&place) == l);
    RMD_ASSERT(rmd_executor_call(l->executor, use, l, &result, RMD_FOREVER) == 0 && result == 5);
    RMD_ASSERT(rmd_executor_drain(l->executor, RMD_FOREVER) == RMD_EDEADLK);
    RMD_ASSERT(rmd_executor_free(l->executor) == RMD_EBUSY);
    int err = rmd_executor_post(l->executor, use, l, RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_EFULL);
    return err ? 0 : 1;
}

static void call_with_context(void *arg)
{
    user *u = arg;
    int result = 0;
    RMD_WITH_CONTEXT (&place, u->shared)
        RMD_ASSERT(rmd_executor_call(u->shared->executor, look_around, u->shared, &result,
                                     RMD_FOREVER) == 0);
    u->taken = 1 + result;
}

HARNESS(executor_calls_run_in_their_context_and_in_place)
{
    library l;
    crew crew = { 0 };
    open_library(&l, 1);
    user users[3] = { { .shared = &l }, { .shared = &l }, { .shared = &l, .posts = true } };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, call_with_context, &users[i], "caller");
    RMD_WITH_CONTEXT (&place, &l)
        use_library(&users[2]);
    crew_join(&crew);
    end_library(&l);
    RMD_ASSERT(l.calls == taken_by(users, 3));
}

typedef struct outfit {
    rmd_local *local;
    rmd_stop *fired;
    int worn; /* of the executor's thread */
} outfit;

static int put_on(void *arg)
{
    outfit *o = arg;
    rmd_stop_set(o->fired); /* and leaves it there: it does not end the executor's own waiting */
    return rmd_local_set(o->local, o);
}

static int look_at(void *arg)
{
    outfit *o = arg;
    RMD_ASSERT(rmd_local_get(o->local) == o);
    return 0;
}

static void take_off(void *arg)
{
    outfit *o = arg;
    RMD_ASSERT(rmd_local_get(o->local) == o);
    RMD_PLAIN_SET(o->worn, 1);
}

static void put_away(void *value)
{
    outfit *o = value;
    RMD_ASSERT(RMD_PLAIN(o->worn) == 1);
    RMD_PLAIN_SET(o->worn, 2);
}

HARNESS(executor_that_was_drained_has_put_everything_away)
{
    outfit o = { .worn = 0 };
    rmd_executor *executor;
    rmd_executor_options options = {
        .size = sizeof options, .start = put_on, .end = take_off, .arg = &o
    };
    RMD_ASSERT(rmd_local_open(&o.local, put_away) == 0);
    RMD_ASSERT(rmd_stop_open(&o.fired) == 0 && rmd_stop_request(o.fired) == 0);
    RMD_ASSERT(rmd_executor_open(&executor, &options) == 0);
    RMD_ASSERT(rmd_executor_call(executor, look_at, &o, NULL, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_executor_drain(executor, RMD_FOREVER) == 0);
    RMD_ASSERT(RMD_PLAIN(o.worn) == 2);
    RMD_ASSERT(rmd_local_free(o.local) == 0 && rmd_stop_free(o.fired) == 0);
    RMD_ASSERT(rmd_executor_free(executor) == 0);
}

/* ---- two that call each other ---- */

typedef struct neighbours {
    rmd_executor *executors[2];
    int calls[2]; /* of each one's thread */
    rmd_atomic(int) refused;
    rmd_event *back;
} neighbours;

typedef struct errand {
    neighbours *all;
    int from;
} errand;

static int come_by(void *arg)
{
    errand *e = arg;
    int *calls = &e->all->calls[!e->from];
    RMD_PLAIN_SET(*calls, RMD_PLAIN(*calls) + 1);
    return 0;
}

/* The second errand comes after the first one's answer, at which nobody waits any more. */
static int visit(void *arg)
{
    errand *e = arg;
    for (int i = 0; i < 2; i++) {
        int err = rmd_executor_call(e->all->executors[!e->from], come_by, e, NULL, RMD_FOREVER);
        RMD_ASSERT(err == 0 || err == RMD_EDEADLK);
        rmd_atomic_add(&e->all->refused, err != 0, RMD_RELAXED);
    }
    return 0;
}

static void open_neighbours(neighbours *n)
{
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_executor_open(&n->executors[i], NULL) == 0);
}

static void end_neighbours(neighbours *n)
{
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_executor_drain(n->executors[i], RMD_FOREVER) == 0);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_executor_free(n->executors[i]) == 0);
}

HARNESS(executor_that_calls_one_that_calls_it_is_refused)
{
    neighbours n = { .calls = { 0 } };
    errand errands[2] = { { &n, 0 }, { &n, 1 } };
    open_neighbours(&n);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_executor_post(n.executors[i], visit, &errands[i], RMD_FOREVER) == 0);
    for (int i = 0; i < 2; i++) /* not drained at once: who is closed takes no visits */
        RMD_ASSERT(rmd_executor_call(n.executors[i], come_by, &errands[!i], NULL, RMD_FOREVER) ==
                   0);
    end_neighbours(&n);
    RMD_ASSERT(n.calls[0] + n.calls[1] + rmd_atomic_load(&n.refused, RMD_RELAXED) == 4 + 2);
}

static int call_back(void *arg)
{
    errand *e = arg;
    errand back = { e->all, !e->from };
    return rmd_executor_call(e->all->executors[e->from], come_by, &back, NULL, RMD_FOREVER);
}

static int call_back_and_be_let(void *arg)
{
    RMD_ASSERT(call_back(arg) == 0);
    return 0;
}

static int call_back_now_and_later(void *arg)
{
    errand *e = arg;
    RMD_ASSERT(call_back(e) == RMD_EDEADLK);
    RMD_ASSERT(rmd_executor_post(e->all->executors[1], call_back_and_be_let, e, RMD_NOW) == 0);
    return 0;
}

static int be_called_back(void *arg)
{
    errand *e = arg;
    return rmd_executor_call(e->all->executors[1], call_back_now_and_later, e, NULL, RMD_FOREVER);
}

/* What runs after the answer may call whoever has got it, or is about to. */
HARNESS(executor_waits_no_more_once_it_is_answered)
{
    neighbours n = { .calls = { 0 } };
    errand first = { &n, 0 };
    int result = 1;
    open_neighbours(&n);
    RMD_ASSERT(rmd_executor_call(n.executors[0], be_called_back, &first, &result, RMD_FOREVER) ==
               0);
    RMD_ASSERT(result == 0);
    RMD_ASSERT(rmd_executor_drain(n.executors[1], RMD_FOREVER) == 0);
    end_neighbours(&n);
    RMD_ASSERT(n.calls[0] == 1);
}

static int visit_shortly(void *arg)
{
    errand *e = arg;
    int err = rmd_executor_call(e->all->executors[1], come_by, e, NULL, rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT || err == RMD_ECLOSED);
    return rmd_event_set(e->all->back);
}

static int drain_shortly(void *arg)
{
    errand *e = arg;
    RMD_ASSERT(rmd_executor_drain(e->all->executors[1], rmd_after_ms(1)) == RMD_ETIMEDOUT);
    RMD_ASSERT(strstr(rmd_error_detail(), "still works"));
    return rmd_event_set(e->all->back);
}

static int wait_and_call_back(void *arg)
{
    errand *e = arg;
    RMD_ASSERT(rmd_event_wait(e->all->back, RMD_FOREVER) == 0);
    return call_back(arg);
}

static int let_come_back(void *arg)
{
    RMD_ASSERT(wait_and_call_back(arg) == 0);
    return 0;
}

/* Who has given up, or was not let in, waits for nobody. */
HARNESS(executor_that_gave_up_is_not_waiting)
{
    neighbours n = { .calls = { 0 } };
    errand first = { &n, 0 };
    crew crew = { 0 };
    bool drains = rmd_explore_choose(2), closes = rmd_explore_choose(2);
    open_neighbours(&n);
    RMD_ASSERT(rmd_event_open(&n.back) == 0);
    RMD_ASSERT(rmd_executor_post(n.executors[1], let_come_back, &first, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_executor_post(n.executors[0], drains ? drain_shortly : visit_shortly, &first,
                                 RMD_FOREVER) == 0);
    if (closes)
        crew_add(&crew, close_executor, n.executors[1], "closer");
    RMD_ASSERT(rmd_event_wait(n.back, RMD_FOREVER) == 0);
    crew_join(&crew);
    RMD_ASSERT(rmd_executor_drain(n.executors[1], RMD_FOREVER) == 0);
    end_neighbours(&n);
    RMD_ASSERT(n.calls[0] == 1);
    RMD_ASSERT(rmd_event_free(n.back) == 0);
}

/* One drains the other, which calls it: who comes second is refused, and both end. */
static int drain_neighbour(void *arg)
{
    errand *e = arg;
    int err = rmd_executor_drain(e->all->executors[!e->from], RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_EDEADLK);
    return 0;
}

static int call_or_be_refused(void *arg)
{
    int err = call_back(arg);
    RMD_ASSERT(err == 0 || err == RMD_EDEADLK || err == RMD_ECLOSED);
    return 0;
}

HARNESS(executor_drained_by_one_that_it_calls_ends)
{
    neighbours n = { .calls = { 0 } };
    errand first = { &n, 0 };
    open_neighbours(&n);
    RMD_ASSERT(rmd_executor_post(n.executors[1], call_or_be_refused, &first, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_executor_post(n.executors[0], drain_neighbour, &first, RMD_FOREVER) == 0);
    end_neighbours(&n);
}

/* ---- freed ---- */

static void call_once(void *arg)
{
    user *u = arg;
    RMD_ASSERT(rmd_executor_call(u->shared->executor, use, u->shared, NULL, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_executor_close(u->shared->executor) == 0);
}

/* By whoever is let: who closes it has used it last. */
HARNESS(executor_is_freed_as_soon_as_it_goes)
{
    library l;
    crew crew = { 0 };
    int err;
    open_library(&l, 0);
    user u = { .shared = &l };
    crew_add(&crew, call_once, &u, "caller");
    while ((err = rmd_executor_free(l.executor)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0);
    crew_join(&crew);
    RMD_ASSERT(l.calls == 1);
    RMD_ASSERT(rmd_event_free(l.never) == 0);
}

HARNESS(executor_that_fails_leaves_nothing, .faults_max = 2, .fail_allocations = true)
{
    library l = { .calls = 0 };
    int taken = 0;
    int err = rmd_executor_open(&l.executor, NULL);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM || err == RMD_EAGAIN);
    if (err < 0)
        return;
    RMD_WITH_CONTEXT (&place, &l)
        err = rmd_executor_post(l.executor, use, &l, RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM);
    taken += err == 0;
    RMD_ASSERT(rmd_executor_call(l.executor, use, &l, NULL, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_executor_drain(l.executor, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_executor_free(l.executor) == 0);
    RMD_ASSERT(l.calls == 1 + taken);
}

HARNESS(executor_misuse_is_an_error)
{
    library l;
    RMD_ASSERT(rmd_executor_open(NULL, NULL) == RMD_EINVAL);
    open_library(&l, 0);
    RMD_ASSERT(rmd_executor_call(l.executor, NULL, NULL, NULL, RMD_FOREVER) == RMD_EINVAL);
    RMD_ASSERT(rmd_executor_post(l.executor, NULL, NULL, RMD_FOREVER) == RMD_EINVAL);
    RMD_ASSERT(rmd_executor_call(l.executor, use, &l, NULL, RMD_NOW) == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_executor_free(l.executor) == RMD_EBUSY);
    end_library(&l);
    RMD_ASSERT(l.calls == 0);
}
