/* SPDX-License-Identifier: MIT */
/* What JSON has no word for: maps of one pair that stand for something else (see json_value.h). */
#ifndef RMDI_JOB_JSON_FORM_H
#define RMDI_JOB_JSON_FORM_H

#include <remuda/value.h>

#define RMDI_JSON_FORMS(X) \
    X(BYTES, "$bytes")     \
    X(FLOAT, "$float")     \
    X(INT, "$int")         \
    X(MAP, "$map")         \
    X(REFERENCE, "$reference")

typedef enum rmdi_json_form {
    RMDI_JSON_PLAIN, /* a map that is one */
#define RMDI_JSON_FORM_MEMBER(name, text) RMDI_JSON_##name,
    RMDI_JSON_FORMS(RMDI_JSON_FORM_MEMBER)
#undef RMDI_JSON_FORM_MEMBER
} rmdi_json_form;

/* What a map of one pair with this key is. */
rmdi_json_form rmdi_json_form_of(const rmd_value *key);

/* Writes to *to what is meant by the value that stands under the key. A text lies in memory that
 * may be written to, and is changed where it lies, and borrowed. `room` is memory that the result
 * may use: a value of a reference, for a map two for each item of the list. NULL, or a static
 * sentence that says what is wrong. */
const char *rmdi_json_form_read(rmdi_json_form form, const rmd_value *under, rmd_value *room,
                                rmd_value *to);

#endif
