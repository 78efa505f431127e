/* SPDX-License-Identifier: MIT */
#include "cli/run_values.h"

#include "base/alloc.h"
#include "base/error.h"
#include "job/escapes.h"
#include "job/size.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

enum { SLOTS_MAX = 65536, DESCRIPTORS_PER_TASK = 4, DESCRIPTORS_OF_OURS = 64 };

/* Each running task holds a pidfd and up to three pipes. */
static unsigned most_slots(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
        return SLOTS_MAX;
    rlim_t most = files.rlim_cur > DESCRIPTORS_OF_OURS + DESCRIPTORS_PER_TASK
                      ? (files.rlim_cur - DESCRIPTORS_OF_OURS) / DESCRIPTORS_PER_TASK
                      : 1;
    return most > SLOTS_MAX ? SLOTS_MAX : (unsigned)most;
}

static int complain_of_jobs(const char *text)
{
    return rmdi_fail(RMD_EINVAL,
                     "-j \"%s\": takes N, +N, -N, N%% or 0, and must leave at least "
                     "one task at a time and at most %d",
                     text, SLOTS_MAX);
}

static int whole_number(const char *text, long *number)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return -1;
    *number = strtol(text, &end, 10);
    return *end || *number > SLOTS_MAX ? -1 : 0;
}

int rmdi_jobs_parse(const char *text, unsigned processors, unsigned *slots)
{
    long number;
    double share;
    size_t len = strlen(text);
    char sign = *text;
    if (len && text[len - 1] == '%') {
        if (rmdi_percent_parse(text, &share) < 0 || share <= 0 || share * processors > SLOTS_MAX)
            return complain_of_jobs(text);
        number = (long)(share * processors);
        number += (double)number < share * processors;
    } else if (whole_number(text + (sign == '+' || sign == '-'), &number) < 0) {
        return complain_of_jobs(text);
    } else if (sign == '+' || sign == '-') {
        number = (long)processors + (sign == '+' ? number : -number);
    } else if (number == 0) {
        number = (long)most_slots();
    }
    if (number < 1 || number > SLOTS_MAX)
        return complain_of_jobs(text);
    *slots = (unsigned)number;
    return 0;
}

int rmdi_trim_parse(const char *text, rmdi_trim *trim)
{
    static const struct {
        const char *text;
        rmdi_trim trim;
    } known[] = { { "n", RMDI_TRIM_NONE },
                  { "l", RMDI_TRIM_LEFT },
                  { "r", RMDI_TRIM_RIGHT },
                  { "lr", RMDI_TRIM_BOTH },
                  { "rl", RMDI_TRIM_BOTH } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(text, known[i].text) == 0) {
            *trim = known[i].trim;
            return 0;
        }
    }
    return rmdi_fail(RMD_EINVAL, "--trim \"%s\": takes n, l, r, lr or rl", text);
}

/* "TERM", "SIGTERM" or "15"; 0: none such. */
static int signal_number(const char *name, size_t len)
{
    if (len > 3 && strncasecmp(name, "SIG", 3) == 0) {
        name += 3;
        len -= 3;
    }
    for (int signal = 1; signal < NSIG; signal++) {
        const char *known = sigabbrev_np(signal);
        if (known && strlen(known) == len && strncasecmp(known, name, len) == 0)
            return signal;
    }
    char *end;
    long number = len && isdigit((unsigned char)*name) ? strtol(name, &end, 10) : 0;
    return number > 0 && number < NSIG && end == name + len ? (int)number : 0;
}

int rmdi_termseq_parse(const char *text, rmd_kill_step *ladder, size_t max, size_t *len)
{
    const char *at = text;
    for (*len = 0; *at && *len < max; ++*len) {
        size_t n = strcspn(at, ",");
        rmd_kill_step step = { .signal = signal_number(at, n) };
        if (!step.signal)
            break;
        at += n + (at[n] == ',');
        if (*at) {
            char *end;
            if (!isdigit((unsigned char)*at))
                break;
            step.wait_ms = strtol(at, &end, 10);
            if (*end && *end != ',')
                break;
            at = end + (*end == ',');
        }
        ladder[*len] = step;
    }
    if (*len && !*at)
        return 0;
    return rmdi_fail(RMD_EINVAL,
                     "--termseq \"%s\": takes signals and milliseconds in turn, as "
                     "TERM,200,KILL,25",
                     text);
}

int rmdi_tagstring_parse(const char *text, char **tag)
{
    rmdi_buffer buffer = { 0 };
    int err = rmdi_escapes_delimiter(text, &buffer);
    if (err == 0)
        err = rmdi_buffer_add_byte(&buffer, 0);
    *tag = err == 0 ? rmdi_strdup(buffer.data) : NULL;
    rmdi_buffer_free(&buffer);
    return *tag ? 0 : rmdi_fail_memory();
}
