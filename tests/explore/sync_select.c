/* SPDX-License-Identifier: MIT */
/* Select and descriptors: the first of several, and a thread that waits for a silent descriptor is
 * ended all the same. */
#include "crew.h"
#include "port/fd.h"
#include "port/poll.h"

#include <remuda.h>

static void set_event(void *arg)
{
    RMD_ASSERT(rmd_event_set(arg) == 0);
}

static void request_stop(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

static void make_readable(void *arg)
{
    rmdi_poll_event_set(*(int *)arg);
}

/* One that selects, under a stop token or not, and what came of it. */
typedef struct chooser {
    rmd_waitable what[3];
    size_t n;
    rmd_stop *stop;
    int64_t patience_ms; /* 0: for ever */
    int result;
} chooser;

static void choose(void *arg)
{
    chooser *c = arg;
    rmd_stop *before = rmd_stop_set(c->stop);
    c->result = rmd_select(c->what, c->n,
                           c->patience_ms ? rmd_after_ms(c->patience_ms) : RMD_FOREVER);
    rmd_stop_set(before);
}

/* Two events and a token, which all come: each chooser gets one of them, or its own end. */
HARNESS(select_takes_one_of_several)
{
    rmd_event *events[2];
    rmd_stop *told, *own;
    crew crew = { 0 };
    RMD_ASSERT(rmd_event_open(&events[0]) == 0);
    RMD_ASSERT(rmd_event_open(&events[1]) == 0);
    RMD_ASSERT(rmd_stop_open(&told) == 0);
    RMD_ASSERT(rmd_stop_open(&own) == 0);
    chooser choosers[2] = { { .n = 3, .stop = own }, { .n = 2, .patience_ms = 1 } };
    for (int i = 0; i < 2; i++) {
        choosers[i].what[0] = rmd_event_waitable(events[0]);
        choosers[i].what[1] = rmd_event_waitable(events[1]);
        choosers[i].what[2] = rmd_stop_waitable(told);
        crew_add(&crew, choose, &choosers[i], "chooser");
    }
    crew_add(&crew, set_event, events[1], "setter");
    crew_add(&crew, request_stop, told, "teller");
    crew_add(&crew, request_stop, own, "stopper");
    crew_join(&crew);
    RMD_ASSERT(choosers[0].result == 1 || choosers[0].result == 2 ||
               choosers[0].result == RMD_ECANCELED);
    RMD_ASSERT(choosers[1].result == 1 || choosers[1].result == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_stop_free(told) == 0 && rmd_stop_free(own) == 0);
    RMD_ASSERT(rmd_event_free(events[0]) == 0 && rmd_event_free(events[1]) == 0);
}

/* Nobody has a deadline: a lost wake-up would be a deadlock. */
HARNESS(select_loses_no_event)
{
    rmd_event *events[2];
    crew crew = { 0 };
    RMD_ASSERT(rmd_event_open(&events[0]) == 0);
    RMD_ASSERT(rmd_event_open(&events[1]) == 0);
    chooser choosers[2] = { { .n = 2 }, { .n = 2 } };
    for (int i = 0; i < 2; i++) {
        choosers[i].what[0] = rmd_event_waitable(events[i]);
        choosers[i].what[1] = rmd_event_waitable(events[!i]);
        crew_add(&crew, choose, &choosers[i], "chooser");
    }
    crew_add(&crew, set_event, events[0], "setter");
    crew_join(&crew);
    RMD_ASSERT(choosers[0].result == 0 && choosers[1].result == 1);
    RMD_ASSERT(rmd_event_free(events[0]) == 0 && rmd_event_free(events[1]) == 0);
}

/* ---- descriptors ---- */

typedef struct reader {
    int fd;
    rmd_stop *stop;
    int64_t patience_ms;
    int result;
} reader;

static void wait_for_fd(void *arg)
{
    reader *r = arg;
    rmd_stop *before = rmd_stop_set(r->stop);
    r->result = rmd_fd_wait(r->fd, RMD_READABLE,
                            r->patience_ms ? rmd_after_ms(r->patience_ms) : RMD_FOREVER);
    rmd_stop_set(before);
}

/* The descriptor that a sleeper is woken by is closed when it has left; its number goes to others
 * at once. */
HARNESS(descriptor_of_a_sleeper_is_not_written_to_when_it_has_left)
{
    int fd = rmdi_poll_event_open();
    rmd_stop *stop;
    crew crew = { 0 };
    RMD_ASSERT(fd >= 0);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    reader readers[3] = { { .fd = fd, .stop = stop },
                          { .fd = fd, .stop = stop, .patience_ms = 1 },
                          { .fd = fd } };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, wait_for_fd, &readers[i], "reader");
    crew_add(&crew, make_readable, &fd, "writer");
    crew_add(&crew, request_stop, stop, "stopper");
    crew_join(&crew);
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(readers[i].result == RMD_READABLE ||
                   (i < 2 && readers[i].result == RMD_ECANCELED) ||
                   (i == 1 && readers[i].result == RMD_ETIMEDOUT));
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    rmdi_fd_close(&fd);
}

HARNESS(descriptor_silent_for_ever_and_yet_its_thread_ends)
{
    int fd = rmdi_poll_event_open();
    rmd_stop *stop;
    crew crew = { 0 };
    RMD_ASSERT(fd >= 0);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    reader readers[2] = { { .fd = fd, .stop = stop }, { .fd = fd, .stop = stop } };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, wait_for_fd, &readers[i], "reader");
    crew_add(&crew, request_stop, stop, "stopper");
    crew_join(&crew);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(readers[i].result == RMD_ECANCELED);
    RMD_ASSERT(rmd_fd_wait(fd, RMD_READABLE, RMD_NOW) == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    rmdi_fd_close(&fd);
    RMD_ASSERT(rmd_fd_wait(1000, RMD_READABLE, RMD_NOW) == RMD_EINVAL);
}

HARNESS(select_among_an_event_and_descriptors)
{
    int fds[2] = { rmdi_poll_event_open(), rmdi_poll_event_open() };
    rmd_event *event;
    rmd_stop *stop;
    crew crew = { 0 };
    RMD_ASSERT(rmd_event_open(&event) == 0);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    chooser choosers[2] = { { .n = 3, .stop = stop }, { .n = 3, .patience_ms = 1 } };
    for (int i = 0; i < 2; i++) {
        choosers[i].what[0] = rmd_fd_waitable(fds[0], RMD_READABLE);
        choosers[i].what[1] = rmd_event_waitable(event);
        choosers[i].what[2] = rmd_fd_waitable(fds[1], RMD_READABLE);
        crew_add(&crew, choose, &choosers[i], "chooser");
    }
    crew_add(&crew, set_event, event, "setter");
    crew_add(&crew, make_readable, &fds[1], "writer");
    crew_add(&crew, request_stop, stop, "stopper");
    crew_join(&crew);
    for (int i = 0; i < 2; i++) {
        int r = choosers[i].result;
        RMD_ASSERT(r == 1 || r == 2 || (i == 0 && r == RMD_ECANCELED) ||
                   (i == 1 && r == RMD_ETIMEDOUT));
    }
    rmdi_fd_close(&fds[0]);
    rmdi_fd_close(&fds[1]);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    RMD_ASSERT(rmd_event_free(event) == 0);
}
