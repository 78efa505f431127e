/* SPDX-License-Identifier: MIT */
#include "job/report.h"

#include "base/error.h"
#include "job/report_private.h"

#include <string.h>
#include <strings.h>

typedef int report_writer(rmdi_page *page, report *r);

/* Of the path's name; NULL for another kind. */
static report_writer *writer_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    if (dot && strcasecmp(dot, ".html") == 0)
        return rmdi_report_html;
    return dot && strcasecmp(dot, ".svg") == 0 ? rmdi_report_svg : NULL;
}

static int fail_kind(const char *path)
{
    return rmdi_fail(RMD_EINVAL,
                     "report '%s': the name must end in .html (a page) or .svg (a picture)", path);
}

int rmdi_report_check_path(const char *path)
{
    return writer_of(path) ? rmdi_page_check(path) : fail_kind(path);
}

static int write_page(report *r, const char *path)
{
    rmdi_page page;
    int err = rmdi_page_open(&page, path);
    if (err < 0)
        return err;
    err = writer_of(path)(&page, r);
    if (err < 0)
        rmdi_page_added(&page, err);
    return rmdi_page_close(&page);
}

int rmdi_report_write(rmd_journal *journal, const char *path)
{
    int err = rmdi_report_check_path(path);
    if (err == 0)
        err = rmd_journal_begin(journal);
    if (err < 0)
        return err;
    report r;
    err = rmdi_report_collect(&r, journal);
    if (err == 0)
        err = write_page(&r, path);
    rmdi_report_release(&r);
    rmd_journal_end(journal);
    return err;
}
