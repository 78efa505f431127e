/* SPDX-License-Identifier: MIT */
/* For scripts: note_helper HISTORY EVENT TASK [KEY=VALUE...] */
#include "histcheck/note.h"

#include <string.h>

int main(int argc, char **argv)
{
    char text[400] = "";
    for (int i = 2; i < argc; i++) {
        strncat(text, i > 2 ? " " : "", sizeof text - strlen(text) - 1);
        strncat(text, argv[i], sizeof text - strlen(text) - 1);
    }
    int history = argc > 2 ? history_open(argv[1]) : -1;
    if (history >= 0 && history_note(history, "%s", text))
        return 0;
    perror(argc > 1 ? argv[1] : "note");
    return 1;
}
