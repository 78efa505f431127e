/* SPDX-License-Identifier: MIT */
#include "job/report_page.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "job/report_text.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 256 * 1024, NAMES_TRIED = 16 };

/* ---- the file ---- */

/* The folder a path is in, with its slash; "" for the current one. */
static int folder_of(const char *path, rmdi_buffer *folder)
{
    const char *slash = strrchr(path, '/');
    return rmdi_buffer_add(folder, path, slash ? (size_t)(slash + 1 - path) : 0);
}

static int check_folder(const char *path)
{
    rmdi_buffer folder = { 0 };
    int err = folder_of(path, &folder);
    const char *name = folder.len ? folder.data : ".";
    if (err == 0 && access(name, W_OK | X_OK) < 0)
        err = rmdi_fail_errno(errno, "report %s: folder %s", path, name);
    rmdi_buffer_free(&folder);
    return err;
}

int rmdi_page_check(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return rmdi_fail(RMD_EINVAL, "report %s: that is %s, not a file", path,
                         S_ISDIR(status.st_mode) ? "a folder" : "a device");
    return check_folder(path);
}

/* Not mkstemp: a report gets the rights of any new file. Its name has nothing of the path's, which
 * may be as long as names can be. */
static int open_temporary(rmdi_page *page)
{
    rmdi_buffer name = { 0 };
    int err = 0, tries = 0;
    do {
        rmdi_buffer_clear(&name);
        err = folder_of(page->path, &name);
        if (err == 0)
            err = rmdi_buffer_add_format(&name, ".remuda-report-%016" PRIx64, rmdi_random());
        if (err == 0)
            page->fd = open(name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (err == 0 && page->fd < 0 && errno == EEXIST && ++tries < NAMES_TRIED);
    if (err == 0 && page->fd < 0)
        err = rmdi_fail_errno(errno, "report %s", page->path);
    if (err == 0 && !(page->temporary = rmdi_strdup(name.data))) {
        err = rmdi_fail_memory();
        unlink(name.data);
    }
    rmdi_buffer_free(&name);
    return err;
}

static void release(rmdi_page *page)
{
    rmdi_fd_close(&page->fd);
    rmdi_buffer_free(&page->text);
    rmdi_free(page->path);
    rmdi_free(page->temporary);
}

int rmdi_page_open(rmdi_page *page, const char *path)
{
    *page = (rmdi_page){ .fd = -1, .path = rmdi_strdup(path) };
    int err = page->path ? rmdi_page_check(path) : rmdi_fail_memory();
    if (err == 0)
        err = open_temporary(page);
    if (err < 0)
        release(page);
    return err;
}

static void flush(rmdi_page *page)
{
    int failed = page->err
                     ? 0
                     : rmdi_fd_write_at(page->fd, page->text.data, page->text.len, page->written);
    if (failed)
        page->err = rmdi_fail_errno(failed, "report %s", page->path);
    page->written += page->text.len;
    rmdi_buffer_clear(&page->text);
}

/* Not synced: the journal is what must outlive a power cut, a report can be made again. */
int rmdi_page_close(rmdi_page *page)
{
    flush(page);
    if (close(page->fd) < 0 && !page->err)
        page->err = rmdi_fail_errno(errno, "report %s", page->path);
    page->fd = -1;
    if (!page->err && rename(page->temporary, page->path) < 0)
        page->err = rmdi_fail_errno(errno, "report %s", page->path);
    if (page->err)
        unlink(page->temporary);
    release(page);
    return page->err;
}

/* ---- text ---- */

void rmdi_page_added(rmdi_page *page, int err)
{
    if (err < 0 && !page->err)
        page->err = err;
    if (page->text.len >= PIECE)
        flush(page);
}

void rmdi_page_bytes(rmdi_page *page, rmd_bytes bytes)
{
    if (!page->err)
        rmdi_page_added(page, rmdi_buffer_add(&page->text, bytes.data, bytes.len));
}

void rmdi_page_text(rmdi_page *page, const char *text)
{
    rmdi_page_bytes(page, rmdi_bytes_of(text));
}

void rmdi_page_foreign(rmdi_page *page, rmd_bytes raw, size_t limit)
{
    rmdi_buffer clean = { 0 };
    int err = page->err ? 0 : rmdi_report_clean(raw, limit, &clean);
    if (err == 0 && !page->err)
        err = rmdi_report_escape(rmdi_buffer_view(&clean), &page->text);
    rmdi_page_added(page, err);
    rmdi_buffer_free(&clean);
}

/* ---- numbers ---- */

static int64_t whole(double value)
{
    return value >= 9e18 ? INT64_MAX : value > 0 ? (int64_t)value : 0;
}

void rmdi_page_time(rmdi_page *page, double ns)
{
    rmdi_page_added(page, page->err ? 0 : rmdi_report_time(whole(ns), &page->text));
}

void rmdi_page_mark(rmdi_page *page, double ns)
{
    rmdi_page_added(page, page->err ? 0 : rmdi_report_mark(whole(ns), &page->text));
}

void rmdi_page_size(rmdi_page *page, double bytes)
{
    rmdi_page_added(page, page->err ? 0 : rmdi_report_size((uint64_t)whole(bytes), &page->text));
}

void rmdi_page_size_mark(rmdi_page *page, double bytes)
{
    rmdi_page_added(page,
                    page->err ? 0 : rmdi_report_size_mark((uint64_t)whole(bytes), &page->text));
}

void rmdi_page_count(rmdi_page *page, uint64_t count)
{
    rmdi_page_added(page, page->err ? 0 : rmdi_report_count(count, &page->text));
}

void rmdi_page_date(rmdi_page *page, int64_t ns)
{
    rmdi_page_added(page, page->err ? 0 : rmdi_report_date(ns, &page->text));
}

void rmdi_page_number(rmdi_page *page, double value, unsigned digits)
{
    static const unsigned powers[] = { 1, 10, 100, 1000 };
    bool below = value < 0;
    uint64_t scaled = (uint64_t)whole((below ? -value : value) * powers[digits] + .5);
    rmdi_page_format(page, "%s%" PRIu64, below && scaled ? "-" : "", scaled / powers[digits]);
    if (digits)
        rmdi_page_format(page, ".%0*u", (int)digits, (unsigned)(scaled % powers[digits]));
}

rmdi_pixels rmdi_px(double value)
{
    rmdi_pixels pixels;
    if (!(value > -1e6 && value < 1e6)) /* not a number, too */
        value = 0;
    long scaled = (long)(value * 100 + (value < 0 ? -.5 : .5));
    snprintf(pixels.text, sizeof pixels.text, "%s%ld.%02ld", scaled < 0 ? "-" : "",
             labs(scaled) / 100, labs(scaled) % 100);
    return pixels;
}
