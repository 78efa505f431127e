/* SPDX-License-Identifier: MIT */
/* Values of options that only the command line knows. Each answers RMD_EINVAL with a
 * detail that quotes the text and tells what is accepted. */
#ifndef RMDI_CLI_RUN_VALUES_H
#define RMDI_CLI_RUN_VALUES_H

#include "job/inputs.h"

#include <remuda/command.h>

/* -j: N, +N and -N (more or fewer than the processors), N%, 0 (as many as can be). */
int rmdi_jobs_parse(const char *text, unsigned processors, unsigned *slots);

int rmdi_trim_parse(const char *text, rmdi_trim *trim);

/* --termseq: signals and milliseconds in turn, as TERM,200,KILL,25. */
int rmdi_termseq_parse(const char *text, rmd_kill_step *ladder, size_t max, size_t *len);

/* --tagstring with its escapes; *tag is new (rmdi_free). */
int rmdi_tagstring_parse(const char *text, char **tag);

#endif
