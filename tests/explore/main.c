/* SPDX-License-Identifier: MIT */
/* explore: runs the harnesses and looks for the planted bugs. See usage(). */
#include "harness.h"

#include <inttypes.h>
#include <remuda/error.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PLANTED_SCHEDULES = 5000, COVERED_PERCENT = 95 };

static harness *first, **last = &first;
static const char *program;

static struct {
    uint64_t schedules, seed; /* 0: each harness's own */
    uint64_t deviations;      /* 0: not EXHAUSTIVE */
    bool verbose, first_only;
    char **names;
    int names_len;
} wanted;

static struct {
    unsigned harnesses, checks, planted, found, false_alarms, failed, sources, uncovered;
    uint64_t schedules, steps;
} total;

void harness_add(harness *h)
{
    *last = h;
    last = &h->next;
}

static void usage(FILE *to)
{
    fprintf(
        to,
        "usage: %s [OPTION...] [NAME...]\n"
        "Explores the harnesses and planted bugs whose name contains a NAME; all by default.\n"
        "  --schedules N       so many for each harness, instead of its own number\n"
        "  --seed N            others\n"
        "  --exhaustive N      every schedule with at most N deviations, up to --schedules\n"
        "  --replay NAME TOKEN shows one schedule; NAME of a planted bug's correct twin ends in +\n"
        "  --missed            names the places that no schedule came to\n"
        "  --show              tells how each planted bug shows\n"
        "  --first             stops at the first failure, without a report\n"
        "  --list              names everything\n",
        program);
}

static bool is_wanted(const harness *h)
{
    for (int i = 0; i < wanted.names_len; i++)
        if (strstr(h->name, wanted.names[i]))
            return true;
    return wanted.names_len == 0;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Runs one body. The result of rmd_explore(). */
static int explore(const harness *h, bool broken, rmd_explore_options options,
                   rmd_explore_result *result)
{
    char command[256];
    snprintf(command, sizeof command, "%s --replay %s%s", program, h->name,
             h->planted && !broken ? "+" : "");
    options.size = sizeof options;
    options.show_inside = true;
    options.name = h->name;
    options.command = command;
    options.result = result;
    int found = rmd_explore(h->body, &broken, &options);
    if (found < 0)
        fprintf(stderr, "%s: %s: %s\n", program, h->name, rmd_error_detail());
    return found;
}

static void count(const rmd_explore_result *result)
{
    total.schedules += result->schedules;
    total.steps += result->steps;
}

static void print(const char *verdict, const char *name, const rmd_explore_result *r, double since)
{
    printf("%-5s %-34s %8" PRIu64 " schedules %8" PRIu64 " traces %9" PRIu64 " steps %6.2f s%s%s\n",
           verdict, name, r->schedules, r->traces, r->steps, seconds() - since,
           r->verdict || r->complete ? "  " : "",
           r->verdict    ? rmd_explore_verdict_name(r->verdict)
           : r->complete ? "all of them"
                         : "");
    fflush(stdout);
}

static rmd_explore_options options_of(const harness *h)
{
    rmd_explore_options options = h->options;
    if (wanted.seed)
        options.seed = wanted.seed;
    if (wanted.schedules)
        options.schedules = wanted.schedules;
    if (wanted.deviations) {
        options.strategy = RMD_EXPLORE_EXHAUSTIVE;
        options.preemptions_max = (unsigned)wanted.deviations;
    }
    options.quiet = wanted.first_only;
    return options;
}

/* ---- checks of the explorer itself ---- */

static bool check_failed;
static rmd_explore_result check_total; /* of all that it has run */

bool check_expect(const char *file, int line, const char *text, bool held)
{
    if (!held)
        printf("      %s:%d: does not hold: %s\n", file, line, text);
    check_failed |= !held;
    return held;
}

int check_explore(void (*body)(void *arg), void *arg, const rmd_explore_options *options,
                  rmd_explore_result *result)
{
    rmd_explore_options mine = { 0 };
    if (options)
        mine = *options;
    mine.size = sizeof mine;
    mine.quiet = true;
    mine.result = result;
    memset(result, 0, sizeof *result);
    int found = rmd_explore(body, arg, &mine);
    check_total.schedules += result->schedules;
    check_total.steps += result->steps;
    check_total.traces += result->traces;
    return found;
}

static void run_check(const harness *h)
{
    double since = seconds();
    check_failed = false;
    check_total = (rmd_explore_result){ 0 };
    h->check(h->arg);
    total.checks++;
    total.failed += check_failed;
    count(&check_total);
    print(check_failed ? "FAIL" : "check", h->name, &check_total, since);
}

static void run_harness(const harness *h)
{
    rmd_explore_result result = { 0 };
    double since = seconds();
    int found = explore(h, false, options_of(h), &result);
    total.harnesses++;
    total.failed += found != 0;
    total.false_alarms += found != 0;
    count(&result);
    print(found ? "FAIL" : "pass", h->name, &result, since);
}

/* A token must lead to the same verdict again. */
static bool repeats(const harness *h, const char *token, rmd_explore_verdict verdict)
{
    rmd_explore_options options = h->options;
    rmd_explore_result result = { 0 };
    options.replay = token;
    options.quiet = true;
    return explore(h, true, options, &result) == 1 && result.verdict == verdict;
}

static bool find_bug(const harness *h)
{
    rmd_explore_options options = h->options;
    rmd_explore_result result = { 0 };
    double since = seconds();
    options.schedules = PLANTED_SCHEDULES;
    options.seed = wanted.seed;
    options.quiet = !wanted.verbose;
    options.report = stdout;
    int found = explore(h, true, options, &result);
    bool right = found == 1 && result.verdict == h->expected;
    bool again = right && repeats(h, result.token, h->expected) &&
                 (!*result.shrunk || repeats(h, result.shrunk, h->expected));
    count(&result);
    print(right && again ? "found" : "FAIL", h->name, &result, since);
    if (right && !again)
        printf("      its tokens do not repeat it: %s, %s\n", result.token, result.shrunk);
    return right && again;
}

static bool try_twin(const harness *h)
{
    rmd_explore_result result = { 0 };
    char name[128];
    double since = seconds();
    int found = explore(h, false, options_of(h), &result);
    snprintf(name, sizeof name, "%s+", h->name);
    count(&result);
    print(found ? "FAIL" : "twin", name, &result, since);
    return found == 0;
}

static void run_planted(const harness *h)
{
    bool found = find_bug(h), clean = try_twin(h);
    total.planted++;
    total.found += found;
    total.false_alarms += !clean;
    total.failed += (unsigned)!found + (unsigned)!clean;
}

/* The path from the root of Remuda's source, if it is below src/; NULL: it is not. Files have names
 * as the compiler was given them, from some build folder: this one's tells how. */
static const char *in_src(const char *file)
{
    const char *here = __FILE__;
    while (strncmp(here, "../", 3) == 0)
        here += 3;
    size_t root = strlen(here) - strlen("tests/explore/main.c");
    bool inside = strncmp(file, here, root) == 0 && strncmp(file + root, "src/", 4) == 0;
    return inside ? file + root : NULL;
}

/* Of the exec floor those that src/explore/meson.build names are. The rest of it, data and loop are
 * linked as far as they are used, and come to whatever happens there. The flight recorder does not
 * run in a schedule, but for its ring. */
static bool is_explored(const char *file)
{
    char name[64];
    if (strncmp(file, "src/base/record", 15) == 0)
        return strcmp(file, "src/base/record_ring.c") == 0;
    if (strncmp(file, "src/data/", 9) == 0 || strncmp(file, "src/loop/", 9) == 0)
        return false;
    if (strncmp(file, "src/exec/", 9) != 0)
        return true;
    snprintf(name, sizeof name, " %s ", file + 9);
    return strstr(" " EXPLORED_EXEC " ", name);
}

static void judge_source(void *ctx, const rmd_explore_coverage *source)
{
    const char *file = in_src(source->file);
    (void)ctx;
    if (!file || !is_explored(file))
        return;
    bool low = 100 * source->hit < COVERED_PERCENT * source->sites;
    printf("%-5s %-34s %8u of %u places\n", low ? "LOW" : "hit", file, source->hit, source->sites);
    total.uncovered += low;
    total.sources++;
}

static void print_missed(void *ctx, const char *file, int line, const char *operation,
                         const char *object)
{
    (void)ctx;
    if (in_src(file))
        printf("missed %s:%d: %s %s\n", in_src(file), line, operation, object);
}

static int replay(const char *name, const char *token)
{
    size_t len = strlen(name);
    bool twin = len && name[len - 1] == '+';
    for (const harness *h = first; h; h = h->next) {
        if (h->check || strlen(h->name) != len - twin || strncmp(h->name, name, len - twin) != 0)
            continue;
        rmd_explore_options options = h->options;
        options.replay = token;
        options.report = stdout;
        int found = explore(h, h->planted && !twin, options, NULL);
        return found < 0 ? 2 : found;
    }
    fprintf(stderr, "%s: no harness is named %s; --list names them\n", program, name);
    return 2;
}

static int run_all(bool missed)
{
    for (const harness *h = first; h && !(wanted.first_only && total.failed); h = h->next) {
        if (!is_wanted(h))
            continue;
        if (h->check)
            run_check(h);
        else if (h->planted)
            run_planted(h);
        else
            run_harness(h);
    }
    unsigned all = total.harnesses + total.checks + 2 * total.planted;
    if (all == 0) {
        fprintf(stderr, "%s: no harness has such a name; --list names them\n", program);
        return 2;
    }
    if (wanted.names_len == 0) {
        rmd_explore_coverage_walk(judge_source, NULL);
        total.failed += total.sources == 0; /* then nothing was judged */
    }
    if (missed)
        rmd_explore_missed_walk(print_missed, NULL);
    printf("%u passed, %u failed, 0 skipped\n",
           all + total.sources - total.failed - total.uncovered, total.failed + total.uncovered);
    printf("explore: %u harnesses, %" PRIu64 " schedules, %u of %u planted bugs found, %u false\n",
           total.harnesses, total.schedules, total.found, total.planted, total.false_alarms);
    return total.failed || total.uncovered ? 1 : 0;
}

static uint64_t number(const char *option, const char *text)
{
    char *end;
    uint64_t n = text ? strtoull(text, &end, 10) : 0;
    if (!n || *end || *text == '-') {
        fprintf(stderr, "%s: %s needs a number above 0, not \"%s\"\n", program, option,
                text ? text : "");
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    bool missed = false;
    program = argv[0];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            for (const harness *h = first; h; h = h->next)
                printf("%s%s\n", h->name, h->planted ? "  (planted)" : "");
            return 0;
        } else if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            return 0;
        } else if (strcmp(argv[i], "--replay") == 0 && i + 2 < argc) {
            return replay(argv[i + 1], argv[i + 2]);
        } else if (strcmp(argv[i], "--missed") == 0) {
            missed = true;
        } else if (strcmp(argv[i], "--first") == 0) {
            wanted.first_only = true;
        } else if (strcmp(argv[i], "--show") == 0) {
            wanted.verbose = true;
        } else if (strcmp(argv[i], "--schedules") == 0) {
            wanted.schedules = number(argv[i], argv[i + 1]);
            i++;
        } else if (strcmp(argv[i], "--seed") == 0) {
            wanted.seed = number(argv[i], argv[i + 1]);
            i++;
        } else if (strcmp(argv[i], "--exhaustive") == 0) {
            wanted.deviations = number(argv[i], argv[i + 1]);
            i++;
        } else if (argv[i][0] == '-') {
            usage(stderr);
            return 2;
        } else {
            wanted.names = argv + i;
            wanted.names_len = argc - i;
            break;
        }
    }
    return run_all(missed);
}
