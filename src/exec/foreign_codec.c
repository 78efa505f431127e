/* SPDX-License-Identifier: MIT */
#include "exec/foreign_codec.h"

#include "base/alloc.h"
#include "base/error.h"
#include "data/cbor.h"
#include "data/utf8.h"
#include "exec/foreign.h"
#include "exec/json_hook.h"

#include <limits.h>
#include <string.h>

#define PROTOCOL "remuda 1 "

enum { SHOWN_MAX = 60, SENTENCE_MAX = 400 };

/* ---- the announcement ---- */

static const struct {
    const char *text;
    rmdi_foreign_codec codec;
} announcements[] = { { PROTOCOL "raw", RMDI_FOREIGN_RAW },
                      { PROTOCOL "cbor", RMDI_FOREIGN_CBOR },
                      { PROTOCOL "json", RMDI_FOREIGN_JSON } };

/* As text in one line: what a program writes may be anything. Cut. */
static const char *show(rmd_bytes bytes, char text[SHOWN_MAX + 1])
{
    size_t len = bytes.len < SHOWN_MAX ? bytes.len : SHOWN_MAX;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = ((const unsigned char *)bytes.data)[i];
        text[i] = c < ' ' || c > '~' ? '?' : (char)c;
    }
    text[len] = 0;
    return text;
}

int rmdi_foreign_codec_find(rmdi_foreign_codec *codec, rmd_bytes announcement)
{
    char text[SHOWN_MAX + 1];
    size_t i = 0, n = sizeof announcements / sizeof *announcements;
    while (i < n && !rmdi_bytes_equal(announcement, rmdi_bytes_of(announcements[i].text)))
        i++;
    if (i == n)
        return rmdi_fail(RMD_EWORKER,
                         "has announced itself as \"%s\", not as \"" PROTOCOL "raw\", \"" PROTOCOL
                         "cbor\" or \"" PROTOCOL "json\"",
                         show(announcement, text));
    *codec = announcements[i].codec;
    if (*codec == RMDI_FOREIGN_JSON && !rmdi_json_used())
        return rmdi_fail(RMD_ENOTSUP,
                         "speaks JSON, which the remuda command and libremuda-net bring: without "
                         "them a worker announces raw or cbor");
    return 0;
}

/* ---- tasks ---- */

static int encode(rmdi_foreign_codec codec, const rmd_value *task, rmdi_buffer *buffer)
{
    if (codec == RMDI_FOREIGN_CBOR)
        return rmdi_cbor_encode(buffer, task);
    const rmdi_json *json = rmdi_json_used();
    char *text;
    size_t len;
    int err = json->encode(task, &text, &len);
    if (err < 0)
        return err;
    err = rmdi_buffer_add(buffer, text, len);
    json->free_text(text);
    return err;
}

static int encode_call(rmdi_foreign_codec codec, const rmd_call *call, uint64_t id,
                       rmd_value *values, rmdi_buffer *buffer)
{
    const rmd_args *args = rmd_call_args(call);
    for (size_t i = 0; i < args->count; i++)
        values[i] = rmd_call_has(call, i) ? args->values[i] : rmd_null();
    const rmd_pair pairs[] = {
        { rmd_text("id"), rmd_uint(id) },
        { rmd_text("function"), rmd_text(rmd_call_name(call)) },
        { rmd_text("args"), rmd_list(values, args->count) },
        { rmd_text("named"), rmd_map_value(args->named, args->named_count) },
        { rmd_text("attempt"), rmd_uint(rmd_call_attempt(call)) },
    };
    const rmd_value task = rmd_map_value(pairs, sizeof pairs / sizeof *pairs);
    return encode(codec, &task, buffer);
}

static int structured_task(rmdi_foreign_codec codec, const rmd_call *call, uint64_t id,
                           rmdi_buffer *buffer)
{
    enum { FEW = 8 };
    rmd_value few[FEW], *values = few;
    size_t count = rmd_call_args(call)->count;
    if (count > FEW)
        values = rmdi_alloc(count * sizeof *values);
    if (!values)
        return rmdi_fail_memory();
    rmdi_buffer_clear(buffer);
    int err = encode_call(codec, call, id, values, buffer);
    if (values != few)
        rmdi_free(values);
    return err;
}

int rmdi_foreign_codec_task(rmdi_foreign_codec codec, const rmd_call *call, uint64_t id,
                            rmdi_buffer *buffer, rmd_bytes *frame)
{
    if (codec == RMDI_FOREIGN_RAW)
        return rmdi_foreign_argument(call, frame);
    int err = structured_task(codec, call, id, buffer);
    *frame = rmdi_buffer_view(buffer);
    return err < 0 ? rmdi_fail(err, "%s: the task: %s", rmd_call_name(call), rmd_error_detail())
                   : 0;
}

/* ---- answers ---- */

static bool is_control(uint32_t c)
{
    return c < ' ' || (c >= 0x7f && c < 0xa0);
}

/* For people, who may see it on a terminal: without control characters, and UTF-8 it is, whatever
 * has come. Cut between two characters. */
static const char *clean(rmd_bytes sentence, char text[SENTENCE_MAX + 1])
{
    const unsigned char *from = sentence.data;
    size_t len = 0, taken;
    for (size_t at = 0; at < sentence.len; at += taken) {
        uint32_t c = rmdi_utf8_decode(from + at, sentence.len - at, &taken);
        bool bad = is_control(c) || (c == RMDI_UTF8_REPLACEMENT && taken == 1);
        size_t size = bad ? 1 : taken;
        if (len + size > SENTENCE_MAX)
            break;
        if (bad)
            text[len] = c == '\n' || c == '\t' ? ' ' : '?';
        else
            memcpy(text + len, from + at, size);
        len += size;
    }
    text[len] = 0;
    return text;
}

static int fail_call(rmd_call *call, rmd_bytes sentence)
{
    char text[SENTENCE_MAX + 1];
    return rmd_call_fail(call, RMD_FOREIGN_ERROR, "%s", clean(sentence, text));
}

static rmdi_foreign_answered raw_answer(rmd_call *call, rmd_bytes frame, int *err)
{
    char text[SHOWN_MAX + 1];
    const char *data = frame.data;
    rmd_bytes rest = { data + 1, frame.len - 1 };
    if (frame.len && *data == '+')
        *err = rmd_call_return(call, rest);
    else if (frame.len && *data == '-')
        *err = fail_call(call, rest);
    else
        *err = rmdi_fail(RMD_ESYNTAX, "has answered \"%s\", with neither '+' nor '-' in front",
                         show(frame, text));
    return *err == RMD_ESYNTAX ? RMDI_FOREIGN_NO_ANSWER : RMDI_FOREIGN_ANSWERED;
}

static int check_id(const rmd_value *answer, uint64_t id)
{
    uint64_t got;
    const rmd_value *value = rmd_value_find(answer, "id");
    if (answer->type != RMD_TYPE_MAP || !value || rmd_value_get(value, &got) < 0)
        return rmdi_fail(RMD_ESYNTAX, "has answered with no map, or one without an id");
    if (got != id)
        return rmdi_fail(RMD_ESYNTAX, "has answered task %llu, and was given task %llu",
                         (unsigned long long)got, (unsigned long long)id);
    return 0;
}

/* It becomes a string: one with a 0 would be the name of another function. */
static bool is_name(const rmd_value *value)
{
    return value && value->type == RMD_TYPE_TEXT &&
           !(value->as.bytes.len && memchr(value->as.bytes.data, 0, value->as.bytes.len));
}

/* ["function", [args], {named}], the last two or one of which may be left out. */
static bool is_added(const rmd_value *added)
{
    const rmd_value *name = rmd_value_at(added, 0), *args = rmd_value_at(added, 1),
                    *named = rmd_value_at(added, 2);
    return is_name(name) && added->as.list.count <= 3 && (!args || args->type == RMD_TYPE_LIST) &&
           (!named || named->type == RMD_TYPE_MAP);
}

static int check_added(const rmd_value *added, bool failed)
{
    bool good = !added || (added->type == RMD_TYPE_LIST && !failed);
    for (size_t i = 0; good && added && i < added->as.list.count; i++)
        good = is_added(&added->as.list.items[i]);
    return good
               ? 0
               : rmdi_fail(RMD_ESYNTAX, "has answered with an \"add\" that is no list of tasks, or "
                                        "with an \"error\" beside it");
}

static int check_answer(const rmd_value *answer, uint64_t id)
{
    const rmd_value *error = rmd_value_find(answer, "error");
    int err = check_id(answer, id);
    if (err < 0)
        return err;
    if (!error == !rmd_value_find(answer, "result"))
        return rmdi_fail(RMD_ESYNTAX,
                         "has answered with neither \"result\" nor \"error\", or both");
    if (error && error->type != RMD_TYPE_TEXT)
        return rmdi_fail(RMD_ESYNTAX, "has answered with an \"error\" that is no text");
    return check_added(rmd_value_find(answer, "add"), error != NULL);
}

/* ---- tasks that it adds ---- */

/* One that check_added() has let pass. */
static int add_one(rmd_call *call, const rmd_value *added)
{
    const rmd_value *args = rmd_value_at(added, 1), *named = rmd_value_at(added, 2);
    rmd_args all = { 0 };
    if (args) {
        all.values = args->as.list.items;
        all.count = args->as.list.count;
    }
    if (named) {
        all.named = named->as.map.pairs;
        all.named_count = named->as.map.count;
    }
    return rmd_call_add(call, rmd_value_at(added, 0)->as.bytes.data, all);
}

static int add_all(rmd_call *call, const rmd_value *added)
{
    int err = 0;
    for (size_t i = 0; added && i < added->as.list.count && err == 0; i++)
        err = add_one(call, &added->as.list.items[i]);
    return err;
}

static rmdi_foreign_answered give(rmd_call *call, const rmd_value *answer, uint64_t id, int *err)
{
    const rmd_value *error = rmd_value_find(answer, "error");
    *err = check_answer(answer, id);
    if (*err < 0)
        return RMDI_FOREIGN_NO_ANSWER;
    *err = error ? fail_call(call, error->as.bytes) : add_all(call, rmd_value_find(answer, "add"));
    if (*err == 0) /* the last: a call that fails has no result */
        *err = rmd_call_return(call, rmd_value_find(answer, "result"));
    return RMDI_FOREIGN_ANSWERED;
}

static int decode(rmdi_foreign_codec codec, const rmd_value **answer, rmd_bytes frame)
{
    static const rmd_value_limits limits = { .size = sizeof limits, .bytes_max = INT_MAX };
    if (codec == RMDI_FOREIGN_CBOR)
        return rmd_value_decode(answer, frame, &limits);
    return rmdi_json_used()->decode(answer, frame);
}

static void free_decoded(rmdi_foreign_codec codec, const rmd_value *answer)
{
    if (codec == RMDI_FOREIGN_CBOR)
        rmd_value_free(answer);
    else
        rmdi_json_used()->free_value(answer);
}

rmdi_foreign_answered rmdi_foreign_codec_answer(rmdi_foreign_codec codec, rmd_call *call,
                                                uint64_t id, rmd_bytes frame, int *err)
{
    char text[SHOWN_MAX + 1];
    const rmd_value *answer;
    if (codec == RMDI_FOREIGN_RAW)
        return raw_answer(call, frame, err);
    *err = decode(codec, &answer, frame);
    if (*err == RMD_ENOMEM)
        return RMDI_FOREIGN_ANSWERED;
    if (*err < 0) {
        *err = rmdi_fail(*err == RMD_E2BIG ? RMD_E2BIG : RMD_ESYNTAX,
                         "has answered \"%s\", which is no %s: %s", show(frame, text),
                         codec == RMDI_FOREIGN_CBOR ? "CBOR of our kind" : "JSON",
                         rmd_error_detail());
        return RMDI_FOREIGN_NO_ANSWER;
    }
    rmdi_foreign_answered answered = give(call, answer, id, err);
    free_decoded(codec, answer);
    return answered;
}
