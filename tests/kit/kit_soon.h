/* SPDX-License-Identifier: MIT */
/* When a test gives up waiting for what must come. */
#ifndef KIT_SOON_H
#define KIT_SOON_H

#include "kit.h"

#include <remuda/deadline.h>

static inline rmd_deadline soon(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

#endif
