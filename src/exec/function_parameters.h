/* SPDX-License-Identifier: MIT */
/* What a function takes: the text of rmd_function.parameters, read once. */
#ifndef RMDI_EXEC_FUNCTION_PARAMETERS_H
#define RMDI_EXEC_FUNCTION_PARAMETERS_H

#include <remuda/function.h>
#include <remuda/value.h>

enum { RMDI_PARAMETERS_MAX = 64, RMDI_PARAMETER_ANY = -1, RMDI_PARAMETER_INT = RMD_TYPE_INT };

typedef struct rmdi_parameter {
    const char *name; /* in the text; not NUL-terminated */
    int name_len;
    int type; /* RMD_TYPE_… (INT is UINT and BIG, too), or RMDI_PARAMETER_ANY */
    bool optional;
} rmdi_parameter;

typedef struct rmdi_parameters {
    size_t count; /* without the rest */
    bool has_rest;
    rmdi_parameter rest;
    rmdi_parameter items[];
} rmdi_parameters;

/* Reads the text, which is borrowed. *parameters is freed with rmdi_free(). Errors: RMD_EINVAL
 * naming what is not understood, RMD_ENOMEM. */
int rmdi_parameters_parse(rmdi_parameters **parameters, const char *text);

/* The place of the parameter of that name; count when there is none. */
size_t rmdi_parameters_find(const rmdi_parameters *parameters, const char *name, size_t len);

/* May a value be given for it? */
bool rmdi_parameter_takes(const rmdi_parameter *parameter, const rmd_value *value);

/* "int", "any", ... */
const char *rmdi_parameter_type_name(const rmdi_parameter *parameter);

#endif
