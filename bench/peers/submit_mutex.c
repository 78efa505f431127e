/* SPDX-License-Identifier: MIT */
/* The pool of the textbooks: allocated jobs in a list, a mutex, a condition. submit_mutex CASE */
#include "../submit.h"

#include <pthread.h>

typedef struct job {
    struct job *next;
    void (*fn)(void *arg);
    void *arg;
} job;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t some = PTHREAD_COND_INITIALIZER;
static job *first, **last = &first;
static countdown left;

static job *take(void)
{
    pthread_mutex_lock(&mutex);
    while (!first)
        pthread_cond_wait(&some, &mutex);
    job *j = first;
    if (!(first = j->next))
        last = &first;
    pthread_mutex_unlock(&mutex);
    return j;
}

static void *work(void *arg)
{
    for (job *j;;) {
        j = take();
        j->fn(j->arg);
        free(j);
    }
    return arg;
}

static void end_one(void *arg)
{
    countdown_end_one(arg);
}

static void submit(long n)
{
    countdown_begin(&left, n);
    for (long i = 0; i < n; i++) {
        job *j = malloc(sizeof *j);
        MUST(j);
        *j = (job){ .fn = end_one, .arg = &left };
        pthread_mutex_lock(&mutex);
        *last = j;
        last = &j->next;
        pthread_mutex_unlock(&mutex);
        pthread_cond_signal(&some);
    }
    countdown_wait(&left);
}

static void one(void)
{
    submit(1);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    MUST(argc == 2);
    for (int i = 0; i < WORKERS; i++)
        MUST(pthread_create(&thread, NULL, work, NULL) == 0);
    print_case(argv[1], submit, one);
    return 0;
}
