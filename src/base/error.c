/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A thread's own text, and the pointer through which it is read: whoever runs
 * several contexts on one thread (coroutines) lets the pointer follow them. */
static _Thread_local char own_detail[RMDI_ERROR_DETAIL_MAX];
static _Thread_local char *current_detail;

/* Never inlined, so that no compiler keeps the address over a switch of context. */
static __attribute__((noinline)) char *detail_buffer(void)
{
    if (!current_detail)
        current_detail = own_detail;
    return current_detail;
}

/* Not inlined for the same reason. */
__attribute__((noinline)) char *rmdi_error_swap(char *buffer)
{
    char *before = detail_buffer();
    current_detail = buffer ? buffer : own_detail;
    return before;
}

const char *rmd_error_detail(void)
{
    return detail_buffer();
}

const char *rmd_strerror(int code)
{
    switch (code) {
    case 0: return "success";
#define SENTENCE(name, number, sentence) \
    case name: return sentence;
        RMD_ERRORS(SENTENCE)
#undef SENTENCE
    default: return code < -1000 ? "an error of the program's own" : "an unknown error code";
    }
}

const char *rmd_error_name(int code)
{
    switch (code) {
    case 0: return "RMD_OK";
#define NAME(name, number, sentence) \
    case name: return #name;
        RMD_ERRORS(NAME)
#undef NAME
    default: return "RMD_E?";
    }
}

static RMD_PRINTF(2, 0) int fail(int code, const char *format, va_list args)
{
    char text[RMDI_ERROR_DETAIL_MAX]; /* the arguments may lie in the old detail */
    vsnprintf(text, sizeof text, format, args);
    return rmdi_fail_copy(code, text);
}

int rmdi_fail(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fail(code, format, args);
    va_end(args);
    return code;
}

int rmdi_fail_args(int code, const char *format, va_list args)
{
    code = code < 0 ? code : RMD_EINVAL;
    return format ? fail(code, format, args) : rmdi_fail_copy(code, "");
}

int rmd_fail(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    code = rmdi_fail_args(code, format, args);
    va_end(args);
    return code;
}

int rmdi_fail_copy(int code, const char *detail)
{
    char *to = detail_buffer();
    if (to != detail)
        snprintf(to, RMDI_ERROR_DETAIL_MAX, "%s", detail);
    return code;
}

void rmdi_fail_clear(void)
{
    *detail_buffer() = 0;
}

int rmdi_fail_memory(void)
{
    return rmdi_fail_copy(RMD_ENOMEM, "no memory could be had");
}

int rmdi_fail_errno(int errno_value, const char *format, ...)
{
    char what[RMDI_ERROR_DETAIL_MAX], why[128];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    const char *sentence = strerror_r(errno_value, why, sizeof why);
    return rmdi_fail(rmdi_error_from_errno(errno_value), "%s: %s", what, sentence);
}

int rmdi_error_from_errno(int errno_value)
{
    switch (errno_value) {
    case 0: return 0;
    case EINVAL: return RMD_EINVAL;
    case ENOMEM: return RMD_ENOMEM;
    case ETIMEDOUT: return RMD_ETIMEDOUT;
    case ENOENT:
    case ENOTDIR: return RMD_ENOENT;
    case EACCES:
    case EPERM: return RMD_EACCES;
    case E2BIG: return RMD_E2BIG;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return RMD_ENOSPC;
    case EMFILE:
    case ENFILE: return RMD_EMFILE;
    case EAGAIN: return RMD_EAGAIN;
    case ENOEXEC:
    case ELIBBAD: return RMD_EEXEC;
    case EBUSY:
    case ETXTBSY: return RMD_EBUSY;
    case ENOSYS:
    case EOPNOTSUPP: return RMD_ENOTSUP;
    default: return RMD_EIO;
    }
}
