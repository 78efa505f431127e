/* SPDX-License-Identifier: MIT */
/* SQLite's way to the disk, with faults. FAULT=KIND:N:ERROR[:once] makes the N-th call of a kind
 * fail, and all later ones of it unless `once`. Kinds: open write sync truncate delete, and
 * sync-file for syncs of the database itself, not of its log. Errors: enospc, eio, short (half of a
 * write arrives, then no space is left). FAULT_LOG=FILE gets a line for the fault and for each sync
 * that is tried on the same file after one has failed, unless it is being closed: what SQLite rolls
 * back then was committed elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct fault_file {
    sqlite3_file base;
    bool sync_failed, is_database;
    sqlite3_file *real; /* behind us */
} fault_file;

static sqlite3_vfs *real_vfs;
static sqlite3_vfs our_vfs;
static char wanted[16], error_name[16];
static atomic_long left;
static bool once;
static atomic_bool closing;
static int fault_log = -1;

static void note(const char *text)
{
    char line[64];
    int n = snprintf(line, sizeof line, "%s\n", text);
    if (fault_log >= 0 && write(fault_log, line, (size_t)n) != n)
        abort();
}

static bool fails(const char *kind)
{
    if (strcmp(kind, wanted) != 0)
        return false;
    long before = atomic_fetch_sub(&left, 1);
    if (before == 1)
        note("fault");
    return before == 1 || (before < 1 && !once);
}

static bool is(const char *name)
{
    return strcmp(error_name, name) == 0;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((fault_file *)(void *)file)->real;
}

/* ---- what fails ---- */

static int fault_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    sqlite3_file *real = real_of(file);
    if (!fails("write"))
        return real->pMethods->xWrite(real, data, len, at);
    if (is("short"))
        real->pMethods->xWrite(real, data, len / 2, at);
    return is("eio") ? SQLITE_IOERR_WRITE : SQLITE_FULL;
}

static int fault_sync(sqlite3_file *file, int flags)
{
    fault_file *ours = (fault_file *)(void *)file;
    if (ours->sync_failed && !closing)
        note("sync again");
    if (!fails("sync") && !(ours->is_database && fails("sync-file")))
        return ours->real->pMethods->xSync(ours->real, flags);
    ours->sync_failed = true;
    return SQLITE_IOERR_FSYNC;
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    sqlite3_file *real = real_of(file);
    return fails("truncate") ? SQLITE_IOERR_TRUNCATE : real->pMethods->xTruncate(real, size);
}

/* ---- what does not ---- */

static int fault_close(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int fault_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), data, len, at);
}

static int fault_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int fault_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int fault_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int fault_check_lock(sqlite3_file *file, int *answer)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), answer);
}

static int fault_control(sqlite3_file *file, int what, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, arg);
}

static int fault_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int fault_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int fault_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **map)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, map);
}

static int fault_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void fault_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int fault_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no memory mapping: every access comes by here */
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_lock,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_device,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

/* ---- the file system ---- */

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    fault_file *ours = (fault_file *)(void *)file;
    (void)vfs;
    ours->base.pMethods = NULL;
    ours->sync_failed = false;
    ours->is_database = flags & SQLITE_OPEN_MAIN_DB;
    ours->real = (sqlite3_file *)(void *)(ours + 1);
    if (fails("open"))
        return SQLITE_CANTOPEN;
    int result = real_vfs->xOpen(real_vfs, name, ours->real, flags, out);
    if (result == SQLITE_OK)
        ours->base.pMethods = &methods;
    return result;
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    return fails("delete") ? SQLITE_IOERR_DELETE : real_vfs->xDelete(real_vfs, name, sync);
}

void fault_vfs_register(void);
void fault_vfs_closing(void);

void fault_vfs_closing(void)
{
    atomic_store(&closing, true);
}

void fault_vfs_register(void)
{
    const char *fault = getenv("FAULT"), *log = getenv("FAULT_LOG");
    long n = 0;
    if (!fault || sscanf(fault, "%15[^:]:%ld:%15[^:]", wanted, &n, error_name) != 3)
        return;
    atomic_store(&left, n);
    once = strstr(fault, ":once") != NULL;
    if (log)
        fault_log = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    real_vfs = sqlite3_vfs_find(NULL);
    our_vfs = *real_vfs;
    our_vfs.zName = "fault";
    our_vfs.szOsFile = (int)sizeof(fault_file) + real_vfs->szOsFile;
    our_vfs.xOpen = fault_open;
    our_vfs.xDelete = fault_delete;
    sqlite3_vfs_register(&our_vfs, 1);
}
