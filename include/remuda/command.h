/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* A command: everything that is needed to run an external program once.
 *
 *     const char *argv[] = { "sort", "-n", NULL };
 *     rmd_command command = { .size = sizeof command, .argv = argv,
 *                             .in = { .kind = RMD_STREAM_BYTES, .bytes = { "2\n1\n", 4 } },
 *                             .limits = { .run_ms_max = 5000 } };
 *     err = rmd_pool_exec(pool, &future, &command);
 *
 * Zero means the default everywhere. rmd_pool_exec copies all of it. Unstable: names
 * here may still change until the threads pool has proved them. */
#ifndef REMUDA_COMMAND_H
#define REMUDA_COMMAND_H

#include <remuda/api.h>
#include <remuda/bytes.h>
#include <remuda/future.h>
#include <remuda/limits.h>

RMD_BEGIN

enum { RMD_STDIN = 0, RMD_STDOUT = 1, RMD_STDERR = 2 };

typedef enum rmd_stream_kind {
    RMD_STREAM_DEFAULT = 0, /* stdin: NULL; stdout: CAPTURE; stderr: TAIL */
    RMD_STREAM_NULL,        /* /dev/null */
    RMD_STREAM_INHERIT,     /* the same descriptor of the process that owns the pool */
    RMD_STREAM_FD,          /* .fd, borrowed until the task has ended */
    RMD_STREAM_FILE,        /* .path: read; or written, emptied first unless .append; made
                             * with mode 0666 less the umask */
    RMD_STREAM_BYTES,       /* stdin only: .bytes through a pipe */
    RMD_STREAM_CAPTURE,     /* output: all of it is kept, see rmd_future_read() */
    RMD_STREAM_TAIL,        /* output: counted, and the last 64 KiB are kept */
    RMD_STREAM_SINK,        /* output: given to .sink as it comes */
} rmd_stream_kind;

/* Gets output as it comes, on the pool's keeper thread, in pieces of at most 64 KiB;
 * data is borrowed for the call. len 0: the stream is at its end, once for each attempt
 * that was started. It must not block for long: the other tasks of the pool wait
 * meanwhile. */
typedef void rmd_sink_fn(void *ctx, int stream, const void *data, size_t len);

typedef struct rmd_stream {
    rmd_stream_kind kind;
    int fd;
    const char *path; /* relative to the command's directory */
    bool append;
    rmd_bytes bytes;
    rmd_sink_fn *sink;
    void *ctx; /* for sink */
} rmd_stream;

/* Told on the pool's keeper thread that an attempt has started (attempt->outcome RMD_PENDING), or
 * that one has ended and another will be made; the end of the last is the end of the future. All is
 * borrowed for the call, which must not block for long. */
typedef void rmd_attempt_fn(void *ctx, const rmd_exit *attempt);

typedef struct rmd_command {
    size_t size;             /* sizeof(rmd_command), exactly: else RMD_EINVAL */
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in the PATH
                              * of its own environment */
    const char *const *envp; /* NULL-terminated; NULL: as it was when the pool opened */
    const char *const *env;  /* "NAME=value" added to envp, or replacing; NULL: none */
    const char *dir;         /* where it runs; NULL: where the owner is */
    rmd_stream in, out, err;
    const int *fds; /* further descriptors: fds[i] becomes 3 + i; borrowed until the end */
    size_t fds_len; /* every other descriptor is closed in the program */
    rmd_limits limits;
    struct rmd_group *group;    /* counts and cancels it with others; borrowed until its end */
    const char *name;           /* for messages; NULL: argv[0] */
    int64_t full_ms;            /* queue full: 0: wait; < 0: RMD_EFULL at once; > 0: wait so long */
    void *ctx;                  /* the user's own, see rmd_future_ctx() */
    rmd_attempt_fn *on_attempt; /* gets ctx; NULL: nobody wants to know */
} rmd_command;

RMD_END

#endif
