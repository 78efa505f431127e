/* SPDX-License-Identifier: MIT */
/* Definitions of foreign functions; and programs that are run for each call. */
#include "exec/foreign_testing.h"

#include "exec/json_hook.h"
#include "kit_alloc.h"

#include <fcntl.h>

void kit_first(int *argc, char ***argv)
{
    rmd_start(argc, argv);
}

/* ---- definitions ---- */

static int add(rmd_foreign foreign)
{
    foreign.size = sizeof foreign;
    return rmd_foreign_add(&foreign);
}

TEST(definitions_that_are_none_are_refused_by_name)
{
    static const char *const cat[] = { "cat", NULL }, *const none[] = { NULL },
                             *const empty[] = { "", NULL };
    CHECK_EQ(rmd_foreign_add(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_foreign_add(&(rmd_foreign){ .size = 1, .name = "f", .argv = cat }), RMD_EINVAL);
    CHECK_EQ(add((rmd_foreign){ .argv = cat }), RMD_EINVAL);
    CHECK_EQ(add((rmd_foreign){ .name = "f" }), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "foreign function \"f\": no program");
    CHECK_EQ(add((rmd_foreign){ .name = "f", .argv = none }), RMD_EINVAL);
    CHECK_EQ(add((rmd_foreign){ .name = "f", .argv = empty }), RMD_EINVAL);
    CHECK_EQ(add((rmd_foreign){ .name = "f g", .argv = cat }), RMD_EINVAL);
    CHECK_EQ(add((rmd_foreign){ .name = "f", .argv = cat, .ready_ms = -1 }), RMD_EINVAL);
    CHECK_EQ(add((rmd_foreign){ .name = "f", .argv = cat, .answer_ms = -1 }), RMD_EINVAL);
    CHECK_EQ(add((rmd_foreign){ .name = "f", .argv = cat, .answer_bytes_max = 1UL << 31 }),
             RMD_EINVAL);
    CHECK_EQ(add((rmd_foreign){ .name = "f", .argv = cat, .parameters = "n:what" }), RMD_EINVAL);
    CHECK(rmd_function_find("f") == NULL);
}

TEST(the_same_definition_again_is_fine_and_another_is_not)
{
    static const char *const cat[] = { "cat", NULL }, *const tac[] = { "tac", NULL };
    rmd_foreign f = { .name = "f", .argv = cat, .help = "the same", .parameters = "data:bytes" };
    CHECK_EQ(add(f), 0);
    CHECK_EQ(add(f), 0);
    const rmd_function *function = rmd_function_find("f");
    REQUIRE(function != NULL);
    CHECK_STR(function->help, "the same");
    CHECK_STR(function->parameters, "data:bytes");
    f.argv = tac;
    CHECK_EQ(add(f), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "there is one of that name");
}

TEST(all_of_a_definition_is_copied)
{
    char name[] = "copied", cat[] = "cat", help[] = "help";
    const char *argv[] = { cat, NULL };
    CHECK_EQ(add((rmd_foreign){ .name = name, .argv = argv, .help = help }), 0);
    memset(name, 'x', sizeof name - 1);
    memset(cat, 'x', sizeof cat - 1);
    memset(help, 'x', sizeof help - 1);
    argv[0] = NULL;
    rmd_pool *pool = open_pool("threads:1");
    CHECK_ASK(pool, "copied", "hello", "hello");
    CHECK_STR(rmd_function_find("copied")->help, "help");
    close_pool(pool);
}

/* A function that was added stays, with its memory: so only those runs count that fail. */
TEST(without_memory_nothing_is_added)
{
    static const char *const argv[] = { "cat", "-", NULL };
    int n = 1, err;
    do {
        kit_alloc_fail(n++);
        err = add((rmd_foreign){ .name = "f", .argv = argv, .help = "x", .result = "bytes" });
        kit_alloc_fail(0);
        CHECK(err == 0 || err == RMD_ENOMEM);
    } while (err == RMD_ENOMEM && n < 100);
    CHECK_EQ(err, 0);
    CHECK_INT(n, >, 8);
}

/* ---- programs ---- */

TEST(a_program_gets_the_argument_and_gives_its_output)
{
    static char big[300001];
    const rmd_bytes zeros = { "a\0b", 3 };
    kit_resources before;
    memset(big, 'b', sizeof big - 1);
    kit_resources_take(&before);
    add_script("up", "tr a-z A-Z", (rmd_foreign){ 0 });
    add_script("count", "wc -c | tr -d ' \\n'", (rmd_foreign){ 0 });
    add_script("words", "echo words; echo chatter >&2", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        int err;
        CHECK_ASK(pool, "up", "hello", "HELLO");
        CHECK_ASK(pool, "up", "", "");
        CHECK_STR(result_of(submit(pool, "up", RMD_ARGS()), &err), "");
        CHECK_STR(result_of(submit(pool, "up", RMD_ARGS(zeros)), &err), "A");
        CHECK_ASK(pool, "count", big, "300000");
        CHECK_ASK(pool, "words", big, "words\n"); /* and reads nothing */
        result_of(submit(pool, "up", RMD_ARGS(1.5)), &err);
        CHECK_EQ(err, RMD_EINVAL);
        close_pool(pool);
    }
    CHECK_RESOURCES(&before);
}

TEST(one_that_fails_is_told_with_status_signal_and_last_words)
{
    add_script("status", "echo one >&2; echo two >&2; exit 3", (rmd_foreign){ 0 });
    add_script("signal", "kill -9 $$", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        CHECK_FAILS(pool, "status", "x", RMD_EEXIT,
                    "has exited with status 3; it wrote last: one | two");
        CHECK_FAILS(pool, "signal", "x", RMD_ESIGNAL, "was ended by signal 9 (Killed)");
        close_pool(pool);
    }
}

TEST(one_that_writes_too_much_is_ended)
{
    add_script("much", "yes", (rmd_foreign){ .answer_bytes_max = 100000 });
    add_script("enough", "head -c 1000 /dev/zero", (rmd_foreign){ .answer_bytes_max = 1000 });
    add_script("more", "head -c 1001 /dev/zero", (rmd_foreign){ .answer_bytes_max = 1000 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        CHECK_FAILS(pool, "much", "x", RMD_E2BIG, "has written more than 100000 bytes");
        CHECK_FAILS(pool, "more", "x", RMD_E2BIG, "has written more than 1000 bytes");
        CHECK_ASK(pool, "enough", "x", "");
        close_pool(pool);
    }
}

TEST(one_that_takes_too_long_is_ended_with_what_it_has_started)
{
    kit_resources before;
    kit_resources_take(&before);
    add_script("long", "sleep 60 & echo $! >&2; wait", (rmd_foreign){ .answer_ms = 100 });
    for (int i = 0; i < KINDS; i++) {
        int err;
        rmd_pool *pool = open_pool(kinds[i]);
        const char *told = ask(pool, "long", "x", &err);
        CHECK_EQ(err, RMD_ETIMEDOUT);
        CHECK_CONTAINS(told, "has not ended within 100 ms, and was ended; it wrote last: ");
        const char *number = strrchr(told, ' ');
        CHECK(number && is_gone_soon(atoi(number)));
        close_pool(pool);
    }
    CHECK_RESOURCES(&before);
}

TEST(cancel_ends_a_program)
{
    add_script("long", "sleep 60 & wait", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        rmd_future *future = submit(pool, "long", RMD_ARGS("x"));
        while (rmd_future_state(future) == RMD_STATE_QUEUED)
            usleep(1000);
        usleep(20000);
        rmd_future_cancel(future);
        REQUIRE(rmd_future_wait(future, soon()) == 0);
        CHECK_STR(rmd_outcome_name(rmd_future_outcome(future)), "cancelled");
        rmd_future_free(future);
        close_pool(pool);
    }
}

TEST(a_program_that_is_told_to_stop_has_time_to_obey)
{
    int told[2];
    char words[8] = "", script[128];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    snprintf(script, sizeof script,
             "trap 'sleep 0.1; echo end >/proc/%d/fd/%d; exit' TERM; sleep 60 & wait", getpid(),
             told[1]);
    add_script("long", script, (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        rmd_task_options options = { .size = sizeof options,
                                     .limits = { .run_ms_max = 300 * kit_patience() } };
        rmd_future *future;
        REQUIRE(rmd_pool_call(pool, &future, "long", RMD_ARGS(), &options) == 0);
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_TIMEOUT);
        rmd_future_free(future);
        close_pool(pool);
    }
    CHECK_EQ(read(told[0], words, sizeof words), 8);
    CHECK(memcmp(words, "end\nend\n", 8) == 0);
}

TEST(what_a_program_has_left_behind_ends)
{
    add_script("group", "sleep 60 >&- 2>&- & echo $!", (rmd_foreign){ 0 });
    add_script("away", "setsid sh -c 'echo $$; exec sleep 60 >&- 2>&-' & sleep 0.1",
               (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        CHECK(is_gone_soon(ask_number(pool, "away", "x")));
        pid_t near = ask_number(pool, "group", "x"), away = ask_number(pool, "away", "x");
        CHECK(is_gone_soon(near));
        close_pool(pool);
        CHECK(is_gone_soon(away));
    }
}

TEST(a_program_that_is_not_there_is_named)
{
    static const char *const argv[] = { "no-such-program-at-all", NULL };
    rmd_foreign f = { .size = sizeof f, .name = "nowhere", .argv = argv };
    REQUIRE(rmd_foreign_add(&f) == 0);
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        CHECK_FAILS(pool, "nowhere", "x", RMD_ENOENT, "\"no-such-program-at-all\": not found");
        close_pool(pool);
    }
}

TEST(a_program_knows_its_environment_and_folder)
{
    add_script("where", "printf '%s %s' \"$(pwd)\" \"$FOREIGN_TEST\"", (rmd_foreign){ 0 });
    setenv("FOREIGN_TEST", "there", 1);
    REQUIRE(chdir("/") == 0);
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        CHECK_ASK(pool, "where", "x", "/ there");
        close_pool(pool);
    }
}

/* ---- JSON: of a library that speaks a little of it ---- */

static int encode_little(const rmd_value *value, char **text, size_t *len)
{
    *text = malloc(512);
    int n = rmd_value_format(value, *text, 512); /* which is JSON, of what stands in here */
    *len = (size_t)n;
    return n < 512 ? 0 : RMD_E2BIG;
}

static rmd_pair pairs[2];
static rmd_value map;

/* {"id": N, "result": "TEXT"} or the same with "error". */
static int decode_little(const rmd_value **value, rmd_bytes bytes)
{
    static char key[16], text[256];
    int id;
    char copy[512];
    snprintf(copy, sizeof copy, "%.*s", (int)bytes.len, (const char *)bytes.data);
    if (sscanf(copy, "{\"id\": %d, \"%15[a-z]\": \"%255[^\"]\"}", &id, key, text) != 3)
        return rmd_fail(RMD_ESYNTAX, "line 1: not so");
    pairs[0] = (rmd_pair){ rmd_text("id"), rmd_int(id) };
    pairs[1] = (rmd_pair){ rmd_text(key), rmd_text(text) };
    map = rmd_map_value(pairs, 2);
    *value = &map;
    return 0;
}

static void free_text(char *text)
{
    free(text);
}

static void free_value(const rmd_value *value)
{
    CHECK(value == &map);
}

static const char python[] = "import json\n"
                             "from multiprocessing.connection import Connection\n"
                             "tasks = Connection(3)\n"
                             "tasks.send_bytes(b'remuda 1 json')\n"
                             "while True:\n"
                             "    task = json.loads(tasks.recv_bytes())\n"
                             "    answer = {'id': task['id']}\n"
                             "    if task['args'] == ['bad']:\n"
                             "        answer['error'] = 'no'\n"
                             "    elif task['args'] == ['worse']:\n"
                             "        answer = []\n"
                             "    else:\n"
                             "        answer['result'] = '%s %s %s %d' % (task['function'], "
                             "task['args'][0], task['named'],\n"
                             "                                            task['attempt'])\n"
                             "    tasks.send_bytes(json.dumps(answer).encode())\n";

TEST(a_worker_may_speak_json_where_somebody_else_does)
{
    static const rmdi_json little = { .encode = encode_little,
                                      .decode = decode_little,
                                      .free_text = free_text,
                                      .free_value = free_value };
    static const char *const argv[] = { "python3", "-c", python, NULL };
    rmd_foreign f = { .size = sizeof f, .name = "f", .argv = argv, .worker = true };
    REQUIRE(rmd_foreign_add(&f) == 0);
    if (system("python3 -c '' 2>/dev/null") != 0)
        SKIP("python3 is not here");
    rmdi_json_use(&little);
    rmd_pool *pool = open_pool("threads:1");
    int err;
    CHECK_STR(result_of(submit(pool, "f", RMD_ARGS("hi", RMD_NAMED("k", 1))), &err),
              "f hi {'k': 1} 1");
    CHECK_FAILS(pool, "f", "bad", RMD_FOREIGN_ERROR, "no");
    CHECK_FAILS(pool, "f", "worse", RMD_ESYNTAX, "which is no JSON: line 1: not so");
    CHECK_ASK(pool, "f", "again", "f again {} 1");
    close_pool(pool);
}
