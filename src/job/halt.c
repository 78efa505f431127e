/* SPDX-License-Identifier: MIT */
#include "job/halt.h"

#include "base/error.h"

#include <string.h>

/* More failures than an exit status can tell are 101. */
enum { FAILED_MAX = 101 };

/* ---- parsing ---- */

typedef struct word {
    const char *text;
    int value;
} word;

static const word whens[] = { { "now", RMDI_HALT_NOW }, { "soon", RMDI_HALT_SOON } };
static const word events[] = {
    { "fail", RMDI_HALT_FAIL },
    { "success", RMDI_HALT_SUCCESS },
    { "done", RMDI_HALT_DONE },
};

/* Reads one of the words and the , or = behind it. */
static bool read_word(const char **text, const word *words, size_t count, int *value)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(words[i].text);
        char after = strncmp(*text, words[i].text, len) == 0 ? (*text)[len] : 0;
        if (after == ',' || after == '=') {
            *value = words[i].value;
            *text += len + 1;
            return true;
        }
    }
    return false;
}

/* N or N%, and nothing behind it. */
static bool read_threshold(const char *text, rmdi_halt *halt)
{
    uint64_t number = 0;
    const char *start = text;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            return false;
    halt->threshold = number;
    halt->percent = *text == '%';
    return text > start && !text[halt->percent];
}

static bool parse_long(const char *text, rmdi_halt *halt)
{
    int when, on;
    if (!read_word(&text, whens, sizeof whens / sizeof *whens, &when) ||
        !read_word(&text, events, sizeof events / sizeof *events, &on))
        return false;
    halt->when = (rmdi_halt_verdict)when;
    halt->on = (rmdi_halt_event)on;
    return read_threshold(text, halt);
}

static bool parse_old(const char *text, rmdi_halt *halt)
{
    static const struct {
        const char *text;
        rmdi_halt halt;
    } old[] = {
        { "never", { .on = RMDI_HALT_NEVER } },
        { "0", { .on = RMDI_HALT_NEVER } },
        { "1", { .when = RMDI_HALT_SOON, .on = RMDI_HALT_FAIL, .threshold = 1 } },
        { "2", { .when = RMDI_HALT_NOW, .on = RMDI_HALT_FAIL, .threshold = 1 } },
        { "-1", { .when = RMDI_HALT_SOON, .on = RMDI_HALT_SUCCESS, .threshold = 1 } },
        { "-2", { .when = RMDI_HALT_NOW, .on = RMDI_HALT_SUCCESS, .threshold = 1 } },
    };
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (strcmp(text, old[i].text) == 0) {
            *halt = old[i].halt;
            return true;
        }
    *halt = (rmdi_halt){ .when = RMDI_HALT_SOON, .on = RMDI_HALT_FAIL };
    return read_threshold(text, halt) && halt->percent;
}

int rmdi_halt_parse(rmdi_halt *halt, const char *text)
{
    rmdi_halt parsed = { 0 };
    if (!parse_long(text, &parsed) && !parse_old(text, &parsed))
        return rmdi_fail(RMD_EINVAL,
                         "'%.80s' is no --halt: never, or (now|soon),(fail|success|done)=(N|N%%), "
                         "as in now,fail=1 or soon,done=50%%; or 0 1 2 -1 -2 N%%",
                         text);
    *halt = parsed;
    return 0;
}

/* ---- deciding ---- */

static bool has_failed(const rmdi_halt_end *end)
{
    return end->exit_value || end->signal || end->timed_out || end->lost;
}

static uint64_t at_most(uint64_t number, uint64_t limit)
{
    return number < limit ? number : limit;
}

static int percent_of(uint64_t part, uint64_t all)
{
    if (!all)
        return 0;
    return (int)at_most((part * 100 + all - 1) / all, 255);
}

/* The exit status that one task stands for. */
static int status_of(const rmdi_halt_end *end)
{
    if (end->timed_out)
        return end->exit_value > 0 ? end->exit_value & 0xff : 255;
    if (end->lost)
        return 255;
    return end->signal ? 128 + end->signal : end->exit_value & 0xff;
}

/* Does this end count, and how many are there now? */
static bool counts(const rmdi_halt *halt, bool failed, uint64_t *count)
{
    switch (halt->on) {
    case RMDI_HALT_FAIL: *count = halt->failed; return failed;
    case RMDI_HALT_SUCCESS: *count = halt->completed - halt->failed; return !failed;
    case RMDI_HALT_DONE: *count = halt->completed; return true;
    case RMDI_HALT_NEVER: break;
    }
    return false;
}

static bool is_reached(const rmdi_halt *halt, uint64_t count, uint64_t total)
{
    if (!halt->percent)
        return count >= halt->threshold;
    return total != UINT64_MAX && (double)count * 100 >= (double)total * (double)halt->threshold;
}

static int reached_status(const rmdi_halt *halt, const rmdi_halt_end *end, uint64_t total)
{
    if (halt->on == RMDI_HALT_SUCCESS || halt->threshold == 0)
        return 0;
    if (halt->percent)
        return percent_of(halt->failed, total);
    if (halt->threshold == 1)
        return status_of(end);
    return (int)at_most(halt->failed, FAILED_MAX);
}

rmdi_halt_verdict rmdi_halt_finished(rmdi_halt *halt, const rmdi_halt_end *end, uint64_t total)
{
    bool failed = has_failed(end);
    uint64_t count;
    halt->completed++;
    halt->failed += failed;
    if (!halt->reached && counts(halt, failed, &count) && is_reached(halt, count, total)) {
        halt->reached = true;
        halt->status = reached_status(halt, end, total);
    }
    return halt->reached ? halt->when : RMDI_HALT_GO_ON;
}

int rmdi_halt_status(const rmdi_halt *halt, uint64_t started)
{
    if (halt->reached)
        return halt->status;
    if (halt->on != RMDI_HALT_NEVER && halt->percent)
        return percent_of(halt->failed, started);
    return (int)at_most(halt->failed, FAILED_MAX);
}
