/* SPDX-License-Identifier: MIT */
/* Quoting a value for a shell of the Bourne family. */
#ifndef RMDI_JOB_QUOTE_H
#define RMDI_JOB_QUOTE_H

#include "data/bytes.h"

/* Adds the value as one word, byte for byte as GNU parallel prints it: as it is when it consists
 * of A-Z a-z 0-9 _ . + / - only; '' when empty; else in single quotes, each single quote inside
 * in double ones. RMD_ENOMEM, with the buffer as it was. */
RMD_NODISCARD int rmdi_quote_add(rmdi_buffer *text, rmd_bytes value);

/* The same, but always in quotes. */
RMD_NODISCARD int rmdi_quote_add_always(rmdi_buffer *text, rmd_bytes value);

/* Adds the value as it has to stand inside open single quotes. RMD_ENOMEM, the buffer as it was. */
RMD_NODISCARD int rmdi_quote_add_in_single(rmdi_buffer *text, rmd_bytes value);

/* Adds the value as it has to stand inside "..." that are open; glued: even a harmless value must
 * not touch what stands before it. RMD_ENOMEM, the buffer as it was. */
RMD_NODISCARD int rmdi_quote_add_in_double(rmdi_buffer *text, rmd_bytes value, bool glued);

#endif
