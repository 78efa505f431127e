/* SPDX-License-Identifier: MIT */
/* The crew of a thread is one of its local values (remuda/local.h): so it ends with the thread. The
 * local itself is opened at the first call, and stays.
 *
 * A process that was forked by a task has copies of its parent's: those are not its own, and are
 * forgotten without being told anything. */
#include "exec/foreign_crew.h"

#include "base/alloc.h"
#include "base/error.h"
#include "exec/foreign.h"
#include "exec/foreign_child.h"
#include "exec/foreign_mark.h"
#include "exec/guard.h"
#include "exec/stray.h"
#include "exec/template_setup.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/forked.h"
#include "port/poll.h"
#include "port/signalfd.h"
#include "sync/self.h"

#include <remuda/atomics.h>
#include <remuda/local.h>
#include <remuda/stop.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { SEARCH_SHARE = 100 };

RMD_STATIC rmd_atomic(rmd_local *) crews;

/* ---- members ---- */

static rmdi_foreign_member *of_link(rmdi_link *link)
{
    return RMDI_CONTAINER(link, rmdi_foreign_member, link);
}

void rmdi_foreign_crew_add(rmdi_foreign_crew *crew, rmdi_foreign_member *member)
{
    rmdi_list_append(&crew->members, &member->link);
}

rmdi_foreign_member *rmdi_foreign_crew_find(const rmdi_foreign_crew *crew, const void *foreign)
{
    for (rmdi_link *l = crew->members.next; l != &crew->members; l = l->next)
        if (of_link(l)->foreign == foreign)
            return of_link(l);
    return NULL;
}

void rmdi_foreign_crew_remove(rmdi_foreign_member *member)
{
    rmdi_list_remove(&member->link);
}

/* ---- strays of programs ---- */

static void search(rmdi_foreign_crew *crew)
{
    rmdi_stray_search all = {
        .instance = crew->guarded ? rmdi_guard_instance() : rmdi_foreign_mark_instance(),
        .alive = crew->guarded ? rmdi_guard_is_listed : rmdi_foreign_mark_is_there
    };
    int64_t begin = rmdi_clock_monotonic_ns();
    rmdi_strays_kill(&all);
    int64_t end = rmdi_clock_monotonic_ns();
    crew->to_search = false;
    crew->search_after_ns = end + SEARCH_SHARE * (end - begin);
}

void rmdi_foreign_crew_note_end(rmdi_foreign_crew *crew)
{
    crew->to_search = true;
    if (rmdi_clock_monotonic_ns() > crew->search_after_ns)
        search(crew);
}

/* ---- SIGTERM ---- */

/* One that the program handles, ignores or blocks is its own affair. */
static bool ends_us(const sigset_t *mask)
{
    struct sigaction now;
    return sigaction(SIGTERM, NULL, &now) == 0 && now.sa_handler == SIG_DFL &&
           !sigismember(mask, SIGTERM);
}

static void hold_term(rmdi_foreign_crew *crew)
{
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &crew->mask);
    if (crew->term < 0)
        crew->term = rmdi_signalfd_set(-1, &term);
    crew->holds_term = crew->term >= 0 && ends_us(&crew->mask);
    if (!crew->holds_term)
        sigprocmask(SIG_SETMASK, &crew->mask, NULL);
}

/* Here we end if it has come. */
static void release_term(rmdi_foreign_crew *crew)
{
    sigset_t mask = crew->mask;
    crew->holds_term = false;
    if (rmdi_poll_readable(crew->term))
        rmdi_foreign_leave();
    sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* ---- the end ---- */

/* All at the same time: it takes as long as the slowest, not as long as all. */
static void end_members(rmdi_foreign_crew *crew)
{
    rmdi_foreign_child *first = NULL;
    for (rmdi_link *l = crew->members.next; l != &crew->members; l = l->next) {
        of_link(l)->dismiss(of_link(l));
        of_link(l)->child->beside = first;
        first = of_link(l)->child;
    }
    rmdi_foreign_children_dismiss(first);
    for (rmdi_link *l; (l = rmdi_list_take_first(&crew->members));)
        of_link(l)->end(of_link(l));
}

static void forget_members(rmdi_foreign_crew *crew)
{
    for (rmdi_link *l; (l = rmdi_list_take_first(&crew->members));)
        of_link(l)->forget(of_link(l));
}

static void end_crew(rmdi_foreign_crew *crew)
{
    rmdi_fd_close(&crew->term);
    if (!rmdi_process_is(crew->process)) {
        forget_members(crew);
        return;
    }
    rmd_stop *before = rmd_stop_set(NULL);
    end_members(crew);
    if (crew->to_search)
        search(crew);
    if (crew->guarded)
        rmdi_guard_drop();
    rmd_stop_set(before);
}

static void destroy(void *value)
{
    end_crew(value);
    rmdi_free(value);
}

/* ---- whose it is ---- */

static bool in_worker_process(void)
{
    return rmdi_worker_process_name()[0] != 0;
}

static bool is_worker_process(void)
{
    return in_worker_process() && gettid() == getpid();
}

/* One that runs tasks all its life, and whose end we see. */
static bool is_worker(void)
{
    return rmdi_self_worker() || is_worker_process();
}

static int init(rmdi_foreign_crew *crew, bool kept)
{
    *crew = (rmdi_foreign_crew){ .process = rmdi_process_mark(), .kept = kept, .term = -1 };
    rmdi_list_init(&crew->members);
    int err = in_worker_process() ? 0 : rmdi_guard_hold();
    crew->guarded = err == 0 && !in_worker_process();
    return err;
}

/* Acquire and release: who finds the local finds it opened. */
static int find_local(rmd_local **local)
{
    rmd_local *seen = rmd_atomic_load(&crews, RMD_ACQUIRE), *ours;
    if (!seen) {
        int err = rmd_local_open(&ours, destroy);
        if (err < 0)
            return err;
        if (rmd_atomic_cas(&crews, &seen, ours, RMD_ACQ_REL, RMD_ACQUIRE))
            seen = ours;
        else
            rmd_local_free(ours);
    }
    *local = seen;
    return 0;
}

static int make_kept(rmdi_foreign_crew **crew, rmd_local *local)
{
    rmdi_foreign_crew *made = rmdi_alloc(sizeof *made);
    if (!made)
        return rmdi_fail_memory();
    int err = init(made, true);
    if (err == 0) {
        err = rmd_local_set(local, made);
        if (err < 0)
            end_crew(made);
    }
    if (err < 0)
        rmdi_free(made);
    else
        *crew = made;
    return err;
}

static void drop_kept(rmd_local *local, rmdi_foreign_crew *crew)
{
    int err = rmd_local_set(local, NULL); /* cannot fail: it has a value */
    (void)err;
    destroy(crew);
}

static int enter_kept(rmdi_foreign_crew **crew)
{
    rmd_local *local;
    int err = find_local(&local);
    if (err < 0)
        return err;
    rmdi_foreign_crew *there = rmd_local_get(local);
    if (there && !rmdi_process_is(there->process)) {
        drop_kept(local, there);
        there = NULL;
    }
    *crew = there;
    return there ? 0 : make_kept(crew, local);
}

int rmdi_foreign_crew_enter(rmdi_foreign_crew **crew, rmdi_foreign_crew *brief)
{
    if (!is_worker()) {
        *crew = brief;
        return init(brief, false);
    }
    int err = enter_kept(crew);
    if (err == 0 && is_worker_process())
        hold_term(*crew);
    return err;
}

/* What the call has failed with is not to be talked over. */
static void end_brief(rmdi_foreign_crew *crew)
{
    char detail[RMDI_ERROR_DETAIL_MAX];
    snprintf(detail, sizeof detail, "%s", rmd_error_detail());
    end_crew(crew);
    (void)rmdi_fail_copy(0, detail);
}

void rmdi_foreign_crew_leave(rmdi_foreign_crew *crew)
{
    if (crew->holds_term)
        release_term(crew); /* and perhaps the crew */
    else if (!crew->kept)
        end_brief(crew);
}

void rmdi_foreign_leave(void)
{
    rmd_local *local = rmd_atomic_load(&crews, RMD_ACQUIRE);
    rmdi_foreign_crew *crew = local ? rmd_local_get(local) : NULL;
    if (!crew)
        return;
    drop_kept(local, crew);
}
