/* SPDX-License-Identifier: MIT */
#include "port/thread_name.h"

#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void rmdi_thread_name_get(char name[RMDI_THREAD_NAME_BYTES])
{
    memset(name, 0, RMDI_THREAD_NAME_BYTES);
    prctl(PR_GET_NAME, name);
}

uint32_t rmdi_thread_number(void)
{
    return (uint32_t)gettid();
}
