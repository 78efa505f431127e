/* SPDX-License-Identifier: MIT */
/* The options of `remuda run`, read from its arguments. */
#ifndef RMDI_CLI_RUN_OPTIONS_H
#define RMDI_CLI_RUN_OPTIONS_H

#include "cli/words.h"
#include "job/run.h"

enum { RMDI_LADDER_MAX = 32 };

typedef struct rmdi_cli_run {
    rmdi_run_options run;
    const char *jobs; /* -j as given; NULL: default */
    rmdi_inputs_source *sources;
    size_t sources_len, sources_capacity;
    const char ***lists; /* words of the sources, to be freed */
    size_t lists_len, lists_capacity;
    const char **words; /* of the command */
    rmd_kill_step ladder[RMDI_LADDER_MAX];
    char *tag;
    bool tag_wanted;
    unsigned outputs_seen;
    rmdi_words environment, reports;
    const char *record; /* flight record; NULL: none */
    rmdi_buffer command_line;
    bool help;
} rmdi_cli_run;

/* Reads argv (argv[0] is "run"). 0; or an error with a detail that names the option and
 * tells what is accepted. Borrows argv. */
int rmdi_cli_run_read(rmdi_cli_run *cli, int argc, char **argv);
void rmdi_cli_run_free(rmdi_cli_run *cli);

void rmdi_cli_run_help(void);

#endif
