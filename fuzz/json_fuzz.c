/* SPDX-License-Identifier: MIT */
/* Values in JSON: bytes that may be anything, decoded.
 *
 * What must hold of what is accepted: it is written, and what is written is read as the same value,
 * which is written the same way again. Of the rest: an error that names a place, and no memory.
 *
 * Built and run as template_fuzz.c says.
 */
#include "job/json_value.h"

#include <remuda/error.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held)
{
    if (!held)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rmdi_buffer out = { 0 }, again = { 0 };
    const rmd_value *value = NULL, *back = NULL;
    int err = rmdi_json_decode(&value, (rmd_bytes){ data, size }, NULL);
    if (err < 0) {
        require(!value && (err == RMD_ESYNTAX || err == RMD_E2BIG));
        require(strstr(rmd_error_detail(), "column "));
        return 0;
    }
    require(rmdi_json_encode(&out, value) == 0);
    require(!memchr(out.data, '\n', out.len) && strlen(out.data) == out.len);
    require(rmdi_json_decode(&back, rmdi_buffer_view(&out), NULL) == 0);
    require(rmd_value_equal(value, back));
    require(rmdi_json_encode(&again, back) == 0);
    require(rmdi_bytes_equal(rmdi_buffer_view(&out), rmdi_buffer_view(&again)));
    rmdi_buffer_free(&out);
    rmdi_buffer_free(&again);
    rmd_value_free(value);
    rmd_value_free(back);
    return 0;
}
