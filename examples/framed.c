/* SPDX-License-Identifier: MIT */
/* Messages over a socket: one side asks, the other one answers, and the end of the stream ends it.
 * On either side might be Python's multiprocessing.connection. */
#include <ctype.h>
#include <remuda.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void answer(void *arg)
{
    rmd_framed *framed = arg;
    rmd_bytes question;
    int err;
    while ((err = rmd_framed_read(framed, &question, RMD_FOREVER)) == 0) {
        char louder[64];
        size_t len = question.len < sizeof louder ? question.len : sizeof louder;
        for (size_t i = 0; i < len; i++)
            louder[i] = (char)toupper(((const unsigned char *)question.data)[i]);
        if (rmd_framed_write(framed, (rmd_bytes){ louder, len }, rmd_after_ms(1000)) < 0)
            return;
    }
    printf("no more questions: %s\n", rmd_error_name(err));
}

static void ask(rmd_framed *framed, const char *words)
{
    rmd_bytes reply;
    if (rmd_framed_write(framed, (rmd_bytes){ words, strlen(words) }, rmd_after_ms(1000)) < 0 ||
        rmd_framed_read(framed, &reply, rmd_after_ms(1000)) < 0)
        printf("%s: %s\n", words, rmd_error_detail());
    else
        printf("%s -> %.*s\n", words, (int)reply.len, (const char *)reply.data);
}

int main(void)
{
    rmd_framed_options options = { .size = sizeof options, .takes = true, .bytes_max = 64 };
    rmd_framed *ours, *theirs;
    rmd_thread *thread;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
        rmd_framed_open(&ours, ends[0], ends[0], &options) < 0 ||
        rmd_framed_open(&theirs, ends[1], ends[1], &options) < 0 ||
        rmd_thread_start(&thread, answer, theirs, NULL) < 0)
        return 1;
    ask(ours, "hello");
    ask(ours, "");
    ask(ours, "who has written a message that is longer than both sides have said?");
    rmd_framed_free(ours); /* and closes its end */
    if (rmd_thread_join(thread, RMD_FOREVER) < 0)
        return 1;
    rmd_thread_free(thread);
    rmd_framed_free(theirs);
    return 0;
}
