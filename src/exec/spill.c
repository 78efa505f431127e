/* SPDX-License-Identifier: MIT */
#include "exec/spill.h"

#include "base/alloc.h"
#include "base/error.h"
#include "port/fd.h"

struct rmdi_spill {
    rmd_atomic(uint32_t) refs;
    rmd_atomic(size_t) memory_left;
    char *dir;
    rmdi_lock lock; /* guards what follows; the disk is read and written outside it */
    int fd;
    uint32_t blocks; /* in the file */
    uint32_t *free;  /* a stack of those that nobody uses; room for all of them */
    size_t free_used, free_capacity;
};

int rmdi_spill_open(rmdi_spill **spill, const char *dir, size_t memory_max)
{
    rmdi_spill *s = rmdi_alloc_zeroed(sizeof *s);
    char *copy = s ? rmdi_strdup(dir) : NULL;
    if (!copy) {
        rmdi_free(s);
        return rmdi_fail_memory();
    }
    s->dir = copy;
    s->fd = -1;
    rmd_atomic_init(&s->refs, 1);
    rmd_atomic_init(&s->memory_left, memory_max);
    *spill = s;
    return 0;
}

void rmdi_spill_hold(rmdi_spill *spill)
{
    rmd_atomic_add(&spill->refs, 1, RMD_RELAXED); /* the caller holds one already */
}

void rmdi_spill_drop(rmdi_spill *spill)
{
    /* Release what we did to it; acquire what the others did before it is torn down. */
    if (rmd_atomic_sub(&spill->refs, 1, RMD_ACQ_REL) != 1)
        return;
    rmdi_fd_close(&spill->fd);
    rmdi_free(spill->free);
    rmdi_free(spill->dir);
    rmdi_free(spill);
}

bool rmdi_spill_take_memory(rmdi_spill *spill, size_t bytes)
{
    /* Only a budget: nothing else is ordered by it. */
    size_t left = rmd_atomic_load(&spill->memory_left, RMD_RELAXED);
    while (left >= bytes)
        if (rmd_atomic_cas(&spill->memory_left, &left, left - bytes, RMD_RELAXED, RMD_RELAXED))
            return true;
    return false;
}

void rmdi_spill_give_memory(rmdi_spill *spill, size_t bytes)
{
    rmd_atomic_add(&spill->memory_left, bytes, RMD_RELAXED);
}

/* Under the lock. */
static int take_block(rmdi_spill *spill, uint32_t *block)
{
    if (spill->fd < 0) {
        int err = rmdi_fd_temporary(spill->dir, &spill->fd);
        if (err)
            return rmdi_fail_errno(err, "a temporary file for output in %s", spill->dir);
    }
    if (spill->free_used) {
        *block = spill->free[--spill->free_used];
        return 0;
    }
    /* Room on the stack for every block there is, so that giving back cannot fail. */
    void *stack = spill->free;
    int err = rmdi_array_reserve(&stack, &spill->free_capacity, spill->blocks, sizeof *spill->free);
    spill->free = stack;
    if (err == 0)
        *block = spill->blocks++;
    return err;
}

/* The blocks that nobody uses still take space on the disk, until it is short. */
static bool give_space_back(rmdi_spill *spill)
{
    bool some = false;
    rmdi_lock_enter(&spill->lock);
    for (size_t i = 0; i < spill->free_used; i++)
        some |= rmdi_fd_punch(spill->fd, (uint64_t)spill->free[i] * RMDI_SPILL_BLOCK,
                              RMDI_SPILL_BLOCK) == 0;
    rmdi_lock_release(&spill->lock);
    return some;
}

int rmdi_spill_write(rmdi_spill *spill, uint32_t block, size_t offset, const void *data, size_t len)
{
    uint64_t at = (uint64_t)block * RMDI_SPILL_BLOCK + offset;
    int err = rmdi_fd_write_at(spill->fd, data, len, at);
    if (err && rmdi_error_from_errno(err) == RMD_ENOSPC && give_space_back(spill))
        err = rmdi_fd_write_at(spill->fd, data, len, at);
    return err ? rmdi_fail_errno(err, "output of %zu bytes to a temporary file in %s", len,
                                 spill->dir)
               : 0;
}

int rmdi_spill_put(rmdi_spill *spill, const void *data, size_t len, uint32_t *block)
{
    rmdi_lock_enter(&spill->lock);
    int err = take_block(spill, block);
    rmdi_lock_release(&spill->lock);
    if (err < 0)
        return err;
    err = rmdi_spill_write(spill, *block, 0, data, len);
    if (err < 0)
        rmdi_spill_free_block(spill, *block);
    return err;
}

int rmdi_spill_get(rmdi_spill *spill, uint32_t block, size_t offset, void *data, size_t len)
{
    int err = rmdi_fd_read_at(spill->fd, data, len, (uint64_t)block * RMDI_SPILL_BLOCK + offset);
    return err ? rmdi_fail_errno(err, "reading output back from %s", spill->dir) : 0;
}

void rmdi_spill_free_block(rmdi_spill *spill, uint32_t block)
{
    rmdi_lock_enter(&spill->lock);
    spill->free[spill->free_used++] = block;
    rmdi_lock_release(&spill->lock);
}
