/* SPDX-License-Identifier: MIT */
#include "job/columns.h"

#include "base/alloc.h"
#include "base/error.h"

#include <regex.h>
#include <string.h>

struct rmdi_columns {
    rmdi_buffer literal; /* when is_literal */
    bool is_literal;
    regex_t regex;
};

/* ---- from the user's expression to one for regcomp ---- */

typedef struct translator {
    const char *at;
    rmdi_buffer *regex, *literal; /* literal: what it matches if nothing in it is special */
    bool special;
    bool in_bracket;
    const char *bracket; /* where the bracket expression's list begins */
} translator;

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_alphanumeric(char c)
{
    char lower = (char)(c | 0x20);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

/* One character that stands for itself. */
static int add_character(translator *t, char c)
{
    int err = rmdi_buffer_add_byte(t->literal, c);
    if (err == 0 && !t->in_bracket && strchr(".[\\()*+?{|^$", c))
        err = rmdi_buffer_add_byte(t->regex, '\\');
    return err < 0 ? err : rmdi_buffer_add_byte(t->regex, c);
}

static int add_special(translator *t, const char *text)
{
    t->special = true;
    return rmdi_buffer_add_text(t->regex, text);
}

static int add_class(translator *t, char letter)
{
    static const char *const outside[] = { "[0-9]", "[[:space:]]", "[[:alnum:]_]" };
    static const char *const inside[] = { "0-9", "[:space:]", "[:alnum:]_" };
    size_t i = letter == 'd' ? 0 : letter == 's' ? 1 : 2;
    return add_special(t, t->in_bracket ? inside[i] : outside[i]);
}

static int fail_syntax(const char *what)
{
    return rmdi_fail(RMD_ESYNTAX, "column separator: %s; it is a POSIX extended regular expression",
                     what);
}

static int add_hexadecimal(translator *t)
{
    int high = hex_digit(t->at[2]), low = high < 0 ? -1 : hex_digit(t->at[3]);
    if (low < 0 || (high == 0 && low == 0))
        return fail_syntax("\\x wants two hexadecimal digits, not 00");
    t->at += 4;
    return add_character(t, (char)(high * 16 + low));
}

static int add_escape(translator *t)
{
    static const char names[] = "tnrf", characters[] = "\t\n\r\f";
    char c = t->at[1];
    if (!c)
        return fail_syntax("it ends in a backslash");
    if (c == 'x')
        return add_hexadecimal(t);
    t->at += 2;
    const char *name = strchr(names, c);
    if (name)
        return add_character(t, characters[name - names]);
    if (strchr("dsw", c))
        return add_class(t, c);
    if (is_alphanumeric(c))
        return fail_syntax("an escape other than \\t \\n \\r \\f \\d \\s \\w \\xHH");
    if (t->in_bracket && strchr("]^-", c))
        return fail_syntax("in brackets a ] comes first and a - last, without a backslash");
    return add_character(t, c);
}

/* The list of a bracket expression ends at the first ] that is not its first character; [:alpha:],
 * [=a=] and [.-.] in it are copied as they are. */
static int add_in_bracket(translator *t)
{
    size_t len = 1;
    if (t->at[0] == ']' && t->at > t->bracket)
        t->in_bracket = false;
    if (t->at[0] == '[' && t->at[1] && strchr(":=.", t->at[1])) {
        const char *end = strstr(t->at + 2, (const char[]){ t->at[1], ']', 0 });
        len = end ? (size_t)(end - t->at) + 2 : 1;
    }
    int err = rmdi_buffer_add(t->regex, t->at, len);
    t->at += len;
    return err;
}

static int add_bracket(translator *t)
{
    t->in_bracket = true;
    size_t len = t->at[1] == '^' ? 2 : 1;
    int err = rmdi_buffer_add(t->regex, t->at, len);
    t->at += len;
    t->bracket = t->at;
    t->special = true;
    return err;
}

static int add_one(translator *t)
{
    char c = *t->at;
    if (c == '\\')
        return add_escape(t);
    if (t->in_bracket)
        return add_in_bracket(t);
    if (c == '[')
        return add_bracket(t);
    if (strchr("*+?}", c) && t->at[1] == '?')
        return fail_syntax("lazy repetition like \"*?\" is not known");
    if (c == '(' && t->at[1] == '?')
        return fail_syntax("\"(?\" is not known");
    t->at++;
    if (!strchr(".()*+?{|^$", c))
        return add_character(t, c);
    return add_special(t, (const char[]){ c, 0 });
}

static int translate(translator *t)
{
    int err = rmdi_buffer_add_text(t->regex, "");
    while (err == 0 && *t->at)
        err = add_one(t);
    return err;
}

/* ---- the whole ---- */

static int compile(rmdi_columns *columns, const char *regex)
{
    int code = regcomp(&columns->regex, regex, REG_EXTENDED);
    if (!code)
        return 0;
    char text[128];
    regerror(code, &columns->regex, text, sizeof text);
    return code == REG_ESPACE ? rmdi_fail_memory() : fail_syntax(text);
}

static int set_up(rmdi_columns *columns, const char *separator)
{
    rmdi_buffer regex = { 0 };
    translator t = { .at = separator, .regex = &regex, .literal = &columns->literal };
    int err = translate(&t);
    columns->is_literal = !t.special;
    if (err == 0 && t.special)
        err = compile(columns, regex.data);
    if (err < 0)
        columns->is_literal = true; /* there is nothing for regfree */
    rmdi_buffer_free(&regex);
    return err;
}

int rmdi_columns_open(rmdi_columns **made, const char *separator)
{
    *made = NULL;
    rmdi_columns *columns = rmdi_alloc_zeroed(sizeof *columns);
    if (!columns)
        return rmdi_fail_memory();
    int err = set_up(columns, separator);
    if (err < 0)
        rmdi_columns_free(columns);
    else
        *made = columns;
    return err;
}

void rmdi_columns_free(rmdi_columns *columns)
{
    if (!columns)
        return;
    if (!columns->is_literal)
        regfree(&columns->regex);
    rmdi_buffer_free(&columns->literal);
    rmdi_free(columns);
}

static bool find_literal(const rmdi_columns *columns, rmd_bytes value, size_t from, size_t *begin,
                         size_t *end)
{
    rmd_bytes separator = rmdi_buffer_view(&columns->literal);
    const char *data = value.data;
    if (!separator.len) { /* between all bytes */
        *begin = *end = from + 1;
        return from < value.len;
    }
    const char *found = value.len
                            ? memmem(data + from, value.len - from, separator.data, separator.len)
                            : NULL;
    if (!found)
        return false;
    *begin = (size_t)(found - data);
    *end = *begin + separator.len;
    return true;
}

static bool find_regex(const rmdi_columns *columns, rmd_bytes value, size_t from, size_t *begin,
                       size_t *end)
{
    regmatch_t match = { .rm_so = (regoff_t)from, .rm_eo = (regoff_t)value.len };
    int flags = REG_STARTEND | (from ? REG_NOTBOL : 0);
    if (regexec(&columns->regex, value.data, 1, &match, flags))
        return false;
    *begin = (size_t)match.rm_so;
    *end = (size_t)match.rm_eo;
    return true;
}

bool rmdi_columns_find(const rmdi_columns *columns, rmd_bytes value, size_t from, size_t *begin,
                       size_t *end)
{
    if (columns->is_literal)
        return find_literal(columns, value, from, begin, end);
    if (from >= value.len)
        return false;
    if (!find_regex(columns, value, from, begin, end))
        return false;
    if (*end > from)
        return true;
    /* It matched nothing, right where the column begins: that separates nothing. */
    return find_regex(columns, value, from + 1, begin, end);
}
