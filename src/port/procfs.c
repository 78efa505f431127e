/* SPDX-License-Identifier: MIT */
#include "port/procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static int open_file(pid_t pid, const char *file)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

pid_t rmdi_procfs_group(pid_t pid, bool *zombie)
{
    char text[512], state;
    int group, fd = open_file(pid, "stat");
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return -1;
    text[n] = 0;
    /* The name, in parentheses, may hold anything; the fields follow the last one. */
    const char *after = strrchr(text, ')');
    if (!after || sscanf(after, ") %c %*d %d", &state, &group) != 2)
        return -1;
    *zombie = state == 'Z' || state == 'X';
    return group;
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

static bool search_file(struct search *s, int fd)
{
    char chunk[4096];
    for (ssize_t n; (n = read(fd, chunk, sizeof chunk)) > 0;)
        for (ssize_t i = 0; i < n; i++)
            if (search_byte(s, chunk[i]))
                return true;
    return s->copying; /* the last entry may lack its NUL */
}

bool rmdi_procfs_environment(pid_t pid, const char *name, char *value, size_t size)
{
    int fd = open_file(pid, "environ");
    if (fd < 0)
        return false;
    struct search s = { .name = name, .value = value, .size = size };
    bool found = search_file(&s, fd);
    close(fd);
    value[found ? s.used : 0] = 0;
    return found;
}
