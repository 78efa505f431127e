/* SPDX-License-Identifier: MIT */
/* What owner and guard share: memory that names the live process groups. The owner
 * writes it; the guard reads it when the owner is gone. */
#ifndef RMDI_EXEC_GUARD_TABLE_H
#define RMDI_EXEC_GUARD_TABLE_H

#include "exec/attempt_id.h"

#include <remuda/atomics.h>
#include <sys/types.h>

enum {
    RMDI_GUARD_SLOTS = 65536,
    RMDI_GUARD_LIFELINE = 3, /* descriptors in the guard: the pipe whose other end only */
    RMDI_GUARD_MEMORY = 4,   /* the owner holds, and the table */
};

/* argv[0] of a guard: by it rmd_start() knows its work, and people read it in ps. */
#define RMDI_GUARD_NAME "rmd:guard"

typedef struct rmdi_guard_slot {
    rmd_atomic(uint64_t) number; /* of the attempt; 0: free. Set before the program starts */
    rmd_atomic(int32_t) group;   /* 0 until it has started */
} rmdi_guard_slot;

typedef struct rmdi_guard_table {
    char instance[RMDI_INSTANCE_LEN + 1];
    int32_t owner;
    rmd_atomic(uint32_t) slots_used; /* slots beyond were never used */
    rmdi_guard_slot slots[RMDI_GUARD_SLOTS];
} rmdi_guard_table;

/* The life of a guard process: waits until the owner is gone, kills what it left, and
 * ends the process. Never returns. */
_Noreturn void rmdi_guard_process(void);

#endif
