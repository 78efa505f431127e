/* SPDX-License-Identifier: MIT */
/* Here-documents: what stands in one is refused, so all that counts is where it ends. */
#include "job/shell_private.h"

#include <string.h>

/* The end of a here-document's delimiter: 'EOF', "EOF", \EOF or EOF, and nothing more difficult. */
static size_t delimiter_end(scanner *s, heredoc *doc, size_t at)
{
    char quote = char_at(s, at);
    doc->quoted = quote == '\'' || quote == '"' || quote == '\\';
    if (doc->quoted)
        at++;
    doc->delimiter = at;
    bool closed = quote == '\'' || quote == '"';
    while (at < s->len && (closed ? s->text[at] != quote : !strchr(" \t\n;&|<>()", s->text[at])))
        at++;
    doc->len = at - doc->delimiter;
    return at + (closed && at < s->len);
}

static bool is_simple_delimiter(const scanner *s, const heredoc *doc, size_t end)
{
    for (size_t i = 0; i < doc->len; i++)
        if (strchr("'\"\\$`\n", s->text[doc->delimiter + i]))
            return false;
    char after = char_at(s, end);
    return doc->len && (is_break(after) || strchr(";&|<>()", after));
}

void rmdi_scanner_heredoc_begin(scanner *s)
{
    heredoc doc = { .frames = s->frames_len };
    size_t at = s->pos + 2;
    doc.strip_tabs = char_at(s, at) == '-';
    at += doc.strip_tabs;
    while (is_blank(char_at(s, at)))
        at++;
    size_t end = delimiter_end(s, &doc, at);
    if (s->heredocs_len == HEREDOCS_MAX || !is_simple_delimiter(s, &doc, end))
        become_unsure(s, RMDI_SHELL_IN_HEREDOC);
    else
        s->heredocs[s->heredocs_len++] = doc;
    rmdi_scanner_refuse_until(s, end, RMDI_SHELL_IN_HEREDOC);
    s->word_start = false;
}

/* Goes over the body and the line that ends it. */
static void heredoc_body(scanner *s, const heredoc *doc)
{
    bool ends = false;
    while (!ends && s->pos < s->len) {
        size_t line = s->pos;
        const char *newline = memchr(s->text + line, '\n', s->len - line);
        size_t end = newline ? (size_t)(newline - s->text) : s->len;
        while (doc->strip_tabs && line < end && s->text[line] == '\t')
            line++;
        ends = end - line == doc->len &&
               memcmp(s->text + line, s->text + doc->delimiter, doc->len) == 0;
        if (!doc->quoted && end > line && s->text[end - 1] == '\\')
            become_unsure(s, RMDI_SHELL_IN_HEREDOC);
        rmdi_scanner_refuse_until(s, newline ? end + 1 : end, RMDI_SHELL_IN_HEREDOC);
    }
}

void rmdi_scanner_heredoc_bodies(scanner *s)
{
    for (size_t i = 0; i < s->heredocs_len; i++) {
        if (s->heredocs[i].frames != s->frames_len)
            become_unsure(s, RMDI_SHELL_IN_HEREDOC);
        heredoc_body(s, &s->heredocs[i]);
    }
    s->heredocs_len = 0;
}
