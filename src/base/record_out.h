/* SPDX-License-Identifier: MIT */
/* Writing text to a descriptor in a signal handler: no lock, no memory, no locale. */
#ifndef RMDI_BASE_RECORD_OUT_H
#define RMDI_BASE_RECORD_OUT_H

#include <stddef.h>
#include <stdint.h>

typedef struct rmdi_record_out {
    int fd;
    int error;           /* an errno value, of the first that failed; nothing is written after it */
    int64_t deadline_ns; /* for room to write; 0: nothing was written yet */
    size_t len;
    char buffer[8192];
} rmdi_record_out;

void rmdi_out_text(rmdi_record_out *out, const char *text);
void rmdi_out_number(rmdi_record_out *out, uint64_t number);
/* With a sign if it is negative. */
void rmdi_out_signed(rmdi_record_out *out, int64_t number);
void rmdi_out_hex(rmdi_record_out *out, uint64_t number);
/* Nanoseconds as seconds, nine digits behind the point; or as microseconds, three. */
void rmdi_out_seconds(rmdi_record_out *out, int64_t ns);
void rmdi_out_micros(rmdi_record_out *out, int64_t ns);
/* Since 1970, as 2026-11-30T13:20:51.123456789Z. */
void rmdi_out_utc(rmdi_record_out *out, int64_t ns);
/* A name as one word: what is not printable ASCII, white space, " and \ become '_'; "-" for "". */
void rmdi_out_word(rmdi_record_out *out, const char *name);

/* Writes what is left; the error, or 0. */
int rmdi_out_end(rmdi_record_out *out);

#endif
