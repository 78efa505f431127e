/* SPDX-License-Identifier: MIT */
#include "port/forked.h"

#include <sys/mman.h>
#include <unistd.h>

/* No lock guards these: a child made by fork() would find it held for ever if another thread held
 * it at that moment. */
uint64_t *rmdi_process_page; /* wiped by fork; itself kept */

/* Marks grow along a line of forks and the pid tells brothers apart. */
static uint64_t next_mark(void)
{
    static uint64_t generation; /* copied by fork, so a child's is greater */
    return (__atomic_add_fetch(&generation, 1, __ATOMIC_RELAXED) << 32) |
           (uint64_t)(uint32_t)getpid();
}

/* NULL without memory. */
static uint64_t *make_page(void)
{
    uint64_t *there = NULL;
    void *p = mmap(NULL, sizeof *there, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, sizeof *there, MADV_WIPEONFORK);
    /* Release, and acquire of another one's: who sees the page sees its mapping. */
    if (__atomic_compare_exchange_n(&rmdi_process_page, &there, p, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return p;
    munmap(p, sizeof *there);
    return there;
}

uint64_t rmdi_process_mark(void)
{
    uint64_t *p = __atomic_load_n(&rmdi_process_page, __ATOMIC_ACQUIRE);
    if (!p && !(p = make_page()))
        return 0;
    uint64_t mark = __atomic_load_n(p, __ATOMIC_RELAXED), next;
    if (mark)
        return mark;
    /* Relaxed: the mark is a number and publishes nothing. Failing, it finds another one's. */
    next = next_mark();
    return __atomic_compare_exchange_n(p, &mark, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
               ? next
               : mark;
}
