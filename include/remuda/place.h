/* SPDX-License-Identifier: MIT */
/* floor: base */
/* Places in a program's source, for reports: see RMD_DEBUG in lock.h. */
#ifndef REMUDA_PLACE_H
#define REMUDA_PLACE_H

#include <remuda/api.h>

/* Borrowed for as long as the library is used, and so are the texts: make it with RMD_HERE. */
typedef struct rmd_place {
    const char *function;
    const char *file;
    int line;
} rmd_place;

/* A pointer to the place where it stands, inside a function. */
#define RMD_HERE                                                               \
    __extension__({                                                            \
        static const rmd_place rmdi_place_ = { __func__, __FILE__, __LINE__ }; \
        &rmdi_place_;                                                          \
    })

#endif
