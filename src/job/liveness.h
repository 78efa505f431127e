/* SPDX-License-Identifier: MIT */
/* Does the process of a run still live? */
#ifndef RMDI_JOB_LIVENESS_H
#define RMDI_JOB_LIVENESS_H

#include <remuda/journal.h>

/* Known by host, boot and pid: within one boot a pid can be given out again, but seldom while its
 * journal still waits for an end. False for a run that has ended, or ran elsewhere. */
bool rmdi_run_is_alive(const rmd_journal_run *run);

/* The kernel's id of this boot, "" if it is not known. */
void rmdi_boot_id(char *text, size_t size);

#endif
