/* SPDX-License-Identifier: MIT */
/* The options of `remuda map`, read from its arguments. */
#ifndef RMDI_CLI_MAP_OPTIONS_H
#define RMDI_CLI_MAP_OPTIONS_H

#include "cli/calling.h"

typedef struct rmdi_cli_map {
    rmdi_calling calling;
    rmdi_words words; /* the function */
    bool text, raw, spread;
    bool as_completed, keyed, halt, quiet;
    unsigned window; /* 0: so many as rmd_map() takes */
} rmdi_cli_map;

/* Reads argv (argv[0] is "map"), which is borrowed. 0; or an error with a detail that names the
 * option and tells what is accepted. */
int rmdi_cli_map_read(rmdi_cli_map *cli, int argc, char **argv);
void rmdi_cli_map_free(rmdi_cli_map *cli);

void rmdi_cli_map_help(void);

#endif
