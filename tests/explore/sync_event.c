/* SPDX-License-Identifier: MIT */
/* The event: set wakes everybody who waits, also when it is cleared at once; who comes late
 * passes. */
#include "crew.h"
#include "sync/event.h"

#include <remuda.h>

typedef struct listener {
    rmd_event *event;
    rmd_stop *stop;
    int64_t patience_ms; /* 0: for ever */
    int result, payload;
    const int *news;
} listener;

static void listen_for_it(void *arg)
{
    listener *l = arg;
    rmd_stop *before = rmd_stop_set(l->stop);
    l->result = rmd_event_wait(l->event,
                               l->patience_ms ? rmd_after_ms(l->patience_ms) : RMD_FOREVER);
    if (l->result == 0 && l->news)
        l->payload = RMD_PLAIN(*l->news); /* written before it was set */
    rmd_stop_set(before);
}

typedef struct speaker {
    rmd_event *event;
    int *news;
} speaker;

static void speak(void *arg)
{
    speaker *s = arg;
    RMD_PLAIN_SET(*s->news, 9);
    RMD_ASSERT(rmd_event_set(s->event) == 0);
}

static void stop_listener(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

HARNESS(event_wakes_all_and_brings_the_news)
{
    rmd_event *event;
    rmd_stop *stop;
    int news = 0;
    crew crew = { 0 };
    RMD_ASSERT(rmd_event_open(&event) == 0);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    listener listeners[3] = { { .event = event, .news = &news },
                              { .event = event, .news = &news, .patience_ms = 1 },
                              { .event = event, .news = &news, .stop = stop } };
    speaker speaker = { event, &news };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, listen_for_it, &listeners[i], "listener");
    crew_add(&crew, speak, &speaker, "speaker");
    crew_add(&crew, stop_listener, stop, "stopper");
    crew_join(&crew);
    for (int i = 0; i < 3; i++) {
        int r = listeners[i].result;
        RMD_ASSERT(r == 0 || (i == 1 && r == RMD_ETIMEDOUT) || (i == 2 && r == RMD_ECANCELED));
        RMD_ASSERT(r != 0 || listeners[i].payload == 9);
    }
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    RMD_ASSERT(rmd_event_free(event) == 0);
}

static void until_listening(rmd_event *event, uint32_t n)
{
    while (rmd_atomic_load(&event->event.waits.count, RMD_ACQUIRE) < n)
        rmd_pause();
}

HARNESS(event_cleared_at_once_still_wakes_who_waited)
{
    rmd_event *event;
    crew crew = { 0 };
    RMD_ASSERT(rmd_event_open(&event) == 0);
    listener listeners[2] = { { .event = event }, { .event = event } };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, listen_for_it, &listeners[i], "listener");
    until_listening(event, 2);
    RMD_ASSERT(rmd_event_set(event) == 0);
    RMD_ASSERT(rmd_event_clear(event) == 0);
    crew_join(&crew);
    RMD_ASSERT(listeners[0].result == 0 && listeners[1].result == 0);
    RMD_ASSERT(!rmd_event_is_set(event));
    RMD_ASSERT(rmd_event_free(event) == 0);
}

/* Two players, each with the event that the other one sets. */
typedef struct player {
    rmd_event *mine, *theirs;
    int *ball; /* whoever has the turn has it */
} player;

static void play(void *arg)
{
    player *p = arg;
    for (int i = 0; i < 3; i++) {
        RMD_ASSERT(rmd_event_wait(p->mine, RMD_FOREVER) == 0);
        RMD_ASSERT(rmd_event_clear(p->mine) == 0);
        RMD_PLAIN_SET(*p->ball, RMD_PLAIN(*p->ball) + 1);
        RMD_ASSERT(rmd_event_set(p->theirs) == 0);
    }
}

HARNESS(event_ping_pong)
{
    rmd_event *ping, *pong;
    int ball = 0;
    crew crew = { 0 };
    RMD_ASSERT(rmd_event_open(&ping) == 0);
    RMD_ASSERT(rmd_event_open(&pong) == 0);
    player players[2] = { { ping, pong, &ball }, { pong, ping, &ball } };
    crew_add(&crew, play, &players[0], "ping");
    crew_add(&crew, play, &players[1], "pong");
    RMD_ASSERT(rmd_event_set(ping) == 0);
    crew_join(&crew);
    RMD_ASSERT(ball == 6);
    RMD_ASSERT(rmd_event_free(ping) == 0 && rmd_event_free(pong) == 0);
}

/* ---- freed by whoever waited for it ---- */

static void wait_and_free(void *arg)
{
    rmd_event *event = arg;
    RMD_ASSERT(rmd_event_wait(event, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_event_free(event) == 0);
}

static void set_it(void *arg)
{
    RMD_ASSERT(rmd_event_set(arg) == 0);
}

HARNESS(event_is_freed_by_who_waited)
{
    rmd_event *events[2];
    crew crew = { 0 };
    for (int i = 0; i < 2; i++) {
        RMD_ASSERT(rmd_event_open(&events[i]) == 0);
        crew_add(&crew, wait_and_free, events[i], "waiter");
        crew_add(&crew, set_it, events[i], "setter");
    }
    crew_join(&crew);
}

/* ---- freed by whoever set it, as soon as it lets itself be ---- */

static void free_when_it_goes(rmd_event *event)
{
    int err;
    while ((err = rmd_event_free(event)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0);
}

HARNESS(event_is_busy_until_all_have_passed)
{
    rmd_event *event;
    crew crew = { 0 };
    RMD_ASSERT(rmd_event_open(&event) == 0);
    listener listeners[2] = { { .event = event }, { .event = event } };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, listen_for_it, &listeners[i], "listener");
    until_listening(event, 2);
    RMD_ASSERT(rmd_event_set(event) == 0);
    free_when_it_goes(event);
    crew_join(&crew);
    RMD_ASSERT(listeners[0].result == 0 && listeners[1].result == 0);
}
