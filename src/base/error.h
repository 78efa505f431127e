/* SPDX-License-Identifier: MIT */
/* Telling what went wrong: the inside of <remuda/error.h>. */
#ifndef RMDI_BASE_ERROR_H
#define RMDI_BASE_ERROR_H

#include "port/shared.h"

#include <remuda/error.h>

#include <stdarg.h>

/* Sets the thread's detail text (cut at RMDI_ERROR_DETAIL_MAX) and returns code,
 * so that a failing function ends in `return rmdi_fail(RMD_EINVAL, "...", ...)`. */
RMDI_SHARED int rmdi_fail(int code, const char *format, ...) RMD_PRINTF(2, 3);

/* Inside of rmd_fail() and its like: a code that is not negative becomes RMD_EINVAL. */
int rmdi_fail_args(int code, const char *format, va_list args) RMD_PRINTF(2, 0);

/* The same for a failed system call: code from the errno value, detail "<text>:
 * <the system's sentence>". errno_value is given, not read, because formatting
 * between the failure and here could change errno. */
RMDI_SHARED int rmdi_fail_errno(int errno_value, const char *format, ...) RMD_PRINTF(2, 3);

/* The code for an errno value, without touching the detail; RMD_EIO for the many
 * that nobody tells apart. */
int rmdi_error_from_errno(int errno_value);

/* Out of memory, always with the same detail: formatting needs none. */
RMDI_SHARED int rmdi_fail_memory(void);

/* Restores a detail text kept elsewhere (a task's error, shown to its waiter). */
int rmdi_fail_copy(int code, const char *detail);

/* Nothing is said so far: for who will ask what was. */
void rmdi_fail_clear(void);

enum { RMDI_ERROR_DETAIL_MAX = 512 };

/* Lets the thread's detail text lie in a buffer of RMDI_ERROR_DETAIL_MAX bytes, which is borrowed;
 * NULL: in the thread's own. Returns where it lay, to be given back. For whoever runs several
 * contexts on one thread. */
char *rmdi_error_swap(char *buffer);

#endif
