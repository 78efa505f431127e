/* SPDX-License-Identifier: MIT */
/* Two players and two events: each waits for its own, clears it, plays, and sets the other's. The
 * second player comes late, when its event has long been set, and passes at once. */
#include <remuda.h>
#include <stdio.h>

enum { ROUNDS = 3 };

typedef struct player {
    const char *sound;
    rmd_event *mine, *other;
} player;

static void play(void *arg)
{
    player *p = arg;
    for (int i = 1; i <= ROUNDS; i++) {
        if (rmd_event_wait(p->mine, RMD_FOREVER) < 0)
            return; /* told to stop */
        rmd_event_clear(p->mine);
        printf("%s %d\n", p->sound, i);
        rmd_event_set(p->other);
    }
}

int main(void)
{
    rmd_event *ping, *pong;
    rmd_thread *first, *second;
    if (rmd_event_open(&ping) < 0 || rmd_event_open(&pong) < 0)
        return 1;
    player players[] = { { "ping", ping, pong }, { "pong", pong, ping } };
    rmd_event_set(ping);
    if (rmd_thread_start(&first, play, &players[0], NULL) < 0)
        return 1;
    while (!rmd_event_is_set(pong)) /* only to be late for sure */
        if (rmd_select(NULL, 0, rmd_after_ms(1)) != RMD_ETIMEDOUT)
            return 1;
    puts("the second player comes late");
    if (rmd_thread_start(&second, play, &players[1], NULL) < 0 ||
        rmd_thread_join(first, RMD_FOREVER) < 0 || rmd_thread_join(second, RMD_FOREVER) < 0)
        return 1;
    rmd_thread_free(first);
    rmd_thread_free(second);
    rmd_event_free(ping);
    rmd_event_free(pong);
    return 0;
}
