/* SPDX-License-Identifier: MIT */
/* Two players and two events: each waits for its own, clears it, plays, and sets the other's. Who
 * comes late, when its event has long been set, passes at once; and a second game begins with the
 * events as the first has left them. */
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

static int pause_ms(int64_t ms) /* only to be late for sure */
{
    return rmd_select(NULL, 0, rmd_after_ms(ms)) == RMD_ETIMEDOUT ? 0 : -1;
}

/* The second one comes late. */
static int game(player *first, player *second)
{
    rmd_thread *threads[2];
    if (rmd_thread_start(&threads[0], play, first, NULL) < 0 || pause_ms(20) < 0)
        return -1;
    printf("%s comes late\n", second->sound);
    if (rmd_thread_start(&threads[1], play, second, NULL) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (rmd_thread_join(threads[i], RMD_FOREVER) < 0 || rmd_thread_free(threads[i]) < 0)
            return -1;
    return 0;
}

int main(void)
{
    rmd_event *ping, *pong;
    if (rmd_event_open(&ping) < 0 || rmd_event_open(&pong) < 0)
        return 1;
    player players[] = { { "ping", ping, pong }, { "pong", pong, ping } };
    rmd_event_set(ping);
    puts("first game");
    if (game(&players[0], &players[1]) < 0)
        return 1;
    puts("second game"); /* the last stroke has set ping's event, and it still is */
    if (pause_ms(20) < 0 || game(&players[1], &players[0]) < 0)
        return 1;
    rmd_event_free(ping);
    rmd_event_free(pong);
    return 0;
}
