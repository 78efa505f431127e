/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* A call: what the body of a function gets (function.h).
 *
 *     static int power(rmd_call *call)                    .parameters = "base:int, exponent:int="
 *     {
 *         int64_t base;
 *         int exponent = 2;
 *         if (rmd_call_get(call, 0, &base) < 0)
 *             return rmd_call_fail(call, RMD_EINVAL, "power takes a number");
 *         if (rmd_call_has(call, 1) && rmd_call_get(call, 1, &exponent) < 0)
 *             return RMD_EINVAL;
 *         ...
 *         return rmd_call_return(call, product);
 *     }
 *
 * A call and its arguments are borrowed by the body, until it returns. They belong to the thread on
 * which it runs; only rmd_call_cancelled() may be asked by others that the body has started, and
 * has waited for. Nothing here blocks. */
#ifndef REMUDA_CALL_H
#define REMUDA_CALL_H

#include <remuda/api.h>
#include <remuda/args.h>
#include <remuda/function.h>
#include <remuda/value.h>

RMD_BEGIN

/* How many arguments have a place: up to the last one that was given. */
RMD_API size_t rmd_call_count(const rmd_call *call);

/* Was the argument at this place given? */
RMD_API bool rmd_call_has(const rmd_call *call, size_t index);

/* All arguments. */
RMD_API const rmd_args *rmd_call_args(const rmd_call *call);

/* rmd_call_get(call, 0, &x), rmd_call_get_named(call, "base", &x): read an argument, by its place,
 * counted from 0, or by its name, into a variable; see rmd_value_get() for what x may be and what
 * it takes. With parameters, each argument has both. What x then points to is borrowed until the
 * body returns. Errors: those of rmd_value_get(), and RMD_ENOENT when it was not given; the detail
 * names function and argument. x is changed only on success. */
#define rmd_call_get(call, index, to)      rmd_call_read((call), (index), RMD_WANTED(to), (to))
#define rmd_call_get_named(call, name, to) rmd_call_read_named((call), (name), RMD_WANTED(to), (to))

/* The functions behind them: `to` points to a variable of the wanted type. */
RMD_API int rmd_call_read(rmd_call *call, size_t index, rmd_wanted wanted, void *to);
RMD_API int rmd_call_read_named(rmd_call *call, const char *name, rmd_wanted wanted, void *to);

/* rmd_call_return(call, x): gives the result, which is encoded at once, so that x may be the
 * body's own; x is whatever RMD_VALUE takes. Again: the last one counts. Returns 0, or an error for
 * the body to return: RMD_EINVAL, RMD_E2BIG (see rmd_value_encode; also for more than 16 MiB),
 * RMD_ENOMEM; there is no result then. More values, with those inside others, than
 * rmd_value_decode() takes are found when the body has returned: the task fails with RMD_E2BIG. */
#define rmd_call_return(call, x) rmd_call_return_value((call), RMD_VALUE(x))
RMD_API int rmd_call_return_value(rmd_call *call, rmd_value value);

/* rmd_call_add(call, "visit", RMD_ARGS(path)): adds a task to the map (map.h) that this one belongs
 * to: a call of a function, with arguments that are encoded at once. It counts, and begins, when
 * this task has ended OK; if that fails, is cancelled or lost, it has added nothing, so that when
 * it is tried again nothing is there twice. Returns 0, or an error, with nothing added: RMD_ENOTSUP
 * (this task is none of a map), RMD_ENOENT (no such function), RMD_EINVAL (arguments that cannot be
 * encoded), RMD_E2BIG (result, and what is added, have more than 16 MiB in all), RMD_ENOMEM. */
RMD_API int rmd_call_add(rmd_call *call, const char *function, rmd_args args) RMD_NODISCARD;

/* Says why it fails, and returns code for the body to return. code is negative, else RMD_EINVAL is
 * taken for it. */
RMD_API int rmd_call_fail(rmd_call *call, int code, const char *format, ...) RMD_PRINTF(3, 4);

/* The id of the task, and which attempt this is, from 1. */
RMD_API uint64_t rmd_call_id(const rmd_call *call);
RMD_API unsigned rmd_call_attempt(const rmd_call *call);

/* The name of the function. */
RMD_API const char *rmd_call_name(const rmd_call *call);

/* Shall it give up? For loops that do not wait for anything. One load. */
RMD_API bool rmd_call_cancelled(const rmd_call *call);

RMD_END

#endif
