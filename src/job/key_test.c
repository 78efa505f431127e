/* SPDX-License-Identifier: MIT */
#include "kit.h"

#include "job/key.h"

#include <stdlib.h>

static rmdi_key key_of(const rmdi_template_options *options, const char *dir,
                       const char *const *environment, const char *a, const char *b,
                       const char *block)
{
    rmdi_keys *keys;
    rmdi_key key;
    rmd_bytes values[2];
    size_t count = 0;
    if (a)
        values[count++] = (rmd_bytes){ a, strlen(a) };
    if (b)
        values[count++] = (rmd_bytes){ b, strlen(b) };
    REQUIRE(rmdi_keys_open(&keys, options, dir, environment) == 0);
    for (int i = 0; i < 2; i++) /* the second is not changed by the first */
        REQUIRE(rmdi_keys_make(keys, values, count, (rmd_bytes){ block, strlen(block) }, &key) ==
                0);
    rmdi_keys_free(keys);
    return key;
}

static bool same(rmdi_key a, rmdi_key b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static const char *const echo[] = { "echo", "{}", NULL };
static const rmdi_template_options plain = { .words = echo };

TEST(the_same_task_has_the_same_key_and_no_other_has_it)
{
    const char *const joined[] = { "echo {}", NULL };
    rmdi_key a = key_of(&plain, NULL, NULL, "a", NULL, "");
    CHECK(same(a, key_of(&plain, NULL, NULL, "a", NULL, "")));
    CHECK(!same(a, key_of(&plain, NULL, NULL, "b", NULL, "")));
    CHECK(!same(a, key_of(&plain, NULL, NULL, "a", "", "")));
    CHECK(!same(a, key_of(&plain, NULL, NULL, NULL, NULL, "a")));
    CHECK(!same(a, key_of(&plain, ".", NULL, "a", NULL, "")));
    CHECK(!same(key_of(&plain, "", NULL, "a", NULL, ""), a));
    CHECK(!same(a, key_of(&(rmdi_template_options){ .words = joined }, NULL, NULL, "a", NULL, "")));
    CHECK(!same(key_of(&plain, NULL, NULL, "ab", "c", ""),
                key_of(&plain, NULL, NULL, "a", "bc", "")));
}

TEST(each_way_of_using_the_command_is_part_of_the_key)
{
    rmdi_key a = key_of(&plain, NULL, NULL, "a", NULL, "");
    const rmdi_template_options others[] = {
        { .words = echo, .replace = "X" },       { .words = echo, .shell = "/bin/bash" },
        { .words = echo, .quote = true },        { .words = echo, .repeat_words = true },
        { .words = echo, .never_append = true }, { .words = NULL },
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK(!same(a, key_of(&others[i], NULL, NULL, "a", NULL, "")));
}

TEST(the_chosen_environment_is_part_of_the_key_and_no_other)
{
    const char *const names[] = { "KEY_TEST", NULL };
    unsetenv("KEY_TEST");
    rmdi_key unset = key_of(&plain, NULL, names, "a", NULL, "");
    rmdi_key nothing = key_of(&plain, NULL, NULL, "a", NULL, "");
    setenv("KEY_TEST", "", 1);
    rmdi_key empty = key_of(&plain, NULL, names, "a", NULL, "");
    setenv("KEY_TEST", "1", 1);
    rmdi_key one = key_of(&plain, NULL, names, "a", NULL, "");
    CHECK(!same(unset, empty));
    CHECK(!same(empty, one));
    CHECK(same(nothing, key_of(&plain, NULL, NULL, "a", NULL, "")));
}

/* Made with python3's hashlib from docs/protocol/journal.md. A key that changes makes every journal
 * worthless. */
TEST(the_layout_is_the_documented_one)
{
    unsetenv("KEY_TEST");
    static const char hex[] = "beabbf75dc5665c870869ff1ade6a917c55a69934b249fe145acf2c9693017bf";
    rmdi_key key = key_of(&plain, "w", (const char *const[]){ "KEY_TEST", NULL }, "a", "\xff",
                          "bl");
    char text[2 * RMDI_KEY_BYTES + 1];
    for (int i = 0; i < RMDI_KEY_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", key.bytes[i]);
    CHECK_STR(text, hex);
}
