/* SPDX-License-Identifier: MIT */
/* Where the verbs that call functions write results: the standard output that they were given,
 * which is theirs alone. What functions, their workers and their children write to standard output
 * goes to standard error instead. */
#ifndef RMDI_CLI_RESULTS_H
#define RMDI_CLI_RESULTS_H

#include <stddef.h>

/* Moves standard output to *fd, which no other program gets, and puts standard error in its place,
 * unbuffered as that is. Before functions are loaded, after help was printed. RMD_EMFILE and others
 * of the system. */
int rmdi_results_open(int *fd);

/* Writes all of it, without stdio: its buffer would be copied, and written again, by a function
 * that forks. Blocks while nobody reads, whether the descriptor is set to block or not, and also
 * when the thread is told to stop. 0, or an errno value. */
int rmdi_results_write(int fd, const void *data, size_t len);

/* Errors of what functions wrote are none of the output: they are forgotten. */
void rmdi_results_close(int fd);

#endif
