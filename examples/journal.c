/* SPDX-License-Identifier: MIT */
/* Lists the tasks of a journal that did not succeed:
 *
 *     remuda run --journal job.db 'exit {}' ::: 0 3 0
 *     example-journal job.db
 */
#include <inttypes.h>
#include <remuda-net.h>
#include <stdio.h>

static int on_task(void *ctx, const rmd_journal_task *task)
{
    (void)ctx;
    printf("task %" PRIu64 " %s: %s: %.*s\n", task->seq, rmd_outcome_name(task->outcome),
           task->detail, (int)task->command.len, (const char *)task->command.data);
    return 0;
}

int main(int argc, char **argv)
{
    rmd_journal *journal;
    rmd_journal_query failed = { .size = sizeof failed, .failed = true };

    int err = rmd_journal_open(&journal, argc > 1 ? argv[1] : "job.db");
    if (err == 0) {
        err = rmd_journal_tasks(journal, &failed, on_task, NULL);
        rmd_journal_free(journal);
    }
    if (err < 0)
        fprintf(stderr, "%s\n", rmd_error_detail());
    return err < 0;
}
