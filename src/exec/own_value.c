/* SPDX-License-Identifier: MIT */
#include "exec/own_value.h"

#include "data/cbor.h"

int rmdi_value_copy(const rmd_value **copy, const rmd_value *value)
{
    rmdi_buffer encoded = { 0 };
    int err = rmdi_cbor_encode(&encoded, value);
    if (err == 0)
        err = rmd_value_decode(copy, rmdi_buffer_view(&encoded), NULL);
    rmdi_buffer_free(&encoded);
    return err;
}
