/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static void *libc_allocate(void *ctx, size_t bytes)
{
    (void)ctx;
    return malloc(bytes);
}

static void *libc_reallocate(void *ctx, void *p, size_t bytes)
{
    (void)ctx;
    return realloc(p, bytes);
}

static void libc_release(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

static const rmd_allocator libc_allocator = {
    .size = sizeof(rmd_allocator),
    .allocate = libc_allocate,
    .reallocate = libc_reallocate,
    .release = libc_release,
};

/* Set before threads exist (see the header), so it needs no lock. */
static rmd_allocator allocator = {
    .size = sizeof(rmd_allocator),
    .allocate = libc_allocate,
    .reallocate = libc_reallocate,
    .release = libc_release,
};

int rmd_set_allocator(const rmd_allocator *wanted)
{
    if (!wanted)
        wanted = &libc_allocator;
    if (wanted->size != sizeof *wanted)
        return rmdi_fail(RMD_EINVAL, "allocator: size is %zu, not %zu", wanted->size,
                         sizeof *wanted);
    if (!wanted->allocate || !wanted->reallocate || !wanted->release)
        return rmdi_fail(RMD_EINVAL, "allocator: a function is missing");
    allocator = *wanted;
    return 0;
}

void *rmdi_alloc(size_t bytes)
{
    return allocator.allocate(allocator.ctx, bytes ? bytes : 1);
}

void *rmdi_alloc_zeroed(size_t bytes)
{
    void *p = rmdi_alloc(bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void *rmdi_realloc(void *p, size_t bytes)
{
    return allocator.reallocate(allocator.ctx, p, bytes ? bytes : 1);
}

void rmdi_free(void *p)
{
    if (p)
        allocator.release(allocator.ctx, p);
}

void *rmdi_memdup(const void *data, size_t bytes)
{
    void *p = rmdi_alloc(bytes);
    if (p && bytes)
        memcpy(p, data, bytes);
    return p;
}

char *rmdi_strdup(const char *text)
{
    return rmdi_memdup(text, strlen(text) + 1);
}

int rmdi_array_reserve(void **array, size_t *capacity, size_t used, size_t element)
{
    if (used < *capacity)
        return 0;
    size_t wanted = *capacity ? *capacity * 2 : 8, bytes;
    if (wanted < *capacity || __builtin_mul_overflow(wanted, element, &bytes))
        return rmdi_fail_memory();
    void *grown = rmdi_realloc(*array, bytes);
    if (!grown)
        return rmdi_fail_memory();
    *array = grown;
    *capacity = wanted;
    return 0;
}
