/* SPDX-License-Identifier: MIT */
/* Loads the library, gives a thread a value, unloads the library, and lets the thread end: what the
 * system calls then must be there still. */
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static int (*local_open)(void **local, void (*destroy)(void *value));
static int (*local_set)(void *local, void *value);
static void *local;
static sem_t has_set, unloaded;

static void *use(void *arg)
{
    if (local_set(local, arg) < 0)
        return arg;
    sem_post(&has_set);
    sem_wait(&unloaded);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    void *failed;
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!library || sem_init(&has_set, 0, 0) || sem_init(&unloaded, 0, 0))
        return 1;
    *(void **)&local_open = dlsym(library, "rmd_local_open");
    *(void **)&local_set = dlsym(library, "rmd_local_set");
    if (local_open(&local, NULL) < 0 || pthread_create(&thread, NULL, use, &local))
        return 1;
    sem_wait(&has_set);
    dlclose(library);
    sem_post(&unloaded);
    pthread_join(thread, &failed);
    puts(failed ? "no value" : "ended");
    return 0;
}
