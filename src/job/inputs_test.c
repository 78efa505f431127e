/* SPDX-License-Identifier: MIT */
#include "job/inputs.h"

#include "base/error.h"
#include "kit.h"
#include "kit_alloc.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { SOURCES_MAX = 8, WORDS_MAX = 16, OUT_MAX = 1024 };

/* Sources as on a command line, words separated by '|': ":::|a|b|:::+|c|::::|file". */
typedef struct sources {
    char copy[512];
    const char *words[SOURCES_MAX][WORDS_MAX];
    rmdi_inputs_source sources[SOURCES_MAX];
    size_t count;
} sources;

static void read_sources(sources *s, const char *text)
{
    size_t word = 0;
    bool file = false, linked = false;
    s->count = 0;
    strcpy(s->copy, text);
    for (char *p = s->copy; p && *text;) {
        char *end = strchr(p, '|');
        if (end)
            *end++ = 0;
        if (strncmp(p, ":::", 3) == 0) {
            file = p[3] == ':';
            linked = p[strlen(p) - 1] == '+';
            word = 0;
            if (!file)
                s->sources[s->count] = (rmdi_inputs_source){ .words = s->words[s->count],
                                                             .linked = linked };
            if (!file)
                s->words[s->count++][0] = NULL;
        } else if (file) {
            s->sources[s->count++] = (rmdi_inputs_source){ .file = p, .linked = linked };
        } else {
            s->words[s->count - 1][word++] = p;
            s->words[s->count - 1][word] = NULL;
        }
        p = end;
    }
}

/* All tasks, values joined by ',' and tasks ended by ';'. */
static const char *drain(rmdi_inputs *in)
{
    static char out[OUT_MAX];
    rmdi_values v;
    int got;
    out[0] = 0;
    while ((got = rmdi_inputs_next(in, &v)) == 1) {
        for (size_t i = 0; i < v.count; i++) {
            strcat(out, i ? "," : "");
            strncat(out, v.values[i].len ? v.values[i].data : "", v.values[i].len);
        }
        strcat(out, ";");
        REQUIRE(strlen(out) < OUT_MAX / 2);
    }
    return got < 0 ? rmd_error_name(got) : out;
}

static size_t tasks_in(const char *out)
{
    size_t n = 0;
    for (; (out = strchr(out, ';')); out++)
        n++;
    return n;
}

typedef struct one {
    const char *sources, *expected;
} one;

static void check_all(const one *cases, size_t count, rmdi_inputs_options options)
{
    for (size_t i = 0; i < count; i++) {
        sources s;
        read_sources(&s, cases[i].sources);
        options.sources = s.sources;
        options.sources_count = s.count;
        rmdi_inputs *in;
        REQUIRE(rmdi_inputs_open(&in, &options) == 0);
        uint64_t total = rmdi_inputs_total(in);
        const char *out = drain(in);
        if (!CHECK_STR(out, cases[i].expected))
            printf("sources %s\n", cases[i].sources);
        if (!strchr(cases[i].sources, '/'))
            CHECK_EQ(total, tasks_in(out));
        CHECK_EQ(rmdi_inputs_total(in), tasks_in(out));
        rmdi_inputs_free(in);
    }
}

#define CHECK_ALL(cases, ...) \
    check_all(cases, sizeof cases / sizeof *cases, (rmdi_inputs_options){ __VA_ARGS__ })

/* What follows in tables is what GNU parallel 20221122 does. */
TEST(sources_make_all_combinations)
{
    static const one cases[] = {
        { ":::|a|b", "a;b;" },
        { ":::|a|b|:::|1|2|3", "a,1;a,2;a,3;b,1;b,2;b,3;" },
        { ":::|a|b|:::|1|2|:::|x|y", "a,1,x;a,1,y;a,2,x;a,2,y;b,1,x;b,1,y;b,2,x;b,2,y;" },
        { ":::", "" },
        { ":::|:::|:::", "" },
        { ":::||", ";;" },
        { ":::|:::|a|b", ",a;,b;" },
        { ":::|a|b|:::", "a,;b,;" },
        { ":::|a\nb", "a;b;" },
        { "::::|/dev/null|:::|a|b", ",a;,b;" },
        { "::::|/dev/null|/dev/null", "" },
        { ":::|a|b|::::|/dev/null", "a,;b,;" },
    };
    CHECK_ALL(cases, 0);
}

TEST(linked_sources_go_in_step_to_the_shorter_end)
{
    static const one cases[] = {
        { ":::|a|b|:::+|x|y|z", "a,x;b,y;" },
        { ":::|a|b|c|:::+|x|y", "a,x;b,y;" },
        { ":::|a|b|:::+", "a,;" },
        { ":::|:::+|a|b", ",a;" },
        { ":::+|a|b", "a;b;" },
        { ":::|A|B|:::+|1|2|:::|C|D|:::+|3|4", "A,1,C,3;A,1,D,4;B,2,C,3;B,2,D,4;" },
        { ":::|a|:::|x|y|:::+|1|2|3|:::|p|q", "a,x,1,p;a,x,1,q;a,y,2,p;a,y,2,q;" },
        { "::::|/dev/null|:::|a|b|:::+", ",a,;" },
        { ":::|a|b|c|:::+|1|2|3|:::+|x|y|z", "a,1,x;b,2,y;c,3,z;" },
    };
    CHECK_ALL(cases, 0);
}

TEST(all_sources_can_be_linked_and_start_again)
{
    static const one cases[] = {
        { ":::|a|b|c|:::|1|2", "a,1;b,2;c,1;" },
        { ":::|a|b|c|:::+|1|2|:::|9", "a,1,9;b,2,9;c,1,9;" },
        { ":::|a|b", "a;b;" },
        { ":::|a|:::", "a,;" },
        { ":::|:::", "" },
    };
    CHECK_ALL(cases, .link_all = true);
}

TEST(records_are_grouped)
{
    static const one two[] = {
        { ":::|a|b|c", "a,b;c;" },
        { ":::|a|b|:::|1|2|3", "a,1,a,2;a,3,b,1;b,2,b,3;" },
        { ":::", "" },
    };
    CHECK_ALL(two, .group = 2);
    static const one none[] = { { ":::|a|b", ";;" }, { ":::|a|:::|1|2", ";;" } };
    CHECK_ALL(none, .no_values = true);
    static const one lines[] = { { ":::|a |b|c|d", "a b,c;d;" } };
    CHECK_ALL(lines, .group = 2, .continued = true);
}

TEST(columns_are_concatenated_and_trimmed)
{
    static const one cases[] = {
        { ":::|a : b|c:", "a,b;c,;" },
        { ":::|a:b|:::|x:y|z", "a,b,x,y;a,b,z;" },
        { ":::||a", ";a;" },
        { ":::|a:\tb\r", "a,b;" },
    };
    CHECK_ALL(cases, .column_separator = ":");
    static const one untrimmed[] = { { ":::| a : b", " a , b;" } };
    CHECK_ALL(untrimmed, .column_separator = ":", .trim = RMDI_TRIM_NONE);
    static const one grouped[] = { { ":::|a|b|c:d|e", "a,b;c,d,e;" } };
    CHECK_ALL(grouped, .column_separator = "[:]", .group = 2);
}

TEST(values_can_be_trimmed)
{
    static const one left[] = { { ":::| a ", "a ;" } }, right[] = { { ":::| a ", " a;" } },
                     both[] = { { ":::| a \t| ", "a;;" } };
    CHECK_ALL(left, .trim = RMDI_TRIM_LEFT);
    CHECK_ALL(right, .trim = RMDI_TRIM_RIGHT);
    CHECK_ALL(both, .trim = RMDI_TRIM_BOTH);
}

TEST(delimiters_and_empty_records_are_options)
{
    static const one comma[] = { { ":::|a:b|c", "a;b;c;" } };
    CHECK_ALL(comma, .delimiter = ":");
    CHECK_ALL(comma, .delimiter = "\\072", .nul = true);
    static const one nul[] = { { ":::|a\nb|c", "a\nb;c;" } };
    CHECK_ALL(nul, .nul = true);
    static const one skip[] = { { ":::||a| |:::|x|", "a,x;" }, { ":::| ", "" } };
    CHECK_ALL(skip, .skip_empty = true);
}

static void write_all(int fd, const char *text)
{
    REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

TEST(a_pipe_is_read_as_it_comes_and_never_waited_for)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    static const char *const words[] = { "1", "2", NULL };
    rmdi_inputs_source given[] = { { .file = "-" }, { .words = words } };
    rmdi_inputs *in;
    rmdi_values v;
    REQUIRE(rmdi_inputs_open(&in, &(rmdi_inputs_options){ .sources = given,
                                                          .sources_count = 2,
                                                          .group = 3,
                                                          .stdin_fd = ends[0] }) == 0);
    CHECK_EQ(rmdi_inputs_next(in, &v), RMD_EAGAIN);
    CHECK_EQ(rmdi_inputs_fd(in), ends[0]);
    write_all(ends[1], "a\nb");
    CHECK_EQ(rmdi_inputs_next(in, &v), RMD_EAGAIN); /* a1 a2 and then? */
    CHECK(rmdi_inputs_total(in) == UINT64_MAX);
    write_all(ends[1], "c\n");
    CHECK_EQ(rmdi_inputs_next(in, &v), 1);
    CHECK_EQ(v.count, 6);
    CHECK(rmdi_bytes_equal(v.values[4], rmdi_bytes_of("bc")));
    CHECK_EQ(rmdi_inputs_next(in, &v), RMD_EAGAIN);
    close(ends[1]);
    CHECK_STR(drain(in), "bc,2;");
    CHECK_EQ(rmdi_inputs_fd(in), -1);
    CHECK_EQ(rmdi_inputs_total(in), 2);
    rmdi_inputs_free(in);
}

TEST(sources_that_are_repeated_are_read_first)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    static const char *const words[] = { "a", "b", NULL };
    rmdi_inputs_source given[] = { { .words = words }, { .file = "-" } };
    rmdi_inputs *in;
    rmdi_values v;
    REQUIRE(rmdi_inputs_open(&in, &(rmdi_inputs_options){ .sources = given,
                                                          .sources_count = 2,
                                                          .stdin_fd = ends[0] }) == 0);
    write_all(ends[1], "1\n2\n");
    CHECK_EQ(rmdi_inputs_next(in, &v), RMD_EAGAIN);
    CHECK(rmdi_inputs_total(in) == UINT64_MAX);
    close(ends[1]);
    CHECK_EQ(rmdi_inputs_next(in, &v), 1);
    CHECK_EQ(rmdi_inputs_total(in), 4);
    CHECK_STR(drain(in), "a,2;b,1;b,2;");
    rmdi_inputs_free(in);
}

TEST(without_sources_standard_input_is_read)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    write_all(ends[1], "x\ny\n");
    close(ends[1]);
    rmdi_inputs *in;
    REQUIRE(rmdi_inputs_open(&in, &(rmdi_inputs_options){ .stdin_fd = ends[0] }) == 0);
    CHECK_STR(drain(in), "x;y;");
    rmdi_inputs_free(in);
}

TEST(failures_name_what_is_wrong)
{
    rmdi_inputs *in;
    rmdi_inputs_source given[] = { { .file = "-" }, { .file = "no/such" }, { .file = "-" } };
    CHECK_EQ(rmdi_inputs_open(&in, &(rmdi_inputs_options){ .sources = given, .sources_count = 2 }),
             RMD_ENOENT);
    CHECK(in == NULL);
    CHECK_CONTAINS(rmd_error_detail(), "no/such");
    CHECK_EQ(rmdi_inputs_open(&in, &(rmdi_inputs_options){ .sources = given, .sources_count = 3 }),
             RMD_EINVAL);
    CHECK_EQ(rmdi_inputs_open(&in, &(rmdi_inputs_options){ .column_separator = "(" }), RMD_ESYNTAX);
}

TEST(an_error_ends_the_inputs)
{
    static const char *const words[] = { "a", "longer", "b", NULL };
    rmdi_inputs_source given = { .words = words };
    rmdi_inputs *in;
    rmdi_values v;
    REQUIRE(rmdi_inputs_open(&in, &(rmdi_inputs_options){ .sources = &given,
                                                          .sources_count = 1,
                                                          .value_max = 5 }) == 0);
    CHECK_EQ(rmdi_inputs_next(in, &v), 1);
    CHECK_EQ(rmdi_inputs_next(in, &v), RMD_E2BIG);
    CHECK_EQ(rmdi_inputs_next(in, &v), RMD_E2BIG);
    rmdi_inputs_free(in);
}

static void feed(int fd, size_t lines)
{
    char block[8000];
    for (size_t i = 0; i < sizeof block; i += 8)
        memcpy(block + i, "1234567\n", 8);
    for (size_t n = 0; n < lines; n += 1000)
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block)
            _exit(1);
    _exit(0);
}

static size_t memory_kib(void)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    REQUIRE(f && fscanf(f, "%*s %zu", &pages) == 1);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

TEST(memory_is_bounded_however_long_the_stream_is)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    if (fork() == 0)
        feed(ends[1], 4000000);
    close(ends[1]);
    rmdi_inputs *in;
    rmdi_values v;
    REQUIRE(rmdi_inputs_open(&in, &(rmdi_inputs_options){ .stdin_fd = ends[0] }) == 0);
    size_t before = memory_kib(), count = 0;
    int got;
    while ((got = rmdi_inputs_next(in, &v)) != 0) {
        count += got == 1;
        if (got == RMD_EAGAIN)
            poll(&(struct pollfd){ .fd = rmdi_inputs_fd(in), .events = POLLIN }, 1, -1);
    }
    CHECK_EQ(count, 4000000);
    CHECK_EQ(rmdi_inputs_total(in), 4000000);
    CHECK_INT(memory_kib(), <, before + 4096 * (size_t)kit_patience());
    rmdi_inputs_free(in);
}

static int scenario(void *arg)
{
    rmdi_inputs_options options = { .column_separator = arg, .group = 2, .delimiter = "\n" };
    sources s;
    read_sources(&s, ":::|a:b|c|:::+|1|2|:::|x|y|::::|/dev/null");
    options.sources = s.sources;
    options.sources_count = s.count;
    rmdi_inputs *in;
    rmdi_values v;
    int err = rmdi_inputs_open(&in, &options);
    while (err == 0 && (err = rmdi_inputs_next(in, &v)) == 1)
        err = 0;
    rmdi_inputs_free(in);
    return err;
}

TEST(without_memory_nothing_leaks)
{
    char separator[] = ":";
    kit_alloc(scenario, NULL, RMD_ENOMEM);
    kit_alloc(scenario, separator, RMD_ENOMEM);
}
