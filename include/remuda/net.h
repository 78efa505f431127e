/* SPDX-License-Identifier: MIT */
/* floor: job */
/* What libremuda-net brings to libremuda, which by itself needs the C library alone. */
#ifndef REMUDA_REMUDA_NET_H
#define REMUDA_REMUDA_NET_H

#include <remuda/api.h>

RMD_BEGIN

/* Lends libremuda its JSON, in which workers of other languages may speak. Call it in main(),
 * before rmd_start() (start.h), so that worker processes have it, too. Again is fine. Returns 0.
 * Never blocks. */
RMD_API int rmd_net_use(void);

RMD_END

#endif
