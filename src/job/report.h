/* SPDX-License-Identifier: MIT */
/* A page that shows a journal to people: what became of the tasks, when each of them ran in which
 * slot, how long they took, what failed and why. One file that needs nothing else: no network, no
 * other file. */
#ifndef RMDI_JOB_REPORT_H
#define RMDI_JOB_REPORT_H

#include <remuda/journal.h>

/* Could a report be written there? To be asked before the work is done that it tells of. Errors,
 * with a detail that names the path: RMD_EINVAL (its name ends neither in .html nor in .svg, or a
 * folder or a device is there), RMD_ENOENT and RMD_EACCES (of its folder). */
int rmdi_report_check_path(const char *path);

/* Writes all of the journal, as of one moment: .html is a page to look around in, .svg a still
 * picture of its last run. The file appears at path when it is complete, in place of what was
 * there; an error leaves that alone. Memory and file are bounded, however many tasks there are.
 * Errors: those of rmdi_report_check_path, of reading the journal, RMD_ENOSPC and RMD_EIO with a
 * detail that names the path, RMD_EBUSY within rmd_journal_begin, RMD_ENOMEM. */
int rmdi_report_write(rmd_journal *journal, const char *path);

#endif
