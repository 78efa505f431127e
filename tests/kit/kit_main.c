/* SPDX-License-Identifier: MIT */
/* In a file of its own: a test program that has options of its own brings its own main(), and the
 * linker then leaves this one out. */
#include "kit.h"

/* Most programs have none. */
__attribute__((weak)) void kit_first(int *argc, char ***argv);

int main(int argc, char **argv)
{
    if (kit_first)
        kit_first(&argc, &argv);
    return kit_main(argc, argv);
}
