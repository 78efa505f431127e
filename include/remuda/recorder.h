/* SPDX-License-Identifier: MIT */
/* floor: base */
/* The flight recorder: what the pools of this process did last. It is always on, and costs at most
 * 2 % of the smallest tasks; what it has is written when it is asked for, on a signal, or when the
 * program crashes.
 *
 *     err = rmd_recorder_on(&(rmd_recorder_options){
 *         .size = sizeof(rmd_recorder_options), .path = "/tmp/flight-%p.txt", .signal = SIGUSR2,
 *         .crash = true });
 *     ...
 *     kill -USR2 PID                     writes /tmp/flight-PID.txt; the program goes on
 *     remuda explain /tmp/flight-PID.txt
 *
 * Each thread keeps its last 2,047 events and, apart, its last 127 rare ones: workers that sleep
 * and wake, take tasks, steal them, give way to a spare; tasks that begin and end; processes and
 * programs that are started, answer and die; limits, refusals, pools. Of threads that have ended
 * the events are kept until another thread needs the room. Of tasks of less than some microseconds
 * only a part is recorded, but always which one runs. docs/guide/recorder.md tells more, and
 * docs/protocol/recorder.md what is written.
 *
 * The library installs no signal handler but in rmd_recorder_on(), and in rmd_start() when the
 * variable REMUDA_RECORD of the environment names a path, which is the same. REMUDA_RECORD=off
 * turns recording itself off.
 *
 * In a child made by fork() there is what had been recorded until then, of all threads of the
 * parent, which are said to have ended, and from then on what the child does. A worker process of a
 * pool keeps a record of its own, which ends with it; it is written when the worker crashes and
 * rmd_start() was told to by REMUDA_RECORD. What the pool itself knows of its workers is in the
 * pool's process. */
#ifndef REMUDA_RECORDER_H
#define REMUDA_RECORDER_H

#include <remuda/api.h>

RMD_BEGIN

typedef enum rmd_recorder_format {
    RMD_RECORDER_AUTO,  /* a trace if the path ends in ".json", else text */
    RMD_RECORDER_TEXT,  /* a line for each event */
    RMD_RECORDER_TRACE, /* JSON for chrome://tracing and ui.perfetto.dev */
} rmd_recorder_format;

/* Writes what is recorded to a descriptor, which is borrowed; all threads go on meanwhile. May be
 * called in a signal handler: it needs no lock, and no memory but what it gets from the system; and
 * for that reason it leaves rmd_error_detail() as it was. A pipe that is full is waited for, five
 * seconds at most in all, also one whose writers block (unless others fill it meanwhile).
 *
 * Errors: RMD_EINVAL (no such format), RMD_ENOMEM, RMD_ENOSPC, RMD_EIO (writing failed, also to a
 * closed descriptor), RMD_ETIMEDOUT (nobody reads), RMD_ENOENT (recording is off, or no thread has
 * done anything yet). Blocks that long, and as files do. Any thread. */
RMD_API int rmd_recorder_write(int fd, rmd_recorder_format format);

/* The same to a file, which is replaced when all is written, so that there is never half a record
 * under that name; of mode 0600. What is there and no file (a FIFO, a terminal) is written to
 * instead. path is borrowed; NULL: the path and the format of rmd_recorder_on().
 *
 * Errors: as above, and those of making the file: RMD_ENOENT, RMD_EACCES and so on, with the path;
 * RMD_EIO (a FIFO that nobody reads); RMD_EINVAL (a symbolic link to a file, which is neither
 * followed nor replaced; NULL, and it is not on). Blocks. Any thread; not in a signal handler. */
RMD_API int rmd_recorder_save(const char *path, rmd_recorder_format format);

typedef struct rmd_recorder_options {
    size_t size;      /* sizeof(rmd_recorder_options), exactly: else RMD_EINVAL */
    const char *path; /* copied; %p in it is the number of the process, %% is % */
    rmd_recorder_format format;
    int signal; /* on which it is written, SIGUSR2, say; none of a crash; 0: on none */
    bool crash; /* written at SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT */
} rmd_recorder_options;

/* Installs handlers of signals that write what is recorded to path, at each `signal` anew, and when
 * the program crashes. After that a crash goes its way: to the handler that was installed before, a
 * sanitizer's, say, or to the default, which ends the program with that signal. If that handler
 * saves the program, that signal is its own from then on, and a crash by another one leaves a
 * record again. A handler that was there for `signal` is called afterwards; if there was none the
 * program goes on.
 *
 * The handlers run on the thread that crashes, on its alternative stack if it has one
 * (sigaltstack); without it a thread that has used up its stack leaves no record. Handlers that are
 * installed later replace these. A child made by fork() keeps them, and writes to the same path
 * with .PID behind it if there is no %p in it.
 *
 * Errors: RMD_EINVAL (size, no path, a % that is none of these, a symbolic link to a file; a signal
 * that cannot be handled or is one of a crash, neither signal nor crash), RMD_E2BIG (the path),
 * RMD_ENOENT and RMD_EACCES (its folder), RMD_ENOENT (REMUDA_RECORD=off), RMD_EBUSY (it is on: off
 * first; or others have put a handler over one of ours, and may still call that). Never blocks. One
 * thread at a time. */
RMD_API int rmd_recorder_on(const rmd_recorder_options *options);

/* Gives those signals back to whom they belonged, unless another handler was installed meanwhile.
 * Recording goes on. Never fails or blocks. One thread at a time; no such signal may be coming. */
RMD_API void rmd_recorder_off(void);

RMD_END

#endif
