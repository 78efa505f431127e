/* SPDX-License-Identifier: MIT */
#include "exec/environment.h"

#include "base/alloc.h"
#include "kit.h"

/* The entries in one text, separated by blanks. */
static const char *join(char *const *env)
{
    static char text[256];
    text[0] = 0;
    for (; *env; env++) {
        strcat(text, *text ? " " : "");
        strcat(text, *env);
    }
    return text;
}

TEST(a_name_is_found_whole_and_the_first_one_counts)
{
    char a[] = "PATHS=1", b[] = "PATH=2", c[] = "PATH=3", d[] = "EMPTY=", e[] = "BARE";
    char *env[] = { a, b, c, d, e, NULL };
    CHECK_STR(rmdi_env_get(env, "PATH"), "2");
    CHECK_STR(rmdi_env_get(env, "PATHS"), "1");
    CHECK_STR(rmdi_env_get(env, "EMPTY"), "");
    CHECK(rmdi_env_get(env, "BARE") == NULL);
    CHECK(rmdi_env_get(env, "PAT") == NULL);
    CHECK(rmdi_env_get(NULL, "PATH") == NULL);
}

TEST(a_copy_is_one_piece_of_memory_of_its_own)
{
    char a[] = "A=1", b[] = "";
    const char *env[] = { a, b, "C=3", NULL };
    char **copy = rmdi_strings_copy(env);
    REQUIRE(copy != NULL);
    a[0] = 'x';
    CHECK_STR(join(copy), "A=1  C=3");
    rmdi_free(copy);
    copy = rmdi_strings_copy(NULL);
    CHECK(copy && copy[0] == NULL);
    rmdi_free(copy);
}

static void check_merge(char *const *base, char *const *over, const char *wanted)
{
    char **merged = rmdi_env_merge(base, over);
    REQUIRE(merged != NULL);
    CHECK_STR(join(merged), wanted);
    rmdi_free(merged);
}

TEST(what_is_merged_replaces_the_same_name_and_comes_last)
{
    char a[] = "A=1", b[] = "B=2", ab[] = "AB=3", new_a[] = "A=", a_bare[] = "A";
    char *base[] = { a, b, ab, NULL }, *over[] = { new_a, NULL }, *bare[] = { a_bare, NULL };
    char *nothing[] = { NULL };
    check_merge(base, over, "B=2 AB=3 A=");
    check_merge(bare, over, "A="); /* an entry without a value has the same name */
    check_merge(base, nothing, "A=1 B=2 AB=3");
    check_merge(base, NULL, "A=1 B=2 AB=3");
    check_merge(NULL, over, "A=");
    check_merge(NULL, NULL, "");
}
