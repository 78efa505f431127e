/* SPDX-License-Identifier: MIT */
#include "cli/calling.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/nearest.h"
#include "cli/shell_choice.h"
#include "cli/verb.h"
#include "data/utf8.h"
#include "job/size.h"

#include <remuda/foreign.h>
#include <remuda/plugin.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWN_CODES = -1000 };

int rmdi_calling_set_load(void *to, const char *value)
{
    rmdi_calling *calling = to;
    return rmdi_words_add(&calling->plugins, value);
}

int rmdi_calling_set_service(void *to, const char *value)
{
    rmdi_calling *calling = to;
    calling->service = value;
    return 0;
}

int rmdi_calling_set_program(void *to, const char *value)
{
    rmdi_calling *calling = to;
    calling->program = value;
    return 0;
}

int rmdi_calling_set_worker(void *to, const char *value)
{
    rmdi_calling *calling = to;
    calling->worker = value;
    return 0;
}

int rmdi_calling_set_pool(void *to, const char *value)
{
    rmdi_calling *calling = to;
    calling->pool = value;
    return 0;
}

int rmdi_calling_set_timeout(void *to, const char *value)
{
    rmdi_calling *calling = to;
    int64_t ns;
    int err = rmdi_duration_parse(value, &ns);
    if (err == 0)
        calling->limits.run_ms_max = ns / 1000000 + (ns % 1000000 > 0);
    return err;
}

int rmdi_calling_set_retries(void *to, const char *value)
{
    rmdi_calling *calling = to;
    uint64_t n;
    int err = rmdi_count_parse(value, 0, UINT32_MAX, &n);
    if (err == 0)
        calling->limits.attempts_max = calling->limits.crashes_max = n ? (unsigned)n : UINT32_MAX;
    return err;
}

static int check_service(const rmdi_calling *calling)
{
    if (calling->program && calling->worker)
        return rmdi_fail(RMD_EINVAL, "--program and --worker exclude one another");
    if (calling->service && !calling->program && !calling->worker)
        return rmdi_fail(RMD_EINVAL, "--service %.150s needs --program CMD, or --worker CMD",
                         calling->service);
    if (!calling->service && (calling->program || calling->worker))
        return rmdi_fail(RMD_EINVAL, "--%s needs --service NAME: that is the function",
                         calling->program ? "program" : "worker");
    return 0;
}

static int add_service(const rmdi_calling *calling)
{
    const char *command = calling->program ? calling->program : calling->worker;
    char **argv;
    int err = check_service(calling);
    if (err < 0 || !calling->service)
        return err;
    err = rmdi_command_argv(command, &argv);
    if (err < 0)
        return rmdi_fail(err, "--%s: an empty command", calling->program ? "program" : "worker");
    rmd_foreign foreign = { .size = sizeof foreign,
                            .name = calling->service,
                            .argv = (const char *const *)argv,
                            .worker = calling->worker,
                            .help = command,
                            .parameters = calling->program ? "input:any=" : NULL,
                            .result = calling->program ? "bytes" : NULL };
    err = rmd_foreign_add(&foreign);
    rmdi_free(argv);
    return err;
}

/* ---- plug-ins ---- */

static const char *loading, *loading_for; /* a plug-in, its constructors may run; and the verb */
static pid_t loading_in;

/* One that calls exit() shall not look as if all had been done; in a child of its own it may. */
static void on_exit_while_loading(void)
{
    if (!loading || getpid() != loading_in)
        return;
    rmdi_complain(loading_for, "plug-in %s ended the program while it was loaded", loading);
    _exit(RMDI_EXIT_OWN_ERROR);
}

static int load(const rmdi_calling *calling, const char *path)
{
    static bool guarded;
    if (!guarded && atexit(on_exit_while_loading) != 0)
        return rmdi_fail_memory();
    guarded = true;
    loading_for = calling->verb;
    loading_in = getpid();
    loading = path;
    int err = rmd_plugin_load(path);
    loading = NULL;
    return err;
}

int rmdi_calling_add_functions(const rmdi_calling *calling)
{
    int err = 0;
    for (size_t i = 0; i < calling->plugins.len && err == 0; i++)
        err = load(calling, calling->plugins.words[i]);
    return err < 0 ? err : add_service(calling);
}

static int found_one(const rmd_function *function, void *ctx)
{
    (void)function;
    (void)ctx;
    return 1;
}

const rmd_function *rmdi_calling_find(const char *name)
{
    const rmd_function *function = rmd_function_find(name);
    if (function)
        return function;
    const char *nearest = rmdi_nearest_function(name);
    if (!rmd_functions_walk(found_one, NULL))
        rmdi_fail(
            RMD_ENOENT,
            "no function is called \"%.150s\", as there are none: --load names a plug-in that "
            "has some",
            name);
    else if (nearest)
        rmdi_fail(RMD_ENOENT, "no function is called \"%.150s\"; is it \"%s\"?", name, nearest);
    else
        rmdi_fail(
            RMD_ENOENT,
            "no function is called \"%.150s\"; remuda functions, with the same options, lists "
            "those that are there",
            name);
    return NULL;
}

int rmdi_calling_open(const rmdi_calling *calling, rmd_pool **pool, const char *otherwise)
{
    return rmd_pool_open(pool, calling->pool ? calling->pool : otherwise, NULL, RMD_FOREVER);
}

bool rmdi_calling_close(rmd_pool *pool)
{
    if (rmd_pool_drain(pool, RMD_FOREVER) == RMD_ESTUCK)
        return false;
    (void)rmd_pool_free(pool);
    return true;
}

int rmdi_calling_add_shown(rmdi_buffer *to, const char *text)
{
    size_t len = strlen(text), taken;
    int err = 0;
    for (size_t at = 0; at < len && err == 0; at += taken) {
        uint32_t c = rmdi_utf8_decode((const unsigned char *)text + at, len - at, &taken);
        if (c == '\n' || c == '\t')
            err = rmdi_buffer_add_byte(to, ' ');
        else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == RMDI_UTF8_REPLACEMENT)
            err = rmdi_buffer_add_format(to, "\\u%04x", (unsigned)c);
        else
            err = rmdi_buffer_add(to, text + at, taken);
    }
    return err;
}

bool rmdi_calling_is_own_code(int error)
{
    return error < OWN_CODES;
}

int rmdi_calling_failure(rmdi_buffer *to, const rmd_failure *failure)
{
    const char *why = *failure->detail ? failure->detail : rmd_strerror(failure->error);
    int err = rmdi_buffer_add_format(to, "%s: ", rmd_outcome_name(failure->outcome));
    if (err == 0)
        err = rmdi_calling_add_shown(to, why);
    if (err < 0)
        return err;
    if (rmdi_calling_is_own_code(failure->error))
        return rmdi_buffer_add_format(to, " [%d]", failure->error);
    return rmdi_buffer_add_format(to, " [%s]", rmd_error_name(failure->error));
}

void rmdi_calling_free(rmdi_calling *calling)
{
    rmdi_free(calling->plugins.words);
}
