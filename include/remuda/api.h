/* SPDX-License-Identifier: MIT */
/* floor: port */
/* Marks on declarations, shared by all public headers. */
#ifndef REMUDA_API_H
#define REMUDA_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define RMD_BEGIN extern "C" {
#define RMD_END   }
#else
#define RMD_BEGIN
#define RMD_END
#endif

/* A function that the shared library exports. */
#define RMD_API __attribute__((visibility("default")))

/* A result that must be looked at: dropping it loses an error or an object. */
#define RMD_NODISCARD __attribute__((warn_unused_result))

#define RMD_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))

#endif
