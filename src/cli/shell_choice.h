/* SPDX-License-Identifier: MIT */
/* What decides how a command that a user has written is run: by itself, or by which shell. */
#ifndef RMDI_CLI_SHELL_CHOICE_H
#define RMDI_CLI_SHELL_CHOICE_H

#include <remuda/api.h>

/* Is this the name, or the path, of a program, and of no function that the shell has exported?
 * ctx is not looked at. As rmdi_template_options.is_program. */
bool rmdi_is_program(void *ctx, const char *name);

/* $PARALLEL_SHELL, $SHELL if it is of the Bourne family, else /bin/sh. Borrowed from the
 * environment. */
const char *rmdi_choose_shell(void);

/* The argv of a command in one text: its words, if it has no shell syntax and the first of them is
 * a program; else the shell with the text as its script. *argv, NULL-terminated, is to be given to
 * rmdi_free(). RMD_EINVAL for a text of nothing but blanks; RMD_ENOMEM. */
int rmdi_command_argv(const char *text, char ***argv) RMD_NODISCARD;

#endif
