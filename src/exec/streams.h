/* SPDX-License-Identifier: MIT */
/* Standard input, output and error of an attempt: opening them for the program, and
 * moving the bytes. */
#ifndef RMDI_EXEC_STREAMS_H
#define RMDI_EXEC_STREAMS_H

#include "exec/attempt.h"

/* Opens all three: theirs[i] is what becomes descriptor i of the program, owned[i]
 * tells whether to close it after the start. On failure nothing stays open. */
int rmdi_streams_open(rmdi_attempt *attempt, int theirs[3], bool owned[3]);

/* Starts to watch our ends of the pipes; before the program starts. RMD_ENOMEM. */
int rmdi_streams_watch(rmdi_attempt *attempt);

/* Takes what the program had written when it ended, without waiting for more. */
void rmdi_streams_drain(rmdi_attempt *attempt);

/* Closes our ends; sinks are told unless the program has not been started. */
void rmdi_streams_close(rmdi_attempt *attempt);

/* For streams.c to say that output could not be kept: the attempt fails with the
 * thread's detail and is stopped. */
void rmdi_attempt_output_failed(rmdi_attempt *attempt, int error);

#endif
