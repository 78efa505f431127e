/* SPDX-License-Identifier: MIT */
/* Values: bytes that may be anything, decoded.
 *
 * What must hold of what is accepted: its encoding is the very same bytes; it equals itself and
 * what it is decoded to again; scratch memory of any size gives the same; it is shown in a text
 * that is cut anywhere; whatever it is read as, nothing worse than an error comes of it. Of the
 * rest: an error and no memory. It is given to a function as its arguments, too.
 *
 * Built and run as template_fuzz.c says.
 */
#include "data/cbor.h"
#include "exec/call.h"

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

static void read_all_ways(const rmd_value *value)
{
    rmd_int128 big;
    long n;
    signed char small;
    double x;
    bool b;
    const char *text;
    rmd_bytes bytes;
    const rmd_value *same;
    (void)rmd_value_get(value, &big);
    (void)rmd_value_get(value, &small);
    (void)rmd_value_get(value, &b);
    require(rmd_value_get(value, &n) < 0 || rmd_value_get(value, &big) == 0);
    require(rmd_value_get(value, &n) < 0 || big == n);
    if (rmd_value_get(value, &x) == 0 && value->type == RMD_TYPE_INT)
        require((rmd_int128)x == value->as.integer);
    if (rmd_value_get(value, &text) == 0 && text)
        require(strlen(text) == value->as.bytes.len);
    (void)rmd_value_get(value, &bytes);
    require(rmd_value_get(value, &same) == 0 && same == value);
    for (size_t i = 0; value->type == RMD_TYPE_LIST && i < value->as.list.count; i++)
        read_all_ways(&value->as.list.items[i]);
}

static void show(const rmd_value *value)
{
    char text[64], shorter[64];
    int len = rmd_value_format(value, text, sizeof text);
    require(len >= 0);
    size_t cut = (size_t)len % sizeof shorter;
    require(rmd_value_format(value, shorter, cut) == len);
    require(!cut || strncmp(shorter, text, strlen(shorter)) == 0);
}

static void decode_into(rmd_bytes in, const rmd_value *value)
{
    rmd_value scratch[20];
    rmdi_document document;
    for (size_t room = 0; room <= sizeof scratch; room += 80) {
        require(rmdi_cbor_decode(&document, in, NULL, room % 160, scratch, room) == 0);
        require(rmd_value_equal(document.root, value));
        rmdi_document_free(&document);
    }
}

static int echo(rmd_call *call)
{
    const rmd_args *args = rmd_call_args(call);
    int64_t n;
    (void)rmd_call_get(call, 0, &n);
    (void)rmd_call_get_named(call, "b", &n);
    return rmd_call_return(call, rmd_list(args->values, args->count));
}

static void call_with(rmd_bytes in)
{
    static const rmd_function functions[] = {
        { .name = "free", .fn = echo },
        { .name = "bound", .fn = echo, .parameters = "a:int, b:float=, c:text=, *rest" },
    };
    rmdi_buffer result = { 0 };
    for (int i = 0; i < 2; i++) {
        int err = rmdi_call_run(&functions[i], in, 1, 1, NULL, &result, NULL);
        require(err == 0 ? result.len > 0 : result.len == 0 && *rmd_error_detail());
    }
    rmdi_buffer_free(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rmd_bytes in = { data, size };
    rmdi_buffer out = { 0 };
    const rmd_value *value = NULL;
    int err = rmd_value_decode(&value, in, NULL);
    if (err < 0) {
        require(!value && (err == RMD_EINVAL || err == RMD_E2BIG));
        call_with(in);
        return 0;
    }
    require(rmdi_cbor_encode(&out, value) == 0);
    require(rmdi_bytes_equal(rmdi_buffer_view(&out), in));
    require(rmd_value_equal(value, value));
    decode_into(in, value);
    read_all_ways(value);
    show(value);
    call_with(in);
    rmdi_buffer_free(&out);
    rmd_value_free(value);
    return 0;
}
