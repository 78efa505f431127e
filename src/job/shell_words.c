/* SPDX-License-Identifier: MIT */
#include "job/shell.h"

#include <stdlib.h>
#include <string.h>

/* Of dash, bash, ksh, zsh and busybox sh; sorted. A program of one of these names may exist, but
 * does something else: printf knows %q in bash, pwd knows where a symbolic link was followed. */
static const char *const own_words[] = {
    ".",       ":",          "[[",       "alias",     "always",    "autoload", "bg",
    "bind",    "bindkey",    "break",    "builtin",   "bye",       "caller",   "case",
    "cd",      "chdir",      "command",  "compgen",   "complete",  "compopt",  "continue",
    "coproc",  "declare",    "dirs",     "disable",   "disown",    "do",       "done",
    "elif",    "else",       "emulate",  "enable",    "end",       "esac",     "eval",
    "exec",    "exit",       "export",   "fc",        "fg",        "fi",       "float",
    "for",     "foreach",    "function", "functions", "getopts",   "global",   "hash",
    "help",    "history",    "if",       "in",        "integer",   "jobs",     "kill",
    "let",     "limit",      "local",    "log",       "logout",    "mapfile",  "namespace",
    "newgrp",  "nocorrect",  "noglob",   "popd",      "print",     "printf",   "pushd",
    "pushln",  "pwd",        "r",        "read",      "readarray", "readonly", "rehash",
    "repeat",  "return",     "sched",    "select",    "set",       "setopt",   "shift",
    "shopt",   "source",     "stop",     "suspend",   "test",      "then",     "time",
    "times",   "trap",       "ttyctl",   "type",      "typeset",   "ulimit",   "umask",
    "unalias", "unfunction", "unhash",   "unlimit",   "unset",     "unsetopt", "until",
    "vared",   "wait",       "whence",   "where",     "which",     "while",    "zmodload",
};

static int compare(const void *key, const void *element)
{
    const rmd_bytes *word = key;
    const char *const *own = element;
    size_t len = strlen(*own);
    int order = memcmp(word->data, *own, word->len < len ? word->len : len);
    return order ? order : (word->len > len) - (word->len < len);
}

static bool is_name_byte(char c, bool first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!first && c >= '0' && c <= '9');
}

static bool is_assignment(rmd_bytes word)
{
    const char *bytes = word.data;
    size_t i = 0;
    while (i < word.len && is_name_byte(bytes[i], i == 0))
        i++;
    if (i > 0 && i < word.len && bytes[i] == '+')
        i++;
    return i > 0 && i < word.len && bytes[i] == '=';
}

bool rmdi_shell_is_own_word(rmd_bytes word)
{
    if (!word.len)
        return false;
    return is_assignment(word) || bsearch(&word, own_words, sizeof own_words / sizeof *own_words,
                                          sizeof *own_words, compare);
}

bool rmdi_shell_is_alike(rmd_bytes word)
{
    return rmdi_bytes_equal(word, rmdi_bytes_of("echo")) ||
           rmdi_bytes_equal(word, rmdi_bytes_of("true")) ||
           rmdi_bytes_equal(word, rmdi_bytes_of("false"));
}

/* A "=" that begins a word is special to zsh; one inside a first word makes it an assignment,
 * for which rmdi_shell_is_own_word() asks. */
static bool is_special(const char *bytes, size_t at)
{
    if (bytes[at] == '=')
        return at == 0 || bytes[at - 1] == ' ' || bytes[at - 1] == '\t';
    return bytes[at] == 0 || strchr("\"'$`\\;&|<>()*?[]#~!{}^\n", bytes[at]);
}

bool rmdi_shell_is_plain(rmd_bytes text, const rmdi_shell_mark *marks, size_t count)
{
    size_t next = 0;
    for (size_t at = 0; at < text.len; at++) {
        while (next < count && marks[next].offset + marks[next].len <= at)
            next++;
        if ((next == count || at < marks[next].offset) && is_special(text.data, at))
            return false;
    }
    return true;
}

size_t rmdi_shell_column(rmd_bytes text, size_t offset)
{
    const unsigned char *bytes = text.data;
    size_t column = 1;
    for (size_t i = 0; i < offset && i < text.len; i++)
        column += (bytes[i] & 0xc0) != 0x80;
    return column;
}

const char *rmdi_shell_where(rmdi_shell_reason reason)
{
    static const char *const where[] = { "",
#define WHERE(name, where, cure) where,
                                         RMDI_SHELL_REASONS(WHERE)
#undef WHERE
    };
    return where[reason];
}

const char *rmdi_shell_cure(rmdi_shell_reason reason)
{
    static const char *const cures[] = { "",
#define CURE(name, where, cure) cure,
                                         RMDI_SHELL_REASONS(CURE)
#undef CURE
    };
    return cures[reason];
}
