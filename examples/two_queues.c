/* SPDX-License-Identifier: MIT */
/* One worker serves two queues: what is urgent first, and the ordinary while there is nothing
 * urgent. It sleeps until either has something. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

static rmd_queue *urgent, *ordinary; /* of strings */

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

/* False: that was all. */
static bool serve_one(void)
{
    rmd_queue *queues[] = { urgent, ordinary };
    rmd_waitable what[] = { rmd_queue_waitable(urgent), rmd_queue_waitable(ordinary) };
    void *item;
    int which = rmd_select(what, 2, RMD_FOREVER);
    if (which < 0)
        return false; /* told to stop */
    int err = rmd_queue_get(queues[which], &item, RMD_NOW);
    if (err == 0)
        puts(item);
    return err == 0 || err == RMD_ETIMEDOUT; /* the latter: another thread was faster */
}

static void serve(void *arg)
{
    (void)arg;
    while (serve_one())
        continue;
    puts("closed, and empty");
}

int main(void)
{
    char letter[] = "ordinary: a letter", parcel[] = "ordinary: a parcel";
    char telegram[] = "urgent: a telegram";
    void *letters[] = { letter, parcel };
    rmd_thread *worker;
    must(rmd_queue_open(&urgent, 8, NULL));
    must(rmd_queue_open(&ordinary, 8, NULL));
    must(rmd_queue_put_many(ordinary, letters, 2, NULL, RMD_FOREVER));
    must(rmd_queue_put(urgent, telegram, RMD_FOREVER));
    rmd_queue_close(ordinary);
    must(rmd_thread_start(&worker, serve, NULL, NULL));
    must(rmd_thread_join(worker, RMD_FOREVER));
    rmd_thread_free(worker);
    rmd_queue_free(urgent);
    rmd_queue_free(ordinary);
    return 0;
}
