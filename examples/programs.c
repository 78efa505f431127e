/* SPDX-License-Identifier: MIT */
/* A pool of external programs: futures, deadlines, callbacks, cancel, and a directory of
 * its own for each job. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static rmd_pool *pool;

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

/* Runs a shell script in a directory, with limits; the future is the caller's. */
static rmd_future *run(const char *script, const char *dir, rmd_limits limits)
{
    const char *words[] = { "sh", "-c", script, NULL };
    rmd_command command = { .size = sizeof command, .argv = words, .dir = dir, .limits = limits };
    rmd_future *future;
    must(rmd_pool_exec(pool, &future, &command), script);
    return future;
}

static void tell(const char *what, rmd_future *future)
{
    const rmd_exit *end;
    must(rmd_future_wait(future, rmd_after_ms(10000)), what);
    must(rmd_future_exit(future, &end), what);
    printf("%s: %s%s%s\n", what, rmd_outcome_name(end->outcome), *end->detail ? ", " : "",
           end->detail);
    rmd_future_free(future);
}

static void count(rmd_future *future, void *ctx)
{
    (void)future;
    ++*(int *)ctx; /* callbacks all run on the pool's one keeper thread */
}

static void directories_per_job(void)
{
    char base[] = "/tmp/remuda-example-XXXXXX", dir[64], text[16] = "";
    if (!mkdtemp(base))
        exit(1);
    for (int i = 1; i <= 2; i++) {
        snprintf(dir, sizeof dir, "%s/job%d", base, i);
        mkdir(dir, 0700);
        rmd_future *future = run("echo made here > out; cat out; rm out", dir, (rmd_limits){ 0 });
        must(rmd_future_wait(future, RMD_FOREVER), "wait");
        rmd_future_read(future, RMD_STDOUT, 0, text, sizeof text - 1);
        printf("job%d: %s", i, text);
        rmd_future_free(future);
        rmdir(dir);
    }
    rmdir(base);
}

int main(int argc, char **argv)
{
    int ended = 0;
    rmd_census census;
    char line[200];
    rmd_start(&argc, &argv);
    must(rmd_pool_open(&pool, "programs:2", NULL, rmd_after_ms(5000)), "open");
    directories_per_job();
    tell("a failure", run("echo no such luck >&2; exit 3", NULL, (rmd_limits){ 0 }));
    tell("a limit", run("sleep 60", NULL, (rmd_limits){ .run_ms_max = 100 }));
    rmd_future *slow = run("sleep 60", NULL, (rmd_limits){ 0 });
    if (rmd_future_wait(slow, rmd_after_ms(100)) == RMD_ETIMEDOUT)
        puts("not ended yet: a wait that times out changes nothing");
    must(rmd_future_on_end(slow, count, &ended), "callback");
    must(rmd_future_cancel(slow), "cancel");
    tell("a cancel", slow);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_census(pool, &census), "census");
    rmd_census_format(&census, line, sizeof line);
    printf("%d callback; %s\n", ended, line);
    rmd_pool_free(pool);
    return 0;
}
