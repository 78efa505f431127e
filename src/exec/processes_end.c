/* SPDX-License-Identifier: MIT */
/* Answers, and the ends of tasks. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/recorder.h"
#include "exec/added.h"
#include "exec/census.h"
#include "exec/failure.h"
#include "exec/processes.h"
#include "port/clock.h"
#include "port/memory.h"

#include <stdio.h>
#include <string.h>

void rmdi_ring_share_free(rmdi_ring_share *share)
{
    rmdi_memory_unmap(share->memory, sizeof *share->memory);
    rmdi_free(share);
}

/* ---- with the lock held ---- */

void rmdi_process_task_end(rmdi_process_task *task, rmd_outcome outcome, int error,
                           const char *detail, rmdi_link *ended)
{
    rmdi_processes *pool = task->pool;
    if (outcome != RMD_OUTCOME_OK)
        rmdi_record(RMDI_RECORD_TASK_FAILED, task->future.id, outcome);
    task->placed = RMDI_PLACED_ENDED;
    task->outcome = (uint8_t)outcome;
    task->error = error;
    if (outcome != RMD_OUTCOME_OK)
        task->detail = rmdi_failure_take(detail);
    if (outcome != RMD_OUTCOME_LOST) { /* that of an earlier attempt */
        rmdi_free(task->exit);
        task->exit = NULL;
    }
    rmdi_census_add(&pool->census, outcome);
    if (outcome != RMD_OUTCOME_OK && outcome != RMD_OUTCOME_CANCELLED &&
        !rmdi_future_group(&task->future)) {
        task->failed = true;
        rmdi_overlooked_add(&pool->overlooked, &task->failed_link);
    }
    if (task->limits) {
        rmdi_timers_disarm(&pool->timers, &task->limits->timer);
        pool->timers_needed--;
    }
    rmdi_list_append(ended, &task->link);
}

/* Another attempt? */
static bool may_try_again(const rmdi_process_task *task, rmd_outcome outcome)
{
    const rmdi_task_limits *own = task->limits;
    if (!own || task->told || task->pool->halted)
        return false;
    if (outcome == RMD_OUTCOME_LOST) {
        if (task->crashes >= own->limits.crashes_max)
            return false;
    } else if ((outcome != RMD_OUTCOME_FAILED && outcome != RMD_OUTCOME_TIMEOUT) ||
               task->attempts - task->crashes >= own->limits.attempts_max) {
        return false;
    }
    return rmdi_kept_clock(&task->pool->kept) < own->total_due_ns;
}

void rmdi_process_task_fail(rmdi_process_task *task, rmd_outcome outcome, int error,
                            const char *detail, rmdi_link *ended)
{
    if (may_try_again(task, outcome)) {
        task->limits->run_due_ns = INT64_MAX;
        rmdi_record(RMDI_RECORD_RETRY, task->future.id, task->attempts + 1);
        rmdi_processes_requeue(task);
        rmdi_process_task_arm(task);
    } else {
        rmdi_process_task_end(task, outcome, error, detail, ended);
    }
}

/* Its own copy first: what lies in shared memory can change while it is read. */
static int copy_result(rmdi_process_task *task, const rmdi_ring_answer *answer)
{
    rmd_bytes result = answer->result;
    if (result.len >= RMDI_SPARE_BYTES_MIN)
        rmdi_processes_get_buffer(task->pool, &task->result);
    int err = rmdi_buffer_add(&task->result, result.data, result.len);
    rmd_bytes value = { task->result.data, result.len - answer->added_len };
    if (err == 0)
        err = rmdi_cbor_decode(&task->document, value, NULL, true, NULL, 0);
    rmd_bytes added = { task->result.data + value.len, answer->added_len };
    if (err == 0 && added.len)
        err = rmdi_added_check(added);
    if (err == 0)
        task->added_len = answer->added_len;
    return err;
}

static void take_answer(rmdi_process_task *task, const rmdi_ring_answer *answer, rmdi_link *ended)
{
    char words[RMDI_RING_DETAIL];
    if (answer->error == 0) {
        int err = copy_result(task, answer);
        if (err == 0)
            rmdi_process_task_end(task, RMD_OUTCOME_OK, 0, NULL, ended);
        else
            rmdi_process_task_end(task, RMD_OUTCOME_FAILED, err, rmd_error_detail(), ended);
        return;
    }
    snprintf(words, sizeof words, "%.*s", (int)answer->result.len,
             (const char *)answer->result.data);
    rmdi_process_task_fail(task, RMD_OUTCOME_FAILED, answer->error, words, ended);
}

/* It is not what it should be: nothing in it is believed any more, and its worker has to go. */
static void give_up(rmdi_process *process)
{
    process->damaged = true;
    if (process->state == RMDI_PROCESS_READY)
        process->state = RMDI_PROCESS_LEAVING;
    rmdi_process_settle(process);
    rmdi_kept_kick(&process->pool->kept);
}

void rmdi_process_collect(rmdi_process *process, rmdi_link *ended)
{
    rmdi_processes *pool = process->pool;
    rmdi_ring_answer answer;
    int more = 0;
    bool some = false;
    while (process->share && !process->damaged &&
           (more = rmdi_ring_next(&process->ring, &answer)) == 1) {
        rmdi_process_task *task = process->tasks[answer.slot];
        if (task->recorded)
            rmdi_record(RMDI_RECORD_ANSWER, task->future.id, process->index + 1);
        rmdi_process_forget(task);
        if (process->stop_task == task) {
            process->stop_task = NULL; /* it was faster */
            rmdi_kept_kick(&pool->kept);
        }
        take_answer(task, &answer, ended);
        rmdi_ring_release(&process->ring);
        some = true;
    }
    if (more < 0)
        give_up(process);
    if (!some)
        return;
    process->useful = true;
    pool->deaths = 0;
    rmdi_process_settle(process);
    rmdi_processes_go_on(pool);
}

void rmdi_processes_go_on(rmdi_processes *pool)
{
    rmdi_processes_place(pool);
    rmdi_processes_balance(pool);
    if (pool->place_waiters && rmdi_processes_has_place(pool))
        rmdi_condition_notify_all(&pool->kept.place);
}

/* ---- without the lock ---- */

static void call_later(rmdi_process_task *task)
{
    rmdi_kept *kept = &task->pool->kept;
    rmdi_lock_enter(&kept->lock);
    rmdi_kept_call_later(kept, &task->call);
    rmdi_lock_release(&kept->lock);
}

void rmdi_processes_publish(rmdi_processes *pool, rmdi_link *ended)
{
    uint64_t finished = 0;
    if (rmdi_list_empty(ended))
        return;
    /* Who drains it may free it as soon as the last one is counted. */
    rmd_atomic_add(&pool->kept.refs, 1, RMD_RELAXED);
    for (rmdi_link *link; (link = rmdi_list_take_first(ended));) {
        rmdi_process_task *task = RMDI_CONTAINER(link, rmdi_process_task, link);
        if (rmdi_future_end(&task->future, (rmd_outcome)task->outcome, task->error)) {
            call_later(task);
            continue;
        }
        rmdi_future_drop(&task->future);
        finished++;
    }
    if (finished)
        rmdi_kept_finished(&pool->kept, finished);
    rmdi_kept_drop(&pool->kept);
}
