/* SPDX-License-Identifier: MIT */
#include "cli/shell_choice.h"

#include "base/alloc.h"
#include "base/error.h"
#include "exec/environment.h"
#include "exec/path.h"
#include "job/shell.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A function that the shell has exported would be run by the shell in place of a program
 * of that name. */
static bool is_shell_function(const char *name)
{
    char variable[256];
    int n = snprintf(variable, sizeof variable, "BASH_FUNC_%s%%%%", name);
    return n < (int)sizeof variable && rmdi_env_get(environ, variable);
}

bool rmdi_is_program(void *ctx, const char *name)
{
    char found[PATH_MAX];
    (void)ctx;
    if (is_shell_function(name))
        return false;
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    return rmdi_path_find(name, getenv("PATH"), NULL, found) == 0;
}

static bool understands_scripts(const char *shell)
{
    static const char *const family[] = { "sh", "bash", "dash", "ash", "ksh", "mksh", "zsh" };
    const char *slash = strrchr(shell, '/'), *name = slash ? slash + 1 : shell;
    for (size_t i = 0; i < sizeof family / sizeof *family; i++)
        if (strcmp(name, family[i]) == 0)
            return access(shell, X_OK) == 0;
    return false;
}

const char *rmdi_choose_shell(void)
{
    const char *wanted = getenv("PARALLEL_SHELL"), *login = getenv("SHELL");
    if (wanted && *wanted)
        return wanted;
    return login && understands_scripts(login) ? login : "/bin/sh";
}

/* ---- a command in one text ---- */

static const char blanks[] = " \t";

/* Does it go without a shell? What echo, true and false of the shell do with options and
 * backslashes is not what the programs of these names do. */
static bool is_direct(const char *text, const char *first)
{
    rmd_bytes all = rmdi_bytes_of(text), word = rmdi_bytes_of(first);
    if (!rmdi_shell_is_plain(all, NULL, 0) || rmdi_shell_is_own_word(word))
        return false;
    if (rmdi_shell_is_alike(word) && strpbrk(text, "-\\"))
        return false;
    return rmdi_is_program(NULL, first);
}

static size_t count_words(const char *text)
{
    size_t count = 0;
    for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
        text += strcspn(text, blanks);
        count++;
    }
    return count;
}

/* Cuts the text, which is changed, into words. */
static void split(char *text, char **words)
{
    for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
        *words++ = text;
        text += strcspn(text, blanks);
        if (*text)
            *text++ = 0;
    }
    *words = NULL;
}

int rmdi_command_argv(const char *text, char ***argv)
{
    size_t len = strlen(text), count = count_words(text), room = count > 3 ? count + 1 : 4;
    if (!count)
        return rmdi_fail(RMD_EINVAL, "an empty command");
    char **words = rmdi_alloc(room * sizeof *words + len + 1);
    if (!words)
        return rmdi_fail_memory();
    char *copy = memcpy(words + room, text, len + 1);
    split(copy, words);
    if (!is_direct(text, words[0])) {
        words[0] = (char *)(uintptr_t)rmdi_choose_shell();
        words[1] = (char *)(uintptr_t) "-c";
        words[2] = memcpy(copy, text, len + 1);
        words[3] = NULL;
    }
    *argv = words;
    return 0;
}
