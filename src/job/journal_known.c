/* SPDX-License-Identifier: MIT */
/* A table with open addressing; the tasks of one key hang behind its first one, because a list of
 * inputs may be a million times the same. */
#include "job/journal_known.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

int rmdi_known_init(rmdi_known *known, uint64_t len)
{
    uint32_t slots = 16;
    *known = (rmdi_known){ 0 };
    if (len > UINT32_MAX / 4)
        return rmdi_fail(RMD_E2BIG, "the journal has more tasks than a resumed run can remember");
    while (slots < len * 2)
        slots *= 2;
    known->slots_mask = slots - 1;
    known->tasks = rmdi_alloc_zeroed((len + 1) * sizeof *known->tasks);
    known->slots = rmdi_alloc_zeroed(slots * sizeof *known->slots);
    if (known->tasks && known->slots)
        return 0;
    rmdi_known_free(known);
    return rmdi_fail_memory();
}

void rmdi_known_free(rmdi_known *known)
{
    rmdi_free(known->tasks);
    rmdi_free(known->slots);
    *known = (rmdi_known){ 0 };
}

/* Where the key is, or where it would have to be. */
static uint32_t *slot_of(const rmdi_known *known, const uint64_t key[2])
{
    for (uint64_t i = key[0];; i++) {
        uint32_t *slot = &known->slots[i & known->slots_mask];
        if (!*slot || memcmp(known->tasks[*slot - 1].key, key, 2 * sizeof *key) == 0)
            return slot;
    }
}

void rmdi_known_add(rmdi_known *known, uint32_t id, const rmdi_key *key, rmd_outcome outcome,
                    bool started)
{
    struct rmdi_known_entry *task = &known->tasks[id - 1];
    memcpy(task->key, key->bytes, sizeof task->key);
    uint32_t *slot = slot_of(known, task->key);
    task->next = *slot;
    task->outcome = (uint8_t)outcome;
    task->started = started;
    *slot = id;
    known->left++;
}

rmdi_known_task rmdi_known_take(rmdi_known *known, const rmdi_key *key)
{
    static const rmdi_known_task none = { 0 };
    uint64_t half[2];
    if (!known->left)
        return none;
    memcpy(half, key->bytes, sizeof half);
    uint32_t *slot = slot_of(known, half), id = *slot;
    if (!id || known->tasks[id - 1].taken)
        return none;
    struct rmdi_known_entry *task = &known->tasks[id - 1];
    task->taken = true;
    if (task->next) /* the last one stays: an empty slot would end the search for other keys */
        *slot = task->next;
    known->left--;
    return (rmdi_known_task){ .id = id,
                              .outcome = (rmd_outcome)task->outcome,
                              .started = task->started,
                              .unshown = task->unshown };
}
