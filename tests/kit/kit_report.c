/* SPDX-License-Identifier: MIT */
/* The checks. */
#include "kit_report.h"
#include "kit.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHOWN_BYTES = 32 };

typedef struct report {
    atomic_int failures;
    char remark[256]; /* the cause of a skip, or what a case tells with its success */
} report;

static report *shared;

void kit_report_open(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
}

void kit_report_reset(void)
{
    atomic_store(&shared->failures, 0);
    shared->remark[0] = '\0';
}

int kit_failures(void)
{
    return atomic_load(&shared->failures);
}

const char *kit_remarked(void)
{
    return shared->remark;
}

/* One write per failure, so that the lines of two threads do not mix. */
__attribute__((format(printf, 3, 4))) static void fail(const char *file, int line,
                                                       const char *format, ...)
{
    char text[2048];
    atomic_fetch_add(&shared->failures, 1);
    int used = snprintf(text, sizeof text, "%s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, sizeof text - (size_t)used - 1, format, args);
    va_end(args);
    strcat(text, "\n");
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

bool kit_check(bool held, const char *file, int line, const char *text)
{
    if (!held)
        fail(file, line, "%s", text);
    return held;
}

void kit_require(bool held, const char *file, int line, const char *text)
{
    if (held)
        return;
    fail(file, line, "%s (required)", text);
    fflush(NULL);
    _exit(1);
}

void kit_remark(const char *text)
{
    snprintf(shared->remark, sizeof shared->remark, "%s", text);
}

void kit_skip(const char *cause)
{
    kit_remark(cause);
    fflush(NULL);
    _exit(77);
}

static bool holds(intmax_t a, const char *op, intmax_t b)
{
    bool or_equal = op[1] == '=';
    switch (op[0]) {
    case '=': return a == b;
    case '!': return a != b;
    case '<': return or_equal ? a <= b : a < b;
    default: return or_equal ? a >= b : a > b;
    }
}

bool kit_check_int(intmax_t a, const char *op, intmax_t b, const char *file, int line,
                   const char *text)
{
    bool held = holds(a, op, b);
    if (!held)
        fail(file, line, "%s\n    left:  %jd\n    right: %jd", text, a, b);
    return held;
}

static const char *shown(const char *text)
{
    return text == NULL ? "(NULL)" : text;
}

bool kit_check_str(const char *a, const char *b, const char *file, int line, const char *text)
{
    bool held = a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
    if (!held)
        fail(file, line, "%s\n    left:  \"%.900s\"\n    right: \"%.900s\"", text, shown(a),
             shown(b));
    return held;
}

bool kit_check_contains(const char *a, const char *b, const char *file, int line, const char *text)
{
    bool held = a != NULL && b != NULL && strstr(a, b) != NULL;
    if (!held)
        fail(file, line, "%s\n    left:  \"%.900s\"\n    right: \"%.900s\"", text, shown(a),
             shown(b));
    return held;
}

/* Hexadecimal bytes from 'from' on, as many as fit a line. */
static void hex(char *line, const unsigned char *bytes, size_t from, size_t size)
{
    line[0] = '\0';
    for (size_t i = from; i < size && i < from + SHOWN_BYTES; i++)
        line += sprintf(line, "%02x ", bytes[i]);
}

bool kit_check_mem(const void *a, const void *b, size_t size, const char *file, int line,
                   const char *text)
{
    const unsigned char *left = a, *right = b;
    size_t at = 0;
    while (at < size && left[at] == right[at])
        at++;
    if (at == size)
        return true;
    char hex_left[SHOWN_BYTES * 3 + 1], hex_right[SHOWN_BYTES * 3 + 1];
    hex(hex_left, left, at, size);
    hex(hex_right, right, at, size);
    fail(file, line, "%s (%zu bytes, differ from byte %zu on)\n    left:  %s\n    right: %s", text,
         size, at, hex_left, hex_right);
    return false;
}

bool kit_check_child(pid_t pid, const char *file, int line)
{
    int status = 0;
    kit_require(pid > 0, file, line, "a child was forked");
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            fail(file, line, "child %d: %s", (int)pid, strerror(errno));
            return false;
        }
    }
    if (WIFSIGNALED(status))
        fail(file, line, "the child was killed by signal %d (%s)", WTERMSIG(status),
             strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        fail(file, line, "the child ended with %d", WEXITSTATUS(status));
    return status == 0;
}
