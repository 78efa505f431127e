/* SPDX-License-Identifier: MIT */
/* What happened in a schedule, for people. */
#ifndef RMDI_EXPLORE_TRACE_H
#define RMDI_EXPLORE_TRACE_H

#include "explore/schedule.h"

/* Kept from the next schedule on, if so wanted: most are never shown. */
void rmdi_trace_record(bool wanted);
void rmdi_trace_begin(void);

/* A step: the fiber did what stands at the site; more (static text or NULL) says how. */
void rmdi_trace_add(const rmdi_fiber *fiber, const rmdi_site *site, uint64_t value,
                    const char *more);
/* It calls, or was about to do, what stands at the site. */
void rmdi_trace_call(const rmdi_fiber *fiber, const rmdi_site *site);

/* Something that befell the fiber. Short: it is cut. */
void rmdi_trace_note(const rmdi_fiber *fiber, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The file of a site without the way up to the root of the source; "?" of NULL. */
const char *rmdi_trace_file(const rmdi_site *site);

/* Where the fiber is, for a sentence: in the source of who called us if that is known. */
void rmdi_trace_place(const rmdi_fiber *fiber, char *text, size_t size);

/* Prints what was kept: thread, place, operation, value. Longer runs of steps inside Remuda only if
 * inside_too; the middle of a long trace is left out. */
void rmdi_trace_print(FILE *to, bool inside_too);

/* Frees what is kept. */
void rmdi_trace_end(void);

#endif
