/* SPDX-License-Identifier: MIT */
#include <remuda/version.h>

const char *rmd_version(void)
{
    return RMD_VERSION;
}
