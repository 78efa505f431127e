/* SPDX-License-Identifier: MIT */
/* A lock that is checked has a node: who holds it since where, and the edges of a graph. An edge
 * leads from one lock to another that was wanted while the first was held, and remembers who and
 * both places. It is made before the wait, so that it is there whatever becomes of the wait: it
 * says what may happen, not what did.
 *
 * The graph has no circle. Before the edge from a held lock to the wanted one is made, a way from
 * the wanted one to the held one is looked for; if there is one, the edge would close a circle of
 * locks in which everybody may wait for the next, and instead of it there is a report. An edge
 * that is there already closed none. So each order costs one search, and each use of it a look
 * through the edges of the locks that are held. All that a thread holds is looked at before the
 * first edge is made: of a call that is refused none is left, as it has waited for nothing. (Edges
 * to the same lock close no circle with each other, so none is missed by this.)
 *
 * Which edges are right. A thread that waits for B holding A: A to B, for every A that it holds,
 * however it got that. One that takes B with RMD_NOW does not wait, so others cannot wait for it in
 * a circle through that: no edge to B, but edges from B, as long as it has it. One that acquires
 * again a reentrant lock does not wait either. A wait for a condition of B with A held waits in the
 * end for B: A to B, also if A was acquired after B.
 *
 * Mixed code. A source without RMD_DEBUG calls without places. From the moment a lock has a node
 * all its acquires and releases come by here, with a place or without: so no record is left behind
 * that would be wrong later. What was acquired before that moment has no record, and nothing is
 * said about it.
 *
 * What a thread does while it reports is checked, and refused, but not reported: else a hook that
 * does what it reports would be called by itself, without an end. `reporting` has such threads.
 *
 * Everything is guarded by one lock, which is not checked. It is acquired inside all others, and
 * what it guards never waits: so it adds no deadlock. Nodes and edges are allocated with it held.
 *
 * Lifetime. A node is its lock's, and edges are those of the nodes at both ends: they go when the
 * lock is freed. A release comes here before it makes the lock free (lock_owner.c), so whoever has
 * the lock after it, and may free it, finds nobody here. After a fork the lists may be half
 * changed, and the lock held by a thread that is not there: the child checks nothing.
 *
 * Source: the order of locks as a graph is that of M. Young and others in the BSD kernel's
 * witness(4), and of I. Molnar's lockdep in Linux; here between locks and not classes of them. */
#include "sync/lock_check.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/list.h"
#include "port/forked.h"
#include "sync/self.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 16, SHOWN_MAX = 40 };

typedef struct rmdi_lock_node {
    rmd_lock *lock;
    const void *holder;     /* its rmdi_self_id(); NULL: nobody, as far as is known */
    const rmd_place *since; /* NULL: not known */
    char holder_name[NAME_MAX_BYTES];
    rmdi_link held;    /* in state.held while there is a holder */
    rmdi_link out, in; /* of edges */
    /* Of a search: which was here last, by which edge; the next in its queue. */
    uint64_t search;
    struct edge *by;
    struct rmdi_lock_node *next;
} node;

typedef struct edge {
    rmdi_link out, in;
    node *from, *to; /* `to` was wanted while `from` was held */
    const rmd_place *held, *wanted;
    char thread[NAME_MAX_BYTES];
} edge;

/* A thread in the hook, on its stack. */
typedef struct reporter {
    const void *id; /* rmdi_self_id() */
    struct reporter *next;
} reporter;

RMD_STATIC struct {
    rmdi_lock lock;
    rmd_atomic(uint64_t) process; /* 0: no use yet */
    rmdi_link held;               /* nodes; zeroed: empty, too */
    reporter *reporting;
    uint64_t searches;
    void (*report)(void *ctx, const char *text);
    void *ctx;
} state;

/* ---- the state's lock ---- */

static bool enter(void)
{
    /* Relaxed: all threads of a process write the same. */
    uint64_t process = rmd_atomic_load(&state.process, RMD_RELAXED);
    if (process == 0) {
        process = rmdi_process_mark();
        rmd_atomic_store(&state.process, process, RMD_RELAXED);
    }
    if (!rmdi_process_is(process))
        return false;
    rmdi_lock_enter(&state.lock);
    RMD_PLAIN_WRITES(&state.held, sizeof state.held);
    if (!state.held.next)
        rmdi_list_init(&state.held);
    return true;
}

static void leave(void)
{
    rmdi_lock_release(&state.lock);
}

/* ---- texts ---- */

typedef struct text {
    char *to;
    size_t room, len;
} text;

static void add(text *t, const char *format, ...) RMD_PRINTF(2, 3);
static void add(text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(t->to + t->len, t->room - t->len, format, args);
    va_end(args);
    t->len += len > 0 ? (size_t)len : 0;
    if (t->len >= t->room)
        t->len = t->room - 1;
}

static void add_place(text *t, const rmd_place *place)
{
    if (!place) {
        add(t, "somewhere compiled without RMD_DEBUG");
        return;
    }
    const char *slash = strrchr(place->file, '/');
    add(t, "%.*s() %.*s:%d", SHOWN_MAX, place->function, SHOWN_MAX, slash ? slash + 1 : place->file,
        place->line);
}

static void add_lock(text *t, const node *n)
{
    add(t, "\"%.*s\"", SHOWN_MAX, n->lock->name);
}

/* Threads that are not ours have no name here. */
static void add_thread(text *t, const char *name)
{
    if (*name)
        add(t, "\"%s\"", name);
    else
        add(t, "a thread");
}

static void copy_name(char to[NAME_MAX_BYTES])
{
    snprintf(to, NAME_MAX_BYTES, "%s", rmd_thread_name(rmdi_self_thread()));
}

static void add_here(text *t, const rmd_place *place)
{
    char name[NAME_MAX_BYTES];
    copy_name(name);
    add_place(t, place);
    add(t, " by ");
    add_thread(t, name);
}

static void add_holder(text *t, const node *n)
{
    add_thread(t, n->holder_name);
    add(t, " since ");
    add_place(t, n->since);
}

/* ---- nodes; here and below with the state's lock held ---- */

static node *known(rmd_lock *lock)
{
    return RMD_PLAIN(lock->known);
}

/* NULL without memory. */
static node *know(rmd_lock *lock)
{
    node *n = known(lock);
    if (n || !(n = rmdi_alloc_zeroed(sizeof *n)))
        return n;
    n->lock = lock;
    rmdi_list_init(&n->held);
    rmdi_list_init(&n->out);
    rmdi_list_init(&n->in);
    RMD_PLAIN_SET(lock->known, n);
    /* Relaxed: who sees it enters the state's lock before he looks at the node. */
    rmd_atomic_or(&lock->ways, RMDI_LOCK_CHECKED, RMD_RELAXED);
    return n;
}

static node *of_held(rmdi_link *link)
{
    return RMDI_CONTAINER(link, node, held);
}

static void clear_holder(node *n)
{
    RMD_PLAIN_WRITES(n, sizeof *n);
    n->holder = NULL;
    rmdi_list_remove(&n->held);
}

static void set_holder(node *n, const rmd_place *since)
{
    clear_holder(n); /* if one is left there, then by a thread that has released what it had not */
    n->holder = rmdi_self_id();
    n->since = since;
    copy_name(n->holder_name);
    rmdi_list_append(&state.held, &n->held);
}

/* ---- edges ---- */

static edge *of_out(rmdi_link *link)
{
    return RMDI_CONTAINER(link, edge, out);
}

static edge *of_in(rmdi_link *link)
{
    return RMDI_CONTAINER(link, edge, in);
}

static bool has_edge(node *from, node *to)
{
    RMD_PLAIN_READS(from, sizeof *from);
    for (rmdi_link *l = from->out.next; l != &from->out; l = l->next)
        if (of_out(l)->to == to)
            return true;
    return false;
}

static void add_edge(node *from, node *to, const rmd_place *wanted)
{
    edge *e = rmdi_alloc(sizeof *e);
    if (!e)
        return; /* this order is not known, then */
    *e = (edge){ .from = from, .to = to, .held = from->since, .wanted = wanted };
    copy_name(e->thread);
    rmdi_list_append(&from->out, &e->out);
    rmdi_list_append(&to->in, &e->in);
}

static void remove_edge(edge *e)
{
    rmdi_list_remove(&e->out);
    rmdi_list_remove(&e->in);
    rmdi_free(e);
}

/* ---- searching ---- */

static void visit(node *n, edge *by)
{
    n->search = state.searches;
    n->by = by;
    n->next = NULL;
}

/* Is there a way? Then the shortest one lies in the `by` of its nodes, backwards from `to`. */
static bool leads_to(node *from, node *to)
{
    node *last = from;
    state.searches++;
    visit(from, NULL);
    for (node *at = from; at && at != to; at = at->next) {
        RMD_PLAIN_READS(at, sizeof *at);
        for (rmdi_link *l = at->out.next; l != &at->out; l = l->next)
            if (of_out(l)->to->search != state.searches) {
                visit(of_out(l)->to, of_out(l));
                last = last->next = of_out(l)->to;
            }
    }
    return to->search == state.searches;
}

static void tell_inversion(text *t, node *wanted, node *held, const rmd_place *place)
{
    const char *link = "; but ";
    add(t, "lock ");
    add_lock(t, wanted);
    add(t, " at ");
    add_here(t, place);
    add(t, " while ");
    add_lock(t, held);
    add(t, " is held since ");
    add_place(t, held->since);
    for (edge *e = held->by; e; e = e->from->by, link = "; and ") {
        add(t, "%s", link);
        add_lock(t, e->to);
        add(t, " was wanted at ");
        add_place(t, e->wanted);
        add(t, " by ");
        add_thread(t, e->thread);
        add(t, " while ");
        add_lock(t, e->from);
        add(t, " was held since ");
        add_place(t, e->held);
    }
}

/* The next lock, from *l on, that the calling thread holds and that has no edge to the wanted one;
 * NULL: no more. */
static node *next_without_edge(rmdi_link **l, node *wanted)
{
    const void *me = rmdi_self_id();
    while (*l != &state.held) {
        node *held = of_held(*l);
        RMD_PLAIN_READS(held, sizeof *held);
        *l = (*l)->next;
        if (held->holder == me && held != wanted && !has_edge(held, wanted))
            return held;
    }
    return NULL;
}

/* Compares with all that the calling thread holds. If all fits, that is known from now on. */
static void look_at_order(text *t, node *wanted, const rmd_place *place)
{
    rmdi_link *l = state.held.next;
    for (node *held; t->len == 0 && (held = next_without_edge(&l, wanted));)
        if (leads_to(wanted, held))
            tell_inversion(t, wanted, held, place);
    l = state.held.next;
    for (node *held; t->len == 0 && (held = next_without_edge(&l, wanted));)
        add_edge(held, wanted, place);
}

static void tell_self_deadlock(text *t, const node *n, const rmd_place *place)
{
    add(t, "lock ");
    add_lock(t, n);
    add(t, " at ");
    add_here(t, place);
    add(t, ", which holds it since ");
    add_place(t, n->since);
    add(t, ", and it is not reentrant");
}

/* ---- reporting ---- */

static bool reports_already(void)
{
    const void *me = rmdi_self_id();
    for (reporter *r = RMD_PLAIN(state.reporting); r; r = RMD_PLAIN(r->next))
        if (RMD_PLAIN(r->id) == me)
            return true;
    return false;
}

static void begin_report(reporter *mine)
{
    RMD_PLAIN_SET(mine->id, rmdi_self_id());
    RMD_PLAIN_SET(mine->next, RMD_PLAIN(state.reporting));
    RMD_PLAIN_SET(state.reporting, mine);
}

static void end_report(const reporter *mine)
{
    reporter **at = &state.reporting;
    if (!enter()) /* the hook has called fork(), and this is the child */
        return;
    while (RMD_PLAIN(*at) != mine)
        at = &(*at)->next;
    RMD_PLAIN_SET(*at, mine->next);
    leave();
}

/* With the state's lock held, which is released. A text that is not empty is a finding. */
static int leave_and_report(const text *t, int code)
{
    reporter mine;
    void (*report)(void *ctx, const char *text) = RMD_PLAIN(state.report);
    void *ctx = RMD_PLAIN(state.ctx);
    bool told = t->len > 0 && report && !reports_already();
    if (told)
        begin_report(&mine);
    leave();
    if (told) {
        report(ctx, t->to);
        end_report(&mine);
    }
    return t->len > 0 ? rmdi_fail(code, "%s", t->to) : 0;
}

/* ---- what is called ---- */

int rmdi_lock_check_wanted(rmd_lock *lock, rmd_deadline deadline, const rmd_place *place)
{
    char room[RMDI_ERROR_DETAIL_MAX] = "";
    text t = { .to = room, .room = sizeof room };
    if (deadline.ns <= 0 || !enter())
        return 0;
    node *n = know(lock);
    if (n && RMD_PLAIN(n->holder) == rmdi_self_id())
        tell_self_deadlock(&t, n, place);
    else if (n)
        look_at_order(&t, n, place);
    return leave_and_report(&t, RMD_EDEADLK);
}

int rmdi_lock_check_wanted_back(rmd_lock *lock, const rmd_place *place)
{
    char room[RMDI_ERROR_DETAIL_MAX] = "";
    text t = { .to = room, .room = sizeof room };
    if (!enter())
        return 0;
    node *n = know(lock);
    if (n)
        look_at_order(&t, n, place);
    return leave_and_report(&t, RMD_EDEADLK);
}

void rmdi_lock_check_acquired(rmd_lock *lock, const rmd_place *since)
{
    if (!enter())
        return;
    node *n = know(lock);
    if (n)
        set_holder(n, since);
    leave();
}

const rmd_place *rmdi_lock_check_released(rmd_lock *lock)
{
    const rmd_place *since = NULL;
    if (!enter())
        return NULL;
    node *n = known(lock);
    if (n && n->holder) {
        since = n->since;
        clear_holder(n);
    }
    leave();
    return since;
}

int rmdi_lock_check_mine(rmd_lock *lock, const char *what, const rmd_place *place)
{
    char room[RMDI_ERROR_DETAIL_MAX] = "";
    text t = { .to = room, .room = sizeof room };
    if (!enter())
        return 0;
    node *n = known(lock);
    if (n && RMD_PLAIN(n->holder) && n->holder != rmdi_self_id()) {
        add(&t, "%s: lock ", what);
        add_lock(&t, n);
        add(&t, " at ");
        add_here(&t, place);
        add(&t, ", but it is held by ");
        add_holder(&t, n);
    }
    return leave_and_report(&t, RMD_EINVAL);
}

const char *rmdi_lock_check_holder(rmd_lock *lock, char to[RMDI_LOCK_HOLDER_MAX])
{
    text t = { .to = to, .room = RMDI_LOCK_HOLDER_MAX };
    *to = '\0';
    /* Relaxed: a lock that has just become known has no holder who is. */
    if (!(rmd_atomic_load(&lock->ways, RMD_RELAXED) & RMDI_LOCK_CHECKED) || !enter())
        return to;
    node *n = known(lock);
    if (n && RMD_PLAIN(n->holder)) {
        add(&t, " by ");
        add_holder(&t, n);
    }
    leave();
    return to;
}

static void free_edges(node *n)
{
    while (!rmdi_list_empty(&n->out))
        remove_edge(of_out(n->out.next));
    while (!rmdi_list_empty(&n->in))
        remove_edge(of_in(n->in.next));
}

void rmdi_lock_check_forget(rmd_lock *lock)
{
    node *n = known(lock); /* without the state's lock: nobody else uses the lock any more */
    if (!n)
        return;
    if (enter()) {
        clear_holder(n);
        free_edges(n);
        leave();
    }
    rmdi_free(n);
}

void rmd_lock_on_report(void (*fn)(void *ctx, const char *text), void *ctx)
{
    if (!enter())
        return;
    RMD_PLAIN_SET(state.report, fn);
    RMD_PLAIN_SET(state.ctx, ctx);
    leave();
}
