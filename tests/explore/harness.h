/* SPDX-License-Identifier: MIT */
/* What the program `explore` runs. A harness, or a planted bug, is found by being written.
 *
 *     HARNESS(queue_put_and_close, .memory = RMD_MEMORY_TSO)      no schedule of it may fail
 *     {
 *         ...
 *     }
 *
 *     PLANTED(relaxed_publish, RMD_EXPLORE_RACE)                  with `broken` it must fail so,
 *     {                                                           without, never
 *         rmd_atomic_store(&ready, 1, broken ? RMD_RELAXED : RMD_RELEASE);
 *     }
 *
 *     CHECK(tokens_repeat)                                        of the explorer itself: calls
 *     {                                                           rmd_explore() and judges
 *         EXPECT(check_explore(body, NULL, &options, result) == 0);
 *     }
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <remuda/atomics.h>
#include <remuda/explore.h>

typedef struct harness {
    const char *name;
    const char *file;
    void (*body)(void *arg);
    bool planted;
    rmd_explore_verdict expected; /* of a planted bug */
    rmd_explore_options options;
    void (*check)(const void *arg); /* instead of a body */
    const void *arg;
    struct harness *next;
} harness;

void harness_add(harness *h);

/* For a check: what must hold, else it has failed and says so. */
#define EXPECT(condition) check_expect(__FILE__, __LINE__, #condition, (condition))
bool check_expect(const char *file, int line, const char *text, bool held);

/* rmd_explore() that tells nothing and is counted. *result is always set; options may be NULL. */
int check_explore(void (*body)(void *arg), void *arg, const rmd_explore_options *options,
                  rmd_explore_result *result);

#define HARNESS_ROW(name_, planted_, expected_, ...)                                 \
    static void name_##_body(bool broken);                                           \
    static void name_##_run(void *arg)                                               \
    {                                                                                \
        name_##_body(*(bool *)arg);                                                  \
    }                                                                                \
    static harness name_##_row = { .name = #name_,                                   \
                                   .file = __FILE__,                                 \
                                   .body = name_##_run,                              \
                                   .planted = planted_,                              \
                                   .expected = expected_,                            \
                                   .options = { .size = sizeof(rmd_explore_options), \
                                                __VA_ARGS__ } };                     \
    __attribute__((constructor)) static void name_##_add(void)                       \
    {                                                                                \
        harness_add(&name_##_row);                                                   \
    }                                                                                \
    static void name_##_body(__attribute__((unused)) bool broken)

#define HARNESS(name, ...)           HARNESS_ROW(name, false, RMD_EXPLORE_NOTHING, __VA_ARGS__)
#define PLANTED(name, expected, ...) HARNESS_ROW(name, true, expected, __VA_ARGS__)

#define CHECK(name_)                                                                           \
    static void name_##_check(const void *arg);                                                \
    static harness name_##_row = { .name = #name_, .file = __FILE__, .check = name_##_check }; \
    __attribute__((constructor)) static void name_##_add(void)                                 \
    {                                                                                          \
        harness_add(&name_##_row);                                                             \
    }                                                                                          \
    static void name_##_check(__attribute__((unused)) const void *arg)

#endif
