/* SPDX-License-Identifier: MIT */
#include "job/printer.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

enum { CHUNK = 16 * 1024, BACKLOG_MAX = 64 };

struct rmdi_printer {
    rmdi_printer_options options;
    rmdi_writer writers[2];
    rmdi_spill *spill;
    rmdi_link running; /* begun and not ended */
    rmdi_link ended;   /* to be shown, in this order; without keep_order */
    size_t ended_len;
    rmdi_print_item **window; /* keep_order: by seq; begun and not shown */
    uint64_t next_seq;        /* keep_order: whose turn it is */
    uint64_t begun;
    bool blocked, pumping;
    bool owed; /* a task's stderr waits in the writer */
    int error;
    rmdi_buffer text; /* a chunk with its tags */
};

/* ---- writing one chunk ---- */

static bool fails(int err)
{
    return err < 0 && err != RMD_EAGAIN;
}

/* After this, look at printer->blocked and printer->error. */
static void emit(rmdi_printer *printer, int stream, const void *data, size_t len)
{
    if (printer->options.before)
        printer->options.before(printer->options.ctx);
    int err = rmdi_writer_add(&printer->writers[stream], data, len);
    if (err == RMD_EAGAIN) {
        printer->blocked = true;
        printer->owed |= stream == 1;
    } else if (fails(err) && !printer->error) {
        printer->error = err;
        printer->options.broken(printer->options.ctx, err);
    }
}

/* Copies data with the tag before each line; a line ends with \n or \r. */
static int add_tags(rmdi_printer *printer, const rmdi_buffer *tag, bool *in_line, const char *data,
                    size_t len)
{
    rmdi_buffer_clear(&printer->text);
    int err = 0;
    for (size_t i = 0, start = 0; i < len && err == 0; i++) {
        if (!*in_line)
            err = rmdi_buffer_add(&printer->text, tag->data, tag->len);
        *in_line = data[i] != '\n' && data[i] != '\r';
        if (err == 0 && (!*in_line || i + 1 == len)) {
            err = rmdi_buffer_add(&printer->text, data + start, i + 1 - start);
            start = i + 1;
        }
    }
    return err;
}

static void emit_tagged(rmdi_printer *printer, rmdi_print_item *item, int stream, const char *data,
                        size_t len)
{
    if (!item->tag.len) {
        emit(printer, stream, data, len);
        return;
    }
    int err = add_tags(printer, &item->tag, &item->streams[stream].in_line, data, len);
    if (err == 0)
        emit(printer, stream, printer->text.data, printer->text.len);
    else
        item->error = err;
}

/* ---- showing one task ---- */

/* The next piece of what the task has written to the stream: its length, 0 at the end. */
static int64_t next_piece(rmdi_printer *printer, rmdi_print_item *item, int stream, char *chunk)
{
    rmdi_print_stream *from = &item->streams[stream];
    if (item->read)
        return item->read(item, stream + 1, from->offset, chunk, CHUNK);
    if (printer->options.line_buffer)
        return rmdi_spool_read(&from->held, from->offset, chunk, CHUNK);
    if (!item->future)
        return 0;
    int64_t n = rmd_future_read(item->future, stream + 1, from->offset, chunk, CHUNK);
    return n == RMD_EINVAL ? 0 : n; /* that stream was not captured */
}

/* Lines that were held and are written by now need not be kept. */
static void forget_held(rmdi_printer *printer, rmdi_print_stream *stream)
{
    if (!stream->held.total || stream->offset < stream->held.total)
        return;
    rmdi_spool_free(&stream->held);
    rmdi_spool_init(&stream->held, printer->spill);
    stream->offset = 0;
}

/* Under --lb it comes with the first line, else it would stand alone. */
static void show_prefix(rmdi_printer *printer, rmdi_print_item *item)
{
    if (item->prefix_done < item->prefix.len)
        emit_tagged(printer, item, 0, item->prefix.data, item->prefix.len);
    item->prefix_done = item->prefix.len;
}

static void show_stream(rmdi_printer *printer, rmdi_print_item *item, int stream)
{
    char chunk[CHUNK];
    rmdi_print_stream *from = &item->streams[stream];
    while (!printer->blocked && !printer->error) {
        int64_t n = next_piece(printer, item, stream, chunk);
        if (n < 0)
            item->error = (int)n;
        if (n <= 0)
            break;
        from->offset += (uint64_t)n;
        emit_tagged(printer, item, stream, chunk, (size_t)n);
    }
    if (printer->options.line_buffer)
        forget_held(printer, from);
}

/* True when all that there is of it has been written. */
static bool show(rmdi_printer *printer, rmdi_print_item *item)
{
    if (item->hidden)
        return true;
    if (item->ended || item->streams[0].held.total)
        show_prefix(printer, item);
    for (int stream = 0; stream < 2; stream++) {
        if (printer->blocked || printer->error)
            return false;
        show_stream(printer, item, stream);
    }
    return !printer->blocked && !printer->error;
}

/* ---- whose turn it is ---- */

static rmdi_print_item **place(rmdi_printer *printer, uint64_t seq)
{
    return &printer->window[seq % RMDI_PRINTER_WINDOW];
}

static rmdi_print_item *first(rmdi_printer *printer)
{
    if (printer->options.keep_order)
        return *place(printer, printer->next_seq);
    return rmdi_list_empty(&printer->ended)
               ? NULL
               : RMDI_CONTAINER(printer->ended.next, rmdi_print_item, link);
}

static void remove_first(rmdi_printer *printer, rmdi_print_item *item)
{
    if (printer->options.keep_order) {
        *place(printer, item->seq) = NULL;
        printer->next_seq++;
    } else {
        rmdi_list_remove(&item->link);
        printer->ended_len--;
    }
}

/* Shows what can be shown. Not entered twice: `shown` may begin and end tasks. */
static void pump(rmdi_printer *printer)
{
    if (printer->pumping)
        return;
    printer->pumping = true;
    for (rmdi_print_item *item; !printer->blocked && (item = first(printer));) {
        if (!item->ended && !printer->options.line_buffer)
            break;
        bool all = show(printer, item) || printer->error; /* nobody reads it: let it go */
        if (!all || !item->ended)
            break;
        remove_first(printer, item);
        printer->options.shown(printer->options.ctx, item);
    }
    printer->pumping = false;
}

/* --lb: what running tasks could not write while the reader was slow. */
static void show_held(rmdi_printer *printer)
{
    if (!printer->options.line_buffer || printer->options.keep_order)
        return;
    for (rmdi_link *l = printer->running.next; l != &printer->running; l = l->next)
        if (!show(printer, RMDI_CONTAINER(l, rmdi_print_item, link)))
            return;
}

/* Has something been lost? A terminal that is gone, or a reader of stderr, matters only
 * when a task has written there. */
static int failure(const rmdi_printer *printer)
{
    if (fails(printer->writers[0].error))
        return printer->writers[0].error;
    return printer->owed && fails(printer->writers[1].error) ? printer->writers[1].error : 0;
}

static void on_ready(void *ctx)
{
    rmdi_printer *printer = ctx;
    int err = failure(printer);
    if (err < 0 && !printer->error) {
        printer->error = err;
        printer->options.broken(printer->options.ctx, err);
    }
    for (int i = 0; i < 2 && !printer->error; i++)
        if (!rmdi_writer_idle(&printer->writers[i]))
            return;
    printer->blocked = printer->owed = false;
    show_held(printer);
    pump(printer);
    printer->options.room(printer->options.ctx); /* last: pump has made it */
}

/* ---- the life of a task ---- */

void rmdi_print_item_init(rmdi_print_item *item, uint64_t seq)
{
    *item = (rmdi_print_item){ .seq = seq };
    rmdi_list_init(&item->link);
}

void rmdi_print_item_free(rmdi_print_item *item)
{
    rmdi_buffer_free(&item->tag);
    rmdi_buffer_free(&item->prefix);
    for (int i = 0; i < 2; i++) {
        rmdi_buffer_free(&item->streams[i].partial);
        rmdi_spool_free(&item->streams[i].held);
    }
}

void rmdi_printer_begin(rmdi_printer *printer, rmdi_print_item *item)
{
    printer->begun++;
    for (int i = 0; i < 2 && printer->options.line_buffer; i++)
        rmdi_spool_init(&item->streams[i].held, printer->spill);
    if (printer->options.keep_order)
        *place(printer, item->seq) = item;
    rmdi_list_append(&printer->running, &item->link);
}

void rmdi_printer_end(rmdi_printer *printer, rmdi_print_item *item)
{
    item->ended = item->settled = true;
    rmdi_list_remove(&item->link);
    if (!printer->options.keep_order) {
        rmdi_list_append(&printer->ended, &item->link);
        printer->ended_len++;
    }
    pump(printer);
}

bool rmdi_printer_has_room(const rmdi_printer *printer)
{
    if (printer->options.keep_order)
        return printer->begun + 1 < printer->next_seq + RMDI_PRINTER_WINDOW;
    return printer->ended_len < BACKLOG_MAX;
}

void rmdi_printer_announce(rmdi_printer *printer, rmdi_print_item *item)
{
    if (!printer->error)
        show_prefix(printer, item);
}

static void hide(rmdi_print_item *item)
{
    item->hidden |= !item->settled;
}

void rmdi_printer_hide_rest(rmdi_printer *printer)
{
    for (rmdi_link *l = printer->running.next; l != &printer->running; l = l->next)
        hide(RMDI_CONTAINER(l, rmdi_print_item, link));
    if (!printer->options.keep_order)
        return;
    uint64_t seq = printer->next_seq;
    while (seq <= printer->begun && *place(printer, seq) && (*place(printer, seq))->settled)
        seq++;
    for (; seq <= printer->begun; seq++)
        if (*place(printer, seq))
            (*place(printer, seq))->hidden = true;
}

/* ---- line by line ---- */

static bool is_its_turn(rmdi_printer *printer, const rmdi_print_item *item)
{
    return !printer->options.keep_order || item->seq == printer->next_seq;
}

static int give_lines(rmdi_printer *printer, rmdi_print_item *item, int stream, const char *data,
                      size_t len)
{
    rmdi_print_stream *to = &item->streams[stream];
    if (!len || printer->error || item->hidden)
        return 0;
    if (printer->blocked || !is_its_turn(printer, item) || to->held.total)
        return rmdi_spool_add(&to->held, data, len);
    show_prefix(printer, item);
    emit_tagged(printer, item, stream, data, len);
    return 0;
}

/* Behind the last \n, else behind the last \r; 0: no line is complete. */
static size_t complete_lines(const char *data, size_t len)
{
    const char *end = memrchr(data, '\n', len);
    if (!end)
        end = memrchr(data, '\r', len);
    return end ? (size_t)(end - data) + 1 : 0;
}

int rmdi_printer_lines(rmdi_printer *printer, rmdi_print_item *item, int stream, const void *data,
                       size_t len)
{
    rmdi_buffer *partial = &item->streams[stream].partial;
    size_t complete = complete_lines(data, len);
    int err = 0;
    if (complete || !len || partial->len + len > RMDI_LINE_MAX) {
        err = give_lines(printer, item, stream, partial->data, partial->len);
        rmdi_buffer_clear(partial);
        if (err == 0)
            err = give_lines(printer, item, stream, data, complete);
    }
    if (err == 0 && complete < len)
        err = rmdi_buffer_add(partial, (const char *)data + complete, len - complete);
    return err;
}

bool rmdi_printer_is_blocked(const rmdi_printer *printer)
{
    return printer->blocked;
}

void rmdi_printer_row(rmdi_printer *printer, const char *text, size_t len)
{
    if (!printer->error)
        emit(printer, 0, text, len);
}

void rmdi_printer_note(rmdi_printer *printer, const char *text, size_t len)
{
    if (printer->options.before)
        printer->options.before(printer->options.ctx);
    /* What cannot be said is no failure of the run: a task's own stderr would be. */
    if (!printer->writers[1].error &&
        rmdi_writer_add(&printer->writers[1], text, len) == RMD_EAGAIN)
        printer->blocked = true;
}

/* ---- opening and closing ---- */

int rmdi_printer_open(rmdi_printer **out, rmd_loop *loop, rmdi_spill *spill,
                      const rmdi_printer_options *options)
{
    rmdi_printer *printer = rmdi_alloc_zeroed(sizeof *printer);
    if (!printer)
        return rmdi_fail_memory();
    printer->options = *options;
    printer->spill = spill;
    printer->next_seq = 1;
    rmdi_list_init(&printer->running);
    rmdi_list_init(&printer->ended);
    int err = 0;
    if (options->keep_order) {
        printer->window = rmdi_alloc_zeroed(RMDI_PRINTER_WINDOW * sizeof(void *));
        err = printer->window ? 0 : rmdi_fail_memory();
    }
    if (err == 0)
        err = rmdi_writer_open(&printer->writers[0], loop, 1, on_ready, printer);
    if (err == 0) {
        err = rmdi_writer_open(&printer->writers[1], loop, 2, on_ready, printer);
        if (err < 0)
            rmdi_writer_close(&printer->writers[0], RMD_NOW);
    }
    if (err < 0) {
        rmdi_free(printer->window);
        rmdi_free(printer);
        return err;
    }
    *out = printer;
    return 0;
}

void rmdi_printer_close(rmdi_printer *printer, rmd_deadline deadline)
{
    if (!printer)
        return;
    for (int i = 0; i < 2; i++)
        rmdi_writer_close(&printer->writers[i], deadline);
    rmdi_buffer_free(&printer->text);
    rmdi_free(printer->window);
    rmdi_free(printer);
}
