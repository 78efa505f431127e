/* SPDX-License-Identifier: MIT */
#include "explore/heap.h"

#include "base/error.h"
#include "explore/race.h"
#include "explore/schedule.h"

#include <remuda/alloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    GRAIN = 16,
    ARENA_BYTES = 64 * 1024 * 1024,
    MARKS = ARENA_BYTES / GRAIN,
};

enum { UNUSED = 0, LIVE, FREED };

/* In front of each block. */
typedef struct header {
    size_t bytes;
    size_t unused;
} header;

static char *arena;
static unsigned char *marks; /* one for each grain */
static size_t used, live_blocks, live_bytes;
static bool active, may_fail;

/* ---- the C library's ---- */

/* With -Wl,--wrap=malloc and so on the linker makes these; else they are NULL. */
extern __typeof__(malloc) __real_malloc __attribute__((weak));
extern __typeof__(realloc) __real_realloc __attribute__((weak));
extern __typeof__(free) __real_free __attribute__((weak));

void *rmdi_real_malloc(size_t bytes)
{
    return __real_malloc ? __real_malloc(bytes) : malloc(bytes);
}

void *rmdi_real_realloc(void *p, size_t bytes)
{
    return __real_realloc ? __real_realloc(p, bytes) : realloc(p, bytes);
}

void rmdi_real_free(void *p)
{
    __real_free ? __real_free(p) : free(p);
}

/* ---- ours ---- */

static void mark(void *p, size_t bytes, unsigned char as)
{
    memset(marks + (size_t)((char *)p - arena) / GRAIN, as, (bytes + GRAIN - 1) / GRAIN);
}

static bool is_ours(const volatile void *p)
{
    return arena && (uintptr_t)p - (uintptr_t)arena < used;
}

static void *take(void *ctx, size_t bytes)
{
    (void)ctx;
    if (!active)
        return rmdi_real_malloc(bytes);
    size_t whole = sizeof(header) + ((bytes + GRAIN - 1) & ~(size_t)(GRAIN - 1));
    if (whole < bytes || whole > ARENA_BYTES - used || (may_fail && rmdi_fault_happens()))
        return NULL;
    header *h = (header *)(void *)(arena + used);
    used += whole;
    h->bytes = bytes;
    mark(h + 1, bytes, LIVE);
    memset(h + 1, 0xa5, bytes); /* the same in every schedule, and of no use */
    live_blocks++;
    live_bytes += bytes;
    return h + 1;
}

static void give(void *ctx, void *p)
{
    (void)ctx;
    if (!is_ours(p)) {
        rmdi_real_free(p);
        return;
    }
    header *h = (header *)p - 1;
    if (rmdi_heap_was_freed(p) && rmdi_running)
        rmdi_found(RMD_EXPLORE_FREED, rmdi_running->site, "%s frees memory a second time",
                   rmdi_running->name);
    rmdi_race_free(p, h->bytes);
    mark(p, h->bytes, FREED);
    live_blocks--;
    live_bytes -= h->bytes;
}

static void *retake(void *ctx, void *p, size_t bytes)
{
    if (p && !is_ours(p))
        return rmdi_real_realloc(p, bytes);
    void *q = take(ctx, bytes);
    if (q && p) {
        size_t before = ((header *)p - 1)->bytes;
        memcpy(q, p, before < bytes ? before : bytes);
        give(ctx, p);
    }
    return q;
}

/* ---- the explored program's ---- */

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void __wrap_free(void *p);

void *__wrap_malloc(size_t bytes)
{
    return rmdi_running ? take(NULL, bytes) : rmdi_real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    size_t whole;
    if (__builtin_mul_overflow(n, bytes, &whole))
        return NULL;
    void *p = __wrap_malloc(whole);
    return p ? memset(p, 0, whole) : NULL;
}

void *__wrap_realloc(void *p, size_t bytes)
{
    return rmdi_running || is_ours(p) ? retake(NULL, p, bytes) : rmdi_real_realloc(p, bytes);
}

void __wrap_free(void *p)
{
    if (p)
        give(NULL, p);
}

/* ---- schedules ---- */

int rmdi_heap_open(void)
{
    void *p = mmap(NULL, ARENA_BYTES + MARKS, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return rmdi_fail_memory();
    arena = p;
    marks = (unsigned char *)arena + ARENA_BYTES;
    used = 0;
    return rmd_set_allocator(&(rmd_allocator){ sizeof(rmd_allocator), take, retake, give, NULL });
}

void rmdi_heap_close(void)
{
    rmd_set_allocator(NULL);
    munmap(arena, ARENA_BYTES + MARKS);
    arena = NULL;
}

void rmdi_heap_may_fail(bool may)
{
    may_fail = may;
}

void rmdi_heap_begin(void)
{
    memset(marks, UNUSED, used / GRAIN);
    used = live_blocks = live_bytes = 0;
    active = true;
}

void rmdi_heap_end(void)
{
    active = false;
}

size_t rmdi_heap_left(size_t *bytes)
{
    *bytes = live_bytes;
    return live_blocks;
}

bool rmdi_heap_was_freed(const volatile void *p)
{
    return is_ours(p) && marks[((uintptr_t)p - (uintptr_t)arena) / GRAIN] == FREED;
}
