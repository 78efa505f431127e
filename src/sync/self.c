/* SPDX-License-Identifier: MIT */
/* A thread that is not ours has no rmdi_self, and there is nobody to free one when it ends. All it
 * may need is a stop token, so the token's address itself, plus one, is its thread-local pointer.
 */
#include "sync/self.h"

#include "base/local.h"

enum { TOKEN_ONLY = 1 };

static rmdi_self *of_pointer(void *local)
{
    return (uintptr_t)local & TOKEN_ONLY ? NULL : local;
}

static rmd_stop *token_of_pointer(void *local)
{
    rmdi_self *self = of_pointer(local);
    if (self)
        return self->stop;
    return local ? (rmd_stop *)((uintptr_t)local - TOKEN_ONLY) : NULL;
}

void *rmdi_self_swap(void *self)
{
    void **local = rmdi_local(), *before = *local;
    *local = self;
    return before;
}

struct rmdi_sleeper *rmdi_self_sleeper(void)
{
    rmdi_self *self = of_pointer(*rmdi_local());
    return self ? self->sleeper : NULL;
}

rmd_stop *rmdi_self_stop(void)
{
    return token_of_pointer(*rmdi_local());
}

rmd_thread *rmdi_self_thread(void)
{
    rmdi_self *self = of_pointer(*rmdi_local());
    return self ? self->thread : NULL;
}

rmd_stop *rmd_stop_set(rmd_stop *stop)
{
    void **local = rmdi_local();
    rmd_stop *before = token_of_pointer(*local);
    rmdi_self *self = of_pointer(*local);
    if (self)
        self->stop = stop;
    else
        *local = stop ? (void *)((uintptr_t)stop + TOKEN_ONLY) : NULL;
    return before;
}
