/* SPDX-License-Identifier: MIT */
/* A worker process: takes tasks out of its ring, runs them, and puts their answers there. It is
 * forked from the template, and has one thread, unless what it runs starts others. */
#include "base/error.h"
#include "base/recorder.h"
#include "exec/call.h"
#include "exec/foreign.h"
#include "exec/frame.h"
#include "exec/future.h"
#include "exec/place.h"
#include "exec/template_setup.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/forked.h"
#include "port/memory.h"
#include "port/procfs.h"

#include <errno.h>
#include <remuda/pool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Its own end that has nothing to do with a task: seen by the owner as the exit status. */
enum { EXIT_START = 1, EXIT_COPY = 70 };

/* There is one in a process. */
static struct {
    const rmdi_template_setup *setup;
    int bell;
    bool deaf; /* the bell does not ring any more */
    uint64_t process;
    rmdi_ring_end ring;
    rmdi_buffer result; /* of the task that runs; lent by the ring, as long as there is room */
    rmdi_buffer added;  /* what it adds */
    uint64_t tasks;
    rmd_future future; /* of the task that runs: it has a number and a name, and nothing else */
    const char *task;  /* that name */
    char name[RMDI_POOL_NAME_MAX + 16];
} me;

const char *rmdi_worker_process_name(void)
{
    return me.name;
}

/* ---- the future of the running task ---- */

static const char *task_name(const rmd_future *future)
{
    (void)future;
    return me.task;
}

static uint64_t no_process(const rmd_future *future)
{
    (void)future;
    return 0; /* nobody's: nothing can be done with it */
}

static const rmdi_future_ops task_ops = { .name = task_name, .process = no_process };

/* ---- beginning ---- */

static void ring_bell(void *ctx)
{
    const uint64_t one = 1;
    (void)ctx;
    ssize_t written;
    do
        written = write(me.bell, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    /* A full one rings already. Whatever else: a task has closed it. What has begun goes on, and
     * then we end, which will be noticed. */
    me.deaf |= written < 0 && errno != EAGAIN;
}

static _Noreturn void fail(int err)
{
    rmdi_ring_memory *memory = me.ring.memory;
    memory->error = err;
    snprintf(memory->detail, sizeof memory->detail, "%s", rmd_error_detail());
    rmd_atomic_store(&memory->life, RMDI_LIFE_FAILED, RMD_RELEASE);
    rmdi_ring_tell(&me.ring, true);
    fflush(NULL);
    _exit(EXIT_START);
}

static void write_mark(const rmdi_worker_birth *birth)
{
    char digits[RMDI_NUMBER_DIGITS + 1];
    snprintf(digits, sizeof digits, "%0*llu", RMDI_NUMBER_DIGITS,
             (unsigned long long)birth->number);
    if (birth->mark)
        memcpy(birth->mark, digits, RMDI_NUMBER_DIGITS);
}

static void take_over(const rmdi_worker_birth *birth)
{
    void *memory;
    int fd = birth->memory, errors = birth->errors;
    if (rmdi_memory_map(fd, sizeof(rmdi_ring_memory), false, &memory))
        _exit(EXIT_START);
    rmdi_fd_close(&fd);
    dup2(errors, STDERR_FILENO);
    rmdi_fd_close(&errors);
    me.setup = birth->setup;
    me.bell = birth->bell;
    rmdi_ring_end_init(&me.ring, memory, ring_bell, NULL);
    me.process = rmdi_process_mark();
    rmdi_future_init(&me.future, &task_ops, 0, 2, 0);
    snprintf(me.name, sizeof me.name, "%s-%u", me.setup->pool, birth->index + 1);
    prctl(PR_SET_NAME, me.name);
    rmdi_recorder_name(me.name);
}

static void limit_memory(uint64_t bytes)
{
    struct rlimit limit = { bytes, bytes };
    if (bytes && setrlimit(RLIMIT_AS, &limit) < 0)
        fail(rmdi_fail_errno(errno, "a limit of %llu bytes of memory", (unsigned long long)bytes));
}

/* Code of others may return twice, in a fork of ours: the ring is not its own. */
static void end_if_copy(void)
{
    if (me.process && !rmdi_process_is(me.process))
        _exit(EXIT_COPY);
}

static void initialize(void)
{
    const rmdi_setup_call *call = &me.setup->initializer;
    int err = call->function[0] ? rmdi_setup_run(me.setup, call) : 0;
    end_if_copy();
    if (err < 0)
        fail(err);
    rmd_atomic_store(&me.ring.memory->life, RMDI_LIFE_READY, RMD_RELEASE);
    rmdi_ring_tell(&me.ring, true);
}

/* ---- tasks ---- */

static int call(const rmdi_ring_slot *slot, const char *function, rmd_bytes arguments)
{
    const rmd_function *found = rmd_function_find(function);
    rmdi_frame frame = { .future = &me.future, .attempt = slot->attempt };
    rmdi_self *self = rmdi_self_now();
    if (!found)
        return rmdi_fail(RMD_ENOENT, "the worker has no function \"%s\"", function);
    self->frame = &frame;
    self->stop = &frame.stop;
    uint64_t id = slot->id; /* the slot is in memory that a task may write to */
    rmdi_task_record record = rmdi_record_task_begin(id, me.tasks + 1);
    int err = rmdi_call_run(found, arguments, id, slot->attempt, &frame.stop, &me.result,
                            slot->adds ? &me.added : NULL);
    end_if_copy();
    rmdi_record_task_end(record, id, 0, err < 0 ? RMD_OUTCOME_FAILED : RMD_OUTCOME_OK, err < 0);
    self->frame = NULL;
    self->stop = NULL;
    return err;
}

static void borrow_room(void)
{
    rmdi_buffer_free(&me.result);
    char *space;
    size_t size = rmdi_ring_offer(&me.ring, &space);
    if (size)
        me.result = (rmdi_buffer){ .data = space, .capacity = size, .lent = true };
}

static void answer(int err)
{
    RMDI_PLACE("returned");
    const char *detail = rmd_error_detail();
    rmd_bytes words = { detail, err < 0 ? strlen(detail) : 0 };
    size_t added_len = err < 0 ? 0 : me.added.len;
    rmd_bytes result = err < 0 ? words : rmdi_buffer_view(&me.result);
    if (rmdi_ring_finish(&me.ring, err, result, added_len) ==
        RMD_E2BIG) /* cannot be: results have limits */
        rmdi_ring_finish(&me.ring, RMD_E2BIG, (rmd_bytes){ 0 }, 0);
}

static void run(rmdi_ring_slot *slot)
{
    RMDI_PLACE("claimed");
    const char *function = (const char *)me.ring.memory->in + slot->in_at;
    size_t texts = (size_t)slot->function_len + slot->name_len;
    me.task = slot->name_len ? function + slot->function_len : function;
    me.future.id = slot->id;
    if (slot->timed)
        rmd_atomic_store(&slot->begun_ns, rmdi_clock_monotonic_ns(), RMD_RELAXED);
    rmdi_ring_tell_begun(&me.ring, slot->timed); /* and of what was done: this may take long */
    borrow_room();
    rmdi_buffer_clear(&me.added);
    int err = call(slot, function, (rmd_bytes){ function + texts, slot->in_len - texts });
    if (err == 0 && me.added.len)
        err = rmdi_buffer_add(&me.result, me.added.data, me.added.len) ? rmdi_fail_memory() : 0;
    answer(err);
    me.tasks++;
}

static bool is_worn_out(void)
{
    const rmdi_template_setup *setup = me.setup;
    if (me.deaf)
        return true;
    if (setup->tasks_max && me.tasks >= setup->tasks_max)
        return true;
    return setup->resident_max && rmdi_procfs_resident() > setup->resident_max;
}

/* It sleeps now: what its tasks have printed shall be seen. */
static void idle(void *ctx)
{
    (void)ctx;
    fflush(NULL);
}

static _Noreturn void leave(void)
{
    rmdi_foreign_leave();
    RMDI_PLACE("retiring");
    rmd_atomic_store(&me.ring.memory->life, RMDI_LIFE_RETIRED, RMD_RELEASE);
    RMDI_PLACE("retired");
    fflush(NULL);
    rmdi_ring_tell(&me.ring, true);
    _exit(0); /* not exit(): the program's own atexit() handlers are not for each worker */
}

_Noreturn void rmdi_worker_process(const rmdi_worker_birth *birth)
{
    write_mark(birth);
    take_over(birth);
    limit_memory(me.setup->address_max);
    initialize();
    do {
        rmdi_ring_slot *slot;
        while (!is_worn_out() && (slot = rmdi_ring_claim(&me.ring)))
            run(slot);
    } while (!is_worn_out() && rmdi_ring_wait(&me.ring, idle));
    leave();
}
