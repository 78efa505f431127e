/* SPDX-License-Identifier: MIT */
/* A library that knows nothing of threads, used by four of them: by an executor, which makes all
 * calls on one thread, and by a lock, which lets any thread call, but one at a time. Some libraries
 * are content with the lock; for those that must stay on one thread it is the executor. */
#include <pthread.h>
#include <remuda.h>
#include <stdio.h>

enum { THREADS = 4, CALLS = 1000 };

/* ---- the library ---- */

static struct {
    int total;
    bool busy;
    int broken;  /* a call came in while another one was in it */
    int threads; /* how often the thread was another one than before */
    pthread_t last;
} library;

static int library_add(void *arg)
{
    library.broken += library.busy;
    library.busy = true;
    if (!library.threads || !pthread_equal(library.last, pthread_self()))
        library.threads++;
    library.last = pthread_self();
    library.total += *(int *)arg;
    library.busy = false;
    return library.total;
}

/* ---- its users ---- */

static rmd_executor *executor;
static rmd_lock *lock;

static void use_by_executor(void *arg)
{
    for (int i = 0; i < CALLS; i++) {
        int total;
        if (rmd_executor_call(executor, library_add, arg, &total, RMD_FOREVER) < 0)
            return; /* told to stop */
    }
}

static void use_by_lock(void *arg)
{
    for (int i = 0; i < CALLS; i++) {
        if (rmd_lock_acquire(lock, RMD_FOREVER) < 0)
            return;
        library_add(arg);
        rmd_lock_release(lock);
    }
}

static int run(void (*use)(void *arg))
{
    rmd_thread *threads[THREADS];
    int steps[THREADS] = { 1, 2, 3, 4 };
    for (int i = 0; i < THREADS; i++)
        if (rmd_thread_start(&threads[i], use, &steps[i], NULL) < 0)
            return -1;
    for (int i = 0; i < THREADS; i++)
        if (rmd_thread_join(threads[i], RMD_FOREVER) < 0 || rmd_thread_free(threads[i]) < 0)
            return -1;
    return 0;
}

int main(void)
{
    if (rmd_executor_open(&executor, NULL) < 0 || rmd_lock_open(&lock, NULL) < 0)
        return 1;
    if (run(use_by_executor) < 0 || rmd_executor_drain(executor, RMD_FOREVER) < 0)
        return 1;
    printf("executor: total %d, %d calls at once, by %d thread\n", library.total, library.broken,
           library.threads);
    library.total = library.threads = 0;
    if (run(use_by_lock) < 0)
        return 1;
    printf("lock: total %d, %d calls at once, by %s\n", library.total, library.broken,
           library.threads > 1 ? "several threads" : "one thread");
    rmd_executor_free(executor);
    rmd_lock_free(lock);
    return 0;
}
