/* SPDX-License-Identifier: MIT */
/* The printer writes to descriptors 1 and 2: each case puts pipes there. An item without a
 * future has its prefix as its whole output. */
#include "job/printer.h"

#include "kit.h"

#include <fcntl.h>
#include <remuda/error.h>
#include <unistd.h>

enum { ITEMS = 200, PIPE_BYTES = 65536 };

typedef struct scene {
    int readers[2], saved[2];
    rmd_loop *loop;
    rmdi_spill *spill;
    rmdi_printer *printer;
    rmdi_print_item items[ITEMS];
    uint64_t begun, shown[ITEMS];
    unsigned shown_len, hidden_len, rooms;
    int broken;
} scene;

static void on_shown(void *ctx, rmdi_print_item *item)
{
    scene *s = ctx;
    s->shown[s->shown_len++] = item->seq;
    s->hidden_len += item->hidden;
    rmdi_print_item_free(item);
}

static void on_room(void *ctx)
{
    ((scene *)ctx)->rooms++;
}

static void on_broken(void *ctx, int error)
{
    ((scene *)ctx)->broken = error;
}

static void set_up(scene *s, bool keep_order, bool line_buffer)
{
    rmdi_printer_options options = { .keep_order = keep_order,
                                     .line_buffer = line_buffer,
                                     .shown = on_shown,
                                     .room = on_room,
                                     .broken = on_broken,
                                     .ctx = s };
    *s = (scene){ 0 };
    for (int i = 0; i < 2; i++) {
        int ends[2];
        s->saved[i] = dup(i + 1);
        REQUIRE(s->saved[i] >= 0 && pipe(ends) == 0);
        s->readers[i] = ends[0];
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
        dup2(ends[1], i + 1);
        close(ends[1]);
    }
    REQUIRE(rmd_loop_open(&s->loop) == 0);
    REQUIRE(rmdi_spill_open(&s->spill, "/tmp", 1024 * 1024) == 0);
    REQUIRE(rmdi_printer_open(&s->printer, s->loop, s->spill, &options) == 0);
}

static void tear_down(scene *s)
{
    rmdi_printer_close(s->printer, RMD_NOW);
    rmdi_spill_drop(s->spill);
    rmd_loop_free(s->loop);
    for (int i = 0; i < 2; i++) {
        dup2(s->saved[i], i + 1);
        close(s->saved[i]);
        if (s->readers[i] >= 0)
            close(s->readers[i]);
    }
}

static rmdi_print_item *begin(scene *s, const char *prefix, size_t len)
{
    rmdi_print_item *item = &s->items[s->begun++];
    rmdi_print_item_init(item, s->begun);
    REQUIRE(rmdi_buffer_add(&item->prefix, prefix, len) == 0);
    rmdi_printer_begin(s->printer, item);
    return item;
}

/* Begins an item with a short text and ends it. */
static void print(scene *s, const char *text)
{
    rmdi_printer_end(s->printer, begin(s, text, strlen(text)));
}

/* An item whose output is more than the pipe takes. */
static void print_much(scene *s)
{
    static char much[3 * PIPE_BYTES];
    memset(much, 'x', sizeof much);
    rmdi_printer_end(s->printer, begin(s, much, sizeof much));
}

static void lines(scene *s, rmdi_print_item *item, int stream, const char *text)
{
    CHECK_EQ(rmdi_printer_lines(s->printer, item, stream, text, strlen(text)), 0);
}

/* Everything that the pipe holds now, as a text. */
static const char *taken(scene *s, int stream)
{
    static char text[PIPE_BYTES + 1];
    ssize_t n = read(s->readers[stream], text, PIPE_BYTES);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static void turn_until_shown(scene *s, unsigned count)
{
    while (s->shown_len < count && !s->broken) {
        taken(s, 0);
        REQUIRE(rmd_loop_turn(s->loop, rmd_after_ms(5000)) >= 0);
    }
}

TEST(without_order_the_first_to_end_is_shown_first)
{
    scene s;
    set_up(&s, false, false);
    rmdi_print_item *one = begin(&s, "1\n", 2);
    print(&s, "2\n");
    rmdi_printer_end(s.printer, one);
    CHECK_STR(taken(&s, 0), "2\n1\n");
    tear_down(&s);
}

TEST(with_order_the_second_waits_for_the_first)
{
    scene s;
    set_up(&s, true, false);
    rmdi_print_item *one = begin(&s, "1\n", 2);
    print(&s, "2\n");
    CHECK_STR(taken(&s, 0), "");
    rmdi_printer_end(s.printer, one);
    CHECK_STR(taken(&s, 0), "1\n2\n");
    CHECK_EQ(s.shown[1], 2);
    tear_down(&s);
}

TEST(lines_come_whole_and_with_their_tag)
{
    scene s;
    set_up(&s, false, true);
    rmdi_print_item *one = begin(&s, "", 0), *two = begin(&s, "", 0);
    REQUIRE(rmdi_buffer_add_text(&one->tag, "A\t") == 0);
    REQUIRE(rmdi_buffer_add_text(&two->tag, "B\t") == 0);
    lines(&s, one, 0, "be");
    lines(&s, two, 0, "b\nrest");
    lines(&s, one, 0, "gun\n");
    lines(&s, one, 1, "error\n");
    CHECK_STR(taken(&s, 0), "B\tb\nA\tbegun\n");
    CHECK_STR(taken(&s, 1), "A\terror\n");
    lines(&s, two, 0, ""); /* its end */
    CHECK_STR(taken(&s, 0), "B\trest");
    rmdi_printer_end(s.printer, one);
    rmdi_printer_end(s.printer, two);
    CHECK_EQ(s.shown_len, 2);
    tear_down(&s);
}

TEST(lines_in_order_show_the_one_whose_turn_it_is_as_they_come)
{
    scene s;
    set_up(&s, true, true);
    rmdi_print_item *one = begin(&s, "", 0), *two = begin(&s, "", 0);
    lines(&s, two, 0, "2\n");
    lines(&s, one, 0, "1\n");
    CHECK_STR(taken(&s, 0), "1\n");
    rmdi_printer_end(s.printer, one);
    CHECK_STR(taken(&s, 0), "2\n"); /* though it still runs */
    lines(&s, two, 0, "3\n");
    CHECK_STR(taken(&s, 0), "3\n");
    rmdi_printer_end(s.printer, two);
    CHECK_EQ(s.shown_len, 2);
    tear_down(&s);
}

TEST(a_slow_reader_stops_the_beginning_of_tasks_and_room_is_told_last)
{
    scene s;
    set_up(&s, false, false);
    print_much(&s);
    CHECK(rmdi_printer_is_blocked(s.printer));
    while (rmdi_printer_has_room(s.printer))
        print(&s, "x\n");
    CHECK_EQ(s.shown_len, 0);
    CHECK_INT(s.begun, <, ITEMS);
    turn_until_shown(&s, (unsigned)s.begun);
    CHECK_EQ(s.shown_len, s.begun);
    CHECK(rmdi_printer_has_room(s.printer));
    CHECK_INT(s.rooms, >=, 1); /* else who waits for room would wait for ever */
    tear_down(&s);
}

TEST(hiding_the_rest_spares_what_had_its_turn)
{
    scene s;
    set_up(&s, true, false);
    print_much(&s); /* is being shown */
    rmdi_print_item *two = begin(&s, "2\n", 2);
    print(&s, "3\n");
    rmdi_printer_hide_rest(s.printer);
    rmdi_printer_end(s.printer, two);
    turn_until_shown(&s, 3);
    CHECK_EQ(s.hidden_len, 2);
    CHECK_EQ(s.shown[2], 3);
    tear_down(&s);
}

/* Its end was decided before; that it waits for its record does not make it unseen. */
TEST(what_is_settled_is_shown_although_the_rest_is_hidden)
{
    scene s;
    for (int keep_order = 0; keep_order < 2; keep_order++) {
        set_up(&s, keep_order, false);
        rmdi_print_item *settled = begin(&s, "1\n", 2), *two = begin(&s, "2\n", 2);
        settled->settled = true;
        rmdi_printer_hide_rest(s.printer);
        rmdi_printer_end(s.printer, two);
        rmdi_printer_end(s.printer, settled);
        CHECK_EQ(s.shown_len, 2);
        CHECK_EQ(s.hidden_len, 1);
        CHECK_STR(taken(&s, 0), "1\n");
        tear_down(&s);
    }
}

static int64_t read_stored(rmdi_print_item *item, int stream, uint64_t offset, void *buffer,
                           size_t len)
{
    (void)item;
    (void)len;
    if (offset)
        return 0;
    memcpy(buffer, stream == 1 ? "out\n" : "err\n", 4);
    return 4;
}

TEST(what_was_kept_elsewhere_is_shown_in_every_mode)
{
    for (int mode = 0; mode < 4; mode++) {
        scene s;
        set_up(&s, mode & 1, mode & 2);
        rmdi_print_item *item = begin(&s, "", 0);
        item->read = read_stored;
        rmdi_printer_end(s.printer, item);
        CHECK_EQ(s.shown_len, 1);
        CHECK_STR(taken(&s, 0), "out\n");
        CHECK_STR(taken(&s, 1), "err\n");
        tear_down(&s);
    }
}

TEST(a_reader_of_stdout_that_goes_breaks_it_and_all_items_are_given_back)
{
    scene s;
    set_up(&s, true, false);
    print_much(&s);
    print(&s, "2\n");
    close(s.readers[0]);
    s.readers[0] = -1;
    while (s.shown_len < 2)
        REQUIRE(rmd_loop_turn(s.loop, rmd_after_ms(5000)) >= 0);
    CHECK_EQ(s.broken, RMD_ECLOSED);
    tear_down(&s);
}

TEST(a_reader_of_stderr_that_goes_breaks_it_only_when_a_task_writes_there)
{
    scene s;
    set_up(&s, false, true);
    rmdi_print_item *one = begin(&s, "", 0);
    close(s.readers[1]);
    s.readers[1] = -1;
    REQUIRE(rmd_loop_turn(s.loop, rmd_after_ms(5000)) >= 0);
    rmdi_printer_note(s.printer, "note\n", 5);
    lines(&s, one, 0, "1\n");
    CHECK_STR(taken(&s, 0), "1\n");
    CHECK_EQ(s.broken, 0);
    lines(&s, one, 1, "error\n");
    CHECK_EQ(s.broken, RMD_ECLOSED);
    rmdi_printer_end(s.printer, one);
    tear_down(&s);
}

TEST(rows_and_notes_stand_between_outputs)
{
    scene s;
    set_up(&s, false, false);
    print(&s, "1\n");
    rmdi_printer_row(s.printer, "row\n", 4);
    rmdi_printer_note(s.printer, "note\n", 5);
    print(&s, "2\n");
    CHECK_STR(taken(&s, 0), "1\nrow\n2\n");
    CHECK_STR(taken(&s, 1), "note\n");
    tear_down(&s);
}
