/* SPDX-License-Identifier: MIT */
/* What else is asked about values, inside. */
#ifndef RMDI_DATA_VALUE_GET_H
#define RMDI_DATA_VALUE_GET_H

#include <remuda/value.h>

/* INT, UINT or BIG? */
bool rmdi_type_is_int(rmd_type type);

/* A FLOAT, or an int that a double holds exactly; false for other ints. Not for other types. */
bool rmdi_value_as_double(const rmd_value *value, double *to);

/* A BOOL, or the int 0 or 1; false for other ints. Not for other types. */
bool rmdi_value_as_bool(const rmd_value *value, bool *to);

/* Type and value for a message, as in: text "x". Cut with "...", at size, which is at least 32. */
void rmdi_value_show(const rmd_value *value, char *text, size_t size);

#endif
