/* SPDX-License-Identifier: MIT */
/* Standard input, output and error of programs, in every way there is. */
#include "base/alloc.h"
#include "kit.h"
#include "kit_resources.h"

#include "exec/programs_testing.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { MIB = 1024 * 1024 };

static const char *in_tmpdir(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", getenv("TMPDIR"), name);
    return path;
}

static void check_file(const char *path, const char *wanted)
{
    char text[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    CHECK_INT(read(fd, text, sizeof text - 1), >=, 0);
    close(fd);
    CHECK_STR(text, wanted);
}

/* ---- kinds ---- */

TEST(by_default_input_is_empty_output_is_kept_and_of_errors_the_end)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run(pool, "cat; echo out; echo error >&2");
    const rmd_exit *account = end_of(future);
    char byte;
    CHECK_STR(output_of(future, RMD_STDOUT), "out\n");
    CHECK_MEM(account->err_tail.data, "error\n", 6);
    CHECK_EQ(rmd_future_read(future, RMD_STDERR, 0, &byte, 1), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "not captured");
    CHECK_EQ(rmd_future_read(future, RMD_STDIN, 0, &byte, 1), RMD_EINVAL);
    CHECK_EQ(rmd_future_read(future, RMD_STDOUT, 0, NULL, 1), RMD_EINVAL);
    CHECK_EQ(rmd_future_read(future, RMD_STDOUT, 2, &byte, 1), 1);
    CHECK_EQ(byte, 't');
    CHECK_EQ(rmd_future_read(future, RMD_STDOUT, 4, &byte, 1), 0);
    rmd_future_free(future);
    close_pool(pool);
}

TEST(files_are_read_written_anew_or_appended_to)
{
    char in[512], out[512];
    snprintf(in, sizeof in, "%s", in_tmpdir("in"));
    snprintf(out, sizeof out, "%s", in_tmpdir("out"));
    rmd_pool *pool = open_pool("programs:1");
    rmd_stream to_file = { .kind = RMD_STREAM_FILE, .path = in };
    CHECK_END(run_with(pool, "echo one", (rmd_command){ .out = to_file }), RMD_OUTCOME_OK, 0);
    to_file.path = out;
    rmd_command copy = { .in = { .kind = RMD_STREAM_FILE, .path = in }, .out = to_file };
    for (int i = 0; i < 2; i++)
        CHECK_END(run_with(pool, "cat", copy), RMD_OUTCOME_OK, 0);
    check_file(out, "one\n");
    copy.out.append = true;
    CHECK_END(run_with(pool, "cat", copy), RMD_OUTCOME_OK, 0);
    check_file(out, "one\none\n");
    /* A relative path begins where the program runs. */
    copy.out.path = "out";
    copy.err = (rmd_stream){ .kind = RMD_STREAM_FILE, .path = "err" };
    copy.dir = getenv("TMPDIR");
    CHECK_END(run_with(pool, "cat; echo error >&2", copy), RMD_OUTCOME_OK, 0);
    check_file(out, "one\none\none\n");
    check_file(in_tmpdir("err"), "error\n");
    close_pool(pool);
}

TEST(descriptors_are_passed_on_and_stay_open_here)
{
    int out[2];
    char text[64];
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    rmd_pool *pool = open_pool("programs:1");
    rmd_stream to_pipe = { .kind = RMD_STREAM_FD, .fd = out[1] };
    CHECK_END(
        run_with(pool, "echo out; echo error >&2", (rmd_command){ .out = to_pipe, .err = to_pipe }),
        RMD_OUTCOME_OK, 0);
    CHECK_EQ(read(out[0], text, sizeof text), 10);
    CHECK_MEM(text, "out\nerror\n", 10);
    CHECK_EQ(write(out[1], "x", 1), 1);
    close_pool(pool);
}

TEST(inherited_streams_are_those_of_the_owner)
{
    int saved = fcntl(1, F_DUPFD_CLOEXEC, 10);
    int fd = open(in_tmpdir("ours"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    rmd_stream inherit = { .kind = RMD_STREAM_INHERIT };
    rmd_pool *pool = open_pool("programs:1");
    dup2(fd, 1);
    rmd_future *future = run_with(pool, "echo out", (rmd_command){ .out = inherit });
    const rmd_exit *account = end_of(future);
    dup2(saved, 1);
    CHECK_EQ(account->out_bytes, 0); /* they did not go through us */
    rmd_future_free(future);
    check_file(in_tmpdir("ours"), "out\n");
    close_pool(pool);
}

TEST(a_null_stream_swallows_everything)
{
    rmd_stream none = { .kind = RMD_STREAM_NULL };
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_with(pool, "cat; echo out; echo error >&2",
                                  (rmd_command){ .in = none, .out = none, .err = none });
    const rmd_exit *account = end_of(future);
    CHECK_EQ(account->out_bytes + account->err_bytes, 0);
    CHECK_EQ(account->err_tail.len, 0);
    rmd_future_free(future);
    close_pool(pool);
}

TEST(captured_errors_are_kept_whole_and_shown_by_their_end)
{
    rmd_stream capture = { .kind = RMD_STREAM_CAPTURE };
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_with(pool, "seq 1 40000 >&2", (rmd_command){ .err = capture });
    const rmd_exit *account = end_of(future);
    char text[8];
    CHECK_INT(account->err_bytes, >, 200000);
    CHECK_EQ(account->err_tail.len, 64 * 1024);
    CHECK_MEM((const char *)account->err_tail.data + 64 * 1024 - 6, "40000\n", 6);
    CHECK_EQ(rmd_future_read(future, RMD_STDERR, 0, text, 4), 4);
    CHECK_MEM(text, "1\n2\n", 4);
    rmd_future_free(future);
    close_pool(pool);
}

/* What sinks were given. */
typedef struct heard {
    char text[64];
    size_t used;
    int ends, after_end;
} heard;

static void hear(void *ctx, int stream, const void *data, size_t len)
{
    heard *h = ctx;
    h += stream;
    h->after_end += h->ends;
    h->ends += len == 0;
    CHECK_INT(len, <=, 64 * 1024);
    REQUIRE(h->used + len < sizeof h->text);
    memcpy(h->text + h->used, data, len);
    h->used += len;
}

TEST(a_sink_gets_output_as_it_comes_and_its_end_once)
{
    heard h[3] = { 0 };
    rmd_stream sink = { .kind = RMD_STREAM_SINK, .sink = hear, .ctx = h };
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_with(pool, "echo out; echo error >&2; exit 1",
                                  (rmd_command){ .out = sink, .err = sink });
    const rmd_exit *account = end_of(future);
    CHECK_STR(h[RMD_STDOUT].text, "out\n");
    CHECK_STR(h[RMD_STDERR].text, "error\n");
    for (int i = RMD_STDOUT; i <= RMD_STDERR; i++) {
        CHECK_EQ(h[i].ends, 1);
        CHECK_EQ(h[i].after_end, 0);
    }
    CHECK_EQ(account->out_bytes, 4);
    CHECK_EQ(account->err_tail.len, 6); /* beside the sink, for messages */
    rmd_future_free(future);
    close_pool(pool);
}

TEST(the_sink_of_a_program_that_does_not_start_is_not_called)
{
    heard h[3] = { 0 };
    rmd_stream sink = { .kind = RMD_STREAM_SINK, .sink = hear, .ctx = h };
    rmd_pool *pool = open_pool("programs:1");
    CHECK_END(run_argv(pool, (const char *const[]){ "/no/such", NULL },
                       (rmd_command){ .out = sink, .err = sink }),
              RMD_OUTCOME_FAILED, RMD_ENOENT);
    CHECK_EQ(h[RMD_STDOUT].ends + h[RMD_STDERR].ends, 0);
    close_pool(pool);
}

TEST(a_fifo_that_nobody_opens_does_not_hold_up_the_pool)
{
    REQUIRE(mkfifo(in_tmpdir("fifo"), 0600) == 0);
    rmd_stream fifo = { .kind = RMD_STREAM_FILE, .path = in_tmpdir("fifo") };
    rmd_pool *pool = open_pool("programs:1");
    CHECK_END(run_with(pool, "true", (rmd_command){ .in = fifo }), RMD_OUTCOME_OK, 0);
    rmd_future *future = run_with(pool, "true", (rmd_command){ .out = fifo });
    CHECK_CONTAINS(end_of(future)->detail, "fifo");
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_EIO);
    close_pool(pool);
}

/* ---- input ---- */

static char *pattern(size_t len)
{
    char *data = rmdi_alloc(len);
    REQUIRE(data != NULL);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 31 + i / 4093);
    return data;
}

TEST(a_hundred_megabytes_go_through_a_program_unchanged)
{
    size_t len = (size_t)100 * MIB / (size_t)kit_patience();
    char *data = pattern(len), *piece = rmdi_alloc(MIB);
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_with(
        pool, "exec cat",
        (rmd_command){ .in = { .kind = RMD_STREAM_BYTES, .bytes = { data, len } } });
    CHECK_EQ(end_of(future)->error, 0);
    CHECK_EQ(end_of(future)->out_bytes, len);
    uint64_t at = 0;
    for (int64_t n; (n = rmd_future_read(future, RMD_STDOUT, at, piece, MIB)) > 0;
         at += (uint64_t)n)
        if (memcmp(piece, data + at, (size_t)n) != 0)
            FAIL("a byte has changed");
    CHECK_EQ(at, len);
    rmdi_free(data);
    rmdi_free(piece);
    rmd_future_free(future);
    close_pool(pool);
}

TEST(input_that_is_not_wanted_is_no_failure)
{
    enum { LEN = 8 * MIB };
    char *data = pattern(LEN);
    rmd_stream in = { .kind = RMD_STREAM_BYTES, .bytes = { data, LEN } };
    rmd_pool *pool = open_pool("programs:3");
    signal(SIGPIPE, SIG_DFL); /* a signal would end us */
    rmd_future *ignores = run_with(pool, "true", (rmd_command){ .in = in });
    rmd_future *some = run_with(pool, "head -c 100000 | wc -c", (rmd_command){ .in = in });
    rmd_future *closes = run_with(pool, "exec <&-; echo goes on", (rmd_command){ .in = in });
    end_of(some);
    CHECK_STR(output_of(some, RMD_STDOUT), "100000\n");
    end_of(closes);
    CHECK_STR(output_of(closes, RMD_STDOUT), "goes on\n");
    CHECK_END(ignores, RMD_OUTCOME_OK, 0);
    CHECK_END(some, RMD_OUTCOME_OK, 0);
    CHECK_END(closes, RMD_OUTCOME_OK, 0);
    rmdi_free(data);
    close_pool(pool);
}

TEST(a_program_that_never_reads_its_input_can_be_cancelled)
{
    enum { LEN = MIB };
    int told[2];
    char *data = pattern(LEN);
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    rmd_pool *pool = open_pool("programs:1");
    const char *const argv[] = { kit_helper("exec-task_helper"), "deaf", NULL };
    rmd_future *future = run_argv(
        pool, argv,
        (rmd_command){ .in = { .kind = RMD_STREAM_BYTES, .bytes = { data, LEN } },
                       .fds = &told[1],
                       .fds_len = 1 });
    int process = hold_process(read_number(told[0]));
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK(!is_alive(process));
    rmdi_free(data);
    close_pool(pool);
}

/* One program takes its input as fast as it is given; others must be served meanwhile. */
TEST(a_greedy_reader_does_not_keep_the_others_waiting)
{
    size_t len = (size_t)256 * MIB / (size_t)kit_patience();
    char *data = pattern(len);
    rmd_pool *pool = open_pool("programs:2");
    rmd_future *greedy = run_with(
        pool, "exec cat >/dev/null",
        (rmd_command){ .in = { .kind = RMD_STREAM_BYTES, .bytes = { data, len } } });
    int during = 0;
    while (rmd_future_outcome(greedy) == RMD_PENDING) {
        CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0);
        during += rmd_future_outcome(greedy) == RMD_PENDING;
    }
    CHECK_INT(during, >=, 3);
    CHECK_END(greedy, RMD_OUTCOME_OK, 0);
    rmdi_free(data);
    close_pool(pool);
}

/* ---- floods ---- */

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

TEST(of_a_gigabyte_of_errors_the_last_64_kib_are_kept_and_memory_stays_bounded)
{
    long long len = INT64_C(1024) * MIB / (kit_patience() > 1 ? 8 : 1);
    char number[32];
    snprintf(number, sizeof number, "%lld", len);
    const char *const argv[] = { kit_helper("exec-task_helper"), "flood", number, NULL };
    rmd_pool *pool = open_pool("programs:1");
    CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0);
    long before = peak_kib();
    rmd_future *future = run_argv(pool, argv, (rmd_command){ 0 });
    const rmd_exit *account = end_of(future);
    CHECK_EQ(account->error, 0);
    CHECK_EQ(account->err_bytes, len);
    REQUIRE(account->err_tail.len == 64 * 1024);
    CHECK_MEM((const char *)account->err_tail.data + 64 * 1024 - 8, "xthe end", 8);
    if (kit_patience() == 1) /* sanitizers take memory of their own */
        CHECK_INT(peak_kib() - before, <=, 1024);
    rmd_future_free(future);
    close_pool(pool);
}

TEST(captured_output_beyond_the_budget_does_not_take_memory)
{
    enum { COUNT = 200 };
    rmd_future *futures[COUNT];
    rmd_pool *pool = open_pool_with("programs:2",
                                    (rmd_pool_options){ .capture_bytes_max = MIB / 2 });
    long before = peak_kib();
    for (int i = 0; i < COUNT; i++) /* 14 MB that go to the file, and as much in small ends */
        futures[i] = run(pool, "head -c 100000 /dev/zero; echo; echo the end");
    for (int i = 0; i < COUNT; i++) {
        char text[9] = "";
        CHECK_EQ(end_of(futures[i])->error, 0);
        CHECK_EQ(rmd_future_read(futures[i], RMD_STDOUT, 100001, text, sizeof text), 8);
        CHECK_STR(text, "the end\n");
    }
    if (kit_patience() == 1)
        CHECK_INT(peak_kib() - before, <=, 4 * 1024);
    for (int i = 0; i < COUNT; i++)
        rmd_future_free(futures[i]);
    close_pool(pool);
}

/* ---- full disks ---- */

TEST(output_that_finds_no_space_fails_its_task_with_the_directory_and_no_other)
{
    char dir[512];
    snprintf(dir, sizeof dir, "%s/small", getenv("TMPDIR"));
    REQUIRE(mkdir(dir, 0700) == 0);
    if (mount("small", dir, "tmpfs", 0, "size=1m") < 0)
        SKIP("no right to mount a small file system");
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *pool = open_pool_with(
        "programs:2", (rmd_pool_options){ .capture_bytes_max = 100000, .temporary_dir = dir });
    rmd_future *small = run(pool, "head -c 300000 /dev/zero");
    end_of(small);
    rmd_future *large = run(pool, "head -c 3000000 /dev/zero; echo never");
    const rmd_exit *account = end_of(large);
    CHECK_CONTAINS(account->detail, dir);
    CHECK_END(large, RMD_OUTCOME_FAILED, RMD_ENOSPC);
    CHECK_END(run(pool, "head -c 300000 /dev/zero"), RMD_OUTCOME_OK, 0); /* space is free again */
    CHECK_END(run(pool, "echo fine"), RMD_OUTCOME_OK, 0);
    CHECK_EQ(end_of(small)->out_bytes, 300000);
    CHECK_END(small, RMD_OUTCOME_OK, 0);
    close_pool(pool);
    CHECK_RESOURCES(&before);
    CHECK_EQ(umount(dir), 0);
}

TEST(a_limit_of_the_size_of_files_is_told_as_a_lack_of_space)
{
    struct rlimit small = { 200000, RLIM_INFINITY };
    rmd_pool *pool = open_pool_with("programs:1", (rmd_pool_options){ .capture_bytes_max = 1 });
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK_END(run(pool, "ulimit -f unlimited; head -c 100000 /dev/zero"), RMD_OUTCOME_OK, 0);
    CHECK_END(run(pool, "head -c 1000000 /dev/zero"), RMD_OUTCOME_FAILED, RMD_ENOSPC);
    close_pool(pool);
}
