/* SPDX-License-Identifier: MIT */
#include "exec/foreign.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/list.h"
#include "data/cbor.h"
#include "data/frame.h"
#include "exec/call.h"
#include "exec/environment.h"

#include <string.h>

enum { READY_MS = 10 * 1000, FIELDS = 9, ARGS_MAX = 4096 };

/* ---- calling ---- */

static int body(rmd_call *call)
{
    const rmdi_foreign *foreign = RMDI_CONTAINER(call->function, const rmdi_foreign, functions[0]);
    return foreign->worker ? rmdi_foreign_work(foreign, call) : rmdi_foreign_run(foreign, call);
}

bool rmdi_function_is_foreign(const rmd_function *function)
{
    return function->fn == body;
}

int rmdi_foreign_argument(const rmd_call *call, rmd_bytes *argument)
{
    const rmd_args *args = rmd_call_args(call);
    const rmd_value *value = args->count ? &args->values[0] : NULL;
    *argument = (rmd_bytes){ 0 };
    if (args->count > 1 || args->named_count)
        return rmdi_fail(RMD_EINVAL, "%s takes one argument, or none, without a name",
                         rmd_call_name(call));
    if (!value || value->type == RMD_TYPE_ABSENT)
        return 0;
    if (value->type != RMD_TYPE_BYTES && value->type != RMD_TYPE_TEXT)
        return rmdi_fail(RMD_EINVAL, "%s takes bytes or a text, not %s", rmd_call_name(call),
                         rmd_type_name(value->type));
    *argument = value->as.bytes;
    return 0;
}

/* ---- definitions as values: what is carried to worker processes ---- */

/* Bytes, since an argument of a program need not be UTF-8; null for NULL. */
static rmd_value as_bytes(const char *text)
{
    return text ? rmd_bytes_value((rmd_bytes){ text, strlen(text) }) : rmd_null();
}

static rmd_value describe(const rmd_foreign *f, rmd_value *argv, rmd_value fields[FIELDS])
{
    size_t n = 0;
    for (; f->argv[n]; n++)
        argv[n] = as_bytes(f->argv[n]);
    const rmd_value all[FIELDS] = {
        as_bytes(f->name),    rmd_list(argv, n),       rmd_bool(f->worker),
        as_bytes(f->help),    as_bytes(f->parameters), as_bytes(f->result),
        rmd_int(f->ready_ms), rmd_int(f->answer_ms),   rmd_uint(f->answer_bytes_max)
    };
    memcpy(fields, all, sizeof all);
    return rmd_list(fields, FIELDS);
}

/* A copy that ends in a 0. */
static char *text_of(const rmd_value *value)
{
    if (!value || value->type != RMD_TYPE_BYTES)
        return NULL;
    char *text = rmdi_alloc(value->as.bytes.len + 1);
    if (!text)
        return NULL;
    memcpy(text, value->as.bytes.data, value->as.bytes.len);
    text[value->as.bytes.len] = 0;
    return text;
}

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rmdi_free(texts[i]);
}

static int add_described(const rmd_value *value, char **argv, size_t argc)
{
    static const size_t places[] = { 0, 3, 4, 5 };
    char *texts[4];
    const rmd_value *ready = rmd_value_at(value, 6), *answer = rmd_value_at(value, 7);
    const rmd_value *bytes = rmd_value_at(value, 8), *argv_value = rmd_value_at(value, 1);
    for (size_t i = 0; i < 4; i++)
        texts[i] = text_of(rmd_value_at(value, places[i]));
    for (size_t i = 0; i < argc; i++)
        argv[i] = text_of(rmd_value_at(argv_value, i));
    const rmd_foreign foreign = { .size = sizeof foreign,
                                  .name = texts[0],
                                  .argv = (const char *const *)argv,
                                  .worker = rmd_value_at(value, 2)->as.boolean,
                                  .help = texts[1],
                                  .parameters = texts[2],
                                  .result = texts[3],
                                  .ready_ms = ready->as.integer,
                                  .answer_ms = answer->as.integer,
                                  .answer_bytes_max = bytes->as.natural };
    int err = rmd_foreign_add(&foreign);
    free_texts(texts, 4);
    free_texts(argv, argc);
    return err;
}

/* What describe() has made, by another process of this program. */
static int replay(const rmd_value *value)
{
    const rmd_value *argv = rmd_value_at(value, 1);
    if (!argv || value->as.list.count != FIELDS || argv->type != RMD_TYPE_LIST)
        return rmdi_fail(RMD_EINVAL, "what was carried is no foreign function");
    char **words = rmdi_alloc_zeroed((argv->as.list.count + 1) * sizeof *words);
    int err = words ? add_described(value, words, argv->as.list.count) : rmdi_fail_memory();
    rmdi_free(words);
    return err;
}

rmdi_carrier rmdi_foreign_carrier = { .kind = "foreign", .replay = replay };

/* ---- adding ---- */

static int check(const rmd_foreign *f, size_t *argc)
{
    if (!f || f->size != sizeof *f)
        return rmdi_fail(RMD_EINVAL, "foreign: no definition was given, or one without size");
    if (!f->name)
        return rmdi_fail(RMD_EINVAL, "foreign: a function without a name");
    if (!f->argv || !f->argv[0] || !*f->argv[0])
        return rmdi_fail(RMD_EINVAL, "foreign function \"%s\": no program", f->name);
    for (*argc = 0; f->argv[*argc] && *argc <= ARGS_MAX; ++*argc)
        ;
    if (*argc > ARGS_MAX)
        return rmdi_fail(RMD_EINVAL, "foreign function \"%s\": more than %d arguments", f->name,
                         ARGS_MAX);
    if (f->ready_ms < 0 || f->answer_ms < 0 || f->answer_bytes_max > INT32_MAX)
        return rmdi_fail(RMD_EINVAL,
                         "foreign function \"%s\": a negative time, or answer_bytes_max above %d",
                         f->name, INT32_MAX);
    return 0;
}

/* Gives the definition as a value to use(). */
static int with_described(const rmd_foreign *f, size_t argc,
                          int (*use)(const rmd_value *described, void *ctx), void *ctx)
{
    rmd_value fields[FIELDS], *argv = rmdi_alloc(argc * sizeof *argv);
    if (!argv)
        return rmdi_fail_memory();
    const rmd_value all = describe(f, argv, fields);
    int err = use(&all, ctx);
    rmdi_free(argv);
    return err;
}

static int encode(const rmd_value *described, void *out)
{
    return rmdi_cbor_encode(out, described);
}

static int carry(const rmd_value *described, void *ctx)
{
    (void)ctx;
    return rmdi_carry(rmdi_foreign_carrier.kind, described);
}

static void free_definition(rmdi_foreign *d)
{
    free_texts(d->texts, 4);
    rmdi_buffer_free(&d->encoded);
    rmdi_free(d->argv);
    rmdi_free(d);
}

/* False: there was no memory. */
static bool copy_texts(rmdi_foreign *d, const rmd_foreign *f)
{
    const char *from[] = { f->name, f->help, f->parameters, f->result };
    bool all = true;
    for (int i = 0; i < 4; i++) {
        d->texts[i] = from[i] ? rmdi_strdup(from[i]) : NULL;
        all &= !from[i] || d->texts[i];
    }
    d->argv = rmdi_strings_copy(f->argv);
    return all && d->argv;
}

static int copy(rmdi_foreign **copied, const rmd_foreign *f, size_t argc)
{
    rmdi_foreign *d = rmdi_alloc_zeroed(sizeof *d);
    if (!d)
        return rmdi_fail_memory();
    int err = with_described(f, argc, encode, &d->encoded);
    if (err == 0 && !copy_texts(d, f))
        err = rmdi_fail_memory();
    if (err < 0) {
        free_definition(d);
        return err;
    }
    d->functions[0] = (rmd_function){ .name = d->texts[0],
                                      .fn = body,
                                      .help = d->texts[1],
                                      .parameters = d->texts[2],
                                      .result = d->texts[3] };
    d->worker = f->worker;
    d->ready_ms = f->ready_ms ? f->ready_ms : READY_MS;
    d->answer_ms = f->answer_ms;
    d->answer_bytes_max = f->answer_bytes_max ? f->answer_bytes_max : RMDI_FRAME_BYTES_MAX;
    *copied = d;
    return 0;
}

/* Is a function of that name there, and the same? */
static bool is_there(const rmdi_foreign *d)
{
    const rmd_function *function = rmd_function_find(d->functions[0].name);
    if (!function || function->fn != body)
        return false;
    const rmdi_foreign *other = RMDI_CONTAINER(function, const rmdi_foreign, functions[0]);
    return rmdi_bytes_equal(rmdi_buffer_view(&d->encoded), rmdi_buffer_view(&other->encoded));
}

/* It is carried last: a function that is only here is of more use than one that is only there. */
int rmd_foreign_add(const rmd_foreign *foreign)
{
    rmdi_foreign *d = NULL;
    size_t argc = 0;
    int err = check(foreign, &argc);
    if (err == 0)
        err = copy(&d, foreign, argc);
    if (err < 0)
        return err;
    bool there = is_there(d);
    err = there ? 0 : rmd_functions_add(d->functions);
    if (err < 0)
        there = is_there(d); /* another thread has just added it */
    if (err < 0 || there)
        free_definition(d);
    return err == 0 || there ? with_described(foreign, argc, carry, NULL) : err;
}
