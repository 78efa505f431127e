/* SPDX-License-Identifier: MIT */
/* One schedule: fibers on one thread of the system, of which one runs until the next step. */
#ifndef RMDI_EXPLORE_SCHEDULE_H
#define RMDI_EXPLORE_SCHEDULE_H

#include "base/local.h"
#include "explore/choice.h"
#include "explore/vclock.h"
#include "port/context.h"

#include <remuda/atomics.h>
#include <remuda/explore.h>

enum {
    RMDI_STACK_BYTES = 64 * 1024,
    RMDI_BUFFER_MAX = 8, /* stores that a store buffer holds */
};

typedef enum rmdi_fiber_state {
    RMDI_FIBER_UNUSED = 0,
    RMDI_FIBER_READY,
    RMDI_FIBER_PARKED,  /* on `word` */
    RMDI_FIBER_JOINING, /* `other` */
    RMDI_FIBER_ENDED,
    RMDI_FIBER_KILLED,
} rmdi_fiber_state;

/* A store that its thread has made and no other thread sees yet. */
typedef struct rmdi_buffered {
    volatile void *p;
    unsigned size;
    uint64_t value;
    rmdi_vclock release;
    bool releases;
    const rmdi_site *site;
} rmdi_buffered;

typedef struct rmd_explore_thread {
    rmdi_context context;
    char *stack;
    rmdi_fiber_state state;
    bool killable;
    void (*fn)(void *arg);
    void *arg;
    void *(*start)(void *arg); /* of a thread of the system: see system.c */
    void *start_arg;
    char name[16];
    rmdi_site *site; /* where it is, or waits */
    rmdi_site *call; /* of Remuda, from the explored program; NULL: in none that is marked */
    void *local[RMDI_LOCAL_POINTERS];
    void (*at_end)(void); /* of rmdi_thread_end_call(); NULL: nothing is to be called */
    char *detail;         /* of rmdi_error_swap() */
    void *fake_stack;     /* the address sanitizer's */
    /* waiting */
    const volatile void *word;
    uint32_t expected;
    const volatile void *other_word; /* as well; NULL: on one only */
    uint32_t other_expected;
    int64_t deadline_ns;
    bool timed_out;
    uint64_t since; /* step at which it began to wait: the longest waits first in a queue */
    unsigned other;
    /* memory: see memory.c */
    rmdi_vclock clock;
    rmdi_vclock released;  /* what a relaxed store after a release fence releases */
    rmdi_vclock unclaimed; /* what an acquire fence after relaxed loads acquires */
    bool has_released, has_unclaimed;
    uint64_t fenced; /* number of its last sequentially consistent fence */
    unsigned stale;  /* older values that it has read, one after the other */
    rmdi_buffered buffer[RMDI_BUFFER_MAX];
    unsigned buffered;
} rmdi_fiber;

/* What one schedule may do, and what became of it. */
typedef struct rmdi_limits {
    uint64_t steps_max;
    unsigned kills_max, faults_max;
    bool no_spurious, no_early_timeouts;
} rmdi_limits;

typedef struct rmdi_verdict {
    rmd_explore_verdict verdict;
    const rmdi_site *site; /* where */
    char message[512];
    uint64_t steps, hash;
    unsigned switches;
} rmdi_verdict;

/* Memory for stacks, once; RMD_ENOMEM. And back. */
int rmdi_schedule_open(void);
void rmdi_schedule_close(void);

/* Runs one schedule. Not from a fiber. */
void rmdi_schedule_run(void (*body)(void *arg), void *arg, const rmdi_plan *plan,
                       const rmdi_limits *limits, rmdi_verdict *verdict);

/* ---- for the fiber that runs ---- */

/* NULL outside a schedule. */
extern rmdi_fiber *rmdi_running;
extern rmd_explore_memory rmdi_memory_model;

/* Another fiber may run before what stands at the site is done. */
void rmdi_step(rmdi_site *site);

/* Adds to what makes one schedule different from another, and to what is shown of it. */
void rmdi_happened(const rmdi_site *site, uint64_t value, const char *more);

/* Ends the schedule. Does not return. */
_Noreturn void rmdi_found(rmd_explore_verdict verdict, const rmdi_site *site, const char *format,
                          ...) __attribute__((format(printf, 3, 4)));

unsigned rmdi_fiber_number(const rmdi_fiber *fiber);
rmdi_fiber *rmdi_fiber_at(unsigned number);
unsigned rmdi_fiber_count(void); /* in this schedule, those that have ended included */

rmdi_fiber *rmdi_fiber_start(void (*fn)(void *arg), void *arg, const char *name, bool killable);
void rmdi_fiber_join(rmdi_fiber *fiber);
void rmdi_fiber_rest(void); /* not again before somebody else has made a step */

/* Another one makes no further step; nothing, if it has ended. */
void rmdi_fiber_kill(rmdi_fiber *fiber);

/* Sleeping on a word: true when it was the deadline that ended it. */
bool rmdi_fiber_park(const volatile void *word, uint32_t expected, int64_t deadline_ns);
/* On two; other: NULL: on one only. */
bool rmdi_fiber_park_either(const volatile void *word, uint32_t expected,
                            const volatile void *other, uint32_t other_expected,
                            int64_t deadline_ns);
void rmdi_fiber_unpark(const volatile void *word, int fibers);

/* Virtual time; it may jump when it is read. */
int64_t rmdi_clock_read(void);

/* Does one of the faults that the schedule may have happen now? */
bool rmdi_fault_happens(void);

/* Is p just below a fiber's stack? */
bool rmdi_fiber_overflows(const void *p);

/* See descriptors.c. */
void rmdi_descriptors_begin(void);

/* Does p lie in the stack of any fiber? */
bool rmdi_is_on_a_stack(const volatile void *p);

/* The fiber in whose stack p lies, below what it uses: the frame was left. NULL: none. */
const rmdi_fiber *rmdi_fiber_left(const volatile void *p);

#endif
