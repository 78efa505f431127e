/* SPDX-License-Identifier: MIT */
/* What is bound is a list of bindings, from the innermost outwards, that hangs on the rmdi_self;
 * each lies in the stack frame that made it. A captured context is such a list in one block of
 * memory; it is not written again, so that several threads may walk it at once.
 *
 * Orders. Whoever leaves a captured context releases, and free() acquires: it comes after all that
 * others did with it. How it came to another thread is the program's matter, and orders the
 * rest. */
#include "sync/context.h"

#include "base/alloc.h"
#include "base/error.h"
#include "sync/self.h"

const rmd_binding *rmdi_bindings_now(void)
{
    return rmdi_self_now()->context;
}

const rmd_binding *rmdi_bindings_swap(const rmd_binding *innermost)
{
    rmdi_self *self = rmdi_self_now();
    const rmd_binding *before = self->context;
    self->context = innermost;
    return before;
}

static const rmd_binding *find(const rmd_binding *b, const rmd_context_key *key)
{
    for (; b; b = b->outer) {
        RMD_PLAIN_READS(b, sizeof *b);
        if (b->key == key)
            return b;
    }
    return NULL;
}

void *rmd_context_get(const rmd_context_key *key)
{
    const rmd_binding *b = find(rmdi_bindings_now(), key);
    return b ? b->value : NULL;
}

rmd_binding *rmd_context_bind(rmd_binding *binding, const rmd_context_key *key, void *value)
{
    if (!binding)
        return NULL;
    RMD_PLAIN_WRITES(binding, sizeof *binding);
    *binding = (rmd_binding){ .key = key, .value = value, .outer = rmdi_bindings_now() };
    rmdi_bindings_swap(binding);
    return binding;
}

void rmd_context_unbind(rmd_binding *binding)
{
    if (binding)
        rmdi_bindings_swap(binding->outer);
}

/* ---- captured ---- */

/* Those that are hidden are left out. */
static size_t copy_visible(rmd_binding *to)
{
    size_t n = 0;
    const rmd_binding *innermost = rmdi_bindings_now();
    for (const rmd_binding *b = innermost; b; b = b->outer) {
        if (find(innermost, b->key) != b)
            continue;
        if (to)
            to[n] = (rmd_binding){ .key = b->key, .value = b->value };
        n++;
    }
    return n;
}

int rmd_context_capture(rmd_context **context)
{
    if (!context)
        return rmdi_fail(RMD_EINVAL, "context: no place for it was given");
    size_t n = copy_visible(NULL);
    rmd_context *c = *context = rmdi_alloc_zeroed(sizeof *c + n * sizeof *c->bindings);
    if (!c)
        return rmdi_fail_memory();
    RMD_PLAIN_WRITES(c->bindings, n * sizeof *c->bindings);
    copy_visible(c->bindings);
    for (size_t i = 1; i < n; i++)
        c->bindings[i - 1].outer = &c->bindings[i];
    c->innermost = n ? c->bindings : NULL;
    return 0;
}

int rmd_context_free(rmd_context *context)
{
    if (context && rmd_atomic_load(&context->stays, RMD_ACQUIRE))
        return rmdi_fail(RMD_EBUSY, "a thread works under the context");
    rmdi_free(context);
    return 0;
}

rmd_context_stay *rmd_context_enter(rmd_context_stay *stay, rmd_context *context)
{
    if (!stay)
        return NULL;
    if (context) /* relaxed: whoever frees it at this moment would be wrong in any order */
        rmd_atomic_add(&context->stays, 1, RMD_RELAXED);
    *stay = (rmd_context_stay){ .context = context,
                                .outer = rmdi_bindings_swap(context ? context->innermost : NULL) };
    return stay;
}

void rmd_context_leave(rmd_context_stay *stay)
{
    if (!stay)
        return;
    rmdi_bindings_swap(stay->outer);
    if (stay->context)
        rmd_atomic_sub(&stay->context->stays, 1, RMD_RELEASE);
}
