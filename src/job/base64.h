/* SPDX-License-Identifier: MIT */
/* Bytes as text: base64 as RFC 4648, section 4, has it: with padding, without line breaks. */
#ifndef RMDI_JOB_BASE64_H
#define RMDI_JOB_BASE64_H

#include "data/bytes.h"

/* Adds the text of these bytes to the buffer. RMD_ENOMEM, with the buffer as it was. */
int rmdi_base64_add(rmdi_buffer *to, rmd_bytes bytes);

/* Writes what the text stands for to `to`, which has room for 3 bytes for every 4 of the text, and
 * may be the text itself. Returns how many; -1: that is no base64, or not the only way to write
 * these bytes (bits behind the last one that are not 0). */
int64_t rmdi_base64_read(rmd_bytes text, unsigned char *to);

#endif
