/* SPDX-License-Identifier: MIT */
/* floor: data */
/* The arguments of a call.
 *
 *     rmd_pool_call(pool, &future, "power", RMD_ARGS(2, 100), NULL);
 *     rmd_pool_call(pool, &future, "parse", RMD_ARGS("ff", RMD_NAMED("base", 16)), NULL);
 *     rmd_pool_call(pool, &future, "ping", RMD_ARGS(), NULL);
 *
 * What RMD_ARGS makes is valid to the end of the block in which it stands (in C++: of the full
 * expression), and borrows as values do (value.h). */
#ifndef REMUDA_ARGS_H
#define REMUDA_ARGS_H

#include <remuda/api.h>
#include <remuda/value.h>

RMD_BEGIN

/* Values that have a place, and values that have a name. Zeroed is no arguments. Borrows both. What
 * has a name may also stand in `values`, behind all that have a place, with the type NAMED: so
 * RMD_ARGS makes it. */
typedef struct rmd_args {
    const rmd_value *values;
    size_t count;
    const rmd_pair *named; /* keys are texts, each once */
    size_t named_count;
} rmd_args;

/* An argument with a name, on its way into RMD_ARGS. */
typedef struct rmd_named {
    const rmd_pair *pair;
} rmd_named;

static inline rmd_value rmdi_value_named(rmd_named x)
{
    rmd_value v = rmd_map_value(x.pair, 1);
    v.type = RMD_TYPE_NAMED;
    return v;
}

static inline rmd_args rmdi_args(const rmd_value *values, size_t count)
{
    rmd_args args;
    args.values = values;
    args.count = count;
    args.named = NULL;
    args.named_count = 0;
    return args;
}

RMD_END

#ifdef __cplusplus

#define RMD_ARGS(...)          rmdi_cxx_args(__VA_ARGS__)
#define RMD_NAMED(name, value) rmdi_cxx_named(rmdi_pair(rmd_text(name), RMD_VALUE(value)))

/* Its own pair, so that it lives as long as the full expression. */
struct rmdi_cxx_named {
    rmd_pair pair;
    explicit rmdi_cxx_named(rmd_pair p) : pair(p) {}
};

static inline rmd_value rmd_value_of(const rmdi_cxx_named &x)
{
    rmd_named named = { &x.pair };
    return rmdi_value_named(named);
}

template <size_t N> struct rmdi_cxx_array {
    rmd_value values[N + 1];
    operator rmd_args() const
    {
        return rmdi_args(values, N);
    }
};

template <class... T> static inline rmdi_cxx_array<sizeof...(T)> rmdi_cxx_args(const T &...x)
{
    return rmdi_cxx_array<sizeof...(T)>{ { rmd_value_of(x)..., rmd_null() } };
}

#else

/* Up to 16 arguments, each whatever RMD_VALUE takes; those with a name stand last. */
#define RMD_ARGS(...)                                                             \
    rmdi_args((const rmd_value[]){ RMDI_EACH(RMDI_ARG, __VA_ARGS__) rmd_null() }, \
              RMDI_COUNT(__VA_ARGS__))
#define RMDI_ARG(x) _Generic((x), rmd_named : rmdi_value_named, RMDI_VALUE_KINDS)(x)

#define RMD_NAMED(name, value) \
    ((rmd_named){ (const rmd_pair[]){ { RMD_VALUE(name), RMD_VALUE(value) } } })

#endif

#endif
