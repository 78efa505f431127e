/* SPDX-License-Identifier: MIT */
/* The inside of the scanner (shell.c, shell_heredoc.c). */
#ifndef RMDI_JOB_SHELL_PRIVATE_H
#define RMDI_JOB_SHELL_PRIVATE_H

#include "job/shell.h"

typedef enum frame_kind {
    PAREN,    /* ( */
    SUBST,    /* $( */
    DOUBLE,   /* " */
    SINGLE,   /* ' */
    ANSI,     /* $' */
    BACKTICK, /* ` */
    PARAM,    /* ${ */
    ARITH,    /* $(( or (( */
} frame_kind;

typedef struct frame {
    frame_kind kind;
    size_t offset; /* where it opened */
    size_t region;
    size_t depth;   /* ARITH: parentheses that are open */
    bool in_double; /* PARAM: inside double quotes, where inner quotes mean little */
} frame;

/* A here-document whose body begins behind the next newline. */
typedef struct heredoc {
    size_t delimiter, len;
    size_t frames; /* how many were open where it was announced */
    bool strip_tabs, quoted;
} heredoc;

enum { HEREDOCS_MAX = 8 };

typedef struct scanner {
    const char *text;
    size_t len, pos;
    rmdi_shell_mark *marks;
    size_t count, next; /* next: the first mark that has no answer yet */
    frame *frames;
    size_t frames_len, frames_capacity, regions;
    rmdi_shell_reason unsure; /* from here on all is refused; FINE: sure */
    rmdi_shell_reason here;   /* the next mark is refused */
    heredoc heredocs[HEREDOCS_MAX];
    size_t heredocs_len;
    size_t word_from;
    size_t index_mark, index_depth, index_frames; /* inside NAME[...]: since which mark */
    bool word_start, arith_shift;
} scanner;

static inline char char_at(const scanner *s, size_t at)
{
    return at < s->len ? s->text[at] : 0;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline bool is_break(char c)
{
    return is_blank(c) || c == '\n' || c == 0;
}

static inline void become_unsure(scanner *s, rmdi_shell_reason reason)
{
    if (!s->unsure)
        s->unsure = reason;
}

/* Goes on to an offset; marks on the way are refused. */
void rmdi_scanner_refuse_until(scanner *s, size_t offset, rmdi_shell_reason reason);

/* At "<<": notes the delimiter. */
void rmdi_scanner_heredoc_begin(scanner *s);

/* Behind a newline: goes over the bodies that were announced. */
void rmdi_scanner_heredoc_bodies(scanner *s);

#endif
