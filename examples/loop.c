/* SPDX-License-Identifier: MIT */
/* An event loop with a timer, a signal and a pool that lives on it: one thread, no locks.
 * The loop ends by itself when nothing is left to wait for. */
#include <remuda.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static rmd_loop *loop;
static rmd_pool *pool;

static void on_signal(rmd_source *source, unsigned signal, void *ctx)
{
    (void)ctx;
    printf("signal %s\n", signal == SIGUSR1 ? "USR1" : "?");
    rmd_source_free(source); /* a source may go in its own callback */
}

static void on_program_end(rmd_future *future, void *ctx)
{
    (void)ctx;
    printf("the program ended: %s\n", rmd_outcome_name(rmd_future_outcome(future)));
    rmd_future_free(future);
    kill(getpid(), SIGUSR1);
}

static void on_timer(rmd_source *source, unsigned events, void *ctx)
{
    (void)events;
    (void)ctx;
    const char *words[] = { "true", NULL };
    rmd_command command = { .size = sizeof command, .argv = words };
    rmd_future *future;
    puts("the timer fired");
    rmd_source_free(source);
    if (rmd_pool_exec(pool, &future, &command) == 0)
        rmd_future_on_end(future, on_program_end, NULL);
}

int main(int argc, char **argv)
{
    rmd_source *timer, *usr1;
    rmd_start(&argc, &argv);
    if (rmd_loop_open(&loop) < 0)
        return 1;
    rmd_pool_options options = { .size = sizeof options, .loop = loop };
    if (rmd_pool_open(&pool, "programs:1", &options, RMD_FOREVER) < 0 ||
        rmd_loop_signal(loop, &usr1, SIGUSR1, on_signal, NULL) < 0 ||
        rmd_loop_timer(loop, &timer, rmd_after_ms(20), 0, on_timer, NULL) < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        return 1;
    }
    rmd_loop_run(loop, RMD_FOREVER);
    rmd_pool_drain(pool, RMD_FOREVER);
    rmd_pool_free(pool);
    rmd_loop_free(loop);
    puts("nothing is left");
    return 0;
}
