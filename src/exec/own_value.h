/* SPDX-License-Identifier: MIT */
/* A value of one's own. */
#ifndef RMDI_EXEC_OWN_VALUE_H
#define RMDI_EXEC_OWN_VALUE_H

#include <remuda/value.h>

/* *copy, to be given to rmd_value_free(), is as it would arrive anywhere: encoded and decoded. 0,
 * RMD_EINVAL, RMD_E2BIG, RMD_ENOMEM. */
int rmdi_value_copy(const rmd_value **copy, const rmd_value *value);

#endif
