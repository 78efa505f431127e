/* SPDX-License-Identifier: MIT */
#include "job/shell.h"

#include "base/error.h"
#include "kit.h"
#include "kit_alloc.h"

enum { MARKS_MAX = 16 };

static size_t find_marks(const char *text, rmdi_shell_mark *marks)
{
    size_t count = 0;
    for (const char *p = text; (p = strstr(p, "{}")); p += 2)
        marks[count++] = (rmdi_shell_mark){ .offset = (size_t)(p - text), .len = 2 };
    REQUIRE(count <= MARKS_MAX);
    return count;
}

/* B bare, D double, S single; refused: h ` a c p $ \ ' C n ? as in the list of reasons. */
static const char *contexts(const char *text)
{
    static char letters[MARKS_MAX + 1];
    rmdi_shell_mark marks[MARKS_MAX];
    size_t count = find_marks(text, marks);
    int err = rmdi_shell_scan(rmdi_bytes_of(text), marks, count);
    if (err < 0)
        return rmd_error_name(err);
    for (size_t i = 0; i < count; i++)
        letters[i] = marks[i].context == RMDI_SHELL_REFUSED ? "?h`acp$\\'Cn?"[marks[i].reason]
                                                            : "BDS"[marks[i].context];
    letters[count] = 0;
    return letters;
}

static void check_all(const char *const cases[][2], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!CHECK_STR(contexts(cases[i][0]), cases[i][1]))
            printf("text: %s\n", cases[i][0]);
}

#define CHECK_ALL(cases) check_all(cases, sizeof cases / sizeof *cases)

TEST(quotes_are_followed)
{
    static const char *const cases[][2] = {
        { "echo {}", "B" },
        { "{}", "B" },
        { "echo {} \"{}\" '{}' {}", "BDSB" },
        { "echo a{}b\"c{}d\"'e{}f'g{}", "BDSB" },
        { "echo \"it's {}\" {}", "DB" },
        { "echo 'say \"{}\"' {}", "SB" },
        { "echo \"a\\\"{}\" {}", "DB" },
        { "echo 'a\\' {}", "B" },
        { "echo \\\" {} \\' {}", "BB" },
        { "echo \\\\{}", "B" },
        { "echo \"\\\\{}\"", "D" },
        { "echo {}{}\"{}{}\"", "BBDD" },
        { "echo $\"a {}\"", "D" },
        { "echo \"a$\" {}", "B" },
        { "echo \"$'{}'\"", "D" },
    };
    CHECK_ALL(cases);
}

TEST(substitutions_nest)
{
    static const char *const cases[][2] = {
        { "echo \"$(cmd {} \"{}\" '{}') {}\" {}", "BDSDB" },
        { "echo $(a $(b {} \"$(c {} \"{}\")\") {}) {}", "BBDBB" },
        { "cat <(sort {}) >(wc {}) {}", "BBB" },
        { "(cd {}; ls) | (wc '{}')", "BS" },
        { "f() { cat {}; }; f \"{}\"", "BD" },
        { "a=({} \"{}\"); echo {}", "BDB" },
        { "echo $x{} \"$x{}\" $${} $#{} \"$?{}\" $1{}", "BDBBDB" },
        { "case {} in a) echo {};; \"{}\") echo \"$(cat {})\";; esac", "BBDB" },
        { "echo \"$(echo case\\ {})\"", "C" },
        { "[ {} = x ] && [[ {} == y ]]", "BB" },
        { "ls x[{}]*", "B" },
    };
    CHECK_ALL(cases);
}

TEST(here_strings_and_redirections_are_fine)
{
    static const char *const cases[][2] = {
        { "cat <<<{} <<< \"{}\" > {}", "BDB" },
        { "cat < {} 2>{} >>{} >&{} &> {}", "BBBBB" },
    };
    CHECK_ALL(cases);
}

TEST(here_documents_refuse)
{
    static const char *const cases[][2] = {
        { "cat <<EOF {}\n{}\nEOF\necho {}", "BhB" },
        { "cat <<-'EOF' | wc {}\n\t{}\n\tEOF\necho {}", "BhB" },
        { "cat <<-EOF\n{}\n\t\tEOF\necho {}", "hB" },
        { "cat <<EOF\n{}\n\tEOF\necho {}", "hh" },
        { "cat <<\"A B\" <<\\C\n{}\nA B\n{}\nC\n{}", "hhB" },
        { "cat << EOF; echo {}\n'\n{}\nEOF\necho '{}'", "BhS" },
        { "cat <<EOF\n{}", "h" },
        { "cat <<{}\nx\n{}\n", "hh" },
        { "cat <<EOF\nx \\\nEOF\n{}\nEOF\n{}", "hh" },
        { "cat <<'EOF'\nx \\\nEOF\n{}", "B" },
        { "cat <<E\\\nOF\n{}\nEOF\n", "h" },
        { "cat <<E\"O\"F\n{}\n", "h" },
        { "cat <<$x\n{}\n", "h" },
        { "echo $(cat <<EOF) {}\nEOF\n{}", "hh" },
        { "echo $(cat <<EOF\nx ) '\nEOF\n) {}", "B" },
        { "cat <<EOF \"\n{}\" {}\nEOF\n", "hh" },
        { "cat <<EOF $(echo\n{}) {}\nEOF\n", "hh" },
    };
    CHECK_ALL(cases);
}

TEST(what_runs_values_or_cannot_be_told_refuses)
{
    static const char *const cases[][2] = {
        { "echo `cat {}` {}", "`B" },
        { "echo \"`cat {}` {}\"", "`D" },
        { "echo `a \\` {}` {}", "`B" },
        { "echo `echo '` {} `'`", "B" },
        { "echo $(( {} + 1 )) {}", "aB" },
        { "echo \"$(( {} * (2) )) {}\"", "aD" },
        { "((x = {})); echo {}", "aB" },
        { "for ((i = 0; i < {}; i++)); do echo {}; done", "aB" },
        { "echo $((echo '{}')) {}", "aa" },
        { "echo $(( 1 << 2 )) {}", "B" },
        { "echo $((cat <<EOF) )\n{}\nEOF\n{}", "hh" },
        { "echo $[ {} ] {}", "aa" },
        { "a[{}]=1", "a" },
        { "a[{}]+=1 {}", "aB" },
        { "a[1 + {}]=x; echo {}", "aB" },
        { "a[b[{}]]=x", "a" },
        { "a[$(x; y) + {}]=x", "a" },
        { "a=([{}]=x) {}", "aB" },
        { "echo a # it's {}\necho {}", "cB" },
        { "# {}", "c" },
        { "echo a#{} {}#b", "BB" },
        { "echo ${x:-{}} {}", "pB" },
        { "echo \"${x:-{}} {}\"", "pD" },
        { "echo ${x:-\"}\"{}} '{}'", "pS" },
        { "echo ${x:-'}'{}} '{}'", "pS" },
        { "echo \"${x:-'}'}\" {}", "p" },
        { "echo \"${x#\"{}\"}\" {}", "pp" },
        { "echo ${#x} ${x#a} ${x%\\}} {}", "B" },
        { "echo \"$(echo ${x:-'}'} {})\"", "B" },
        { "echo ${ echo {}; } {}", "pp" },
        { "echo ${} {}", "$B" },
        { "echo \"${}\" {}", "$B" },
        { "echo \\{} {}", "\\B" },
        { "echo \"\\{}\" {}", "\\B" },
        { "echo $'a\\n{}' {}", "'B" },
        { "echo $'a\\'' {} '", "'" },
        { "echo $'\\\\' {}", "B" },
        { "x=$(case y in y) echo {};; esac) {}", "CC" },
        { "(case y in y) echo {};; esac)", "C" },
        { "x=$(echo\ncase y in y) echo {};; esac) {}", "CC" },
        { "echo $(echo cases {}) {}", "BB" },
        { "echo $\\\n(echo '{}') {}", "nn" },
        { "echo <\\\n<EOF {}\n", "n" },
        { "echo a \\\n  {} \\\n {}", "BB" },
        { "echo a\\\n {}", "B" },
        { "echo a &&\\\necho {}", "B" },
        { "echo $(cas\\\ne x in x) echo {};; esac)", "n" },
        { "echo @(#'{}' ) {}", "cc" },
        { "echo (a)#'{}' {}", "cc" },
    };
    CHECK_ALL(cases);
}

TEST(what_is_not_closed_is_named)
{
    static const char *const cases[][2] = {
        { "echo \"{}", "the \" at character 6 of the command is not closed" },
        { "echo '{}", "the ' at character 6 of the command is not closed" },
        { "\xc3\xa4 {} $(a", "the $( at character 6 of the command is not closed" },
        { "{} \"$(a)", "the \" at character 4 of the command is not closed" },
        { "{} `a", "the ` at character 4 of the command is not closed" },
        { "{} ${a", "the ${ at character 4 of the command is not closed" },
        { "{} $((1)", "the (( at character 4 of the command is not closed" },
        { "{} $'a", "the $' at character 4 of the command is not closed" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_STR(contexts(cases[i][0]), "RMD_ESYNTAX");
        CHECK_STR(rmd_error_detail(), cases[i][1]);
    }
}

TEST(regions_tell_whether_quotes_lie_between)
{
    static const char text[] = "a \"b {} c\" $(d) e \"f\"";
    rmdi_shell_mark marks[] = {
        { .offset = 0 },  { .offset = 3 },  { .offset = 5, .len = 2 }, { .offset = 8 },
        { .offset = 10 }, { .offset = 13 }, { .offset = 16 },          { .offset = 19 },
    };
    CHECK_EQ(rmdi_shell_scan(rmdi_bytes_of(text), marks, 8), 0);
    CHECK_EQ(marks[1].region, marks[2].region);
    CHECK_EQ(marks[1].region, marks[3].region);
    CHECK_INT(marks[0].region, !=, marks[1].region);
    CHECK_EQ(marks[0].region, marks[4].region);
    CHECK_INT(marks[5].region, !=, marks[0].region);
    CHECK_EQ(marks[6].region, marks[0].region);
    CHECK_INT(marks[7].region, !=, marks[1].region);
}

static bool plain(const char *text)
{
    rmdi_shell_mark marks[MARKS_MAX];
    return rmdi_shell_is_plain(rmdi_bytes_of(text), marks, find_marks(text, marks));
}

TEST(plain_text_has_nothing_for_a_shell)
{
    CHECK(plain("echo {} a-b_c/d.e,f:g@h%i+j\tk=l \xff"));
    CHECK(plain("{}{}"));
    CHECK(!plain("echo =ls"));
    for (const char *c = "\"'$`\\;&|<>()*?[]#~!{}^\n"; *c; c++) {
        char text[] = { 'a', *c, '{', '}', 0 };
        CHECK(!plain(text));
    }
}

TEST(words_of_the_shell_are_known)
{
    static const char *const own[] = { ".",        ":",      "[[",        "cd",     "exit",
                                       "export",   "source", "eval",      "exec",   "set",
                                       "time",     "if",     "printf",    "test",   "wait",
                                       "zmodload", "x=1",    "PATH=/bin", "_a1+=b", "kill" };
    static const char *const programs[] = {
        "ls",  "echo", "true", "a",   "zz", "/bin/kill", "c",
        "1=2", "=x",   "",     "ifs", "i",  "false",     "cat"
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        CHECK(rmdi_shell_is_own_word(rmdi_bytes_of(own[i])));
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        CHECK(!rmdi_shell_is_own_word(rmdi_bytes_of(programs[i])));
    CHECK(rmdi_shell_is_alike(rmdi_bytes_of("echo")));
    CHECK(!rmdi_shell_is_alike(rmdi_bytes_of("cat")));
}

TEST(columns_count_characters)
{
    rmd_bytes text = rmdi_bytes_of("\xc3\xa4\xe2\x82\xac{}");
    CHECK_EQ(rmdi_shell_column(text, 0), 1);
    CHECK_EQ(rmdi_shell_column(text, 5), 3);
}

TEST(each_reason_has_sentences)
{
    for (int reason = RMDI_SHELL_IN_HEREDOC; reason <= RMDI_SHELL_IN_UNSURE; reason++) {
        CHECK(strlen(rmdi_shell_where((rmdi_shell_reason)reason)) > 5);
        CHECK(strlen(rmdi_shell_cure((rmdi_shell_reason)reason)) > 5);
    }
}

static int scenario(void *arg)
{
    rmdi_shell_mark mark = { .offset = 0, .len = 1 };
    return rmdi_shell_scan(rmdi_bytes_of(arg), &mark, 1);
}

TEST(without_memory_nothing_leaks)
{
    char deep[] = "x $($($($($($($($($($($($(a))))))))))))";
    kit_alloc(scenario, deep, RMD_ENOMEM);
}
