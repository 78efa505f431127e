/* SPDX-License-Identifier: MIT */
/* The scanner is a stack of what is open (frames) and walks the text once, from character to
 * character. It knows just enough grammar to tell where quotes, substitutions, comments and
 * here-documents begin and end. Where that would take a full parser, or where shells differ, it
 * becomes unsure, and everything from there on is refused: being wrong would put a value into
 * the text of a script. */
#include "job/shell.h"

#include "base/alloc.h"
#include "base/error.h"
#include "job/shell_private.h"

#include <string.h>

static bool is_letter(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static frame *top(scanner *s)
{
    return s->frames_len ? &s->frames[s->frames_len - 1] : NULL;
}

static bool top_is(scanner *s, frame_kind kind)
{
    return s->frames_len && top(s)->kind == kind;
}

/* Do single quotes mean anything here? */
static bool quotes_count(scanner *s)
{
    return !top_is(s, DOUBLE) && !top_is(s, ARITH) && !(top_is(s, PARAM) && top(s)->in_double);
}

static int push(scanner *s, frame_kind kind, size_t taken)
{
    void *frames = s->frames;
    int err = rmdi_array_reserve(&frames, &s->frames_capacity, s->frames_len, sizeof(frame));
    s->frames = frames;
    if (err < 0)
        return err;
    bool in_double = !quotes_count(s);
    s->frames[s->frames_len++] = (frame){
        .kind = kind, .offset = s->pos, .region = ++s->regions, .depth = 2, .in_double = in_double
    };
    s->pos += taken;
    s->word_start = kind == PAREN || kind == SUBST;
    s->word_from = s->pos;
    return 0;
}

static void pop(scanner *s)
{
    s->frames_len--;
    s->pos++;
    s->word_start = false;
}

/* ---- marks ---- */

static rmdi_shell_reason reason_of(frame_kind kind)
{
    switch (kind) {
    case BACKTICK: return RMDI_SHELL_IN_BACKTICK;
    case PARAM: return RMDI_SHELL_IN_PARAMETER;
    case ARITH: return RMDI_SHELL_IN_ARITHMETIC;
    case ANSI: return RMDI_SHELL_IN_ANSI_QUOTE;
    case PAREN:
    case SUBST:
    case DOUBLE:
    case SINGLE: break;
    }
    return RMDI_SHELL_FINE;
}

static rmdi_shell_reason refusal(const scanner *s)
{
    if (s->unsure)
        return s->unsure;
    for (size_t i = 0; i < s->frames_len; i++)
        if (reason_of(s->frames[i].kind))
            return reason_of(s->frames[i].kind);
    return s->here;
}

static rmdi_shell_context context(scanner *s)
{
    if (top_is(s, DOUBLE))
        return RMDI_SHELL_DOUBLE;
    return top_is(s, SINGLE) ? RMDI_SHELL_SINGLE : RMDI_SHELL_BARE;
}

static void settle(scanner *s, rmdi_shell_mark *mark)
{
    mark->reason = refusal(s);
    mark->context = mark->reason ? RMDI_SHELL_REFUSED : context(s);
    mark->region = s->frames_len ? top(s)->region : 0;
}

/* Is the character at this offset the first of a mark's? */
static bool mark_begins(const scanner *s, size_t at)
{
    size_t next = s->next;
    while (next < s->count && (s->marks[next].offset < at || !s->marks[next].len))
        next++;
    return next < s->count && s->marks[next].offset == at;
}

/* Answers the marks at (or before) the current place; true when it went over one with a length. */
static bool settle_here(scanner *s)
{
    bool moved = false;
    while (s->next < s->count && s->marks[s->next].offset <= s->pos && !moved) {
        rmdi_shell_mark *mark = &s->marks[s->next++];
        settle(s, mark);
        moved = mark->len > 0;
        if (moved) {
            s->pos = mark->offset + mark->len;
            s->word_start = false;
            s->here = RMDI_SHELL_FINE;
        }
    }
    return moved;
}

/* Goes on to an offset; marks on the way are refused. */
void rmdi_scanner_refuse_until(scanner *s, size_t offset, rmdi_shell_reason reason)
{
    while (s->pos < offset) {
        s->here = reason;
        if (!settle_here(s))
            s->pos++;
    }
    s->here = RMDI_SHELL_FINE;
}

/* ---- backslash and dollar ---- */

/* What a continued line joins must not be what we look for: a $ with its parenthesis, say. */
static bool is_risky_continuation(scanner *s)
{
    char before = s->pos ? s->text[s->pos - 1] : ' ', after = char_at(s, s->pos + 2);
    if (is_break(before) || is_break(after))
        return false;
    return strchr("$<({[#", before) || (s->frames_len && is_letter(before) && is_letter(after));
}

static int backslash(scanner *s)
{
    if (mark_begins(s, s->pos + 1)) {
        s->here = RMDI_SHELL_IN_BACKSLASH;
        s->pos++;
        return 0;
    }
    bool continued = char_at(s, s->pos + 1) == '\n';
    if (continued && !top_is(s, DOUBLE) && is_risky_continuation(s))
        become_unsure(s, RMDI_SHELL_IN_CONTINUATION);
    if (!continued)
        s->word_start = false;
    s->pos += s->pos + 1 < s->len ? 2 : 1;
    return 0;
}

static int dollar_brace(scanner *s)
{
    char after = char_at(s, s->pos + 2);
    int err = push(s, PARAM, 2);
    /* bash 5.3 runs commands in "${ cmd; }". */
    if (is_break(after) || after == '|')
        become_unsure(s, RMDI_SHELL_IN_PARAMETER);
    return err;
}

static int dollar(scanner *s)
{
    char next = char_at(s, s->pos + 1);
    s->word_start = false;
    if (mark_begins(s, s->pos + 1)) {
        s->here = RMDI_SHELL_IN_DOLLAR;
        s->pos++;
        return 0;
    }
    if (next == '(')
        return char_at(s, s->pos + 2) == '(' ? push(s, ARITH, 3) : push(s, SUBST, 2);
    if (next == '{')
        return dollar_brace(s);
    if (next == '\'' && quotes_count(s))
        return push(s, ANSI, 2);
    if (next == '[')
        become_unsure(s, RMDI_SHELL_IN_ARITHMETIC);
    if (next == '\\' && char_at(s, s->pos + 2) == '\n')
        become_unsure(s, RMDI_SHELL_IN_CONTINUATION);
    s->pos += next && strchr("$?!#@*-0123456789", next) ? 2 : 1;
    return 0;
}

/* ---- outside quotes ---- */

static void end_index(scanner *s)
{
    if (s->frames_len <= s->index_frames)
        s->index_depth = 0;
}

static int newline(scanner *s)
{
    if (s->arith_shift)
        become_unsure(s, RMDI_SHELL_IN_HEREDOC);
    s->pos++;
    rmdi_scanner_heredoc_bodies(s);
    s->word_start = true;
    end_index(s);
    return 0;
}

static int comment(scanner *s)
{
    const char *end = memchr(s->text + s->pos, '\n', s->len - s->pos);
    if (s->pos && strchr("()", s->text[s->pos - 1]))
        become_unsure(s, RMDI_SHELL_IN_COMMENT); /* could be a pattern of bash or zsh */
    rmdi_scanner_refuse_until(s, end ? (size_t)(end - s->text) : s->len, RMDI_SHELL_IN_COMMENT);
    return 0;
}

static int closing_paren(scanner *s)
{
    bool subst = top_is(s, SUBST);
    for (size_t i = 0; i < s->heredocs_len; i++)
        if (s->heredocs[i].frames == s->frames_len)
            become_unsure(s, RMDI_SHELL_IN_HEREDOC);
    if (subst || top_is(s, PAREN))
        pop(s);
    else
        s->pos++; /* of a case pattern */
    s->word_start = !subst;
    return 0;
}

static int less(scanner *s)
{
    s->word_start = true;
    if (char_at(s, s->pos + 1) != '<') {
        s->pos++;
        return 0;
    }
    if (char_at(s, s->pos + 2) == '<') {
        s->pos += 3;
        return 0;
    }
    rmdi_scanner_heredoc_begin(s);
    return 0;
}

/* NAME[ or a word that begins with [ could be the index of an array, which is arithmetic. */
static void bracket_opens(scanner *s)
{
    bool name = true;
    for (size_t i = s->word_from; i < s->pos && name; i++)
        name = is_letter(s->text[i]) || (i > s->word_from && is_digit(s->text[i]));
    if (name && !s->index_depth) {
        s->index_mark = s->next;
        s->index_frames = s->frames_len;
    }
    if ((name || s->index_depth) && s->index_frames == s->frames_len)
        s->index_depth++;
}

/* It was one if it is assigned to. */
static void bracket_closes(scanner *s)
{
    bool assigns = char_at(s, s->pos + 1) == '=' ||
                   (char_at(s, s->pos + 1) == '+' && char_at(s, s->pos + 2) == '=');
    for (size_t i = s->index_mark; assigns && s->index_depth && i < s->next; i++) {
        s->marks[i].context = RMDI_SHELL_REFUSED;
        s->marks[i].reason = RMDI_SHELL_IN_ARITHMETIC;
    }
    if (s->index_depth && s->index_frames == s->frames_len)
        s->index_depth--;
}

static bool is_case(const scanner *s)
{
    char after = char_at(s, s->pos + 4);
    return s->len - s->pos >= 4 && memcmp(s->text + s->pos, "case", 4) == 0 &&
           (is_break(after) || after == '\\');
}

static int letter(scanner *s)
{
    char c = s->text[s->pos];
    if (s->word_start && s->frames_len && is_case(s))
        become_unsure(s, RMDI_SHELL_IN_CASE);
    if (c == '[')
        bracket_opens(s);
    if (c == ']')
        bracket_closes(s);
    s->pos++;
    s->word_start = false;
    return 0;
}

static int separator(scanner *s)
{
    if (!is_blank(s->text[s->pos]) && s->text[s->pos] != '>')
        end_index(s);
    s->pos++;
    s->word_start = true;
    return 0;
}

static int step_bare(scanner *s)
{
    char c = s->text[s->pos];
    if (s->word_start)
        s->word_from = s->pos;
    switch (c) {
    case '\\': return backslash(s);
    case '\'': return push(s, SINGLE, 1);
    case '"': return push(s, DOUBLE, 1);
    case '`': return push(s, BACKTICK, 1);
    case '$': return dollar(s);
    case '(': return char_at(s, s->pos + 1) == '(' ? push(s, ARITH, 2) : push(s, PAREN, 1);
    case ')': return closing_paren(s);
    case '<': return less(s);
    case '\n': return newline(s);
    case '#': return s->word_start ? comment(s) : letter(s);
    case ' ':
    case '\t':
    case ';':
    case '&':
    case '|':
    case '>': return separator(s);
    default: return letter(s);
    }
}

/* ---- inside quotes and the like ---- */

static int skip(scanner *s, size_t n)
{
    s->pos += n;
    s->word_start = false;
    return 0;
}

static int step_double(scanner *s)
{
    switch (s->text[s->pos]) {
    case '"': return pop(s), 0;
    case '\\': return backslash(s);
    case '`': return push(s, BACKTICK, 1);
    case '$': return dollar(s);
    default: return skip(s, 1);
    }
}

static int step_single(scanner *s)
{
    if (s->text[s->pos] == '\'')
        return pop(s), 0;
    return skip(s, 1);
}

/* To dash a dollar before quotes means nothing, so \' ends them there. */
static int step_ansi(scanner *s)
{
    char c = s->text[s->pos];
    if (c == '\'')
        return pop(s), 0;
    if (c == '\\' && char_at(s, s->pos + 1) == '\'')
        become_unsure(s, RMDI_SHELL_IN_ANSI_QUOTE);
    return skip(s, c == '\\' ? 2 : 1);
}

/* The first one without a backslash ends it, quoted or not. */
static int step_backtick(scanner *s)
{
    char c = s->text[s->pos];
    if (c == '`')
        return pop(s), 0;
    return skip(s, c == '\\' ? 2 : 1);
}

/* Shells disagree about quotes in ${...} in double quotes. */
static int step_param(scanner *s)
{
    bool in_double = top(s)->in_double;
    char c = s->text[s->pos];
    if (in_double && (c == '\'' || c == '"'))
        become_unsure(s, RMDI_SHELL_IN_PARAMETER);
    switch (c) {
    case '}': return pop(s), 0;
    case '\\': return skip(s, 2);
    case '`': return push(s, BACKTICK, 1);
    case '$': return dollar(s);
    case '\'': return in_double ? skip(s, 1) : push(s, SINGLE, 1);
    case '"': return in_double ? skip(s, 1) : push(s, DOUBLE, 1);
    default: return skip(s, 1);
    }
}

static int arith_paren(scanner *s, bool opens)
{
    frame *f = top(s);
    f->depth = opens ? f->depth + 1 : f->depth - 1;
    if (f->depth == 0)
        return pop(s), 0;
    return skip(s, 1);
}

/* "((" and "$((" may also begin two subshells, so whatever those two read differently makes us
 * unsure: quotes, comments, a shift that could be a here-document, a case. */
static int step_arith(scanner *s)
{
    char c = s->text[s->pos], before = s->pos ? s->text[s->pos - 1] : ' ';
    bool begins = is_break(before) || strchr(";(&|", before);
    bool ansi = c == '$' && char_at(s, s->pos + 1) == '\'';
    if (ansi || strchr("'\"\\`", c) || (begins && (c == '#' || is_case(s))))
        become_unsure(s, RMDI_SHELL_IN_ARITHMETIC);
    if (c == '<' && char_at(s, s->pos + 1) == '<')
        s->arith_shift = true;
    if (c == '\n' && s->arith_shift)
        become_unsure(s, RMDI_SHELL_IN_ARITHMETIC);
    if (c == '(' || c == ')')
        return arith_paren(s, c == '(');
    return c == '$' ? dollar(s) : skip(s, 1);
}

static int step(scanner *s)
{
    frame *f = top(s);
    if (!f)
        return step_bare(s);
    switch (f->kind) {
    case DOUBLE: return step_double(s);
    case SINGLE: return step_single(s);
    case ANSI: return step_ansi(s);
    case BACKTICK: return step_backtick(s);
    case PARAM: return step_param(s);
    case ARITH: return step_arith(s);
    case PAREN:
    case SUBST: break;
    }
    return step_bare(s);
}

/* ---- the whole ---- */

static int check_closed(const scanner *s)
{
    static const char *const names[] = {
        [SUBST] = "$(", [DOUBLE] = "\"", [SINGLE] = "'",   [ANSI] = "$'",
        [PARAM] = "${", [ARITH] = "((",  [BACKTICK] = "`",
    };
    rmd_bytes text = { .data = s->text, .len = s->len };
    for (size_t i = s->frames_len; i-- > 0 && !s->unsure;)
        if (names[s->frames[i].kind])
            return rmdi_fail(RMD_ESYNTAX, "the %s at character %zu of the command is not closed",
                             names[s->frames[i].kind],
                             rmdi_shell_column(text, s->frames[i].offset));
    return 0;
}

static bool is_bare(scanner *s)
{
    return !s->frames_len || top_is(s, PAREN) || top_is(s, SUBST);
}

/* A step can go over several characters. Only in `...` and the like can a mark be among them. */
static void settle_passed(scanner *s)
{
    while (s->next < s->count && s->marks[s->next].offset < s->pos) {
        if (s->marks[s->next].len && !refusal(s))
            become_unsure(s, RMDI_SHELL_IN_UNSURE);
        settle_here(s);
    }
}

static int walk(scanner *s)
{
    while (s->pos < s->len) {
        if (settle_here(s))
            continue;
        if (s->heredocs_len && s->text[s->pos] == '\n' && !is_bare(s))
            become_unsure(s, RMDI_SHELL_IN_HEREDOC);
        int err = step(s);
        if (err < 0)
            return err;
        settle_passed(s);
    }
    settle_here(s);
    return check_closed(s);
}

int rmdi_shell_scan(rmd_bytes text, rmdi_shell_mark *marks, size_t count)
{
    scanner s = {
        .text = text.data, .len = text.len, .marks = marks, .count = count, .word_start = true
    };
    int err = walk(&s);
    rmdi_free(s.frames);
    return err;
}
