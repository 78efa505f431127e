/* SPDX-License-Identifier: MIT */
/* --colsep: splitting a value into columns. */
#ifndef RMDI_JOB_COLUMNS_H
#define RMDI_JOB_COLUMNS_H

#include "data/bytes.h"

typedef struct rmdi_columns rmdi_columns;

/* The separator is a POSIX extended regular expression with \t \n \r \f \d \s \w \xHH besides;
 * one without any special character is searched as it is, which is faster. Empty: each byte is a
 * column. RMD_ESYNTAX, with a detail, when it is not a regular expression, or one that would mean
 * something else in a Perl one (lazy repetition, groups that begin with "?"); RMD_ENOMEM. */
RMD_NODISCARD int rmdi_columns_open(rmdi_columns **made, const char *separator);
void rmdi_columns_free(rmdi_columns *columns); /* NULL is fine */

/* Finds the first separator in value that ends after `from`, where a column begins: true, with
 * its begin and end. false: the column goes to the end of the value. Columns of a value:
 *
 *     for (size_t from = 0; rmdi_columns_find(c, value, from, &begin, &end); from = end)
 *         use(value.data + from, begin - from);
 *     use(value.data + from, value.len - from);
 */
bool rmdi_columns_find(const rmdi_columns *columns, rmd_bytes value, size_t from, size_t *begin,
                       size_t *end);

#endif
