/* SPDX-License-Identifier: MIT */
/* What a foreign worker says, which may be anything. The first byte chooses: an announcement, a raw
 * answer, or one in CBOR, to task 7; the rest is that frame.
 *
 * What must hold: it is taken or refused with a sentence; a result that is taken is a value;
 * nothing that was refused leaves a result, unless the call itself has failed.
 *
 * Built and run as template_fuzz.c says.
 */
#include "exec/call.h"
#include "exec/foreign_codec.h"

#include <remuda/error.h>
#include <remuda/foreign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TASK = 7 };

static void require(bool held)
{
    if (!held)
        abort();
}

static void announce(rmd_bytes frame)
{
    rmdi_foreign_codec codec;
    int err = rmdi_foreign_codec_find(&codec, frame);
    require(err == 0 || err == RMD_EWORKER || err == RMD_ENOTSUP);
    require(err == 0 || *rmd_error_detail());
    require(err < 0 || codec == RMDI_FOREIGN_RAW || codec == RMDI_FOREIGN_CBOR);
}

static void check_result(const rmdi_buffer *result)
{
    const rmd_value *value;
    require(rmd_value_decode(&value, rmdi_buffer_view(result), NULL) == 0);
    rmd_value_free(value);
}

static void answer(rmdi_foreign_codec codec, rmd_bytes frame)
{
    static const rmd_function function = { .name = "f" };
    rmdi_buffer result = { 0 }, added = { 0 };
    rmd_call *call = calloc(1, sizeof *call);
    require(call != NULL);
    call->function = &function;
    call->result = &result;
    call->added = &added;
    int err = 1;
    rmdi_foreign_answered answered = rmdi_foreign_codec_answer(codec, call, TASK, frame, &err);
    require(err <= 0 && (err == 0 || *rmd_error_detail() || err == RMD_FOREIGN_ERROR));
    require(answered == RMDI_FOREIGN_ANSWERED || err < 0);
    require(err == 0 || !result.len);
    if (err == 0)
        check_result(&result);
    rmdi_buffer_free(&result);
    rmdi_buffer_free(&added);
    free(call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    uint8_t *copy = malloc(size > 1 ? size - 1 : 1); /* so that reads beyond it are seen */
    require(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    rmd_bytes frame = { copy, size - 1 };
    if (data[0] % 3 == 0)
        announce(frame);
    else
        answer(data[0] % 3 == 1 ? RMDI_FOREIGN_RAW : RMDI_FOREIGN_CBOR, frame);
    free(copy);
    return 0;
}
