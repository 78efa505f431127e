/* SPDX-License-Identifier: MIT */
/* Parsing: the text is searched for placeholders, the scanner says where each of them stands, and
 * both are written down as atoms, which is all that expanding needs. */
#include "job/template.h"

#include "base/alloc.h"
#include "base/error.h"
#include "job/template_private.h"

#include <string.h>

/* A placeholder in the text, while parsing. */
typedef struct found {
    size_t offset, len;
    rmdi_place place;
    rmdi_shell_context context;
    size_t word, word_end; /* the piece between blanks that it stands in */
    bool repeated;         /* the word is, for each value */
} found;

typedef struct parser {
    rmdi_template *t;
    const rmdi_template_options *options;
    found *found;
    size_t found_len, found_capacity;
    size_t *ends; /* where the given words end, for quote */
    size_t ends_len, ends_capacity;
    rmdi_shell_mark *marks;
    size_t marks_len;
    bool appended; /* the only placeholder was added by us */
} parser;

static rmd_bytes text_of(const parser *p)
{
    return rmdi_buffer_view(&p->t->text);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- the text and its placeholders ---- */

static int add_word(parser *p, const char *word)
{
    int err = p->ends_len ? rmdi_buffer_add_byte(&p->t->text, ' ') : 0;
    if (err == 0)
        err = rmdi_buffer_add_text(&p->t->text, word);
    void *ends = p->ends;
    if (err == 0)
        err = rmdi_array_reserve(&ends, &p->ends_capacity, p->ends_len, sizeof *p->ends);
    p->ends = ends;
    if (err == 0)
        p->ends[p->ends_len++] = p->t->text.len;
    return err;
}

static int join_words(parser *p)
{
    const char *const *words = p->options->words;
    int err = rmdi_buffer_add_text(&p->t->text, "");
    for (size_t i = 0; err == 0 && words && words[i]; i++)
        err = add_word(p, words[i]);
    return err;
}

static int add_found(parser *p, const found *f)
{
    void *all = p->found;
    int err = rmdi_array_reserve(&all, &p->found_capacity, p->found_len, sizeof *p->found);
    p->found = all;
    if (err == 0)
        p->found[p->found_len++] = *f;
    return err;
}

static int find_places(parser *p)
{
    rmd_bytes text = text_of(p);
    int err = 0;
    for (size_t at = 0; err == 0 && at < text.len;) {
        found f = { .offset = at };
        f.len = rmdi_place_match(text, at, p->t->replace, &f.place);
        if (f.len)
            err = add_found(p, &f);
        at += f.len ? f.len : 1;
    }
    return err;
}

/* To hand its text on would run something else than what is meant. */
static int refuse_perl(const parser *p)
{
    const char *text = p->t->text.data, *open = strstr(text, "{=");
    if (!open || !strstr(open + 2, "=}"))
        return 0;
    return rmdi_fail(RMD_ESYNTAX,
                     "{= =} at character %zu of the command: expressions in Perl are not "
                     "known; let the command itself change the value",
                     (size_t)(open - text) + 1);
}

/* A command without any placeholder gets {} at its end. */
static int find_or_append(parser *p)
{
    int err = refuse_perl(p);
    if (err == 0)
        err = find_places(p);
    if (err < 0 || p->found_len || p->options->never_append)
        return err;
    p->appended = true;
    err = add_word(p, p->t->replace);
    return err < 0 ? err : find_places(p);
}

/* ---- words that are repeated for each value ---- */

static void find_word(parser *p, found *f)
{
    const char *text = p->t->text.data;
    size_t low = 0, high = p->t->text.len;
    for (size_t i = 0; p->t->quote && i < p->ends_len; i++) {
        if (p->ends[i] < f->offset)
            low = p->ends[i] + 1;
        else if (p->ends[i] < high)
            high = p->ends[i];
    }
    f->word = f->offset;
    while (f->word > low && !is_blank(text[f->word - 1]))
        f->word--;
    if (f->word > low && text[f->word - 1] == '\t') /* GNU parallel repeats that as well */
        f->word--;
    f->word_end = f->offset + f->len;
    while (f->word_end < high && !is_blank(text[f->word_end]))
        f->word_end++;
}

static bool is_every_value(const found *f)
{
    return f->place.all && f->place.kind < RMDI_PLACE_SEQ;
}

/* How many placeholders stand in the same word as number i, from there on. */
static size_t same_word(const parser *p, size_t i)
{
    size_t n = 1;
    while (i + n < p->found_len && p->found[i + n].word == p->found[i].word)
        n++;
    return n;
}

static void set_repeated(parser *p, size_t i, size_t n, bool repeated)
{
    for (size_t k = i; k < i + n; k++)
        p->found[k].repeated = repeated;
}

static void find_repeated(parser *p)
{
    if (!p->options->repeat_words)
        return;
    for (size_t i = 0; i < p->found_len; i++)
        find_word(p, &p->found[i]);
    for (size_t i = 0, n; i < p->found_len; i += n) {
        n = same_word(p, i);
        bool repeated = false;
        for (size_t k = i; k < i + n; k++)
            repeated = repeated || is_every_value(&p->found[k]);
        set_repeated(p, i, n, repeated);
    }
}

/* ---- what the shell makes of it ---- */

static void add_mark(parser *p, size_t offset, size_t len)
{
    p->marks[p->marks_len++] = (rmdi_shell_mark){ .offset = offset, .len = len };
}

/* One mark for each placeholder, and one before and behind each repeated word. */
static int make_marks(parser *p)
{
    p->marks = rmdi_alloc(3 * p->found_len * sizeof *p->marks);
    if (!p->marks)
        return rmdi_fail_memory();
    for (size_t i = 0, n; i < p->found_len; i += n) {
        const found *f = &p->found[i];
        n = f->repeated ? same_word(p, i) : 1;
        if (f->repeated)
            add_mark(p, f->word, 0);
        for (size_t k = i; k < i + n; k++)
            add_mark(p, p->found[k].offset, p->found[k].len);
        if (f->repeated)
            add_mark(p, f->word_end, 0);
    }
    return 0;
}

static int refuse(const parser *p, const found *f, rmdi_shell_reason reason)
{
    const char *name = p->t->text.data + f->offset, *where = rmdi_shell_where(reason);
    if (p->appended)
        return rmdi_fail(
            RMD_ESYNTAX,
            "the command has no placeholder, and %.*s at its end would stand %s; write "
            "it where it belongs",
            (int)f->len, name, where);
    return rmdi_fail(RMD_ESYNTAX, "%.*s at character %zu of the command stands %s; %s", (int)f->len,
                     name, rmdi_shell_column(text_of(p), f->offset), where,
                     rmdi_shell_cure(reason));
}

/* A word with a quote that is open at one of its ends cannot be repeated: "x {}". Then the values
 * stand in it one after the other, as without repeat_words. */
static bool is_whole(const rmdi_shell_mark *begin, const rmdi_shell_mark *end)
{
    return begin->context != RMDI_SHELL_REFUSED && end->context != RMDI_SHELL_REFUSED &&
           begin->region == end->region;
}

static int take_contexts(parser *p)
{
    const rmdi_shell_mark *mark = p->marks;
    for (size_t i = 0, n; i < p->found_len; i += n) {
        bool repeated = p->found[i].repeated;
        n = repeated ? same_word(p, i) : 1;
        const rmdi_shell_mark *begin = mark;
        mark += repeated;
        for (size_t k = i; k < i + n; k++, mark++) {
            if (mark->context == RMDI_SHELL_REFUSED)
                return refuse(p, &p->found[k], mark->reason);
            p->found[k].context = mark->context;
        }
        if (repeated)
            set_repeated(p, i, n, is_whole(begin, mark++));
    }
    return 0;
}

/* Without placeholders there is nothing to rewrite, and mistakes are the shell's to tell. */
static int scan(parser *p)
{
    if (!p->found_len || p->t->quote)
        return 0;
    int err = make_marks(p);
    if (err == 0)
        err = rmdi_shell_scan(text_of(p), p->marks, p->marks_len);
    return err < 0 ? err : take_contexts(p);
}

/* ---- with or without a shell ---- */

/* The first word, when it is nothing but literal text. */
static rmd_bytes first_word(const parser *p)
{
    const char *text = p->t->text.data;
    size_t begin = 0, end, limit = p->found_len ? p->found[0].offset : p->t->text.len;
    while (!p->t->quote && is_blank(text[begin]))
        begin++;
    end = begin;
    if (p->t->quote)
        end = p->ends_len ? p->ends[0] : 0;
    else
        while (text[end] && !is_blank(text[end]))
            end++;
    return (rmd_bytes){ .data = text + begin, .len = end <= limit ? end - begin : 0 };
}

static int ask_is_program(const parser *p, rmd_bytes word, bool *answer)
{
    char *name = rmdi_alloc(word.len + 1);
    if (!name)
        return rmdi_fail_memory();
    memcpy(name, word.data, word.len);
    name[word.len] = 0;
    *answer = p->options->is_program(p->options->is_program_ctx, name);
    rmdi_free(name);
    return 0;
}

static bool has_option(const parser *p)
{
    const char *text = p->t->text.data;
    for (size_t i = 1; i < p->t->text.len; i++)
        if (text[i] == '-' && is_blank(text[i - 1]))
            return true;
    return false;
}

static int decide_form(parser *p)
{
    rmd_bytes word = first_word(p);
    if (!word.len || rmdi_shell_is_own_word(word) || !p->options->is_program)
        return 0;
    p->t->alike = rmdi_shell_is_alike(word);
    if (p->t->alike && has_option(p))
        return 0;
    if (!p->t->quote && !rmdi_shell_is_plain(text_of(p), p->marks, p->marks_len))
        return 0;
    return ask_is_program(p, word, &p->t->direct);
}

/* ---- atoms ---- */

static int add_atom(parser *p, const rmdi_atom *atom)
{
    rmdi_template *t = p->t;
    void *atoms = t->atoms;
    int err = rmdi_array_reserve(&atoms, &t->atoms_capacity, t->atoms_len, sizeof *t->atoms);
    t->atoms = atoms;
    if (err == 0)
        t->atoms[t->atoms_len++] = *atom;
    return err;
}

/* The space behind a given word is at its end. */
static bool is_word_end(const parser *p, size_t offset)
{
    for (size_t i = 0; i + 1 < p->ends_len; i++)
        if (p->ends[i] == offset)
            return true;
    return false;
}

static bool is_gap(const parser *p, size_t offset)
{
    return p->t->quote ? is_word_end(p, offset) : p->t->direct && is_blank(p->t->text.data[offset]);
}

/* Two gaps side by side are two in a quoted template, where an empty word lies between them. */
static int add_text(parser *p, size_t from, size_t to)
{
    int err = 0;
    while (err == 0 && from < to) {
        bool gap = is_gap(p, from);
        size_t end = from + 1;
        while (end < to && is_gap(p, end) == gap && !(gap && p->t->quote))
            end++;
        err = add_atom(p, &(rmdi_atom){ .kind = gap ? RMDI_ATOM_BREAK : RMDI_ATOM_LITERAL,
                                        .offset = from,
                                        .len = end - from });
        from = end;
    }
    return err;
}

/* "$x{}" with the value y must not become "$xy" when it is written as text, nor "~{}" "~y". */
static bool is_glued(const parser *p, size_t offset)
{
    const char *text = p->t->text.data;
    size_t at = offset;
    while (at > 0 && (text[at - 1] == '_' || (text[at - 1] >= '0' && text[at - 1] <= '9') ||
                      (text[at - 1] >= 'a' && text[at - 1] <= 'z') ||
                      (text[at - 1] >= 'A' && text[at - 1] <= 'Z')))
        at--;
    return at > 0 && (text[at - 1] == '~' || (text[at - 1] == '$' && at < offset));
}

static int add_place(parser *p, const found *f)
{
    rmdi_atom atom = {
        .kind = RMDI_ATOM_PLACE,
        .offset = f->offset,
        .len = f->len,
        .place = f->place,
        .context = f->context,
        .glued = is_glued(p, f->offset),
        .first = strcspn(p->t->text.data, " \t") >= f->offset,
    };
    return add_atom(p, &atom);
}

/* The atoms from offset `from` over n placeholders to offset `to`. */
static int add_run(parser *p, size_t from, const found *f, size_t n, size_t to)
{
    int err = 0;
    for (size_t k = 0; err == 0 && k < n; k++) {
        err = add_text(p, from, f[k].offset);
        if (err == 0)
            err = add_place(p, &f[k]);
        from = f[k].offset + f[k].len;
    }
    return err < 0 ? err : add_text(p, from, to);
}

static int add_group(parser *p, size_t i, size_t n)
{
    size_t group = p->t->atoms_len;
    int err = add_atom(p, &(rmdi_atom){ .kind = RMDI_ATOM_GROUP });
    if (err == 0)
        err = add_run(p, p->found[i].word, &p->found[i], n, p->found[i].word_end);
    if (err == 0)
        p->t->atoms[group].members = p->t->atoms_len - group - 1;
    return err;
}

static int make_atoms(parser *p)
{
    size_t from = 0;
    int err = 0;
    for (size_t i = 0, n; err == 0 && i < p->found_len; i += n) {
        const found *f = &p->found[i];
        n = f->repeated ? same_word(p, i) : 1;
        err = add_text(p, from, f->repeated ? f->word : f->offset);
        if (err == 0)
            err = f->repeated ? add_group(p, i, n) : add_place(p, f);
        from = f->repeated ? f->word_end : f->offset + f->len;
    }
    return err < 0 ? err : add_text(p, from, p->t->text.len);
}

/* ---- the whole ---- */

static int parse(parser *p)
{
    int err = join_words(p);
    if (err < 0)
        return err;
    rmdi_template *t = p->t;
    t->script = !p->ends_len || (!t->quote && strcmp(t->text.data, t->replace) == 0);
    if (t->script)
        return 0;
    err = find_or_append(p);
    if (err < 0)
        return err;
    find_repeated(p);
    err = scan(p);
    if (err == 0)
        err = decide_form(p);
    return err < 0 ? err : make_atoms(p);
}

static int set_up(rmdi_template *t, const rmdi_template_options *options)
{
    t->quote = options->quote;
    t->replace = rmdi_strdup(options->replace ? options->replace : "{}");
    t->shell = rmdi_strdup(options->shell ? options->shell : "/bin/sh");
    return t->replace && t->shell ? 0 : rmdi_fail_memory();
}

int rmdi_template_parse(rmdi_template **made, const rmdi_template_options *options)
{
    *made = NULL;
    if (options->replace && !options->replace[0])
        return rmdi_fail(RMD_EINVAL, "the text that stands for {} is empty");
    rmdi_template *t = rmdi_alloc_zeroed(sizeof *t);
    if (!t)
        return rmdi_fail_memory();
    parser p = { .t = t, .options = options };
    int err = set_up(t, options);
    if (err == 0)
        err = parse(&p);
    rmdi_free(p.found);
    rmdi_free(p.ends);
    rmdi_free(p.marks);
    if (err < 0)
        rmdi_template_free(t);
    else
        *made = t;
    return err;
}

void rmdi_template_free(rmdi_template *t)
{
    if (!t)
        return;
    rmdi_buffer_free(&t->text);
    rmdi_free(t->replace);
    rmdi_free(t->shell);
    rmdi_free(t->atoms);
    rmdi_free(t);
}

bool rmdi_template_is_direct(const rmdi_template *t)
{
    return t->direct;
}

bool rmdi_template_is_script(const rmdi_template *t)
{
    return t->script;
}

rmd_bytes rmdi_template_text(const rmdi_template *t)
{
    return rmdi_buffer_view(&t->text);
}
