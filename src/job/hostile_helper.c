/* SPDX-License-Identifier: MIT */
/* Shows its arguments: each followed by a NUL byte. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (fwrite(argv[i], 1, strlen(argv[i]) + 1, stdout) != strlen(argv[i]) + 1)
            return 1;
    return fflush(stdout) ? 1 : 0;
}
