/* SPDX-License-Identifier: MIT */
/* A program that uses libremuda-net: prints what is wrong with a journal that is none. */
#include <remuda-net.h>
#include <stdio.h>

int main(void)
{
    rmd_journal *journal;
    rmd_net_use();
    int err = rmd_journal_open(&journal, "/dev/null");
    printf("%s: %s\n", rmd_error_name(err), rmd_error_detail());
    return 0;
}
