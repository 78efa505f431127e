/* SPDX-License-Identifier: MIT */
#include "exec/environment.h"

#include "base/alloc.h"

#include <string.h>

/* The first byte decides most often, and this is asked for each pair of two lists. */
static bool has_name(const char *entry, const char *name, size_t len)
{
    return *entry == *name && strncmp(entry, name, len) == 0 && entry[len] == '=';
}

const char *rmdi_env_get(char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; env && *env; env++)
        if (has_name(*env, name, len))
            return *env + len + 1;
    return NULL;
}

static size_t count(char *const *array)
{
    size_t n = 0;
    while (array && array[n])
        n++;
    return n;
}

char **rmdi_strings_copy(const char *const *array)
{
    size_t n = 0, bytes = 0;
    for (; array && array[n]; n++)
        bytes += strlen(array[n]) + 1;
    char **copy = rmdi_alloc((n + 1) * sizeof *copy + bytes);
    if (!copy)
        return NULL;
    char *text = (char *)(copy + n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(array[i]) + 1;
        copy[i] = memcpy(text, array[i], len);
        text += len;
    }
    copy[n] = NULL;
    return copy;
}

static bool is_replaced(const char *entry, char *const *over)
{
    const char *equals = strchr(entry, '=');
    size_t len = equals ? (size_t)(equals - entry) : strlen(entry);
    for (; over && *over; over++)
        if (has_name(*over, entry, len))
            return true;
    return false;
}

char **rmdi_env_merge(char *const *base, char *const *over)
{
    size_t n = 0;
    char **merged = rmdi_alloc((count(base) + count(over) + 1) * sizeof *merged);
    if (!merged)
        return NULL;
    for (; base && *base; base++)
        if (!is_replaced(*base, over))
            merged[n++] = *base;
    for (; over && *over; over++)
        merged[n++] = *over;
    merged[n] = NULL;
    return merged;
}
