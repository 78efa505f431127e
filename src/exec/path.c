/* SPDX-License-Identifier: MIT */
#include "exec/path.h"

#include "base/alloc.h"
#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/* Is it a file that can be executed, seen from dir? One that is there but may not be run is
 * noted. */
static bool usable(const char *dir, const char *file, bool *forbidden)
{
    struct stat st;
    char path[PATH_MAX];
    if (dir && *file != '/') {
        if (snprintf(path, sizeof path, "%s/%s", dir, file) >= (int)sizeof path)
            return false;
        file = path;
    }
    if (stat(file, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    if (access(file, X_OK) == 0)
        return true;
    *forbidden = true;
    return false;
}

/* The file `name` in the directory path[0..len), an empty one being the current. */
static bool compose(char *file, const char *path, size_t len, const char *name)
{
    int n = snprintf(file, PATH_MAX, "%.*s%s%s", (int)len, path, len ? "/" : "", name);
    return n < PATH_MAX;
}

int rmdi_path_find(const char *name, const char *path, const char *dir, char *found)
{
    bool forbidden = false;
    if (strchr(name, '/')) {
        if (snprintf(found, PATH_MAX, "%s", name) < PATH_MAX)
            return 0;
        return rmdi_fail(RMD_ENOENT, "program name of %zu bytes", strlen(name));
    }
    if (!*name)
        return rmdi_fail(RMD_ENOENT, "the name of the program is empty");
    for (path = path ? path : default_path;; path++) {
        size_t len = strcspn(path, ":");
        if (compose(found, path, len, name) && usable(dir, found, &forbidden))
            return 0;
        path += len;
        if (!*path)
            break;
    }
    if (forbidden)
        return rmdi_fail(RMD_EACCES, "program \"%s\": found in PATH but not executable", name);
    return rmdi_fail(RMD_ENOENT, "program \"%s\": not found in PATH", name);
}

void rmdi_path_forget(rmdi_path_cache *cache)
{
    rmdi_free(cache->name);
    rmdi_free(cache->path);
    rmdi_free(cache->found);
    *cache = (rmdi_path_cache){ 0 };
}

static void remember(rmdi_path_cache *cache, const char *name, const char *path, const char *found)
{
    rmdi_path_forget(cache);
    cache->name = rmdi_strdup(name);
    cache->path = rmdi_strdup(path);
    cache->found = rmdi_strdup(found);
    if (!cache->name || !cache->path || !cache->found)
        rmdi_path_forget(cache);
}

/* With a relative directory in it the answer depends on where one is. */
static bool is_absolute(const char *path)
{
    for (;; path++) {
        if (*path != '/')
            return false;
        path += strcspn(path, ":");
        if (!*path)
            return true;
    }
}

int rmdi_path_find_again(rmdi_path_cache *cache, const char *name, const char *path,
                         const char *dir, char *found)
{
    if (cache->found && path && strcmp(cache->name, name) == 0 && strcmp(cache->path, path) == 0) {
        snprintf(found, PATH_MAX, "%s", cache->found);
        return 0;
    }
    int err = rmdi_path_find(name, path, dir, found);
    if (err == 0 && path && !strchr(name, '/') && is_absolute(path))
        remember(cache, name, path, found);
    return err;
}
