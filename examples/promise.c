/* SPDX-License-Identifier: MIT */
/* A promise is a future that you complete yourself. Here an old interface, which calls back when
 * a letter has been delivered, becomes one that can be waited for, with others, and with a
 * deadline. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

static void must(int64_t err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name((int)err));
    exit(1);
}

/* ---- the old interface: a thread of its own calls back, once ---- */

typedef void delivered_fn(void *ctx, const char *to, int days);
typedef struct letter {
    const char *to;
    delivered_fn *fn;
    void *ctx;
    rmd_thread *postman;
} letter;

static void carry(void *arg)
{
    letter *l = arg;
    l->fn(l->ctx, l->to, *l->to == 'N' ? -1 : (int)(l->to[0] - 'A') + 1);
}

static void send_letter(letter *l)
{
    must(rmd_thread_start(&l->postman, carry, l, NULL), "thread");
}

/* ---- the new one ---- */

static void keep_promise(void *ctx, const char *to, int days)
{
    rmd_promise *promise = ctx;
    if (days < 0)
        rmd_promise_fail(promise, RMD_ENOENT, "nobody is called %s", to);
    else
        rmd_promise_set(promise, days); /* copied: it may be anything that is a value */
    rmd_promise_free(promise);
}

static rmd_future *send_to(letter *l, const char *to)
{
    rmd_future *future;
    rmd_promise *promise;
    must(rmd_promise_open(&promise, &future, to), "promise");
    *l = (letter){ .to = to, .fn = keep_promise, .ctx = promise };
    send_letter(l);
    return future;
}

static void tell(rmd_future *future)
{
    int days;
    if (rmd_future_get(future, &days) == 0)
        printf("%s has it in %d days\n", rmd_future_name(future), days);
    else
        printf("%s: %s, %s\n", rmd_future_name(future),
               rmd_outcome_name(rmd_future_outcome(future)), rmd_error_detail());
    rmd_future_free(future);
}

int main(void)
{
    static const char *const names[] = { "Ada", "Bea", "Nemo" };
    letter letters[3];
    rmd_future *futures[4];
    rmd_promise *forgotten;
    for (int i = 0; i < 3; i++)
        futures[i] = send_to(&letters[i], names[i]);
    must(rmd_promise_open(&forgotten, &futures[3], "Fay"), "promise");
    must(rmd_futures_wait(futures, 3, RMD_WAIT_ALL, rmd_after_ms(10000)), "wait");
    if (rmd_future_wait(futures[3], rmd_after_ms(10)) == RMD_ETIMEDOUT)
        puts("Fay: not yet");
    rmd_promise_free(forgotten); /* nobody can keep it any more */
    for (int i = 0; i < 4; i++)
        tell(futures[i]);
    for (int i = 0; i < 3; i++) {
        must(rmd_thread_join(letters[i].postman, RMD_FOREVER), "join");
        rmd_thread_free(letters[i].postman);
    }
    return 0;
}
