/* SPDX-License-Identifier: MIT */
/* Waiting for the first of an event, a descriptor and a point in time. */
#include <remuda.h>
#include <stdio.h>
#include <unistd.h>

static rmd_event *quit;
static int ends[2];

static void wait_for_the_first(void)
{
    char text[8];
    rmd_waitable what[] = { rmd_event_waitable(quit), rmd_fd_waitable(ends[0], RMD_READABLE) };
    switch (rmd_select(what, 2, rmd_after_ms(20))) {
    case 0: puts("the event is set"); break;
    case 1: printf("the pipe says: %.*s\n", (int)read(ends[0], text, sizeof text), text); break;
    case RMD_ETIMEDOUT: puts("nothing for 20 ms"); break;
    default: puts(rmd_error_detail()); /* RMD_ECANCELED: this thread was told to stop */
    }
}

int main(void)
{
    if (rmd_event_open(&quit) < 0 || pipe(ends) < 0)
        return 1;
    wait_for_the_first();
    if (write(ends[1], "hello", 5) != 5)
        return 1;
    wait_for_the_first();
    if (write(ends[1], "hello", 5) != 5)
        return 1;
    rmd_event_set(quit); /* stands first in the array, and comes first */
    wait_for_the_first();
    rmd_event_free(quit);
    return 0;
}
