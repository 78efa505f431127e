/* SPDX-License-Identifier: MIT */
/* Is a text of a value UTF-8? */
#ifndef RMDI_DATA_VALUE_TEXT_H
#define RMDI_DATA_VALUE_TEXT_H

#include "port/shared.h"

#include <stddef.h>

/* The offset of the first byte that is not UTF-8 (see utf8.h); len if all is. */
RMDI_SHARED size_t rmdi_text_check(const void *text, size_t len);

#endif
