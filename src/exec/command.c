/* SPDX-License-Identifier: MIT */
#include "exec/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "exec/environment.h"
#include "port/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

static const rmd_kill_step default_ladder[] = { { SIGTERM, 2000 }, { SIGKILL, 0 } };

static int check_input(const rmd_stream *in)
{
    switch (in->kind) {
    case RMD_STREAM_CAPTURE:
    case RMD_STREAM_TAIL:
    case RMD_STREAM_SINK: return rmdi_fail(RMD_EINVAL, "command: stdin cannot be captured");
    case RMD_STREAM_BYTES:
        if (in->bytes.len && !in->bytes.data)
            return rmdi_fail(RMD_EINVAL, "command: stdin has a length but no bytes");
        return 0;
    default: return 0;
    }
}

static int check_stream(const rmd_stream *stream, int number)
{
    static const char *const names[] = { "stdin", "stdout", "stderr" };
    if ((unsigned)stream->kind > RMD_STREAM_SINK)
        return rmdi_fail(RMD_EINVAL, "command: %s: unknown kind %d", names[number], stream->kind);
    if (stream->kind == RMD_STREAM_FD && fcntl(stream->fd, F_GETFD) < 0)
        return rmdi_fail(RMD_EINVAL, "command: %s: descriptor %d is not open", names[number],
                         stream->fd);
    if (stream->kind == RMD_STREAM_FILE && !stream->path)
        return rmdi_fail(RMD_EINVAL, "command: %s: a file without a path", names[number]);
    if (stream->kind == RMD_STREAM_SINK && !stream->sink)
        return rmdi_fail(RMD_EINVAL, "command: %s: a sink without a function", names[number]);
    if (number == RMD_STDIN)
        return check_input(stream);
    if (stream->kind == RMD_STREAM_BYTES)
        return rmdi_fail(RMD_EINVAL, "command: %s cannot be given bytes", names[number]);
    return 0;
}

static int check_fds(const rmd_command *command)
{
    if (command->fds_len > RMDI_SPAWN_FDS_MAX - 3)
        return rmdi_fail(RMD_EINVAL, "command: %zu descriptors, at most %d", command->fds_len,
                         RMDI_SPAWN_FDS_MAX - 3);
    if (command->fds_len && !command->fds)
        return rmdi_fail(RMD_EINVAL, "command: fds_len is %zu, but fds is missing",
                         command->fds_len);
    for (size_t i = 0; i < command->fds_len; i++)
        if (fcntl(command->fds[i], F_GETFD) < 0)
            return rmdi_fail(RMD_EINVAL, "command: fds[%zu]: descriptor %d is not open", i,
                             command->fds[i]);
    return 0;
}

static int check_env(const char *const *env)
{
    for (; env && *env; env++)
        if (**env == '=' || !strchr(*env, '='))
            return rmdi_fail(RMD_EINVAL, "command: env: \"%s\" is not NAME=value", *env);
    return 0;
}

static int check_time(const char *name, int64_t ms)
{
    return ms < 0 ? rmdi_fail(RMD_EINVAL, "command: %s is negative", name) : 0;
}

static int check_limits(const rmd_limits *limits)
{
    int err = check_time("queue_ms_max", limits->queue_ms_max);
    if (err == 0)
        err = check_time("run_ms_max", limits->run_ms_max);
    if (err == 0)
        err = check_time("total_ms_max", limits->total_ms_max);
    if (err < 0)
        return err;
    if (limits->ladder && !limits->ladder_len)
        return rmdi_fail(RMD_EINVAL, "command: a kill ladder without steps");
    for (size_t i = 0; limits->ladder && i < limits->ladder_len; i++)
        if (limits->ladder[i].signal < 1 || limits->ladder[i].signal >= _NSIG ||
            limits->ladder[i].wait_ms < 0)
            return rmdi_fail(RMD_EINVAL,
                             "command: step %zu of the kill ladder: no signal %d, or a wait "
                             "of %lld ms",
                             i + 1, limits->ladder[i].signal, (long long)limits->ladder[i].wait_ms);
    return 0;
}

static int check(const rmd_command *command)
{
    if (!command)
        return rmdi_fail(RMD_EINVAL, "command: none was given");
    if (command->size != sizeof *command)
        return rmdi_fail(RMD_EINVAL, "command: size is %zu, not %zu", command->size,
                         sizeof *command);
    if (!command->argv || !command->argv[0])
        return rmdi_fail(RMD_EINVAL, "command: argv names no program");
    int err = check_fds(command);
    if (err == 0)
        err = check_env(command->env);
    const rmd_stream *streams[] = { &command->in, &command->out, &command->err };
    for (int i = 0; i < 3 && err == 0; i++)
        err = check_stream(streams[i], i);
    return err < 0 ? err : check_limits(&command->limits);
}

/* ---- copying: each answers false when there is no memory ---- */

static bool copy_text(char **to, const char *from)
{
    *to = from ? rmdi_strdup(from) : NULL;
    return *to || !from;
}

static bool copy_strings(char ***to, const char *const *from)
{
    *to = from ? rmdi_strings_copy(from) : NULL;
    return *to || !from;
}

static bool copy_stream(rmd_stream *to, const rmd_stream *from)
{
    *to = *from;
    to->path = NULL;
    to->bytes = (rmd_bytes){ 0 };
    if (from->kind == RMD_STREAM_FILE)
        return (to->path = rmdi_strdup(from->path)) != NULL;
    if (from->kind != RMD_STREAM_BYTES)
        return true;
    to->bytes.data = rmdi_memdup(from->bytes.data, from->bytes.len);
    to->bytes.len = from->bytes.len;
    return to->bytes.data != NULL;
}

static bool copy_ladder(rmd_limits *to, const rmd_limits *from)
{
    const rmd_kill_step *steps = from->ladder ? from->ladder : default_ladder;
    size_t n = from->ladder ? from->ladder_len : sizeof default_ladder / sizeof *default_ladder;
    rmd_kill_step *copy = rmdi_alloc((n + 1) * sizeof *copy);
    *to = *from;
    to->ladder = copy;
    if (!copy)
        return false;
    memcpy(copy, steps, n * sizeof *copy);
    if (copy[n - 1].signal != SIGKILL)
        copy[n++] = (rmd_kill_step){ .signal = SIGKILL };
    to->ladder_len = n;
    return true;
}

static bool copy_all(rmdi_command *to, const rmd_command *from)
{
    to->ctx = from->ctx;
    to->on_attempt = from->on_attempt;
    to->fds_len = from->fds_len;
    to->fds = from->fds_len ? rmdi_memdup(from->fds, from->fds_len * sizeof *from->fds) : NULL;
    return (to->fds || !from->fds_len) && copy_strings(&to->argv, from->argv) &&
           copy_strings(&to->envp, from->envp) && copy_strings(&to->env, from->env) &&
           copy_text(&to->dir, from->dir) &&
           copy_text(&to->name, from->name ? from->name : from->argv[0]) &&
           copy_stream(&to->streams[RMD_STDIN], &from->in) &&
           copy_stream(&to->streams[RMD_STDOUT], &from->out) &&
           copy_stream(&to->streams[RMD_STDERR], &from->err) &&
           copy_ladder(&to->limits, &from->limits);
}

static void choose_defaults(rmdi_command *command)
{
    static const rmd_stream_kind kinds[] = { RMD_STREAM_NULL, RMD_STREAM_CAPTURE, RMD_STREAM_TAIL };
    for (int i = 0; i < 3; i++)
        if (command->streams[i].kind == RMD_STREAM_DEFAULT)
            command->streams[i].kind = kinds[i];
    if (command->limits.attempts_max == 0)
        command->limits.attempts_max = 1;
}

int rmdi_command_copy(rmdi_command *copy, const rmd_command *command)
{
    *copy = (rmdi_command){ 0 };
    int err = check(command);
    if (err < 0)
        return err;
    if (!copy_all(copy, command)) {
        rmdi_command_free(copy);
        return rmdi_fail_memory();
    }
    choose_defaults(copy);
    return 0;
}

/* What the public structures show as const is ours here. */
static void free_const(const void *p)
{
    union {
        const void *as_const;
        void *plain;
    } pointer = { .as_const = p };
    rmdi_free(pointer.plain);
}

void rmdi_command_free(rmdi_command *copy)
{
    rmdi_free(copy->argv);
    rmdi_free(copy->envp);
    rmdi_free(copy->env);
    rmdi_free(copy->dir);
    rmdi_free(copy->name);
    rmdi_free(copy->fds);
    for (int i = 0; i < 3; i++) {
        free_const(copy->streams[i].path);
        free_const(copy->streams[i].bytes.data);
    }
    free_const(copy->limits.ladder);
    *copy = (rmdi_command){ 0 };
}
