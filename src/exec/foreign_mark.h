/* SPDX-License-Identifier: MIT */
/* The marks of foreign processes in a worker process, where the guard, which gives them elsewhere,
 * is the owner's. The worker's own mark stands before them: so the owner finds all of it, and we
 * what one foreign process has left behind. */
#ifndef RMDI_EXEC_FOREIGN_MARK_H
#define RMDI_EXEC_FOREIGN_MARK_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

/* Lies in what it marks. */
typedef struct rmdi_foreign_mark {
    rmdi_link link;
    uint64_t number;
} rmdi_foreign_mark;

/* Gives it a number. Any thread. */
void rmdi_foreign_mark_enter(rmdi_foreign_mark *mark);
void rmdi_foreign_mark_leave(rmdi_foreign_mark *mark);

/* Has one that has not left this number? */
bool rmdi_foreign_mark_is_there(uint64_t number);

/* This process in attempt ids, once a mark has been given. */
const char *rmdi_foreign_mark_instance(void);

#endif
