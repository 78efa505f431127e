/* SPDX-License-Identifier: MIT */
#include "explore/token.h"

#include "base/error.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const strategies[] = { "mix", "random", "pct", "starve", "exhaustive" };
static const char *const memories[] = { "mix", "sc", "tso", "weak" };

enum {
    STRATEGIES = sizeof strategies / sizeof *strategies,
    MEMORIES = sizeof memories / sizeof *memories,
    CHOICES_MAX = 4096,
    END = '.', /* tells a whole word from one whose end is missing */
};

static bool add(char *text, size_t size, size_t *used, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static bool add(char *text, size_t size, size_t *used, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + *used, size - *used, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= size - *used)
        return false;
    *used += (size_t)n;
    return true;
}

static bool write_list(const rmdi_plan *plan, char *text, size_t size)
{
    size_t used = 0;
    if (!add(text, size, &used, "list:%s:%" PRIx64 ":", memories[plan->memory], plan->seed))
        return false;
    for (size_t i = 0; i < plan->list_len; i++)
        if (!add(text, size, &used, "%s%" PRIu32 "=%" PRIu32, i ? "," : "", plan->list[i].at,
                 plan->list[i].what))
            return false;
    return add(text, size, &used, "%c", END);
}

void rmdi_token_write(const rmdi_plan *plan, uint64_t hash, char *text, size_t size)
{
    size_t used = 0;
    bool fits = plan->listed
                    ? write_list(plan, text, size)
                    : add(text, size, &used, "%s:%s:%u:%" PRIu32 ":%" PRIx64 ":%" PRIx64 "%c",
                          strategies[plan->strategy], memories[plan->memory], plan->depth,
                          plan->length, plan->seed, hash, END);
    if (!fits)
        *text = '\0';
}

static int refuse(const char *text)
{
    return rmdi_fail(RMD_EINVAL,
                     "replay: \"%.100s\" is not a token; copy the whole word that a report gave",
                     text);
}

/* What stands before the colon: one of the names, not the first; 0: none of them. */
static int take_name(const char **at, const char *const *names, int n)
{
    size_t len = strcspn(*at, ":");
    if ((*at)[len] != ':')
        return 0;
    for (int i = 1; i < n; i++) {
        if (strlen(names[i]) == len && strncmp(names[i], *at, len) == 0) {
            *at += len + 1;
            return i;
        }
    }
    return 0;
}

/* As it was written: no sign, no space, nothing that does not fit. */
static bool take_number(const char **at, unsigned base, uint64_t max, char end, uint64_t *n)
{
    static const char digits[] = "0123456789abcdef";
    const char *from = *at, *digit;
    for (*n = 0; **at && (digit = strchr(digits, **at)) && digit < digits + base; ++*at) {
        if (__builtin_mul_overflow(*n, base, n) ||
            __builtin_add_overflow(*n, (uint64_t)(digit - digits), n))
            return false;
    }
    bool whole = *at > from && **at == end && *n <= max;
    *at += whole;
    return whole;
}

static int read_seeded(const char *text, rmdi_plan *plan, uint64_t *hash)
{
    const char *at = text;
    uint64_t depth = 0, length = 0;
    int strategy = take_name(&at, strategies, STRATEGIES);
    int memory = strategy ? take_name(&at, memories, MEMORIES) : 0;
    if (!memory || strategy == RMD_EXPLORE_EXHAUSTIVE ||
        !take_number(&at, 10, UINT_MAX, ':', &depth) ||
        !take_number(&at, 10, UINT32_MAX, ':', &length) ||
        !take_number(&at, 16, UINT64_MAX, ':', &plan->seed) ||
        !take_number(&at, 16, UINT64_MAX, END, hash) || *at)
        return refuse(text);
    plan->strategy = (rmd_explore_strategy)strategy;
    plan->memory = (rmd_explore_memory)memory;
    plan->depth = (unsigned)depth;
    plan->length = (uint32_t)length;
    return 0;
}

/* One decision, and whether it is the last. */
static bool take_choice(const char **at, rmdi_choice *choice, bool *last)
{
    uint64_t when = 0, what = 0;
    if (!take_number(at, 10, UINT32_MAX, '=', &when))
        return false;
    const char *number = *at;
    if (!take_number(at, 10, UINT32_MAX, ',', &what)) {
        *at = number;
        if (!take_number(at, 10, UINT32_MAX, END, &what))
            return false;
        *last = true;
    }
    *choice = (rmdi_choice){ (uint32_t)when, (uint32_t)what };
    return true;
}

/* The number of choices; -1: that is no list of them. */
static int take_choices(const char **at, rmdi_choice *choices)
{
    bool last = **at == END; /* nothing but the ordinary course */
    int n = 0;
    *at += last;
    while (!last) {
        if (n == CHOICES_MAX || !take_choice(at, &choices[n], &last) ||
            (n > 0 && choices[n].at <= choices[n - 1].at))
            return -1;
        n++;
    }
    return **at ? -1 : n;
}

static int read_list(const char *text, rmdi_plan *plan, rmdi_choice **list)
{
    const char *at = text + strlen("list:");
    int memory = take_name(&at, memories, MEMORIES);
    if (!memory || !take_number(&at, 16, UINT64_MAX, ':', &plan->seed))
        return refuse(text);
    rmdi_choice *choices = malloc(CHOICES_MAX * sizeof *choices);
    if (!choices)
        return rmdi_fail_memory();
    int n = take_choices(&at, choices);
    if (n < 0) {
        free(choices);
        return refuse(text);
    }
    plan->memory = (rmd_explore_memory)memory;
    plan->listed = true;
    plan->list = *list = choices;
    plan->list_len = (size_t)n;
    return 0;
}

int rmdi_token_read(const char *text, rmdi_plan *plan, uint64_t *hash, rmdi_choice **list)
{
    *plan = (rmdi_plan){ .strategy = RMD_EXPLORE_RANDOM };
    *hash = 0;
    *list = NULL;
    return strncmp(text, "list:", 5) == 0 ? read_list(text, plan, list)
                                          : read_seeded(text, plan, hash);
}
