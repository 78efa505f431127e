/* SPDX-License-Identifier: MIT */
/* What a case tells its runner: failures and a remark, in shared memory, so that they
 * count from any thread and from any process the case forks. */
#ifndef KIT_REPORT_H
#define KIT_REPORT_H

void kit_report_open(void);
void kit_report_reset(void);
int kit_failures(void);
const char *kit_remarked(void); /* empty: nothing */

#endif
