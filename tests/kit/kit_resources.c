/* SPDX-License-Identifier: MIT */
#include "kit_resources.h"
#include "kit.h"

#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

static kit_resources *taking; /* nftw passes no argument; stock is taken by one thread at a time */

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = NULL;
    int length = vasprintf(&line, format, args);
    va_end(args);
    size_t count = (size_t)taking->count + 1;
    taking->lines = realloc(taking->lines, count * sizeof *taking->lines);
    REQUIRE(length >= 0 && taking->lines != NULL);
    taking->lines[taking->count++] = line;
}

/* The first line of a file under /proc; "?" when its owner is gone. */
static void read_line(char *line, size_t size, const char *folder, const char *id, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/%s/%s", folder, id, name);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(line, (int)size, file) == NULL)
        snprintf(line, size, "?");
    line[strcspn(line, "\n")] = '\0';
    if (file != NULL)
        fclose(file);
}

static void take_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    REQUIRE(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[300], target[1024];
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0 || atoi(entry->d_name) == dirfd(folder))
            continue;
        target[length] = '\0';
        add("descriptor %s -> %s", entry->d_name, target);
    }
    closedir(folder);
}

static void take_children_of(const char *thread)
{
    char list[4096], name[64];
    read_line(list, sizeof list, "self/task", thread, "children");
    for (char *rest = list, *id; (id = strtok_r(rest, " ?", &rest)) != NULL;) {
        read_line(name, sizeof name, ".", id, "comm");
        add("child %s (%s)", id, name);
    }
}

static void take_threads_and_children(void)
{
    DIR *folder = opendir("/proc/self/task");
    REQUIRE(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[64];
        if (entry->d_name[0] == '.')
            continue;
        read_line(name, sizeof name, "self/task", entry->d_name, "comm");
        add("thread %s (%s)", entry->d_name, name);
        take_children_of(entry->d_name);
    }
    closedir(folder);
}

/* The thread sanitizer makes such a file at the start of each process; of one that is killed at
 * that moment it stays. */
static bool is_sanitizers(const char *path)
{
    return strstr(path, "/tsan.rodata.") != NULL;
}

static int take_file(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    if (where->level > 0 && !is_sanitizers(path))
        add("file %s", path);
    return 0;
}

#if defined(__SANITIZE_THREAD__)
static void *end_at_once(void *arg)
{
    return arg;
}

/* The thread sanitizer starts a thread of its own with the first of ours, so let there be one. */
static void settle(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, end_at_once, NULL) == 0)
        pthread_join(thread, NULL);
}
#else
static void settle(void) {}
#endif

void kit_resources_take(kit_resources *resources)
{
    settle();
    *resources = (kit_resources){ NULL, 0 };
    taking = resources;
    take_descriptors();
    take_threads_and_children();
    if (getenv("TMPDIR") != NULL)
        nftw(getenv("TMPDIR"), take_file, 16, FTW_PHYS);
}

static void release(kit_resources *resources)
{
    for (int i = 0; i < resources->count; i++)
        free(resources->lines[i]);
    free(resources->lines);
    *resources = (kit_resources){ NULL, 0 };
}

static bool holds(const kit_resources *resources, const char *line)
{
    for (int i = 0; i < resources->count; i++)
        if (strcmp(resources->lines[i], line) == 0)
            return true;
    return false;
}

/* How many are in 'now' and not in 'before'; names them if asked. */
static int compare(const kit_resources *before, const kit_resources *now, const char *file,
                   int line)
{
    int fresh = 0;
    for (int i = 0; i < now->count; i++) {
        if (holds(before, now->lines[i]))
            continue;
        fresh++;
        if (file != NULL)
            kit_check(false, file, line, now->lines[i]);
    }
    return fresh;
}

bool kit_resources_check(kit_resources *resources, const char *file, int line)
{
    kit_resources now;
    int fresh = 1;
    for (int tries = 0; fresh > 0 && tries < 100; tries++) {
        kit_resources_take(&now);
        fresh = compare(resources, &now, NULL, 0);
        if (fresh > 0)
            usleep(20000);
        if (fresh > 0 && tries == 99)
            compare(resources, &now, file, line);
        release(&now);
    }
    release(resources);
    return fresh == 0;
}
