/* SPDX-License-Identifier: MIT */
/* Rows of the streamed sources are the outer loop; inside it turn the stored groups, like the
 * wheels of a counter, the last one fastest. */
#include "job/inputs.h"

#include "base/alloc.h"
#include "base/error.h"
#include "job/columns.h"
#include "job/escapes.h"
#include "job/records.h"

#include <string.h>

/* Bytes one after the other, and where each ends. */
typedef struct list {
    rmdi_buffer bytes;
    size_t *ends;
    size_t len, capacity;
} list;

typedef struct source {
    rmdi_records records;
    bool words, linked;
    list stored;       /* all its records, unless it is streamed */
    uint64_t streamed; /* how many records it gave, when it is */
    size_t turn;       /* stored: which record is next; kept at the first source of a group */
} source;

struct rmdi_inputs {
    rmdi_records_format format;
    rmdi_buffer delimiter;
    rmdi_columns *columns;
    rmdi_trim trim;
    size_t group;
    bool no_values, link_all;
    source *sources;
    size_t count, streamed; /* the first `streamed` of them are */
    size_t loaded;          /* the sources before this one are streamed or stored completely */
    int waits_for;          /* descriptor; -1: none */
    int failed;

    list row; /* the records of the streamed sources */
    uint64_t rows;
    bool has_row, ended;
    uint64_t streamed_rows; /* how many there will be; UINT64_MAX: not known */
    bool streamed_empty;    /* known to have no record in any of them */

    list task;
    size_t task_records;
    bool handed_over;
    rmd_bytes *values;
    size_t values_capacity;
};

/* ---- lists ---- */

static int list_add(list *l, rmd_bytes bytes)
{
    void *ends = l->ends;
    int err = rmdi_array_reserve(&ends, &l->capacity, l->len, sizeof *l->ends);
    l->ends = ends;
    if (err == 0)
        err = rmdi_buffer_add(&l->bytes, bytes.data, bytes.len);
    if (err == 0)
        l->ends[l->len++] = l->bytes.len;
    return err;
}

static rmd_bytes list_get(const list *l, size_t i)
{
    size_t begin = i ? l->ends[i - 1] : 0;
    return (rmd_bytes){ .data = l->bytes.data + begin, .len = l->ends[i] - begin };
}

static void list_clear(list *l)
{
    rmdi_buffer_clear(&l->bytes);
    l->len = 0;
}

static void list_free(list *l)
{
    rmdi_buffer_free(&l->bytes);
    rmdi_free(l->ends);
}

/* ---- reading ---- */

static int next_record(rmdi_inputs *in, source *s, rmd_bytes *record)
{
    int got = rmdi_records_next(&s->records, record);
    in->waits_for = got == RMD_EAGAIN ? s->records.fd : -1;
    return got;
}

/* Stores the next source that is repeated, up to its end. */
static int load_next(rmdi_inputs *in)
{
    source *s = &in->sources[in->loaded];
    rmd_bytes record;
    int got;
    while ((got = next_record(in, s, &record)) == 1) {
        got = list_add(&s->stored, record);
        if (got < 0)
            return got;
    }
    if (got < 0)
        return got;
    rmdi_records_free(&s->records);
    s->records = (rmdi_records){ .fd = -1 };
    in->loaded++;
    return 0;
}

/* ---- open and free ---- */

static int set_format(rmdi_inputs *in, const rmdi_inputs_options *options)
{
    int err;
    if (options->delimiter)
        err = rmdi_escapes_delimiter(options->delimiter, &in->delimiter);
    else
        err = rmdi_buffer_add_byte(&in->delimiter, options->nul ? 0 : '\n');
    in->format = (rmdi_records_format){
        .delimiter = rmdi_buffer_view(&in->delimiter),
        .continued = options->continued,
        .skip_empty = options->skip_empty,
        .value_max = options->value_max ? options->value_max : (size_t)16 << 20,
    };
    return err;
}

static int set_up(rmdi_inputs *in, const rmdi_inputs_options *options)
{
    in->waits_for = -1;
    in->streamed_rows = UINT64_MAX;
    in->group = options->group ? options->group : 1;
    in->no_values = options->no_values;
    in->link_all = options->link_all;
    in->trim = options->trim;
    if (in->trim == RMDI_TRIM_DEFAULT)
        in->trim = options->column_separator ? RMDI_TRIM_BOTH : RMDI_TRIM_NONE;
    int err = set_format(in, options);
    if (err == 0 && options->column_separator)
        err = rmdi_columns_open(&in->columns, options->column_separator);
    return err;
}

static int check_standard_input(const rmdi_inputs_source *given, size_t count)
{
    size_t readers = 0;
    for (size_t i = 0; i < count; i++)
        readers += !given[i].words && given[i].file && strcmp(given[i].file, "-") == 0;
    return readers < 2 ? 0
                       : rmdi_fail(RMD_EINVAL, "standard input can be one of the sources, not %zu",
                                   readers);
}

static int open_source(rmdi_inputs *in, const rmdi_inputs_source *given, int stdin_fd)
{
    source *s = &in->sources[in->count++];
    s->linked = given->linked && in->count > 1;
    s->words = given->words != NULL;
    if (given->words)
        return rmdi_records_open_words(&s->records, &in->format, given->words);
    return rmdi_records_open_file(&s->records, &in->format, given->file ? given->file : "-",
                                  stdin_fd);
}

static int open_sources(rmdi_inputs *in, const rmdi_inputs_options *options)
{
    static const rmdi_inputs_source standard_input = { .file = "-" };
    const rmdi_inputs_source *given = options->sources_count ? options->sources : &standard_input;
    size_t count = options->sources_count ? options->sources_count : 1;
    int err = check_standard_input(given, count);
    if (err < 0)
        return err;
    in->sources = rmdi_alloc_zeroed(count * sizeof *in->sources);
    if (!in->sources)
        return rmdi_fail_memory();
    for (size_t i = 0; err == 0 && i < count; i++)
        err = open_source(in, &given[i], options->stdin_fd);
    return err;
}

static uint64_t count_words(source *s)
{
    uint64_t n = 0;
    rmd_bytes record;
    while (rmdi_records_next(&s->records, &record) == 1)
        n++;
    rmdi_records_rewind(&s->records);
    return n;
}

/* The first source is streamed, and those that go in step with it. */
static void choose_streamed(rmdi_inputs *in)
{
    bool words = true;
    uint64_t rows = UINT64_MAX, all = 0;
    do {
        source *s = &in->sources[in->streamed++];
        words = words && s->words;
        uint64_t n = s->words ? count_words(s) : 0;
        all += n;
        n = n ? n : 1; /* an empty one counts as one empty value */
        rows = n < rows ? n : rows;
    } while (in->streamed < in->count && in->sources[in->streamed].linked);
    in->loaded = in->streamed;
    in->streamed_empty = words && !all;
    if (words)
        in->streamed_rows = rows;
}

/* What is at hand is stored now, so that the total can be known before the first task. */
static int choose(rmdi_inputs *in)
{
    if (!in->link_all)
        choose_streamed(in);
    int err = 0;
    while (err == 0 && in->loaded < in->count && in->sources[in->loaded].words)
        err = load_next(in);
    return err;
}

int rmdi_inputs_open(rmdi_inputs **made, const rmdi_inputs_options *options)
{
    *made = NULL;
    rmdi_inputs *in = rmdi_alloc_zeroed(sizeof *in);
    if (!in)
        return rmdi_fail_memory();
    int err = set_up(in, options);
    if (err == 0)
        err = open_sources(in, options);
    if (err == 0)
        err = choose(in);
    if (err < 0)
        rmdi_inputs_free(in);
    else
        *made = in;
    return err;
}

void rmdi_inputs_free(rmdi_inputs *in)
{
    if (!in)
        return;
    for (size_t i = 0; i < in->count; i++) {
        rmdi_records_free(&in->sources[i].records);
        list_free(&in->sources[i].stored);
    }
    list_free(&in->row);
    list_free(&in->task);
    rmdi_buffer_free(&in->delimiter);
    rmdi_columns_free(in->columns);
    rmdi_free(in->values);
    rmdi_free(in->sources);
    rmdi_free(in);
}

/* ---- rows of the streamed sources ---- */

static bool is_empty(const rmdi_inputs *in, const source *s)
{
    bool is_streamed = (size_t)(s - in->sources) < in->streamed;
    return is_streamed ? s->streamed == 0 : s->stored.len == 0;
}

static bool all_empty(const rmdi_inputs *in)
{
    for (size_t i = 0; i < in->count; i++)
        if (!is_empty(in, &in->sources[i]))
            return false;
    return true;
}

/* The record for a row of the streamed sources: 1, or 0 when the source has ended. An empty one
 * has one empty value. */
static int row_record(rmdi_inputs *in, source *s)
{
    rmd_bytes record = { 0 };
    int got = next_record(in, s, &record);
    if (got < 0 || (got == 0 && in->rows > 0))
        return got;
    s->streamed += got == 1;
    int err = list_add(&in->row, record);
    return err < 0 ? err : 1;
}

static int end_rows(rmdi_inputs *in)
{
    in->ended = true;
    in->streamed_rows = in->rows;
    return 0;
}

static int next_row(rmdi_inputs *in)
{
    if (in->has_row)
        list_clear(&in->row);
    in->has_row = false;
    while (in->row.len < in->streamed) {
        int got = row_record(in, &in->sources[in->row.len]);
        if (got < 0)
            return got;
        if (got == 0)
            return end_rows(in);
    }
    if (all_empty(in))
        return end_rows(in);
    in->rows++;
    in->has_row = true;
    return 1;
}

/* ---- combinations ---- */

static size_t group_end(const rmdi_inputs *in, size_t first)
{
    size_t end = first + 1;
    while (end < in->count && in->sources[end].linked)
        end++;
    return end;
}

/* How many records a stored group has: as many as its shortest source. */
static size_t group_rows(const rmdi_inputs *in, size_t first)
{
    size_t rows = SIZE_MAX, end = group_end(in, first);
    for (size_t i = first; i < end; i++) {
        size_t n = in->sources[i].stored.len;
        n = n ? n : 1;
        rows = n < rows ? n : rows;
    }
    return rows;
}

/* Turns the wheels on by one; false when all of them have gone round. */
static bool turn(rmdi_inputs *in)
{
    for (size_t i = in->count; i-- > in->streamed;) {
        source *s = &in->sources[i];
        if (i > in->streamed && s->linked)
            continue;
        if (++s->turn < group_rows(in, i))
            return true;
        s->turn = 0;
    }
    return false;
}

/* With link_all: as many rows as the longest source has. */
static uint64_t linked_rows(const rmdi_inputs *in)
{
    size_t rows = 0;
    for (size_t i = 0; i < in->count; i++)
        rows = in->sources[i].stored.len > rows ? in->sources[i].stored.len : rows;
    return rows;
}

static int next_combination(rmdi_inputs *in)
{
    if (in->ended)
        return 0;
    if (in->link_all) {
        in->ended = in->rows == linked_rows(in);
        in->rows += !in->ended;
        return !in->ended;
    }
    return in->has_row && turn(in) ? 1 : next_row(in);
}

/* The record of source i in the current combination. */
static rmd_bytes current(const rmdi_inputs *in, size_t i, size_t group_turn)
{
    const source *s = &in->sources[i];
    if (i < in->streamed)
        return list_get(&in->row, i);
    if (!s->stored.len)
        return (rmd_bytes){ 0 };
    return list_get(&s->stored, in->link_all ? (size_t)(in->rows - 1) % s->stored.len : group_turn);
}

/* ---- tasks ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static rmd_bytes trimmed(rmdi_trim trim, rmd_bytes value)
{
    const char *begin = value.data, *end = begin + value.len;
    while (begin < end && (trim & RMDI_TRIM_LEFT) && is_space(*begin))
        begin++;
    while (begin < end && (trim & RMDI_TRIM_RIGHT) && is_space(end[-1]))
        end--;
    return (rmd_bytes){ .data = begin, .len = (size_t)(end - begin) };
}

static int add_value(rmdi_inputs *in, rmd_bytes value)
{
    if (in->trim != RMDI_TRIM_NONE && value.len)
        value = trimmed(in->trim, value);
    return list_add(&in->task, value);
}

static rmd_bytes part(rmd_bytes value, size_t from, size_t end)
{
    const char *bytes = value.data;
    return (rmd_bytes){ .data = bytes ? bytes + from : NULL, .len = end - from };
}

static int add_record(rmdi_inputs *in, rmd_bytes record)
{
    size_t from = 0, begin, end;
    int err = 0;
    while (err == 0 && in->columns && rmdi_columns_find(in->columns, record, from, &begin, &end)) {
        err = add_value(in, part(record, from, begin));
        from = end;
    }
    return err < 0 ? err : add_value(in, part(record, from, record.len));
}

static int add_combination(rmdi_inputs *in)
{
    int err = 0;
    size_t group_turn = 0;
    for (size_t i = 0; err == 0 && i < in->count && !in->no_values; i++) {
        if (i == in->streamed || !in->sources[i].linked)
            group_turn = in->sources[i].turn;
        err = add_record(in, current(in, i, group_turn));
    }
    in->task_records += err == 0;
    return err;
}

/* What RMD_EAGAIN interrupts goes on with the next call. */
static int fill_task(rmdi_inputs *in)
{
    int got = 1;
    while (got == 1 && in->task_records < in->group) {
        got = next_combination(in);
        int err = got == 1 ? add_combination(in) : 0;
        if (err < 0)
            return err;
    }
    return got < 0 ? got : 0;
}

static int hand_over(rmdi_inputs *in, rmdi_values *values)
{
    for (size_t i = 0; i < in->task.len; i++) {
        void *all = in->values;
        int err = rmdi_array_reserve(&all, &in->values_capacity, i, sizeof *in->values);
        in->values = all;
        if (err < 0)
            return err;
        in->values[i] = list_get(&in->task, i);
    }
    *values = (rmdi_values){ .values = in->values, .count = in->task.len };
    in->handed_over = true;
    return 1;
}

static int next(rmdi_inputs *in, rmdi_values *values)
{
    if (in->handed_over) {
        list_clear(&in->task);
        in->task_records = 0;
        in->handed_over = false;
    }
    int err = 0;
    while (err == 0 && in->loaded < in->count)
        err = load_next(in);
    if (err == 0)
        err = fill_task(in);
    if (err < 0)
        return err;
    return in->task_records ? hand_over(in, values) : 0;
}

int rmdi_inputs_next(rmdi_inputs *in, rmdi_values *values)
{
    *values = (rmdi_values){ 0 };
    if (in->failed)
        return in->failed;
    int got = next(in, values);
    if (got < 0 && got != RMD_EAGAIN)
        in->failed = got;
    return got;
}

int rmdi_inputs_fd(const rmdi_inputs *in)
{
    return in->waits_for;
}

uint64_t rmdi_inputs_total(const rmdi_inputs *in)
{
    if (in->loaded < in->count)
        return UINT64_MAX;
    uint64_t total = in->link_all ? linked_rows(in) : in->streamed_rows;
    if (in->streamed_empty && all_empty(in))
        return 0;
    if (total == UINT64_MAX)
        return total;
    for (size_t i = in->streamed; i < in->count && !in->link_all; i = group_end(in, i))
        if (__builtin_mul_overflow(total, group_rows(in, i), &total))
            return UINT64_MAX;
    return total / in->group + (total % in->group != 0);
}
