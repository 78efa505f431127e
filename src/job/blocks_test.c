/* SPDX-License-Identifier: MIT */
#include "job/blocks.h"

#include "base/error.h"
#include "kit.h"
#include "kit_alloc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { STREAM_MAX = 2000 };

/* ---- the rule itself, written down as slowly and plainly as it goes ---- */

typedef struct rule {
    const char *start, *end; /* both known to be given */
    size_t block, records;
} rule;

static size_t find(const char *text, size_t len, const char *what, size_t from)
{
    size_t n = strlen(what);
    for (; from + n <= len; from++)
        if (memcmp(text + from, what, n) == 0)
            return from;
    return SIZE_MAX;
}

static size_t cut_of_rest(const rule *r, const char *border, const char *text, size_t len)
{
    size_t at = 0;
    for (size_t k = 0; k < r->records; k++) {
        at = find(text, len, border, at + 1);
        if (at == SIZE_MAX)
            return len;
    }
    return at + strlen(r->end);
}

/* Fills cuts with the ends of the blocks; returns how many. */
static size_t cuts_by_records(const rule *r, const char *text, size_t len, size_t *cuts)
{
    char border[32];
    size_t count = 0;
    snprintf(border, sizeof border, "%s%s", r->end, r->start);
    for (size_t from = 0; from < len; from = cuts[count++]) {
        size_t round_end = (from / r->block + 1) * r->block, bytes_end = from + r->records;
        cuts[count] = from + cut_of_rest(r, border, text + from, len - from);
        if (!*border)
            cuts[count] = bytes_end < round_end ? bytes_end : round_end;
        if (cuts[count] > len)
            cuts[count] = len;
    }
    return count;
}

static size_t find_last(const char *text, size_t len, const char *what)
{
    size_t n = strlen(what);
    for (size_t from = len + 1; from-- > 0;)
        if (from + n <= len && memcmp(text + from, what, n) == 0)
            return from;
    return SIZE_MAX;
}

static size_t cuts_by_size(const rule *r, const char *text, size_t len, size_t *cuts)
{
    char border[32];
    size_t count = 0, from = 0, to = 0, block = r->block;
    snprintf(border, sizeof border, "%s%s", r->end, r->start);
    for (;;) {
        size_t want = block - (to - from) % block;
        bool at_end = len - to < want;
        to = at_end ? len : to + want;
        size_t last = at_end ? SIZE_MAX : find_last(text + from, to - from, border);
        size_t cut = last == SIZE_MAX ? 0 : last + strlen(r->end);
        if (cut)
            from = cuts[count++] = from + cut;
        if (at_end)
            break;
        if (!cut)
            block = (block * 13 + 10 + 9) / 10;
    }
    if (from < len)
        cuts[count++] = len;
    return count;
}

/* ---- what the code does ---- */

static int next(rmdi_blocks *b, rmd_bytes *block, int *feed, const char **text, size_t *len,
                size_t step)
{
    int got;
    while ((got = rmdi_blocks_next(b, block)) == RMD_EAGAIN) {
        size_t n = *len < step ? *len : step;
        if (n)
            REQUIRE(write(*feed, *text, n) == (ssize_t)n);
        else
            close(*feed);
        *text += n;
        *len -= n;
    }
    return got;
}

/* Pieces of `step` bytes arrive; each block must end where the rule says. */
static void check_stream(const rule *r, const char *text, size_t len, size_t step)
{
    static size_t cuts[STREAM_MAX + 1];
    size_t count = r->records ? cuts_by_records(r, text, len, cuts)
                              : cuts_by_size(r, text, len, cuts);
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    rmdi_blocks *b;
    REQUIRE(rmdi_blocks_open(&b, &(rmdi_blocks_options){ .fd = ends[0],
                                                         .block_bytes = r->block,
                                                         .record_start = r->start,
                                                         .record_end = r->end,
                                                         .records = r->records }) == 0);
    const char *rest = text;
    size_t left = len, from = 0, i = 0;
    rmd_bytes block;
    bool fine = true;
    while (next(b, &block, &ends[1], &rest, &left, step) == 1 && fine) {
        fine = CHECK_INT(i, <, count) && CHECK_EQ(from + block.len, cuts[i]) &&
               CHECK_MEM(block.data, text + from, block.len);
        from += block.len;
        i++;
    }
    fine = CHECK_EQ(i, count) && CHECK_EQ(from, len) && fine;
    if (!fine)
        printf("start '%s' end '%s' block %zu records %zu step %zu: %.*s\n", r->start, r->end,
               r->block, r->records, step, (int)len, text);
    rmdi_blocks_free(b);
    close(ends[0]);
}

static unsigned draw(unsigned limit)
{
    return (unsigned)random() % limit;
}

TEST(cuts_are_where_the_rule_says)
{
    static const char *const separators[] = { "", "\n", ">", "ab", "aba", "\n\n", "b>" };
    srandom(7);
    for (int round = 0; round < 3000; round++) {
        char text[200];
        size_t len = draw(sizeof text);
        for (size_t i = 0; i < len; i++)
            text[i] = "ab\n>"[draw(4)];
        rule r = { .start = separators[draw(7)],
                   .end = separators[draw(7)],
                   .block = 1 + draw(30),
                   .records = draw(2) ? 1 + draw(4) : 0 };
        check_stream(&r, text, len, 1 + draw(40));
    }
}

/* ---- tables ---- */

static rmdi_blocks *open_text(const char *text, rmdi_blocks_options options)
{
    FILE *file = tmpfile();
    REQUIRE(file && fwrite(text, 1, strlen(text), file) == strlen(text) && !fflush(file));
    rewind(file);
    options.fd = dup(fileno(file));
    fclose(file);
    rmdi_blocks *b;
    REQUIRE(rmdi_blocks_open(&b, &options) == 0);
    return b;
}

/* Blocks joined by '|'. */
static const char *blocks_of(const char *text, rmdi_blocks_options options)
{
    static char out[256];
    rmdi_blocks *b = open_text(text, options);
    rmd_bytes block;
    int got;
    out[0] = 0;
    while ((got = rmdi_blocks_next(b, &block)) == 1) {
        strncat(out, block.len ? block.data : "", block.len);
        strcat(out, "|");
    }
    close(rmdi_blocks_fd(b));
    rmdi_blocks_free(b);
    return got < 0 ? rmd_error_name(got) : out;
}

#define BLOCKS(text, ...) blocks_of(text, (rmdi_blocks_options){ __VA_ARGS__ })

/* As measured with GNU parallel 20221122. */
TEST(known_streams_are_cut_like_parallels)
{
    CHECK_STR(BLOCKS("", 0), "");
    CHECK_STR(BLOCKS("a\nb", 0), "a\nb|");
    CHECK_STR(BLOCKS("\n\n1\n", .records = 1), "\n\n|1\n|");
    CHECK_STR(BLOCKS("a\nb\nc\n", .records = 2), "a\nb\n|c\n|");
    CHECK_STR(BLOCKS("abcdefgh", .record_end = "", .block_bytes = 3), "abc|def|gh|");
    CHECK_STR(BLOCKS("abcde", .record_end = "", .records = 2), "ab|cd|e|");
    CHECK_STR(BLOCKS("a\nb\n>c\n>d\n", .record_start = ">", .records = 1), "a\nb\n|>c\n|>d\n|");
    CHECK_STR(BLOCKS(">c\n>d\n", .record_start = ">", .records = 1), ">c\n|>d\n|");
    CHECK_STR(BLOCKS("1a2b", .record_end = "\\n", .records = 1), "1a2b|");
}

TEST(separators_can_be_removed)
{
    CHECK_STR(BLOCKS("a\nb\n>c\n>d\n", .records = 2, .remove_separators = true), "ab|>c>d|");
    CHECK_STR(
        BLOCKS("a\nb\n>c\n>d\n", .records = 1, .record_start = ">", .remove_separators = true),
        "a\nb\n|c\n|d\n|");
    CHECK_STR(BLOCKS("a\nb\n>c\n>d\n", .records = 2, .record_start = ">", .record_end = "\n",
                     .remove_separators = true),
              "a\nbc|d|");
    CHECK_STR(BLOCKS("abc", .record_end = "", .records = 2, .remove_separators = true), "ab|c|");
    CHECK_STR(BLOCKS(">a\n>>\n", .records = 1, .record_start = ">", .remove_separators = true),
              "a\n|\n|");
}

TEST(blocks_grow_with_long_records)
{
    rmdi_blocks *b = open_text("abcdefghijkl\nm\n", (rmdi_blocks_options){ .block_bytes = 3 });
    rmd_bytes block;
    CHECK_EQ(rmdi_blocks_size(b), 3);
    CHECK_EQ(rmdi_blocks_next(b, &block), 1);
    CHECK_INT(rmdi_blocks_size(b), >, 5);
    close(rmdi_blocks_fd(b));
    rmdi_blocks_free(b);
}

TEST(a_record_has_a_limit_that_names_it)
{
    CHECK_STR(BLOCKS("a\nbcdefghi\n", .record_max = 5, .block_bytes = 2), "RMD_E2BIG");
    CHECK_CONTAINS(rmd_error_detail(), "begins at byte 2 ");
    int zeros = open("/dev/zero", O_RDONLY);
    rmdi_blocks *b;
    rmd_bytes block;
    for (uint64_t records = 0; records < 2; records++) {
        REQUIRE(rmdi_blocks_open(&b, &(rmdi_blocks_options){ .fd = zeros,
                                                             .records = records,
                                                             .record_max = 1 << 20 }) == 0);
        CHECK_EQ(rmdi_blocks_next(b, &block), RMD_E2BIG);
        CHECK_EQ(rmdi_blocks_next(b, &block), RMD_E2BIG);
        rmdi_blocks_free(b);
    }
}

TEST(a_record_is_handed_over_as_soon_as_it_is_there)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    rmdi_blocks *b;
    rmd_bytes block;
    REQUIRE(rmdi_blocks_open(&b, &(rmdi_blocks_options){ .fd = ends[0], .records = 1 }) == 0);
    CHECK_EQ(rmdi_blocks_next(b, &block), RMD_EAGAIN);
    REQUIRE(write(ends[1], "one\ntw", 6) == 6);
    CHECK_EQ(rmdi_blocks_next(b, &block), 1);
    CHECK(rmdi_bytes_equal(block, rmdi_bytes_of("one\n")));
    CHECK_EQ(rmdi_blocks_next(b, &block), RMD_EAGAIN);
    CHECK_EQ(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    close(ends[1]);
    CHECK_EQ(rmdi_blocks_next(b, &block), 1);
    CHECK(rmdi_bytes_equal(block, rmdi_bytes_of("tw")));
    CHECK_EQ(rmdi_blocks_next(b, &block), 0);
    CHECK_EQ(rmdi_blocks_next(b, &block), 0);
    rmdi_blocks_free(b);
}

TEST(what_cannot_be_read_is_told)
{
    rmdi_blocks *b;
    rmd_bytes block;
    CHECK_EQ(rmdi_blocks_open(&b, &(rmdi_blocks_options){ .fd = -1 }), RMD_EINVAL);
    REQUIRE(rmdi_blocks_open(&b, &(rmdi_blocks_options){ .fd = 999 }) == 0);
    CHECK_INT(rmdi_blocks_next(b, &block), <, 0);
    CHECK_CONTAINS(rmd_error_detail(), "standard input");
    rmdi_blocks_free(b);
}

static int scenario(void *arg)
{
    const rmdi_blocks_options *given = arg;
    rmdi_blocks_options options = *given;
    FILE *file = tmpfile();
    for (int i = 0; i < 200; i++)
        fprintf(file, "line %d\n", i);
    rewind(file);
    options.fd = fileno(file);
    rmdi_blocks *b;
    rmd_bytes block;
    int err = rmdi_blocks_open(&b, &options);
    while (err == 0 && (err = rmdi_blocks_next(b, &block)) == 1)
        err = 0;
    rmdi_blocks_free(b);
    fclose(file);
    return err;
}

TEST(without_memory_nothing_leaks)
{
    rmdi_blocks_options size = { .block_bytes = 100 },
                        records = { .records = 3, .record_start = "line" };
    kit_alloc(scenario, &size, RMD_ENOMEM);
    kit_alloc(scenario, &records, RMD_ENOMEM);
}
