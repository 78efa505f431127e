/* SPDX-License-Identifier: MIT */
#include "port/forked.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t *page; /* wiped by fork; itself kept */
static pthread_mutex_t page_lock = PTHREAD_MUTEX_INITIALIZER;

/* Marks grow along a line of forks and the pid tells brothers apart. */
static uint64_t next_mark(void)
{
    static uint64_t generation; /* copied by fork, so a child's is greater */
    return (++generation << 32) | (uint64_t)(uint32_t)getpid();
}

static uint64_t *make_page(void)
{
    void *p = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, sizeof *page, MADV_WIPEONFORK);
    return p;
}

uint64_t rmdi_process_mark(void)
{
    /* Acquire pairs with the release below: who sees the page sees its mapping. */
    uint64_t *p = __atomic_load_n(&page, __ATOMIC_ACQUIRE);
    uint64_t mark = p ? __atomic_load_n(p, __ATOMIC_RELAXED) : 0;
    if (mark)
        return mark;
    pthread_mutex_lock(&page_lock);
    p = page ? page : make_page();
    if (p) {
        mark = *p ? *p : next_mark();
        __atomic_store_n(p, mark, __ATOMIC_RELAXED);
        __atomic_store_n(&page, p, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&page_lock);
    return mark;
}

bool rmdi_process_is(uint64_t mark)
{
    uint64_t *p = __atomic_load_n(&page, __ATOMIC_ACQUIRE);
    return p && __atomic_load_n(p, __ATOMIC_RELAXED) == mark;
}
