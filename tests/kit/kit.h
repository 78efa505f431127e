/* SPDX-License-Identifier: MIT */
/* The test kit. A test program is one or more files of cases; the kit brings main().
 *
 *     #include "kit.h"
 *
 *     TEST(a_new_queue_is_empty)
 *     {
 *         CHECK_INT(rmdi_queue_count(&queue), ==, 0);
 *     }
 *
 * A case is found by being written. Each runs in a process and a process group of its own, with
 * $TMPDIR set to an empty folder, and both are removed when the case is over. A case ends by
 * returning; threads it leaves behind end with it.
 *
 *     program                  runs all cases
 *     program NAME…            runs the cases whose name contains one of the words
 *     program --list           prints the names
 *     program --no-fork NAME   runs a case in this process without a limit, for a debugger
 *
 * Exit status: 0 all passed, 1 some failed, 77 all skipped, 2 wrong use.
 *
 * All CHECKs go on after a failure, return whether they held, and work on any thread and in
 * processes that a case forks. REQUIRE and SKIP end the process they are called in, from any
 * thread, without running exit handlers; in the case's own process that ends the case.
 */
#ifndef KIT_H
#define KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

enum { KIT_LIMIT_SECONDS = 20 };

typedef struct kit_case {
    const char *name;
    void (*run)(void);
    int limit_seconds;
    struct kit_case *next;
} kit_case;

#define TEST(name) TEST_LIMIT(name, KIT_LIMIT_SECONDS)

/* The constructor is safe here, unlike in a library: a test program's objects are all linked. */
#define TEST_LIMIT(name, seconds)                                       \
    static void name(void);                                             \
    static kit_case kit_case_##name = { #name, name, (seconds), NULL }; \
    __attribute__((constructor)) static void kit_add_##name(void)       \
    {                                                                   \
        kit_add(&kit_case_##name);                                      \
    }                                                                   \
    static void name(void)

#define CHECK(condition)   kit_check((condition), KIT_HERE, #condition)
#define REQUIRE(condition) kit_require((condition), KIT_HERE, #condition)

/* CHECK_INT(count, <=, 3). Each side is evaluated once, and compared as intmax_t: a uint64_t above
 * INT64_MAX only makes sense with == and !=. */
#define CHECK_INT(a, op, b) \
    kit_check_int((intmax_t)(a), #op, (intmax_t)(b), KIT_HERE, #a " " #op " " #b)
#define CHECK_EQ(a, b) CHECK_INT(a, ==, b)

/* Equal texts; NULL equals only NULL. */
#define CHECK_STR(a, b)       kit_check_str((a), (b), KIT_HERE, #a " == " #b)
/* The text holds the other. */
#define CHECK_CONTAINS(a, b)  kit_check_contains((a), (b), KIT_HERE, #a " contains " #b)
#define CHECK_MEM(a, b, size) kit_check_mem((a), (b), (size), KIT_HERE, #a " == " #b)

/* Waits for a child that the case has forked, and that is to end by _exit(0). */
#define CHECK_CHILD(pid) kit_check_child((pid), KIT_HERE)

#define FAIL(cause) kit_check(false, KIT_HERE, cause)
#define SKIP(cause) kit_skip(cause)

#define KIT_HERE __FILE__, __LINE__

/* A test program may define this, and main() then calls it before anything else; with the program's
 * own argc and argv. It is for programs that are started anew by what they test: one whose cases
 * open pools of processes adds its functions there, and calls rmd_start(), from which a worker does
 * not come back. What runs in such a process is no part of a case: no CHECK counts there. */
void kit_first(int *argc, char ***argv);

/* What main() does; for programs that bring their own, and take their own options away first. */
int kit_main(int argc, char **argv);

void kit_add(kit_case *c);
bool kit_check(bool held, const char *file, int line, const char *text);
void kit_require(bool held, const char *file, int line, const char *text);
bool kit_check_int(intmax_t a, const char *op, intmax_t b, const char *file, int line,
                   const char *text);
bool kit_check_str(const char *a, const char *b, const char *file, int line, const char *text);
bool kit_check_contains(const char *a, const char *b, const char *file, int line, const char *text);
bool kit_check_mem(const void *a, const void *b, size_t size, const char *file, int line,
                   const char *text);
bool kit_check_child(pid_t pid, const char *file, int line);
_Noreturn void kit_skip(const char *cause);

/* Is this built with a sanitizer? Those have their own ideas of what a forked child of a process
 * with threads may do: their own locks may be held there by a thread that it has not. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define KIT_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define KIT_SANITIZED true
#endif
#endif
#ifndef KIT_SANITIZED
#define KIT_SANITIZED false
#endif

/* A line that is shown with the case's success; the last one counts. */
void kit_remark(const char *text);

/* The path of a program in the folder of this test program, "exec-spin_helper", say. The text
 * stays valid; not for two threads at once. */
const char *kit_helper(const char *name);

/* How much slower than usual this build or machine is ($KIT_LIMIT_FACTOR); at least 1. Limits of
 * cases are multiplied by it; a case multiplies its own patience. */
int kit_patience(void);

#endif
