/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "data/value_text.h"
#include "job/json_scanner.h"

#include <string.h>

static int read_hex(rmdi_json_scanner *s, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        unsigned char c = s->at < s->end ? *s->at : 0, lower = c | 0x20;
        if (c >= '0' && c <= '9')
            *code = *code << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            *code = *code << 4 | (lower - 'a' + 10u);
        else
            return rmdi_json_refuse(s, "four hexadecimal digits should follow \\u");
    }
    return 0;
}

static void add_utf8(rmdi_json_scanner *s, uint32_t c)
{
    if (c < 0x80) {
        *s->bytes++ = (unsigned char)c;
    } else if (c < 0x800) {
        *s->bytes++ = (unsigned char)(0xc0 | c >> 6);
        *s->bytes++ = (unsigned char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *s->bytes++ = (unsigned char)(0xe0 | c >> 12);
        *s->bytes++ = (unsigned char)(0x80 | (c >> 6 & 63));
        *s->bytes++ = (unsigned char)(0x80 | (c & 63));
    } else {
        *s->bytes++ = (unsigned char)(0xf0 | c >> 18);
        *s->bytes++ = (unsigned char)(0x80 | (c >> 12 & 63));
        *s->bytes++ = (unsigned char)(0x80 | (c >> 6 & 63));
        *s->bytes++ = (unsigned char)(0x80 | (c & 63));
    }
}

/* Behind \u: one code, or the two of a character beyond U+FFFF. */
static int read_code(rmdi_json_scanner *s, const unsigned char *begin)
{
    uint32_t code, low = 0;
    int err = read_hex(s, &code);
    bool high = err == 0 && code >= 0xd800 && code < 0xdc00;
    if (high && s->end - s->at >= 2 && s->at[0] == '\\' && s->at[1] == 'u') {
        s->at += 2;
        err = read_hex(s, &low);
    }
    if (err < 0)
        return err;
    if (high ? low < 0xdc00 || low > 0xdfff : code >= 0xdc00 && code <= 0xdfff)
        return rmdi_json_refuse_at(s, begin, RMD_ESYNTAX,
                                   "half of a surrogate pair is no character");
    add_utf8(s, high ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : code);
    return 0;
}

/* At a backslash. */
static int read_escape(rmdi_json_scanner *s)
{
    static const char letters[] = "\"\\/bfnrt", stands[] = "\"\\/\b\f\n\r\t";
    const unsigned char *begin = s->at++;
    const char *found = s->at < s->end && *s->at ? strchr(letters, *s->at) : NULL;
    if (found) {
        *s->bytes++ = (unsigned char)stands[found - letters];
        s->at++;
        return 0;
    }
    if (s->at == s->end || *s->at != 'u')
        return rmdi_json_refuse(s, "behind \\ there is one of \" \\ / b f n r t u");
    s->at++;
    return read_code(s, begin);
}

/* What stands as it is, up to a quote, a backslash or the end. */
static int read_run(rmdi_json_scanner *s)
{
    const unsigned char *begin = s->at;
    while (s->at < s->end && *s->at != '"' && *s->at != '\\' && *s->at >= 0x20)
        s->at++;
    size_t len = (size_t)(s->at - begin), bad = rmdi_text_check(begin, len);
    if (bad < len)
        return rmdi_json_refuse_at(s, begin + bad, RMD_ESYNTAX, "a text is not UTF-8");
    rmdi_json_keep(s, begin, len);
    if (s->at == s->end)
        return rmdi_json_refuse(s, "a \" should close the text");
    if (*s->at < 0x20)
        return rmdi_json_refuse_at(s, s->at, RMD_ESYNTAX,
                                   "a control character in a text: write it as \\u%04x", *s->at);
    return 0;
}

/* Its quotes take two bytes of the text, so there is room for the 0 behind it. */
int rmdi_json_read_text(rmdi_json_scanner *s, rmd_value *to)
{
    const unsigned char *begin = s->bytes;
    s->at++;
    int err = read_run(s);
    while (err == 0 && *s->at == '\\') {
        err = read_escape(s);
        if (err == 0)
            err = read_run(s);
    }
    if (err < 0)
        return err;
    s->at++;
    *to = rmd_text_of((const char *)begin, (size_t)(s->bytes - begin));
    to->terminated = true;
    *s->bytes++ = 0;
    return 0;
}
