/* SPDX-License-Identifier: MIT */
#include "job/journal_file.h"

#include "base/alloc.h"
#include "base/error.h"
#include "job/journal_schema.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { HEADER = 100 }; /* https://www.sqlite.org/fileformat2.html#the_database_header */

bool rmdi_journal_suits(int64_t filesystem)
{
    static const uint32_t networks[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x01021997, /* 9P */
        0x5346414f, /* AFS */
        0x00c36400, /* Ceph */
    };
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        if ((uint32_t)filesystem == networks[i])
            return false;
    return true;
}

/* ---- who may use it ---- */

static int check_rights(const char *path, const struct stat *status)
{
    if (status->st_uid != geteuid())
        return rmdi_fail(RMD_EACCES,
                         "journal %s belongs to user %u, we are user %u; use a journal of our own",
                         path, (unsigned)status->st_uid, (unsigned)geteuid());
    if (status->st_nlink > 1)
        return rmdi_fail(RMD_EINVAL,
                         "journal %s has another name, too, and its log hangs on the name; remove "
                         "the one that is not used",
                         path);
    if (status->st_mode & (S_IWGRP | S_IWOTH))
        return rmdi_fail(RMD_EACCES,
                         "journal %s can be written by others (mode %04o), who could make us run "
                         "or skip what they like; chmod go-w %s",
                         path, (unsigned)status->st_mode & 07777u, path);
    return 0;
}

static int check_place(const char *path, int fd)
{
    struct statfs where;
    if (fstatfs(fd, &where) < 0)
        return rmdi_fail_errno(errno, "journal %s", path);
    if (rmdi_journal_suits((int64_t)where.f_type))
        return 0;
    return rmdi_fail(RMD_ENOTSUP,
                     "journal %s lies on a file system of the network, where its log does not "
                     "work; put it on a disk of this machine",
                     path);
}

/* ---- what it is ---- */

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int check_header(const char *path, const unsigned char header[HEADER], int64_t size)
{
    if (size == 0)
        return rmdi_fail(RMD_EINVAL, "journal %s is empty; remove it to begin a new one", path);
    if (size < HEADER || memcmp(header, "SQLite format 3", 16) != 0)
        return rmdi_fail(RMD_EINVAL, "%s is not a journal, or its beginning is damaged", path);
    if (big_endian(header + 68) != RMDI_JOURNAL_APPLICATION)
        return rmdi_fail(RMD_EINVAL, "%s is a database, but not a journal of remuda", path);
    uint32_t version = big_endian(header + 60);
    if (version != RMDI_JOURNAL_VERSION)
        return rmdi_fail(RMD_ENOTSUP,
                         "journal %s has version %u, this remuda knows version %d; use the remuda "
                         "that made it, or begin a new journal",
                         path, version, RMDI_JOURNAL_VERSION);
    return 0;
}

/* While there is a log, what is missing in the file may still be there. */
static bool has_log(const char *path)
{
    char real[PATH_MAX], log[PATH_MAX + 8];
    struct stat status;
    if (!realpath(path, real)) /* SQLite follows symbolic links, too */
        return false;
    snprintf(log, sizeof log, "%s-wal", real);
    return stat(log, &status) == 0 && status.st_size > 0;
}

/* SQLite would read zeros where the end of the file is missing. */
static int check_length(const char *path, const unsigned char header[HEADER], int64_t size)
{
    int64_t page = header[16] << 8 | header[17];
    page = page == 1 ? 65536 : page;
    bool whole = page && size % page == 0 && size / page >= big_endian(header + 28);
    if (whole || has_log(path))
        return 0;
    return rmdi_fail(
        RMD_EIO,
        "journal %s is damaged: its end is missing; it was left as it is (sqlite3 FILE "
        ".recover saves what can be read)",
        path);
}

static int check_open(const char *path, int fd, bool to_write)
{
    unsigned char header[HEADER] = { 0 };
    struct stat status;
    if (fstat(fd, &status) < 0)
        return rmdi_fail_errno(errno, "journal %s", path);
    if (!S_ISREG(status.st_mode))
        return rmdi_fail(RMD_EINVAL, "journal %s is not a regular file", path);
    int err = to_write ? check_rights(path, &status) : 0;
    if (err == 0 && to_write)
        err = check_place(path, fd);
    if (err == 0 && pread(fd, header, HEADER, 0) < 0)
        err = rmdi_fail_errno(errno, "journal %s", path);
    if (err == 0)
        err = check_header(path, header, status.st_size);
    return err == 0 ? check_length(path, header, status.st_size) : err;
}

char *rmdi_journal_path(const char *path)
{
    char *name = rmdi_alloc_zeroed(strlen(path) + sizeof "./");
    if (name)
        stpcpy(stpcpy(name, *path == '/' ? "" : "./"), path);
    return name;
}

int rmdi_journal_check(const char *path, bool to_write)
{
    /* Not blocking: it may be a FIFO. */
    int fd = open(path, (to_write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return rmdi_fail_errno(errno, "journal %s", path);
    int err = check_open(path, fd, to_write);
    rmdi_fd_close(&fd);
    return err;
}

/* ---- what SQLite says ---- */

int rmdi_journal_code(int result)
{
    switch (result & 0xff) {
    case SQLITE_NOMEM: return RMD_ENOMEM;
    case SQLITE_FULL: return RMD_ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return RMD_EBUSY;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH: return RMD_EACCES;
    default: return RMD_EIO;
    }
}

int rmdi_journal_fail(sqlite3 *db, const char *path, int result)
{
    int cause = db ? sqlite3_system_errno(db) : 0;
    bool damaged = (result & 0xff) == SQLITE_CORRUPT || (result & 0xff) == SQLITE_NOTADB;
    const char *system = cause && (result & 0xff) != SQLITE_FULL ? strerrordesc_np(cause) : NULL;
    return rmdi_fail(rmdi_journal_code(result), "journal %s: %s%s%s%s", path,
                     sqlite3_errstr(result), system ? ": " : "", system ? system : "",
                     damaged ? "; it is damaged, and was left as it is (sqlite3 FILE .recover "
                               "saves what can be read)"
                             : "");
}

rmd_outcome rmdi_journal_outcome(const char *name)
{
    for (rmd_outcome is = RMD_OUTCOME_OK; name && is <= RMD_OUTCOME_DEAD; is++)
        if (strcmp(name, rmd_outcome_name(is)) == 0)
            return is;
    return RMD_PENDING;
}
