/* SPDX-License-Identifier: MIT */
/* What the owner of a processes pool and one of its workers share: a ring of tasks, each in a slot
 * that also takes its answer, and room for arguments and results beside it.
 *
 * A slot goes FREE -> READY -> BEGUN -> DONE -> FREE:
 *
 *     owner                                        worker
 *     rmdi_ring_put()      FREE -> READY           rmdi_ring_claim()    READY -> BEGUN
 *     rmdi_ring_take()     READY -> TAKEN          (the same)           TAKEN -> SKIPPED
 *     rmdi_ring_take_last() READY -> FREE          rmdi_ring_finish()   BEGUN -> DONE
 *     rmdi_ring_release()  DONE, SKIPPED -> FREE
 *
 * Whether a task that waits in the ring is begun, or taken back by the owner, is decided by a
 * compare-and-swap on its slot: one of the two does it.
 *
 * The worker runs code of others, which may write anywhere. So the owner keeps what it knows of the
 * ring in its own memory (rmdi_ring), takes a state from the slot only as far as it can follow from
 * the last one, and an answer only after its bounds have been checked and it was copied. A ring
 * that is not as it should be is damaged (RMD_EIO), and its worker is to be ended. What a worker
 * writes can harm nobody but itself: nothing is shared with others.
 *
 * Sleeping. Each side sleeps on a word of this memory, and nobody makes a system call to wake
 * somebody who is awake:
 *
 *     worker                                       owner
 *     sleeps = 1                                   put: state = READY
 *     fence                                        fence
 *     looks at the slots once more                 sleeps? then 0, and wake
 *     parks as long as sleeps is 1
 *
 * is Dekker's: one of the two sees what the other has written. The other way round it is the same
 * with `awaited` and DONE: a thread that waits for a task of this ring sets RMDI_AWAITED_BY_THREAD
 * and parks there; the keeper, who has more than one worker to look after, sets
 * RMDI_AWAITED_BY_KEEPER and sleeps elsewhere, and is woken by the worker's bell.
 *
 * Who is told. A thread at once, and then nobody else: whoever has slept here takes all that is
 * done, also when it has woken for another reason; the last of them takes back the sign. If none
 * sleeps, perhaps one looks, awake; so the keeper is told only when the worker begins its next
 * task, or has looked for one in vain, and then only if its last answer still lies there. */
#ifndef RMDI_EXEC_RING_H
#define RMDI_EXEC_RING_H

#include <remuda/atomics.h>
#include <remuda/bytes.h>
#include <remuda/deadline.h>

enum {
#ifdef RMD_EXPLORE
    RMDI_RING_SLOTS = 2,
    RMDI_RING_KEPT = 256,
    RMDI_RING_ROOM = 512,
#else
    RMDI_RING_SLOTS = 64, /* a power of two */
    /* What small arguments and results go round in, so that the same pages stay in the cache; and
     * what a large one may take, alone. Pages that were never touched are not there. */
    RMDI_RING_KEPT = 256 * 1024,
    RMDI_RING_ROOM = 16 * 1024 * 1024 + 64 * 1024,
#endif
    RMDI_RING_DETAIL = 512,
    RMDI_RING_TEXT_MAX = 1023, /* of the name of a function or a task; what is longer is cut */
};

typedef enum rmdi_ring_state {
    RMDI_RING_FREE,
    RMDI_RING_READY,
    RMDI_RING_BEGUN,
    RMDI_RING_DONE,
    RMDI_RING_TAKEN,
    RMDI_RING_SKIPPED,
} rmdi_ring_state;

/* A line of the cache. What is not atomic is written before the state that hands it over. */
typedef struct rmdi_ring_slot {
    _Alignas(64) rmd_atomic(uint32_t) state;
    /* by the owner: */
    uint32_t attempt;
    uint64_t id;
    uint32_t in_at, in_len;
    uint16_t function_len, name_len; /* these texts come first, each with a 0 behind it */
    bool timed;                      /* begun_ns is wanted */
    bool adds;                       /* it may add tasks */
    /* by the worker: */
    int32_t error; /* 0, or negative: then the result is what it says */
    uint32_t out_at, out_len;
    uint32_t added_len;           /* so many of the bytes, the last, are what it adds (added.h) */
    rmd_atomic(int64_t) begun_ns; /* of one that is timed; 0: not yet */
} rmdi_ring_slot;

typedef enum rmdi_ring_life {
    RMDI_LIFE_STARTING,
    RMDI_LIFE_READY,   /* it takes tasks */
    RMDI_LIFE_FAILED,  /* its initializer has failed: error, detail */
    RMDI_LIFE_RETIRED, /* it takes no more */
} rmdi_ring_life;

/* Who sleeps until something is done; and does somebody until a task is begun, and so a place free
 * in the queue? */
enum { RMDI_AWAITED_BY_THREAD = 1, RMDI_AWAITED_BY_KEEPER = 2, RMDI_AWAITED_BEGIN = 4 };

typedef struct rmdi_ring_memory {
    _Alignas(64) rmd_atomic(uint32_t) sleeps; /* the worker: 1 for a task, 2 for room */
    rmd_atomic(uint32_t) quit;                /* by the owner: no more will come */
    _Alignas(64) rmd_atomic(uint32_t) awaited;
    _Alignas(64) rmd_atomic(uint32_t) life;
    int32_t error;
    char detail[RMDI_RING_DETAIL];
    rmdi_ring_slot slots[RMDI_RING_SLOTS];
    _Alignas(4096) unsigned char in[RMDI_RING_ROOM];
    unsigned char out[RMDI_RING_ROOM];
} rmdi_ring_memory;

/* Room that is given out and back in the same order. */
typedef struct rmdi_room {
    uint32_t first, next; /* the oldest piece that is in use; where the next may be */
    unsigned used;        /* pieces */
} rmdi_room;

typedef struct rmdi_ring {
    rmdi_ring_memory *memory;
    unsigned head, tail; /* the oldest in use, the next to be filled; they only grow */
    unsigned taken;      /* that have been taken in the middle, and are still to be released */
    rmdi_room room;
    uint32_t places[RMDI_RING_SLOTS]; /* of the arguments */
    bool is_taken[RMDI_RING_SLOTS];
} rmdi_ring;

/* What is put into the ring; all of it is copied. */
typedef struct rmdi_ring_order {
    uint64_t id;
    unsigned attempt;
    const char *function, *name; /* name: NULL: the function's */
    rmd_bytes arguments;
    bool timed, adds;
} rmdi_ring_order;

typedef struct rmdi_ring_answer {
    unsigned slot;
    int error;
    rmd_bytes result; /* in the shared memory: to be copied before anything is made of it */
    size_t added_len; /* of these bytes, the last so many */
} rmdi_ring_answer;

/* ---- the owner: one thread at a time ---- */

/* Begins with memory that is zeroed, which is borrowed. */
void rmdi_ring_init(rmdi_ring *ring, rmdi_ring_memory *memory);

static inline unsigned rmdi_ring_len(const rmdi_ring *ring)
{
    return ring->tail - ring->head;
}

/* Puts a task in; *slot is where. False: there is no room now. RMDI_RING_ROOM has always room for
 * one alone: see rmdi_ring_bytes(). */
bool rmdi_ring_put(rmdi_ring *ring, const rmdi_ring_order *order, unsigned *slot);
/* How much room an order takes. */
size_t rmdi_ring_bytes(const rmdi_ring_order *order);
/* After some were put in. */
void rmdi_ring_wake(rmdi_ring *ring);

/* The same, whatever the shared memory says of its sleep. */
void rmdi_ring_wake_anyway(rmdi_ring *ring);

/* Takes a task back, wherever it is in the ring. False: it has begun. */
bool rmdi_ring_take(rmdi_ring *ring, unsigned slot);
/* The same with the one that was put in last, and its slot is free then. False also when there is
 * none. */
bool rmdi_ring_take_last(rmdi_ring *ring, unsigned *slot);

/* The oldest, if it is done: 1, and it is to be released when the answer was copied. 0: none is.
 * RMD_EIO: the ring is damaged. */
int rmdi_ring_next(rmdi_ring *ring, rmdi_ring_answer *answer);
void rmdi_ring_release(rmdi_ring *ring);

/* The slot of the i-th that is in the ring, from the oldest. */
static inline unsigned rmdi_ring_slot_at(const rmdi_ring *ring, unsigned i)
{
    return (ring->head + i) % RMDI_RING_SLOTS;
}
bool rmdi_ring_is_done(const rmdi_ring *ring, unsigned slot);
/* Has it begun, or is it even done? And when, if it is timed. */
bool rmdi_ring_has_begun(const rmdi_ring *ring, unsigned slot, int64_t *begun_ns);
/* Has something been done that was not released? */
bool rmdi_ring_has_answer(const rmdi_ring *ring);

/* Says that somebody is about to sleep until something is done; true: it is already. */
bool rmdi_ring_await(rmdi_ring *ring, uint32_t who);
/* No thread sleeps any more. Look for answers once more: the worker may have told one, and so
 * nobody else, of its last. */
void rmdi_ring_await_no_more(rmdi_ring_memory *memory);
/* Then, for a thread: the value of `awaited` to park on; 0: something has been done since. */
static inline uint32_t rmdi_ring_awaited(const rmdi_ring *ring)
{
    uint32_t awaited = rmd_atomic_load(&ring->memory->awaited, RMD_RELAXED);
    return awaited & RMDI_AWAITED_BY_THREAD ? awaited : 0;
}

/* Wakes the threads that sleep on `awaited`. False: there are none. */
bool rmdi_ring_wake_threads(rmdi_ring_memory *memory);

/* The worker shall end when it has nothing to do. */
void rmdi_ring_quit(rmdi_ring *ring);

/* ---- the worker ---- */

typedef struct rmdi_ring_end {
    rmdi_ring_memory *memory;
    unsigned cursor, oldest; /* the next to be done; the oldest result that may be in use */
    rmdi_room room;
    uint32_t places[RMDI_RING_SLOTS]; /* of the results */
    bool has_piece[RMDI_RING_SLOTS];
    uint32_t offered, offered_size; /* rmdi_ring_offer() */
    bool untold;                    /* something was done since the keeper was told last */
    bool woke;                      /* the last answer has woken a thread */
    bool slept;                     /* before the last task came */
    void (*ring_bell)(void *ctx);
    void *ctx;
} rmdi_ring_end;

void rmdi_ring_end_init(rmdi_ring_end *end, rmdi_ring_memory *memory, void (*ring_bell)(void *ctx),
                        void *ctx);

/* The next task, which has begun with this; NULL: there is none. */
rmdi_ring_slot *rmdi_ring_claim(rmdi_ring_end *end);

/* Room for a result that is to be made there, and of which it is not known yet how large it will
 * be: *space, and its size, may be 0. Until the next answer, which takes it if its result lies
 * there. */
size_t rmdi_ring_offer(rmdi_ring_end *end, char **space);

/* Its answer: error 0 and a result, or an error and what it says; result is copied. It may have to
 * wait until the owner has taken older ones. Threads that wait for it are told, and then the keeper
 * need not be: they take all that is done. The last added_len of the bytes are what the task adds.
 * RMD_E2BIG: there is no room for that, and another answer is to be given. */
int rmdi_ring_finish(rmdi_ring_end *end, int error, rmd_bytes result, size_t added_len);

/* Rings for the keeper if it sleeps and something was done; always: also if nothing was. */
void rmdi_ring_tell(rmdi_ring_end *end, bool always);
/* The same when a task has just been claimed; also for those who wait for that. */
void rmdi_ring_tell_begun(rmdi_ring_end *end, bool always);

/* Waits for a task, awake for a while and then asleep; before that idle(ctx) is called. False:
 * there will be no more. */
bool rmdi_ring_wait(rmdi_ring_end *end, void (*idle)(void *ctx));

#endif
