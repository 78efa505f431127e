/* SPDX-License-Identifier: MIT */
#include "exec/call.h"

#include "exec/function.h"

#include "kit.h"
#include "kit_alloc.h"

#include <remuda/error.h>
#include <string.h>

static const rmd_value *decoded(const rmdi_buffer *buffer)
{
    const rmd_value *value = NULL;
    REQUIRE(rmd_value_decode(&value, rmdi_buffer_view(buffer), NULL) == 0);
    return value;
}

/* Runs a function and shows its result, or its failure. */
static const char *outcome(const rmd_function *function, rmd_args args)
{
    static char text[600];
    rmdi_buffer encoded = { 0 }, result = { 0 };
    REQUIRE(rmdi_call_encode(&encoded, &args) == 0);
    int err = rmdi_call_run(function, rmdi_buffer_view(&encoded), 7, 1, NULL, &result, NULL);
    if (err < 0) {
        CHECK_EQ(result.len, 0);
        snprintf(text, sizeof text, "%s %s", rmd_error_name(err), rmd_error_detail());
    } else {
        const rmd_value *value = decoded(&result);
        rmd_value_format(value, text, sizeof text);
        rmd_value_free(value);
    }
    rmdi_buffer_free(&encoded);
    rmdi_buffer_free(&result);
    return text;
}

static int is_prime(rmd_call *call)
{
    int64_t n;
    int err = rmd_call_get(call, 0, &n);
    if (err < 0)
        return err;
    for (int64_t d = 2; d <= n / d; d++)
        if (n % d == 0)
            return rmd_call_return(call, (bool)false);
    return rmd_call_return(call, (bool)(n > 1));
}

TEST(a_function_gets_its_arguments_and_gives_its_result)
{
    static const rmd_function function = { .name = "is_prime", .fn = is_prime };
    CHECK_STR(outcome(&function, RMD_ARGS(INT64_C(999983))), "true");
    CHECK_STR(outcome(&function, RMD_ARGS(1)), "false");
    CHECK_STR(outcome(&function, RMD_ARGS("x")),
              "RMD_EINVAL is_prime: argument 1: text \"x\" is not an int");
    CHECK_STR(outcome(&function, RMD_ARGS()), "RMD_ENOENT is_prime: argument 1 is missing");
}

/* The bytes of docs/protocol/values.md. */
TEST(arguments_are_encoded_as_the_protocol_says)
{
    static const unsigned char none[] = { 0x81, 0x80 };
    static const unsigned char named[] = { 0x82, 0x82, 0x18, 0xff, 0x61, 0x78, 0xa2, 0x62, 0x74,
                                           0x6f, 0xf6, 0x64, 0x62, 0x61, 0x73, 0x65, 0x10 };
    rmdi_buffer out = { 0 };
    CHECK_EQ(rmdi_call_encode(&out, NULL), 0);
    CHECK(rmdi_bytes_equal(rmdi_buffer_view(&out), (rmd_bytes){ none, sizeof none }));
    rmdi_buffer_clear(&out);
    rmd_args args = RMD_ARGS(255, "x", RMD_NAMED("base", 16), RMD_NAMED("to", rmd_null()));
    CHECK_EQ(rmdi_call_encode(&out, &args), 0);
    CHECK(rmdi_bytes_equal(rmdi_buffer_view(&out), (rmd_bytes){ named, sizeof named }));
    rmdi_buffer_clear(&out);
    /* The same, apart. */
    rmd_pair pairs[] = { RMD_PAIR("to", rmd_null()), RMD_PAIR("base", 16) };
    args = (rmd_args){ .values = args.values, .count = 2, .named = pairs, .named_count = 2 };
    CHECK_EQ(rmdi_call_encode(&out, &args), 0);
    CHECK(rmdi_bytes_equal(rmdi_buffer_view(&out), (rmd_bytes){ named, sizeof named }));
    rmdi_buffer_free(&out);
}

TEST(arguments_that_cannot_be_are_refused_when_they_are_encoded)
{
    rmdi_buffer out = { 0 };
    rmd_args order = RMD_ARGS(RMD_NAMED("a", 1), 2);
    CHECK_EQ(rmdi_call_encode(&out, &order), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "argument 2 has no name and stands behind one that has");
    rmd_args twice = RMD_ARGS(RMD_NAMED("a", 1), RMD_NAMED("a", 2));
    CHECK_EQ(rmdi_call_encode(&out, &twice), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "a map has the key \"a\" twice");
    rmd_args number = RMD_ARGS(RMD_NAMED(rmd_int(5), 1));
    CHECK_EQ(rmdi_call_encode(&out, &number), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "the name of an argument is a text, not int");
    rmd_args text = RMD_ARGS("\xff");
    CHECK_EQ(rmdi_call_encode(&out, &text), RMD_EINVAL);
    CHECK_EQ(out.len, 0);
    rmdi_buffer_free(&out);
}

/* What came: [places…] and the names, as far as the call has any. */
static int echo(rmd_call *call)
{
    const rmd_args *args = rmd_call_args(call);
    rmd_value values[40];
    CHECK_EQ(args->count, rmd_call_count(call));
    REQUIRE(args->count < 40);
    for (size_t i = 0; i < args->count; i++)
        values[i] = rmd_call_has(call, i) ? args->values[i] : RMD_VALUE("(none)");
    if (!args->named_count)
        return rmd_call_return(call, rmd_list(values, args->count));
    values[args->count] = rmd_map_value(args->named, args->named_count);
    return rmd_call_return(call, rmd_list(values, args->count + 1));
}

TEST(without_parameters_everything_comes_as_it_was_given)
{
    static const rmd_function function = { .name = "echo", .fn = echo };
    rmd_args args = RMD_ARGS(1, "a", RMD_LIST_OF(2.5), RMD_NAMED("b", ((rmd_bytes){ "x", 1 })));
    CHECK_STR(outcome(&function, args), "[1, \"a\", [2.5], {\"b\": h'78'}]");
}

TEST(with_parameters_each_argument_comes_to_its_place)
{
    static const rmd_function function = { .name = "f",
                                           .fn = echo,
                                           .parameters = "n:int, base:int=, text:text=" };
    CHECK_STR(outcome(&function, RMD_ARGS(1)), "[1]");
    CHECK_STR(outcome(&function, RMD_ARGS(1, 2, "x")), "[1, 2, \"x\"]");
    CHECK_STR(outcome(&function, RMD_ARGS(1, RMD_NAMED("base", 16))), "[1, 16]");
    CHECK_STR(outcome(&function, RMD_ARGS(1, RMD_NAMED("text", "x"))), "[1, \"(none)\", \"x\"]");
    CHECK_STR(outcome(&function, RMD_ARGS(RMD_NAMED("base", 2), RMD_NAMED("n", 1))), "[1, 2]");
    CHECK_STR(outcome(&function, RMD_ARGS((rmd_int128)1 << 100)),
              "[1267650600228229401496703205376]");
}

TEST(with_parameters_wrong_arguments_are_refused_before_the_body_runs)
{
    static const rmd_function function = { .name = "f",
                                           .fn = echo,
                                           .parameters = "n:int, base:int=, text:text=" };
    static const rmd_function two = { .name = "two", .fn = echo, .parameters = "a:bool,b:float" };
    static const rmd_function none = { .name = "none", .fn = echo, .parameters = "" };
    CHECK_STR(outcome(&function, RMD_ARGS()), "RMD_EINVAL f: argument \"n\" is missing");
    CHECK_STR(outcome(&function, RMD_ARGS("x")),
              "RMD_EINVAL f: argument 1 (n) is text \"x\", not int");
    CHECK_STR(outcome(&function, RMD_ARGS(1, rmd_null())),
              "RMD_EINVAL f: argument 2 (base) is null, not int");
    CHECK_STR(outcome(&function, RMD_ARGS(1, RMD_NAMED("foot", 2))),
              "RMD_EINVAL f: unknown argument \"foot\"");
    CHECK_STR(outcome(&function, RMD_ARGS(1, RMD_NAMED("n", 2))),
              "RMD_EINVAL f: argument \"n\" is given twice");
    CHECK_STR(outcome(&function, RMD_ARGS(1, 2, "x", 4)),
              "RMD_EINVAL f takes 3 arguments, and 4 were given");
    CHECK_STR(outcome(&function, RMD_ARGS(RMD_NAMED("base", 2))),
              "RMD_EINVAL f: argument \"n\" is missing");
    CHECK_STR(outcome(&none, RMD_ARGS(1)), "RMD_EINVAL none takes 0 arguments, and 1 were given");
    CHECK_STR(outcome(&two, RMD_ARGS(true, 1)), "[1, 1]");
    CHECK_STR(outcome(&two, RMD_ARGS((bool)true, 1.5)), "[true, 1.5]");
    CHECK_STR(outcome(&two, RMD_ARGS(2, 1)), "RMD_EINVAL two: argument 1 (a) is int 2, not bool");
    CHECK_STR(outcome(&two, RMD_ARGS(1, (INT64_C(1) << 53) + 1)),
              "RMD_EINVAL two: argument 2 (b) is int 9007199254740993, not float");
}

TEST(the_rest_takes_what_is_left)
{
    static const rmd_function rest = { .name = "rest", .fn = echo, .parameters = "a:any, *b" };
    static const rmd_function ints = { .name = "ints", .fn = echo, .parameters = "*n:int" };
    CHECK_STR(outcome(&rest, RMD_ARGS(1)), "[1]");
    CHECK_STR(outcome(&rest, RMD_ARGS(1, "x", 2.5)), "[1, \"x\", 2.5]");
    CHECK_STR(outcome(&rest, RMD_ARGS()), "RMD_EINVAL rest: argument \"a\" is missing");
    CHECK_STR(outcome(&ints, RMD_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)),
              "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]");
    CHECK_STR(outcome(&ints, RMD_ARGS(1, "x")),
              "RMD_EINVAL ints: argument 2 is text \"x\", not int");
    CHECK_STR(outcome(&ints, RMD_ARGS(RMD_NAMED("n", 1))),
              "RMD_EINVAL ints: unknown argument \"n\"");
}

static int named_base(rmd_call *call)
{
    int base = 10;
    int err = rmd_call_get_named(call, "base", &base);
    if (err < 0 && err != RMD_ENOENT)
        return err;
    return rmd_call_return(call, base);
}

TEST(an_argument_is_read_by_its_name)
{
    static const rmd_function free_form = { .name = "g", .fn = named_base };
    static const rmd_function checked = { .name = "h",
                                          .fn = named_base,
                                          .parameters = "n:int, base:int=" };
    CHECK_STR(outcome(&free_form, RMD_ARGS(1)), "10");
    CHECK_STR(outcome(&free_form, RMD_ARGS(1, RMD_NAMED("base", 16))), "16");
    CHECK_STR(outcome(&free_form, RMD_ARGS(RMD_NAMED("base", "x"))),
              "RMD_EINVAL g: argument \"base\": text \"x\" is not an int");
    CHECK_STR(outcome(&checked, RMD_ARGS(1)), "10");
    CHECK_STR(outcome(&checked, RMD_ARGS(1, 2)), "2"); /* at its place, and still with its name */
    CHECK_STR(outcome(&checked, RMD_ARGS(1, INT64_C(1) << 40)),
              "RMD_E2BIG h: argument 2 (base): int 1099511627776 does not fit an int of 32 bits");
}

static int behave(rmd_call *call)
{
    const char *how;
    int err = rmd_call_get(call, 0, &how);
    if (err < 0)
        return err;
    switch (how[0]) {
    case 'n': return 0; /* nothing is returned */
    case 't': (void)rmd_call_return(call, 1); return rmd_call_return(call, "the last one");
    case 'f':
        (void)rmd_call_return(call, 1);
        return rmd_call_fail(call, RMD_EBUSY, "it is %s", "engaged");
    case 'z': return rmd_call_fail(call, 0, "a code that is none");
    case 's': return RMD_ETIMEDOUT;
    case 'p': return 3;
    case 'b': return rmd_call_return(call, "\xff");
    default: return -1234;
    }
}

TEST(the_body_decides_what_becomes_of_the_call)
{
    static const rmd_function function = { .name = "b", .fn = behave };
    (void)rmd_fail(RMD_EIO, "about something else");
    CHECK_STR(outcome(&function, RMD_ARGS("nothing")), "null");
    CHECK_STR(outcome(&function, RMD_ARGS("twice")), "\"the last one\"");
    CHECK_STR(outcome(&function, RMD_ARGS("fails")), "RMD_EBUSY it is engaged");
    CHECK_STR(outcome(&function, RMD_ARGS("zero")), "RMD_EINVAL a code that is none");
    CHECK_STR(outcome(&function, RMD_ARGS("says nothing")),
              "RMD_ETIMEDOUT b: the deadline passed first");
    CHECK_STR(outcome(&function, RMD_ARGS("positive")),
              "RMD_EINVAL b returned 3; a body returns 0, or a negative code");
    CHECK_STR(outcome(&function, RMD_ARGS("bad")),
              "RMD_EINVAL b: the result: a text of 1 bytes: byte 0 is not UTF-8");
    CHECK_STR(outcome(&function, RMD_ARGS("unknown")), "RMD_E? b: an error of the program's own");
}

static int look_around(rmd_call *call)
{
    CHECK_EQ(rmd_call_id(call), 77);
    CHECK_EQ(rmd_call_attempt(call), 3);
    CHECK_STR(rmd_call_name(call), "look");
    return rmd_call_return(call, (bool)rmd_call_cancelled(call));
}

TEST(a_body_knows_its_task_and_whether_it_shall_give_up)
{
    static const rmd_function function = { .name = "look", .fn = look_around };
    rmd_stop *stop;
    rmdi_buffer args = { 0 }, result = { 0 };
    REQUIRE(rmd_stop_open(&stop) == 0 && rmdi_call_encode(&args, NULL) == 0);
    for (int fired = 0; fired < 2; fired++) {
        CHECK_EQ(rmdi_call_run(&function, rmdi_buffer_view(&args), 77, 3, stop, &result, NULL), 0);
        CHECK_EQ((unsigned char)result.data[0], fired ? 0xf5 : 0xf4);
        rmd_stop_request(stop);
    }
    rmd_stop_free(stop);
    rmdi_buffer_free(&args);
    rmdi_buffer_free(&result);
}

TEST(bytes_that_are_no_arguments_are_refused)
{
    static const rmd_function function = { .name = "f", .fn = echo };
    static const struct {
        const char *bytes;
        size_t len;
        const char *cause;
    } wrong[] = {
        { "", 0, "f: arguments: byte 0: 1 more bytes should follow, and 0 do" },
        { "\x01", 1, "f: what came is not arguments" },
        { "\x80", 1, "f: what came is not arguments" },
        { "\x81\x01", 2, "f: what came is not arguments" },
        { "\x82\x80\xa0", 3, "f: what came is not arguments" }, /* no names: left out */
        { "\x82\x80\x80", 3, "f: what came is not arguments" },
        { "\x82\x80\xa1\x01\x01", 5, "f: what came is not arguments" }, /* a name is a text */
        { "\x83\x80\xa1\x61\x61\x01\x01", 7, "f: what came is not arguments" },
    };
    rmdi_buffer result = { 0 };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        rmd_bytes bytes = { wrong[i].bytes, wrong[i].len };
        CHECK_EQ(rmdi_call_run(&function, bytes, 1, 1, NULL, &result, NULL), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), wrong[i].cause);
    }
    rmdi_buffer_free(&result);
}

static int call_once(void *arg)
{
    static const rmd_function function = { .name = "f",
                                           .fn = echo,
                                           .parameters = "a:any, b:any=, c:any=, d:any=, e:any=, "
                                                         "f:any=, g:any=, h:any=, i:any=" };
    char text[300];
    rmdi_buffer encoded = { 0 }, result = { 0 };
    (void)arg;
    memset(text, 'x', sizeof text);
    text[299] = 0;
    rmd_args args = RMD_ARGS(text, RMD_LIST_OF(1, 2, 3), RMD_NAMED("i", 1));
    int err = rmdi_call_encode(&encoded, &args);
    if (err == 0)
        err = rmdi_call_run(&function, rmdi_buffer_view(&encoded), 1, 1, NULL, &result, NULL);
    CHECK_EQ(result.len > 0, err == 0);
    rmdi_buffer_free(&encoded);
    rmdi_buffer_free(&result);
    return err;
}

TEST(a_call_without_memory_fails_and_keeps_nothing)
{
    CHECK_INT(kit_alloc(call_once, NULL, RMD_ENOMEM), >=, 5);
}

/* With small arguments only what is encoded takes memory. */
TEST(a_call_with_small_arguments_takes_no_memory)
{
    static const rmd_function functions[] = { { .name = "f", .fn = echo, .parameters = "*a" },
                                              { 0 } };
    REQUIRE(rmd_functions_add(functions) == 0);
    rmdi_buffer encoded = { 0 }, result = { 0 };
    rmd_args args = RMD_ARGS(1, 2.5, "a text", ((rmd_bytes){ "some bytes", 10 }), RMD_LIST_OF(1));
    REQUIRE(rmdi_call_encode(&encoded, &args) == 0 && rmdi_buffer_reserve(&result, 100) == 0);
    kit_alloc_fail(1);
    CHECK_EQ(rmdi_call_run(functions, rmdi_buffer_view(&encoded), 1, 1, NULL, &result, NULL), 0);
    kit_alloc_fail(0);
    rmdi_buffer_free(&encoded);
    rmdi_buffer_free(&result);
}

static int return_much(rmd_call *call)
{
    static char much[(16 << 20) + 1];
    return rmd_call_return(call, ((rmd_bytes){ much, sizeof much }));
}

TEST(more_than_can_be_decoded_is_refused_where_it_is_made)
{
    static const rmd_function function = { .name = "much", .fn = return_much };
    static char much[16 << 20];
    rmdi_buffer out = { 0 };
    rmd_args args = RMD_ARGS(((rmd_bytes){ much, sizeof much }));
    REQUIRE(rmdi_buffer_add_text(&out, "x") == 0);
    CHECK_EQ(rmdi_call_encode(&out, &args), RMD_E2BIG);
    CHECK_STR(rmd_error_detail(), "16777223 bytes when encoded; the limit is 16777216");
    CHECK_STR(out.data, "x");
    rmdi_buffer_free(&out);
    CHECK_STR(outcome(&function, RMD_ARGS()),
              "RMD_E2BIG much: the result: 16777222 bytes when encoded; the limit is 16777216");
}

/* ---- calls in each other ---- */

static char *highest, *lowest;
static int nested_left;
static rmdi_buffer nested_args;

static int nest(rmd_call *call)
{
    static const rmd_function function = { .name = "nest", .fn = nest, .parameters = "n:int" };
    char here;
    lowest = &here;
    if (!nested_left--)
        return rmd_call_return(call, 0);
    rmdi_buffer result = { 0 };
    int err = rmdi_call_run(&function, rmdi_buffer_view(&nested_args), 1, 1, NULL, &result, NULL);
    rmdi_buffer_free(&result);
    return err < 0 ? err : rmd_call_return(call, 1);
}

TEST(a_call_takes_little_of_the_stack)
{
#ifdef __OPTIMIZE__
    enum { CALLS = 1000, BYTES_MAX = KIT_SANITIZED ? 4000 : 1536 };
#else
    enum { CALLS = 1000, BYTES_MAX = 4000 };
#endif
    static const rmd_function function = { .name = "nest", .fn = nest, .parameters = "n:int" };
    rmdi_buffer result = { 0 };
    rmd_args args = RMD_ARGS(1);
    char here, remark[40];
    highest = &here;
    nested_left = CALLS;
    REQUIRE(rmdi_call_encode(&nested_args, &args) == 0);
    CHECK_EQ(rmdi_call_run(&function, rmdi_buffer_view(&nested_args), 1, 1, NULL, &result, NULL),
             0);
    CHECK_INT((highest - lowest) / CALLS, <, BYTES_MAX);
    snprintf(remark, sizeof remark, "%d bytes", (int)((highest - lowest) / CALLS));
    kit_remark(remark);
    rmdi_buffer_free(&nested_args);
    rmdi_buffer_free(&result);
}
