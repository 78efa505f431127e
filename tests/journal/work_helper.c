/* SPDX-License-Identifier: MIT */
/* A task that leaves traces: work_helper HISTORY TASK notes its start and its effect, and prints
 * its name. */
#include "histcheck/note.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    const char *attempt = getenv("REMUDA_ATTEMPT");
    int history = argc == 3 ? history_open(argv[1]) : -1;
    if (history < 0 || !history_note(history, "start %s attempt=%s", argv[2], attempt))
        return 1;
    if (!history_note(history, "effect %s attempt=%s", argv[2], attempt))
        return 1;
    printf("%s\n", argv[2]);
    return 0;
}
