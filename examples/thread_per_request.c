/* SPDX-License-Identifier: MIT */
/* A server that starts a thread for each request: simple, and each request has the thread for
 * itself. But as many threads run as there are requests; examples/pool_server.c has a bound. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { REQUESTS = 12 };

typedef struct request {
    rmd_thread *thread;
    int number, answer;
} request;

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

static void handle(void *arg)
{
    request *r = arg;
    r->answer = r->number * r->number;
}

int main(void)
{
    static request requests[REQUESTS];
    for (int i = 0; i < REQUESTS; i++) {
        requests[i].number = i + 1;
        must(rmd_thread_start(
            &requests[i].thread, handle, &requests[i],
            &(rmd_thread_options){ .size = sizeof(rmd_thread_options), .name = "request" }));
    }
    for (int i = 0; i < REQUESTS; i++) {
        must(rmd_thread_join(requests[i].thread, RMD_FOREVER));
        must(rmd_thread_free(requests[i].thread));
        printf("request %d: %d\n", requests[i].number, requests[i].answer);
    }
    printf("%d threads were started for %d requests\n", REQUESTS, REQUESTS);
    return 0;
}
