/* SPDX-License-Identifier: MIT */
#include "job/json_form.h"

#include "data/bytes.h"
#include "data/cbor.h"
#include "job/base64.h"

#include <string.h>

rmdi_json_form rmdi_json_form_of(const rmd_value *key)
{
    static const char *const names[] = { "",
#define NAME(name, text) text,
                                         RMDI_JSON_FORMS(NAME)
#undef NAME
    };
    if (key->type != RMD_TYPE_TEXT || !key->as.bytes.len ||
        *(const char *)key->as.bytes.data != '$')
        return RMDI_JSON_PLAIN;
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        if (rmdi_bytes_equal(key->as.bytes, rmdi_bytes_of(names[i])))
            return (rmdi_json_form)i;
    return RMDI_JSON_PLAIN;
}

/* The bytes of a text, which may be changed; none, and NULL, of what is no text. */
static unsigned char *text_of(const rmd_value *value, size_t *len)
{
    bool is = value->type == RMD_TYPE_TEXT;
    *len = is ? value->as.bytes.len : 0;
    return is ? (unsigned char *)(uintptr_t)value->as.bytes.data : NULL;
}

static const char *read_bytes(const rmd_value *under, rmd_value *to)
{
    size_t len;
    unsigned char *text = text_of(under, &len);
    int64_t read = text ? rmdi_base64_read(under->as.bytes, text) : -1;
    if (read < 0)
        return "\"$bytes\" takes a text of base64";
    *to = rmd_bytes_value((rmd_bytes){ text, (size_t)read });
    return NULL;
}

static const char *read_float(const rmd_value *under, rmd_value *to)
{
    static const char *const names[] = { "nan", "inf", "-inf" };
    const double floats[] = { __builtin_nan(""), __builtin_inf(), -__builtin_inf() };
    for (size_t i = 0; i < 3 && under->type == RMD_TYPE_TEXT; i++) {
        if (rmdi_bytes_equal(under->as.bytes, rmdi_bytes_of(names[i]))) {
            *to = rmd_float(floats[i]);
            return NULL;
        }
    }
    return "\"$float\" takes \"nan\", \"inf\" or \"-inf\"";
}

/* 0 to 15, or 16. */
static unsigned hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16;
}

/* Two digits are a byte, which takes the place of one that has been read. */
static const char *read_int(const rmd_value *under, rmd_value *to)
{
    static const char wrong[] = "\"$int\" takes a text like \"0x01ff\" or \"-0x01ff\"";
    size_t len;
    unsigned char *text = text_of(under, &len);
    bool negative = len && *text == '-';
    size_t begin = negative ? 3 : 2;
    if (len <= begin || memcmp(text + negative, "0x", 2) != 0 || (len - begin) % 2)
        return wrong;
    unsigned char *magnitude = text + begin;
    for (size_t i = 0; i < (len - begin) / 2; i++) {
        unsigned high = hex_value(magnitude[2 * i]), low = hex_value(magnitude[2 * i + 1]);
        if (high > 15 || low > 15)
            return wrong;
        magnitude[i] = (unsigned char)(high << 4 | low);
    }
    *to = rmd_big_of(negative, (rmd_bytes){ magnitude, (len - begin) / 2 });
    return NULL;
}

static bool is_pair(const rmd_value *item)
{
    return item->type == RMD_TYPE_LIST && item->as.list.count == 2 &&
           rmdi_cbor_is_scalar(item->as.list.items[0].type);
}

static const char *read_map(const rmd_value *under, rmd_value *room, rmd_value *to)
{
    rmd_pair *pairs = (rmd_pair *)(void *)room; /* a pair is two values and nothing else */
    size_t count = under->type == RMD_TYPE_LIST ? under->as.list.count : 0;
    bool good = under->type == RMD_TYPE_LIST;
    for (size_t i = 0; i < count && good; i++) {
        const rmd_value *item = &under->as.list.items[i];
        good = is_pair(item);
        if (good)
            pairs[i] = (rmd_pair){ item->as.list.items[0], item->as.list.items[1] };
    }
    if (!good)
        return "\"$map\" takes a list of [key, value], whose keys are no lists or maps";
    *to = rmd_map_value(pairs, count);
    return NULL;
}

static const char *read_reference(const rmd_value *under, rmd_value *room, rmd_value *to)
{
    if (under->type != RMD_TYPE_TEXT && under->type != RMD_TYPE_BYTES &&
        under->type != RMD_TYPE_LIST)
        return "\"$reference\" takes a text, bytes or a list";
    *room = *under;
    *to = rmd_reference(room);
    return NULL;
}

const char *rmdi_json_form_read(rmdi_json_form form, const rmd_value *under, rmd_value *room,
                                rmd_value *to)
{
    switch (form) {
    case RMDI_JSON_BYTES: return read_bytes(under, to);
    case RMDI_JSON_FLOAT: return read_float(under, to);
    case RMDI_JSON_INT: return read_int(under, to);
    case RMDI_JSON_MAP: return read_map(under, room, to);
    case RMDI_JSON_REFERENCE: return read_reference(under, room, to);
    default: return "";
    }
}
