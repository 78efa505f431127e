/* SPDX-License-Identifier: MIT */
#include "exec/carried.h"

#include "exec/processes_testing.h"
#include "kit_alloc.h"

#include <remuda/thread.h>

/* ---- words: what is carried here ---- */

static char words[200]; /* that were replayed */

static int replay_word(const rmd_value *value)
{
    const char *word;
    int err = rmd_value_get(value, &word);
    if (err == 0 && strcmp(word, "bad") == 0)
        return rmd_fail(RMD_EINVAL, "the word \"%s\" is not welcome", word);
    if (err == 0)
        snprintf(words + strlen(words), sizeof words - strlen(words), "%s ", word);
    return err < 0 ? err : rmdi_carry("word", value);
}

static int do_words(rmd_call *call)
{
    return rmd_call_return(call, words);
}

static const rmd_function own[] = { { .name = "words", .fn = do_words }, { 0 } };
static rmdi_carrier word_carrier = { .kind = "word", .replay = replay_word };

void kit_first(int *argc, char ***argv)
{
    if (rmd_functions_add(own) < 0)
        _exit(2);
    rmdi_carrier_add(&word_carrier);
    rmdi_carrier_add(&word_carrier);
    rmd_start(argc, argv);
}

static int carry_word(const char *word)
{
    const rmd_value value = rmd_text(word);
    return rmdi_carry("word", &value);
}

static const char *ask_words(void)
{
    static char text[200];
    const char *got = "";
    rmd_pool *pool;
    rmd_future *future;
    REQUIRE(rmd_pool_open(&pool, "processes:1", NULL, soon()) == 0);
    REQUIRE(rmd_pool_call(pool, &future, "words", RMD_ARGS(), NULL) == 0);
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_EQ(rmd_future_get(future, &got), 0);
    snprintf(text, sizeof text, "%s", got);
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    rmd_pool_free(pool);
    return text;
}

/* ---- the cases ---- */

TEST(what_is_carried_comes_to_workers_in_its_order_and_once)
{
    CHECK_STR(ask_words(), "");
    CHECK_EQ(carry_word("one"), 0);
    CHECK_EQ(carry_word("two"), 0);
    CHECK_EQ(carry_word("one"), 0);
    CHECK_EQ(carry_word("three"), 0);
    CHECK_STR(ask_words(), "one two three ");
    CHECK_STR(words, "");
}

static int open_again(void)
{
    rmd_pool *pool;
    return rmd_pool_open(&pool, "processes:1", NULL, soon());
}

TEST(a_kind_that_the_workers_program_does_not_know_is_named)
{
    const rmd_value value = rmd_int(1);
    CHECK_EQ(rmdi_carry("plug-in", &value), 0);
    CHECK_EQ(open_again(), RMD_EWORKER);
    CHECK_CONTAINS(rmd_error_detail(), "does not know what a \"plug-in\" is");
}

TEST(what_a_replay_has_against_it_is_told_to_who_opens_the_pool)
{
    CHECK_EQ(carry_word("bad"), 0);
    CHECK_EQ(open_again(), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "the word \"bad\" is not welcome");
}

static void carry_many(void *arg)
{
    char word[32];
    for (int i = 0; i < 100; i++) {
        snprintf(word, sizeof word, "%s%d", (const char *)arg, i % 50);
        CHECK_EQ(carry_word(word), 0);
    }
}

TEST(several_threads_carry_at_once)
{
    rmd_thread *threads[2];
    rmdi_buffer all = { 0 };
    static char a[] = "a", b[] = "b";
    REQUIRE(rmd_thread_start(&threads[0], carry_many, a, NULL) == 0);
    REQUIRE(rmd_thread_start(&threads[1], carry_many, b, NULL) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(rmd_thread_join(threads[i], soon()), 0);
        rmd_thread_free(threads[i]);
    }
    CHECK_EQ(rmdi_carried_write(&all), 0);
    CHECK_EQ(all.len, 2 * (10 * 13 + 40 * 14)); /* each word once: 4 + [ "word" "a10" ] */
    rmdi_buffer_free(&all);
}

static int carry_and_write(void *arg)
{
    rmdi_buffer all = { 0 };
    int err = carry_word(arg);
    if (err == 0)
        err = rmdi_carried_write(&all);
    words[0] = 0;
    if (err == 0)
        err = rmdi_carried_replay(rmdi_buffer_view(&all), NULL);
    rmdi_buffer_free(&all);
    rmdi_carried_forget();
    return err;
}

TEST(without_memory_nothing_is_left)
{
    static char word[] = "word";
    CHECK_INT(kit_alloc(carry_and_write, word, RMD_ENOMEM), >, 3);
}

TEST(what_was_cut_is_refused)
{
    CHECK_EQ(rmdi_carried_replay((rmd_bytes){ "\0\0\0\1\xff", 5 }, NULL), RMD_EINVAL);
    CHECK_EQ(rmdi_carried_replay((rmd_bytes){ NULL, 0 }, NULL), 0);
}
