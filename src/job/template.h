/* SPDX-License-Identifier: MIT */
/* The command of a job: parsed once, expanded for every task.
 *
 * The words of the command are joined by one space, as GNU parallel does. Placeholders:
 *
 *     {}    the value; several values (-n 2, two input sources): all of them
 *     {.}   without its extension            {/}   without its directory
 *     {//}  its directory                    {/.}  without directory and extension
 *     {#}   the sequence number              {%}   the slot number
 *     {3} {3.} {3/} {3//} {3/.}   the third value; {-1} is the last one
 *
 * A position beyond the number of values becomes nothing, not even an empty argument; only {3//},
 * the directory of nothing, is "." as ever.
 *
 * Values never enter the text of a script. Two forms of argv come out:
 *
 *   direct   no shell: the text has no shell syntax and its first word is a program. The text is
 *            split at blanks; what a placeholder brings is never split.
 *   shell    SHELL -c SCRIPT SHELL v1 v2 ... where SCRIPT begins `rmd_1=$1 rmd_2=$2; shift 2; `
 *            and goes on with the user's text, each placeholder rewritten for where it stands
 *            (shell.h): bare "${rmd_1}", inside "..." ${rmd_1}, inside '...' '"${rmd_1}"'.
 *            Variables, because positional parameters are others inside functions and after
 *            `set --`. They are not exported.
 *
 * The third is no rewriting at all: with no command, or one that is exactly {}, each value is
 * itself a script: SHELL -c VALUE.
 *
 * What this cannot do: a shell that is told to evaluate a value does so. `eval {}`, `let {}`,
 * `[[ {} -gt 1 ]]` (bash evaluates both sides as arithmetic) and `sh -c "cmd {}"` make script of
 * a value by the user's own wish; the last one is safe as `sh -c 'cmd "$1"' sh {}`.
 * Only for shells of the Bourne family.
 */
#ifndef RMDI_JOB_TEMPLATE_H
#define RMDI_JOB_TEMPLATE_H

#include "data/bytes.h"

typedef struct rmdi_template rmdi_template;

/* Zero is the default of each. Everything is copied. */
typedef struct rmdi_template_options {
    const char *const
        *words;          /* of the command, NULL-terminated; NULL or none: values are scripts */
    const char *replace; /* what stands for {} (-I); NULL: "{}" */
    const char *shell;   /* NULL: "/bin/sh" */
    bool never_append;   /* --pipe: do not add {} to a command without any placeholder */
    bool repeat_words;   /* -N -L -X: x{}y is xay xby; else, -n and several sources: xa by */
    bool quote;          /* -q: each of the words is one argument, no character is special */

    /* Is this name (with or without a slash) a program that can be executed? NULL: none is, so
     * the shell runs everything. Called during the parse only, at most once. A name that the
     * environment defines as a function of the shell (BASH_FUNC_name%%) had better be none. */
    bool (*is_program)(void *ctx, const char *name);
    void *is_program_ctx;
} rmdi_template_options;

/* Parses into *made, to be given back by rmdi_template_free(). RMD_ESYNTAX when a placeholder
 * stands where no value may (the detail names placeholder, character and cure) or when quotes
 * are not closed; RMD_EINVAL for an empty replace; RMD_ENOMEM. Blocks only in is_program. */
RMD_NODISCARD int rmdi_template_parse(rmdi_template **made, const rmdi_template_options *options);
void rmdi_template_free(rmdi_template *t); /* NULL is fine */

/* Does it run without a shell? (A task of a direct template can still go through the shell: where
 * a builtin and the program of its name differ, which for echo, true and false is when an
 * argument begins with a dash or holds a backslash. rmdi_expansion.direct tells for each.) */
bool rmdi_template_is_direct(const rmdi_template *t);

/* Is every value a script of its own? */
bool rmdi_template_is_script(const rmdi_template *t);

/* The joined text, with {} added if it was. Borrowed, as long as the template lives. */
rmd_bytes rmdi_template_text(const rmdi_template *t);

/* What goes into the placeholders of one task. Borrowed for the call. A task of --pipe has one
 * empty value, as with GNU parallel. */
typedef struct rmdi_task_input {
    const rmd_bytes *values; /* the positional values, count of them */
    size_t count;
    uint64_t seq;  /* {#}, from 1 */
    uint64_t slot; /* {%}, from 1 */
} rmdi_task_input;

/* The argv of one task. Zeroed is empty; use it for one template only, again and again: it keeps
 * its memory, and the script for as long as the number of values stays the same. */
typedef struct rmdi_expansion {
    char **argv; /* NULL-terminated; borrowed: valid until the next expand or free */
    size_t argc;
    bool direct; /* without a shell */

    /* private */
    rmdi_buffer bytes, script;
    size_t *starts, starts_capacity, argv_capacity;
    struct rmdi_variable *variables;
    size_t variables_len, variables_capacity, script_values;
    bool has_script, in_word;
} rmdi_expansion;

/* Fills the expansion. RMD_EINVAL, with a detail that names it, when a value holds a NUL byte,
 * which no argument can; RMD_ENOMEM. After an error argv is NULL and the expansion can be used
 * again. Does not block. A template may be expanded on several threads at a time, an expansion
 * not. That an argument is too long for the system (128 KiB on Linux) is found out at the start. */
RMD_NODISCARD int rmdi_template_expand(const rmdi_template *t, const rmdi_task_input *input,
                                       rmdi_expansion *expansion);
void rmdi_expansion_free(rmdi_expansion *expansion);

/* Adds the command as text to the buffer: what --dry-run and -v print and the joblog keeps.
 * Pasted into a shell it repeats the command. Bare values are quoted as GNU parallel quotes them
 * (quote.h). RMD_ENOMEM, with the buffer as it was. */
RMD_NODISCARD int rmdi_template_render(const rmdi_template *t, const rmdi_task_input *input,
                                       rmdi_buffer *text);

/* The same with values as they are, unquoted: for --tag and --tagstring, whose text is a template
 * of its own (never_append, is_program NULL, quote) that is never run. RMD_ENOMEM. */
RMD_NODISCARD int rmdi_template_render_plain(const rmdi_template *t, const rmdi_task_input *input,
                                             rmdi_buffer *text);

#endif
