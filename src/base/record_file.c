/* SPDX-License-Identifier: MIT */
#include "base/record_file.h"

#include "base/decimal.h"
#include "port/thread_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE = 0600 };

static rmd_recorder_format format_of(const char *path, rmd_recorder_format format)
{
    size_t len = strlen(path);
    if (format != RMD_RECORDER_AUTO)
        return format;
    return len > 5 && strcmp(path + len - 5, ".json") == 0 ? RMD_RECORDER_TRACE : RMD_RECORDER_TEXT;
}

/* Is there something that is to stay? 0 or an errno value. */
static int look(const char *path, bool *stays)
{
    struct stat there;
    *stays = false;
    if (lstat(path, &there) < 0)
        return errno == ENOENT ? 0 : errno;
    bool link = S_ISLNK(there.st_mode);
    if (link && (stat(path, &there) < 0 || S_ISREG(there.st_mode)))
        return ELOOP;
    *stays = !S_ISREG(there.st_mode);
    return S_ISDIR(there.st_mode) ? EISDIR : 0;
}

/* It must not block, whoever reads there: record_out.c waits for room, and not for ever. */
static int write_there(const char *path, rmd_recorder_format format, const rmdi_record_cause *cause)
{
    struct stat there;
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int err = fstat(fd, &there) < 0 ? errno : 0;
    if (!err && S_ISREG(there.st_mode)) /* it was put there just now */
        err = ELOOP;
    if (!err)
        err = rmdi_record_dump(fd, format, cause);
    return close(fd) < 0 && !err ? errno : err;
}

/* Under another name first, so that nobody finds half of it; the name of nobody else's file. */
static int write_new(rmdi_record_file *f, rmd_recorder_format format,
                     const rmdi_record_cause *cause)
{
    char *end = stpcpy(stpcpy(f->made, f->path), ".new-");
    rmdi_decimal(end, rmdi_thread_number());
    unlink(f->made); /* of a record that a crash of this thread has cut off */
    int fd = open(f->made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
    if (fd < 0)
        return errno;
    int err = rmdi_record_dump(fd, format, cause);
    if (close(fd) < 0 && !err)
        err = errno;
    bool keep = !err || (cause->crash && err != ENODATA);
    if (keep && rename(f->made, f->path) == 0)
        return err;
    if (!err)
        err = errno;
    unlink(f->made);
    return err;
}

int rmdi_record_file_write(rmdi_record_file *file, rmd_recorder_format format,
                           const rmdi_record_cause *cause)
{
    bool stays;
    int err = look(file->path, &stays);
    format = format_of(file->path, format);
    if (err)
        return err;
    return stays ? write_there(file->path, format, cause) : write_new(file, format, cause);
}

int rmdi_record_file_check(const char *path)
{
    char folder[PATH_MAX + RMDI_RECORD_SUFFIX_BYTES];
    bool stays;
    int err = look(path, &stays);
    if (err)
        return err;
    if (stays)
        return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0 ? errno : 0;
    strcpy(folder, path);
    *(strrchr(folder, '/') + 1) = 0;
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0 ? errno : 0;
}
