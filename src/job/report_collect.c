/* SPDX-License-Identifier: MIT */
/* Three walks over the journal: runs, attempts, tasks. The last brings the commands to the blocks
 * that the attempts have become, which are sorted by task for that. */
#include "base/alloc.h"
#include "base/error.h"
#include "job/report_private.h"
#include "job/report_text.h"

#include <stdlib.h>
#include <string.h>

/* No time of a task is farther from its run's start than 36 years. */
static const int64_t farthest_ns = INT64_C(1) << 60;

static const double first_bin_ns = 1e4;

/* A copy, clean and cut; NULL without memory. */
static char *clean_copy(rmd_bytes raw, size_t limit)
{
    rmdi_buffer text = { 0 };
    if (!raw.len)
        return rmdi_strdup("");
    if (rmdi_report_clean(raw, limit, &text) < 0) {
        rmdi_buffer_free(&text);
        return NULL;
    }
    rmdi_buffer_trim(&text);
    return text.data;
}

static int64_t since(int64_t then, int64_t ns)
{
    int64_t difference;
    if (__builtin_sub_overflow(ns, then, &difference))
        difference = ns < then ? -farthest_ns : farthest_ns;
    if (difference > farthest_ns)
        return farthest_ns;
    return difference < -farthest_ns ? -farthest_ns : difference;
}

/* ---- runs ---- */

static void free_drawing(report_drawing *drawing)
{
    if (!drawing)
        return;
    rmdi_report_blocks_free(&drawing->blocks);
    rmdi_free(drawing->lanes);
    rmdi_free(drawing);
}

static void free_run(report_run *run)
{
    for (size_t i = 0; i < sizeof run->texts / sizeof *run->texts; i++)
        rmdi_free(run->texts[i]);
    free_drawing(run->drawing);
}

static int copy_run(report_run *to, const rmd_journal_run *from)
{
    *to = (report_run){ .run = *from };
    const char **texts[] = { &to->run.version, &to->run.host, &to->run.dir, &to->run.command,
                             &to->run.detail };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = to->texts[i] = clean_copy(rmdi_bytes_of(*texts[i]), REPORT_COMMAND_MAX);
        if (!to->texts[i]) {
            free_run(to);
            return rmdi_fail_memory();
        }
    }
    to->run.boot = "";
    return 0;
}

static int on_run(void *ctx, const rmd_journal_run *run)
{
    report *r = ctx;
    int err = rmdi_array_reserve((void **)&r->runs, &r->runs_capacity, r->runs_len,
                                 sizeof *r->runs);
    if (err == 0)
        err = copy_run(&r->runs[r->runs_len], run);
    if (err < 0)
        return err;
    r->runs_all++;
    if (++r->runs_len > REPORT_RUNS_MAX) {
        free_run(&r->runs[0]);
        memmove(r->runs, r->runs + 1, --r->runs_len * sizeof *r->runs);
    }
    return 0;
}

static int begin_drawing(report_run *run, size_t limit)
{
    report_drawing *drawing = run->drawing = rmdi_alloc_zeroed(sizeof *drawing);
    if (!drawing || rmdi_report_blocks_init(&drawing->blocks, limit) < 0)
        return rmdi_fail_memory();
    uint32_t lanes = rmdi_report_blocks_lanes_max(drawing->blocks.limit);
    unsigned slots = run->run.slots ? run->run.slots : 1;
    drawing->lanes_len = slots < lanes ? slots : lanes;
    drawing->lanes = rmdi_alloc_zeroed(drawing->lanes_len * sizeof *drawing->lanes);
    int64_t length = since(run->run.started_ns, run->run.ended_ns);
    drawing->load.bin_ns = run->run.ended_ns && length > 0 ? (double)(length + 1) / REPORT_LOAD_BINS
                                                           : first_bin_ns;
    return drawing->lanes ? 0 : rmdi_fail_memory();
}

/* The latest run that has tasks gets all blocks but those the others need, and at least half. */
static int begin_drawings(report *r)
{
    report_run *drawn[REPORT_DRAWN_MAX];
    size_t n = 0, left = REPORT_BLOCKS_MAX;
    uint64_t needed = 0;
    for (size_t i = r->runs_len; i-- > 0 && n < REPORT_DRAWN_MAX;)
        if (r->runs[i].run.census.submitted || !r->runs[i].run.ended_ns)
            drawn[n++] = &r->runs[i];
    for (size_t i = 1; i < n; i++)
        needed += drawn[i]->run.census.submitted * 2 + 64;
    int err = 0;
    for (size_t i = 0; i < n && err == 0; i++) {
        size_t even = i ? left / (n - i) : left / 2;
        size_t limit = i + 1 == n ? left : needed < left - even ? left - (size_t)needed : even;
        err = begin_drawing(drawn[i], limit);
        left -= limit;
        needed -= i + 1 < n ? drawn[i + 1]->run.census.submitted * 2 + 64 : 0;
    }
    return err;
}

static report_run *find_run(report *r, int64_t id)
{
    size_t low = 0, high = r->runs_len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->runs[middle].run.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->runs_len && r->runs[low].run.id == id ? &r->runs[low] : NULL;
}

/* ---- attempts ---- */

/* When an attempt did what, ns since its run's start, in an order that clocks that were set back do
 * not change. What did not happen is at the end. */
typedef struct times {
    int64_t queued, started, executed, exited, ended;
} times;

static int64_t after(int64_t start, int64_t ns, int64_t before, int64_t otherwise)
{
    int64_t at = ns ? since(start, ns) : otherwise;
    return at < before ? before : at;
}

static times times_of(const report_run *run, const rmd_journal_attempt *a)
{
    int64_t start = run->run.started_ns, end = since(start, a->ended_ns);
    times t = { .queued = after(start, a->queued_ns, -farthest_ns, end) };
    t.started = after(start, a->started_ns, a->started_ns ? -farthest_ns : t.queued, end);
    if (t.queued > t.started)
        t.queued = t.started;
    t.executed = after(start, a->executed_ns, t.started, end);
    t.exited = after(start, a->exited_ns, t.executed, end);
    t.ended = after(start, a->ended_ns, t.exited, t.exited);
    return t;
}

static void add_phases(report *r, const times *t, const rmd_journal_attempt *a)
{
    const int64_t lengths[] = { t->started - t->queued, t->executed - t->started,
                                t->exited - t->executed, t->ended - t->exited };
    bool started = a->executed_ns != 0;
    r->never_started += !started;
    for (int i = 0; i < PHASES; i++)
        if (i == PHASE_QUEUE || started)
            rmdi_spread_add(&r->phases[i], (uint64_t)lengths[i]);
    if (!started)
        return;
    rmdi_spread_add(&r->memory, a->memory_bytes);
    if (rmdi_report_is_bad(a->outcome))
        rmdi_spread_add(&r->bad_runs, (uint64_t)lengths[PHASE_RUN]);
}

static void add_longest(report *r, const times *t, const rmd_journal_attempt *a, double cpu)
{
    report_attempt one = { .task = a->task,
                           .run_ns = (double)(t->exited - t->executed),
                           .cpu_ns = cpu,
                           .memory_bytes = a->memory_bytes,
                           .slot = a->slot,
                           .outcome = a->outcome };
    size_t at = r->longest_len;
    while (at > 0 && r->longest[at - 1].run_ns < one.run_ns)
        at--;
    if (at == REPORT_LONGEST_MAX)
        return;
    size_t last = r->longest_len < REPORT_LONGEST_MAX ? r->longest_len++ : REPORT_LONGEST_MAX - 1;
    memmove(&r->longest[at + 1], &r->longest[at], (last - at) * sizeof one);
    r->longest[at] = one;
}

static void draw(report_drawing *drawing, const times *t, const rmd_journal_attempt *a, double cpu)
{
    uint32_t lane = a->slot ? a->slot - 1 : 0;
    lane = lane < drawing->lanes_len ? lane : drawing->lanes_len - 1;
    double busy = (double)(t->ended - t->started);
    rmdi_report_block block = { .start = t->started,
                                .end = t->ended,
                                .busy = busy,
                                .cpu = cpu,
                                .count = 1,
                                .memory_bytes = a->memory_bytes,
                                .task = a->task,
                                .lane = lane,
                                .outcome = a->outcome,
                                .number = a->number,
                                .status = a->status,
                                .signal = a->signal };
    rmdi_report_blocks_add(&drawing->blocks, &block);
    rmdi_load_add(&drawing->load, t->started, t->ended, cpu);
    report_lane *account = &drawing->lanes[lane];
    account->attempts++;
    account->bad += rmdi_report_is_bad(a->outcome);
    account->busy += busy;
    account->cpu += cpu;
    if (a->memory_bytes > account->memory_bytes)
        account->memory_bytes = a->memory_bytes;
    if (lane >= drawing->lanes_used)
        drawing->lanes_used = lane + 1;
}

static void add_to_run(report_run *run, const times *t, const rmd_journal_attempt *a, double cpu)
{
    if (!run->attempts++ || t->started < run->begin)
        run->begin = t->started < 0 ? t->started : 0;
    if (t->ended > run->end)
        run->end = t->ended;
    run->busy += (double)(t->ended - t->started);
    run->cpu += cpu;
    if (run->drawing)
        draw(run->drawing, t, a, cpu);
}

static int on_attempt(void *ctx, const rmd_journal_attempt *a)
{
    report *r = ctx;
    report_run *run = find_run(r, a->run);
    if (!run)
        return 0;
    times t = times_of(run, a);
    double cpu = (double)(a->user_ns > 0 ? a->user_ns : 0);
    cpu += (double)(a->system_ns > 0 ? a->system_ns : 0);
    r->attempts++;
    r->retries += a->number > 1;
    if (a->memory_bytes > r->memory_bytes)
        r->memory_bytes = a->memory_bytes;
    add_phases(r, &t, a);
    if (a->executed_ns)
        add_longest(r, &t, a, cpu);
    add_to_run(run, &t, a, cpu);
    return 0;
}

/* ---- tasks ---- */

typedef struct naming { /* of blocks, in the order of their tasks */
    report *r;
    rmdi_report_block **blocks;
    size_t count, at, command_max;
} naming;

static int add_cause(report *r, const char *detail)
{
    for (size_t i = 0; i < r->causes_len; i++)
        if (strcmp(r->causes[i].detail, detail) == 0) {
            r->causes[i].count++;
            return 0;
        }
    if (r->causes_len == REPORT_CAUSES_MAX) {
        r->other_causes++;
        return 0;
    }
    char *copy = rmdi_strdup(detail);
    if (!copy)
        return rmdi_fail_memory();
    r->causes[r->causes_len++] = (report_cause){ .detail = copy, .count = 1 };
    return 0;
}

static int list(report_tasks *tasks, const rmd_journal_task *task)
{
    if (tasks->all++ >= tasks->limit)
        return 0;
    report_task *item = &tasks->items[tasks->count];
    *item = (report_task){ .id = task->id,
                           .seq = task->seq,
                           .outcome = task->outcome,
                           .begun_ns = task->begun_ns,
                           .attempts = task->attempts,
                           .command = clean_copy(task->command, REPORT_COMMAND_MAX),
                           .detail = clean_copy(rmdi_bytes_of(task->detail), REPORT_COMMAND_MAX) };
    tasks->count++;
    return item->command && item->detail ? 0 : rmdi_fail_memory();
}

static int name_blocks(naming *names, const rmd_journal_task *task)
{
    for (; names->at < names->count && names->blocks[names->at]->task <= task->id; names->at++) {
        rmdi_report_block *block = names->blocks[names->at];
        if (block->task != task->id)
            continue;
        block->seq = task->seq;
        if (block->count > 1)
            continue;
        block->command = clean_copy(task->command, names->command_max);
        block->detail = rmdi_report_is_bad(block->outcome)
                            ? clean_copy(rmdi_bytes_of(task->detail), names->command_max)
                            : NULL;
        if (!block->command)
            return rmdi_fail_memory();
    }
    return 0;
}

static int on_task(void *ctx, const rmd_journal_task *task)
{
    naming *names = ctx;
    report *r = names->r;
    r->tasks++;
    r->outcomes[task->outcome]++;
    int err = 0;
    if (rmdi_report_is_bad(task->outcome)) {
        err = list(&r->failures, task);
        if (err == 0)
            err = add_cause(r, task->detail);
    } else if (task->outcome == RMD_PENDING) {
        err = list(&r->unfinished, task);
    }
    return err == 0 ? name_blocks(names, task) : err;
}

static int by_task(const void *a, const void *b)
{
    const rmdi_report_block *one = *(rmdi_report_block *const *)a,
                            *other = *(rmdi_report_block *const *)b;
    return (one->task > other->task) - (one->task < other->task);
}

static int read_tasks(report *r)
{
    naming names = { .r = r };
    size_t count = 0;
    for (size_t i = 0; i < r->runs_len; i++)
        count += r->runs[i].drawing ? r->runs[i].drawing->blocks.count : 0;
    names.blocks = rmdi_alloc((count + 1) * sizeof *names.blocks);
    if (!names.blocks)
        return rmdi_fail_memory();
    for (size_t i = 0; i < r->runs_len; i++) {
        rmdi_report_blocks *blocks = r->runs[i].drawing ? &r->runs[i].drawing->blocks : NULL;
        for (size_t k = 0; blocks && k < blocks->count; k++)
            names.blocks[names.count++] = &blocks->items[k];
    }
    qsort(names.blocks, names.count, sizeof *names.blocks, by_task);
    names.command_max = REPORT_COMMANDS_MAX / (count + 1);
    if (names.command_max > REPORT_COMMAND_SHORT_MAX)
        names.command_max = REPORT_COMMAND_SHORT_MAX;
    int err = rmd_journal_tasks(r->journal, NULL, on_task, &names);
    rmdi_free(names.blocks);
    return err;
}

/* ---- all of it ---- */

static int begin_list(report_tasks *tasks, size_t limit)
{
    *tasks = (report_tasks){ .items = rmdi_alloc_zeroed(limit * sizeof *tasks->items),
                             .limit = limit };
    return tasks->items ? 0 : rmdi_fail_memory();
}

static int begin(report *r)
{
    int err = begin_list(&r->failures, REPORT_FAILURES_MAX);
    if (err == 0)
        err = begin_list(&r->unfinished, REPORT_UNFINISHED_MAX);
    for (int i = 0; i < PHASES && err == 0; i++)
        err = rmdi_spread_init(&r->phases[i]);
    if (err == 0)
        err = rmdi_spread_init(&r->bad_runs);
    if (err == 0)
        err = rmdi_spread_init(&r->memory);
    return err;
}

static void sum_up(report *r)
{
    for (size_t i = 0; i < r->runs_len; i++) {
        report_run *run = &r->runs[i];
        int64_t length = run->run.ended_ns ? since(run->run.started_ns, run->run.ended_ns) : 0;
        if (length > run->end)
            run->end = length;
        double wall = (double)(run->end - run->begin);
        r->wall += wall;
        r->slot_time += wall * (run->run.slots ? run->run.slots : 1);
        r->busy += run->busy;
        r->cpu += run->cpu;
        if (run->attempts || !r->shown || !r->shown->attempts)
            r->shown = run;
    }
    if (!r->runs_len)
        return;
    const rmd_journal_run *last = &r->runs[r->runs_len - 1].run;
    uint64_t come_to = last->skipped + last->census.submitted;
    r->not_begun = last->total != UINT64_MAX && last->total > come_to ? last->total - come_to : 0;
}

int rmdi_report_collect(report *r, rmd_journal *journal)
{
    *r = (report){ .journal = journal };
    int err = begin(r);
    if (err == 0)
        err = rmd_journal_runs(journal, on_run, r);
    if (err == 0)
        err = begin_drawings(r);
    if (err == 0)
        err = rmd_journal_attempts(journal, 0, on_attempt, r);
    if (err == 0)
        err = read_tasks(r);
    if (err == 0)
        sum_up(r);
    return err;
}

static void free_list(report_tasks *tasks)
{
    for (size_t i = 0; i < tasks->count; i++) {
        rmdi_free(tasks->items[i].command);
        rmdi_free(tasks->items[i].detail);
    }
    rmdi_free(tasks->items);
}

void rmdi_report_release(report *r)
{
    for (size_t i = 0; i < r->runs_len; i++)
        free_run(&r->runs[i]);
    rmdi_free(r->runs);
    for (int i = 0; i < PHASES; i++)
        rmdi_spread_free(&r->phases[i]);
    rmdi_spread_free(&r->bad_runs);
    rmdi_spread_free(&r->memory);
    free_list(&r->failures);
    free_list(&r->unfinished);
    for (size_t i = 0; i < r->causes_len; i++)
        rmdi_free(r->causes[i].detail);
}
