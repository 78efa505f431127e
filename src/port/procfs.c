/* SPDX-License-Identifier: MIT */
#include "port/procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STAT_MAX = 1024 };

int rmdi_procfs_each(bool (*each)(void *ctx, pid_t pid), void *ctx)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return errno;
    for (struct dirent *entry; (entry = readdir(proc));)
        if (isdigit((unsigned char)entry->d_name[0]) && !each(ctx, (pid_t)atoi(entry->d_name)))
            break;
    closedir(proc);
    return 0;
}

pid_t rmdi_procfs_newest(void)
{
    char text[128];
    int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    const char *last = strrchr(text, ' ');
    return last ? (pid_t)atoi(last) : 0;
}

static int open_file(pid_t pid, const char *file)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* The fields of the stat file behind the name; NULL when the process is gone. */
static const char *read_stat(pid_t pid, char *text, size_t size)
{
    int fd = open_file(pid, "stat");
    if (fd < 0)
        return NULL;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0)
        return NULL;
    text[n] = 0;
    /* The name, in parentheses, may hold anything; the fields follow the last one. */
    return strrchr(text, ')');
}

pid_t rmdi_procfs_group(pid_t pid, bool *zombie)
{
    char text[STAT_MAX], state;
    int group;
    const char *after = read_stat(pid, text, sizeof text);
    if (!after || sscanf(after, ") %c %*d %d", &state, &group) != 2)
        return -1;
    *zombie = state == 'Z' || state == 'X';
    return group;
}

unsigned rmdi_procfs_threads(void)
{
    char text[STAT_MAX];
    unsigned threads = 0;
    const char *after = read_stat(getpid(), text, sizeof text);
    /* The 20th field; the name before ours is the second. */
    if (!after || sscanf(after,
                         ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                         "%*s %u",
                         &threads) != 1)
        return 0;
    return threads;
}

uint64_t rmdi_procfs_resident(void)
{
    char text[STAT_MAX];
    unsigned long long pages = 0;
    int fd = open_file(getpid(), "statm");
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n < 0 ? 0 : n] = 0;
    if (sscanf(text, "%*s %llu", &pages) != 1)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Is it just being executed? Then it has left its old memory, and with that set free
 * whoever waited for the exec, but has no environment yet. Nor has a kernel thread or a
 * process that is ending, but those are marked so. */
static bool is_executing(pid_t pid)
{
    enum { ENDING = 0x4, KERNEL_THREAD = 0x200000, FLAGS = 9, ENVIRONMENT_END = 51 };
    char text[STAT_MAX];
    const char *field = read_stat(pid, text, sizeof text);
    for (int i = 2; field && i <= ENVIRONMENT_END; i++) {
        if (i == FLAGS && (strtoul(field, NULL, 10) & (ENDING | KERNEL_THREAD)))
            return false;
        if (i == ENVIRONMENT_END)
            return strtoul(field, NULL, 10) == 0;
        field = strchr(field, ' ');
        field += field != NULL;
    }
    return false;
}

/* A search for "\0NAME=" in a stream of chunks, then a copy up to the next NUL. */
struct search {
    const char *name;
    size_t matched; /* bytes of NAME= seen, or (size_t)-1: this entry is another one */
    bool copying;
    char *value;
    size_t used, size;
};

/* True when the value is complete. */
static bool search_byte(struct search *s, char c)
{
    if (s->copying) {
        if (!c)
            return true;
        if (s->used + 1 < s->size)
            s->value[s->used++] = c;
    } else if (!c) {
        s->matched = 0;
    } else if (s->matched != (size_t)-1) {
        char wanted = s->name[s->matched] ? s->name[s->matched] : '=';
        bool last = !s->name[s->matched];
        s->matched = c == wanted ? s->matched + 1 : (size_t)-1;
        s->copying = last && c == wanted;
    }
    return false;
}

/* *empty: there was not a single byte. */
static bool search_file(struct search *s, int fd, bool *empty)
{
    char chunk[4096];
    *empty = true;
    for (ssize_t n; (n = read(fd, chunk, sizeof chunk)) > 0; *empty = false)
        for (ssize_t i = 0; i < n; i++)
            if (search_byte(s, chunk[i]))
                return true;
    return s->copying; /* the last entry may lack its NUL */
}

static bool search_process(struct search *s, pid_t pid, bool *empty)
{
    int fd = open_file(pid, "environ");
    *empty = false;
    if (fd < 0)
        return false;
    bool found = search_file(s, fd, empty);
    close(fd);
    return found;
}

int rmdi_procfs_environment(pid_t pid, const char *name, char *value, size_t size)
{
    enum { TRIES = 100 };
    static const struct timespec pause = { .tv_nsec = 100 * 1000 };
    struct search s = { .name = name, .value = value, .size = size };
    bool empty, executing = true, found = search_process(&s, pid, &empty);
    /* Once more when it is not being executed any more: it may have been when we read. */
    for (int i = 0; i < TRIES && !found && empty && executing; i++) {
        executing = is_executing(pid);
        if (executing)
            nanosleep(&pause, NULL);
        found = search_process(&s, pid, &empty);
    }
    value[found ? s.used : 0] = 0;
    return found ? 1 : empty && executing ? -1 : 0;
}
