/* SPDX-License-Identifier: MIT */
/* The inside of the table of functions: see <remuda/function.h>. */
#ifndef RMDI_EXEC_FUNCTION_H
#define RMDI_EXEC_FUNCTION_H

#include "exec/function_parameters.h"

#include <remuda/function.h>

/* What was read from the parameters of a function that is in the table; NULL when it has none, or
 * is not in the table. */
const rmdi_parameters *rmdi_function_parameters(const rmd_function *function);

/* Forgets all functions. For tests, while nobody else uses the table. */
void rmdi_functions_forget(void);

#endif
