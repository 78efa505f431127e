/* SPDX-License-Identifier: MIT */
#include "job/report.h"

#include "base/alloc.h"
#include "job/journal_schema.h"
#include "job/report_blocks.h"
#include "job/report_spread.h"
#include "job/report_text.h"
#include "kit.h"
#include "kit_alloc.h"

#include <remuda/error.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t start_ns = INT64_C(1790000000000000000), ms = 1000000;

/* ---- journals, made by hand ---- */

static void sql(sqlite3 *db, const char *text)
{
    char *message = NULL;
    if (!CHECK_EQ(sqlite3_exec(db, text, NULL, NULL, &message), SQLITE_OK))
        FAIL(message ? message : "?");
    sqlite3_free(message);
}

#define SQL(db, ...)                                    \
    do {                                                \
        char *formatted = sqlite3_mprintf(__VA_ARGS__); \
        sql((db), formatted);                           \
        sqlite3_free(formatted);                        \
    } while (0)

static sqlite3 *new_journal(void)
{
    REQUIRE(chdir(getenv("TMPDIR")) == 0);
    sqlite3 *db = NULL;
    REQUIRE(sqlite3_open("j.db", &db) == SQLITE_OK);
    SQL(db, "PRAGMA application_id = %d; PRAGMA user_version = %d; PRAGMA synchronous = off;",
        RMDI_JOURNAL_APPLICATION, RMDI_JOURNAL_VERSION);
    sql(db, RMDI_JOURNAL_SCHEMA "BEGIN;");
    return db;
}

static void add_run(sqlite3 *db, int id, const char *command, int slots, int begun)
{
    SQL(db,
        "INSERT INTO run (id, version, host, boot, pid, dir, command, slots, cpus, memory_bytes, "
        "at_most_once, started_ns, begun) VALUES (%d, '0.1.0', 'host', 'b', 7, '/d', %Q, %d, 4, "
        "1073741824, 0, %lld, %d)",
        id, command, slots, (long long)start_ns, begun);
}

static void add_task(sqlite3 *db, int id, int run, const char *outcome, const char *command)
{
    SQL(db,
        "INSERT INTO task (id, key, outcome, run, seq, begun_ns, attempts, detail, command) "
        "VALUES (%d, zeroblob(32), %Q, %d, %d, %lld, 1, %Q, %Q)",
        id, outcome, run, id, (long long)start_ns,
        outcome && strcmp(outcome, "ok") != 0 ? "exit status 3" : NULL, command);
}

typedef struct made {
    int task, run, slot;
    const char *outcome;
    int64_t started, ended; /* since the run's start */
    bool never;             /* started */
    const char *tail;
} made;

static void add_attempt(sqlite3 *db, const made *m)
{
    int64_t started = m->never ? 0 : start_ns + m->started, ended = start_ns + m->ended;
    SQL(db,
        "INSERT INTO attempt VALUES (%d, %d, 1, %d, %d, %Q, 3, 0, 'exit status 3', %lld, %lld, "
        "%lld, %lld, %lld, 1000, 1000, 4194304, 0, 0, 0, 0, 0, 0, 0, 'group', %Q)",
        m->task, m->run, m->slot, m->never ? 0 : 9, m->outcome, (long long)start_ns,
        (long long)started, (long long)started, (long long)(m->never ? 0 : ended), (long long)ended,
        m->tail);
}

/* A task with its attempt. */
static void add(sqlite3 *db, const char *command, made m)
{
    add_task(db, m.task, m.run, m.outcome, command);
    add_attempt(db, &m);
}

static void finish(sqlite3 *db)
{
    sql(db, "COMMIT");
    sqlite3_close(db);
}

/* ---- reports ---- */

static int report_to(const char *path)
{
    rmd_journal *journal = NULL;
    int err = rmd_journal_open(&journal, "j.db");
    if (err == 0)
        err = rmdi_report_write(journal, path);
    rmd_journal_free(journal);
    return err;
}

static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    REQUIRE(file);
    fseek(file, 0, SEEK_END);
    *len = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*len + 1);
    REQUIRE(fread(text, 1, *len, file) == *len);
    text[*len] = 0;
    fclose(file);
    return text;
}

static char *report_text(const char *path)
{
    size_t len;
    if (!CHECK_EQ(report_to(path), 0))
        FAIL(rmd_error_detail());
    return read_file(path, &len);
}

static void check_has(const char *path, const char *wanted)
{
    char *text = report_text(path);
    CHECK_CONTAINS(text, wanted);
    CHECK(!strstr(text, "nan") && !strstr(text, "width=\"-"));
    free(text);
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static void check_clean(rmd_bytes raw, size_t limit, const char *expected)
{
    rmdi_buffer text = { 0 };
    CHECK_EQ(rmdi_report_clean(raw, limit, &text), 0);
    CHECK_STR(text.data ? text.data : "", expected);
    rmdi_buffer_free(&text);
}

#define CLEAN(raw, expected) check_clean((rmd_bytes){ raw, sizeof raw - 1 }, 0, expected)

TEST(foreign_text_becomes_valid_and_visible)
{
    CLEAN("", "");
    CLEAN("a\tb\nc", "a\tb\nc");
    CLEAN("a\033[1m\r\177", "a␛[1m␍␡");
    CLEAN("na\303\257ve \360\237\220\264 \342\202\254", "naïve 🐴 €");
    CLEAN("\377\303\050\300\200\355\240\200\364\220\200\200",
          "\357\277\275\357\277\275(\357\277\275\357\277\275\357\277\275\357\277\275\357\277\275"
          "\357\277\275\357\277\275\357\277\275\357\277\275");
    CLEAN("\342\202", "\357\277\275\357\277\275");
    CLEAN("rm \342\200\256txt.\302\205\357\277\277", "rm �txt.��");
}

TEST(a_cut_counts_what_text_costs_as_json)
{
    check_clean(rmdi_bytes_of("abcdef"), 6, "abcdef");
    check_clean(rmdi_bytes_of("abcdef"), 5, "abcde…");
    check_clean(rmdi_bytes_of("<<<"), 12, "<<…");
    check_clean(rmdi_bytes_of("\"\"\""), 4, "\"\"…");
    check_clean(rmdi_bytes_of("€€"), 5, "€…");
}

typedef int number_fn(int64_t value, rmdi_buffer *text);

static void check_number(number_fn *fn, int64_t value, const char *expected)
{
    rmdi_buffer text = { 0 };
    CHECK_EQ(fn(value, &text), 0);
    CHECK_STR(text.data, expected);
    rmdi_buffer_free(&text);
}

static int size_of(int64_t value, rmdi_buffer *text)
{
    return rmdi_report_size((uint64_t)value, text);
}

TEST(numbers_have_units)
{
    check_number(rmdi_report_time, -5, "0 s");
    check_number(rmdi_report_time, 350, "350 ns");
    check_number(rmdi_report_time, 350000, "350 µs");
    check_number(rmdi_report_time, 1400 * ms, "1.40 s");
    check_number(rmdi_report_time, 999600 * INT64_C(1000), "1.00 s");
    check_number(rmdi_report_time, 59700 * ms, "1 min 00 s");
    check_number(rmdi_report_time, 190 * INT64_C(60000) * ms, "3 h 10 min");
    check_number(rmdi_report_time, 21 * INT64_C(86400000) * ms, "21 d 0 h");
    check_number(rmdi_report_mark, 75000 * ms, "1:15 min");
    check_number(rmdi_report_mark, 1500 * ms, "1.5 s");
    check_number(size_of, 512, "512 B");
    check_number(size_of, 12 << 20, "12.0 MiB");
    check_number(size_of, INT64_MAX, "8.00 EiB");
}

TEST(quantiles_are_near_and_ends_exact)
{
    rmdi_spread spread;
    REQUIRE(rmdi_spread_init(&spread) == 0);
    CHECK_EQ(rmdi_spread_quantile(&spread, .5), 0);
    for (uint64_t i = 1; i <= 100000; i++)
        rmdi_spread_add(&spread, i * 1000);
    CHECK_EQ(spread.min, 1000);
    CHECK_EQ(spread.max, 100000000);
    uint64_t median = rmdi_spread_quantile(&spread, .5);
    CHECK(median > 49800000 && median < 50200000);
    const double edges[] = { 0, 50e6, 101e6 };
    uint64_t counts[2];
    rmdi_spread_count(&spread, edges, counts, 2);
    CHECK_EQ(counts[0] + counts[1], 100000);
    CHECK(counts[0] > 49800 && counts[0] < 50200);
    rmdi_spread_add(&spread, UINT64_MAX);
    CHECK(rmdi_spread_quantile(&spread, 1) == UINT64_MAX);
    rmdi_spread_free(&spread);
}

/* Attempts of 1 ms and one of three weeks, in a shuffled order. */
static void check_blocks(unsigned lanes, unsigned tasks)
{
    rmdi_report_blocks blocks;
    REQUIRE(rmdi_report_blocks_init(&blocks, 2000) == 0);
    for (unsigned i = 0; i < tasks; i++) {
        unsigned k = (unsigned)((uint64_t)i * 7919 % tasks);
        rmdi_report_block block = { .start = (int64_t)k * ms,
                                    .end = (int64_t)(k + 1) * ms,
                                    .busy = 1e6,
                                    .count = 1,
                                    .lane = k % lanes,
                                    .outcome = k % 97 ? RMD_OUTCOME_OK : RMD_OUTCOME_FAILED };
        rmdi_report_blocks_add(&blocks, &block);
    }
    rmdi_report_blocks_add(&blocks, &(rmdi_report_block){ .end = 21 * INT64_C(86400000) * ms,
                                                          .count = 1,
                                                          .outcome = RMD_OUTCOME_TIMEOUT });
    uint64_t count = 0, longest = 0;
    for (size_t i = 0; i < blocks.count; i++) {
        count += blocks.items[i].count;
        longest += blocks.items[i].outcome == RMD_OUTCOME_TIMEOUT;
        CHECK(blocks.items[i].end >= blocks.items[i].start);
    }
    CHECK(blocks.count <= 2000);
    CHECK_EQ(count, tasks + 1);
    CHECK_EQ(longest, 1);
    rmdi_report_blocks_free(&blocks);
}

TEST(blocks_are_merged_down_to_the_limit_and_none_is_lost)
{
    check_blocks(4, 1000);
    check_blocks(4, 100003);
    check_blocks(rmdi_report_blocks_lanes_max(2000), 100003);
}

TEST(blocks_at_the_ends_of_time_are_merged_too)
{
    rmdi_report_blocks blocks;
    REQUIRE(rmdi_report_blocks_init(&blocks, 100) == 0);
    for (int i = 0; i < 1000; i++) {
        int64_t at = (i % 2 ? 1 : -1) * (INT64_C(1) << 60) / (i + 1);
        rmdi_report_blocks_add(
            &blocks, &(rmdi_report_block){ .start = at, .end = INT64_C(1) << 60, .count = 1 });
    }
    uint64_t count = 0;
    for (size_t i = 0; i < blocks.count; i++)
        count += blocks.items[i].count;
    CHECK(blocks.count <= 100);
    CHECK_EQ(count, 1000);
    rmdi_report_blocks_free(&blocks);
}

TEST(another_extension_is_refused_and_told)
{
    REQUIRE(chdir(getenv("TMPDIR")) == 0);
    const char *bad[] = { "report", "report.pdf", "a.html/report", ".d/html", "" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(rmdi_report_check_path(bad[i]), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), ".html (a page) or .svg (a picture)");
    }
    CHECK_EQ(rmdi_report_check_path("a.html"), 0);
    CHECK_EQ(rmdi_report_check_path("a.SVG"), 0);
}

TEST(a_path_that_cannot_be_written_is_told_early)
{
    REQUIRE(chdir(getenv("TMPDIR")) == 0);
    CHECK_EQ(rmdi_report_check_path("no/a.html"), RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "no/a.html");
    REQUIRE(mkdir("d.html", 0700) == 0 && mkdir("closed", 0500) == 0);
    CHECK_EQ(rmdi_report_check_path("d.html"), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "a folder");
    REQUIRE(mkfifo("f.svg", 0600) == 0);
    CHECK_EQ(rmdi_report_check_path("f.svg"), RMD_EINVAL);
    bool root = geteuid() == 0;
    if (root) /* access(2) asks for the real user */
        REQUIRE(setresuid(65534, 65534, 0) == 0);
    CHECK_EQ(rmdi_report_check_path("closed/a.html"), RMD_EACCES);
    CHECK_CONTAINS(rmd_error_detail(), "closed/a.html");
    if (root) { /* as before, or the leak sanitizer may not look at us */
        REQUIRE(setresuid(0, 0, 0) == 0);
        REQUIRE(prctl(PR_SET_DUMPABLE, 1) == 0);
    }
}

TEST(a_full_disk_leaves_what_was_there)
{
    sqlite3 *db = new_journal();
    add_run(db, 1, "remuda run", 4, 0);
    finish(db);
    REQUIRE(mkdir("out", 0700) == 0);
    FILE *old = fopen("out/a.html", "w");
    REQUIRE(old && fputs("old", old) >= 0 && fclose(old) == 0);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = { 1000, 1000 };
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK_EQ(report_to("out/a.html"), RMD_ENOSPC);
    CHECK_CONTAINS(rmd_error_detail(), "out/a.html");
    size_t len;
    char *text = read_file("out/a.html", &len);
    CHECK_STR(text, "old");
    free(text);
    REQUIRE(unlink("out/a.html") == 0);
    CHECK_EQ(rmdir("out"), 0); /* nothing else was left in it */
}

TEST(a_report_gets_the_rights_of_any_new_file)
{
    sqlite3 *db = new_journal();
    finish(db);
    umask(027);
    struct stat status;
    CHECK_EQ(report_to("a.html"), 0);
    CHECK_EQ(stat("a.html", &status), 0);
    CHECK_EQ(status.st_mode & 0777, 0640);
}

TEST(an_empty_journal_and_an_empty_run_have_pages)
{
    sqlite3 *db = new_journal();
    finish(db);
    check_has("a.html", "There was nothing to do");
    check_has("a.svg", "There was nothing to do");
    REQUIRE(sqlite3_open("j.db", &db) == SQLITE_OK);
    sql(db, "BEGIN");
    add_run(db, 1, "remuda run true", 4, 0);
    finish(db);
    check_has("a.html", "No attempt has ended");
    check_has("a.svg", "remuda run true");
}

TEST(nothing_of_a_journal_becomes_markup)
{
    static const char evil[] = "</script><script>alert(1)//\"'&<!-- \033]]> \377";
    sqlite3 *db = new_journal();
    add_run(db, 1, evil, 2, 1);
    SQL(db, "UPDATE run SET host = %Q, dir = %Q, detail = %Q, ended_ns = 1", evil, evil, evil);
    add(db, evil, (made){ 1, 1, 1, "failed", 0, 5 * ms, false, evil });
    SQL(db, "UPDATE task SET detail = %Q", evil);
    finish(db);
    const char *paths[] = { "a.html", "a.svg" };
    for (int i = 0; i < 2; i++) {
        char *text = report_text(paths[i]);
        CHECK(!strstr(text, "</script><script>alert"));
        CHECK(!strstr(text, "<!--") && !strchr(text, 033) && !strchr(text, '\377'));
        CHECK_CONTAINS(text, "&#60;/script&#62;&#60;script&#62;alert(1)//&#34;&#39;&#38;");
        CHECK_CONTAINS(text, "␛]]&#62; �");
        CHECK_EQ(count_of(text, "</script>"), i == 0 ? 2 : 0);
        free(text);
    }
    check_has("a.html", "\\u003c/script>\\u003cscript>alert(1)//\\\"'&\\u003c!--");
}

TEST(failures_are_listed_up_to_a_limit_with_the_last_of_their_stderr)
{
    sqlite3 *db = new_journal();
    add_run(db, 1, "remuda run", 4, 250);
    char tail[8000];
    for (int i = 0; i < 30; i++)
        snprintf(tail + 8 * i, 40, "line %02d\n", i);
    for (int i = 1; i <= 250; i++)
        add(db, "false", (made){ i, 1, 1 + i % 4, "failed", i * ms, (i + 1) * ms, false, tail });
    finish(db);
    char *text = report_text("a.html");
    CHECK_CONTAINS(text, "250 of 250 tasks are not OK");
    CHECK_CONTAINS(text, "<b>250</b> exit status 3");
    CHECK_CONTAINS(text, "and 50 more");
    CHECK_EQ(count_of(text, "<details><summary>stderr"), 200);
    CHECK_CONTAINS(text, "<pre>…\nline 10\n");
    CHECK(!strstr(text, "line 09"));
    free(text);
}

TEST(a_killed_run_and_tasks_without_an_end_are_told)
{
    sqlite3 *db = new_journal();
    add_run(db, 1, "remuda run", 2, 3);
    add(db, "true", (made){ 1, 1, 1, "ok", 0, 9 * ms, false, NULL });
    add_task(db, 2, 1, NULL, "sleep 1000");
    add(db, "never", (made){ 3, 1, 2, "cancelled", 0, 4 * ms, true, NULL });
    SQL(db, "UPDATE run SET total = %d, skipped = %d", 20, 7);
    finish(db);
    check_has("a.html", "it still runs, or was killed");
    check_has("a.html", "1 of 3 tasks is not OK, 1 has not ended");
    check_has("a.html", "1 attempt was never started");
    check_has("a.html", "<b>10</b> not begun");
    check_has("a.html", "sleep 1000");
    check_has("a.svg", "10 not begun");
}

TEST(odd_times_make_no_odd_pictures)
{
    sqlite3 *db = new_journal();
    add_run(db, 1, "remuda run", 512, 6);
    int64_t weeks = 21 * INT64_C(86400000) * ms;
    add(db, "long", (made){ 1, 1, 512, "ok", 0, weeks, false, NULL });
    add(db, "short", (made){ 2, 1, 1, "ok", ms, 2 * ms, false, NULL });
    add(db, "back", (made){ 3, 1, 0, "ok", 90 * ms, 10 * ms, false, NULL });
    add(db, "before", (made){ 4, 1, 2, "failed", -3600000 * ms, -3599999 * ms, false, NULL });
    add(db, "slot", (made){ 5, 1, 70000, "lost", ms, 2 * ms, false, NULL });
    add(db, "far", (made){ 6, 1, 3, "timeout", ms, 2 * ms, false, NULL });
    SQL(db, "UPDATE attempt SET ended_ns = %lld, started_ns = %lld WHERE task = 6",
        (long long)INT64_MAX, (long long)INT64_MIN);
    finish(db);
    char *text = report_text("a.html");
    CHECK(!strstr(text, "\"length\":[-"));
    free(text);
    check_has("a.html", "3 of 6");
    check_has("a.svg", "3 of 6");
}

TEST(the_run_shown_is_the_last_with_attempts)
{
    sqlite3 *db = new_journal();
    for (int i = 1; i <= 700; i++)
        add_run(db, i, i == 699 ? "the one" : "another", 2, i == 699);
    add(db, "true", (made){ 1, 699, 1, "ok", 0, 9 * ms, false, NULL });
    finish(db);
    check_has("a.html", "<h1><code>the one</code></h1>");
    check_has("a.html", "Only the last 500 of 700 runs");
}

static void add_many(sqlite3 *db, int tasks)
{
    add_run(db, 1, "remuda run", 4, tasks);
    for (int i = 1; i <= tasks; i++)
        add(db, "./work --quietly \"an <argument>\" another-argument-that-is-longer",
            (made){ i, 1, 1 + i % 4, i % 50 ? "ok" : "failed", i * ms, (i + 3) * ms, false, "x" });
}

TEST_LIMIT(a_big_journal_makes_a_page_that_is_small, 60)
{
    sqlite3 *db = new_journal();
    add_many(db, 60000);
    finish(db);
    CHECK_EQ(report_to("a.html"), 0);
    CHECK_EQ(report_to("a.svg"), 0);
    struct stat status;
    CHECK(stat("a.html", &status) == 0 && status.st_size < 5000000);
    CHECK(stat("a.svg", &status) == 0 && status.st_size < 2500000);
}

static int write_one(void *path)
{
    return report_to(path);
}

TEST_LIMIT(every_allocation_may_fail, 60)
{
    sqlite3 *db = new_journal();
    char html[] = "a.html", svg[] = "a.svg";
    add_many(db, 60);
    finish(db);
    CHECK(kit_alloc(write_one, html, RMD_ENOMEM) > 50);
    CHECK(kit_alloc(write_one, svg, RMD_ENOMEM) > 50);
}
