/* SPDX-License-Identifier: MIT */
/* A plug-in that was loaded is on a list, by the address of its table: the loader gives the same
 * one for the same file, however it is named. */
#include "exec/plugin.h"

#include "base/alloc.h"
#include "base/error.h"
#include "port/library.h"
#include "sync/lock.h"
#include "sync/self.h"

#include <errno.h>
#include <limits.h>
#include <remuda/atomics.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PARTS = 6 }; /* of what is carried */

typedef struct loaded {
    struct loaded *before;
    const rmd_plugin_table *table;
} loaded;

static rmdi_lock lock; /* guards the list, and loading: what is on the list has been added */
static loaded *newest;
RMD_STATIC rmd_atomic(uintptr_t) loader; /* the thread that does, whose constructors may run; 0 */

static bool is_loaded(const rmd_plugin_table *table)
{
    for (const loaded *l = newest; l; l = l->before)
        if (l->table == table)
            return true;
    return false;
}

/* "0.1" of "0.1.7". */
static size_t version_len(const char *version)
{
    size_t len = strcspn(version, ".");
    return version[len] ? len + 1 + strcspn(version + len + 1, ".") : len;
}

static bool is_of_this_version(const rmd_plugin_table *table)
{
    size_t len = version_len(rmd_version());
    return table->size == sizeof *table && version_len(table->version) == len &&
           memcmp(table->version, rmd_version(), len) == 0;
}

static int check_table(const char *path, const rmd_plugin_table *table)
{
    if (!table)
        return rmdi_fail(
            RMD_EINVAL,
            "plug-in %s: the library has no rmd_plugin: it is no plug-in of Remuda, or "
            "RMD_PLUGIN(functions) is missing in it",
            path);
    if (!is_of_this_version(table))
        return rmdi_fail(RMD_EINVAL,
                         "plug-in %s was compiled for version %.20s of Remuda, and this is %s: "
                         "compile it anew",
                         path, table->size < sizeof *table ? "?" : table->version, rmd_version());
    if (table->library != rmd_version)
        return rmdi_fail(RMD_EINVAL,
                         "plug-in %s calls another copy of Remuda than the program: link the "
                         "program with the shared library, or with -rdynamic",
                         path);
    return 0;
}

/* The loader's sentences mostly begin with the name of the file. */
static int refuse_to_load(const char *path, const char *found, const char *why)
{
    size_t len = strlen(found);
    bool named = strncmp(why, found, len) == 0 && why[len] == ':';
    return rmdi_fail(RMD_EINVAL, "plug-in %s cannot be loaded: %s", path,
                     named ? why + len + 1 + (why[len + 1] == ' ') : why);
}

static int load(const char *path, const char *found, const rmd_plugin_table **table)
{
    const char *why;
    void *library = rmdi_library_load(found, &why);
    if (!library)
        return refuse_to_load(path, found, why);
    *table = rmdi_library_find(library, "rmd_plugin");
    return check_table(path, *table);
}

static int add(const char *path, const rmd_plugin_table *table)
{
    if (is_loaded(table))
        return 0;
    loaded *l = rmdi_alloc(sizeof *l);
    if (!l)
        return rmdi_fail_memory();
    int err = rmd_functions_add(table->functions);
    if (err < 0) {
        rmdi_free(l);
        return rmdi_fail(err, "plug-in %s: %s", path, rmd_error_detail());
    }
    *l = (loaded){ .before = newest, .table = table };
    newest = l;
    return 0;
}

/* What is carried: where it was found, and which file that was. */
static int carry(const char *found, const struct stat *st)
{
    const rmd_value parts[PARTS] = {
        rmd_bytes_value(rmdi_bytes_of(found)), rmd_int((int64_t)st->st_dev),
        rmd_int((int64_t)st->st_ino),          rmd_int(st->st_size),
        rmd_int(st->st_mtim.tv_sec),           rmd_int(st->st_mtim.tv_nsec)
    };
    const rmd_value file = rmd_list(parts, PARTS);
    return rmdi_carry(rmdi_plugin_carrier.kind, &file);
}

static int load_and_add(const char *path, const char *found, const struct stat *st)
{
    const rmd_plugin_table *table = NULL;
    int err = load(path, found, &table);
    if (err == 0)
        err = add(path, table);
    return err < 0 ? err : carry(found, st);
}

/* Where it is, whatever directory is the current one later. */
static int find(const char *path, char *found, struct stat *st)
{
    if (!path || !*path)
        return rmdi_fail(RMD_EINVAL, "plug-in: no file was named");
    if (!realpath(path, found) || stat(found, st) < 0)
        return rmdi_fail_errno(errno, "plug-in %s", path);
    if (!S_ISREG(st->st_mode))
        return rmdi_fail(RMD_EINVAL, "plug-in %s is no file", path);
    return 0;
}

int rmd_plugin_load(const char *path)
{
    char found[PATH_MAX];
    struct stat st;
    int err = find(path, found, &st);
    if (err < 0)
        return err;
    if (rmd_atomic_load(&loader, RMD_RELAXED) == (uintptr_t)rmdi_self_id())
        return rmdi_fail(RMD_EDEADLK, "plug-in %s: another one is just being loaded here", path);
    rmdi_lock_enter(&lock);
    rmd_atomic_store(&loader, (uintptr_t)rmdi_self_id(), RMD_RELAXED);
    err = load_and_add(path, found, &st);
    rmd_atomic_store(&loader, 0, RMD_RELAXED);
    rmdi_lock_release(&lock);
    return err;
}

static bool is_number(const rmd_value *file, size_t at, int64_t expected)
{
    const rmd_value *part = rmd_value_at(file, at);
    int64_t number;
    return part && rmd_value_get(part, &number) == 0 && number == expected;
}

/* Workers shall not do something else than the program that they belong to. */
static int check_same(const rmd_value *file, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return rmdi_fail_errno(errno, "plug-in %s", path);
    if (is_number(file, 1, (int64_t)st.st_dev) && is_number(file, 2, (int64_t)st.st_ino) &&
        is_number(file, 3, st.st_size) && is_number(file, 4, st.st_mtim.tv_sec) &&
        is_number(file, 5, st.st_mtim.tv_nsec))
        return 0;
    return rmdi_fail(RMD_EINVAL, "plug-in %s has changed since it was loaded", path);
}

static int load_again(const rmd_value *file)
{
    char text[PATH_MAX];
    rmd_bytes bytes;
    const rmd_value *path = rmd_value_at(file, 0);
    if (!path || rmd_value_get(path, &bytes) < 0 || bytes.len >= sizeof text)
        return rmdi_fail(RMD_EINVAL, "plug-in: no path that can be loaded");
    memcpy(text, bytes.data, bytes.len);
    text[bytes.len] = 0;
    int err = check_same(file, text);
    return err < 0 ? err : rmd_plugin_load(text);
}

static void describe(const rmd_value *file, char *text, size_t size)
{
    rmd_bytes path = { 0 };
    const rmd_value *part = rmd_value_at(file, 0);
    if (part)
        (void)rmd_value_get(part, &path);
    snprintf(text, size, "loading plug-in %.*s", (int)path.len, (const char *)path.data);
}

rmdi_carrier rmdi_plugin_carrier = { .kind = "plug-in", .replay = load_again, .words = describe };
