/* SPDX-License-Identifier: MIT */
/* Characters in bytes that may be anything. */
#ifndef RMDI_DATA_UTF8_H
#define RMDI_DATA_UTF8_H

#include "port/shared.h"

#include <stddef.h>
#include <stdint.h>

enum { RMDI_UTF8_REPLACEMENT = 0xfffd };

/* The character at the beginning of len bytes, at least one, and how many of them it takes. What is
 * no UTF-8 (RFC 3629: overlong forms, surrogates and what lies beyond U+10FFFF are none) is one
 * RMDI_UTF8_REPLACEMENT for each byte. */
RMDI_SHARED uint32_t rmdi_utf8_decode(const unsigned char *bytes, size_t len, size_t *taken);

#endif
