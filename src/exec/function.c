/* SPDX-License-Identifier: MIT */
/* The table is never changed. Whoever adds makes a new one, of all that is there and what comes,
 * and puts it in place of the one that it was made of, if that is still there: else it looks again.
 * So finding takes no lock and no store, no lock can be held in a process that forks, and what is
 * added is there at once, all of it. Replaced tables stay, as somebody may be looking at them:
 * they are small, and a program adds a few times. */
#include "exec/function.h"

#include "base/alloc.h"
#include "base/error.h"

#include <remuda/atomics.h>

#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128 };

typedef struct entry {
    const rmd_function *function;
    rmdi_parameters *parameters; /* NULL: not checked */
    uint32_t hash;
} entry;

/* What one call has added. */
typedef struct batch {
    size_t count;
    entry entries[];
} batch;

typedef struct table {
    struct table *before;
    batch *added; /* by which this table differs from the one before */
    size_t count, mask;
    entry **slots;  /* mask + 1 of them, at least half NULL; one that is taken goes to the next */
    entry *order[]; /* count of them, and behind them the slots */
} table;

RMD_STATIC rmd_atomic(table *) current;

/* FNV-1a */
static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

/* Acquire: with the table comes all that it points to. */
static table *now(void)
{
    return rmd_atomic_load(&current, RMD_ACQUIRE);
}

static entry **slot_of(const table *t, const char *name, uint32_t hash)
{
    size_t i = hash & t->mask;
    for (const entry *e; (e = RMD_PLAIN(t->slots[i])); i = (i + 1) & t->mask)
        if (e->hash == hash && strcmp(e->function->name, name) == 0)
            break;
    return &t->slots[i];
}

static entry *find(const char *name)
{
    const table *t = now();
    return t && name ? *slot_of(t, name, hash_of(name)) : NULL;
}

const rmd_function *rmd_function_find(const char *name)
{
    const entry *e = find(name);
    return e ? e->function : NULL;
}

const rmdi_parameters *rmdi_function_parameters(const rmd_function *function)
{
    const entry *e = function->parameters ? find(function->name) : NULL;
    return e && e->function == function ? e->parameters : NULL;
}

int rmd_functions_walk(rmd_function_walk_fn *fn, void *ctx)
{
    const table *t = now();
    int result = 0;
    if (!fn)
        return rmdi_fail(RMD_EINVAL, "walk: no function to be called was given");
    for (size_t i = 0; t && i < t->count && result == 0; i++)
        result = fn(t->order[i]->function, ctx);
    return result;
}

/* ---- adding ---- */

static int check_name(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:";
    size_t len = strlen(name);
    if (!len || len > NAME_MAX_BYTES || strspn(name, letters) != len)
        return rmdi_fail(
            RMD_EINVAL,
            "function \"%.150s\": a name has 1 to %d letters, digits, '_', '.', '-', ':'", name,
            NAME_MAX_BYTES);
    return 0;
}

static int read_entry(entry *e, const rmd_function *function)
{
    int err = check_name(function->name);
    if (err < 0)
        return err;
    if (!function->fn)
        return rmdi_fail(RMD_EINVAL, "function \"%s\" has no fn", function->name);
    e->function = function;
    e->hash = hash_of(function->name);
    if (!function->parameters)
        return 0;
    err = rmdi_parameters_parse(&e->parameters, function->parameters);
    return err < 0 ? rmdi_fail(err, "function \"%s\": %s", function->name, rmd_error_detail()) : 0;
}

static void free_batch(batch *b)
{
    for (size_t i = 0; b && i < b->count; i++)
        rmdi_free(b->entries[i].parameters);
    rmdi_free(b);
}

static int read_batch(batch **read, const rmd_function *functions)
{
    size_t count = 0;
    while (functions[count].name)
        count++;
    batch *b = rmdi_alloc_zeroed(sizeof *b + count * sizeof b->entries[0]);
    if (!b)
        return rmdi_fail_memory();
    b->count = count;
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++)
        err = read_entry(&b->entries[i], &functions[i]);
    if (err < 0)
        free_batch(b);
    else
        *read = b;
    return err;
}

/* False: the name is taken. */
static bool insert(table *t, entry *e)
{
    entry **slot = slot_of(t, e->function->name, e->hash);
    if (*slot)
        return false;
    RMD_PLAIN_SET(*slot, e);
    t->order[t->count++] = e;
    return true;
}

static table *new_table(size_t count)
{
    size_t slots = 8;
    while (slots < 2 * count)
        slots *= 2;
    table *t = rmdi_alloc_zeroed(sizeof *t + (count + slots) * sizeof(entry *));
    if (!t)
        return NULL;
    t->slots = t->order + count;
    t->mask = slots - 1;
    return t;
}

static int make_table(table **made, table *before, batch *added)
{
    size_t count = before ? before->count : 0;
    table *t = new_table(count + added->count);
    if (!t)
        return rmdi_fail_memory();
    t->before = before;
    t->added = added;
    for (size_t i = 0; i < count; i++)
        (void)insert(t, before->order[i]);
    for (size_t i = 0; i < added->count; i++) {
        if (!insert(t, &added->entries[i])) {
            rmdi_free(t);
            return rmdi_fail(RMD_EINVAL, "function \"%s\": there is one of that name",
                             added->entries[i].function->name);
        }
    }
    *made = t;
    return 0;
}

static int publish(batch *added)
{
    table *before = now();
    for (;;) {
        table *t;
        int err = make_table(&t, before, added);
        if (err < 0)
            return err;
        /* Release: whoever finds the table finds it whole. Acquire: it is made of another one. */
        if (rmd_atomic_cas(&current, &before, t, RMD_ACQ_REL, RMD_ACQUIRE))
            return 0;
        rmdi_free(t);
    }
}

int rmd_functions_add(const rmd_function *functions)
{
    batch *added = NULL;
    if (!functions)
        return rmdi_fail(RMD_EINVAL, "no functions were given");
    int err = read_batch(&added, functions);
    if (err < 0)
        return err;
    err = publish(added);
    if (err < 0)
        free_batch(added);
    return err;
}

void rmdi_functions_forget(void)
{
    table *t = rmd_atomic_exchange(&current, NULL, RMD_ACQ_REL);
    while (t) {
        table *before = t->before;
        free_batch(t->added);
        rmdi_free(t);
        t = before;
    }
}
