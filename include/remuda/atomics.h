/* SPDX-License-Identifier: MIT */
/* floor: base */
/* The door to shared memory: atomic operations with the order always written out, fences, and
 * marks for plain memory that several threads use under a lock or by handing it over.
 *
 *     rmd_atomic(uint32_t) ready;
 *     int payload;
 *
 *     RMD_PLAIN_SET(payload, 42);                       one thread
 *     rmd_atomic_store(&ready, 1, RMD_RELEASE);
 *
 *     if (rmd_atomic_load(&ready, RMD_ACQUIRE))         another
 *         use(RMD_PLAIN(payload));
 *
 * All of these are macros. Ordinarily they are C11's operations and nothing more; RMD_PLAIN(x) is
 * x. Compiled with -DRMD_EXPLORE, and linked with remuda-explore instead of remuda, each of them is
 * a point where the schedule explorer (<remuda/explore.h>) may let another thread run, and is
 * checked against the memory model of C11. Code that goes through this door can be explored; shared
 * memory that does not is invisible there. For C only (<atomic> is another thing in C++).
 *
 * Nothing here blocks, fails or takes ownership; p is a pointer to an rmd_atomic(type) of at most
 * eight bytes, evaluated once, as every other argument. */
#ifndef REMUDA_ATOMICS_H
#define REMUDA_ATOMICS_H

#ifdef __cplusplus
#error "remuda/atomics.h is for C"
#endif

#include <remuda/api.h>
#include <stdatomic.h>

#define rmd_atomic(type) _Atomic(type)

#define RMD_RELAXED memory_order_relaxed
#define RMD_ACQUIRE memory_order_acquire
#define RMD_RELEASE memory_order_release
#define RMD_ACQ_REL memory_order_acq_rel
#define RMD_SEQ_CST memory_order_seq_cst

#ifndef RMD_EXPLORE

/* Before any other thread knows the object: not atomic itself. */
#define rmd_atomic_init(p, value)            atomic_init(p, value)
#define rmd_atomic_load(p, order)            atomic_load_explicit(p, order)
#define rmd_atomic_store(p, value, order)    atomic_store_explicit(p, value, order)
/* These return what was there before. */
#define rmd_atomic_exchange(p, value, order) atomic_exchange_explicit(p, value, order)
#define rmd_atomic_add(p, value, order)      atomic_fetch_add_explicit(p, value, order)
#define rmd_atomic_sub(p, value, order)      atomic_fetch_sub_explicit(p, value, order)
#define rmd_atomic_and(p, value, order)      atomic_fetch_and_explicit(p, value, order)
#define rmd_atomic_or(p, value, order)       atomic_fetch_or_explicit(p, value, order)
/* *p == *expected: stores value, true; else *expected is what was found, false. */
#define rmd_atomic_cas(p, expected, value, success, failure) \
    atomic_compare_exchange_strong_explicit(p, expected, value, success, failure)
/* The same, but may fail for no reason: for loops that try again anyway (cheaper on Arm). */
#define rmd_atomic_cas_weak(p, expected, value, success, failure) \
    atomic_compare_exchange_weak_explicit(p, expected, value, success, failure)

/* The thread sanitizer does not see fences. It gets an atomic operation on one word that all fences
 * share: whatever two fences order, that orders, too. */
#if defined(__SANITIZE_THREAD__)
#define RMDI_FENCE_IS_RMW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RMDI_FENCE_IS_RMW 1
#endif
#endif
#ifdef RMDI_FENCE_IS_RMW
__attribute__((weak, visibility("hidden"))) _Atomic(unsigned) rmdi_fence_word;
#define rmd_fence(order) \
    ((void)(order), (void)atomic_fetch_add_explicit(&rmdi_fence_word, 1, memory_order_seq_cst))
#else
#define rmd_fence(order) atomic_thread_fence(order)
#endif

/* In a loop that waits by reading again: tells the processor, and the explorer, that this thread
 * gets no further until another one has done something. */
#if defined(__x86_64__) || defined(__i386__)
#define rmd_pause() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define rmd_pause() __asm__ volatile("yield" ::: "memory")
#else
#define rmd_pause() __asm__ volatile("" ::: "memory")
#endif

/* Plain shared memory: a read of x (an lvalue), a write of it. */
#define RMD_PLAIN(x)               (x)
#define RMD_PLAIN_SET(x, value)    ((void)((x) = (value)))
/* Marks for what is read or written by other means, memcpy or the fields of a list. */
#define RMD_PLAIN_READS(p, bytes)  ((void)(p), (void)(bytes))
#define RMD_PLAIN_WRITES(p, bytes) ((void)(p), (void)(bytes))

/* A static variable that keeps values: RMD_STATIC int turns = 3; The explorer gives it back its
 * first value before each schedule. */
#define RMD_STATIC static

/* What must hold, and that of a harness. Checked, and the explorer's to report, there; here neither
 * evaluated nor there at all: a library does not abort. */
#define RMD_ASSERT(condition) ((void)sizeof(!(condition)))

/* Does the fault of this name (a text) happen now? In the explorer sometimes; here never. */
#define RMD_FAULT(name) false

#else /* RMD_EXPLORE */

/* A door in the arguments of another one is two blocks with variables of one name, which is well,
 * and of which -Wshadow is not to tell. What stands in the arguments is still warned of. */
#pragma GCC system_header

/* One place in the source that uses the door. */
typedef struct rmdi_site {
    const char *file;
    int line;
    const char *operation;
    const char *object; /* as written there */
    bool inside;        /* in Remuda's own source: folded in long traces */
    uint64_t hits;
} rmdi_site;

#ifndef RMDI_INSIDE /* by the build of Remuda itself */
#define RMDI_INSIDE false
#endif

enum { RMDI_EXCHANGE, RMDI_ADD, RMDI_SUB, RMDI_AND, RMDI_OR };

void rmdi_explore_init(rmdi_site *site, volatile void *p, unsigned size, uint64_t value);
uint64_t rmdi_explore_load(rmdi_site *site, const volatile void *p, unsigned size, int order);
void rmdi_explore_store(rmdi_site *site, volatile void *p, unsigned size, uint64_t value,
                        int order);
uint64_t rmdi_explore_rmw(rmdi_site *site, volatile void *p, unsigned size, int operation,
                          uint64_t value, int order);
bool rmdi_explore_cas(rmdi_site *site, volatile void *p, unsigned size, uint64_t *expected,
                      uint64_t value, int success, int failure, bool weak);
void rmdi_explore_fence(rmdi_site *site, int order);
void rmdi_explore_pause(rmdi_site *site);
void rmdi_explore_plain(rmdi_site *site, const volatile void *p, size_t bytes, bool write);
void rmdi_explore_assert(rmdi_site *site, bool held);
bool rmdi_explore_fault(rmdi_site *site, const char *name);
/* Says where the call of the system that follows stands. */
void rmdi_explore_here(rmdi_site *site);

/* All sites of a program lie in one list that the linker makes. */
#define RMDI_SITE(operation_, object_)                                                             \
    __extension__({                                                                                \
        static rmdi_site rmdi_site_ = { __FILE__, __LINE__, operation_, object_, RMDI_INSIDE, 0 }; \
        static rmdi_site *const rmdi_listed_                                                       \
            __attribute__((section("rmdi_sites"), used)) = &rmdi_site_;                            \
        (void)rmdi_listed_;                                                                        \
        &rmdi_site_;                                                                               \
    })

/* The type behind p without _Atomic, and its values as 64 bits and back. */
#define RMDI_VALUE(p) __typeof__((void)0, *(p))
#define RMDI_TO_BITS(p, value)                                              \
    __extension__({                                                         \
        RMDI_VALUE(p) rmdi_value_ = (value);                                \
        uint64_t rmdi_bits_ = 0;                                            \
        _Static_assert(sizeof rmdi_value_ <= sizeof rmdi_bits_, "8 bytes"); \
        __builtin_memcpy(&rmdi_bits_, &rmdi_value_, sizeof rmdi_value_);    \
        rmdi_bits_;                                                         \
    })
#define RMDI_FROM_BITS(p, bits)                                    \
    __extension__({                                                \
        uint64_t rmdi_from_ = (bits);                              \
        RMDI_VALUE(p) rmdi_to_;                                    \
        __builtin_memcpy(&rmdi_to_, &rmdi_from_, sizeof rmdi_to_); \
        rmdi_to_;                                                  \
    })
#define RMDI_RMW(name, operation, p, value, order)                                                 \
    __extension__({                                                                                \
        __auto_type rmdi_p_ = (p);                                                                 \
        RMDI_FROM_BITS(rmdi_p_, rmdi_explore_rmw(RMDI_SITE(name, #p), rmdi_p_, sizeof *rmdi_p_,    \
                                                 operation, RMDI_TO_BITS(rmdi_p_, value), order)); \
    })
#define RMDI_CAS(name, p, expected, value, success, failure, weak)                              \
    __extension__({                                                                             \
        __auto_type rmdi_p_ = (p);                                                              \
        __auto_type rmdi_expected_ = (expected);                                                \
        uint64_t rmdi_found_ = RMDI_TO_BITS(rmdi_p_, *rmdi_expected_);                          \
        bool rmdi_done_ = rmdi_explore_cas(RMDI_SITE(name, #p), rmdi_p_, sizeof *rmdi_p_,       \
                                           &rmdi_found_, RMDI_TO_BITS(rmdi_p_, value), success, \
                                           failure, weak);                                      \
        if (!rmdi_done_)                                                                        \
            *rmdi_expected_ = RMDI_FROM_BITS(rmdi_p_, rmdi_found_);                             \
        rmdi_done_;                                                                             \
    })

#define rmd_atomic_init(p, value)                                          \
    __extension__({                                                        \
        __auto_type rmdi_p_ = (p);                                         \
        rmdi_explore_init(RMDI_SITE("init", #p), rmdi_p_, sizeof *rmdi_p_, \
                          RMDI_TO_BITS(rmdi_p_, value));                   \
    })
#define rmd_atomic_load(p, order)                                                                  \
    __extension__({                                                                                \
        __auto_type rmdi_p_ = (p);                                                                 \
        RMDI_FROM_BITS(rmdi_p_,                                                                    \
                       rmdi_explore_load(RMDI_SITE("load", #p), rmdi_p_, sizeof *rmdi_p_, order)); \
    })
#define rmd_atomic_store(p, value, order)                                    \
    __extension__({                                                          \
        __auto_type rmdi_p_ = (p);                                           \
        rmdi_explore_store(RMDI_SITE("store", #p), rmdi_p_, sizeof *rmdi_p_, \
                           RMDI_TO_BITS(rmdi_p_, value), order);             \
    })
#define rmd_atomic_exchange(p, value, order) RMDI_RMW("exchange", RMDI_EXCHANGE, p, value, order)
#define rmd_atomic_add(p, value, order)      RMDI_RMW("add", RMDI_ADD, p, value, order)
#define rmd_atomic_sub(p, value, order)      RMDI_RMW("sub", RMDI_SUB, p, value, order)
#define rmd_atomic_and(p, value, order)      RMDI_RMW("and", RMDI_AND, p, value, order)
#define rmd_atomic_or(p, value, order)       RMDI_RMW("or", RMDI_OR, p, value, order)
#define rmd_atomic_cas(p, expected, value, success, failure) \
    RMDI_CAS("cas", p, expected, value, success, failure, false)
#define rmd_atomic_cas_weak(p, expected, value, success, failure) \
    RMDI_CAS("cas_weak", p, expected, value, success, failure, true)
#define rmd_fence(order) rmdi_explore_fence(RMDI_SITE("fence", #order), order)
#define rmd_pause()      rmdi_explore_pause(RMDI_SITE("pause", ""))

#define RMD_PLAIN(x)                                                                        \
    (*__extension__({                                                                       \
        __typeof__(x) *rmdi_plain_ = &(x);                                                  \
        rmdi_explore_plain(RMDI_SITE("read", #x), rmdi_plain_, sizeof *rmdi_plain_, false); \
        rmdi_plain_;                                                                        \
    }))
#define RMD_PLAIN_SET(x, value)                                                               \
    __extension__({                                                                           \
        __typeof__(x) *rmdi_target_ = &(x);                                                   \
        __typeof__(x) rmdi_set_ = (value);                                                    \
        rmdi_explore_plain(RMDI_SITE("write", #x), rmdi_target_, sizeof *rmdi_target_, true); \
        *rmdi_target_ = rmdi_set_;                                                            \
    })
#define RMD_PLAIN_READS(p, bytes)  rmdi_explore_plain(RMDI_SITE("read", #p), p, bytes, false)
#define RMD_PLAIN_WRITES(p, bytes) rmdi_explore_plain(RMDI_SITE("write", #p), p, bytes, true)

#define RMD_STATIC static __attribute__((section("rmdi_statics")))

#define RMD_ASSERT(condition) rmdi_explore_assert(RMDI_SITE("assert", #condition), (condition))
#define RMD_FAULT(name)       rmdi_explore_fault(RMDI_SITE("fault", name), name)

#endif

#endif
