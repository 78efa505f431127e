/* SPDX-License-Identifier: MIT */
/* Reading shell script text: where in it does something stand?
 *
 * The text is the user's own and trusted; what a placeholder brings later is not. So the scan
 * has to be right, or say that it is not sure: everything that shells of the Bourne family
 * (dash, bash, zsh, busybox sh) read differently, or that only a full parser could tell, makes the
 * rest of the text RMDI_SHELL_REFUSED. Source of the rules: POSIX.1-2017, XCU 2.2, 2.3 and 2.6;
 * the bash manual.
 */
#ifndef RMDI_JOB_SHELL_H
#define RMDI_JOB_SHELL_H

#include "data/bytes.h"

typedef enum rmdi_shell_context {
    RMDI_SHELL_BARE,   /* outside quotes, be it inside $(...) inside quotes */
    RMDI_SHELL_DOUBLE, /* inside "..." */
    RMDI_SHELL_SINGLE, /* inside '...' */
    RMDI_SHELL_REFUSED,
} rmdi_shell_context;

/* X(name, where, cure): why there can be no value there; sentences for rmdi_shell_where/_cure. */
#define RMDI_SHELL_REASONS(X)                                                             \
    X(HEREDOC, "in a here-document", "assign it before (x={}) and write $x there")        \
    X(BACKTICK, "in `...`", "write $(...) instead")                                       \
    X(ARITHMETIC, "in arithmetic, which would run a value as script",                     \
      "assign it before (x={}), check that it is a number, and write $x there")           \
    X(COMMENT, "in a comment", "remove it there")                                         \
    X(PARAMETER, "inside ${...}", "assign it before (x={}) and write $x there")           \
    X(DOLLAR, "directly after a $", "choose another placeholder with -I")                 \
    X(BACKSLASH, "directly after a backslash", "remove the backslash")                    \
    X(ANSI_QUOTE, "in or after $'...' that not all shells read alike",                    \
      "use '...' without the dollar sign")                                                \
    X(CASE, "after a 'case' inside parentheses, whose end cannot be told",                \
      "assign it before (x={}) and write $x there")                                       \
    X(CONTINUATION, "after a line that is continued inside a word", "join the two lines") \
    X(UNSURE, "after quoting that not all shells read alike",                             \
      "assign it at the beginning (x={}) and write $x there")

typedef enum rmdi_shell_reason {
    RMDI_SHELL_FINE,
#define RMDI_SHELL_REASON_MEMBER(name, where, cure) RMDI_SHELL_IN_##name,
    RMDI_SHELL_REASONS(RMDI_SHELL_REASON_MEMBER)
#undef RMDI_SHELL_REASON_MEMBER
} rmdi_shell_reason;

/* A place to ask about. Its bytes are read as one opaque letter of a word; with len 0 it only
 * asks and is not seen by the scan. */
typedef struct rmdi_shell_mark {
    size_t offset, len;         /* given */
    rmdi_shell_context context; /* answered, as are the others */
    rmdi_shell_reason reason;   /* when refused */
    size_t region; /* the same number for two places: no quote or parenthesis between them that
                    * is not closed again between them */
} rmdi_shell_mark;

/* Answers all marks, which are sorted by offset and do not overlap. RMD_ESYNTAX when a quote,
 * $(, ${ or ` is not closed, with a detail that tells which and where; RMD_ENOMEM. */
RMD_NODISCARD int rmdi_shell_scan(rmd_bytes text, rmdi_shell_mark *marks, size_t count);

/* Sentences about a reason: "in a comment", "remove it there". Static. */
const char *rmdi_shell_where(rmdi_shell_reason reason);
const char *rmdi_shell_cure(rmdi_shell_reason reason);

/* Is there no character outside the marks that a shell could treat specially, blanks and tabs
 * apart? Then splitting at blanks is all that a shell would do to it. */
bool rmdi_shell_is_plain(rmd_bytes text, const rmdi_shell_mark *marks, size_t count);

/* Must the shell run a command of this name, be there a program of the same name or not:
 * reserved words and builtins, also NAME=VALUE? */
bool rmdi_shell_is_own_word(rmd_bytes word);

/* echo, true, false: builtins that do what the program of the same name does, unless there are
 * options or backslashes. */
bool rmdi_shell_is_alike(rmd_bytes word);

/* The position of an offset for users: characters (UTF-8) from 1. */
size_t rmdi_shell_column(rmd_bytes text, size_t offset);

#endif
