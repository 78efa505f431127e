/* SPDX-License-Identifier: MIT */
/* Static variables marked RMD_STATIC: each schedule begins with their first values. */
#ifndef RMDI_EXPLORE_STATICS_H
#define RMDI_EXPLORE_STATICS_H

/* Notes their present values; RMD_ENOMEM. And forgets them. */
int rmdi_statics_open(void);
void rmdi_statics_close(void);

/* Gives them back. */
void rmdi_statics_reset(void);

#endif
