/* SPDX-License-Identifier: MIT */
/* floor: explore */
/* The schedule explorer: runs threaded code under thousands of controlled interleavings, and
 * repeats a failure exactly.
 *
 *     static void body(void *arg)                    one schedule: make, start, join, check, free
 *     {
 *         rmd_thread *a, *b; ...
 *         RMD_ASSERT(counter == 0);
 *     }
 *
 *     rmd_explore_options options = { .size = sizeof options, .name = "counter" };
 *     int found = rmd_explore(body, NULL, &options);
 *
 * Compile with -DRMD_EXPLORE and link with remuda-explore instead of remuda (pkg-config does both).
 * Threads are fibers on one thread of the system, and a switch is possible wherever they use
 * <remuda/atomics.h> or a blocking call of Remuda. The body runs again from the beginning for each
 * schedule, so it must not depend on anything but what it makes itself: no static variables that
 * keep values (but for RMD_STATIC ones), no real time, no random numbers but Remuda's.
 *
 * What is found: RMD_ASSERT that does not hold, deadlock, lost wake-up, livelock, data race, use of
 * freed memory, memory that is left at the end (Remuda's, and that of malloc if the program is
 * linked as pkg-config says), and a schedule that does not repeat. A crash, or exit() in a body,
 * ends the program after a line that names the schedule: for that, signal handlers are set while
 * it explores. It finds bugs and proves nothing; what the kernel does is modelled, not run.
 *
 * Sources: PCT: Burckhardt et al., ASPLOS 2010. Preemption bound: Musuvathi & Qadeer, PLDI 2007.
 * Vector clocks for races: Flanagan & Freund, PLDI 2009. Older values for loads: Norris & Demsky,
 * OOPSLA 2013. */
#ifndef REMUDA_EXPLORE_H
#define REMUDA_EXPLORE_H

#include <remuda/api.h>
#include <remuda/atomics.h>
#include <stdio.h>

RMD_BEGIN

#ifdef RMD_EXPLORE
#define RMDI_EXPLORED_ONLY
#else /* nothing would be seen, no assertion evaluated, and all would be well */
#define RMDI_EXPLORED_ONLY __attribute__((error("compile with -DRMD_EXPLORE")))
#endif

/* How the next thread is chosen. */
typedef enum rmd_explore_strategy {
    RMD_EXPLORE_MIX = 0,    /* RANDOM, PCT and STARVE in turn */
    RMD_EXPLORE_RANDOM,     /* a random walk, its restlessness drawn for each schedule */
    RMD_EXPLORE_PCT,        /* random priorities, changed at depth - 1 random steps */
    RMD_EXPLORE_STARVE,     /* a random walk in which one thread is held off for a while */
    RMD_EXPLORE_EXHAUSTIVE, /* every schedule with at most `preemptions_max` deviations */
} rmd_explore_strategy;

/* What loads may see. */
typedef enum rmd_explore_memory {
    RMD_MEMORY_MIX = 0, /* TSO and WEAK in turn */
    RMD_MEMORY_SC,      /* always the newest value */
    RMD_MEMORY_TSO,     /* each thread has a store buffer, as on x86 */
    RMD_MEMORY_WEAK, /* older values, too, as C11 allows and Arm shows them, and what TSO shows by
                         * other ways; but nothing that is written later: no load buffering */
} rmd_explore_memory;

typedef enum rmd_explore_verdict {
    RMD_EXPLORE_NOTHING = 0,
    RMD_EXPLORE_ASSERTION,
    RMD_EXPLORE_DEADLOCK,    /* everybody waits, nobody can wake them */
    RMD_EXPLORE_LOST_WAKEUP, /* the same, and what one of them waits for has happened */
    RMD_EXPLORE_LIVELOCK,    /* no end after steps_max, though everybody had their turns */
    RMD_EXPLORE_RACE,        /* plain memory, two threads, one writes, nothing orders them */
    RMD_EXPLORE_FREED,       /* use of memory that was freed, or of a stack frame that was left */
    RMD_EXPLORE_LEAK,        /* memory of rmdi_alloc is left when everybody has ended */
    RMD_EXPLORE_DIFFERS,     /* the same choices did not lead to the same schedule */
} rmd_explore_verdict;

/* "assertion", "lost wake-up", …; static storage. */
const char *rmd_explore_verdict_name(rmd_explore_verdict verdict);

/* What became of a call. Texts are cut to fit. */
typedef struct rmd_explore_result {
    rmd_explore_verdict verdict;
    uint64_t schedules; /* that were run, the failing one included */
    uint64_t steps;     /* in all of them */
    uint64_t traces;    /* schedules that differ in what happened */
    bool complete;      /* EXHAUSTIVE: all of them were run */
    char message[512];  /* what was wrong, with the place */
    char token[512];    /* give it as `replay`, in this build, to repeat the failing schedule */
    char shrunk[512];   /* the same for the shortened one; "" if it is too long to be written */
    unsigned switches;  /* of threads in the shortened one */
} rmd_explore_result;

typedef struct rmd_explore_options {
    size_t size;        /* sizeof(rmd_explore_options), exactly: else RMD_EINVAL */
    const char *name;   /* for the report; NULL: "explore" */
    uint64_t schedules; /* 0: 20,000; EXHAUSTIVE stops there, too */
    uint64_t seed;      /* 0: 1. The same seed, the same schedules */
    rmd_explore_strategy strategy;
    rmd_explore_memory memory;
    unsigned depth;             /* PCT: 0: drawn from 2 to 5 */
    unsigned preemptions_max;   /* EXHAUSTIVE: 0: 2. Counts whatever is not the ordinary course:
                               * preemptions, older values, early time-outs, faults, kills */
    uint64_t steps_max;         /* 0: 20,000, then as many again with everybody in turn */
    unsigned kills_max;         /* threads of rmd_explore_process() that may be killed; 0: none */
    unsigned faults_max;        /* RMD_FAULT() and failing allocations in a schedule; 0: none */
    bool fail_allocations;      /* are allocations among the faults? */
    bool no_spurious;           /* parked threads do not wake for no reason */
    bool no_early_timeouts;     /* time passes only when everybody waits */
    const char *replay;         /* a token: run that schedule alone and show it */
    const char *command;        /* for the report: what a token must follow to be replayed, as
                               * "./test --replay"; NULL: "replay with". Borrowed */
    FILE *report;               /* where a failure is told, NULL: stderr. Borrowed */
    bool show_inside;           /* all steps inside Remuda, too */
    bool quiet;                 /* tell nothing: result is enough */
    rmd_explore_result *result; /* NULL: not wanted */
} rmd_explore_options;

/* Explores. 0: nothing was found. 1: something was, and was told: the first line repeats it, the
 * rest is the shortened interleaving. RMD_EINVAL: options or token; RMD_ENOMEM. options may be
 * NULL. Blocks; one call at a time in a process; from a thread that is not a fiber of an
 * exploration. */
RMD_API int rmd_explore(void (*body)(void *arg), void *arg, const rmd_explore_options *options)
    RMD_NODISCARD RMDI_EXPLORED_ONLY;

/* ---- inside a body ---- */

typedef struct rmd_explore_thread rmd_explore_thread;

/* Starts fn(arg) as a thread, below Remuda's own threads; a process can be killed between any two
 * steps (kills_max): what it has written stays. At most 16 threads in all. name is borrowed.
 * Never fails: too many is a mistake of the body's, reported as a failed assertion. */
RMD_API rmd_explore_thread *rmd_explore_start(void (*fn)(void *arg), void *arg, const char *name);
RMD_API rmd_explore_thread *rmd_explore_process(void (*fn)(void *arg), void *arg, const char *name);

/* Waits for its end. True: it returned; false: it was killed. */
RMD_API bool rmd_explore_join(rmd_explore_thread *thread);

/* Has it been killed? As a supervisor that looks at a pidfd would know. */
RMD_API bool rmd_explore_killed(const rmd_explore_thread *thread);

/* From now on chance spares the calling process, or does so no more: what is not looked at, its
 * beginning perhaps, is not where it always dies. */
RMD_API void rmd_explore_spare(bool spared);

/* Kills a process now, as another one does by SIGKILL: it makes no further step, unless it has
 * ended before. Counts as one of kills_max, and may exceed it. Not for the caller itself. */
RMD_API void rmd_explore_kill(rmd_explore_thread *process);

/* A number from 0 to n - 1, chosen by the explorer. */
RMD_API unsigned rmd_explore_choose(unsigned n);

/* A place where another thread may run, with nothing done. */
RMD_API void rmd_explore_point(void);

/* ---- the door's places ---- */

/* One source file, and how many places that use the door were come to in any exploration of this
 * process so far. */
typedef struct rmd_explore_coverage {
    const char *file;
    unsigned sites, hit;
} rmd_explore_coverage;

/* Calls fn for each source with such places, in order of their names. */
RMD_API void rmd_explore_coverage_walk(void (*fn)(void *ctx, const rmd_explore_coverage *source),
                                       void *ctx);
/* The same for each place that was never come to. */
RMD_API void rmd_explore_missed_walk(void (*fn)(void *ctx, const char *file, int line,
                                                const char *operation, const char *object),
                                     void *ctx);

RMD_END

#endif
