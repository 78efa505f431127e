/* SPDX-License-Identifier: MIT */
/* Turning the loop. All but posting and stopping happens on one thread, so only the
 * list of posts has a lock. A source that ends inside a turn is marked dead and its
 * memory kept until the turn is over: the callback that runs may be its own. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/park.h"
#include "loop/loop_private.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/poll.h"
#include "port/signalfd.h"
#include "sync/thread.h"
#include "sync/waiter.h"

#include <errno.h>

enum { EVENTS_PER_TURN = 64 };

int rmdi_loop_epoll(rmd_loop *loop, int op, int fd, unsigned events, uint32_t slot)
{
    struct epoll_event event = { .events = events & EPOLLONESHOT,
                                 .data.u64 = rmdi_slot_key(loop, slot) };
    if (events & RMD_READABLE)
        event.events |= EPOLLIN;
    if (events & RMD_WRITABLE)
        event.events |= EPOLLOUT;
    return epoll_ctl(loop->epoll, op, fd, &event) < 0 ? errno : 0;
}

static int open_descriptors(rmd_loop *loop)
{
    loop->epoll = rmdi_poll_open();
    if (loop->epoll < 0)
        return -loop->epoll;
    loop->wake = rmdi_poll_event_open();
    if (loop->wake < 0)
        return -loop->wake;
    return rmdi_loop_epoll(loop, EPOLL_CTL_ADD, loop->wake, RMD_READABLE, RMDI_SLOT_WAKE);
}

static int open_slots(rmd_loop *loop)
{
    void *slots = NULL;
    int err = rmdi_array_reserve(&slots, &loop->slots_capacity, 0, sizeof *loop->slots);
    if (err < 0)
        return err;
    loop->slots = slots;
    for (uint32_t i = 0; i < RMDI_SLOT_FIRST; i++)
        loop->slots[i] = (rmdi_slot){ 0 };
    loop->slots_used = RMDI_SLOT_FIRST;
    return 0;
}

int rmd_loop_open(rmd_loop **loop)
{
    rmd_loop *l = rmdi_alloc_zeroed(sizeof *l);
    if (!l)
        return rmdi_fail_memory();
    l->epoll = l->wake = l->signals = l->timer = l->later_timer = -1;
    l->armed_ns = INT64_MAX;
    rmdi_list_init(&l->sources);
    rmdi_list_init(&l->dead);
    rmdi_list_init(&l->always_ready);
    rmdi_list_init(&l->later);
    rmdi_list_init(&l->posts);
    rmd_atomic_store(&l->owner, rmdi_thread_self(), RMD_RELAXED);
    int err = open_slots(l), system = err < 0 ? 0 : open_descriptors(l);
    if (system)
        err = rmdi_fail_errno(system, "a new event loop");
    if (err < 0) {
        rmd_loop_free(l);
        return err;
    }
    *loop = l;
    return 0;
}

/* A post made by rmd_loop_post: on the heap, unlike those that lie in their owner. */
typedef struct owned_post {
    rmdi_post post;
    void (*fn)(void *ctx);
    void *ctx;
} owned_post;

static void run_owned_post(void *ctx)
{
    owned_post *owned = ctx;
    void (*fn)(void *) = owned->fn;
    void *argument = owned->ctx;
    rmdi_free(owned);
    fn(argument);
}

static void drop_posts(rmd_loop *loop)
{
    for (rmdi_link *link; (link = rmdi_list_take_first(&loop->posts));) {
        rmdi_post *post = RMDI_CONTAINER(link, rmdi_post, link);
        post->queued = false;
        if (post->fn == run_owned_post)
            rmdi_free(post->ctx);
    }
}

int rmd_loop_free(rmd_loop *loop)
{
    if (!loop)
        return 0;
    if (rmdi_loop_is_here(loop))
        return rmdi_fail(RMD_EBUSY, "a loop cannot be freed from inside one of its callbacks");
    while (!rmdi_list_empty(&loop->sources)) /* outside a turn each leaves the list at once */
        rmd_source_free(RMDI_CONTAINER(loop->sources.next, rmd_source, link));
    drop_posts(loop);
    rmdi_fd_close(&loop->later_timer);
    rmdi_fd_close(&loop->timer);
    rmdi_fd_close(&loop->signals);
    rmdi_fd_close(&loop->wake);
    rmdi_fd_close(&loop->epoll);
    rmdi_timers_free(&loop->timers);
    rmdi_free(loop->slots);
    rmdi_free(loop);
    return 0;
}

bool rmdi_loop_is_here(rmd_loop *loop)
{
    /* Relaxed: only our own thread can have stored our own number. */
    return rmd_atomic_load(&loop->turning, RMD_RELAXED) == rmdi_thread_self();
}

bool rmdi_loop_is_mine(rmd_loop *loop)
{
    return rmd_atomic_load(&loop->owner, RMD_RELAXED) == rmdi_thread_self();
}

/* ---- posts ---- */

void rmdi_post_init(rmdi_post *post, void (*fn)(void *ctx), void *ctx)
{
    *post = (rmdi_post){ .fn = fn, .ctx = ctx };
    rmdi_list_init(&post->link);
}

void rmdi_loop_send(rmd_loop *loop, rmdi_post *post)
{
    rmdi_lock_enter(&loop->lock);
    bool wake = false;
    if (!post->queued) {
        post->queued = true;
        rmdi_list_append(&loop->posts, &post->link);
        /* Our own turn looks at the posts before it sleeps; others must be told. */
        wake = !loop->wake_sent && !rmdi_loop_is_here(loop);
        loop->wake_sent |= wake;
    }
    /* Under the lock: once it is released the loop may run the post and be freed. */
    if (wake)
        rmdi_poll_event_set(loop->wake);
    rmdi_lock_release(&loop->lock);
}

void rmdi_loop_unsend(rmd_loop *loop, rmdi_post *post)
{
    rmdi_lock_enter(&loop->lock);
    if (post->queued)
        rmdi_list_remove(&post->link);
    post->queued = false;
    rmdi_lock_release(&loop->lock);
}

int rmd_loop_post(rmd_loop *loop, void (*fn)(void *ctx), void *ctx)
{
    if (!loop || !fn)
        return rmdi_fail(RMD_EINVAL, "post: loop and function must be given");
    owned_post *owned = rmdi_alloc(sizeof *owned);
    if (!owned)
        return rmdi_fail_memory();
    owned->fn = fn;
    owned->ctx = ctx;
    rmdi_post_init(&owned->post, run_owned_post, owned);
    rmdi_loop_send(loop, &owned->post);
    return 0;
}

/* The next post, taken off under the lock: it may be sent anew while it runs. */
static rmdi_post *take_post(rmd_loop *loop)
{
    rmdi_lock_enter(&loop->lock);
    rmdi_link *link = rmdi_list_take_first(&loop->posts);
    rmdi_post *post = link ? RMDI_CONTAINER(link, rmdi_post, link) : NULL;
    if (post)
        post->queued = false;
    rmdi_lock_release(&loop->lock);
    return post;
}

static size_t count_posts(rmd_loop *loop)
{
    size_t n = 0;
    rmdi_lock_enter(&loop->lock);
    for (rmdi_link *link = loop->posts.next; link != &loop->posts; link = link->next)
        n++;
    rmdi_lock_release(&loop->lock);
    return n;
}

/* Those that are there now; what they post themselves waits for the next turn, so that
 * a post that sends itself again does not starve the descriptors. */
static int run_posts(rmd_loop *loop)
{
    int ran = 0;
    for (size_t n = count_posts(loop); n > 0; n--) {
        rmdi_post *post = take_post(loop);
        if (!post)
            break;
        post->fn(post->ctx);
        ran++;
    }
    return ran;
}

void rmd_loop_stop(rmd_loop *loop)
{
    /* Relaxed: the wake-up below is a system call on both sides. It also ends the sleep
     * of the present run, so a turn need not look at `stop`. */
    rmd_atomic_store(&loop->stop, true, RMD_RELAXED);
    rmdi_poll_event_set(loop->wake);
}

/* ---- one turn ---- */

static unsigned from_epoll(uint32_t events)
{
    unsigned told = 0;
    if (events & EPOLLIN)
        told |= RMD_READABLE;
    if (events & EPOLLOUT)
        told |= RMD_WRITABLE;
    if (events & (EPOLLHUP | EPOLLERR))
        told |= RMD_HANGUP;
    return told;
}

static void take_wake(rmd_loop *loop)
{
    rmdi_lock_enter(&loop->lock);
    rmdi_poll_event_clear(loop->wake);
    loop->wake_sent = false;
    rmdi_lock_release(&loop->lock);
}

static int deliver_signal(rmd_loop *loop, int signal)
{
    int ran = 0;
    /* Sources added by a callback come last and would see this signal too: stop at
     * the one that is last now. It cannot vanish: inside a turn the dead keep their
     * memory and their place in the list. */
    rmdi_link *link = loop->sources.next, *last = loop->sources.prev;
    for (bool more = true; more && link != &loop->sources;) {
        rmd_source *source = RMDI_CONTAINER(link, rmd_source, link);
        more = link != last;
        if (source->kind == RMDI_SOURCE_SIGNAL && source->signal == signal && !source->dead) {
            source->fn(source, (unsigned)signal, source->ctx);
            ran++;
        }
        link = link->next;
    }
    return ran;
}

static int take_signals(rmd_loop *loop)
{
    int ran = 0;
    for (int signal; (signal = rmdi_signalfd_read(loop->signals)) > 0;)
        ran += deliver_signal(loop, signal);
    return ran;
}

static int run_source(rmd_source *source, unsigned events)
{
    if (source->kind == RMDI_SOURCE_CHILD) { /* it was registered for once */
        source->in_epoll = false;
        rmdi_source_count(source);
        events = 0;
    }
    source->fn(source, events, source->ctx);
    return 1;
}

static int deliver(rmd_loop *loop, const struct epoll_event *event)
{
    uint32_t slot = (uint32_t)event->data.u64;
    switch (slot) {
    case RMDI_SLOT_WAKE: take_wake(loop); return 0;
    case RMDI_SLOT_SIGNALS: return take_signals(loop);
    case RMDI_SLOT_TIMER: return 0; /* it was there to wake a foreign loop */
    case RMDI_SLOT_LATER: rmdi_sources_admit(loop); return 0;
    }
    rmd_source *source = loop->slots[slot].source;
    if (!source || source->dead || rmdi_slot_key(loop, slot) != event->data.u64)
        return 0;
    return run_source(source, from_epoll(event->events));
}

/* A timer that is due: arms it for the next point of its grid that lies ahead, if it has
 * one, within the clock's range. */
static void take_timer(rmd_loop *loop, rmd_source *source, int64_t now)
{
    rmdi_timer *timer = &source->timer;
    int64_t missed = source->period_ns ? (now - timer->due_ns) / source->period_ns : 0, next;
    if (source->period_ns && !__builtin_add_overflow(timer->due_ns + missed * source->period_ns,
                                                     source->period_ns, &next)) {
        rmdi_timers_arm(&loop->timers, timer, next);
    } else {
        rmdi_timers_disarm(&loop->timers, timer);
        rmdi_source_count(source);
    }
}

static int run_timers(rmd_loop *loop)
{
    int ran = 0;
    int64_t now = rmdi_clock_monotonic_ns();
    loop->due_min_ns = now + 1;
    for (rmdi_timer *timer; (timer = rmdi_timers_first(&loop->timers)) && timer->due_ns <= now;) {
        rmd_source *source = RMDI_CONTAINER(timer, rmd_source, timer);
        take_timer(loop, source, now);
        source->fn(source, 0, source->ctx);
        ran++;
    }
    loop->due_min_ns = 0;
    return ran;
}

/* Descriptors that epoll does not take: they never wait. */
static int run_always_ready(rmd_loop *loop)
{
    int ran = 0;
    rmdi_link round;
    rmdi_list_init(&round);
    rmdi_list_move_all(&loop->always_ready, &round);
    for (rmdi_link *link; (link = rmdi_list_take_first(&round));) {
        rmd_source *source = RMDI_CONTAINER(link, rmd_source, ready_link);
        rmdi_list_append(&loop->always_ready, link);
        if (source->events && !source->dead) {
            source->fn(source, source->events, source->ctx);
            ran++;
        }
    }
    return ran;
}

static bool must_not_sleep(rmd_loop *loop)
{
    for (rmdi_link *link = loop->always_ready.next; link != &loop->always_ready; link = link->next)
        if (RMDI_CONTAINER(link, rmd_source, ready_link)->events)
            return true;
    rmdi_lock_enter(&loop->lock);
    bool posts = !rmdi_list_empty(&loop->posts);
    rmdi_lock_release(&loop->lock);
    return posts;
}

static int64_t next_due_ns(const rmd_loop *loop)
{
    rmdi_timer *first = rmdi_timers_first(&loop->timers);
    return first ? first->due_ns : INT64_MAX;
}

static int64_t wake_up_at(rmd_loop *loop, rmd_deadline deadline)
{
    if (must_not_sleep(loop))
        return 0;
    int64_t due = next_due_ns(loop);
    return due < deadline.ns ? due : deadline.ns;
}

/* Inside a turn there is nothing to do: its end does it. */
void rmdi_loop_tell_foreign(rmd_loop *loop)
{
    if (loop->timer < 0 || rmdi_loop_is_here(loop))
        return;
    int64_t at = must_not_sleep(loop) ? 0 : next_due_ns(loop);
    if (at != loop->armed_ns)
        rmdi_poll_timer_arm(loop->timer, at);
    loop->armed_ns = at;
}

/* ---- sleeping, on a thread that has a stop token ---- */

/* Sleeps in epoll, and is woken as by a post. */
typedef struct loop_sleeper {
    rmdi_sleeper sleeper; /* first */
    rmd_loop *loop;
    struct epoll_event *events;
    int n;
    rmd_atomic(uint32_t) woken;
} loop_sleeper;

/* Whatever wakes it ends the turn's sleep, the deadline and a signal, too. */
static int sleep_in_epoll(rmdi_sleeper *self, rmdi_waiter *waiter, rmd_deadline deadline)
{
    loop_sleeper *s = (loop_sleeper *)self;
    s->n = rmdi_poll_wait(s->loop->epoll, s->events, EVENTS_PER_TURN, deadline.ns);
    rmdi_waiter_fire_itself(waiter, 0);
    return 0;
}

static void wake(rmdi_sleeper *self, rmdi_waiter *waiter)
{
    loop_sleeper *s = (loop_sleeper *)self;
    (void)waiter;
    rmdi_poll_event_set(s->loop->wake);
    rmd_atomic_store(&s->woken, 1, RMD_RELEASE); /* after it *s may be gone */
    rmdi_unpark_one(&s->woken);
}

static void settle(rmdi_sleeper *self, rmdi_waiter *waiter)
{
    loop_sleeper *s = (loop_sleeper *)self;
    (void)waiter;
    while (!rmd_atomic_load(&s->woken, RMD_ACQUIRE))
        (void)rmdi_park(&s->woken, 0, RMD_FOREVER);
}

/* How many events there are; *stopped: the thread's stop token has fired. */
static int await_events(rmd_loop *loop, struct epoll_event *events, int64_t until_ns, bool *stopped)
{
    rmdi_waiter waiter;
    loop_sleeper s = { { sleep_in_epoll, wake, settle }, loop, events, 0, 0 };
    rmdi_waiter_init(&waiter, true);
    if (!waiter.stop)
        return rmdi_poll_wait(loop->epoll, events, EVENTS_PER_TURN, until_ns);
    waiter.sleeper = &s.sleeper;
    *stopped = rmdi_waiter_sleep(&waiter, RMD_DEADLINE_AT(until_ns)) == RMD_ECANCELED;
    /* Stopped before it slept, it has not looked yet. */
    return s.n ? s.n : rmdi_poll_wait(loop->epoll, events, EVENTS_PER_TURN, 0);
}

/* ---- turning ---- */

static int turn(rmd_loop *loop, rmd_deadline deadline)
{
    struct epoll_event events[EVENTS_PER_TURN];
    bool stopped = false;
    int ran = run_posts(loop);
    if (ran)
        deadline = RMD_NOW; /* something happened: do not sleep as well */
    int n = await_events(loop, events, wake_up_at(loop, deadline), &stopped);
    for (int i = 0; i < n; i++)
        ran += deliver(loop, &events[i]);
    ran += run_timers(loop);
    ran += run_always_ready(loop);
    return stopped && !ran ? RMD_ECANCELED : ran;
}

int rmd_loop_turn(rmd_loop *loop, rmd_deadline deadline)
{
    if (rmdi_loop_is_here(loop))
        return rmdi_fail(RMD_EBUSY, "a loop cannot be turned from inside one of its callbacks");
    rmd_atomic_store(&loop->owner, rmdi_thread_self(), RMD_RELAXED);
    rmd_atomic_store(&loop->turning, rmdi_thread_self(), RMD_RELAXED);
    int ran = turn(loop, deadline);
    rmdi_sources_bury(loop);
    rmd_atomic_store(&loop->turning, 0, RMD_RELAXED);
    rmdi_loop_tell_foreign(loop);
    return ran < 0 ? rmdi_fail(ran, "nothing happened on the loop") : ran;
}

int rmd_loop_run(rmd_loop *loop, rmd_deadline deadline)
{
    for (bool turned = false;; turned = true) {
        if (rmd_atomic_exchange(&loop->stop, false, RMD_RELAXED))
            return RMD_ECANCELED;
        if (!loop->counted && !count_posts(loop))
            return 0;
        if (turned && rmd_deadline_passed(deadline))
            return rmdi_fail(RMD_ETIMEDOUT, "the loop still watches %zu sources", loop->counted);
        int ran = rmd_loop_turn(loop, deadline);
        if (ran < 0)
            return ran;
    }
}

int rmdi_loop_open_timer(rmd_loop *loop, int *timer, uint32_t slot)
{
    int fd = rmdi_poll_timer_open();
    if (fd < 0)
        return -fd;
    int err = rmdi_loop_epoll(loop, EPOLL_CTL_ADD, fd, RMD_READABLE, slot);
    if (err)
        rmdi_fd_close(&fd);
    else
        *timer = fd;
    return err;
}

int rmd_loop_fd(rmd_loop *loop)
{
    if (loop->timer < 0) {
        int err = rmdi_loop_open_timer(loop, &loop->timer, RMDI_SLOT_TIMER);
        if (err)
            return rmdi_fail_errno(err, "a timer for a foreign loop");
        rmdi_loop_tell_foreign(loop);
    }
    return loop->epoll;
}
