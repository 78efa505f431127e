/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "exec/json_hook.h"
#include "job/json_value.h"

#include <remuda/net.h>

static int encode(const rmd_value *value, char **text, size_t *len)
{
    rmdi_buffer made = { 0 };
    int err = rmdi_json_encode(&made, value);
    if (err < 0) {
        rmdi_buffer_free(&made);
        return err;
    }
    *text = made.data;
    *len = made.len;
    return 0;
}

static void free_text(char *text)
{
    rmdi_free(text);
}

static int decode(const rmd_value **value, rmd_bytes text)
{
    return rmdi_json_decode(value, text, NULL);
}

int rmd_net_use(void)
{
    static const rmdi_json json = { encode, free_text, decode, rmd_value_free };
    rmdi_json_use(&json);
    return 0;
}
