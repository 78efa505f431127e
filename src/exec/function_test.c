/* SPDX-License-Identifier: MIT */
#include "exec/function.h"

#include "kit.h"
#include "kit_alloc.h"

#include <remuda/error.h>

#include <pthread.h>
#include <unistd.h>

static int body(rmd_call *call)
{
    (void)call;
    return 0;
}

static int add_one(const char *name, const char *parameters)
{
    /* The table borrows what it gets for ever. */
    static rmd_function tables[64][2];
    static int used;
    rmd_function *table = tables[used++];
    table[0] = (rmd_function){ .name = name, .fn = body, .parameters = parameters };
    return rmd_functions_add(table);
}

TEST(what_was_added_is_found_by_its_name)
{
    static const rmd_function first[] = { { .name = "one", .fn = body, .help = "the first" },
                                          { .name = "two", .fn = body },
                                          { 0 } };
    static const rmd_function second[] = { { .name = "t:h-r.3_e", .fn = body }, { 0 } };
    CHECK(rmd_function_find("one") == NULL);
    CHECK_EQ(rmd_functions_add(first), 0);
    CHECK_EQ(rmd_functions_add(second), 0);
    CHECK(rmd_function_find("one") == &first[0]);
    CHECK(rmd_function_find("two") == &first[1]);
    CHECK(rmd_function_find("t:h-r.3_e") == &second[0]);
    CHECK(!rmd_function_find("three") && !rmd_function_find("") && !rmd_function_find(NULL));
}

TEST(names_with_the_same_hash_are_told_apart)
{
    static const rmd_function same[] = { { .name = "costarring", .fn = body },
                                         { .name = "liquid", .fn = body },
                                         { .name = "altarage", .fn = body },
                                         { .name = "zinke", .fn = body },
                                         { 0 } };
    CHECK_EQ(rmd_functions_add(same), 0);
    for (int i = 0; i < 4; i++)
        CHECK(rmd_function_find(same[i].name) == &same[i]);
}

static int note(const rmd_function *function, void *ctx)
{
    strcat(ctx, function->name);
    return function->name[0] == 'c' ? 5 : 0;
}

TEST(a_walk_goes_in_the_order_of_adding_until_it_is_told_to_end)
{
    static const rmd_function all[] = { { .name = "b", .fn = body },
                                        { .name = "a", .fn = body },
                                        { .name = "c", .fn = body },
                                        { .name = "d", .fn = body },
                                        { 0 } };
    char names[8] = "";
    CHECK_EQ(rmd_functions_walk(note, names), 0);
    CHECK_EQ(rmd_functions_walk(NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_functions_add(all), 0);
    CHECK_EQ(rmd_functions_walk(note, names), 5);
    CHECK_STR(names, "bac");
}

TEST(a_table_with_something_wrong_in_it_adds_nothing)
{
    static const rmd_function taken[] = { { .name = "first", .fn = body },
                                          { .name = "second", .fn = body },
                                          { .name = "first", .fn = body },
                                          { 0 } };
    static const rmd_function no_body[] = { { .name = "first", .fn = body },
                                            { .name = "second" },
                                            { 0 } };
    CHECK_EQ(rmd_functions_add(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_functions_add(taken), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "function \"first\": there is one of that name");
    CHECK_EQ(rmd_functions_add(no_body), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "function \"second\" has no fn");
    CHECK(!rmd_function_find("first"));
    CHECK_EQ(add_one("first", NULL), 0);
    CHECK_EQ(add_one("first", NULL), RMD_EINVAL);
    CHECK_EQ(add_one("", NULL), RMD_EINVAL);
    CHECK_EQ(add_one("a b", NULL), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "function \"a b\": a name has 1 to 128 letters");
    CHECK_EQ(add_one("stra\xc3\x9f"
                     "e",
                     NULL),
             RMD_EINVAL);
    char name[130];
    memset(name, 'x', 129);
    name[129] = 0;
    CHECK_EQ(add_one(name, NULL), RMD_EINVAL);
    CHECK_EQ(add_one(name + 1, NULL), 0);
}

TEST(parameters_that_are_not_understood_are_refused_by_name)
{
    static const struct {
        const char *parameters, *cause;
    } wrong[] = {
        { "n", "parameters, at \"\": a name is followed by ':' and its type" },
        { "n:itn", "at \"itn\": types are any, null, bool, int" },
        { "n:int,", "a name should stand behind the last ','" },
        { ",n:int", "at \",n:int\": a name should stand here" },
        { "n:int m:int", "at \"m:int\": ',' or the end should stand here" },
        { "n:int, n:text", "at \"n:text\": the name is there twice" },
        { "n:int=, m:int", "at \"m:int\": what stands behind one that may be left out" },
        { "*a, b:int", "at \"a, b:int\": the rest stands last" },
        { "a:int, *a", "at \"a\": the name is there twice" },
        { "*a=", "',' or the end should stand here" },
        { "*", "a name should stand here" },
        { "n:int==", "',' or the end should stand here" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_EQ(add_one("f", wrong[i].parameters), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), "function \"f\": parameters, at");
        CHECK_CONTAINS(rmd_error_detail(), wrong[i].cause);
    }
    char many[65 * 10] = "a0:int";
    for (int i = 1; i < 65; i++)
        sprintf(many + strlen(many), ",a%d:int", i);
    CHECK_EQ(add_one("f", many), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "function \"f\": 65 parameters; the limit is 64");
}

TEST(parameters_are_read_as_they_are_meant)
{
    CHECK_EQ(add_one("f", " n : int , base:any = ,*rest : text "), 0);
    const rmd_function *f = rmd_function_find("f");
    const rmdi_parameters *p = rmdi_function_parameters(f);
    REQUIRE(p != NULL);
    CHECK_EQ(p->count, 2);
    CHECK(p->has_rest && p->rest.type == RMD_TYPE_TEXT);
    CHECK(!p->items[0].optional && p->items[0].type == RMD_TYPE_INT);
    CHECK(p->items[1].optional && p->items[1].type == RMDI_PARAMETER_ANY);
    CHECK_STR(rmdi_parameter_type_name(&p->items[1]), "any");
    CHECK_EQ(rmdi_parameters_find(p, "base", 4), 1);
    CHECK_EQ(rmdi_parameters_find(p, "bas", 3), 2);
    rmd_function stranger = *f, plain = { .name = "plain", .fn = body };
    CHECK(!rmdi_function_parameters(&stranger) && !rmdi_function_parameters(&plain));
    CHECK_EQ(add_one("g", " "), 0);
    p = rmdi_function_parameters(rmd_function_find("g"));
    CHECK(p && p->count == 0 && !p->has_rest);
}

static int add_and_forget(void *arg)
{
    static const rmd_function one[] = { { .name = "a", .fn = body, .parameters = "n:int" },
                                        { .name = "b", .fn = body },
                                        { 0 } };
    static const rmd_function two[] = { { .name = "c", .fn = body, .parameters = "" }, { 0 } };
    (void)arg;
    int err = rmd_functions_add(one);
    CHECK_EQ(rmd_function_find("b") != NULL, err == 0);
    if (err == 0)
        err = rmd_functions_add(two);
    CHECK_EQ(rmd_function_find("c") != NULL, err == 0);
    rmdi_functions_forget();
    return err;
}

TEST(without_memory_nothing_is_added)
{
    CHECK_EQ(kit_alloc(add_and_forget, NULL, RMD_ENOMEM), 7);
}

/* ---- several threads ---- */

enum { THREADS = 4, EACH = 64 };
static rmd_function many[THREADS][EACH][2];
static char names[THREADS][EACH][16];

/* Half of what it adds all others add, too: one succeeds. */
static void *add_many(void *arg)
{
    int self = (int)(intptr_t)arg;
    intptr_t added = 0;
    for (int i = 0; i < EACH; i++) {
        snprintf(names[self][i], sizeof names[self][i], "f%d-%d", i % 2 ? self : 9, i);
        many[self][i][0] = (rmd_function){ .name = names[self][i], .fn = body };
        added += rmd_functions_add(many[self][i]) == 0;
        CHECK(rmd_function_find(names[self][i]) != NULL);
    }
    return (void *)added;
}

static int count_one(const rmd_function *function, void *ctx)
{
    CHECK(rmd_function_find(function->name) == function);
    ++*(int *)ctx;
    return 0;
}

TEST(of_those_who_add_the_same_name_one_succeeds)
{
    pthread_t threads[THREADS];
    intptr_t added = 0;
    for (intptr_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, add_many, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        added += (intptr_t)result;
    }
    int found = 0;
    CHECK_EQ(rmd_functions_walk(count_one, &found), 0);
    CHECK_EQ(added, THREADS * EACH / 2 + EACH / 2);
    CHECK_EQ(found, added);
}

TEST(a_child_finds_what_its_parent_added_and_adds_its_own)
{
    CHECK_EQ(add_one("parent", NULL), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(rmd_function_find("parent") != NULL);
        CHECK_EQ(add_one("child", NULL), 0);
        CHECK(rmd_function_find("child") != NULL);
        _exit(0);
    }
    CHECK_CHILD(pid);
    CHECK(rmd_function_find("child") == NULL);
}
