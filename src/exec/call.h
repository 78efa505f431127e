/* SPDX-License-Identifier: MIT */
/* The inside of calls: see <remuda/call.h>. A pool encodes the arguments when a task is submitted,
 * and runs the function on what was encoded, on whatever worker that is. */
#ifndef RMDI_EXEC_CALL_H
#define RMDI_EXEC_CALL_H

#include "data/bytes.h"
#include "exec/function_parameters.h"

#include <remuda/call.h>
#include <remuda/stop.h>

enum { RMDI_CALL_BOUND = 8, RMDI_CALL_SCRATCH = 560 };

/* It lies on the stack of the thread that runs the body, where calls may be thousands deep in each
 * other: so there is room for a few small arguments, and others take memory. */
struct rmd_call {
    const rmd_function *function;
    const rmdi_parameters *parameters; /* NULL: not checked */
    rmd_args args;
    uint64_t id;
    unsigned attempt;
    bool returned;
    const rmd_stop *stop; /* may be NULL */
    rmdi_buffer *result;
    rmdi_buffer *added;     /* NULL: it may add no tasks */
    uint64_t process;       /* rmdi_process_mark() of who runs it, if its result is lent */
    rmd_value *bound_owned; /* memory, when there is no room in bound */
    rmd_value bound[RMDI_CALL_BOUND];
    _Alignas(rmd_value) unsigned char scratch[RMDI_CALL_SCRATCH];
};

/* Adds the arguments to a buffer, as one encoded value: [[values that have a place]] or [[…],
 * {name: value}] (docs/protocol/values.md). Errors: those of rmd_value_encode(), RMD_EINVAL for one
 * that has a place behind one that has a name, RMD_E2BIG for more than 16 MiB; the buffer is as it
 * was then. args may be NULL:
 * none. */
int rmdi_call_encode(rmdi_buffer *out, const rmd_args *args);

/* The parts of decoded arguments, which lend them to *args. RMD_EINVAL: they are none. */
int rmdi_call_parts(const rmd_value *root, rmd_args *args);

/* Runs a function on encoded arguments, which are borrowed. Returns 0, with the encoded result in
 * `result`, whose former content is gone; or a negative code, the function's own or RMD_EINVAL,
 * RMD_E2BIG, RMD_ENOMEM for arguments that are not as they should be, with `result` empty and the
 * thread's detail saying why. In a fork that the body has made, and in which it returns, a result
 * that is lent is left alone: it is the parent's. stop is borrowed, and may be NULL. added gets
 * what it has added (added.h), behind what is there, and only if it succeeds; NULL: it may add
 * nothing. Takes less than 1.5 KiB of the stack besides what the body does. */
int rmdi_call_run(const rmd_function *function, rmd_bytes encoded, uint64_t id, unsigned attempt,
                  const rmd_stop *stop, rmdi_buffer *result, rmdi_buffer *added);

#endif
