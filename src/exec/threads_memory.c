/* SPDX-License-Identifier: MIT */
/* The memory of a threads pool, and of its tasks.
 *
 * Tasks lie in blocks, so that each begins at a line of the cache, and most of them never cost an
 * allocation. A worker collects the memory that it frees, and gives it back several at a time: on a
 * stack, from which whoever needs some takes all at once, so that no link is read that another one
 * may be taking. When there is enough on it, and when the user has given up the pool (a mark on the
 * stack says so), the rest goes back into the blocks, each of which is freed when all its tasks are
 * there.
 *
 * A task keeps its block alive, and a block the pool, not more: so that what comes after the end of
 * a task, on any thread, need not ask whether the pool has been freed meanwhile, and nothing is
 * counted for each.
 *
 * Memory that is given back is as clean as new: all zeroes but for the line that every task fills,
 * where the lists are kept. */
#include "base/alloc.h"
#include "exec/threads.h"

#ifdef RMD_EXPLORE
uint32_t rmdi_tasks_kept_max;
#endif

/* A task that is not in use holds one of these in the line that every task fills. */
typedef struct rmdi_spares {
    struct rmdi_spares *next;
    size_t n; /* besides the one it lies in */
    rmdi_thread_task *tasks[RMDI_SPARES_MAX - 1];
} spares;

_Static_assert(sizeof(spares) <= RMDI_TASK_HOT_BYTES, "it lies in one line");

typedef struct rmdi_block {
    rmdi_link link; /* in `blocks` of the pool, while some of its tasks are here, and not all */
    void *memory;
    rmdi_thread_task *first; /* of those that are here */
    uint32_t n;
    _Alignas(RMDI_TASK_LINE) rmdi_thread_task tasks[RMDI_BLOCK_TASKS];
} block;

/* ---- the pool's ---- */

void rmdi_threads_drop(rmdi_threads *pool, uint32_t n)
{
    /* Release what we did to it; acquire what the others did before it is torn down. */
    if (rmd_atomic_sub(&pool->refs, n, RMD_ACQ_REL) != n)
        return;
    rmdi_overlooked_free(&pool->overlooked);
    rmdi_injection_free(&pool->injection);
    rmdi_free(pool->start_detail);
    rmdi_free(pool->workers);
    rmdi_free(pool->name);
    rmdi_free(pool);
}

/* ---- blocks ---- */

static block *block_of(rmdi_thread_task *task)
{
    return RMDI_CONTAINER(task - task->slot, block, tasks);
}

/* With the lock of the blocks held. gone: those that are to be freed. */
static void put_back(rmdi_threads *pool, rmdi_thread_task *task, rmdi_link *gone)
{
    block *b = block_of(task);
    task->next = b->first;
    b->first = task;
    b->n++;
    if (b->n == RMDI_BLOCK_TASKS) {
        if (b->n > 1)
            rmdi_list_remove(&b->link);
        rmdi_list_append(gone, &b->link);
    } else if (b->n == 1) {
        rmdi_list_append(&pool->blocks, &b->link);
    }
}

static void free_blocks(rmdi_threads *pool, rmdi_link *gone)
{
    uint32_t n = 0;
    for (rmdi_link *link; (link = rmdi_list_take_first(gone)); n++)
        rmdi_free(RMDI_CONTAINER(link, block, link)->memory);
    if (n)
        rmdi_threads_drop(pool, n);
}

static void put_all_back(rmdi_threads *pool, rmdi_thread_task *const *tasks, size_t n)
{
    rmdi_link gone;
    rmdi_list_init(&gone);
    rmdi_brief_enter(&pool->blocks_brief);
    RMD_PLAIN_WRITES(&pool->blocks, sizeof pool->blocks);
    for (size_t i = 0; i < n; i++)
        put_back(pool, tasks[i], &gone);
    rmdi_brief_leave(&pool->blocks_brief);
    free_blocks(pool, &gone);
}

/* All that are in one block; how many. */
static unsigned take_from_block(rmdi_threads *pool, rmdi_thread_task **tasks)
{
    unsigned n = 0;
    rmdi_brief_enter(&pool->blocks_brief);
    RMD_PLAIN_WRITES(&pool->blocks, sizeof pool->blocks);
    rmdi_link *link = rmdi_list_take_first(&pool->blocks);
    block *b = link ? RMDI_CONTAINER(link, block, link) : NULL;
    for (; b && b->first; b->first = b->first->next)
        tasks[n++] = b->first;
    if (b)
        b->n = 0;
    rmdi_brief_leave(&pool->blocks_brief);
    return n;
}

/* All of a new one; 0: there is no memory. */
static unsigned take_new_block(rmdi_threads *pool, rmdi_thread_task **tasks)
{
    char *memory = rmdi_alloc_zeroed(sizeof(block) + RMDI_TASK_LINE - 1);
    if (!memory)
        return 0;
    block *b = (block *)(void *)(memory + -(uintptr_t)memory % RMDI_TASK_LINE);
    b->memory = memory;
    for (unsigned i = 0; i < RMDI_BLOCK_TASKS; i++) {
        b->tasks[i].slot = (uint8_t)i;
        tasks[i] = &b->tasks[i];
    }
    rmd_atomic_add(&pool->refs, 1, RMD_RELAXED); /* the user has one */
    return RMDI_BLOCK_TASKS;
}

/* ---- the stack ---- */

/* The pool's user has given it up: an address, of nothing that is ever read. */
static spares no_more;

static spares *spares_in(rmdi_thread_task *task)
{
    return (spares *)(void *)((char *)task + RMDI_TASK_HOT);
}

static rmdi_thread_task *task_around(spares *s)
{
    return (rmdi_thread_task *)(void *)((char *)s - RMDI_TASK_HOT);
}

static void put_back_chain(rmdi_threads *pool, spares *s)
{
    for (spares *next; s; s = next) {
        rmdi_thread_task *tasks[RMDI_SPARES_MAX] = { task_around(s) };
        size_t n = s->n;
        next = s->next;
        for (size_t i = 0; i < n; i++)
            tasks[1 + i] = s->tasks[i];
        put_all_back(pool, tasks, 1 + n);
    }
}

/* False: the pool was given up, and takes none. */
static bool push(rmdi_threads *pool, rmdi_thread_task *const *tasks, size_t n)
{
    spares *s = spares_in(tasks[0]), *first = rmd_atomic_load(&pool->freed, RMD_RELAXED);
    s->n = n - 1;
    for (size_t i = 1; i < n; i++)
        s->tasks[i - 1] = tasks[i];
    /* Relaxed, and in two steps: about so many. Before they are pushed: after that nothing of ours
     * keeps the pool. */
    uint32_t len = rmd_atomic_load(&pool->freed_len, RMD_RELAXED);
    rmd_atomic_store(&pool->freed_len, len + (uint32_t)n, RMD_RELAXED);
    do {
        if (first == &no_more)
            return false;
        s->next = first;
    } while (!rmd_atomic_cas_weak(&pool->freed, &first, s, RMD_RELEASE, RMD_RELAXED));
    return true;
}

static bool is_enough(rmdi_threads *pool)
{
    return !RMDI_TASKS_KEPT_MAX ||
           rmd_atomic_load(&pool->freed_len, RMD_RELAXED) > RMDI_TASKS_KEPT_MAX;
}

static void give_back(rmdi_threads *pool, rmdi_thread_task *const *tasks, size_t n)
{
    if (is_enough(pool) || !push(pool, tasks, n))
        put_all_back(pool, tasks, n);
}

void rmdi_threads_give_up(rmdi_threads *pool)
{
    put_back_chain(pool, rmd_atomic_exchange(&pool->freed, &no_more, RMD_ACQ_REL));
    put_back_chain(pool, pool->kept);
    rmdi_threads_drop(pool, 1);
}

/* ---- for those who submit ---- */

rmdi_thread_task *rmdi_task_from_kept(rmdi_threads *pool)
{
    RMD_PLAIN_WRITES(&pool->kept, sizeof pool->kept);
    if (!pool->kept && rmd_atomic_load(&pool->freed, RMD_RELAXED)) {
        /* Acquire: their last use. */
        pool->kept = rmd_atomic_exchange(&pool->freed, NULL, RMD_ACQUIRE);
        rmd_atomic_store(&pool->freed_len, 0, RMD_RELAXED); /* about */
    }
    spares *s = pool->kept;
    if (!s)
        return NULL;
    if (s->n)
        return s->tasks[--s->n];
    pool->kept = s->next;
    return task_around(s);
}

bool rmdi_threads_get_memory(rmdi_threads *pool)
{
    rmdi_thread_task *tasks[RMDI_BLOCK_TASKS + RMDI_SPARES_MAX];
    unsigned n = take_from_block(pool, tasks);
    if (!n)
        n = take_new_block(pool, tasks);
    for (unsigned i = 0; i < n; i += RMDI_SPARES_MAX)
        (void)push(pool, tasks + i, n - i < RMDI_SPARES_MAX ? n - i : RMDI_SPARES_MAX);
    return n > 0;
}

/* ---- for those who have ended a task ---- */

void rmdi_worker_give_spares(rmdi_worker *worker)
{
    unsigned n = worker->spares_len;
    worker->spares_len = 0;
    if (n)
        give_back(worker->pool, worker->spares, n);
}

static void keep_on(rmdi_worker *worker, rmdi_thread_task *task)
{
    worker->spares[worker->spares_len++] = task;
    if (worker->spares_len == RMDI_SPARES_MAX)
        rmdi_worker_give_spares(worker);
}

void rmdi_task_keep(rmdi_threads *pool, rmdi_thread_task *task)
{
    rmdi_worker *worker = RMDI_TASKS_KEPT_MAX ? rmdi_worker_here(pool) : NULL;
    if (worker)
        keep_on(worker, task);
    else
        give_back(pool, &task, 1);
}

void rmdi_worker_drop(rmdi_worker *worker, rmdi_thread_task *task)
{
    /* Acquire, and nobody else has one: as rmdi_future_drop(). */
    uint32_t word = rmd_atomic_load(&task->future.word, RMD_ACQUIRE);
    bool last = word / RMDI_FUTURE_REF == 1 && !(word & RMDI_FUTURE_WAITED);
    if (RMDI_TASKS_KEPT_MAX && last && !task->cold && task->body == RMDI_BODY_POINTER)
        keep_on(worker, task); /* it has nothing but its memory */
    else
        rmdi_future_drop(&task->future);
}

void rmdi_task_forget(rmdi_thread_task *task)
{
    if (RMDI_BLOCK_TASKS == 1)
        rmdi_free(block_of(task)->memory);
}
