/* SPDX-License-Identifier: MIT */
#include "exec/attempt_id.h"

#include <stdlib.h>
#include <string.h>

const char *rmdi_attempt_id_outer(const char *path)
{
    while (path && strlen(path) > RMDI_ATTEMPT_ID_MAX - 64) {
        path = strchr(path, '/');
        path += path != NULL;
    }
    return path;
}

bool rmdi_attempt_id_find(const char *path, const char *instance, uint64_t *number)
{
    for (; path; path = strchr(path, '/')) {
        path += *path == '/';
        if (strncmp(path, instance, RMDI_INSTANCE_LEN) != 0 || path[RMDI_INSTANCE_LEN] != '-')
            continue;
        char *end;
        *number = strtoull(path + RMDI_INSTANCE_LEN + 1, &end, 10);
        if (end > path + RMDI_INSTANCE_LEN + 1 && (*end == 0 || *end == '/'))
            return true;
    }
    return false;
}
