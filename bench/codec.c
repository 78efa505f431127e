/* SPDX-License-Identifier: MIT */
/* The codec of values beside libcbor's low-level functions, which build no tree, in turn: a list of
 * an int, a float, a text of 12 bytes and 64 bytes. codec ROUNDS: a line per round, in ns:
 * encoding, libcbor's; decoding into memory at hand, with texts copied, libcbor's, which calls
 * functions that look at each item; and the tree of libcbor, decoded and freed. */
#include "data/cbor.h"

#include <cbor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MUST(condition) ((condition) ? (void)0 : abort())

enum { TIMES = 200000, DATA = 64 };

static unsigned char encoded[256], theirs[256], data[DATA];
static size_t encoded_len;
static const char text[] = "twelve bytes";
static uint64_t number = 123456789;
static volatile uint64_t sink;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void encode_ours(void)
{
    static rmdi_buffer out;
    const rmd_value items[] = { rmd_uint(number), rmd_float(0.1), rmd_text(text),
                                rmd_bytes_value((rmd_bytes){ data, DATA }) };
    rmd_value list = rmd_list(items, 4);
    rmdi_buffer_clear(&out);
    MUST(rmdi_cbor_encode(&out, &list) == 0);
    encoded_len = out.len;
    memcpy(encoded, out.data, 1);
    if (!encoded[1])
        memcpy(encoded, out.data, out.len);
}

static void encode_theirs(void)
{
    unsigned char *p = theirs, *end = theirs + sizeof theirs;
    p += cbor_encode_array_start(4, p, (size_t)(end - p));
    p += cbor_encode_uint(number, p, (size_t)(end - p));
    p += cbor_encode_double(0.1, p, (size_t)(end - p));
    p += cbor_encode_string_start(sizeof text - 1, p, (size_t)(end - p));
    memcpy(p, text, sizeof text - 1);
    p += sizeof text - 1;
    p += cbor_encode_bytestring_start(DATA, p, (size_t)(end - p));
    memcpy(p, data, DATA);
    sink += (uint64_t)(p + DATA - theirs);
}

static void decode_ours(void)
{
    rmd_value scratch[16];
    rmdi_document document;
    MUST(rmdi_cbor_decode(&document, (rmd_bytes){ encoded, encoded_len }, NULL, true, scratch,
                          sizeof scratch) == 0);
    sink += document.root->as.list.items[0].as.natural;
    rmdi_document_free(&document);
}

static void take_uint(void *ctx, uint32_t x)
{
    *(uint64_t *)ctx += x;
}

static void take_double(void *ctx, double x)
{
    *(uint64_t *)ctx += x > 0;
}

static void take_string(void *ctx, cbor_data bytes, size_t len)
{
    *(uint64_t *)ctx += len + *bytes;
}

static void decode_theirs(void)
{
    uint64_t sum = 0;
    struct cbor_callbacks take = cbor_empty_callbacks;
    take.uint32 = take_uint;
    take.float8 = take_double;
    take.string = take_string;
    take.byte_string = take_string;
    for (size_t at = 0; at < encoded_len;) {
        struct cbor_decoder_result r = cbor_stream_decode(encoded + at, encoded_len - at, &take,
                                                          &sum);
        MUST(r.status == CBOR_DECODER_FINISHED);
        at += r.read;
    }
    sink += sum;
}

static void decode_tree(void)
{
    struct cbor_load_result result;
    cbor_item_t *item = cbor_load(encoded, encoded_len, &result);
    MUST(item != NULL);
    cbor_decref(&item);
}

static double time_of(void (*fn)(void))
{
    int64_t begin = now_ns();
    for (int i = 0; i < TIMES; i++)
        fn();
    return (double)(now_ns() - begin) / TIMES;
}

int main(int argc, char **argv)
{
    static void (*const all[])(void) = { encode_ours, encode_theirs, decode_ours, decode_theirs,
                                         decode_tree };
    enum { ALL = sizeof all / sizeof *all };
    MUST(argc == 2);
    memset(data, 0xab, sizeof data);
    encode_ours();
    encode_theirs();
    MUST(memcmp(encoded, theirs, encoded_len) == 0);
    for (int round = 0; round < atoi(argv[1]); round++) {
        double ns[ALL];
        for (int i = 0; i < ALL; i++) { /* in turn, and now and then from the other end */
            int k = round % 2 ? ALL - 1 - i : i;
            ns[k] = time_of(all[k]);
        }
        for (int i = 0; i < ALL; i++)
            printf("%.2f%c", ns[i], i < ALL - 1 ? ' ' : '\n');
    }
    return 0;
}
