/* SPDX-License-Identifier: MIT */
#include "job/json_scanner.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void find_place(const rmdi_json_scanner *s, const unsigned char *where, size_t *line,
                       size_t *column)
{
    *line = *column = 1;
    for (const unsigned char *c = s->start; c < where; c++) {
        *column += (*c & 0xc0) != 0x80;
        if (*c == '\n') {
            ++*line;
            *column = 1;
        }
    }
}

int rmdi_json_refuse_at(const rmdi_json_scanner *s, const unsigned char *where, int code,
                        const char *format, ...)
{
    char cause[RMDI_ERROR_DETAIL_MAX];
    size_t line, column;
    va_list args;
    va_start(args, format);
    vsnprintf(cause, sizeof cause, format, args);
    va_end(args);
    find_place(s, where, &line, &column);
    if (memchr(s->start, '\n', (size_t)(s->end - s->start)))
        return rmdi_fail(code, "line %zu, column %zu: %s", line, column, cause);
    return rmdi_fail(code, "column %zu: %s", column, cause);
}

int rmdi_json_refuse(const rmdi_json_scanner *s, const char *wanted)
{
    char found[8] = "";
    if (s->at == s->end)
        return rmdi_json_refuse_at(s, s->at, RMD_ESYNTAX, "it ends here; %s", wanted);
    if (*s->at > ' ' && *s->at < 0x7f)
        snprintf(found, sizeof found, " \"%c\"", *s->at);
    return rmdi_json_refuse_at(s, s->at, RMD_ESYNTAX, "not%s: %s",
                               *found ? found : " this character", wanted);
}

void *rmdi_json_keep(rmdi_json_scanner *s, const void *from, size_t len)
{
    void *to = s->bytes;
    memcpy(to, from, len);
    s->bytes += len;
    return to;
}
