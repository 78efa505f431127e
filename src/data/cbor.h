/* SPDX-License-Identifier: MIT */
/* Values as bytes: deterministic CBOR (RFC 8949, section 4.2.1), as docs/protocol/values.md
 * narrows it. Every value has one encoding, and everything else is refused. */
#ifndef RMDI_DATA_CBOR_H
#define RMDI_DATA_CBOR_H

#include "port/shared.h"

#include "data/bytes.h"

#include <remuda/value.h>

enum {
    RMDI_CBOR_TAG_NATURAL = 2,  /* the two kinds of bignum */
    RMDI_CBOR_TAG_NEGATIVE = 3, /* -1 - n */
    RMDI_CBOR_TAG_REFERENCE =
        0x524d4452 /* "RMDR"; from the range that is first come, first served */
};

/* What a decoder takes that was given no other limits. */
enum { RMDI_CBOR_BYTES_MAX = 16 * 1024 * 1024, RMDI_CBOR_ITEMS_MAX = 1000000 };

/* Adds the encoding of a value to a buffer: 0, or RMD_EINVAL, RMD_E2BIG, RMD_ENOMEM (see
 * rmd_value_encode) with the buffer as it was. */
int rmdi_cbor_encode(rmdi_buffer *out, const rmd_value *value);

/* What a value was decoded to. root is NULL as long as there is none. */
typedef struct rmdi_document {
    const rmd_value *root;
    void *owned; /* memory, when the scratch memory did not do */
} rmdi_document;

/* Decodes as rmd_value_decode(), into scratch memory that the caller lends for as long as the
 * document is used, when it is aligned as a value and large enough; else into one block. Bytes are
 * borrowed from `encoded` if so told, and copied otherwise; texts are always copied, and end in a
 * 0. limits may be NULL. On failure there is nothing to free. */
int rmdi_cbor_decode(rmdi_document *document, rmd_bytes encoded, const rmd_value_limits *limits,
                     bool borrow_bytes, void *scratch, size_t scratch_size);
void rmdi_document_free(rmdi_document *document);

/* The order in which keys stand: less than, equal to or more than 0. Both are scalars. */
RMDI_SHARED int rmdi_cbor_compare(const rmd_value *a, const rmd_value *b);

/* May it be a key? */
RMDI_SHARED bool rmdi_cbor_is_scalar(rmd_type type);

#endif
