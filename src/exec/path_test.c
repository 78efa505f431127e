/* SPDX-License-Identifier: MIT */
#include "exec/path.h"

#include "kit.h"

#include <fcntl.h>
#include <limits.h>
#include <remuda/error.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char found[PATH_MAX];

static void make(const char *name, int mode)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, mode);
    REQUIRE(fd >= 0);
    close(fd);
}

/* Each case works in its own folder: a/ and b/ with programs in them. */
static void make_folders(void)
{
    REQUIRE(chdir(getenv("TMPDIR")) == 0);
    REQUIRE(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 && mkdir("a/both", 0755) == 0);
    make("b/both", 0755);
    make("b/plain", 0644);
    make("b/tool", 0755);
    make("tool", 0755);
}

TEST(a_name_with_a_slash_is_the_file_itself)
{
    CHECK_EQ(rmdi_path_find("./x", "/bin", NULL, found), 0);
    CHECK_STR(found, "./x");
    CHECK_EQ(rmdi_path_find("/no/such", NULL, "/tmp", found), 0);
    CHECK_STR(found, "/no/such");
}

TEST(the_first_executable_file_in_the_path_is_taken)
{
    char path[PATH_MAX], wanted[PATH_MAX];
    make_folders();
    snprintf(path, sizeof path, "/nowhere:%s/a:%s/b", getenv("TMPDIR"), getenv("TMPDIR"));
    snprintf(wanted, sizeof wanted, "%s/b/both", getenv("TMPDIR"));
    CHECK_EQ(rmdi_path_find("both", path, NULL, found), 0); /* in a/ it is a directory */
    CHECK_STR(found, wanted);
    CHECK_EQ(rmdi_path_find("sh", NULL, NULL, found), 0); /* without a path: the usual places */
    CHECK_CONTAINS(found, "bin/sh");
}

TEST(an_empty_element_of_the_path_is_the_current_directory)
{
    make_folders();
    static const char *const paths[] = { "", ":/nowhere", "/nowhere:", "/nowhere::/nowhere", "." };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        CHECK_EQ(rmdi_path_find("tool", paths[i], NULL, found), 0);
        CHECK_EQ(access(found, X_OK), 0);
    }
}

TEST(relative_elements_begin_in_the_directory_of_the_command)
{
    make_folders();
    CHECK_EQ(rmdi_path_find("both", "b", NULL, found), 0);
    CHECK_EQ(rmdi_path_find("both", ".", NULL, found), RMD_ENOENT);
    /* What is found is executed there, so it must be named from there. */
    static const char *const paths[] = { ".", "", "../b" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        REQUIRE(chdir(getenv("TMPDIR")) == 0);
        CHECK_EQ(rmdi_path_find("both", paths[i], "b", found), 0);
        REQUIRE(chdir("b") == 0);
        if (!CHECK_EQ(access(found, X_OK), 0))
            printf("path \"%s\": \"%s\"\n", paths[i], found);
    }
}

TEST(what_is_not_found_or_not_executable_is_named)
{
    make_folders();
    CHECK_EQ(rmdi_path_find("missing", "b:a", NULL, found), RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "\"missing\"");
    CHECK_EQ(rmdi_path_find("plain", "a:b", NULL, found), RMD_EACCES);
    CHECK_CONTAINS(rmd_error_detail(), "\"plain\"");
    CHECK_EQ(rmdi_path_find("", "a:b", NULL, found), RMD_ENOENT);
}

TEST(names_that_are_too_long_are_no_programs)
{
    static char name[2 * PATH_MAX];
    memset(name, 'x', sizeof name - 1);
    CHECK_EQ(rmdi_path_find(name, "/bin:", NULL, found), RMD_ENOENT);
    name[1] = '/';
    CHECK_EQ(rmdi_path_find(name, "/bin:", NULL, found), RMD_ENOENT);
}

TEST(what_was_found_is_remembered_until_it_is_forgotten)
{
    char path[PATH_MAX], first[PATH_MAX], second[PATH_MAX];
    rmdi_path_cache cache = { 0 };
    make_folders();
    snprintf(path, sizeof path, "%s/a:%s/b", getenv("TMPDIR"), getenv("TMPDIR"));
    snprintf(first, sizeof first, "%s/a/tool", getenv("TMPDIR"));
    snprintf(second, sizeof second, "%s/b/tool", getenv("TMPDIR"));
    CHECK_EQ(rmdi_path_find_again(&cache, "tool", path, NULL, found), 0);
    CHECK_STR(found, second);
    make("a/tool", 0755);
    CHECK_EQ(rmdi_path_find_again(&cache, "tool", path, NULL, found), 0);
    CHECK_STR(found, second);
    rmdi_path_forget(&cache);
    CHECK_EQ(rmdi_path_find_again(&cache, "tool", path, NULL, found), 0);
    CHECK_STR(found, first);
    CHECK_EQ(rmdi_path_find_again(&cache, "tool", "/nowhere", NULL, found), RMD_ENOENT);
    rmdi_path_forget(&cache);
}

TEST(what_depends_on_the_directory_is_not_remembered)
{
    static const char *const paths[] = { ".:/bin:/usr/bin", "/bin:/usr/bin:", ":/bin:/usr/bin",
                                         "/usr/bin::/bin", "" };
    rmdi_path_cache cache = { 0 };
    make_folders();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int err = rmdi_path_find_again(&cache, "ls", paths[i], "a", found);
        CHECK(err == 0 || !*paths[i]);
        CHECK(cache.found == NULL);
    }
    rmdi_path_forget(&cache);
}
