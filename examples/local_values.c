/* SPDX-License-Identifier: MIT */
/* A buffer for each thread, made when the thread first needs it, used again by all its calls, and
 * freed when the thread ends. */
#include <pthread.h>
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 3, CALLS = 5 };

typedef struct buffer {
    int uses;
    char text[64];
} buffer;

static rmd_local *buffers;
static rmd_lock *lock;
static int made, freed, most; /* guarded by the lock */

static void count(int *what)
{
    if (rmd_lock_acquire(lock, RMD_FOREVER) == 0) {
        ++*what;
        rmd_lock_release(lock);
    }
}

static void free_buffer(void *value)
{
    buffer *b = value;
    if (b->uses == CALLS)
        count(&most);
    count(&freed);
    free(b);
}

/* The calling thread's; NULL without memory. */
static buffer *my_buffer(void)
{
    buffer *b = rmd_local_get(buffers);
    if (b || !(b = calloc(1, sizeof *b)))
        return b;
    if (rmd_local_set(buffers, b) < 0) {
        free(b);
        return NULL;
    }
    count(&made);
    return b;
}

static const char *name_of(int number)
{
    buffer *b = my_buffer();
    if (!b)
        return "";
    b->uses++;
    snprintf(b->text, sizeof b->text, "number %d", number);
    return b->text; /* of this thread alone: no other one writes there */
}

static void work(void *arg)
{
    (void)arg;
    for (int i = 0; i < CALLS; i++)
        name_of(i);
}

static void *work_elsewhere(void *arg)
{
    work(arg);
    return NULL;
}

int main(void)
{
    rmd_thread *threads[THREADS];
    pthread_t other; /* a thread that Remuda knows nothing of */
    if (rmd_lock_open(&lock, NULL) < 0 || rmd_local_open(&buffers, free_buffer) < 0)
        return 1;
    for (int i = 0; i < THREADS; i++)
        if (rmd_thread_start(&threads[i], work, NULL, NULL) < 0)
            return 1;
    if (pthread_create(&other, NULL, work_elsewhere, NULL) != 0)
        return 1;
    for (int i = 0; i < THREADS; i++)
        if (rmd_thread_join(threads[i], RMD_FOREVER) < 0 || rmd_thread_free(threads[i]) < 0)
            return 1;
    pthread_join(other, NULL);
    printf("%d threads: %d buffers made, %d freed\n", THREADS + 1, made, freed);
    printf("used %d times each: %d\n", CALLS, most);
    printf("main has %s\n", rmd_local_get(buffers) ? "one" : "none");
    if (rmd_local_free(buffers) < 0 || rmd_lock_free(lock) < 0)
        return 1;
    return 0;
}
