/* SPDX-License-Identifier: MIT */
#include "job/watch.h"

#include "base/alloc.h"
#include "kit.h"

#include <stdlib.h>

static const int64_t second = 1000000000;
static const int64_t start_ns = INT64_C(1700000000) * 1000000000;

/* A run of which 34 of 90 have ended, two seconds after its start. */
static rmdi_watch_state *new_state(void)
{
    rmdi_watch_state *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    s->pending = 2;
    strcpy(s->path, "j.db");
    strcpy(s->host, "here");
    strcpy(s->command, "remuda run true");
    s->run =
        (rmd_journal_run){ .id = 1,
                           .pid = 77,
                           .slots = 4,
                           .total = 90,
                           .status = -1,
                           .started_ns = start_ns,
                           .host = s->host,
                           .command = s->command,
                           .detail = s->detail,
                           .census = { .submitted = 36, .ok = 30, .failed = 4, .running = 2 } };
    return s;
}

static void set_task(rmdi_watch_task *task, uint64_t seq, const char *command, const char *detail)
{
    task->id = (int64_t)seq;
    task->seq = seq;
    task->outcome = *detail ? RMD_OUTCOME_FAILED : RMD_PENDING;
    task->begun_ns = start_ns + second / 2;
    task->command_len = strlen(command);
    memcpy(task->command, command, task->command_len);
    strcpy(task->detail, detail);
}

static void add_tasks(rmdi_watch_state *s)
{
    set_task(&s->running[0], 35, "sleep 1", "");
    set_task(&s->running[1], 36, "sleep 2", "");
    s->running_len = 2;
    set_task(&s->failures[0], 28, "x=28", "exit status 1");
    set_task(&s->failures[1], 7, "x=7", "exit status 2");
    s->failures_len = 2;
}

static char *page_of(const rmdi_watch_state *s, unsigned columns, unsigned lines)
{
    rmdi_buffer text = { 0 };
    REQUIRE(rmdi_watch_page(s, start_ns + 2 * second, columns, lines, &text) == 0);
    return text.data;
}

static void check_page(const rmdi_watch_state *s, unsigned columns, unsigned lines,
                       const char *expected)
{
    char *page = page_of(s, columns, lines);
    CHECK_STR(page, expected);
    rmdi_free(page);
}

static void check_words(const rmdi_watch_state *s, const char *expected)
{
    rmdi_buffer text = { 0 };
    CHECK_EQ(rmdi_watch_last_words(s, &text), 0);
    CHECK_STR(text.data, expected);
    rmdi_buffer_free(&text);
}

static void check_line(const rmdi_watch_state *s, const char *expected)
{
    rmdi_buffer text = { 0 };
    CHECK_EQ(rmdi_watch_line(s, start_ns + 2 * second, &text), 0);
    CHECK_STR(text.data, expected);
    rmdi_buffer_free(&text);
}

TEST(a_page_of_a_run_that_goes_on)
{
    rmdi_watch_state *s = new_state();
    add_tasks(s);
    check_page(s, 60, 20,
               "j.db: run 1, pid 77, 4 slots                          2.00 s\n"
               "remuda run true\n"
               "\n"
               "[=================>                           ]  37%  34/90\n"
               "30 ok   4 failed   2 running   17.0/s   about 4 s left\n"
               "\n"
               "Running\n"
               "  35       1.50 s  sleep 1\n"
               "  36       1.50 s  sleep 2\n"
               "\n"
               "\n"
               "\n"
               "Latest failures (2 of 4)\n"
               "  28  exit status 1  x=28\n"
               "   7  exit status 2  x=7\n"
               "\n"
               "\n"
               "\n"
               "\n"
               "q leaves; the run goes on\n");
    free(s);
}

/* In lines and columns; every character of these pages is one column wide. */
static void check_fits(const char *page, unsigned columns, unsigned lines)
{
    unsigned line = 0, column = 0;
    for (const char *at = page; *at; at++) {
        if (*at == '\n') {
            line++;
            column = 0;
        } else if (((unsigned char)*at & 0xc0) != 0x80) {
            CHECK_INT(++column, <=, columns);
        }
    }
    CHECK_INT(line, <=, lines);
}

TEST(every_size_of_a_terminal_is_kept_to)
{
    rmdi_watch_state *s = new_state();
    add_tasks(s);
    strcpy(s->path, "/a/very/long/folder/in/which/journals/lie/search.db");
    s->run.skipped = 5;
    s->run.slots = 9;
    for (unsigned columns = 1; columns < 100; columns++)
        for (unsigned lines = 1; lines < 40; lines++) {
            char *page = page_of(s, columns, lines);
            check_fits(page, columns, lines);
            rmdi_free(page);
        }
    free(s);
}

TEST(a_small_terminal_shows_both_running_tasks_and_failures)
{
    rmdi_watch_state *s = new_state();
    add_tasks(s);
    char *page = page_of(s, 40, 12);
    CHECK_CONTAINS(page, "sleep 1\n");
    CHECK_CONTAINS(page, "  28  exit status 1  x=28\n");
    rmdi_free(page);
    free(s);
}

TEST(a_page_without_limits_has_everything)
{
    rmdi_watch_state *s = new_state();
    add_tasks(s);
    s->run.total = UINT64_MAX;
    s->run.skipped = 1234;
    check_page(s, 0, 0,
               "j.db: run 1, pid 77, 4 slots, 2.00 s\n"
               "remuda run true\n"
               "\n"
               "1,268 done\n"
               "30 ok   4 failed   2 running   1,234 done before   17.0/s\n"
               "\n"
               "Running\n"
               "  35       1.50 s  sleep 1\n"
               "  36       1.50 s  sleep 2\n"
               "\n"
               "Latest failures (2 of 4)\n"
               "  28  exit status 1  x=28\n"
               "   7  exit status 2  x=7\n");
    free(s);
}

TEST(foreign_text_cannot_speak_to_the_terminal)
{
    rmdi_watch_state *s = new_state();
    set_task(&s->running[0], 1,
             "a\033]0;title\007\tb\nc\x9b"
             "2Jd\xc2\x9b"
             "e",
             "");
    set_task(&s->failures[0], 2, "f\rg\x7f\xe2\x80\xaeh", "\033[31mred");
    s->running_len = s->failures_len = 1;
    strcpy(s->path, "\033c.db");
    strcpy(s->command, "\b\b");
    char *page = page_of(s, 0, 0);
    for (const char *at = page; *at; at++)
        CHECK(*at == '\n' || (unsigned char)*at >= ' ');
    CHECK_CONTAINS(page, "a␛]0;title␇ b␊c\ufffd2Jd\ufffde\n");
    CHECK_CONTAINS(page, "␛[31mred  f␍g␡\ufffdh\n");
    CHECK_CONTAINS(page, "␛c.db");
    rmdi_free(page);
    s->life = RMDI_WATCH_ELSEWHERE;
    strcpy(s->host, "\033[2J");
    check_words(s, "run 1 had not ended when ␛[2J wrote here last; whether it goes on can only be "
                   "seen there");
    free(s);
}

TEST(wide_characters_are_cut_by_columns)
{
    rmdi_watch_state *s = new_state();
    s->life = RMDI_WATCH_GONE;
    strcpy(s->command, "日本語日本語e\u0301");
    char *page = page_of(s, 13, 0);
    CHECK_CONTAINS(page, "\n日本語日本語e\u0301\n");
    rmdi_free(page);
    page = page_of(s, 12, 0);
    CHECK_CONTAINS(page, "\n日本語日本…\n");
    rmdi_free(page);
    free(s);
}

TEST(a_command_that_was_cut_says_so)
{
    rmdi_watch_state *s = new_state();
    set_task(&s->running[0], 1, "cat", "");
    s->running[0].command_cut = true;
    s->running_len = 1;
    char *page = page_of(s, 0, 0);
    CHECK_CONTAINS(page, "  cat…\n");
    rmdi_free(page);
    free(s);
}

TEST(lines_for_what_is_no_terminal)
{
    rmdi_watch_state *s = new_state();
    check_line(s, "34/90 (37%), 30 ok, 4 failed, 2 running, 17.0/s, about 4 s left");
    s->run.total = UINT64_MAX;
    check_line(s, "34 done, 30 ok, 4 failed, 2 running, 17.0/s");
    s->run.total = 10; /* the file has grown since it was counted */
    check_line(s, "34/34 (100%), 30 ok, 4 failed, 2 running, 17.0/s");
    s->run.census = (rmd_census){ 0 }; /* behind */
    s->pending = 1;
    s->run.total = 90;
    check_line(s, "0/90 (0%), 0 ok, 1 running");
    s->run.started_ns += 60 * second; /* somebody has set the clock */
    check_line(s, "0/90 (0%), 0 ok, 1 running");
    free(s);
}

TEST(a_slow_run_has_a_rate_by_the_minute_or_hour)
{
    rmdi_watch_state *s = new_state();
    s->run.census = (rmd_census){ .submitted = 1, .ok = 1 };
    s->pending = 0;
    s->run.started_ns = start_ns - 18 * second;
    check_line(s, "1/90 (1%), 1 ok, 3.0/min, about 29 min 40 s left");
    s->run.started_ns = start_ns - 1798 * second;
    check_line(s, "1/90 (1%), 1 ok, 2.0/h, about 44 h 30 min left");
    free(s);
}

TEST(last_words_tell_how_it_ended)
{
    rmdi_watch_state *s = new_state();
    s->run.ended_ns = start_ns + 3 * second;
    s->run.status = 0;
    s->run.census = (rmd_census){ .submitted = 9, .ok = 9 };
    check_words(s, "run 1 ended well after 3.00 s: 9 submitted = 9 ok");
    s->run.status = 4;
    s->run.skipped = 7;
    s->run.census = (rmd_census){ .submitted = 9, .ok = 5, .failed = 4 };
    check_words(s, "run 1 ended (status 4) after 3.00 s: 9 submitted = 5 ok + 4 failed; 7 done "
                   "before");
    s->run.skipped = 0;
    s->run.status = 130;
    check_words(s,
                "run 1 was interrupted (status 130) after 3.00 s: 9 submitted = 5 ok + 4 failed");
    s->run.status = 255;
    strcpy(s->detail, "the disk is full");
    check_words(s, "run 1 gave up (status 255) after 3.00 s: 9 submitted = 5 ok + 4 failed; the "
                   "disk is full");
    free(s);
}

TEST(last_words_of_runs_that_recorded_no_end)
{
    rmdi_watch_state *s = new_state();
    CHECK(!rmdi_watch_is_over(s));
    check_words(s, "run 1 goes on");
    s->life = RMDI_WATCH_GONE;
    CHECK(rmdi_watch_is_over(s));
    check_words(s, "run 1 (pid 77), 34 done and 2 under way, was killed; remuda run --resume goes "
                   "on");
    s->run.id = 0;
    CHECK(rmdi_watch_is_over(s));
    check_words(s, "no run has begun in it");
    check_page(s, 80, 24, "no run has begun in it\n");
    free(s);
}
