/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include "kit.h"

#include <errno.h>
#include <pthread.h>

static const struct {
    int code, number;
    const char *name;
} codes[] = {
#define ROW(name, number, sentence) { name, number, #name },
    RMD_ERRORS(ROW)
#undef ROW
};
enum { CODES = sizeof codes / sizeof *codes };

TEST(every_code_has_its_name_and_a_sentence_of_its_own)
{
    for (int i = 0; i < CODES; i++) {
        CHECK_STR(rmd_error_name(codes[i].code), codes[i].name);
        CHECK_INT(strlen(rmd_strerror(codes[i].code)), >, 5);
        for (int k = 0; k < i; k++)
            CHECK(strcmp(rmd_strerror(codes[i].code), rmd_strerror(codes[k].code)) != 0);
    }
}

TEST(numbers_are_negative_without_gaps_and_in_their_order)
{
    for (int i = 0; i < CODES; i++)
        CHECK_EQ(codes[i].number, -1 - i); /* they are part of the ABI */
}

TEST(codes_that_do_not_exist_are_answered_too)
{
    CHECK_STR(rmd_error_name(0), "RMD_OK");
    CHECK_STR(rmd_strerror(0), "success");
    static const int unknown[] = { 1, -1 - CODES, -1000, INT32_MAX };
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK_STR(rmd_error_name(unknown[i]), "RMD_E?");
        CHECK_STR(rmd_strerror(unknown[i]), "an unknown error code");
    }
    CHECK_STR(rmd_strerror(-1001), "an error of the program's own");
    CHECK_STR(rmd_strerror(INT32_MIN), "an error of the program's own");
}

static void *fail_elsewhere(void *arg)
{
    (void)arg;
    CHECK_STR(rmd_error_detail(), "");
    rmdi_fail(RMD_EINVAL, "theirs");
    CHECK_STR(rmd_error_detail(), "theirs");
    return NULL;
}

TEST(each_thread_has_a_detail_of_its_own)
{
    pthread_t thread;
    CHECK_STR(rmd_error_detail(), "");
    CHECK_EQ(rmdi_fail(RMD_EBUSY, "ours %d", 1), RMD_EBUSY);
    REQUIRE(pthread_create(&thread, NULL, fail_elsewhere, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK_STR(rmd_error_detail(), "ours 1");
}

TEST(a_detail_may_be_made_of_the_old_one)
{
    rmdi_fail(RMD_EIO, "the disk is full");
    rmdi_fail(RMD_EIO, "writing a file: %s (%s)", rmd_error_detail(), rmd_error_detail());
    CHECK_STR(rmd_error_detail(), "writing a file: the disk is full (the disk is full)");
    CHECK_EQ(rmdi_fail_copy(RMD_EIO, rmd_error_detail()), RMD_EIO);
    CHECK_STR(rmd_error_detail(), "writing a file: the disk is full (the disk is full)");
}

TEST(whoever_uses_the_library_fails_as_it_does)
{
    CHECK_EQ(rmd_fail(RMD_ENOENT, "row %d has no %s", 7, "key"), RMD_ENOENT);
    CHECK_STR(rmd_error_detail(), "row 7 has no key");
    CHECK_EQ(rmd_fail(-1000, "again: %s", rmd_error_detail()), -1000);
    CHECK_STR(rmd_error_detail(), "again: row 7 has no key");
    CHECK_EQ(rmd_fail(0, "a code that is none"), RMD_EINVAL);
    CHECK_EQ(rmd_fail(3, NULL), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "");
}

TEST(a_long_detail_is_cut)
{
    char long_text[2 * RMDI_ERROR_DETAIL_MAX];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    rmdi_fail(RMD_EIO, "%s", long_text);
    CHECK_EQ(strlen(rmd_error_detail()), RMDI_ERROR_DETAIL_MAX - 1);
    rmdi_fail_copy(RMD_EIO, long_text);
    CHECK_EQ(strlen(rmd_error_detail()), RMDI_ERROR_DETAIL_MAX - 1);
    rmdi_fail_errno(ENOENT, "%s", long_text);
    CHECK_EQ(strlen(rmd_error_detail()), RMDI_ERROR_DETAIL_MAX - 1);
}

TEST(a_system_error_becomes_a_code_and_its_sentence)
{
    CHECK_EQ(rmdi_fail_errno(ENOENT, "file %s", "x"), RMD_ENOENT);
    CHECK_STR(rmd_error_detail(), "file x: No such file or directory");
    static const struct {
        int system, code;
    } pairs[] = { { ENOMEM, RMD_ENOMEM }, { EMFILE, RMD_EMFILE },      { ENFILE, RMD_EMFILE },
                  { EAGAIN, RMD_EAGAIN }, { ENOSPC, RMD_ENOSPC },      { EDQUOT, RMD_ENOSPC },
                  { EFBIG, RMD_ENOSPC },  { EACCES, RMD_EACCES },      { EPERM, RMD_EACCES },
                  { E2BIG, RMD_E2BIG },   { ENOEXEC, RMD_EEXEC },      { ENOTDIR, RMD_ENOENT },
                  { EXDEV, RMD_EIO },     { ETIMEDOUT, RMD_ETIMEDOUT } };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        CHECK_EQ(rmdi_error_from_errno(pairs[i].system), pairs[i].code);
    CHECK_EQ(rmdi_error_from_errno(0), 0);
}

TEST(a_detail_can_lie_in_another_buffer_for_a_while)
{
    char buffer[RMDI_ERROR_DETAIL_MAX] = "";
    rmdi_fail(RMD_EIO, "mine");
    char *before = rmdi_error_swap(buffer);
    CHECK_STR(rmd_error_detail(), "");
    rmdi_fail(RMD_EIO, "elsewhere");
    CHECK(rmdi_error_swap(before) == buffer);
    CHECK_STR(buffer, "elsewhere");
    CHECK_STR(rmd_error_detail(), "mine");
    CHECK(rmdi_error_swap(buffer) == before);
    CHECK(rmdi_error_swap(NULL) == buffer);
    CHECK_STR(rmd_error_detail(), "mine");
}
