/* SPDX-License-Identifier: MIT */
#include "cli/calling.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/nearest.h"
#include "job/size.h"

#include <remuda/plugin.h>

int rmdi_calling_set_load(void *to, const char *value)
{
    rmdi_calling *calling = to;
    return rmdi_words_add(&calling->plugins, value);
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

int rmdi_calling_add_functions(const rmdi_calling *calling)
{
    int err = 0;
    for (size_t i = 0; i < calling->plugins.len && err == 0; i++)
        err = rmd_plugin_load(calling->plugins.words[i]);
    return err;
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

void rmdi_calling_free(rmdi_calling *calling)
{
    rmdi_free(calling->plugins.words);
}
