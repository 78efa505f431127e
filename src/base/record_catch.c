/* SPDX-License-Identifier: MIT */
/* Records on request, on a signal, at a crash.
 *
 * Where the file is written is worked out in memory that is there already: a handler may run on a
 * small stack. `busy` keeps it for one: a signal that finds it taken leaves no record of its own.
 *
 * A crash has a place of its own, for it may come while its own thread is just writing a record:
 * what that has written is thrown away then. If another thread is at it, it is waited for, some
 * seconds at most, so that its record does not replace that of the crash. `crashing` lets one
 * thread do this; one more that crashes waits until that has recorded, before it ends the program.
 *
 * Both hold who has it, the process and the thread, so that a child made by fork() is not kept from
 * it for ever by a thread that only its parent has. */
#include "base/decimal.h"
#include "base/error.h"
#include "base/record_file.h"
#include "base/recorder.h"
#include "port/catch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <remuda/atomics.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 10, WAITS_MAX = 500 };

static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

static struct {
    bool on;
    int signal;
    bool crash;
    rmd_recorder_format format;
    pid_t pid;                           /* of the process that turned it on */
    char pattern[PATH_MAX];              /* absolute */
    rmd_atomic(uint64_t) busy, crashing; /* who(): 0: nobody */
    rmdi_record_file place;              /* of whoever has made it busy */
    rmdi_record_file crash_place;        /* of who is crashing */
} on;

/* ---- handlers ---- */

/* The pattern with %p as the number of the process; behind it, if it is not in it and this is a
 * child of the one that was told. */
static void expand(char *to)
{
    const char *from = on.pattern;
    bool has_pid = false;
    for (; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
        } else if (*++from == 'p') {
            to = rmdi_decimal(to, (uint64_t)getpid());
            has_pid = true;
        } else {
            *to++ = '%';
        }
    }
    *to = 0;
    if (!has_pid && getpid() != on.pid) {
        *to++ = '.';
        rmdi_decimal(to, (uint64_t)getpid());
    }
}

/* In this process: a thread, or ALL of them. */
enum { ALL = 0 };

static uint64_t who(uint32_t thread)
{
    return (uint64_t)getpid() << 32 | thread;
}

/* Makes it that of the thread, unless there is one of this process; returns what was there: `me`
 * if that is it already, else 0 or of another process if it has become ours. Acquire, and release
 * where it is given back: of the place. */
static uint64_t claim(rmd_atomic(uint64_t) *owner, uint64_t me)
{
    uint64_t there = rmd_atomic_load(owner, RMD_RELAXED);
    while (there >> 32 != me >> 32 && !rmd_atomic_cas(owner, &there, me, RMD_ACQUIRE, RMD_RELAXED))
        ;
    return there;
}

static bool take(void)
{
    uint64_t me = who(rmdi_thread_number());
    return claim(&on.busy, me) >> 32 != me >> 32;
}

static void give_back(void)
{
    rmd_atomic_store(&on.busy, 0, RMD_RELEASE);
}

static void record(rmdi_record_file *p, const rmdi_record_cause *cause)
{
    expand(p->path);
    (void)rmdi_record_file_write(p, on.format, cause); /* there is nobody to tell */
}

static void on_signal(int signal, uintptr_t address)
{
    (void)address;
    if (!take())
        return;
    record(&on.place, &(rmdi_record_cause){ .signal = signal });
    give_back();
}

static void record_crash(int signal, uintptr_t address)
{
    uint64_t me = who(rmdi_thread_number());
    bool mine = rmd_atomic_load(&on.busy, RMD_RELAXED) == me, taken = false;
    for (int i = 0; i < WAITS_MAX && !mine && !(taken = take()); i++)
        poll(NULL, 0, WAIT_MS);
    record(&on.crash_place,
           &(rmdi_record_cause){ .signal = signal, .crash = true, .address = address });
    if (mine || taken)
        give_back();
}

/* Whoever waits for this one may go on: to the end of the program, which leaves no time for one
 * more record; or, if a handler was there before, which may save the program, to the next crash. */
static void end_crash(int signal)
{
    bool may_survive = rmdi_catch_has_before(signal);
    rmd_atomic_store(&on.crashing, may_survive ? 0 : who(ALL), RMD_RELEASE);
}

static void on_crash(int signal, uintptr_t address)
{
    uint64_t me = who(rmdi_thread_number()), first = claim(&on.crashing, me);
    if (first >> 32 != me >> 32) {
        record_crash(signal, address);
        end_crash(signal);
        return;
    }
    /* Not if it is us again, in what an earlier handler did, or in the recorder. */
    for (int i = 0; i < WAITS_MAX && first != me && first != who(ALL); i++) {
        if (rmd_atomic_load(&on.crashing, RMD_ACQUIRE) != first)
            break;
        poll(NULL, 0, WAIT_MS);
    }
}

/* ---- the API ---- */

static int check_format(rmd_recorder_format format)
{
    if (format > RMD_RECORDER_TRACE)
        return rmdi_fail(RMD_EINVAL, "recorder: there is no format %d", (int)format);
    return 0;
}

static int refuse(int errno_value, const char *what)
{
    if (errno_value == ENODATA)
        return rmdi_fail(RMD_ENOENT, "recorder: nothing is recorded");
    if (errno_value == ELOOP)
        return rmdi_fail(RMD_EINVAL, "recorder: %s is a symbolic link: name the file itself", what);
    return rmdi_fail_errno(errno_value, "recorder: %s", what);
}

/* No words: making them is nothing for a handler. */
int rmd_recorder_write(int fd, rmd_recorder_format format)
{
    const rmdi_record_cause asked = { 0 };
    if (format > RMD_RECORDER_TRACE)
        return RMD_EINVAL;
    int err = rmdi_record_dump(fd, format, &asked);
    return err == ENODATA ? RMD_ENOENT : rmdi_error_from_errno(err);
}

/* Where rmd_recorder_on() was told to. */
static int save_there(void)
{
    const rmdi_record_cause asked = { 0 };
    if (!on.on)
        return rmdi_fail(RMD_EINVAL, "recorder: no path was given, here or to rmd_recorder_on()");
    while (!take())
        poll(NULL, 0, WAIT_MS); /* a signal's, on another thread */
    expand(on.place.path);
    int err = rmdi_record_file_write(&on.place, on.format, &asked);
    if (err)
        err = refuse(err, on.place.path);
    give_back();
    return err;
}

int rmd_recorder_save(const char *path, rmd_recorder_format format)
{
    const rmdi_record_cause asked = { 0 };
    rmdi_record_file p;
    int err = check_format(format);
    if (err < 0)
        return err;
    if (!path)
        return save_there();
    if (!*path)
        return rmdi_fail(RMD_EINVAL, "recorder: the path is empty");
    if (strlen(path) >= PATH_MAX)
        return rmdi_fail(RMD_E2BIG, "recorder: the path is too long");
    snprintf(p.path, sizeof p.path, "%s", path);
    err = rmdi_record_file_write(&p, format, &asked);
    return err ? refuse(err, path) : 0;
}

static bool is_crash(int signal)
{
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        if (crashes[i] == signal)
            return true;
    return false;
}

/* A fault comes again as long as its handler returns, and the program would not go on. */
static int check_signal(const rmd_recorder_options *options)
{
    if (!options->signal && !options->crash)
        return rmdi_fail(RMD_EINVAL, "recorder options: neither a signal nor crash");
    if (is_crash(options->signal))
        return rmdi_fail(RMD_EINVAL, "recorder options: signal %d is one of a crash: use crash",
                         options->signal);
    return 0;
}

static int check_options(const rmd_recorder_options *options)
{
    if (!options || options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "recorder options: size is %zu, not %zu",
                         options ? options->size : 0, sizeof *options);
    if (!options->path || !*options->path)
        return rmdi_fail(RMD_EINVAL, "recorder options: no path was given");
    for (const char *at = options->path; (at = strchr(at, '%')); at += 2)
        if (at[1] != 'p' && at[1] != '%')
            return rmdi_fail(RMD_EINVAL, "recorder options: path \"%s\": after %% stands p or %%",
                             options->path);
    int err = check_signal(options);
    return err < 0 ? err : check_format(options->format);
}

/* Absolute, whatever the program's folder will be by then. A folder that is not there, or not ours
 * to write to, is told now and not at the crash. */
static int keep_path(const char *path)
{
    char folder[PATH_MAX] = "";
    size_t more = RMDI_RECORD_SUFFIX_BYTES;
    if (*path != '/' && !getcwd(folder, sizeof folder))
        return rmdi_fail_errno(errno, "recorder: the present folder");
    for (const char *at = path; (at = strchr(at, '%')); at += 2)
        more += RMDI_RECORD_SUFFIX_BYTES; /* for a number */
    int n = snprintf(on.pattern, sizeof on.pattern, "%s%s%s", folder, *folder ? "/" : "", path);
    if (n < 0 || (size_t)n + more >= sizeof on.pattern)
        return rmdi_fail(RMD_E2BIG, "recorder: the path is too long");
    on.pid = getpid();
    expand(on.place.path);
    int err = rmdi_record_file_check(on.place.path);
    return err ? refuse(err, on.place.path) : 0;
}

static int catch_all(const rmd_recorder_options *options)
{
    int err = options->signal ? rmdi_catch(options->signal, on_signal, false) : 0;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes && options->crash && !err; i++)
        err = rmdi_catch(crashes[i], on_crash, true);
    return err;
}

int rmd_recorder_on(const rmd_recorder_options *options)
{
    int err = check_options(options);
    if (err < 0)
        return err;
    if (on.on)
        return rmdi_fail(RMD_EBUSY, "recorder: it is on already, and writes to %s", on.pattern);
    err = keep_path(options->path);
    if (err < 0)
        return err;
    if (!rmdi_recorder_prepare()) /* not when the first thread crashes */
        return rmdi_fail(RMD_ENOENT, "recorder: it was turned off by REMUDA_RECORD=off");
    on.format = options->format;
    on.signal = options->signal;
    on.crash = options->crash;
    on.on = true;
    err = catch_all(options);
    if (!err)
        return 0;
    rmd_recorder_off();
    return rmdi_fail(err == EBUSY ? RMD_EBUSY : RMD_EINVAL,
                     "recorder options: signal %d cannot be handled: %s", options->signal,
                     err == EBUSY ? "it is caught already" : "the system refuses it");
}

void rmd_recorder_off(void)
{
    if (!on.on)
        return;
    rmdi_catch_end(on.signal);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes && on.crash; i++)
        rmdi_catch_end(crashes[i]);
    on.on = false;
}
