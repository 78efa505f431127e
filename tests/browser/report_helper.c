/* SPDX-License-Identifier: MIT */
/* Writes a report: report_helper JOURNAL REPORT. */
#include "job/report.h"

#include <remuda/error.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    rmd_journal *journal = NULL;
    if (argc != 3)
        return 2;
    int err = rmd_journal_open(&journal, argv[1]);
    if (err == 0)
        err = rmdi_report_write(journal, argv[2]);
    if (err < 0)
        fprintf(stderr, "%s: %s\n", rmd_error_name(err), rmd_error_detail());
    rmd_journal_free(journal);
    return err < 0;
}
