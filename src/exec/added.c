/* SPDX-License-Identifier: MIT */
#include "exec/added.h"

#include "base/error.h"
#include "data/cbor.h"
#include "exec/call.h"
#include "exec/frame.h"
#include "exec/future.h"

#include <string.h>

typedef struct head {
    uint32_t name_len; /* with the 0; none: by pointer */
    uint32_t len;      /* of what follows the name */
} head;

/* The one that begins at `before` is complete, or is not there. */
static int close_entry(rmdi_buffer *added, size_t before, uint32_t name_len, int err)
{
    if (err == 0 && added->len > RMDI_CBOR_BYTES_MAX)
        err = rmdi_fail(RMD_E2BIG, "what a task adds has more than %d bytes in all",
                        RMDI_CBOR_BYTES_MAX);
    if (err < 0) {
        added->len = before;
        return err;
    }
    head h = { name_len, (uint32_t)(added->len - before - sizeof h - name_len) };
    memcpy(added->data + before, &h, sizeof h);
    return 0;
}

/* So that it is the body that is told, and not who reads it. A value has at least one byte. */
static int check_values(const rmdi_buffer *added, size_t from)
{
    rmdi_document document = { 0 };
    rmd_bytes encoded = { added->data + from, added->len - from };
    if (encoded.len <= RMDI_CBOR_ITEMS_MAX)
        return 0;
    int err = rmdi_cbor_decode(&document, encoded, NULL, true, NULL, 0);
    rmdi_document_free(&document);
    return err;
}

int rmdi_added_call(rmdi_buffer *added, const char *function, const rmd_args *args)
{
    const head unknown = { 0 };
    size_t before = added->len, name_len = strlen(function) + 1;
    int err = rmdi_buffer_add(added, &unknown, sizeof unknown);
    if (err == 0)
        err = rmdi_buffer_add(added, function, name_len);
    if (err < 0)
        err = rmdi_fail_memory();
    else
        err = rmdi_call_encode(added, args);
    if (err == 0)
        err = check_values(added, before + sizeof unknown + name_len);
    return close_entry(added, before, (uint32_t)name_len, err);
}

int rmdi_added_submit(rmdi_buffer *added, rmd_task_fn *fn, void *arg)
{
    const head unknown = { 0 };
    const rmd_task task = { fn, arg };
    size_t before = added->len;
    int err = rmdi_buffer_add(added, &unknown, sizeof unknown);
    if (err == 0)
        err = rmdi_buffer_add(added, &task, sizeof task);
    return close_entry(added, before, 0, err < 0 ? rmdi_fail_memory() : 0);
}

static int refuse(void)
{
    return rmdi_fail(RMD_EIO, "what a worker says that a task has added are no tasks");
}

static bool take_bytes(rmd_bytes *rest, size_t len, rmd_bytes *taken)
{
    if (len > rest->len)
        return false;
    *taken = (rmd_bytes){ rest->data, len };
    *rest = (rmd_bytes){ (const char *)rest->data + len, rest->len - len };
    return true;
}

static int read_name(rmd_bytes name, rmdi_addition *addition)
{
    const char *text = name.data;
    if (memchr(text, 0, name.len) != text + name.len - 1)
        return refuse();
    addition->function = text;
    return 1;
}

int rmdi_added_take(rmd_bytes *rest, rmdi_addition *addition)
{
    head h;
    rmd_bytes taken, name;
    if (!rest->len)
        return 0;
    if (!take_bytes(rest, sizeof h, &taken))
        return refuse();
    memcpy(&h, taken.data, sizeof h);
    *addition = (rmdi_addition){ 0 };
    if (!take_bytes(rest, h.name_len, &name) || !take_bytes(rest, h.len, &addition->arguments))
        return refuse();
    if (h.name_len)
        return read_name(name, addition);
    if (h.len != sizeof addition->task)
        return refuse();
    memcpy(&addition->task, addition->arguments.data, sizeof addition->task);
    return 1;
}

int rmdi_added_arguments(const rmdi_addition *addition, const rmd_value **value, rmd_args *args)
{
    int err = rmd_value_decode(value, addition->arguments, NULL);
    if (err < 0)
        return err;
    err = rmdi_call_parts(*value, args);
    if (err < 0)
        rmd_value_free(*value);
    return err < 0 ? refuse() : 0;
}

int rmdi_added_check(rmd_bytes added)
{
    rmdi_addition addition;
    int got;
    while ((got = rmdi_added_take(&added, &addition)) == 1) {
        const rmd_value *value;
        rmd_args args;
        if (!addition.function || rmdi_added_arguments(&addition, &value, &args) < 0)
            return refuse();
        rmd_value_free(value);
    }
    return got;
}

/* ---- what users see of it ---- */

static int tell(rmd_added_fn *fn, void *ctx, const rmdi_addition *addition)
{
    rmd_added added = { .function = addition->function,
                        .fn = addition->task.fn,
                        .arg = addition->task.arg };
    const rmd_value *arguments = NULL;
    int err = added.function ? rmdi_added_arguments(addition, &arguments, &added.args) : 0;
    if (err < 0)
        return err;
    err = fn(ctx, &added);
    rmd_value_free(arguments);
    return err;
}

int rmd_future_added(const rmd_future *future, rmd_added_fn *fn, void *ctx)
{
    rmdi_addition addition;
    rmd_bytes rest = { 0 };
    if (!future || !fn)
        return rmdi_fail(RMD_EINVAL, "added: a future and a function to be called must be given");
    if (!rmdi_future_ended(future))
        return rmdi_future_not_ended(future, RMD_EBUSY);
    if (future->ops->added)
        rest = future->ops->added(future);
    int more, result = 0;
    while (result == 0 && (more = rmdi_added_take(&rest, &addition)) != 0)
        result = more < 0 ? more : tell(fn, ctx, &addition);
    return result;
}

int rmd_task_add(rmd_task_fn *fn, void *arg)
{
    const rmdi_frame *frame = rmdi_frame_now();
    if (!fn)
        return rmdi_fail(RMD_EINVAL, "add: no function was given");
    if (!frame || !frame->added)
        return rmdi_fail(RMD_ENOTSUP,
                         "only a task of a map on threads can add functions by pointer");
    return rmdi_added_submit(frame->added, fn, arg);
}
