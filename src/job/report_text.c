/* SPDX-License-Identifier: MIT */
#include "job/report_text.h"

#include "data/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const int64_t second_ns = 1000 * 1000 * 1000;

enum { PICTURES = 0x2400, PICTURE_OF_DELETE = 0x2421 };

/* ---- characters ---- */

static bool turns_direction(uint32_t c)
{
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static uint32_t shown_as(uint32_t c)
{
    if (c == '\n' || c == '\t')
        return c;
    if (c < 0x20)
        return PICTURES + c;
    if (c == 0x7f)
        return PICTURE_OF_DELETE;
    if ((c >= 0x80 && c < 0xa0) || turns_direction(c) || (c & 0xfffe) == 0xfffe)
        return RMDI_UTF8_REPLACEMENT;
    return c;
}

static size_t encode(uint32_t c, char bytes[4])
{
    if (c < 0x80) {
        bytes[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = len; i-- > 1; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(first[len] | c);
    return len;
}

/* As JSON within a page, where < is \u003c. */
static size_t cost_of(uint32_t c, size_t len)
{
    return c == '<' ? 6 : strchr("\n\t\"\\/", (int)c) && c < 0x80 ? 2 : len;
}

int rmdi_report_clean(rmd_bytes raw, size_t limit, rmdi_buffer *text)
{
    const unsigned char *at = raw.data;
    size_t before = text->len, cost = 0, taken;
    int err = 0;
    for (size_t left = raw.len; left && err == 0; left -= taken, at += taken) {
        char bytes[4];
        uint32_t c = shown_as(rmdi_utf8_decode(at, left, &taken));
        size_t len = encode(c, bytes);
        cost += cost_of(c, len);
        if (limit && cost > limit) {
            err = rmdi_buffer_add_text(text, "…");
            break;
        }
        err = rmdi_buffer_add(text, bytes, len);
    }
    if (err < 0)
        text->len = before;
    return err;
}

int rmdi_report_escape(rmd_bytes clean, rmdi_buffer *text)
{
    const char *at = clean.data, *end = at + clean.len;
    int err = 0;
    while (err == 0 && at < end) {
        const char *plain = at;
        while (at < end && !strchr("&<>\"'", *at))
            at++;
        err = at > plain ? rmdi_buffer_add(text, plain, (size_t)(at - plain)) : 0;
        if (err == 0 && at < end)
            err = rmdi_buffer_add_format(text, "&#%d;", *at++);
    }
    return err;
}

/* ---- numbers; without %f, whose point depends on the locale ---- */

/* Three digits: 1.40, 14.2, 142. */
static int add_three(double value, const char *unit, rmdi_buffer *text)
{
    unsigned hundredths = (unsigned)(value * 100 + .5);
    if (hundredths < 1000)
        return rmdi_buffer_add_format(text, "%u.%02u %s", hundredths / 100, hundredths % 100, unit);
    unsigned tenths = (unsigned)(value * 10 + .5);
    if (tenths < 1000)
        return rmdi_buffer_add_format(text, "%u.%u %s", tenths / 10, tenths % 10, unit);
    return rmdi_buffer_add_format(text, "%u %s", (unsigned)(value + .5), unit);
}

static int add_pair(int64_t value, int64_t per, const char *big, const char *small,
                    rmdi_buffer *text)
{
    return rmdi_buffer_add_format(text, "%" PRId64 " %s %02" PRId64 " %s", value / per, big,
                                  value % per, small);
}

int rmdi_report_time(int64_t ns, rmdi_buffer *text)
{
    if (ns <= 0)
        return rmdi_buffer_add_text(text, "0 s");
    if (ns < 1000)
        return rmdi_buffer_add_format(text, "%d ns", (int)ns);
    if (ns < 999500)
        return add_three((double)ns / 1e3, "µs", text);
    if (ns < 999500 * INT64_C(1000))
        return add_three((double)ns / 1e6, "ms", text);
    int64_t whole = ns / second_ns + (ns % second_ns >= second_ns / 2);
    if (whole < 60)
        return add_three((double)ns / 1e9, "s", text);
    if (whole < 3600)
        return add_pair(whole, 60, "min", "s", text);
    if (whole < 48 * 3600)
        return add_pair(whole / 60, 60, "h", "min", text);
    return rmdi_buffer_add_format(text, "%" PRId64 " d %" PRId64 " h", whole / 86400,
                                  whole % 86400 / 3600);
}

int rmdi_report_mark(int64_t ns, rmdi_buffer *text)
{
    static const struct {
        int64_t ns;
        const char *name;
    } units[] = { { INT64_C(86400000000000), "d" },
                  { INT64_C(3600000000000), "h" },
                  { INT64_C(60000000000), "min" },
                  { 1000000000, "s" },
                  { 1000000, "ms" },
                  { 1000, "µs" },
                  { 1, "ns" } };
    if (ns <= 0)
        return rmdi_buffer_add_text(text, "0");
    size_t i = 0;
    while (ns < units[i].ns)
        i++;
    int64_t whole = ns / units[i].ns, rest = ns % units[i].ns;
    int64_t tenths = rest * 10 / units[i].ns;
    if (i == 1 || i == 2) { /* sixtieths */
        int64_t part = rest / units[i + 1].ns;
        return part ? rmdi_buffer_add_format(text, "%" PRId64 ":%02" PRId64 " %s", whole, part,
                                             units[i].name)
                    : rmdi_buffer_add_format(text, "%" PRId64 " %s", whole, units[i].name);
    }
    return tenths ? rmdi_buffer_add_format(text, "%" PRId64 ".%" PRId64 " %s", whole, tenths,
                                           units[i].name)
                  : rmdi_buffer_add_format(text, "%" PRId64 " %s", whole, units[i].name);
}

static const char *const sizes[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

int rmdi_report_size_mark(uint64_t bytes, rmdi_buffer *text)
{
    size_t i = 0;
    uint64_t unit = 1024;
    for (; bytes >= unit * 1024 && i < 4; i++)
        unit *= 1024;
    return bytes % unit ? rmdi_report_size(bytes, text)
                        : rmdi_buffer_add_format(text, "%u %s", (unsigned)(bytes / unit),
                                                 bytes ? sizes[i] : "B");
}

int rmdi_report_size(uint64_t bytes, rmdi_buffer *text)
{
    if (bytes < 1024)
        return rmdi_buffer_add_format(text, "%u B", (unsigned)bytes);
    double value = (double)bytes / 1024;
    size_t i = 0;
    for (; value >= 1023.5; i++)
        value /= 1024;
    return add_three(value, sizes[i], text);
}

int rmdi_report_count(uint64_t count, rmdi_buffer *text)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, count), err = 0;
    for (int i = 0; i < len && err == 0; i++) {
        if (i && (len - i) % 3 == 0)
            err = rmdi_buffer_add_byte(text, ',');
        if (err == 0)
            err = rmdi_buffer_add_byte(text, digits[i]);
    }
    return err;
}

int rmdi_report_date(int64_t ns, rmdi_buffer *text)
{
    time_t seconds = (time_t)(ns / second_ns);
    struct tm parts;
    char date[64];
    if (ns <= 0 || !gmtime_r(&seconds, &parts))
        return rmdi_buffer_add_text(text, "unknown");
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return rmdi_buffer_add_text(text, date);
}
