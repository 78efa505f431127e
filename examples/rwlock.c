/* SPDX-License-Identifier: MIT */
/* A configuration that many threads read all the time and one replaces now and then. Whoever reads
 * sees all of one version, never half of it. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { READERS = 4, VERSIONS = 100 };

typedef struct configuration {
    int version;
    int workers, memory_mib; /* 64 MiB for each worker */
} configuration;

static rmd_rwlock *lock;
static configuration current; /* guarded by the lock */

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

static configuration look(void)
{
    configuration c = { 0 };
    RMD_WITH_READ (lock, RMD_FOREVER)
        c = current;
    return c;
}

static void replace(int version)
{
    RMD_WITH_WRITE (lock, RMD_FOREVER) {
        current.version = version;
        current.workers = version % 8;
        current.memory_mib = 64 * current.workers;
    }
}

static void read_until_the_last(void *arg)
{
    int *halves = arg;
    configuration c;
    do {
        c = look();
        *halves += c.memory_mib != 64 * c.workers;
    } while (c.version < VERSIONS && !rmd_thread_stopping());
}

int main(void)
{
    rmd_thread *threads[READERS];
    int halves[READERS] = { 0 }, sum = 0;
    rmd_rwlock_options options = { .size = sizeof options, .name = "configuration" };
    must(rmd_rwlock_open(&lock, &options));
    for (int i = 0; i < READERS; i++)
        must(rmd_thread_start(&threads[i], read_until_the_last, &halves[i], NULL));
    for (int version = 1; version <= VERSIONS; version++)
        replace(version);
    for (int i = 0; i < READERS; i++) {
        must(rmd_thread_join(threads[i], RMD_FOREVER));
        rmd_thread_free(threads[i]);
        sum += halves[i];
    }
    configuration last = look();
    printf("version %d: %d workers, %d MiB; %d readers saw %d halves\n", last.version, last.workers,
           last.memory_mib, READERS, sum);

    must(rmd_rwlock_acquire_write(lock, RMD_FOREVER));
    if (rmd_rwlock_acquire_read(lock, rmd_after_ms(10)) == RMD_ETIMEDOUT)
        puts(rmd_error_detail());
    must(rmd_rwlock_downgrade(lock)); /* from here on others may read, too */
    must(rmd_rwlock_acquire_read(lock, RMD_NOW));
    must(rmd_rwlock_release(lock));
    must(rmd_rwlock_release(lock));
    must(rmd_rwlock_free(lock));
    return 0;
}
