/* SPDX-License-Identifier: MIT */
/* What somebody may have meant who has mistyped a name. */
#ifndef RMDI_CLI_NEAREST_H
#define RMDI_CLI_NEAREST_H

/* The name of a function of the table that is closest to this one; NULL: none is close. Borrowed
 * from the table. */
const char *rmdi_nearest_function(const char *name);

#endif
