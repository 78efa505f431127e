/* SPDX-License-Identifier: MIT */
#include "job/template.h"

#include "base/error.h"
#include "kit.h"
#include "kit_alloc.h"

#include <stdlib.h>

enum { WORDS_MAX = 16 };

static bool is_program(void *ctx, const char *name)
{
    (void)ctx;
    static const char *const programs[] = { "cat", "echo", "ls", "printf", "true", "./tool" };
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (strcmp(programs[i], name) == 0)
            return true;
    return false;
}

/* Cuts at '|'; NULL and "" are a list without words and one of an empty word. */
static size_t split(const char *text, char *copy, const char **words)
{
    size_t count = 0;
    if (text) {
        strcpy(copy, text);
        do {
            words[count++] = copy;
            copy = strchr(copy, '|');
            if (copy)
                *copy++ = 0;
        } while (copy);
    }
    words[count] = NULL;
    return count;
}

static int parse(rmdi_template **t, const char *words, rmdi_template_options options)
{
    char copy[512];
    const char *list[WORDS_MAX];
    split(words, copy, list);
    options.words = list;
    options.is_program = is_program;
    return rmdi_template_parse(t, &options);
}

static rmdi_task_input *input_of(const char *values)
{
    static char copy[512];
    static const char *list[WORDS_MAX];
    static rmd_bytes bytes[WORDS_MAX];
    static rmdi_task_input input;
    input = (rmdi_task_input){ .values = bytes, .seq = 7, .slot = 2 };
    input.count = split(values, copy, list);
    for (size_t i = 0; i < input.count; i++)
        bytes[i] = rmdi_bytes_of(list[i]);
    return &input;
}

/* The argv joined by '|'; "D:" in front when it is direct. */
static const char *expand_with(const rmdi_template *t, const char *values, rmdi_expansion *e)
{
    static char text[1024];
    int err = rmdi_template_expand(t, input_of(values), e);
    if (err < 0)
        return rmd_error_name(err);
    strcpy(text, e->direct ? "D:" : "");
    for (size_t i = 0; i < e->argc; i++)
        sprintf(text + strlen(text), "%s%s", i ? "|" : "", e->argv[i]);
    CHECK(e->argv[e->argc] == NULL);
    return text;
}

typedef struct one {
    const char *words, *values, *expected;
} one;

static void check_expanded(const one *cases, size_t count, rmdi_template_options options)
{
    for (size_t i = 0; i < count; i++) {
        rmdi_template *t;
        rmdi_expansion e = { 0 };
        int err = parse(&t, cases[i].words, options);
        const char *got = err < 0 ? rmd_error_detail() : expand_with(t, cases[i].values, &e);
        if (!CHECK_STR(got, cases[i].expected))
            printf("template %s\n", cases[i].words);
        rmdi_expansion_free(&e);
        rmdi_template_free(t);
    }
}

static void check_rendered(const one *cases, size_t count, rmdi_template_options options)
{
    for (size_t i = 0; i < count; i++) {
        rmdi_template *t;
        rmdi_buffer text = { 0 };
        REQUIRE(parse(&t, cases[i].words, options) == 0);
        CHECK_EQ(rmdi_template_render(t, input_of(cases[i].values), &text), 0);
        if (!CHECK_STR(text.data, cases[i].expected))
            printf("template %s\n", cases[i].words);
        rmdi_buffer_free(&text);
        rmdi_template_free(t);
    }
}

#define EXPANDED(cases, ...)                            \
    check_expanded(cases, sizeof cases / sizeof *cases, \
                   (rmdi_template_options){ .shell = "sh", __VA_ARGS__ })
#define RENDERED(cases, ...)                            \
    check_rendered(cases, sizeof cases / sizeof *cases, \
                   (rmdi_template_options){ .shell = "sh", __VA_ARGS__ })

TEST(plain_commands_run_without_a_shell)
{
    static const one cases[] = {
        { "cat|{}", "a b", "D:cat|a b" },
        { "cat", "a b", "D:cat|a b" },
        { "cat  -v\tx{}y  {}", "a b", "D:cat|-v|xa by|a b" },
        { "cat|x{.}{/}|{#}|{%}|{//}/{/.}", "d/f.x", "D:cat|xd/ff.x|7|2|d/f" },
        { "cat|{1}{2}|{-1}|{3}|x{3}", "a|b", "D:cat|ab|b|x" },
        { "cat|{}", "", "D:cat|" },
        { "cat|x{}y", "a|b", "D:cat|xa|by" },
        { "cat|{}|z", "a|b", "D:cat|a|b|z" },
        { "cat|{}|z", NULL, "D:cat|z" },
        { " cat {} ", "*", "D:cat|*" },
        { "./tool|{}", "-x", "D:./tool|-x" },
        { "cat|a=b", "$x", "D:cat|a=b|$x" },
    };
    EXPANDED(cases, 0);
}

TEST(shell_syntax_goes_to_the_shell_and_values_beside_it)
{
    static const one cases[] = {
        { "cat {}; ls", "$x", "sh|-c|rmd_1=$1; shift 1; cat \"${rmd_1}\"; ls|sh|$x" },
        { "cat \"<{}>\" '<{}>' {.}", "a.b",
          "sh|-c|rmd_1=$1 rmd_2=$2; shift 2; cat \"<${rmd_1}>\" '<'\"${rmd_1}\"'>' "
          "\"${rmd_2}\"|sh|a.b|a" },
        { "tool|{}", "a", "sh|-c|rmd_1=$1; shift 1; tool \"${rmd_1}\"|sh|a" },
        { "cd|{}", "a", "sh|-c|rmd_1=$1; shift 1; cd \"${rmd_1}\"|sh|a" },
        { "x=1|cat", "a", "sh|-c|rmd_1=$1; shift 1; x=1 cat \"${rmd_1}\"|sh|a" },
        { "{} x", "cat", "sh|-c|rmd_1=$1; shift 1; \"${rmd_1}\" x|sh|cat" },
        { "cat{}", "x", "sh|-c|rmd_1=$1; shift 1; cat\"${rmd_1}\"|sh|x" },
        { "cat {} > {#}.{%}", "a",
          "sh|-c|rmd_1=$1 rmd_2=$2 rmd_3=$3; shift 3; cat \"${rmd_1}\" > "
          "\"${rmd_2}\".\"${rmd_3}\"|sh|a|7|2" },
        { "(cat {}; \"{}\")", "a|b",
          "sh|-c|rmd_1=$1 rmd_2=$2; shift 2; (cat \"${rmd_1}\" \"${rmd_2}\"; "
          "\"${rmd_1} ${rmd_2}\")|sh|a|b" },
        { "cat|{3//}|{3}", "a", "D:cat|." },
        { "(cat {2}{3}.)", "a|b", "sh|-c|rmd_1=$1; shift 1; (cat \"${rmd_1}\".)|sh|b" },
        { "(cat {})", NULL, "sh|-c|(cat )" },
    };
    EXPANDED(cases, 0);
}

TEST(more_than_nine_values_get_braces)
{
    static const one cases[] = {
        { "(cat {10}{9})", "1|2|3|4|5|6|7|8|9|10",
          "sh|-c|rmd_1=$1 rmd_2=$2; shift 2; (cat \"${rmd_1}\"\"${rmd_2}\")|sh|10|9" },
        { "(cat {})", "a|b|c|d|e|f|g|h|i|j",
          "sh|-c|rmd_1=$1 rmd_2=$2 rmd_3=$3 rmd_4=$4 rmd_5=$5 rmd_6=$6 rmd_7=$7 rmd_8=$8 rmd_9=$9 "
          "rmd_10=${10}; shift 10; (cat \"${rmd_1}\" \"${rmd_2}\" \"${rmd_3}\" \"${rmd_4}\" "
          "\"${rmd_5}\" \"${rmd_6}\" \"${rmd_7}\" \"${rmd_8}\" \"${rmd_9}\" "
          "\"${rmd_10}\")|sh|a|b|c|d|e|f|g|h|i|j" },
    };
    EXPANDED(cases, 0);
}

TEST(without_a_command_values_are_scripts)
{
    static const one cases[] = {
        { NULL, "echo $x; ls", "sh|-c|echo $x; ls" },
        { "{}", "echo a", "sh|-c|echo a" },
        { NULL, "echo|a;b", "sh|-c|echo a;b" },
        { NULL, NULL, "sh|-c|" },
        { "", "cat", "sh|-c|rmd_1=$1; shift 1;  \"${rmd_1}\"|sh|cat" },
    };
    EXPANDED(cases, 0);
    static const one replaced[] = {
        { ",,", "echo a", "sh|-c|echo a" },
        { "cat|,,|{1}", "a", "sh|-c|rmd_1=$1; shift 1; cat \"${rmd_1}\" {1}|sh|a" },
        { "cat|{.}", "a.b", "D:cat|a" },
        { "cat|x", "a", "D:cat|x|a" },
    };
    EXPANDED(replaced, .replace = ",,");
}

TEST(words_are_repeated_if_wanted)
{
    static const one cases[] = {
        { "cat|x{}y|{}|{1}", "a|b", "D:cat|xay|xby|a|b|a" },
        { "cat|x{.}y{1}|{2}{#}", "a.c|b", "D:cat|xaya.c|xbya.c|b7" },
        { "cat|x{}y", NULL, "D:cat|xy" },
        { "cat \"{}\" '{}'", "a|b",
          "sh|-c|rmd_1=$1 rmd_2=$2; shift 2; cat \"${rmd_1}\" \"${rmd_2}\" ''\"${rmd_1}\"'' "
          "''\"${rmd_2}\"''|sh|a|b" },
        { "cat \"x {} y\"; \"{} z\"", "a|b",
          "sh|-c|rmd_1=$1 rmd_2=$2; shift 2; cat \"x ${rmd_1} ${rmd_2} y\"; \"${rmd_1} ${rmd_2} "
          "z\"|sh|a|b" },
        { "cat $(ls {})", "a|b",
          "sh|-c|rmd_1=$1 rmd_2=$2; shift 2; cat $(ls \"${rmd_1}\" \"${rmd_2}\")|sh|a|b" },
        { "cat $({})", "a|b",
          "sh|-c|rmd_1=$1 rmd_2=$2; shift 2; cat $(\"${rmd_1}\") $(\"${rmd_2}\")|sh|a|b" },
    };
    EXPANDED(cases, .repeat_words = true);
}

TEST(quoted_words_are_arguments)
{
    static const one cases[] = {
        { "cat|a  b|$x|x {} y|{}", "$v", "D:cat|a  b|$x|x $v y|$v" },
        { "cat||{3}| ", "a", "D:cat||| " },
        { "cat|x{}y", "a|b", "D:cat|xa|by" },
        { "cat ls|a", "v", "sh|-c|rmd_1=$1; shift 1; '''cat ls' ''a ''\"${rmd_1}\"|sh|v" },
        { "tool|$x;{}||{3}", "a b",
          "sh|-c|rmd_1=$1; shift 1; ''tool '''$x;'\"${rmd_1}\" '' ''|sh|a b" },
    };
    EXPANDED(cases, .quote = true);
    static const one repeated[] = {
        { "cat|x {} y|x{}y|x {1} {} y", "a b|c", "D:cat|x a b|c y|xa by|xcy|x a b a b|c y" },
    };
    EXPANDED(repeated, .quote = true, .repeat_words = true);
}

TEST(echo_takes_the_shell_where_the_builtin_differs)
{
    static const one cases[] = {
        { "echo|{}", "a b", "D:echo|a b" },
        { "echo|{}", "-n", "sh|-c|rmd_1=$1; shift 1; echo \"${rmd_1}\"|sh|-n" },
        { "echo|{}", "a\\n", "sh|-c|rmd_1=$1; shift 1; echo \"${rmd_1}\"|sh|a\\n" },
        { "echo|-n|{}", "a", "sh|-c|rmd_1=$1; shift 1; echo -n \"${rmd_1}\"|sh|a" },
        { "printf|{}", "a", "sh|-c|rmd_1=$1; shift 1; printf \"${rmd_1}\"|sh|a" },
    };
    EXPANDED(cases, 0);
}

TEST(without_placeholders_nothing_is_checked_when_nothing_is_appended)
{
    static const one cases[] = {
        { "cat", "a", "D:cat" },
        { "cat \"", "a", "sh|-c|cat \"" },
        { "cat|{}", "", "D:cat|" },
    };
    EXPANDED(cases, .never_append = true);
}

TEST(refused_places_name_placeholder_place_and_cure)
{
    static const one cases[] = {
        { "cat|`ls {.}`", "a",
          "{.} at character 9 of the command stands in `...`; write $(...) instead" },
        { "cat \\{}", "a",
          "{} at character 6 of the command stands directly after a backslash; remove the "
          "backslash" },
        { "cat|${1}", "a",
          "{1} at character 6 of the command stands directly after a $; choose another "
          "placeholder with -I" },
        { "cat # \xc3\xa4 {}", "a",
          "{} at character 9 of the command stands in a comment; remove it there" },
        { "cat # x", "a",
          "the command has no placeholder, and {} at its end would stand in a comment; write it "
          "where it belongs" },
        { "cat \"", "a", "the \" at character 5 of the command is not closed" },
    };
    EXPANDED(cases, 0);
    rmdi_template *t;
    CHECK_EQ(parse(&t, "cat|$(( {} ))", (rmdi_template_options){ 0 }), RMD_ESYNTAX);
    CHECK(t == NULL);
    CHECK_EQ(parse(&t, "cat", (rmdi_template_options){ .replace = "" }), RMD_EINVAL);
}

TEST(rendered_text_is_parallels)
{
    static const one cases[] = {
        { "echo|{}", "a b", "echo 'a b'" },
        { "echo  {} \t x", "a", "echo  a \t x" },
        { "echo|x{}y|{.}", "a b.c", "echo x'a b.c'y 'a b'" },
        { "echo {1} {2}.", "a", "echo a ." },
        { "echo|{}|{2}", "a|", "echo a '' ''" },
        { "echo", NULL, "echo " },
        { "echo|{}} {{} {{}} {{1}}", "a b", "echo 'a b'} {'a b' {'a b'} {'a b'}" },
        { "echo|{01} {+1} {-0} {00} {0.}|{1.}{1/}{1//}{1/.}|{1.}{-1.}{-1/}{-1//}{-1/.}", "a/b.c|c",
          "echo a/b.c {+1}  a/b.c c a/b c a/bb.cab a/bcc.c" },
        { "", "a b", " 'a b'" },
        { "|echo|", "a b", " echo  'a b'" },
        { "echo;", "a", "echo; a" },
        { "X={}|x {}", "a b", "X='a b' x 'a b'" },
        { "echo|{#}{%}", "a", "echo 72" },
        { "echo {}>{}", "a", "echo a>a" },
        { NULL, "a b;c", "a b;c" },
    };
    RENDERED(cases, 0);
    static const one repeated[] = {
        { "echo|x{}y|{}", "a|b", "echo xay xby a b" },
        { "echo|\"{}\"", "a|c d", "echo \"a\" \"c d\"" },
        { "a{}b{.}c|x", "a.x|b", "aa.xbac abbbc x" },
        { "echo x{}y{1} {2}{#} {#}", "a|b", "echo xaya xbya b7 7" },
    };
    RENDERED(repeated, .repeat_words = true);
    static const one quoted[] = {
        { "echo|{}|a b|x{}y|$HOME|it's", "a b", "echo 'a b' 'a b' 'xa by' '$HOME' 'it'\"'\"'s'" },
        { "echo|| |-", "a b", "echo '' ' ' - 'a b'" },
        { "echo a|{1}{2}|{3}|{2}", "a b|", "'echo a' 'a b' '' ''" },
        { "{}|x", "a b", "'a b' x" },
    };
    RENDERED(quoted, .quote = true);
}

TEST(rendered_text_repeats_the_command)
{
    static const one cases[] = {
        { "echo \"<{}>\" '<{}>'", "a b", "echo \"<a b>\" '<a b>'" },
        { "echo \"<{}>\" '<{}>'", "$x'", "echo \"<\"'$x'\"'\"\">\" '<$x'\"'\"'>'" },
        { "echo $x{} \"$x{}\"", "y", "echo $x'y' \"$x\"'y'\"\"" },
        { "echo ~{}", "root", "echo ~'root'" },
        { "echo {}>x", "2", "echo '2'>x" },
        { "{} x", "if", "'if' x" },
        { "{}=x y", "a", "'a'=x y" },
        { "echo {}=x", "a", "echo a=x" },
    };
    RENDERED(cases, 0);
}

TEST(tags_are_rendered_without_quotes)
{
    rmdi_template *t;
    rmdi_buffer text = { 0 };
    REQUIRE(parse(&t, "<{}> ' {/} {3}`{#}",
                  (rmdi_template_options){ .never_append = true, .quote = true }) == 0);
    CHECK_EQ(rmdi_template_render_plain(t, input_of("a b|c/d"), &text), 0);
    CHECK_STR(text.data, "<a b c/d> ' a b d `7");
    rmdi_buffer_free(&text);
    rmdi_template_free(t);
}

TEST(an_expansion_serves_many_tasks_with_different_counts)
{
    rmdi_template *t;
    rmdi_expansion e = { 0 };
    REQUIRE(parse(&t, "(cat {})", (rmdi_template_options){ .shell = "sh" }) == 0);
    CHECK(!rmdi_template_is_direct(t));
    for (int i = 0; i < 3; i++) {
        CHECK_STR(expand_with(t, "a|b", &e), "sh|-c|rmd_1=$1 rmd_2=$2; shift 2; (cat \"${rmd_1}\" "
                                             "\"${rmd_2}\")|sh|a|b");
        CHECK_STR(expand_with(t, "c", &e), "sh|-c|rmd_1=$1; shift 1; (cat \"${rmd_1}\")|sh|c");
        CHECK_STR(expand_with(t, "d", &e), "sh|-c|rmd_1=$1; shift 1; (cat \"${rmd_1}\")|sh|d");
    }
    rmdi_expansion_free(&e);
    rmdi_template_free(t);
}

TEST(a_value_with_a_nul_byte_is_named)
{
    static const char *const templates[] = { "cat", "(cat {})", "{}" };
    rmd_bytes values[] = { rmdi_bytes_of("x"), { .data = "ab\0c", .len = 4 } };
    rmdi_task_input input = { .values = values, .count = 2 };
    for (size_t i = 0; i < 3; i++) {
        rmdi_template *t;
        rmdi_expansion e = { 0 };
        REQUIRE(parse(&t, templates[i], (rmdi_template_options){ 0 }) == 0);
        CHECK_EQ(rmdi_template_expand(t, &input, &e), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), "value 2");
        CHECK_CONTAINS(rmd_error_detail(), "'ab...'");
        CHECK(e.argv == NULL);
        CHECK_EQ(rmdi_template_expand(t, input_of("b"), &e), 0);
        rmdi_expansion_free(&e);
        rmdi_template_free(t);
    }
}

TEST(form_and_text_can_be_asked_for)
{
    rmdi_template *t;
    REQUIRE(parse(&t, "cat", (rmdi_template_options){ 0 }) == 0);
    CHECK(rmdi_template_is_direct(t));
    CHECK(!rmdi_template_is_script(t));
    CHECK(rmdi_bytes_equal(rmdi_template_text(t), rmdi_bytes_of("cat {}")));
    rmdi_template_free(t);
    REQUIRE(parse(&t, "{}", (rmdi_template_options){ 0 }) == 0);
    CHECK(!rmdi_template_is_direct(t));
    CHECK(rmdi_template_is_script(t));
    rmdi_template_free(t);
    rmdi_template_free(NULL);
}

static int use(const rmdi_template *t, rmdi_expansion *e)
{
    rmdi_buffer text = { 0 };
    int err = rmdi_template_expand(t, input_of("a|-b"), e);
    if (err == 0)
        err = rmdi_template_expand(t, input_of("a"), e);
    if (err == 0)
        err = rmdi_template_render(t, input_of("a'|b"), &text);
    if (err == 0)
        err = rmdi_template_render_plain(t, input_of("a|b"), &text);
    rmdi_buffer_free(&text);
    return err;
}

/* After a failure the expansion must still be usable. */
static int scenario(void *arg)
{
    const one *c = arg;
    rmdi_template *t;
    rmdi_expansion e = { 0 };
    bool quote = c->values != NULL;
    int err = parse(&t, c->words, (rmdi_template_options){ .repeat_words = true, .quote = quote });
    if (err == 0) {
        err = use(t, &e);
        if (err < 0)
            CHECK_EQ(use(t, &e), 0);
    }
    rmdi_expansion_free(&e);
    rmdi_template_free(t);
    return err;
}

TEST(without_memory_nothing_leaks_and_nothing_breaks)
{
    static one cases[] = {
        { "cat|x{}y|{}|{1}|{2}|{3}", NULL, NULL },
        { "echo|x{}y", NULL, NULL },
        { "(cat \"{}\" '{.}' x{}y $(a {#}))", NULL, NULL },
        { "cat|x {}|$x", "quote", NULL },
        { "tool|x {}|$x", "quote", NULL },
        { NULL, NULL, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        kit_alloc(scenario, &cases[i], RMD_ENOMEM);
}
