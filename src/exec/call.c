/* SPDX-License-Identifier: MIT */
#include "exec/call.h"

#include "base/alloc.h"
#include "base/error.h"
#include "data/cbor.h"
#include "data/value_get.h"
#include "exec/added.h"
#include "exec/function.h"
#include "port/forked.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FEW_NAMED = 16, SHOWN_MAX = 80 };

/* ---- encoding ---- */

/* What nobody could decode is refused here, where it was made. */
static int encode_limited(rmdi_buffer *out, const rmd_value *value)
{
    size_t before = out->len;
    int err = rmdi_cbor_encode(out, value);
    size_t len = out->len - before;
    if (err < 0 || len <= RMDI_CBOR_BYTES_MAX)
        return err;
    out->len = before;
    out->data[before] = 0;
    return rmdi_fail(RMD_E2BIG, "%zu bytes when encoded; the limit is %d", len,
                     RMDI_CBOR_BYTES_MAX);
}

/* Values at the end that have a name: how many stand in front of them. */
static int count_places(const rmd_args *args, size_t *places)
{
    size_t count = 0;
    while (count < args->count && args->values[count].type != RMD_TYPE_NAMED)
        count++;
    for (size_t i = count; i < args->count; i++)
        if (args->values[i].type != RMD_TYPE_NAMED)
            return rmdi_fail(RMD_EINVAL, "argument %zu has no name and stands behind one that has",
                             i + 1);
    *places = count;
    return 0;
}

static int encode_parts(rmdi_buffer *out, const rmd_args *args, size_t places,
                        const rmd_pair *named, size_t named_count)
{
    for (size_t i = 0; i < named_count; i++)
        if (named[i].key.type != RMD_TYPE_TEXT)
            return rmdi_fail(RMD_EINVAL, "the name of an argument is a text, not %s",
                             rmd_type_name(named[i].key.type));
    const rmd_value parts[] = { rmd_list(args->values, places), rmd_map_value(named, named_count) };
    rmd_value all = rmd_list(parts, named_count ? 2 : 1);
    return encode_limited(out, &all);
}

/* Those that stand among the values, and the others. */
static void collect(rmd_pair *all, const rmd_args *args, size_t places)
{
    for (size_t i = places; i < args->count; i++)
        *all++ = args->values[i].as.map.pairs[0];
    if (args->named_count)
        memcpy(all, args->named, args->named_count * sizeof *all);
}

static int encode_collected(rmdi_buffer *out, const rmd_args *args, size_t places)
{
    rmd_pair few[FEW_NAMED];
    size_t count = args->count - places + args->named_count;
    rmd_pair *all = count <= FEW_NAMED ? few : rmdi_alloc(count * sizeof *all);
    if (!all)
        return rmdi_fail_memory();
    collect(all, args, places);
    int err = encode_parts(out, args, places, all, count);
    if (all != few)
        rmdi_free(all);
    return err;
}

int rmdi_call_encode(rmdi_buffer *out, const rmd_args *args)
{
    static const rmd_args none;
    size_t places = 0;
    if (!args)
        args = &none;
    if ((args->count && !args->values) || (args->named_count && !args->named))
        return rmdi_fail(RMD_EINVAL, "arguments are counted, and none were given");
    int err = count_places(args, &places);
    if (err < 0)
        return err;
    return places < args->count ? encode_collected(out, args, places)
                                : encode_parts(out, args, places, args->named, args->named_count);
}

/* ---- what the body asks ---- */

size_t rmd_call_count(const rmd_call *call)
{
    return call->args.count;
}

static const rmd_value *argument(const rmd_call *call, size_t index)
{
    if (index >= call->args.count || call->args.values[index].type == RMD_TYPE_ABSENT)
        return NULL;
    return &call->args.values[index];
}

bool rmd_call_has(const rmd_call *call, size_t index)
{
    return argument(call, index) != NULL;
}

const rmd_args *rmd_call_args(const rmd_call *call)
{
    return &call->args;
}

/* "argument 2 (base)", or without the name if it has none. */
static void show_place(const rmd_call *call, size_t index, char *text, size_t size)
{
    const rmdi_parameters *all = call->parameters;
    if (all && index < all->count)
        snprintf(text, size, "argument %zu (%.*s)", index + 1, all->items[index].name_len,
                 all->items[index].name);
    else
        snprintf(text, size, "argument %zu", index + 1);
}

/* Without room for texts in the frame of the call itself. */
static __attribute__((noinline)) int fail_place(const rmd_call *call, int err, size_t index,
                                                const char *cause)
{
    char place[SHOWN_MAX];
    show_place(call, index, place, sizeof place);
    return rmdi_fail(err, "%s: %s%s", call->function->name, place, cause);
}

static __attribute__((noinline)) int fail_read(const rmd_call *call, int err, size_t index)
{
    char cause[RMDI_ERROR_DETAIL_MAX + 2];
    snprintf(cause, sizeof cause, ": %s", rmd_error_detail());
    return fail_place(call, err, index, cause);
}

int rmd_call_read(rmd_call *call, size_t index, rmd_wanted wanted, void *to)
{
    const rmd_value *value = argument(call, index);
    if (!value)
        return fail_place(call, RMD_ENOENT, index, " is missing");
    int err = rmd_value_read(value, wanted, to);
    return err < 0 ? fail_read(call, err, index) : 0;
}

static const rmd_value *find_named(const rmd_args *args, const char *name, size_t len)
{
    for (size_t i = 0; i < args->named_count; i++) {
        rmd_bytes key = args->named[i].key.as.bytes;
        if (key.len == len && memcmp(key.data, name, len) == 0)
            return &args->named[i].value;
    }
    return NULL;
}

int rmd_call_read_named(rmd_call *call, const char *name, rmd_wanted wanted, void *to)
{
    if (!name)
        return rmdi_fail(RMD_EINVAL, "%s: no name of an argument was given", call->function->name);
    size_t len = strlen(name);
    size_t index = call->parameters ? rmdi_parameters_find(call->parameters, name, len) : 0;
    if (call->parameters && index < call->parameters->count)
        return rmd_call_read(call, index, wanted, to);
    const rmd_value *value = find_named(&call->args, name, len);
    if (!value)
        return rmdi_fail(RMD_ENOENT, "%s: argument \"%s\" is missing", call->function->name, name);
    int err = rmd_value_read(value, wanted, to);
    return err < 0 ? rmdi_fail(err, "%s: argument \"%s\": %s", call->function->name, name,
                               rmd_error_detail())
                   : 0;
}

/* The body may go on in a fork of its process: what was lent is memory that both share. */
static void leave_to_parent(rmd_call *call)
{
    if (call->result->lent && !rmdi_process_is(call->process))
        rmdi_buffer_free(call->result);
}

int rmd_call_return_value(rmd_call *call, rmd_value value)
{
    leave_to_parent(call);
    rmdi_buffer_clear(call->result);
    int err = encode_limited(call->result, &value);
    call->returned = err == 0;
    return err < 0 ? rmdi_fail(err, "%s: the result: %s", call->function->name, rmd_error_detail())
                   : 0;
}

int rmd_call_add(rmd_call *call, const char *function, rmd_args args)
{
    if (!call)
        return rmdi_fail(RMD_EINVAL, "add: no call was given");
    const char *name = call->function->name;
    if (!call->added)
        return rmdi_fail(RMD_ENOTSUP, "%s: only a task of a map can add tasks", name);
    if (!function || !rmd_function_find(function))
        return rmdi_fail(RMD_ENOENT, "%s: no function is called \"%.*s\"", name, SHOWN_MAX,
                         function ? function : "(null)");
    int err = rmdi_added_call(call->added, function, &args);
    return err < 0 ? rmdi_fail(err, "%s: a task of %s that it adds: %s", name, function,
                               rmd_error_detail())
                   : 0;
}

int rmd_call_fail(rmd_call *call, int code, const char *format, ...)
{
    va_list args;
    (void)call;
    va_start(args, format);
    code = rmdi_fail_args(code, format, args);
    va_end(args);
    return code;
}

uint64_t rmd_call_id(const rmd_call *call)
{
    return call->id;
}

unsigned rmd_call_attempt(const rmd_call *call)
{
    return call->attempt;
}

const char *rmd_call_name(const rmd_call *call)
{
    return call->function->name;
}

bool rmd_call_cancelled(const rmd_call *call)
{
    return rmd_stop_requested(call->stop);
}

/* ---- arguments: from bytes to places ---- */

static bool are_texts(const rmd_value *map)
{
    for (size_t i = 0; i < map->as.map.count; i++)
        if (map->as.map.pairs[i].key.type != RMD_TYPE_TEXT)
            return false;
    return true;
}

int rmdi_call_parts(const rmd_value *root, rmd_args *args)
{
    const rmd_value *values = rmd_value_at(root, 0), *named = rmd_value_at(root, 1);
    bool good = values && values->type == RMD_TYPE_LIST && root->as.list.count <= 2;
    if (good && named)
        good = named->type == RMD_TYPE_MAP && named->as.map.count && are_texts(named);
    if (!good)
        return rmdi_fail(RMD_EINVAL, "what came is not arguments: [[values]] or [[values], "
                                     "{names: values}]");
    args->values = values->as.list.items;
    args->count = values->as.list.count;
    args->named = named ? named->as.map.pairs : NULL;
    args->named_count = named ? named->as.map.count : 0;
    return 0;
}

/* Not inlined: what decoding takes of the stack is free again while the body runs. */
static __attribute__((noinline)) int decode(rmd_call *call, rmd_bytes encoded,
                                            rmdi_document *document)
{
    int err = rmdi_cbor_decode(document, encoded, NULL, true, call->scratch, sizeof call->scratch);
    if (err < 0)
        return rmdi_fail(err, "%s: arguments: %s", call->function->name, rmd_error_detail());
    err = rmdi_call_parts(document->root, &call->args);
    return err < 0 ? rmdi_fail(err, "%s: %s", call->function->name, rmd_error_detail()) : 0;
}

static int refuse_name(const rmd_call *call, rmd_bytes name, const char *before, const char *behind)
{
    return rmdi_fail(RMD_EINVAL, "%s: %s \"%.*s\"%s", call->function->name, before,
                     name.len < SHOWN_MAX ? (int)name.len : SHOWN_MAX, (const char *)name.data,
                     behind);
}

/* Each argument that has a name goes to its place. */
static int place_named(rmd_call *call, rmd_value *bound)
{
    const rmdi_parameters *all = call->parameters;
    for (size_t i = 0; i < call->args.named_count; i++) {
        rmd_bytes name = call->args.named[i].key.as.bytes;
        size_t place = rmdi_parameters_find(all, name.data, name.len);
        if (place == all->count)
            return refuse_name(call, name, "unknown argument", "");
        if (bound[place].type != RMD_TYPE_ABSENT)
            return refuse_name(call, name, "argument", " is given twice");
        bound[place] = call->args.named[i].value;
    }
    return 0;
}

static int bind_named(rmd_call *call)
{
    size_t given = call->args.count;
    size_t count = given > call->parameters->count ? given : call->parameters->count;
    rmd_value *bound = call->bound;
    if (count > RMDI_CALL_BOUND) {
        bound = call->bound_owned = rmdi_alloc(count * sizeof *bound);
        if (!bound)
            return rmdi_fail_memory();
    }
    if (given)
        memcpy(bound, call->args.values, given * sizeof *bound);
    for (size_t i = given; i < count; i++)
        bound[i] = (rmd_value){ .type = RMD_TYPE_ABSENT };
    int err = place_named(call, bound);
    while (count && bound[count - 1].type == RMD_TYPE_ABSENT)
        count--;
    call->args = (rmd_args){ .values = bound, .count = count };
    return err;
}

static __attribute__((noinline)) int refuse_type(const rmd_call *call, size_t index,
                                                 const rmdi_parameter *parameter)
{
    char value[SHOWN_MAX], cause[2 * SHOWN_MAX];
    rmdi_value_show(&call->args.values[index], value, sizeof value);
    snprintf(cause, sizeof cause, " is %s, not %s", value, rmdi_parameter_type_name(parameter));
    return fail_place(call, RMD_EINVAL, index, cause);
}

static int check_place(const rmd_call *call, size_t index)
{
    const rmdi_parameters *all = call->parameters;
    const rmdi_parameter *p = index < all->count ? &all->items[index] : &all->rest;
    const rmd_value *value = argument(call, index);
    if (value)
        return rmdi_parameter_takes(p, value) ? 0 : refuse_type(call, index, p);
    return p->optional ? 0
                       : rmdi_fail(RMD_EINVAL, "%s: argument \"%.*s\" is missing",
                                   call->function->name, p->name_len, p->name);
}

static int check_places(rmd_call *call)
{
    const rmdi_parameters *all = call->parameters;
    size_t given = call->args.count;
    int err = 0;
    if (given > all->count && !all->has_rest)
        return rmdi_fail(RMD_EINVAL, "%s takes %zu argument%s, and %zu were given",
                         call->function->name, all->count, all->count == 1 ? "" : "s", given);
    if (call->args.named_count)
        err = bind_named(call);
    size_t count = call->args.count > all->count ? call->args.count : all->count;
    for (size_t i = 0; i < count && err == 0; i++)
        err = check_place(call, i);
    return err;
}

/* A function that is not in the table, so that its parameters are read for each call. */
static int check_unknown(rmd_call *call, rmdi_parameters **owned)
{
    int err = rmdi_parameters_parse(owned, call->function->parameters);
    if (err < 0)
        return rmdi_fail(err, "%s: %s", call->function->name, rmd_error_detail());
    call->parameters = *owned;
    return 0;
}

static int prepare(rmd_call *call, rmd_bytes encoded, rmdi_document *document,
                   rmdi_parameters **owned)
{
    int err = decode(call, encoded, document);
    if (err < 0 || !call->function->parameters)
        return err;
    call->parameters = rmdi_function_parameters(call->function);
    if (!call->parameters)
        err = check_unknown(call, owned);
    return err < 0 ? err : check_places(call);
}

/* ---- running ---- */

static int end_failed(const rmd_call *call, int err)
{
    if (err > 0)
        return rmdi_fail(RMD_EINVAL, "%s returned %d; a body returns 0, or a negative code",
                         call->function->name, err);
    if (!*rmd_error_detail())
        return rmdi_fail(err, "%s: %s", call->function->name, rmd_strerror(err));
    return err;
}

static int run_body(rmd_call *call)
{
    if (*rmd_error_detail())
        (void)rmdi_fail_copy(0, ""); /* what an earlier failure left is not about this one */
    int err = call->function->fn(call);
    leave_to_parent(call);
    if (err != 0)
        return end_failed(call, err);
    return call->returned ? 0 : rmd_call_return_value(call, rmd_null());
}

/* They travel together. */
static int check_all(const rmd_call *call)
{
    size_t len = call->result->len + call->added->len;
    if (len <= RMDI_CBOR_BYTES_MAX)
        return 0;
    return rmdi_fail(RMD_E2BIG, "%s: its result and what it adds have %zu bytes; the limit is %d",
                     call->function->name, len, RMDI_CBOR_BYTES_MAX);
}

int rmdi_call_run(const rmd_function *function, rmd_bytes encoded, uint64_t id, unsigned attempt,
                  const rmd_stop *stop, rmdi_buffer *result, rmdi_buffer *added)
{
    rmd_call call; /* but for the scratch memory, set here */
    rmdi_document document = { 0 };
    rmdi_parameters *owned = NULL;
    call.function = function;
    call.parameters = NULL;
    call.args = (rmd_args){ 0 };
    call.id = id;
    call.attempt = attempt;
    call.returned = false;
    call.stop = stop;
    call.result = result;
    call.added = added;
    call.process = result->lent ? rmdi_process_mark() : 0;
    call.bound_owned = NULL;
    rmdi_buffer_clear(result);
    int err = prepare(&call, encoded, &document, &owned);
    size_t added_before = added ? added->len : 0;
    if (err == 0)
        err = run_body(&call);
    if (err == 0 && added && added->len > added_before)
        err = check_all(&call);
    if (err < 0) {
        rmdi_buffer_clear(result);
        if (added)
            added->len = added_before;
    }
    rmdi_free(call.bound_owned);
    rmdi_free(owned);
    rmdi_document_free(&document);
    return err;
}
