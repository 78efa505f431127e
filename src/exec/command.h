/* SPDX-License-Identifier: MIT */
/* A command that a pool keeps: a checked copy of what the user gave. */
#ifndef RMDI_EXEC_COMMAND_H
#define RMDI_EXEC_COMMAND_H

#include <remuda/command.h>

typedef struct rmdi_command {
    char **argv;
    char **envp; /* NULL: the pool's */
    char **env;  /* NULL: nothing is added */
    char *dir, *name;
    rmd_stream streams[3]; /* paths and bytes are copies */
    int *fds;
    size_t fds_len;
    rmd_limits limits; /* the ladder is a copy and ends in SIGKILL */
    void *ctx;
    rmd_attempt_fn *on_attempt;
} rmdi_command;

/* Checks and copies. RMD_EINVAL with a detail that names the field, RMD_ENOMEM. */
int rmdi_command_copy(rmdi_command *copy, const rmd_command *command);
void rmdi_command_free(rmdi_command *copy); /* zeroed is fine */

#endif
