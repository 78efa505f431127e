/* SPDX-License-Identifier: MIT */
#include "job/place.h"

#include "kit.h"

static const char *apply(rmdi_place_kind kind, const char *value)
{
    static char text[256];
    rmd_bytes result = rmdi_place_apply(kind, rmdi_bytes_of(value));
    REQUIRE(result.len < sizeof text);
    memcpy(text, result.data, result.len);
    text[result.len] = 0;
    return text;
}

/* value, {.}, {/}, {//}, {/.} as measured with GNU parallel 20221122 */
static const char *const table[][5] = {
    { "a", "a", "a", ".", "a" },
    { "a.b", "a", "a.b", ".", "a" },
    { ".a", "", ".a", ".", "" },
    { ".a.b", ".a", ".a.b", ".", ".a" },
    { "a.", "a", "a.", ".", "a" },
    { "a..", "a.", "a..", ".", "a." },
    { "a.b.c", "a.b", "a.b.c", ".", "a.b" },
    { ".", "", ".", ".", "" },
    { "..", ".", "..", ".", "." },
    { "...", "..", "...", ".", ".." },
    { "/", "/", "", "/", "" },
    { "//", "//", "", "/", "" },
    { "///", "///", "", "/", "" },
    { "a/", "a/", "", ".", "" },
    { "a//", "a//", "", ".", "" },
    { "a.b/", "a.b/", "", ".", "" },
    { "/a", "/a", "a", "/", "a" },
    { "/a.b", "/a", "a.b", "/", "a" },
    { "/a/b", "/a/b", "b", "/a", "b" },
    { "//x", "//x", "x", "/", "x" },
    { "//x/y", "//x/y", "y", "//x", "y" },
    { "a/b.c", "a/b", "b.c", "a", "b" },
    { "a.b/c", "a.b/c", "c", "a.b", "c" },
    { "a.b/.c", "a.b/", ".c", "a.b", "" },
    { "a/.", "a/", ".", "a", "" },
    { "a/..", "a/.", "..", "a", "." },
    { "a/b/", "a/b/", "", "a", "" },
    { "a/b.c/", "a/b.c/", "", "a", "" },
    { "a//b", "a//b", "b", "a", "b" },
    { "a//b//", "a//b//", "", "a", "" },
    { "/.a", "/", ".a", "/", "" },
    { "/a.b/", "/a.b/", "", "/", "" },
    { "", "", "", ".", "" },
    { "a/b.\n", "a/b", "b.\n", "a", "b" },
};

TEST(values_are_cut_like_parallels)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CHECK_STR(apply(RMDI_PLACE_VALUE, table[i][0]), table[i][0]);
        CHECK_STR(apply(RMDI_PLACE_STEM, table[i][0]), table[i][1]);
        CHECK_STR(apply(RMDI_PLACE_BASE, table[i][0]), table[i][2]);
        CHECK_STR(apply(RMDI_PLACE_DIRECTORY, table[i][0]), table[i][3]);
        CHECK_STR(apply(RMDI_PLACE_BASE_STEM, table[i][0]), table[i][4]);
    }
}

/* On purpose not as GNU parallel does, which cuts the first line that has a slash. */
TEST(a_newline_is_a_letter_of_a_file_name)
{
    CHECK_STR(apply(RMDI_PLACE_BASE, "a/b\nc/d"), "d");
    CHECK_STR(apply(RMDI_PLACE_DIRECTORY, "a/b\nc/d"), "a/b\nc");
    CHECK_STR(apply(RMDI_PLACE_BASE_STEM, "x\ny/z.t"), "z");
}

static size_t match(const char *text, const char *replace, rmdi_place *place)
{
    return rmdi_place_match(rmdi_bytes_of(text), 0, replace, place);
}

TEST(all_spellings_are_found)
{
    static const struct {
        const char *text;
        rmdi_place_kind kind;
        bool all;
        int64_t position;
    } cases[] = {
        { "{}", RMDI_PLACE_VALUE, true, 0 },
        { "{.}", RMDI_PLACE_STEM, true, 0 },
        { "{/}", RMDI_PLACE_BASE, true, 0 },
        { "{//}", RMDI_PLACE_DIRECTORY, true, 0 },
        { "{/.}", RMDI_PLACE_BASE_STEM, true, 0 },
        { "{#}", RMDI_PLACE_SEQ, true, 0 },
        { "{%}", RMDI_PLACE_SLOT, true, 0 },
        { "{1}", RMDI_PLACE_VALUE, false, 1 },
        { "{12.}", RMDI_PLACE_STEM, false, 12 },
        { "{3/}", RMDI_PLACE_BASE, false, 3 },
        { "{3//}", RMDI_PLACE_DIRECTORY, false, 3 },
        { "{3/.}", RMDI_PLACE_BASE_STEM, false, 3 },
        { "{-1}", RMDI_PLACE_VALUE, false, -1 },
        { "{-2/}", RMDI_PLACE_BASE, false, -2 },
        { "{01}", RMDI_PLACE_VALUE, false, 1 },
        { "{0}", RMDI_PLACE_VALUE, true, 0 },
        { "{0.}", RMDI_PLACE_STEM, true, 0 },
        { "{-0}", RMDI_PLACE_VALUE, false, 0 },
        { "{99999999999999999999}", RMDI_PLACE_VALUE, false, 1000000000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rmdi_place place;
        CHECK_EQ(match(cases[i].text, "{}", &place), strlen(cases[i].text));
        CHECK_EQ(place.kind, cases[i].kind);
        CHECK_EQ(place.all, cases[i].all);
        if (cases[i].position == 1000000000)
            CHECK_INT(place.position, >=, cases[i].position);
        else
            CHECK_EQ(place.position, cases[i].position);
    }
}

TEST(other_braces_are_text)
{
    static const char *const texts[] = { "{",     "{ }", "{a}",  "{1,2}", "{+1}",
                                         "{1 .}", "{-}", "{1#}", "{1%}",  "{..}",
                                         "{.",    "{1",  "{1.",  "{--1}", "{///}",
                                         "{./}",  "",    "x{}",  "{=x=}", "{1-}" };
    rmdi_place place;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK_EQ(match(texts[i], "{}", &place), 0);
}

TEST(another_replacement_text_takes_the_place_of_braces)
{
    rmdi_place place;
    CHECK_EQ(match(",,", ",,", &place), 2);
    CHECK(place.all && place.kind == RMDI_PLACE_VALUE);
    CHECK_EQ(match("{}", ",,", &place), 0);
    CHECK_EQ(match("{1}", ",,", &place), 0);
    CHECK_EQ(match("{.}", ",,", &place), 3);
    CHECK_EQ(match("{1.}", ",,", &place), 4);
    CHECK_EQ(match("{2@}", "{@}", &place), 4);
    CHECK_EQ(place.position, 2);
    CHECK_EQ(match("{1}", "{@}", &place), 0);
    CHECK_EQ(match("{}", "{", &place), 1);
}

TEST(positions_count_from_both_ends)
{
    CHECK_EQ(rmdi_place_index(1, 3), 0);
    CHECK_EQ(rmdi_place_index(3, 3), 2);
    CHECK_EQ(rmdi_place_index(4, 3), 3);
    CHECK_EQ(rmdi_place_index(-1, 3), 2);
    CHECK_EQ(rmdi_place_index(-3, 3), 0);
    CHECK_EQ(rmdi_place_index(-4, 3), 3);
    CHECK_EQ(rmdi_place_index(0, 3), 3);
    CHECK_EQ(rmdi_place_index(1, 0), 0);
}
