/* SPDX-License-Identifier: MIT */
/* Templates of `remuda run`: parsed, expanded and rendered.
 *
 * Input: one byte of flags (see FLAG_*), the words of the command, each ended by a byte 0x01, a NUL
 * byte, and the values, each ended by a NUL byte. What must hold:
 *
 *   - a value never gets into the text of a script, unless values are scripts;
 *   - argv has the form that was promised, and as many entries as it says;
 *   - expanding twice gives the same, and rendering works whenever expanding does.
 *
 * With clang:  meson setup build-fuzz -Db_sanitize=address,undefined -Db_lundef=false
 *                  -Dc_args=-fsanitize=fuzzer-no-link     (and CC=clang in front)
 *              ninja -C build-fuzz fuzz/template-fuzz
 *              build-fuzz/fuzz/template-fuzz fuzz/corpus/template
 * Without, replay.c runs the corpus as a plain test.
 */
#include "job/template.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FLAG_QUOTE = 1,
    FLAG_REPEAT = 2,
    FLAG_NEVER_APPEND = 4,
    FLAG_PROGRAM = 8,
    FLAG_REPLACE = 16, /* with -I @ */
    FLAG_NO_COMMAND = 32,
};

enum { WORDS_MAX = 32, VALUES_MAX = 64 };

/* Goes around every value; a template that holds it is of no use here. */
static const char mark[] = "\x02mark\x02";

typedef struct sample {
    char *text; /* all of it, NUL-terminated */
    const char *words[WORDS_MAX + 1];
    char *values[VALUES_MAX];
    rmd_bytes views[VALUES_MAX];
    size_t count;
    rmdi_template_options options;
} sample;

static void require(bool held)
{
    if (!held)
        abort();
}

static bool is_program(void *ctx, const char *name)
{
    (void)ctx;
    return name[0] != 'x';
}

static void read_words(sample *s)
{
    size_t count = 0;
    char *p = s->text;
    for (char *end; count < WORDS_MAX && (end = strchr(p, 1)); p = end + 1) {
        *end = 0;
        s->words[count++] = p;
    }
    if (count < WORDS_MAX && *p)
        s->words[count++] = p;
    s->words[count] = NULL;
}

static void read_values(sample *s, const char *p, const char *end)
{
    while (p < end && s->count < VALUES_MAX) {
        size_t len = strlen(p), size = len + 2 * sizeof mark;
        char *value = malloc(size);
        require(value != NULL);
        strcpy(value, mark);
        strcat(value, p);
        strcat(value, mark);
        s->views[s->count] = (rmd_bytes){ .data = value, .len = strlen(value) };
        s->values[s->count++] = value;
        p += len + 1;
    }
}

static void read_sample(sample *s, const uint8_t *data, size_t size)
{
    uint8_t flags = size ? data[0] : 0;
    size_t len = size ? size - 1 : 0;
    *s = (sample){ .text = malloc(len + 1) };
    require(s->text != NULL);
    if (len)
        memcpy(s->text, data + 1, len);
    s->text[len] = 0;
    size_t command = strlen(s->text);
    if (command < len)
        read_values(s, s->text + command + 1, s->text + len);
    s->options = (rmdi_template_options){
        .words = flags & FLAG_NO_COMMAND ? NULL : s->words,
        .replace = flags & FLAG_REPLACE ? "@" : NULL,
        .shell = "/bin/sh",
        .never_append = flags & FLAG_NEVER_APPEND,
        .repeat_words = flags & FLAG_REPEAT,
        .quote = flags & FLAG_QUOTE,
        .is_program = flags & FLAG_PROGRAM ? is_program : NULL,
    };
    read_words(s);
}

static void free_sample(sample *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->values[i]);
    free(s->text);
}

static bool has_mark(const char *text)
{
    return strchr(text, mark[0]) != NULL;
}

/* SHELL -c SCRIPT, and if there are variables SHELL and their values. */
static void check_shell_form(const rmdi_template *t, const rmdi_expansion *e, bool trusted)
{
    require(e->argc == 3 || e->argc > 4);
    require(strcmp(e->argv[0], "/bin/sh") == 0 && strcmp(e->argv[1], "-c") == 0);
    require(rmdi_template_is_script(t) || trusted || !has_mark(e->argv[2]));
    if (e->argc == 3)
        return;
    char *number = strstr(e->argv[2], "; shift ");
    require(strncmp(e->argv[2], "rmd_1=$1", 8) == 0 && number != NULL);
    require(strtoul(number + 8, NULL, 10) == e->argc - 4);
    require(strcmp(e->argv[3], "/bin/sh") == 0);
}

static void check_expansion(const rmdi_template *t, const rmdi_expansion *e, bool trusted)
{
    require(e->argv[e->argc] == NULL);
    for (size_t i = 0; i < e->argc; i++)
        require(e->argv[i] != NULL);
    if (e->direct)
        require(rmdi_template_is_direct(t) && e->argc > 0 && (trusted || !has_mark(e->argv[0])));
    else
        check_shell_form(t, e, trusted);
}

static char *joined(const rmdi_expansion *e)
{
    rmdi_buffer all = { 0 };
    for (size_t i = 0; i < e->argc; i++)
        require(rmdi_buffer_add(&all, e->argv[i], strlen(e->argv[i]) + 1) == 0);
    require(rmdi_buffer_add_byte(&all, 0) == 0);
    return all.data;
}

/* As many values, fewer, and as many again: the script is made anew each time. */
static void use(const rmdi_template *t, const sample *s, bool trusted)
{
    rmdi_expansion e = { 0 };
    rmdi_buffer text = { 0 };
    char *before = NULL;
    size_t counts[] = { s->count, s->count / 2, s->count };
    for (size_t i = 0; i < 3; i++) {
        rmdi_task_input input = { .values = s->views, .count = counts[i], .seq = 3, .slot = 2 };
        require(rmdi_template_expand(t, &input, &e) == 0);
        check_expansion(t, &e, trusted);
        require(rmdi_template_render(t, &input, &text) == 0);
        require(rmdi_template_render_plain(t, &input, &text) == 0);
        char *now = joined(&e);
        require(i != 2 || strcmp(now, before) == 0);
        rmdi_buffer_free(&(rmdi_buffer){ .data = i ? now : NULL });
        if (!i)
            before = now;
    }
    rmdi_buffer_free(&(rmdi_buffer){ .data = before });
    rmdi_buffer_free(&text);
    rmdi_expansion_free(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sample s;
    rmdi_template *t;
    read_sample(&s, data, size);
    bool trusted = false;
    for (size_t i = 0; s.words[i]; i++)
        trusted = trusted || has_mark(s.words[i]);
    if (rmdi_template_parse(&t, &s.options) == 0)
        use(t, &s, trusted);
    rmdi_template_free(t);
    free_sample(&s);
    return 0;
}
