/* SPDX-License-Identifier: MIT */
/* Writing what is recorded: docs/protocol/recorder.md. */
#ifndef RMDI_BASE_RECORD_DUMP_H
#define RMDI_BASE_RECORD_DUMP_H

#include <remuda/recorder.h>

/* Why it is written. */
typedef struct rmdi_record_cause {
    int signal;        /* 0: it was asked for */
    bool crash;        /* the signal is one of a crash, of the calling thread */
    uintptr_t address; /* of the fault; 0: not known */
} rmdi_record_cause;

/* In any signal handler. 0 or an errno value: ENODATA: nothing is recorded. */
int rmdi_record_dump(int fd, rmd_recorder_format format, const rmdi_record_cause *cause);

/* "SIGSEGV", and so on; "signal" for those that nobody takes. */
const char *rmdi_record_signal_name(int signal);

#endif
