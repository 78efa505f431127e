/* SPDX-License-Identifier: MIT */
/* What the page draws, as columns: an array for each property of the blocks. */
#include "base/error.h"
#include "job/report_private.h"

#include <jansson.h>
#include <string.h>

/* Within a script element nothing may look like its end, or like a comment; in JSON < is only
 * found in strings, where it may be written like this. */
static int write_json(const char *text, size_t len, void *ctx)
{
    rmdi_page *page = ctx;
    for (const char *less; (less = memchr(text, '<', len)); text = less + 1) {
        rmdi_page_bytes(page, (rmd_bytes){ text, (size_t)(less - text) });
        rmdi_page_text(page, "\\u003c");
        len -= (size_t)(less + 1 - text);
    }
    rmdi_page_bytes(page, (rmd_bytes){ text, len });
    return page->err ? -1 : 0;
}

static json_t *whole(double value)
{
    return json_integer(value >= 9e18 ? INT64_MAX
                                      : (json_int_t)(value < 0 ? value - .5 : value + .5));
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *column(const rmdi_report_block *b, unsigned which)
{
    bool single = b->count == 1;
    switch (which) {
    case 0: return json_integer(b->lane);
    case 1: return json_integer(b->start);
    case 2: return json_integer(b->end - b->start);
    case 3: return json_integer(b->outcome);
    case 4: return json_integer((json_int_t)b->count);
    case 5: return whole(b->busy);
    case 6: return whole(b->cpu);
    case 7: return json_integer((json_int_t)(b->memory_bytes >> 10));
    case 8: return json_integer((json_int_t)b->seq);
    case 9: return json_integer(b->number);
    case 10: return json_integer(!single || b->signal ? -1 : b->status);
    case 11: return json_integer(single ? b->signal : 0);
    case 12: return text_or_null(single ? b->command : NULL);
    default: return text_or_null(single && b->detail && *b->detail ? b->detail : NULL);
    }
}

static const char *const columns[] = { "lane",   "start",  "length",  "outcome", "count",
                                       "busy",   "cpu",    "memory",  "seq",     "attempt",
                                       "status", "signal", "command", "detail" };

static json_t *blocks_json(const rmdi_report_blocks *blocks)
{
    json_t *object = json_object();
    int failed = 0;
    for (unsigned i = 0; i < sizeof columns / sizeof *columns; i++) {
        json_t *array = json_array();
        for (size_t k = 0; k < blocks->count; k++)
            failed |= json_array_append_new(array, column(&blocks->items[k], i));
        failed |= json_object_set_new(object, columns[i], array);
    }
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

/* As thousandths of a slot or a CPU. */
static json_t *load_json(const report_load *load, const double *bins)
{
    json_t *array = json_array();
    int failed = 0;
    for (size_t i = 0; i < load->used; i++)
        failed |= json_array_append_new(array, whole(bins[i] / load->bin_ns * 1000));
    if (!failed)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *run_json(const report *r, const report_run *run)
{
    const report_drawing *drawing = run->drawing;
    bool all_shown = run->run.slots <= 32 && run->run.slots <= drawing->lanes_len;
    uint32_t lanes = all_shown ? run->run.slots : drawing->lanes_used;
    return json_pack(
        "{s:I,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:o,s:o,s:o}", "id", (json_int_t)run->run.id,
        "shown", run == r->shown, "slots", (json_int_t)run->run.slots, "lanes",
        (json_int_t)(lanes ? lanes : 1), "cpus", (json_int_t)run->run.cpus, "begin",
        (json_int_t)run->begin, "end", (json_int_t)run->end, "started",
        (json_int_t)(run->run.started_ns / 1000000), "cell", (json_int_t)drawing->blocks.cell_ns,
        "bin", drawing->load.bin_ns, "load", load_json(&drawing->load, drawing->load.busy), "cpu",
        load_json(&drawing->load, drawing->load.cpu), "blocks", blocks_json(&drawing->blocks));
}

static int write_run(rmdi_page *page, const report *r, const report_run *run)
{
    json_t *json = run_json(r, run);
    if (!json)
        return rmdi_fail_memory();
    int failed = json_dump_callback(json, write_json, page, JSON_COMPACT | JSON_REAL_PRECISION(12));
    json_decref(json);
    return failed && !page->err ? rmdi_fail_memory() : page->err;
}

int rmdi_report_json(rmdi_page *page, const report *r)
{
    bool first = true;
    int err = 0;
    rmdi_page_text(page, "{\"runs\":[");
    for (size_t i = r->runs_len; i-- > 0 && err == 0;) {
        if (!r->runs[i].drawing || !r->runs[i].attempts)
            continue;
        rmdi_page_text(page, first ? "\n" : ",\n");
        err = write_run(page, r, &r->runs[i]);
        first = false;
    }
    rmdi_page_text(page, "]}\n");
    return err;
}
