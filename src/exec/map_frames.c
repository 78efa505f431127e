/* SPDX-License-Identifier: MIT */
/* Tasks from another process: calls as frames, [function, [arguments], {name: argument}]. That is
 * the name in front of what rmdi_call_encode() makes, in one list. */
#include "exec/map.h"

#include "data/cbor.h"
#include "exec/call.h"

#include <string.h>

enum { LIST = 0x80, NAMES_MAX = 3 };

/* ---- there ---- */

static int encode(rmdi_buffer *frame, const char *function, const rmd_args *args)
{
    rmdi_buffer arguments = { 0 }, name = { 0 };
    rmd_value text = rmd_text(function);
    int err = rmdi_cbor_encode(&name, &text);
    if (err == 0)
        err = rmdi_call_encode(&arguments, args);
    if (err == 0) { /* its first byte is the head of a list of one or two */
        unsigned parts = 1u + ((unsigned char)arguments.data[0] & 3u);
        if (rmdi_buffer_add_byte(frame, (char)(LIST | parts)) < 0 ||
            rmdi_buffer_add(frame, name.data, name.len) < 0 ||
            rmdi_buffer_add(frame, arguments.data + 1, arguments.len - 1) < 0)
            err = rmdi_fail_memory();
    }
    rmdi_buffer_free(&arguments);
    rmdi_buffer_free(&name);
    return err;
}

int rmd_map_write(rmd_framed *framed, const char *function, rmd_args args, rmd_deadline deadline)
{
    rmdi_buffer frame = { 0 };
    if (!function)
        return rmdi_fail(RMD_ENOENT, "map: a call of no function");
    int err = encode(&frame, function, &args);
    if (err == 0)
        err = rmd_framed_write(framed, rmdi_buffer_view(&frame), deadline);
    rmdi_buffer_free(&frame);
    return err;
}

/* ---- here ---- */

static int refuse(void)
{
    return rmdi_fail(RMD_EINVAL,
                     "map: a frame is no call: [function, [arguments], {name: argument}]");
}

static int submit(rmd_map_task *task, const rmd_value *call)
{
    const rmd_value *name = rmd_value_at(call, 0);
    rmd_args args;
    if (!name || name->type != RMD_TYPE_TEXT || call->as.list.count > NAMES_MAX ||
        memchr(name->as.bytes.data, 0, name->as.bytes.len))
        return refuse();
    const rmd_value rest = rmd_list(call->as.list.items + 1, call->as.list.count - 1);
    if (rmdi_call_parts(&rest, &args) < 0)
        return refuse();
    return rmd_map_call(task, name->as.bytes.data, args);
}

int rmd_map_read(rmd_map_task *task, rmd_framed *framed)
{
    rmd_bytes frame;
    const rmd_value *call;
    if (!task)
        return rmdi_fail(RMD_EINVAL, "map: no task was given");
    int err = rmd_framed_read(framed, &frame, task->map->deadline);
    if (err < 0)
        return err == RMD_ECLOSED ? 0 : err;
    err = rmd_value_decode(&call, frame, NULL);
    if (err < 0)
        return rmdi_fail(err, "map: a frame: %s", rmd_error_detail());
    err = submit(task, call);
    rmd_value_free(call);
    return err;
}
