/* SPDX-License-Identifier: MIT */
#include "job/json.h"

#include "data/bytes.h"
#include "data/utf8.h"

#include <stdio.h>
#include <time.h>

static json_t *repaired(rmd_bytes text)
{
    rmdi_buffer valid = { 0 };
    int err = rmdi_buffer_add(&valid, "", 0);
    const unsigned char *at = text.data, *end = at + text.len;
    while (at < end && err == 0) {
        size_t n;
        uint32_t c = rmdi_utf8_decode(at, (size_t)(end - at), &n);
        bool wrong = c == RMDI_UTF8_REPLACEMENT && n == 1;
        err = wrong ? rmdi_buffer_add_text(&valid, "\xef\xbf\xbd") : rmdi_buffer_add(&valid, at, n);
        at += n;
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
