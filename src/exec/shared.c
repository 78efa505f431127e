/* SPDX-License-Identifier: MIT */
/* Which parts are taken is known to the owner only, in memory of its own: a list in the order of
 * their places. A part is named by the number of its memory, its place and its length; every
 * process keeps a list of the memories that it shares, under their numbers. */
#include "exec/shared.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "port/fd.h"
#include "port/forked.h"
#include "port/memory.h"
#include "sync/lock.h"

#include <string.h>

enum { LINE = 64 };

typedef struct part {
    struct part *next;
    size_t at, len, bytes; /* bytes: whole lines */
} part;

struct rmd_shared {
    rmd_shared *next; /* in `all` */
    uint64_t id;
    uint64_t process; /* rmdi_process_mark() of who has opened it; 0: adopted */
    unsigned char *base;
    size_t bytes;
    int fd;
    /* guarded by the lock: */
    part *parts;
    unsigned holders;
};

/* What a part is called, among processes of one machine. */
typedef struct part_name {
    uint64_t id, at, len;
} part_name;

_Static_assert(sizeof(part_name) <= sizeof(((rmd_shared_part *)0)->name), "room for a name");

/* Of this process, and of all its memories: nothing here takes long. */
static rmdi_lock lock;
static rmd_shared *all; /* guarded by it */

static void enlist(rmd_shared *shared)
{
    rmdi_lock_enter(&lock);
    shared->next = all;
    all = shared;
    rmdi_lock_release(&lock);
}

/* With the lock held. */
static rmd_shared *find(uint64_t id)
{
    rmd_shared *shared = all;
    while (shared && shared->id != id)
        shared = shared->next;
    return shared;
}

static int map(rmd_shared *shared)
{
    void *base;
    int err = rmdi_memory_map(shared->fd, shared->bytes, false, &base);
    if (err)
        return rmdi_fail_errno(err, "shared memory of %zu bytes", shared->bytes);
    shared->base = base;
    return 0;
}

static int open_memory(rmd_shared *shared)
{
    int err = rmdi_memory_open("remuda-shared", shared->bytes, &shared->fd);
    if (err)
        return rmdi_fail_errno(err, "shared memory of %zu bytes", shared->bytes);
    err = map(shared);
    if (err < 0)
        rmdi_fd_close(&shared->fd);
    return err;
}

static size_t whole_lines(size_t bytes)
{
    return (bytes + LINE - 1) & ~(size_t)(LINE - 1);
}

int rmd_shared_open(rmd_shared **out, size_t bytes_max)
{
    if (!out || !bytes_max || bytes_max > PTRDIFF_MAX - LINE)
        return rmdi_fail(RMD_EINVAL, "shared memory: a place for it and a size must be given");
    rmd_shared *shared = rmdi_alloc_zeroed(sizeof *shared);
    if (!shared)
        return rmdi_fail_memory();
    shared->id = rmdi_random();
    shared->process = rmdi_process_mark();
    shared->bytes = whole_lines(bytes_max); /* so that all of it can be taken */
    int err = shared->process ? open_memory(shared) : rmdi_fail_memory();
    if (err < 0) {
        rmdi_free(shared);
        return err;
    }
    enlist(shared);
    *out = shared;
    return 0;
}

int rmdi_shared_adopt(int fd, size_t bytes, uint64_t id)
{
    rmd_shared *shared = rmdi_alloc_zeroed(sizeof *shared);
    if (!shared)
        return rmdi_fail_memory();
    *shared = (rmd_shared){ .id = id, .bytes = bytes, .fd = fd };
    int err = map(shared);
    rmdi_fd_close(&shared->fd); /* or each program that a task executes would have it */
    if (err < 0) {
        rmdi_free(shared);
        return err;
    }
    enlist(shared);
    return 0;
}

static void free_memory(rmd_shared *shared)
{
    for (part *p; (p = shared->parts);) {
        shared->parts = p->next;
        rmdi_free(p);
    }
    rmdi_memory_unmap(shared->base, shared->bytes);
    rmdi_fd_close(&shared->fd);
    rmdi_free(shared);
}

int rmd_shared_free(rmd_shared *shared)
{
    if (!shared)
        return 0;
    rmdi_lock_enter(&lock);
    bool held = shared->holders && rmdi_process_is(shared->process);
    for (rmd_shared **at = &all; !held && *at; at = &(*at)->next)
        if (*at == shared) {
            *at = shared->next;
            break;
        }
    rmdi_lock_release(&lock);
    if (held)
        return rmdi_fail(RMD_EBUSY, "shared memory: a pool still has it");
    free_memory(shared);
    return 0;
}

static int check_process(const rmd_shared *shared)
{
    if (rmdi_process_is(shared->process))
        return 0;
    return rmdi_fail(RMD_EFORKED, "the shared memory belongs to the process that opened it");
}

int rmdi_shared_hold(rmd_shared *shared)
{
    int err = shared ? check_process(shared) : 0;
    if (!shared || err < 0)
        return err;
    rmdi_lock_enter(&lock);
    shared->holders++;
    rmdi_lock_release(&lock);
    return 0;
}

void rmdi_shared_drop(rmd_shared *shared)
{
    if (!shared)
        return;
    rmdi_lock_enter(&lock);
    shared->holders--;
    rmdi_lock_release(&lock);
}

int rmdi_shared_fd(const rmd_shared *shared)
{
    return shared->fd;
}

size_t rmdi_shared_bytes(const rmd_shared *shared)
{
    return shared->bytes;
}

uint64_t rmdi_shared_id(const rmd_shared *shared)
{
    return shared->id;
}

/* ---- parts ---- */

static void fill(rmd_shared_part *out, const rmd_shared *shared, size_t at, size_t len)
{
    part_name name = { shared->id, at, len };
    *out = (rmd_shared_part){ .data = shared->base + at, .len = len };
    memcpy(out->name, &name, sizeof name);
}

/* With the lock held: the first gap that is large enough; *at is where the new part is to be linked
 * in. False: there is none. */
static bool find_gap(rmd_shared *shared, size_t bytes, size_t *place, part ***link)
{
    size_t from = 0;
    part **at = &shared->parts;
    for (; *at; at = &(*at)->next) {
        if ((*at)->at - from >= bytes)
            break;
        from = (*at)->at + (*at)->bytes;
    }
    *place = from;
    *link = at;
    return *at || shared->bytes - from >= bytes;
}

int rmd_shared_take(rmd_shared *shared, size_t bytes, rmd_shared_part *out)
{
    if (!shared || !bytes || !out)
        return rmdi_fail(RMD_EINVAL,
                         "shared memory: a size and a place for the part must be given");
    int err = check_process(shared);
    if (err < 0)
        return err;
    part *new = rmdi_alloc(sizeof *new), **link;
    size_t place, whole = bytes <= PTRDIFF_MAX ? whole_lines(bytes) : bytes;
    if (!new)
        return rmdi_fail_memory();
    rmdi_lock_enter(&lock);
    bool found = find_gap(shared, whole, &place, &link);
    if (found) {
        *new = (part){ *link, place, bytes, whole };
        *link = new;
    }
    rmdi_lock_release(&lock);
    if (!found) {
        rmdi_free(new);
        return rmdi_fail(RMD_EFULL, "shared memory: of its %zu bytes no %zu in a row are free",
                         shared->bytes, bytes);
    }
    fill(out, shared, place, bytes);
    return 0;
}

int rmd_shared_give(rmd_shared *shared, const rmd_shared_part *gone)
{
    part *found = NULL;
    if (!gone)
        return 0;
    if (!shared)
        return rmdi_fail(RMD_EINVAL, "shared memory: none was given");
    int err = check_process(shared);
    if (err < 0)
        return err;
    rmdi_lock_enter(&lock);
    uintptr_t place = (uintptr_t)gone->data - (uintptr_t)shared->base;
    part **at = &shared->parts;
    while (*at && (*at)->at != place)
        at = &(*at)->next;
    if (*at && (*at)->len == gone->len) { /* else it is a slice, and others use the rest */
        found = *at;
        *at = found->next;
    }
    rmdi_lock_release(&lock);
    rmdi_free(found);
    return found
               ? 0
               : rmdi_fail(RMD_ENOENT, "shared memory: no part begins there, and has that length");
}

int rmd_shared_slice(const rmd_shared_part *whole, size_t offset, size_t len,
                     rmd_shared_part *slice)
{
    part_name name;
    if (!whole || !slice || offset > whole->len || len > whole->len - offset)
        return rmdi_fail(RMD_EINVAL, "shared memory: a slice that is not within its part");
    memcpy(&name, whole->name, sizeof name);
    name.at += offset;
    name.len = len;
    *slice = (rmd_shared_part){ .data = (char *)whole->data + offset, .len = len };
    memcpy(slice->name, &name, sizeof name);
    return 0;
}

rmd_value rmd_shared_value(rmd_shared_part *named)
{
    named->content = rmd_bytes_value((rmd_bytes){ (char *)named->name, sizeof(part_name) });
    return rmd_reference(&named->content);
}

/* ---- in a body ---- */

static int resolve(const rmd_value *value, void **data, size_t *len)
{
    part_name name;
    const rmd_value *content = value->type == RMD_TYPE_REFERENCE ? value->as.content : NULL;
    if (!content || content->type != RMD_TYPE_BYTES || content->as.bytes.len != sizeof name)
        return rmdi_fail(RMD_EINVAL, "%s is no part of shared memory", rmd_type_name(value->type));
    memcpy(&name, content->as.bytes.data, sizeof name);
    rmdi_lock_enter(&lock);
    const rmd_shared *shared = find(name.id);
    bool within = shared && name.at <= shared->bytes && name.len <= shared->bytes - name.at;
    if (within) {
        *data = shared->base + name.at;
        *len = name.len;
    }
    rmdi_lock_release(&lock);
    return within ? 0
                  : rmdi_fail(RMD_ENOENT, "it names shared memory that this process has not: give "
                                          "it to the pool (rmd_pool_options.shared)");
}

int rmd_call_shared(rmd_call *call, size_t index, void **data, size_t *len)
{
    const rmd_value *value;
    char cause[RMDI_ERROR_DETAIL_MAX];
    if (!data || !len)
        return rmdi_fail(RMD_EINVAL, "%s: places for a part and its length must be given",
                         rmd_call_name(call));
    int err = rmd_call_get(call, index, &value);
    if (err < 0)
        return err;
    err = resolve(value, data, len);
    if (err == 0)
        return 0;
    strcpy(cause, rmd_error_detail());
    return rmdi_fail(err, "%s: argument %zu: %s", rmd_call_name(call), index + 1, cause);
}
