/* SPDX-License-Identifier: MIT */
/* What a resumed run knows of earlier ones: for each key its tasks in the order in which they
 * were begun. Of equal inputs the n-th is the n-th task with that key: tasks are begun in
 * the order of the inputs, so the tasks of a key are always the first so many of them. Each task is
 * given out once. 32 to 40 bytes for each task of the journal. */
#ifndef RMDI_JOB_JOURNAL_KNOWN_H
#define RMDI_JOB_JOURNAL_KNOWN_H

#include "job/journal.h"

typedef struct rmdi_known {
    /* By id - 1. Half of SHA-256 tells a million tasks apart as surely as all of it. */
    struct rmdi_known_entry {
        uint64_t key[2];
        uint32_t next;   /* id of the next task with this key; 0: none */
        uint8_t outcome; /* rmd_outcome */
        bool started, unshown, taken;
    } * tasks;
    uint32_t
        *slots; /* ids of the first task of a key that was not taken, or of its last; 0: free */
    uint32_t slots_mask;
    uint64_t left; /* tasks that nobody has asked for yet */
} rmdi_known;

/* Room for tasks 1..len. RMD_ENOMEM, RMD_E2BIG. Zeroed is empty and may be freed. */
RMD_NODISCARD int rmdi_known_init(rmdi_known *known, uint64_t len);
void rmdi_known_free(rmdi_known *known);

/* In falling order of ids, so that the first of a key comes to stand first. */
void rmdi_known_add(rmdi_known *known, uint32_t id, const rmdi_key *key, rmd_outcome outcome,
                    bool started);

/* The next task with this key, which is taken out. */
rmdi_known_task rmdi_known_take(rmdi_known *known, const rmdi_key *key);

#endif
