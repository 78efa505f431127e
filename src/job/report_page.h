/* SPDX-License-Identifier: MIT */
/* A page on its way to its file: text is added without asking each time whether that went well; the
 * first error stays, and what is added after it is dropped. */
#ifndef RMDI_JOB_REPORT_PAGE_H
#define RMDI_JOB_REPORT_PAGE_H

#include "data/bytes.h"

typedef struct rmdi_page {
    char *path, *temporary; /* the file, and what it is called until it is complete */
    int fd;
    uint64_t written;
    rmdi_buffer text; /* not written yet */
    int err;
} rmdi_page;

/* Each returns 0 or an error with a detail that names the path. path is copied. */
int rmdi_page_check(const char *path);
int rmdi_page_open(rmdi_page *page, const char *path);
int rmdi_page_close(rmdi_page *page); /* the page appears, or after an error nothing does */

void rmdi_page_text(rmdi_page *page, const char *text);
void rmdi_page_bytes(rmdi_page *page, rmd_bytes bytes);
#define rmdi_page_format(page, ...) \
    rmdi_page_added((page), (page)->err ? 0 : rmdi_buffer_add_format(&(page)->text, __VA_ARGS__))

/* Foreign bytes, made clean, cut (0: not) and escaped. */
void rmdi_page_foreign(rmdi_page *page, rmd_bytes raw, size_t limit);
/* See report_text.h. */
void rmdi_page_time(rmdi_page *page, double ns);
void rmdi_page_mark(rmdi_page *page, double ns);
void rmdi_page_size(rmdi_page *page, double bytes);
void rmdi_page_size_mark(rmdi_page *page, double bytes);
void rmdi_page_count(rmdi_page *page, uint64_t count);
void rmdi_page_date(rmdi_page *page, int64_t ns);
/* A number with that many digits behind the point, whatever the locale. */
void rmdi_page_number(rmdi_page *page, double value, unsigned digits);

/* After something was added to page->text directly. */
void rmdi_page_added(rmdi_page *page, int err);

/* A length in a picture, as text: rmdi_px(x).text in the arguments of rmdi_page_format. */
typedef struct rmdi_pixels {
    char text[24];
} rmdi_pixels;
rmdi_pixels rmdi_px(double value);

#endif
