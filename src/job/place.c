/* SPDX-License-Identifier: MIT */
#include "job/place.h"

#include <string.h>

/* More values than this fit into no command line. */
enum { POSITION_MAX = 1000000000 };

static const struct {
    const char *text; /* between the braces, behind the number */
    rmdi_place_kind kind;
} spellings[] = {
    { ".", RMDI_PLACE_STEM },       { "/", RMDI_PLACE_BASE }, { "//", RMDI_PLACE_DIRECTORY },
    { "/.", RMDI_PLACE_BASE_STEM }, { "#", RMDI_PLACE_SEQ },  { "%", RMDI_PLACE_SLOT },
};

static bool starts_with(rmd_bytes text, size_t offset, const char *start, size_t len)
{
    return text.len - offset >= len && memcmp((const char *)text.data + offset, start, len) == 0;
}

/* Reads -?[0-9]+ at the offset: its length, 0 when there is none. */
static size_t match_number(rmd_bytes text, size_t offset, int64_t *number)
{
    const char *bytes = text.data;
    size_t at = offset;
    bool negative = at < text.len && bytes[at] == '-';
    at += negative;
    size_t digits = at;
    int64_t n = 0;
    for (; at < text.len && bytes[at] >= '0' && bytes[at] <= '9'; at++)
        n = n < POSITION_MAX ? n * 10 + (bytes[at] - '0') : n;
    *number = negative ? -n : n;
    return at > digits ? at - offset : 0;
}

/* What is left of "{...}" behind the number: ".}" and so on. */
static size_t match_spelling(rmd_bytes text, size_t offset, bool numbered, rmdi_place_kind *kind)
{
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        size_t len = strlen(spellings[i].text);
        if (starts_with(text, offset, spellings[i].text, len) &&
            starts_with(text, offset + len, "}", 1) &&
            !(numbered && spellings[i].kind >= RMDI_PLACE_SEQ)) {
            *kind = spellings[i].kind;
            return len + 1;
        }
    }
    return 0;
}

/* {0} is all values, as in {}; but {-0} is none. */
static bool is_all(rmd_bytes text, size_t offset, int64_t position)
{
    return position == 0 && ((const char *)text.data)[offset] != '-';
}

size_t rmdi_place_match(rmd_bytes text, size_t offset, const char *replace, rmdi_place *place)
{
    size_t replace_len = strlen(replace);
    *place = (rmdi_place){ .kind = RMDI_PLACE_VALUE, .all = true };
    if (starts_with(text, offset, replace, replace_len))
        return replace_len;
    if (!starts_with(text, offset, "{", 1))
        return 0;
    size_t number = match_number(text, offset + 1, &place->position), rest = offset + 1 + number;
    if (number)
        place->all = is_all(text, offset + 1, place->position);
    size_t len = match_spelling(text, rest, number > 0, &place->kind);
    if (!len && number && replace[0] == '{' && replace[replace_len - 1] == '}' &&
        starts_with(text, rest, replace + 1, replace_len - 1))
        len = replace_len - 1;
    return len ? 1 + number + len : 0;
}

size_t rmdi_place_index(int64_t position, size_t count)
{
    if (position > 0 && (uint64_t)position <= count)
        return (size_t)position - 1;
    if (position < 0 && (uint64_t)-position <= count)
        return count - (size_t)-position;
    return count;
}

static rmd_bytes base_of(rmd_bytes value)
{
    const char *bytes = value.data, *slash = value.len ? memrchr(bytes, '/', value.len) : NULL;
    if (!slash)
        return value;
    return (rmd_bytes){ .data = slash + 1, .len = value.len - (size_t)(slash + 1 - bytes) };
}

static rmd_bytes stem_of(rmd_bytes value)
{
    rmd_bytes base = base_of(value);
    const char *dot = base.len ? memrchr(base.data, '.', base.len) : NULL;
    if (dot)
        value.len = (size_t)(dot - (const char *)value.data);
    return value;
}

static size_t without_slashes(const char *bytes, size_t len)
{
    while (len > 1 && bytes[len - 1] == '/')
        len--;
    return len;
}

static rmd_bytes directory_of(rmd_bytes value)
{
    const char *bytes = value.data;
    size_t len = without_slashes(bytes, value.len);
    const char *slash = len ? memrchr(bytes, '/', len) : NULL;
    if (!slash)
        return (rmd_bytes){ .data = ".", .len = 1 };
    return (rmd_bytes){ .data = bytes, .len = without_slashes(bytes, (size_t)(slash + 1 - bytes)) };
}

rmd_bytes rmdi_place_apply(rmdi_place_kind kind, rmd_bytes value)
{
    switch (kind) {
    case RMDI_PLACE_STEM: return stem_of(value);
    case RMDI_PLACE_BASE: return base_of(value);
    case RMDI_PLACE_DIRECTORY: return directory_of(value);
    case RMDI_PLACE_BASE_STEM: return stem_of(base_of(value));
    case RMDI_PLACE_VALUE:
    case RMDI_PLACE_SEQ:
    case RMDI_PLACE_SLOT: break;
    }
    return value;
}
