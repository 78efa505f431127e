/* SPDX-License-Identifier: MIT */
/* The reports of a run are drawn from its journal; one that keeps none gets one for the time being,
 * in a folder of its own. */
#include "base/alloc.h"
#include "base/error.h"
#include "job/report.h"
#include "job/run_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int make_scratch(rmdi_run *run)
{
    rmdi_buffer path = { 0 };
    const char *dir = getenv("TMPDIR");
    int err = rmdi_buffer_add_format(&path, "%s/remuda-XXXXXX", dir && *dir ? dir : "/tmp");
    if (err == 0 && !mkdtemp(path.data))
        err = rmdi_fail_errno(errno, "a folder for the report's data, %s", path.data);
    if (err == 0) {
        run->scratch = rmdi_strdup(path.data);
        err = rmdi_buffer_add_text(&path, "/journal");
    }
    if (err == 0 && run->scratch) {
        run->scratch_journal = path.data; /* takes the buffer's memory */
        run->options.journal = run->scratch_journal;
        run->options.sync = RMDI_SYNC_OFF;
        return 0;
    }
    rmdi_buffer_free(&path);
    return err < 0 ? err : rmdi_fail_memory();
}

int rmdi_run_open_reports(rmdi_run *run)
{
    const char *const *path = run->options.reports;
    if (!path || run->options.dry_run)
        return 0;
    for (; *path; path++) {
        int err = rmdi_report_check_path(*path);
        if (err < 0)
            return err;
    }
    return run->options.journal ? 0 : make_scratch(run);
}

void rmdi_run_write_reports(rmdi_run *run)
{
    rmd_journal *journal = NULL;
    const char *const *path = run->options.reports;
    if (!path || run->options.dry_run)
        return;
    int err = rmd_journal_open(&journal, run->options.journal);
    for (; *path && err == 0; path++)
        err = rmdi_report_write(journal, *path);
    rmd_journal_free(journal);
    if (err < 0)
        rmdi_run_fail(run, err);
}

void rmdi_run_close_reports(rmdi_run *run)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char path[4096];
    for (size_t i = 0; i < 3 && run->scratch_journal; i++) {
        snprintf(path, sizeof path, "%s%s", run->scratch_journal, ends[i]);
        unlink(path);
    }
    if (run->scratch)
        rmdir(run->scratch);
    rmdi_free(run->scratch_journal);
    rmdi_free(run->scratch);
}
