/* SPDX-License-Identifier: MIT */
/* Values that would do harm if any of their bytes were read as script arrive byte for byte, in
 * every place where a placeholder may stand. Commands are really run (see RUN_EACH for how many),
 * each twice: as it was expanded, and as it was rendered, by a shell. */
#include "base/error.h"
#include "job/place.h"
#include "job/template.h"
#include "kit.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { LONG = 120 * 1024, RENDERED_MAX = 120 * 1024 };

static char long_value[LONG + 1];

static const char *const hostile[] = {
    "",
    " ",
    "  two  blanks  ",
    "\t",
    "\n",
    "line\nline\n",
    "\n\n; exit 9\n",
    "\r\n",
    "'",
    "''",
    "it's",
    "\"",
    "\"\"",
    "say \"x\"",
    "'\"'\"'",
    "\"'\"'\"",
    "`exit 9`",
    "`",
    "$(exit 9)",
    "$((1/0))",
    "$(",
    "${rmd_1}",
    "${rmd_2}",
    "$rmd_1",
    "$1",
    "${1}",
    "$@",
    "$HOME",
    "${x:?}",
    "$",
    "$'\\x41'",
    ";rm -rf x",
    "; exit 9",
    "&& exit 9",
    "| exit 9",
    "& exit 9 &",
    "> out",
    "<in",
    ">&2",
    "<<EOF\nx\nEOF\n",
    "-n",
    "-",
    "--",
    "--help",
    "--version",
    "-e",
    "*",
    "/*",
    "?",
    "[a-z]*",
    "~",
    "~root",
    "{}",
    "{1}",
    "{.}",
    "{a,b}",
    "!",
    "!!",
    "#",
    "a # comment",
    "\\",
    "\\\\",
    "\\n\\t\\0101",
    "trailing\\",
    "%s%n%d",
    "a=b",
    "PATH=/nowhere",
    "if",
    "()",
    "a() { exit 9; }",
    "\xff\xfe\x80",
    "\xc3",
    "\xc3\xa9\xe2\x82\xac",
    "\x01\x02\x1b[31m\x7f",
    "a.b/c.d",
    "/",
    "..",
    long_value,
};

enum { HOSTILE = sizeof hostile / sizeof *hostile };

/* ---- running ---- */

/* Skips the case when there is no such shell on the PATH. */
static const char *shell_path(const char *name)
{
    static char path[4096];
    for (const char *folder = getenv("PATH"); folder && *folder;) {
        size_t len = strcspn(folder, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)len, folder, name);
        if (len && access(path, X_OK) == 0)
            return path;
        folder += len + (folder[len] == ':');
    }
    SKIP("this shell is not installed");
}

static bool is_program(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "job-hostile_helper") == 0;
}

/* The helper is found by its name, as users' programs are; files are written into $TMPDIR. */
static void set_up(void)
{
    memset(long_value, 'x', LONG);
    memcpy(long_value, "$(exit 9)'\"", 11);
    const char *helper = kit_helper("job-hostile_helper"), *slash = strrchr(helper, '/');
    REQUIRE(slash != NULL);
    char path[8192];
    snprintf(path, sizeof path, "%.*s:%s", (int)(slash - helper), helper, getenv("PATH"));
    REQUIRE(setenv("PATH", path, 1) == 0 && chdir(getenv("TMPDIR")) == 0);
    unsetenv("x");
}

/* What the command writes to standard output; its exit status must be 0. */
static void run(char **argv, rmdi_buffer *out)
{
    int ends[2], status;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    rmdi_buffer_clear(out);
    REQUIRE(rmdi_buffer_add_text(out, "") == 0);
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0 && posix_spawn_file_actions_init(&actions) == 0);
    REQUIRE(posix_spawn_file_actions_adddup2(&actions, ends[1], 1) == 0);
    REQUIRE(posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    ssize_t n;
    do {
        REQUIRE(rmdi_buffer_reserve(out, 65536) == 0);
        n = read(ends[0], out->data + out->len, 65536);
        rmdi_buffer_filled(out, n > 0 ? (size_t)n : 0);
    } while (n > 0);
    close(ends[0]);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
}

/* ---- places ---- */

/* What must come out: '@' is the value, '|' ends an argument (a NUL byte), '^' is the value as
 * $(...) gives it, without newlines at its end; 'B' '.' '/' stand for {/.} {.} {/}. */
typedef struct place {
    const char *command, *expected;
    bool is_file;  /* for values that can be a file name */
    bool no_long;  /* several in one argument: the longest value would not fit */
    bool run_only; /* bash reads the text, as GNU parallel renders it, differently */
} place;

static const place bare_places[] = {
    { .command = "job-hostile_helper {}", .expected = "@|" },
    { .command = "job-hostile_helper x{}y {} {}{}", .expected = "x@y|@|@@|", .no_long = true },
    { .command = "job-hostile_helper {.} {/} {/.} {#}", .expected = ".|/|B|1|" },
};

static const place shell_places[] = {
    { .command = "job-hostile_helper {}; :", .expected = "@|" },
    { .command = "job-hostile_helper a{}b {}{};", .expected = "a@b|@@|", .no_long = true },
    { .command = "job-hostile_helper {.} {/} {/.} {#};", .expected = ".|/|B|1|" },
    { .command = "job-hostile_helper \"{}\" \"a {} b\"", .expected = "@|a @ b|" },
    { .command = "y=1; job-hostile_helper \"$y{}$y\" $y{}", .expected = "1@1|1@|" },
    { .command = "job-hostile_helper '{}' 'a {} b' \"it's {}\"", .expected = "@|a @ b|it's @|" },
    { .command = "job-hostile_helper a\"b{}c\"'d{}e'{}", .expected = "ab@cd@e@|", .no_long = true },
    { .command = "job-hostile_helper \"$(printf %s {})\"", .expected = "^|" },
    { .command = "job-hostile_helper \"<$(printf %s \"{}\")>$(printf %s '{}')\"",
      .expected = "<^>^|",
      .no_long = true },
    { .command = "f() { job-hostile_helper {} \"{}\" '{}' \"$1\"; }; f other words",
      .expected = "@|@|@|other|" },
    { .command = "set -- p q; job-hostile_helper {} \"$1\" \"$#\"; shift; job-hostile_helper '{}'",
      .expected = "@|p|2|@|" },
    { .command = "job-hostile_helper \"$#\" \"$@\" {}", .expected = "0|@|" },
    { .command = "x={}; job-hostile_helper \"$x\"", .expected = "@|" },
    { .command = "x=a{}b; export y=\"{}\"; job-hostile_helper \"$x$y\"",
      .expected = "a@b@|",
      .no_long = true },
    { .command = "x={} sh -c 'job-hostile_helper \"$x\"'", .expected = "@|" },
    { .command = "sh -c 'job-hostile_helper \"$1\"' sh {}", .expected = "@|" },
    { .command = "for x in {} b; do job-hostile_helper \"$x\"; done", .expected = "@|b|" },
    { .command = "case {} in {}) job-hostile_helper y;; *) exit 1;; esac", .expected = "y|" },
    { .command = "[ {} = \"{}\" ] && job-hostile_helper y", .expected = "y|" },
    { .command = "(job-hostile_helper {}) | { cat; }; if :; then job-hostile_helper {}; fi",
      .expected = "@|@|" },
    { .command = "job-hostile_helper {} # it's", .expected = "@|" },
    { .command = "cat <<EOF >/dev/null\n'\nEOF\njob-hostile_helper {}", .expected = "@|" },
    { .command = "job-hostile_helper \\\n  {} \\\\{}", .expected = "@|\\@|" },
    { .command = "job-hostile_helper x > ./{}; cat ./{}", .expected = "x|", .is_file = true },
    { .command = "job-hostile_helper y >./\"{}\" && cat <'./{}'",
      .expected = "y|",
      .is_file = true },
};

static const place bash_places[] = {
    { .command = "cat <<<{}", .expected = "@\n" },
    { .command = "cat <<< \"a{}\"", .expected = "a@\n" },
    { .command = "[[ {} == {} ]] && job-hostile_helper y", .expected = "y|", .run_only = true },
    { .command = "a=({} \"{}\" '{}'); job-hostile_helper \"${a[@]}\"",
      .expected = "@|@|@|",
      .run_only = true }, /* bash doubles a quoted \x01 there */
    { .command = "job-hostile_helper $\"{}\"", .expected = "@|" },
    { .command = "function f { local x={}; job-hostile_helper \"$x\"; }; f", .expected = "@|" },
    { .command = "cat <(job-hostile_helper {})", .expected = "@|" },
    { .command = "job-hostile_helper {a,{}}", .expected = "a|@|" },
};

static void add_expected(rmdi_buffer *out, char what, rmd_bytes value)
{
    rmd_bytes part = value;
    if (what == '.')
        part = rmdi_place_apply(RMDI_PLACE_STEM, value);
    else if (what == '/')
        part = rmdi_place_apply(RMDI_PLACE_BASE, value);
    else if (what == 'B')
        part = rmdi_place_apply(RMDI_PLACE_BASE_STEM, value);
    while (what == '^' && part.len && ((const char *)part.data)[part.len - 1] == '\n')
        part.len--;
    if (strchr("@^./B", what))
        REQUIRE(rmdi_buffer_add(out, part.data, part.len) == 0);
    else
        REQUIRE(rmdi_buffer_add_byte(out, what == '|' ? 0 : what) == 0);
}

static bool is_file_name(const char *value)
{
    return *value && strlen(value) < 250 && !strchr(value, '/') && strcmp(value, ".") != 0 &&
           strcmp(value, "..") != 0;
}

/* The test's own shells are in braces, so that what fails can be told from what was expected. */
static void check_output(const char *form, const place *p, const char *value,
                         const rmdi_buffer *out, const rmdi_buffer *expected)
{
    bool same = out->len == expected->len && memcmp(out->data, expected->data, out->len) == 0;
    if (!CHECK(same))
        printf("%s: %s with <%.60s> gave <%.60s> (%zu bytes), not <%.60s> (%zu bytes)\n", form,
               p->command, value, out->data, out->len, expected->data, expected->len);
}

/* Each pair of a place and a value is expanded, and one in so many run, by one shell or another:
 * all with $REMUDA_ALL set, as part 8 of `make night` does; few with a sanitizer, which looks at
 * what expands and not at the shells. */
enum { RUN_EACH = 3, RUN_EACH_SANITIZED = 8 };

static bool is_run(void)
{
    static unsigned pairs;
    unsigned each = kit_patience() == 1 ? RUN_EACH : RUN_EACH_SANITIZED;
    return getenv("REMUDA_ALL") || pairs++ % each == 0;
}

static void check_value(const rmdi_template *t, rmdi_expansion *e, const char *shell,
                        const place *p, const char *value)
{
    bool runs = is_run();
    rmd_bytes bytes = rmdi_bytes_of(value);
    rmdi_task_input input = { .values = &bytes, .count = 1, .seq = 1, .slot = 1 };
    rmdi_buffer out = { 0 }, expected = { 0 }, text = { 0 };
    for (const char *c = p->expected; *c; c++)
        add_expected(&expected, *c, bytes);
    REQUIRE(rmdi_template_expand(t, &input, e) == 0);
    CHECK_EQ(e->direct, rmdi_template_is_direct(t));
    if (!e->direct && strlen(value) > 8)
        CHECK(strstr(e->argv[2], value) == NULL);
    if (runs) {
        run(e->argv, &out);
        check_output("expanded", p, value, &out, &expected);
    }
    REQUIRE(rmdi_template_render(t, &input, &text) == 0);
    char *argv[] = { (char *)(uintptr_t)shell, (char[]){ "-c" }, text.data, NULL };
    if (runs && text.len < RENDERED_MAX && !p->run_only) {
        run(argv, &out);
        check_output("rendered", p, value, &out, &expected);
    }
    rmdi_buffer_free(&out);
    rmdi_buffer_free(&expected);
    rmdi_buffer_free(&text);
}

static void check_place(const place *p, const char *shell, bool direct)
{
    const char *words[] = { p->command, NULL };
    rmdi_template *t;
    rmdi_expansion e = { 0 };
    if (!CHECK_EQ(rmdi_template_parse(&t, &(rmdi_template_options){ .words = words,
                                                                    .shell = shell,
                                                                    .is_program = is_program }),
                  0)) {
        printf("%s: %s\n", p->command, rmd_error_detail());
        return;
    }
    CHECK_EQ(rmdi_template_is_direct(t), direct);
    for (size_t i = 0; i < HOSTILE; i++)
        if (!(p->is_file && !is_file_name(hostile[i])) && !(p->no_long && hostile[i] == long_value))
            check_value(t, &e, shell, p, hostile[i]);
    rmdi_expansion_free(&e);
    rmdi_template_free(t);
}

static void check_places(const char *name, const place *places, size_t count, bool direct)
{
    const char *shell = shell_path(name);
    set_up();
    for (size_t i = 0; i < count; i++)
        check_place(&places[i], shell, direct);
}

#define CHECK_PLACES(shell, places, direct) \
    check_places(shell, places, sizeof places / sizeof *places, direct)

TEST_LIMIT(values_arrive_without_a_shell, 120)
{
    CHECK_PLACES("sh", bare_places, true);
}

TEST_LIMIT(values_arrive_through_dash, 240)
{
    CHECK_PLACES("dash", shell_places, false);
}

TEST_LIMIT(values_arrive_through_bash, 240)
{
    CHECK_PLACES("bash", shell_places, false);
}

TEST_LIMIT(values_arrive_where_only_bash_has_places, 120)
{
    CHECK_PLACES("bash", bash_places, false);
}

TEST_LIMIT(values_arrive_through_zsh, 240)
{
    CHECK_PLACES("zsh", shell_places, false);
}

TEST_LIMIT(values_arrive_through_busybox, 240)
{
    const char *busybox = shell_path("busybox");
    set_up();
    REQUIRE(symlink(busybox, "sh") == 0);
    char shell[4096];
    REQUIRE(getcwd(shell, sizeof shell - 4) != NULL);
    strcat(shell, "/sh");
    for (size_t i = 0; i < sizeof shell_places / sizeof *shell_places; i++)
        check_place(&shell_places[i], shell, false);
}

/* ---- all of them at once ---- */

static void check_together(const char *command, bool repeat, const char *before, const char *after)
{
    const char *words[] = { command, NULL };
    rmdi_template *t;
    rmdi_expansion e = { 0 };
    rmd_bytes values[HOSTILE];
    rmdi_buffer out = { 0 }, expected = { 0 };
    for (size_t i = 0; i < HOSTILE; i++) {
        values[i] = rmdi_bytes_of(hostile[i]);
        rmdi_buffer_add_text(&expected, before);
        rmdi_buffer_add(&expected, hostile[i], strlen(hostile[i]));
        rmdi_buffer_add(&expected, after, strlen(after) + 1);
    }
    REQUIRE(rmdi_template_parse(&t, &(rmdi_template_options){ .words = words,
                                                              .shell = "/bin/sh",
                                                              .repeat_words = repeat,
                                                              .is_program = is_program }) == 0);
    rmdi_task_input input = { .values = values, .count = HOSTILE };
    REQUIRE(rmdi_template_expand(t, &input, &e) == 0);
    run(e.argv, &out);
    CHECK_EQ(out.len, expected.len);
    CHECK(out.len == expected.len && memcmp(out.data, expected.data, out.len) == 0);
    rmdi_buffer_free(&out);
    rmdi_buffer_free(&expected);
    rmdi_expansion_free(&e);
    rmdi_template_free(t);
}

TEST(many_values_arrive_as_many_arguments)
{
    set_up();
    check_together("job-hostile_helper {}", false, "", "");
    check_together("job-hostile_helper x{}y", true, "x", "y");
    check_together("job-hostile_helper {}; :", false, "", "");
    check_together("job-hostile_helper \"x\"{}'y' ; :", true, "x", "y");
}

TEST(quoted_words_arrive_whatever_they_hold)
{
    set_up();
    const char *words[HOSTILE + 3] = { "job-hostile_helper" };
    size_t count = 1;
    rmdi_buffer out = { 0 }, expected = { 0 };
    for (size_t i = 0; i < HOSTILE; i++)
        if (!strchr(hostile[i], '{')) {
            words[count++] = hostile[i];
            rmdi_buffer_add(&expected, hostile[i], strlen(hostile[i]) + 1);
        }
    words[count] = "{}";
    rmdi_buffer_add(&expected, "$x", 3);
    for (int direct = 0; direct < 2; direct++) {
        rmdi_template *t;
        rmdi_expansion e = { 0 };
        rmd_bytes value = rmdi_bytes_of("$x");
        REQUIRE(rmdi_template_parse(
                    &t, &(rmdi_template_options){ .words = words,
                                                  .quote = true,
                                                  .is_program = direct ? is_program : NULL }) == 0);
        CHECK_EQ(rmdi_template_is_direct(t), direct);
        REQUIRE(rmdi_template_expand(t, &(rmdi_task_input){ .values = &value, .count = 1 }, &e) ==
                0);
        run(e.argv, &out);
        CHECK_EQ(out.len, expected.len);
        CHECK(out.len == expected.len && memcmp(out.data, expected.data, out.len) == 0);
        rmdi_expansion_free(&e);
        rmdi_template_free(t);
    }
    rmdi_buffer_free(&out);
    rmdi_buffer_free(&expected);
}
