/* SPDX-License-Identifier: MIT */
/* floor: port */
/* The version of the headers and of the library. */
#ifndef REMUDA_VERSION_H
#define REMUDA_VERSION_H

#include <remuda/api.h>

RMD_BEGIN

#define RMD_VERSION_MAJOR 0
#define RMD_VERSION_MINOR 1
#define RMD_VERSION_PATCH 0
#define RMD_VERSION       "0.1.0"

/* The version of the library that the program runs with ("0.1.0"). Static storage. */
RMD_API const char *rmd_version(void);

RMD_END

#endif
