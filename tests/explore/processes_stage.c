/* SPDX-License-Identifier: MIT */
#include "processes_stage.h"

#include "base/alloc.h"
#include "base/park.h"
#include "exec/function.h"
#include "exec/processes.h"
#include "port/clock.h"
#include "port/memory.h"
#include "sync/brief.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

processes_stage processes_stage_;

/* ---- the loop ---- */

/* The place of all that is wrapped: not declared anywhere, since only the linker knows. */
#define WRAP(type, name, ...)        \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

typedef struct stage_source {
    rmd_source_fn *fn;
    void *ctx;
    int64_t due_ns; /* of a timer: INT64_MAX: not armed */
    struct stage_source *next;
} stage_source;

/* What has come from the template, and is still to be heard. */
typedef struct message {
    rmdi_template_what what;
    unsigned worker;
} message;

typedef struct worker {
    rmdi_ring_end end;
    rmdi_process *process; /* that it was forked for */
    uint64_t number;
    int signal;         /* that the pool has killed it with */
    bool ended, reaped; /* guarded by the world's lock */
    rmd_explore_thread *thread, *watcher;
} worker;

static struct {
    rmdi_brief lock; /* of what other threads than the keeper write: */
    rmdi_link posts;
    message messages[4 * STAGE_WORKERS_MAX];
    unsigned messages_first, messages_end;
    rmd_atomic(uint32_t) told; /* counts, so that the keeper looks again */
    rmd_atomic(uint32_t) bell;
    /* the keeper's own: */
    rmdi_processes *pool;
    stage_source *sources, *on_bell;
    worker workers[STAGE_WORKERS_MAX];
    unsigned workers_len;
    unsigned amid;                   /* that have died in a task, killed by nobody */
    void *blocks[STAGE_WORKERS_MAX]; /* of rings */
} w;

static void enter(void)
{
    rmdi_brief_enter(&w.lock);
}

static void leave(void)
{
    rmdi_brief_leave(&w.lock);
}

static void tell_keeper(void)
{
    rmd_atomic_add(&w.told, 1, RMD_RELEASE);
    rmdi_unpark_all(&w.told);
}

static void send_message(rmdi_template_what what, unsigned number)
{
    enter();
    w.messages[w.messages_end++] = (message){ what, number };
    leave();
    tell_keeper();
}

static stage_source *new_source(rmd_source **source, rmd_source_fn *fn, void *ctx, int64_t due_ns)
{
    stage_source *s = rmdi_alloc_zeroed(sizeof *s);
    RMD_ASSERT(s);
    *s = (stage_source){ .fn = fn, .ctx = ctx, .due_ns = due_ns, .next = w.sources };
    w.sources = s;
    *source = (rmd_source *)(void *)s;
    return s;
}

WRAP(int, rmd_loop_open, rmd_loop **loop)
{
    *loop = (rmd_loop *)(void *)&w;
    return 0;
}

WRAP(int, rmd_loop_free, rmd_loop *loop)
{
    (void)loop;
    while (w.sources) {
        stage_source *s = w.sources;
        w.sources = s->next;
        rmdi_free(s);
    }
    return 0;
}

WRAP(int, rmd_loop_watch, rmd_loop *loop, rmd_source **source, int fd, unsigned events,
     rmd_source_fn *fn, void *ctx)
{
    (void)loop, (void)events;
    stage_source *s = new_source(source, fn, ctx, INT64_MAX);
    if (fd >= 0) { /* what workers write to stderr is not watched */
        w.on_bell = s;
        w.pool = ctx;
    }
    return 0;
}

WRAP(int, rmd_loop_timer, rmd_loop *loop, rmd_source **source, rmd_deadline due, int64_t period_ms,
     rmd_source_fn *fn, void *ctx)
{
    (void)loop, (void)period_ms;
    new_source(source, fn, ctx, due.ns);
    return 0;
}

WRAP(int, rmd_source_set_due, rmd_source *source, rmd_deadline due)
{
    ((stage_source *)(void *)source)->due_ns = due.ns;
    return 0;
}

WRAP(void, rmd_source_set_background, rmd_source *source, bool background)
{
    (void)source, (void)background;
}

WRAP(void, rmd_source_free, rmd_source *source)
{
    for (stage_source **s = &w.sources; *s; s = &(*s)->next)
        if ((void *)*s == (void *)source) {
            stage_source *gone = *s;
            *s = gone->next;
            rmdi_free(gone);
            return;
        }
}

WRAP(void, rmdi_loop_send, rmd_loop *loop, rmdi_post *post)
{
    (void)loop;
    enter();
    if (!post->queued)
        rmdi_list_append(&w.posts, &post->link);
    post->queued = true;
    leave();
    tell_keeper();
}

WRAP(void, rmdi_loop_unsend, rmd_loop *loop, rmdi_post *post)
{
    (void)loop;
    enter();
    if (post->queued)
        rmdi_list_remove(&post->link);
    post->queued = false;
    leave();
}

static bool run_post(void)
{
    enter();
    rmdi_link *link = rmdi_list_take_first(&w.posts);
    rmdi_post *post = link ? RMDI_CONTAINER(link, rmdi_post, link) : NULL;
    if (post)
        post->queued = false;
    leave();
    if (post)
        post->fn(post->ctx);
    return post;
}

/* The first that is due, or when it will be. */
static stage_source *first_timer(void)
{
    stage_source *first = NULL;
    for (stage_source *s = w.sources; s; s = s->next)
        if (!first || s->due_ns < first->due_ns)
            first = s;
    return first;
}

static bool run_timer(void)
{
    stage_source *s = first_timer();
    if (!s || s->due_ns == INT64_MAX || s->due_ns > rmdi_clock_monotonic_ns())
        return false;
    s->due_ns = INT64_MAX;
    s->fn((rmd_source *)(void *)s, 0, s->ctx);
    return true;
}

static bool hear_bell(void)
{
    if (!rmd_atomic_exchange(&w.bell, 0, RMD_ACQUIRE))
        return false;
    w.on_bell->fn((rmd_source *)(void *)w.on_bell, RMD_READABLE, w.on_bell->ctx);
    return true;
}

static bool hear_message(void);

/* One thing in each turn, so that what is between them is seen by others. */
WRAP(int, rmd_loop_turn, rmd_loop *loop, rmd_deadline deadline)
{
    (void)loop, (void)deadline;
    uint32_t seen = rmd_atomic_load(&w.told, RMD_ACQUIRE);
    if (hear_message() || run_post() || hear_bell() || run_timer())
        return 1;
    const stage_source *first = first_timer();
    rmdi_park(&w.told, seen, first ? RMD_DEADLINE_AT(first->due_ns) : RMD_FOREVER);
    return 0;
}

/* ---- the template ---- */

enum { FIRST_PID = 100 };

static pid_t pid_of(unsigned number)
{
    return (pid_t)number + FIRST_PID;
}

static rmdi_process *by_pid(unsigned number)
{
    for (unsigned i = 0; i < w.pool->kept.pool.workers; i++)
        if (w.pool->processes[i].pid == pid_of(number) && w.pool->processes[i].ours_to_reap)
            return &w.pool->processes[i];
    return NULL;
}

static bool had_begun(const rmdi_process *process)
{
    bool begun = false;
    for (int i = 0; i < RMDI_RING_SLOTS; i++)
        begun |= rmd_atomic_load(&process->share->memory->slots[i].state, RMD_ACQUIRE) ==
                 RMDI_RING_BEGUN;
    return begun;
}

static bool hear_message(void)
{
    enter();
    bool any = w.messages_first != w.messages_end;
    message m = any ? w.messages[w.messages_first++] : (message){ 0 };
    leave();
    if (!any)
        return false;
    worker *self = &w.workers[m.worker];
    if (m.what == RMDI_TEMPLATE_READY) {
        w.pool->template_ready = true;
        rmdi_processes_fork(w.pool);
    } else if (m.what == RMDI_TEMPLATE_FORKED) {
        rmdi_process_forked(self->process, pid_of(m.worker), -1);
    } else {
        rmdi_process *process = by_pid(m.worker);
        bool killed = rmd_explore_killed(self->thread);
        rmdi_child_end how = { .status = killed ? -1 : 0,
                               .signal = !killed        ? 0
                                         : self->signal ? self->signal
                                                        : SIGKILL };
        RMD_ASSERT(process == self->process);
        w.amid += killed && !self->signal && had_begun(process);
        rmdi_process_ended(process, &how);
    }
    return true;
}

static void work(void *arg);

static void watch(void *arg)
{
    worker *self = arg;
    rmd_explore_join(self->thread);
    enter();
    self->ended = true;
    leave();
    send_message(RMDI_TEMPLATE_ENDED, (unsigned)(self - w.workers));
}

static void ring_bell(void *ctx)
{
    (void)ctx;
    /* An eventfd counts: who reads it knows of all who have written. */
    rmd_atomic_add(&w.bell, 1, RMD_RELEASE);
    tell_keeper();
}

static void fork_worker(const rmdi_template_message *order)
{
    RMD_ASSERT(w.workers_len < STAGE_WORKERS_MAX);
    unsigned number = w.workers_len++;
    worker *self = &w.workers[number];
    self->process = &w.pool->processes[order->index];
    self->number = order->number;
    rmdi_ring_end_init(&self->end, self->process->share->memory, ring_bell, NULL);
    send_message(RMDI_TEMPLATE_FORKED, number);
    self->thread = rmd_explore_process(work, self, "worker");
    self->watcher = rmd_explore_start(watch, self, "template");
}

/* Nobody is reaped before it has ended, or twice. */
static void reap(pid_t pid)
{
    worker *self = &w.workers[pid - FIRST_PID];
    enter();
    RMD_ASSERT(self->ended && !self->reaped);
    self->reaped = true;
    leave();
}

WRAP(int, rmdi_template_send, rmdi_processes *pool, const rmdi_template_message *order,
     const int *fds, unsigned n)
{
    (void)pool, (void)fds, (void)n;
    if (order->what == RMDI_TEMPLATE_FORK)
        fork_worker(order);
    else
        reap(order->pid);
    return 0;
}

WRAP(int, rmdi_template_start, rmdi_processes *pool)
{
    pool->template_pid = 1;
    send_message(RMDI_TEMPLATE_READY, 0);
    return 0;
}

WRAP(void, rmdi_template_stop, rmdi_processes *pool)
{
    pool->template_pid = 0;
    pool->template_ready = false;
}

WRAP(void, rmdi_template_revive, rmdi_processes *pool)
{
    (void)pool;
}

WRAP(int, rmdi_setup_open, rmdi_processes *pool, const rmd_pool_options *options)
{
    (void)pool, (void)options;
    return 0;
}

/* Only those that were not reaped may be signalled. */
WRAP(int, kill, pid_t pid, int signal)
{
    pid = pid < 0 ? -pid : pid;
    if (pid == w.pool->template_pid)
        return 0; /* it always listens */
    RMD_ASSERT(pid >= FIRST_PID && pid < pid_of(w.workers_len));
    worker *self = &w.workers[pid - FIRST_PID];
    enter();
    RMD_ASSERT(!self->reaped);
    bool dies = !self->ended && (signal == SIGKILL || signal == SIGTERM);
    leave();
    if (dies) {
        self->signal = signal;
        for (unsigned steps = 10 * rmd_explore_choose(3); steps > 0; steps--)
            rmd_explore_point(); /* it takes its time to get there */
        rmd_explore_kill(self->thread);
    }
    return 0;
}

/* ---- the guard, and other things that are not looked at here ---- */

WRAP(int, rmdi_guard_hold, void)
{
    return 0;
}

WRAP(void, rmdi_guard_drop, void) {}

WRAP(int, rmdi_guard_enter, uint64_t *number, uint32_t *slot)
{
    *number = w.workers_len + 1;
    *slot = 0;
    return 0;
}

WRAP(void, rmdi_guard_set_group, uint32_t slot, pid_t group)
{
    (void)slot, (void)group;
}

WRAP(void, rmdi_guard_leave, uint32_t slot)
{
    (void)slot;
}

WRAP(int, rmdi_guard_watch_open, rmdi_guard_watch *watch_, rmd_loop *loop)
{
    (void)watch_, (void)loop;
    return 0;
}

WRAP(int, rmdi_guard_watch_ensure, rmdi_guard_watch *watch_)
{
    (void)watch_;
    return 0;
}

WRAP(void, rmdi_guard_watch_close, rmdi_guard_watch *watch_)
{
    (void)watch_;
}

WRAP(void, rmdi_clearing_begin, rmdi_clearing *clearing)
{
    clearing->done(clearing->ctx);
}

WRAP(int, rmdi_fd_pipe, int ends[2], int ours)
{
    (void)ours;
    ends[0] = ends[1] = -1;
    return 0;
}

/* ---- memory ---- */

WRAP(int, rmdi_memory_open, const char *name, size_t bytes, int *fd)
{
    (void)name, (void)bytes;
    *fd = -1;
    return 0;
}

/* Of the heap, so that a use after it was unmapped is seen. */
WRAP(int, rmdi_memory_map, int fd, size_t bytes, bool read_only, void **memory)
{
    enum { PAGE = 4096 };
    (void)fd, (void)read_only;
    unsigned i = 0;
    while (w.blocks[i])
        RMD_ASSERT(++i < STAGE_WORKERS_MAX);
    w.blocks[i] = rmdi_alloc_zeroed(bytes + PAGE);
    RMD_ASSERT(w.blocks[i]);
    *memory = (void *)(((uintptr_t)w.blocks[i] + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    return 0;
}

WRAP(void, rmdi_memory_unmap, void *memory, size_t bytes)
{
    for (unsigned i = 0; i < STAGE_WORKERS_MAX; i++) {
        uintptr_t block = (uintptr_t)w.blocks[i], at = (uintptr_t)memory;
        if (block && at >= block && at < block + bytes) {
            rmdi_free(w.blocks[i]);
            w.blocks[i] = NULL;
            return;
        }
    }
    RMD_ASSERT(false); /* it is none, or twice */
}

/* ---- a worker ---- */

/* The result of the task of a number, encoded: that number. */
static void run_task(worker *self, const rmdi_ring_slot *slot)
{
    const char *texts = (const char *)self->end.memory->in + slot->in_at;
    RMD_PLAIN_READS(texts, slot->in_len);
    RMD_ASSERT(slot->name_len == 2 && texts[slot->function_len + 1] == '\0');
    unsigned char number = (unsigned char)(texts[slot->function_len] - '0');
    RMD_ASSERT(number < STAGE_TASKS);
    rmd_atomic_add(&P->begun[number], 1, RMD_RELAXED);
    rmdi_unpark_all(&P->begun[number]);
    rmdi_ring_tell_begun(&self->end, slot->timed);
    while (number == 0 && P->has_gate && !rmd_atomic_load(&P->gate, RMD_RELAXED))
        rmdi_park(&P->gate, 0, RMD_FOREVER);
    RMD_ASSERT(rmdi_ring_finish(&self->end, 0, (rmd_bytes){ (char *)&number, 1 }, 0) == 0);
}

static void be_idle(void *ctx)
{
    (void)ctx;
}

static bool is_worn_out(int done)
{
    return P->tasks_max && done >= P->tasks_max;
}

static void work(void *arg)
{
    worker *self = arg;
    int done = 0;
    /* From when on it may die: else most would do so before they have done anything. */
    static const int after[] = { -2, -1, 0, 0, 0, 1, 1, 2 };
    int mortal = after[rmd_explore_choose(8)];
    rmd_explore_spare(mortal > -2);
    rmd_atomic_store(&self->end.memory->life, RMDI_LIFE_READY, RMD_RELEASE);
    rmdi_ring_tell(&self->end, true);
    rmd_explore_spare(mortal > -1);
    do {
        rmdi_ring_slot *slot;
        while (!is_worn_out(done) && (slot = rmdi_ring_claim(&self->end))) {
            rmd_explore_spare(mortal > done);
            run_task(self, slot);
            done++;
        }
    } while (!is_worn_out(done) && rmdi_ring_wait(&self->end, be_idle));
    rmd_atomic_store(&self->end.memory->life, RMDI_LIFE_RETIRED, RMD_RELEASE);
    rmdi_ring_tell(&self->end, true);
}

/* ---- from outside ---- */

static int body(rmd_call *call)
{
    return rmd_call_return(call, 0); /* is not called: see run_task() */
}

static const rmd_function functions[] = { { .name = "f", .fn = body }, { 0 } };

unsigned deaths(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w.workers_len; i++)
        n += w.workers[i].thread && !w.workers[i].signal && rmd_explore_killed(w.workers[i].thread);
    return n;
}

void open_gate(void)
{
    rmd_atomic_store(&P->gate, 1, RMD_RELAXED);
    rmdi_unpark_all(&P->gate);
}

void await_begin(int number)
{
    while (!rmd_atomic_load(&P->begun[number], RMD_RELAXED))
        rmdi_park(&P->begun[number], 0, RMD_FOREVER);
}

static void end_world(void)
{
    for (unsigned i = 0; i < w.workers_len; i++) {
        rmd_explore_join(w.workers[i].watcher);
        RMD_ASSERT(w.workers[i].reaped); /* none is left as a zombie */
    }
    for (unsigned i = 0; i < STAGE_WORKERS_MAX; i++)
        RMD_ASSERT(!w.blocks[i]);
    RMD_ASSERT(!w.sources);
    rmdi_functions_forget();
}

bool open_processes(const char *kind)
{
    memset(&w, 0, sizeof w);
    memset(P, 0, sizeof *P);
    rmdi_list_init(&w.posts);
    RMD_ASSERT(rmd_functions_add(functions) == 0);
    int err = rmd_pool_open(&P->pool, kind, NULL, RMD_FOREVER);
    if (err == 0)
        return true;
    RMD_ASSERT(err == RMD_EWORKER && deaths() > 0);
    end_world();
    return false;
}

int call_task(int number, const rmd_task_options *options)
{
    static const char *const names[STAGE_TASKS] = { "0", "1", "2", "3", "4", "5" };
    rmd_task_options mine = { 0 };
    if (options)
        mine = *options;
    mine.size = sizeof mine;
    mine.name = names[number];
    int err = rmd_pool_call(P->pool, &P->futures[number], "f", (rmd_args){ 0 }, &mine);
    RMD_ASSERT(err == 0 || err == RMD_ECLOSED);
    return err;
}

rmd_outcome outcome_of(int number)
{
    return rmd_future_outcome(P->futures[number]);
}

void await_task(int number)
{
    int64_t value;
    RMD_ASSERT(rmd_future_wait(P->futures[number], RMD_FOREVER) == 0);
    rmd_outcome outcome = outcome_of(number);
    RMD_ASSERT(outcome != RMD_PENDING);
    if (outcome == RMD_OUTCOME_OK)
        RMD_ASSERT(rmd_future_get(P->futures[number], &value) == 0 && value == number);
}

/* Each task that is there has ended once; who was begun in vain was so by one who died. */
static void check_tasks(int tasks)
{
    unsigned lost = 0, again = 0;
    for (int i = 0; i < tasks; i++) {
        if (!P->futures[i])
            continue;
        unsigned begun = rmd_atomic_load(&P->begun[i], RMD_RELAXED);
        rmd_outcome outcome = outcome_of(i);
        await_task(i);
        lost += outcome == RMD_OUTCOME_LOST;
        again += outcome == RMD_OUTCOME_OK ? begun - 1 : 0;
        RMD_ASSERT(outcome != RMD_OUTCOME_OK || begun > 0);
        RMD_ASSERT(begun <= (P->tries ? P->tries : 1));
        RMD_ASSERT(outcome == RMD_OUTCOME_OK || outcome == RMD_OUTCOME_LOST || P->is_cancelled);
        rmd_future_free(P->futures[i]);
    }
    RMD_ASSERT(lost + again <= w.amid);
}

void free_processes(int tasks)
{
    rmd_census census;
    RMD_ASSERT(rmd_pool_census(P->pool, &census) == 0);
    RMD_ASSERT(rmd_census_balances(&census) && !census.queued && !census.running);
    check_tasks(tasks);
    RMD_ASSERT(rmd_pool_free(P->pool) == 0);
    end_world();
}

void close_processes(int tasks)
{
    RMD_ASSERT(rmd_pool_drain(P->pool, RMD_FOREVER) == 0);
    free_processes(tasks);
}
