/* SPDX-License-Identifier: MIT */
/* Values as JSON (RFC 8259), as docs/protocol/values.md has it: everything that a value can be has
 * one spelling, and what was read is exactly what stood there. What JSON has no word for is written
 * as a map of one key: {"$bytes": "AP8="}, {"$float": "nan"}, {"$int": "0x…"}, {"$map": [[key,
 * value], …]}, {"$reference": …}.
 *
 * This is a codec of its own, beside Jansson, which the events and accounts are written with:
 * Jansson's integers end at 64 bits and its floats are not the shortest. Whoever calls it need not
 * know the length of anything: numbers, be they as long as they like, are read digit by digit from
 * the text. */
#ifndef RMDI_JOB_JSON_VALUE_H
#define RMDI_JOB_JSON_VALUE_H

#include "data/bytes.h"

#include <remuda/value.h>

enum {
    RMDI_JSON_TEXT_MAX = 64 * 1024 * 1024, /* bytes that are read if no other limit is given */
    RMDI_JSON_ITEMS_MAX = 1000000,
};

/* Adds the value to the buffer, in one line: no blanks, no line breaks, and nothing that commands a
 * terminal. The value is one that can be encoded (value.h); that no key is there twice is not
 * looked at. 0, or, with the buffer as it was: RMD_EINVAL (text that is no UTF-8, a type that is
 * none), RMD_E2BIG (too deep), RMD_ENOMEM. Any thread. Never blocks. */
int rmdi_json_encode(rmdi_buffer *to, const rmd_value *value);

/* Reads one value, and nothing behind it but blanks. *value gets it, with its own copies of
 * everything, to be given to rmd_value_free(). limits is borrowed and may be NULL: bytes_max is of
 * the text, by default RMDI_JSON_TEXT_MAX. Errors, with *value untouched: RMD_ESYNTAX, for what is
 * no JSON or no value (a key twice, 1e400, half a surrogate pair); RMD_E2BIG for a limit, and for a
 * number of more than 1200 digits; RMD_ENOMEM. The detail begins with the place: "column 7: …", or
 * "line 2, column 7: …" when there is more than one line; a column is a character, from 1. Any
 * thread. Never blocks. */
int rmdi_json_decode(const rmd_value **value, rmd_bytes text, const rmd_value_limits *limits);

#endif
