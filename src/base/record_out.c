/* SPDX-License-Identifier: MIT */
#include "base/record_out.h"

#include "base/decimal.h"
#include "port/clock.h"
#include "port/fd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

enum { PATIENCE_MS = 5000 };

/* From the first write on. */
static int64_t left_ms(rmdi_record_out *out)
{
    int64_t now = rmdi_clock_monotonic_ns();
    if (!out->deadline_ns)
        out->deadline_ns = now + PATIENCE_MS * (int64_t)1000000;
    return now < out->deadline_ns ? (out->deadline_ns - now) / 1000000 + 1 : 0;
}

/* False: there was none until the deadline. Where it cannot be waited for, writing tells why. */
static bool wait_for_room(rmdi_record_out *out)
{
    struct pollfd full = { .fd = out->fd, .events = POLLOUT };
    int n;
    do
        n = poll(&full, 1, (int)left_ms(out));
    while (n < 0 && errno == EINTR);
    return n != 0;
}

/* The descriptor may be one whose writers block: so no write is begun before there is room, nor one
 * of more than that room is sure to hold in a pipe. */
static void flush(rmdi_record_out *out)
{
    for (size_t done = 0; done < out->len && !out->error;) {
        size_t piece = out->len - done < PIPE_BUF ? out->len - done : PIPE_BUF;
        ssize_t n = wait_for_room(out) ? rmdi_fd_write_quietly(out->fd, out->buffer + done, piece)
                                       : -ETIMEDOUT;
        if (n > 0)
            done += (size_t)n;
        else if (n == -EAGAIN && left_ms(out)) /* room, but not for this piece */
            poll(NULL, 0, 1);
        else if (n != -EINTR)
            out->error = n == -EAGAIN ? ETIMEDOUT : n < 0 ? (int)-n : EIO;
    }
    out->len = 0;
}

static void put(rmdi_record_out *out, const char *data, size_t len)
{
    if (out->len + len > sizeof out->buffer)
        flush(out);
    if (len > sizeof out->buffer) /* no text of ours is that long */
        len = sizeof out->buffer;
    memcpy(out->buffer + out->len, data, len);
    out->len += len;
}

void rmdi_out_text(rmdi_record_out *out, const char *text)
{
    put(out, text, strlen(text));
}

void rmdi_out_number(rmdi_record_out *out, uint64_t number)
{
    char digits[RMDI_DECIMAL_MAX];
    put(out, digits, (size_t)(rmdi_decimal(digits, number) - digits));
}

void rmdi_out_signed(rmdi_record_out *out, int64_t number)
{
    if (number < 0)
        put(out, "-", 1);
    rmdi_out_number(out, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

void rmdi_out_hex(rmdi_record_out *out, uint64_t number)
{
    char digits[16];
    size_t at = sizeof digits;
    do
        digits[--at] = "0123456789abcdef"[number & 15];
    while (number >>= 4);
    put(out, "0x", 2);
    put(out, digits + at, sizeof digits - at);
}

/* With zeros in front. */
static void padded(rmdi_record_out *out, uint64_t number, int width)
{
    char digits[RMDI_DECIMAL_MAX];
    for (int i = width; i-- > 0; number /= 10)
        digits[i] = (char)('0' + number % 10);
    put(out, digits, (size_t)width);
}

static void fraction(rmdi_record_out *out, int64_t value, uint64_t unit, int digits)
{
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    if (value < 0)
        put(out, "-", 1);
    rmdi_out_number(out, size / unit);
    put(out, ".", 1);
    padded(out, size % unit, digits);
}

void rmdi_out_seconds(rmdi_record_out *out, int64_t ns)
{
    fraction(out, ns, 1000000000, 9);
}

void rmdi_out_micros(rmdi_record_out *out, int64_t ns)
{
    fraction(out, ns, 1000, 3);
}

/* Days since 1970 as year, month, day: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms";
 * years that begin in March, in eras of 400. */
static void date(rmdi_record_out *out, int64_t days)
{
    int64_t z = days + 719468, era = z / 146097, in_era = z % 146097;
    int64_t years = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * years + years / 4 - years / 100);
    int64_t from_march = (5 * in_year + 2) / 153;
    int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    rmdi_out_number(out, (uint64_t)(years + era * 400 + (month <= 2)));
    put(out, "-", 1);
    padded(out, (uint64_t)month, 2);
    put(out, "-", 1);
    padded(out, (uint64_t)(in_year - (153 * from_march + 2) / 5 + 1), 2);
}

void rmdi_out_utc(rmdi_record_out *out, int64_t ns)
{
    uint64_t seconds = (uint64_t)ns / 1000000000, of_day = seconds % 86400;
    date(out, (int64_t)(seconds / 86400));
    put(out, "T", 1);
    padded(out, of_day / 3600, 2);
    put(out, ":", 1);
    padded(out, of_day / 60 % 60, 2);
    put(out, ":", 1);
    padded(out, of_day % 60, 2);
    put(out, ".", 1);
    padded(out, (uint64_t)ns % 1000000000, 9);
    put(out, "Z", 1);
}

void rmdi_out_word(rmdi_record_out *out, const char *name)
{
    if (!*name)
        put(out, "-", 1);
    for (; *name; name++) {
        char c = *name > ' ' && *name < 127 && *name != '"' && *name != '\\' ? *name : '_';
        put(out, &c, 1);
    }
}

int rmdi_out_end(rmdi_record_out *out)
{
    flush(out);
    return out->error;
}
