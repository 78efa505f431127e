/* SPDX-License-Identifier: MIT */
/* What stands in the frames between us and a foreign worker: docs/protocol/worker.md. */
#ifndef RMDI_EXEC_FOREIGN_CODEC_H
#define RMDI_EXEC_FOREIGN_CODEC_H

#include "data/bytes.h"

#include <remuda/call.h>

typedef enum rmdi_foreign_codec {
    RMDI_FOREIGN_RAW,
    RMDI_FOREIGN_CBOR,
    RMDI_FOREIGN_JSON,
} rmdi_foreign_codec;

/* Reads "remuda 1 raw" and its like. RMD_EWORKER: it is none; RMD_ENOTSUP: JSON, which nobody
 * speaks here. The detail says what it has done: "has announced itself as …". */
int rmdi_foreign_codec_find(rmdi_foreign_codec *codec, rmd_bytes announcement);

/* Makes a task of a call. *frame is borrowed, from the call or from the buffer, which holds nothing
 * of use before. RMD_EINVAL: arguments that the codec has not; RMD_E2BIG, RMD_ENOMEM. */
int rmdi_foreign_codec_task(rmdi_foreign_codec codec, const rmd_call *call, uint64_t id,
                            rmdi_buffer *buffer, rmd_bytes *frame);

/* What became of an answer. */
typedef enum rmdi_foreign_answered {
    RMDI_FOREIGN_ANSWERED,  /* *err is that of the call: 0, RMD_FOREIGN_ERROR, or the result's */
    RMDI_FOREIGN_NO_ANSWER, /* it is none: the detail says what it has done */
} rmdi_foreign_answered;

/* Gives what an answer says to the call. */
rmdi_foreign_answered rmdi_foreign_codec_answer(rmdi_foreign_codec codec, rmd_call *call,
                                                uint64_t id, rmd_bytes frame, int *err);

#endif
