/* SPDX-License-Identifier: MIT */
/* Flight records (docs/protocol/recorder.md): reading them, and what they say of the pools. */
#ifndef RMDI_JOB_FLIGHT_H
#define RMDI_JOB_FLIGHT_H

#include "base/recorder.h"
#include "data/bytes.h"

#include <jansson.h>

enum { RMDI_FLIGHT_WORD = 64, RMDI_FLIGHT_THREADS_MAX = 4096 };

/* Times are from 0 to this, whatever a file says: some of them can be added. */
#define RMDI_FLIGHT_NS_MAX (INT64_MAX / 8)

typedef struct rmdi_flight_event {
    int64_t ns;      /* of the monotonic clock */
    unsigned thread; /* its place among the threads */
    rmdi_record_kind kind;
    uint64_t id;
    int64_t value;
} rmdi_flight_event;

/* Times in nanoseconds. */
typedef struct rmdi_flight_thread {
    unsigned number, system;
    char name[RMDI_FLIGHT_WORD];
    bool ended;
    uint64_t task;       /* that runs on it; 0: none */
    uint64_t kept, lost; /* events */
    /* found by rmdi_flight_sum(): */
    uint64_t events;
    int64_t first_ns, last_ns, recorded_ns; /* since its first event that is left */
    int64_t parked_ns, blocked_ns, bench_ns, full_ns;
    int64_t gap_ns; /* of which nothing is known; not in recorded_ns */
    bool is_worker;
    uint64_t tasks, failed, steals, wakeups, spares;
    int64_t task_since_ns; /* when `task` began; 0: that is not recorded */
} rmdi_flight_thread;

/* Something that took long. */
typedef struct rmdi_flight_span {
    uint64_t task; /* 0: there is none */
    int64_t ns;
    unsigned thread; /* its place */
    bool open;       /* it had not ended */
} rmdi_flight_span;

/* What runs at the end. */
typedef struct rmdi_flight_running {
    uint64_t task;
    int64_t since_ns;  /* 0: not recorded */
    const char *where; /* "thread", "program", "worker process" */
    int64_t number;    /* of the thread; the pid; the worker */
} rmdi_flight_running;

typedef struct rmdi_flight {
    char program[RMDI_FLIGHT_WORD], written[RMDI_FLIGHT_WORD];
    char because[RMDI_FLIGHT_WORD], signal_name[RMDI_FLIGHT_WORD], address[RMDI_FLIGHT_WORD];
    int64_t pid, end_ns;
    int signal;
    unsigned crashed; /* number of the thread; 0: none of them */
    uint64_t unrecorded;
    bool cut_off; /* the end is missing */
    rmdi_flight_thread *threads;
    size_t threads_len, threads_capacity;
    rmdi_flight_event *events; /* in the order of their time */
    size_t events_len, events_capacity;
    /* found by rmdi_flight_sum(): */
    rmdi_flight_span longest, waited;
    uint64_t gaps, overwritten; /* how many gaps, and events that are missing there */
    rmdi_flight_running *running;
    size_t running_len, running_capacity;
    uint64_t kinds[RMDI_RECORD_KINDS_LEN]; /* how many of each; gaps are none */
} rmdi_flight;

/* Reads the whole file into *flight, which is to be freed in any case, and returns 1; or 0, and
 * nothing else is done, if it does not begin like a flight record or cannot be opened. The file may
 * be a pipe. Unknown lines, kinds and fields are skipped, and what is not printable ASCII in words
 * becomes '_'. Errors: RMD_EINVAL (it is none after all, or of a later version), RMD_ENOMEM, and
 * those of reading. */
int rmdi_flight_read(rmdi_flight *flight, const char *path);
/* The same of what is in memory, and is cut into pieces by that; name: for what is wrong. Returns
 * 0. */
int rmdi_flight_parse(rmdi_flight *flight, const char *name, rmdi_buffer *text);
void rmdi_flight_free(rmdi_flight *flight);

/* Finds out what the events mean. RMD_ENOMEM. */
int rmdi_flight_sum(rmdi_flight *flight);

/* In words, with the last events of each thread; as a new object, NULL: no memory. RMD_ENOMEM. */
int rmdi_flight_tell(const rmdi_flight *flight, unsigned last, rmdi_buffer *text);
json_t *rmdi_flight_json(const rmdi_flight *flight, unsigned last);

/* What a kind is called, and its fields: "" for none. */
typedef struct rmdi_flight_kind {
    const char *name, *id, *value;
} rmdi_flight_kind;
const rmdi_flight_kind *rmdi_flight_kind_of(rmdi_record_kind kind);

#endif
