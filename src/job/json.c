/* SPDX-License-Identifier: MIT */
#include "job/json.h"

#include "data/bytes.h"

#include <stdio.h>
#include <time.h>

/* The length of the character at the beginning of text, 0 when it is none: RFC 3629, without
 * overlong forms, surrogates, and what lies beyond U+10FFFF. */
static size_t character(const unsigned char *text, size_t len)
{
    unsigned char c = text[0], low = 0x80, high = 0xbf;
    size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
    if (n == 1)
        return 1;
    if (c < 0xc2 || c > 0xf4 || n > len)
        return 0;
    low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : low;
    high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : high;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static json_t *repaired(rmd_bytes text)
{
    rmdi_buffer valid = { 0 };
    int err = rmdi_buffer_add(&valid, "", 0);
    const unsigned char *at = text.data, *end = at + text.len;
    while (at < end && err == 0) {
        size_t n = character(at, (size_t)(end - at));
        err = n ? rmdi_buffer_add(&valid, at, n) : rmdi_buffer_add_text(&valid, "\xef\xbf\xbd");
        at += n ? n : 1;
    }
    json_t *string = err == 0 ? json_stringn(valid.data, valid.len) : NULL;
    rmdi_buffer_free(&valid);
    return string;
}

json_t *rmdi_json_text(rmd_bytes text)
{
    json_t *string = json_stringn(text.len ? text.data : "", text.len);
    return string ? string : repaired(text);
}

json_t *rmdi_json_time(int64_t realtime_ns)
{
    char text[64], whole[40];
    struct tm parts;
    time_t seconds = (time_t)(realtime_ns / 1000000000);
    if (!realtime_ns || !gmtime_r(&seconds, &parts))
        return json_null();
    strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof text, "%s.%06dZ", whole, (int)(realtime_ns % 1000000000 / 1000));
    return json_string(text);
}

json_t *rmdi_json_census(const rmd_census *census)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "submitted",
                     (json_int_t)census->submitted, "ok", (json_int_t)census->ok, "failed",
                     (json_int_t)census->failed, "cancelled", (json_int_t)census->cancelled,
                     "timeout", (json_int_t)census->timeout, "lost", (json_int_t)census->lost,
                     "dead", (json_int_t)census->dead, "running",
                     (json_int_t)(census->queued + census->running));
}

void rmdi_json_free(char *text)
{
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    release(text);
}
