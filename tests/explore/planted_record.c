/* SPDX-License-Identifier: MIT */
/* Planted bugs of the flight recorder's ring: in small, see base/record_ring.c. Each makes a reader
 * believe an event of which a part is of a later one. */
#include "crew.h"

enum { CELLS = 2, EVENTS = 4, WORDS = 2 };

typedef enum flaw {
    NO_FLAW,
    ONE_TOO_MANY,       /* the cell that may just be written is believed */
    WRITES_UNFENCED,    /* the words of the next event may be seen before the head */
    READS_UNFENCED,     /* the head is looked at again before the words are read */
    HEAD_RELAXED,       /* and may be seen before the words */
    HEAD_NOT_LOOKED_AT, /* again */
} flaw;

static struct {
    flaw flaw;
    rmd_atomic(uint64_t) head, words[CELLS][WORDS];
} o;

static bool has(flaw f)
{
    return o.flaw == f;
}

static void begin(flaw f)
{
    o.flaw = f;
    rmd_atomic_init(&o.head, 0);
    for (int i = 0; i < CELLS; i++)
        for (int j = 0; j < WORDS; j++)
            rmd_atomic_init(&o.words[i][j], 0);
}

static void write_all(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < EVENTS; i++) {
        if (!has(WRITES_UNFENCED))
            rmd_fence(RMD_RELEASE);
        for (uint64_t j = 0; j < WORDS; j++)
            rmd_atomic_store(&o.words[i % CELLS][j], i + 10 * (j + 1), RMD_RELAXED);
        rmd_atomic_store(&o.head, i + 1, has(HEAD_RELAXED) ? RMD_RELAXED : RMD_RELEASE);
    }
}

static void read_one(uint64_t number)
{
    uint64_t words[WORDS];
    for (int j = 0; j < WORDS; j++)
        words[j] = rmd_atomic_load(&o.words[number % CELLS][j], RMD_RELAXED);
    if (!has(READS_UNFENCED))
        rmd_fence(RMD_ACQUIRE);
    uint64_t head = rmd_atomic_load(&o.head, RMD_RELAXED);
    bool whole = has(ONE_TOO_MANY) ? head <= number + CELLS : head < number + CELLS;
    if (whole || has(HEAD_NOT_LOOKED_AT))
        for (uint64_t j = 0; j < WORDS; j++)
            RMD_ASSERT(words[j] == number + 10 * (j + 1));
}

static void read_all(void *arg)
{
    (void)arg;
    uint64_t head = rmd_atomic_load(&o.head, RMD_ACQUIRE);
    for (uint64_t i = head >= CELLS ? head - CELLS + 1 : 0; i < head; i++)
        read_one(i);
}

static void run(bool broken, flaw f)
{
    crew all = { 0 };
    begin(broken ? f : NO_FLAW);
    crew_add(&all, write_all, NULL, "writer");
    crew_add(&all, read_all, NULL, "reader");
    crew_join(&all);
}

PLANTED(record_believes_one_too_many, RMD_EXPLORE_ASSERTION)
{
    run(broken, ONE_TOO_MANY);
}

PLANTED(record_writes_without_a_fence, RMD_EXPLORE_ASSERTION)
{
    run(broken, WRITES_UNFENCED);
}

PLANTED(record_reads_without_a_fence, RMD_EXPLORE_ASSERTION)
{
    run(broken, READS_UNFENCED);
}

PLANTED(record_head_before_words, RMD_EXPLORE_ASSERTION)
{
    run(broken, HEAD_RELAXED);
}

PLANTED(record_does_not_look_again, RMD_EXPLORE_ASSERTION)
{
    run(broken, HEAD_NOT_LOOKED_AT);
}
