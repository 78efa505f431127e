/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Context: values that belong to the work, and not to the thread that happens to do it.
 *
 *     static const rmd_context_key debug = { "debug" };      its address is the key
 *
 *     RMD_WITH_CONTEXT(&debug, logger) {                      for this block, and all it calls
 *         handle(request);
 *     }
 *
 *     logger *l = rmd_context_get(&debug);                    deep inside: logger, or NULL
 *
 * A binding holds for the block and ends with it, whichever way it is left: by break (which leaves
 * the block only, as does continue), return or goto; but not by longjmp(), and not by the end of
 * the thread. An inner one hides an outer one of the same key. Nothing is allocated, and nothing
 * can fail: the binding lies in the block.
 *
 * Work that goes to another thread takes its context along:
 *
 *     err = rmd_context_capture(&context);                    what is bound here, now
 *
 *     RMD_WITH_CONTEXT_OF(context) {                          another thread
 *         ...
 *     }
 *     err = rmd_context_free(context);
 *
 * There it takes the place of what is bound on that thread, all of it, until the end of the block:
 * what a worker has bound for itself is not seen by the work. rmd_executor_call() and
 * rmd_executor_post() do this by themselves (executor.h).
 *
 * Bindings belong to the calling thread. Any thread may call any of these. */
#ifndef REMUDA_CONTEXT_H
#define REMUDA_CONTEXT_H

#include <remuda/api.h>

RMD_BEGIN

typedef struct rmd_context_key {
    const char *name; /* for people; not compared */
} rmd_context_key;

/* In a block of RMD_WITH_CONTEXT. The members are Remuda's. */
typedef struct rmd_binding {
    const rmd_context_key *key;
    void *value;
    const struct rmd_binding *outer;
} rmd_binding;

/* The value of the innermost binding of key, or NULL: there is none, or it is NULL that is bound,
 * which hides the outer ones. Walks a list as long as bindings are nested. Never blocks. */
RMD_API void *rmd_context_get(const rmd_context_key *key);

/* For the block that follows: key, which is borrowed for so long, has value, which is borrowed. */
#define RMD_WITH_CONTEXT(key, value) RMDI_WITH_CONTEXT(key, value, __COUNTER__)

/* For languages without such blocks: the same, with *binding, which is borrowed until it is
 * unbound. Unbind on the same thread, the last one first; one that is not the last ends those in
 * it, too. Returns binding. */
RMD_API rmd_binding *rmd_context_bind(rmd_binding *binding, const rmd_context_key *key,
                                      void *value);
RMD_API void rmd_context_unbind(rmd_binding *binding);

/* ---- for work that goes elsewhere ---- */

typedef struct rmd_context rmd_context;

/* What is bound on the calling thread, copied; keys and values are borrowed: they must live until
 * it was used last. Errors: RMD_ENOMEM, RMD_EINVAL. Never blocks. */
RMD_API int rmd_context_capture(rmd_context **context) RMD_NODISCARD;

/* Frees it. Errors: RMD_EBUSY while a thread is in a block of it. NULL is fine. Never blocks. */
RMD_API int rmd_context_free(rmd_context *context);

/* For the block that follows: what is bound is that of context, borrowed, and no more; NULL:
 * nothing is bound. Also for several threads at once. */
#define RMD_WITH_CONTEXT_OF(context) RMDI_WITH_CONTEXT_OF(context, __COUNTER__)

/* In a block of RMD_WITH_CONTEXT_OF. The members are Remuda's. */
typedef struct rmd_context_stay {
    rmd_context *context;
    const rmd_binding *outer;
} rmd_context_stay;

/* For languages without such blocks: the same, with *stay, which is borrowed until leave. Leave on
 * the same thread, the last one first. Returns stay. */
RMD_API rmd_context_stay *rmd_context_enter(rmd_context_stay *stay, rmd_context *context);
RMD_API void rmd_context_leave(rmd_context_stay *stay);

/* ---- the inside of the macros ---- */

#define RMDI_CONTEXT_NAME_(name, n) name##n
#define RMDI_CONTEXT_NAME(name, n)  RMDI_CONTEXT_NAME_(name, n)
#define RMDI_CONTEXT_CLEANUP(fn)    __attribute__((cleanup(fn)))

/* A loop of one round; leaving it in any way leaves the scope of the binding. n is a number of its
 * own for each use, also on one line: blocks within blocks shadow nothing. */
#define RMDI_WITH_CONTEXT(key_, value_, n)                                             \
    for (rmd_binding RMDI_CONTEXT_NAME(rmdi_binding_, n)                               \
             RMDI_CONTEXT_CLEANUP(rmd_context_unbind) = { NULL, NULL, NULL },          \
             *RMDI_CONTEXT_NAME(rmdi_bound_, n) =                                      \
                 rmd_context_bind(&RMDI_CONTEXT_NAME(rmdi_binding_, n), key_, value_); \
         RMDI_CONTEXT_NAME(rmdi_bound_, n); RMDI_CONTEXT_NAME(rmdi_bound_, n) = NULL)

#define RMDI_WITH_CONTEXT_OF(context_, n)                                        \
    for (rmd_context_stay RMDI_CONTEXT_NAME(rmdi_stay_, n)                       \
             RMDI_CONTEXT_CLEANUP(rmd_context_leave) = { NULL, NULL },           \
             *RMDI_CONTEXT_NAME(rmdi_stays_, n) =                                \
                 rmd_context_enter(&RMDI_CONTEXT_NAME(rmdi_stay_, n), context_); \
         RMDI_CONTEXT_NAME(rmdi_stays_, n); RMDI_CONTEXT_NAME(rmdi_stays_, n) = NULL)

RMD_END

#endif
