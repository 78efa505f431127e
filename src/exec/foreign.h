/* SPDX-License-Identifier: MIT */
/* The inside of <remuda/foreign.h>.
 *
 *   foreign.c          definitions: adding them, and bringing them to worker processes
 *   foreign_crew.c     which foreign processes belong to which thread, and for how long
 *   foreign_child.c    a foreign process: starting it, listening to it, ending it
 *   foreign_mark.c     by what it is known in a worker process
 *   foreign_worker.c   one that stays: its tasks and answers
 *   foreign_codec.c    what stands in them
 *   foreign_program.c  one that is run for a call
 *
 * A foreign process belongs to the thread that calls it, which writes, reads and waits itself:
 * there is no thread between it and the worker of the pool. */
#ifndef RMDI_EXEC_FOREIGN_H
#define RMDI_EXEC_FOREIGN_H

#include "data/bytes.h"
#include "exec/carried.h"

#include <remuda/call.h>
#include <remuda/deadline.h>
#include <remuda/foreign.h>

/* A definition; it stays for ever, as functions do, and does not change. */
typedef struct rmdi_foreign {
    rmd_function functions[2]; /* a table of one */
    char **argv;
    bool worker;
    int64_t ready_ms, answer_ms; /* answer_ms 0: no limit */
    size_t answer_bytes_max;
    rmdi_buffer encoded; /* all of it as it is carried, by which two are compared */
    char *texts[4];      /* behind the pointers in functions[0] */
} rmdi_foreign;

/* Brings definitions to worker processes. */
extern rmdi_carrier rmdi_foreign_carrier;

bool rmdi_function_is_foreign(const rmd_function *function);

/* The two bodies. Errors as in <remuda/foreign.h>. */
int rmdi_foreign_work(const rmdi_foreign *foreign, rmd_call *call);
int rmdi_foreign_run(const rmdi_foreign *foreign, rmd_call *call);

/* The argument of a call that takes bytes or a text, or none. RMD_EINVAL. */
int rmdi_foreign_argument(const rmd_call *call, rmd_bytes *argument);

/* When the answer must have come. */
static inline rmd_deadline rmdi_foreign_due(const rmdi_foreign *foreign)
{
    return foreign->answer_ms ? rmd_after_ms(foreign->answer_ms) : RMD_FOREVER;
}

/* Ends what the calling thread keeps, before its process ends without ending its threads. */
void rmdi_foreign_leave(void);

#endif
