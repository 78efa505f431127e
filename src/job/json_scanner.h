/* SPDX-License-Identifier: MIT */
/* The words of JSON: numbers and texts, and where in the text something is wrong. */
#ifndef RMDI_JOB_JSON_SCANNER_H
#define RMDI_JOB_JSON_SCANNER_H

#include <locale.h>
#include <remuda/value.h>

typedef struct rmdi_json_scanner {
    const unsigned char *start, *at, *end; /* the text, and what is next in it */
    unsigned char *bytes; /* memory for values that is not used so far: as much as is left of the
                           * text, and one byte more */
    locale_t plain;       /* in which floats are written with a point; 0: not made yet */
} rmdi_json_scanner;

/* Fails with the place, which is `where`, in front of the cause: "column 7: …", or "line 2, column
 * 7: …" when there is more than one line. */
int rmdi_json_refuse_at(const rmdi_json_scanner *s, const unsigned char *where, int code,
                        const char *format, ...) RMD_PRINTF(4, 5);

/* Here stands something else than what should, which `wanted` says: RMD_ESYNTAX. */
int rmdi_json_refuse(const rmdi_json_scanner *s, const char *wanted);

static inline bool rmdi_json_at_digit(const rmdi_json_scanner *s)
{
    return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

/* Copies to the memory for values. */
void *rmdi_json_keep(rmdi_json_scanner *s, const void *from, size_t len);

/* At a digit or a minus, at a quote: reads what begins there, and stops behind it. 0, RMD_ESYNTAX,
 * RMD_E2BIG, RMD_ENOMEM. */
int rmdi_json_read_number(rmdi_json_scanner *s, rmd_value *to);
int rmdi_json_read_text(rmdi_json_scanner *s, rmd_value *to);

#endif
