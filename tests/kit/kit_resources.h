/* SPDX-License-Identifier: MIT */
/* What a process holds: open descriptors, children, threads, files under $TMPDIR. */
#ifndef KIT_RESOURCES_H
#define KIT_RESOURCES_H

#include <stdbool.h>

typedef struct kit_resources {
    char **lines; /* one per resource: "descriptor 5 -> /dev/null" */
    int count;
} kit_resources;

/* Takes stock of this process. */
void kit_resources_take(kit_resources *resources);

/* Takes stock again and fails the case for each resource that is new, by name; returns whether
 * there was none. What is going away gets two seconds for it (a joined thread stays visible for a
 * moment). Frees the stock. */
#define CHECK_RESOURCES(resources) kit_resources_check((resources), __FILE__, __LINE__)
bool kit_resources_check(kit_resources *resources, const char *file, int line);

#endif
