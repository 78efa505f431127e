/* SPDX-License-Identifier: MIT */
/* A thread waits for a peer that never says anything. It is ended from outside, at once, without a
 * signal and without a time-out that wakes it for nothing. */
#include <remuda.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct listener {
    int socket;
    rmd_event *listens;
} listener;

static void listen_to_peer(void *arg)
{
    listener *l = arg;
    char text[64];
    rmd_event_set(l->listens);
    int ready = rmd_fd_wait(l->socket, RMD_READABLE, RMD_FOREVER);
    if (ready > 0)
        printf("the peer says %zd bytes\n", read(l->socket, text, sizeof text));
    else
        printf("listening ended: %s\n", rmd_error_name(ready));
}

int main(void)
{
    rmd_thread *thread;
    listener l;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || rmd_event_open(&l.listens) < 0)
        return 1;
    l.socket = ends[0];
    if (rmd_thread_start(&thread, listen_to_peer, &l, NULL) < 0 ||
        rmd_event_wait(l.listens, RMD_FOREVER) < 0)
        return 1;
    if (rmd_thread_join(thread, rmd_after_ms(50)) == RMD_ETIMEDOUT)
        puts("nothing after 50 ms");
    rmd_thread_stop(thread);
    if (rmd_thread_join(thread, rmd_after_ms(5000)) < 0)
        return 1;
    puts("joined");
    rmd_thread_free(thread);
    rmd_event_free(l.listens);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
