/* SPDX-License-Identifier: MIT */
/* In a file of its own: a test program that has options of its own brings its own main(), and the
 * linker then leaves this one out. */
#include "kit.h"

int main(int argc, char **argv)
{
    return kit_main(argc, argv);
}
