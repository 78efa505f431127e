/* SPDX-License-Identifier: MIT */
/* What a map collects: values, encoded one behind the other, and a list of them at the end. */
#include "exec/map.h"

#include "data/cbor.h"

#include <string.h>

enum { HEAD_MAX = 9, LIST = 4 << 5 };

/* The head of a CBOR list of n items: see docs/protocol/values.md. */
static size_t write_head(unsigned char head[HEAD_MAX], uint64_t n)
{
    unsigned size = n < 24 ? 0 : n <= UINT8_MAX ? 1 : n <= UINT16_MAX ? 2 : n <= UINT32_MAX ? 4 : 8;
    unsigned code = n < 24 ? (unsigned)n : size == 1 ? 24 : size == 2 ? 25 : size == 4 ? 26 : 27;
    head[0] = (unsigned char)(LIST | code);
    for (unsigned i = 0; i < size; i++)
        head[1 + i] = (unsigned char)(n >> 8 * (size - 1 - i));
    return 1 + size;
}

/* Has it at most so many levels? The list of all is one more. */
static bool is_within(const rmd_value *value, unsigned levels)
{
    bool good = levels > 0;
    if (value->type == RMD_TYPE_LIST)
        for (size_t i = 0; i < value->as.list.count && good; i++)
            good = is_within(&value->as.list.items[i], levels - 1);
    if (value->type == RMD_TYPE_MAP)
        for (size_t i = 0; i < value->as.map.count && good; i++)
            good = is_within(&value->as.map.pairs[i].value, levels - 1);
    return good;
}

/* What is to be collected of a task: what the user says; or its own value. */
static int value_of(rmdi_map *m, rmd_future *future, uint64_t index, rmd_value *value)
{
    const rmd_value *own;
    if (m->options->collect)
        return m->options->collect(m->options->ctx, future, index, value);
    if (rmd_future_outcome(future) != RMD_OUTCOME_OK) { /* the sink has let it pass */
        *value = rmd_null();
        return 0;
    }
    int err = rmd_future_value(future, &own);
    if (err == 0)
        *value = *own;
    return err;
}

int rmdi_map_collect(rmdi_map *m, rmd_future *future, uint64_t index)
{
    rmd_value value = { .type = RMD_TYPE_ABSENT };
    int err = value_of(m, future, index, &value);
    if (err < 0 || value.type == RMD_TYPE_ABSENT)
        return err < 0 ? err : 0;
    if (!is_within(&value, RMD_VALUE_DEPTH_MAX - 1))
        return rmdi_fail(RMD_E2BIG, "map: what is collected has more than %d levels",
                         RMD_VALUE_DEPTH_MAX - 1);
    err = rmdi_cbor_encode(&m->collected, &value);
    m->collected_len += err == 0;
    return err;
}

int rmdi_map_collected(rmdi_map *m)
{
    static const rmd_value_limits no_limits = { sizeof no_limits, SIZE_MAX, SIZE_MAX,
                                                RMD_VALUE_DEPTH_MAX };
    unsigned char head[HEAD_MAX];
    size_t len = write_head(head, m->collected_len), before = m->collected.len;
    if (rmdi_buffer_add(&m->collected, head, len) < 0)
        return rmdi_fail_memory();
    memmove(m->collected.data + len, m->collected.data, before);
    memcpy(m->collected.data, head, len);
    return rmd_value_decode(m->options->collected, rmdi_buffer_view(&m->collected), &no_limits);
}
