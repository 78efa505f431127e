/* SPDX-License-Identifier: MIT */
#include "loop/framed.h"

#include "kit.h"
#include "kit_alloc.h"
#include "kit_resources.h"
#include "kit_soon.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <remuda/error.h>
#include <remuda/frame.h>
#include <remuda/thread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* ---- streams of all kinds: [0] to read from, [1] to write to ---- */

static void open_pipe(int ends[2])
{
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
}

static void open_pipe_without_waiting(int ends[2])
{
    REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
}

static void open_fifo(int ends[2])
{
    char path[600];
    snprintf(path, sizeof path, "%s/fifo", getenv("TMPDIR"));
    REQUIRE(mkfifo(path, 0600) == 0);
    ends[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ends[1] = open(path, O_WRONLY | O_CLOEXEC);
    REQUIRE(ends[0] >= 0 && ends[1] >= 0 && fcntl(ends[0], F_SETFL, O_RDONLY) == 0);
    unlink(path);
}

static void open_unix(int ends[2])
{
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
}

static void open_tcp(int ends[2])
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 1) == 0);
    REQUIRE(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    REQUIRE(connect(ends[1], (struct sockaddr *)&at, sizeof at) == 0);
    ends[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    REQUIRE(ends[0] >= 0);
    close(listener);
}

static void (*const kinds[])(int ends[2]) = { open_pipe, open_pipe_without_waiting, open_fifo,
                                              open_unix, open_tcp };
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- a reader and a writer on the two ends ---- */

typedef struct stream {
    int ends[2];
    rmd_framed *in, *out;
} stream;

static stream open_stream(void (*open_ends)(int ends[2]), size_t bytes_max, bool exact)
{
    stream s;
    rmd_framed_options options = {
        .size = sizeof options, .bytes_max = bytes_max, .takes = true, .exact = exact
    };
    open_ends(s.ends);
    REQUIRE(rmd_framed_open(&s.in, s.ends[0], -1, &options) == 0);
    REQUIRE(rmd_framed_open(&s.out, -1, s.ends[1], &options) == 0);
    return s;
}

static void close_stream(stream *s)
{
    rmd_framed_free(s->in);
    rmd_framed_free(s->out);
}

static rmd_bytes text(const char *words)
{
    return (rmd_bytes){ words, strlen(words) };
}

static int write_text(rmd_framed *framed, const char *words)
{
    return rmd_framed_write(framed, text(words), soon());
}

static void check_next(rmd_framed *framed, const char *words)
{
    rmd_bytes frame;
    if (CHECK_EQ(rmd_framed_read(framed, &frame, soon()), 0) && CHECK_EQ(frame.len, strlen(words)))
        CHECK_MEM(frame.data, words, frame.len);
}

static void put_raw(const stream *s, const void *data, size_t len)
{
    CHECK_EQ(write(s->ends[1], data, len), (ssize_t)len);
}

static int read_code(rmd_framed *framed, rmd_deadline deadline)
{
    rmd_bytes frame;
    return rmd_framed_read(framed, &frame, deadline);
}

/* ---- the cases ---- */

static void check_kind(void (*open_ends)(int ends[2]), bool exact)
{
    stream s = open_stream(open_ends, 0, exact);
    CHECK_EQ(read_code(s.in, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(write_text(s.out, "hello"), 0);
    CHECK_EQ(write_text(s.out, ""), 0);
    CHECK_EQ(write_text(s.out, "world"), 0);
    check_next(s.in, "hello");
    check_next(s.in, "");
    check_next(s.in, "world");
    rmd_framed_free(s.out);
    s.out = NULL;
    CHECK_EQ(read_code(s.in, soon()), RMD_ECLOSED);
    CHECK_EQ(read_code(s.in, soon()), RMD_ECLOSED);
    close_stream(&s);
}

TEST(frames_go_through_streams_of_all_kinds)
{
    kit_resources before;
    kit_resources_take(&before);
    for (int i = 0; i < KINDS; i++)
        for (int exact = 0; exact < 2; exact++)
            check_kind(kinds[i], exact);
    CHECK_RESOURCES(&before);
}

static void write_big(void *arg)
{
    rmd_framed *out = arg;
    enum { BYTES = 3000000 };
    char *data = malloc(BYTES);
    for (int i = 0; i < BYTES; i++)
        data[i] = (char)(i * 7 + i / 1000);
    CHECK_EQ(rmd_framed_write(out, (rmd_bytes){ data, BYTES }, soon()), 0);
    CHECK_EQ(write_text(out, "behind it"), 0);
    free(data);
}

static void check_big(void (*open_ends)(int ends[2]))
{
    stream s = open_stream(open_ends, 0, false);
    rmd_thread *writer;
    rmd_bytes frame;
    REQUIRE(rmd_thread_start(&writer, write_big, s.out, NULL) == 0);
    REQUIRE(rmd_framed_read(s.in, &frame, soon()) == 0);
    REQUIRE(frame.len == 3000000);
    const char *data = frame.data;
    bool same = true;
    for (int i = 0; i < 3000000; i++)
        same &= data[i] == (char)(i * 7 + i / 1000);
    CHECK(same);
    check_next(s.in, "behind it");
    CHECK_EQ(rmd_thread_join(writer, soon()), 0);
    rmd_thread_free(writer);
    close_stream(&s);
}

TEST(a_frame_larger_than_any_buffer_goes_through_all_of_them)
{
    for (int i = 0; i < KINDS; i++)
        check_big(kinds[i]);
}

TEST(it_does_not_matter_in_which_pieces_it_comes)
{
    static const char all[] = "\0\0\0\5hello\0\0\0\0\0\0\0\1!";
    for (int exact = 0; exact < 2; exact++) {
        stream s = open_stream(open_unix, 0, exact);
        for (size_t i = 0; i < sizeof all - 1; i++) {
            put_raw(&s, all + i, 1);
            if (i == 8)
                check_next(s.in, "hello");
            else if (i == 12)
                check_next(s.in, "");
            else if (i == 17)
                check_next(s.in, "!");
            else
                CHECK_EQ(read_code(s.in, RMD_NOW), RMD_ETIMEDOUT);
        }
        close_stream(&s);
    }
}

TEST(many_frames_are_read_at_once_and_in_exact_mode_none_too_many)
{
    char left[8];
    stream s = open_stream(open_unix, 0, false), exact = open_stream(open_unix, 0, true);
    for (int i = 0; i < 3; i++)
        CHECK(write_text(s.out, "x") == 0 && write_text(exact.out, "x") == 0);
    check_next(s.in, "x");
    check_next(exact.in, "x");
    CHECK_EQ(recv(s.ends[0], left, sizeof left, MSG_DONTWAIT), -1);
    CHECK(rmdi_framed_has_more(s.in));
    CHECK(!rmdi_framed_has_more(exact.in));
    CHECK_EQ(recv(exact.ends[0], left, 5, 0), 5);
    check_next(exact.in, "x");
    close_stream(&s);
    close_stream(&exact);
}

TEST(a_frame_above_the_limit_is_refused_on_either_side)
{
    stream s = open_stream(open_pipe, 100, false);
    char data[101] = { 0 };
    CHECK_EQ(rmd_framed_write(s.out, (rmd_bytes){ data, 101 }, soon()), RMD_E2BIG);
    CHECK_EQ(rmd_framed_write(s.out, (rmd_bytes){ data, 100 }, soon()), 0);
    put_raw(&s, "\0\0\0\x65", 4); /* only its head */
    rmd_bytes frame;
    CHECK(rmd_framed_read(s.in, &frame, soon()) == 0 && frame.len == 100);
    CHECK_EQ(read_code(s.in, soon()), RMD_E2BIG);
    CHECK_CONTAINS(rmd_error_detail(), "a frame of 101 bytes; the limit is 100");
    CHECK_EQ(read_code(s.in, soon()), RMD_E2BIG);
    close_stream(&s);
}

TEST(lengths_that_are_none_are_refused)
{
    stream s = open_stream(open_pipe, 0, false), python = open_stream(open_pipe, 0, false);
    put_raw(&s, "\xff\xff\xff\xfe", 4);
    CHECK_EQ(read_code(s.in, soon()), RMD_EINVAL);
    put_raw(&python, "\xff\xff\xff\xff\0\0\0\0\x80\0\0\0", 12); /* the long form */
    CHECK_EQ(read_code(python.in, soon()), RMD_E2BIG);
    close_stream(&s);
    close_stream(&python);
}

TEST(an_end_inside_a_frame_is_told_apart)
{
    stream head = open_stream(open_pipe, 0, false), body = open_stream(open_unix, 0, true);
    put_raw(&head, "\0\0", 2);
    rmd_framed_free(head.out);
    put_raw(&body, "\0\0\0\5hel", 7);
    rmd_framed_free(body.out);
    head.out = body.out = NULL;
    CHECK_EQ(read_code(head.in, soon()), RMD_EIO);
    CHECK_CONTAINS(rmd_error_detail(), "2 bytes of it are missing");
    CHECK_EQ(read_code(body.in, soon()), RMD_EIO);
    CHECK_CONTAINS(rmd_error_detail(), "a frame of 5 bytes: 2 are missing");
    CHECK_EQ(read_code(body.in, soon()), RMD_EIO);
    close_stream(&head);
    close_stream(&body);
}

TEST(nobody_who_reads_is_an_error_and_no_signal)
{
    for (int i = 0; i < KINDS; i++) {
        stream s = open_stream(kinds[i], 0, false);
        rmd_framed_free(s.in);
        s.in = NULL;
        int err = write_text(s.out, "x");
        for (int more = 0; more < 100 && err == 0; more++) { /* TCP tells it when it has heard */
            usleep(1000);
            err = write_text(s.out, "x");
        }
        CHECK_EQ(err, RMD_ECLOSED);
        CHECK_EQ(write_text(s.out, "x"), RMD_ECLOSED);
        close_stream(&s);
    }
}

TEST(a_deadline_ends_waiting_and_what_has_come_is_kept)
{
    stream s = open_stream(open_pipe, 0, false);
    put_raw(&s, "\0\0\0\5hel", 7);
    rmd_deadline soon_over = rmd_after_ms(20);
    CHECK_EQ(read_code(s.in, soon_over), RMD_ETIMEDOUT);
    CHECK(rmd_deadline_passed(soon_over));
    put_raw(&s, "lo", 2);
    check_next(s.in, "hello");
    close_stream(&s);
}

TEST(a_frame_that_was_written_in_part_spoils_the_stream)
{
    stream s = open_stream(open_pipe, 0, false);
    static char data[1 << 20];
    CHECK_EQ(rmd_framed_write(s.out, (rmd_bytes){ data, sizeof data }, rmd_after_ms(20)),
             RMD_ETIMEDOUT);
    CHECK_EQ(write_text(s.out, "x"), RMD_EIO);
    CHECK_CONTAINS(rmd_error_detail(), "has failed before");
    close_stream(&s);
}

TEST(a_terminal_that_nobody_reads_does_not_outlast_the_deadline)
{
    static char data[1 << 20];
    struct termios raw;
    char name[64];
    rmd_framed *framed;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    REQUIRE(ptsname_r(master, name, sizeof name) == 0);
    int terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(terminal >= 0 && tcgetattr(terminal, &raw) == 0);
    cfmakeraw(&raw);
    REQUIRE(tcsetattr(terminal, TCSANOW, &raw) == 0);
    kit_resources before;
    kit_resources_take(&before);
    REQUIRE(rmd_framed_open(&framed, -1, terminal, NULL) == 0);
    CHECK_EQ(rmd_framed_write(framed, (rmd_bytes){ data, sizeof data }, rmd_after_ms(30)),
             RMD_ETIMEDOUT);
    rmd_framed_free(framed);
    CHECK_RESOURCES(&before);
    close(terminal);
    close(master);
}

TEST(one_that_could_not_begin_may_be_tried_again)
{
    stream s = open_stream(open_unix, 0, false);
    static char data[1000];
    int err, sent = 0;
    while ((err = rmd_framed_write(s.out, (rmd_bytes){ data, 1000 }, RMD_NOW)) == 0)
        sent++;
    CHECK_EQ(err, RMD_ETIMEDOUT);
    rmd_bytes frame;
    for (int i = 0; i < sent; i++)
        CHECK_EQ(rmd_framed_read(s.in, &frame, RMD_NOW), 0);
    CHECK_EQ(write_text(s.out, "more"), 0);
    check_next(s.in, "more");
    close_stream(&s);
}

static void read_until_stopped(void *arg)
{
    CHECK_EQ(read_code(arg, soon()), RMD_ECANCELED);
}

static void write_until_stopped(void *arg)
{
    static char data[1 << 20];
    CHECK_EQ(rmd_framed_write(arg, (rmd_bytes){ data, sizeof data }, soon()), RMD_ECANCELED);
}

TEST(a_stop_token_wakes_who_reads_and_who_writes)
{
    for (int i = 0; i < KINDS; i++) {
        stream s = open_stream(kinds[i], 0, false), full = open_stream(open_pipe, 0, false);
        rmd_thread *threads[2];
        REQUIRE(rmd_thread_start(&threads[0], read_until_stopped, s.in, NULL) == 0);
        REQUIRE(rmd_thread_start(&threads[1], write_until_stopped, full.out, NULL) == 0);
        usleep(5000);
        for (int k = 0; k < 2; k++) {
            rmd_thread_stop(threads[k]);
            CHECK_EQ(rmd_thread_join(threads[k], soon()), 0);
            rmd_thread_free(threads[k]);
        }
        close_stream(&s);
        close_stream(&full);
    }
}

TEST(one_descriptor_serves_both_ways_and_is_borrowed_unless_taken)
{
    int ends[2];
    rmd_framed *a, *b;
    open_unix(ends);
    REQUIRE(rmd_framed_open(&a, ends[0], ends[0], NULL) == 0);
    REQUIRE(rmd_framed_open(&b, ends[1], ends[1], NULL) == 0);
    CHECK_EQ(write_text(a, "there"), 0);
    check_next(b, "there");
    CHECK_EQ(write_text(b, "and back"), 0);
    check_next(a, "and back");
    rmd_framed_free(a);
    rmd_framed_free(b);
    CHECK_EQ(close(ends[0]), 0);
    CHECK_EQ(close(ends[1]), 0);
}

TEST(misuse_of_framed_streams_is_refused)
{
    int ends[2];
    rmd_framed *framed;
    rmd_bytes frame;
    rmd_framed_options small = { .size = 1 }, big = { .size = sizeof big, .bytes_max = 1UL << 31 };
    open_pipe(ends);
    CHECK_EQ(rmd_framed_open(NULL, ends[0], -1, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_framed_open(&framed, -1, -1, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_framed_open(&framed, 999, -1, NULL), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "descriptor 999 to read from is not open");
    CHECK_EQ(rmd_framed_open(&framed, ends[0], -1, &small), RMD_EINVAL);
    CHECK_EQ(rmd_framed_open(&framed, ends[0], -1, &big), RMD_EINVAL);
    REQUIRE(rmd_framed_open(&framed, ends[0], -1, NULL) == 0);
    CHECK_EQ(rmd_framed_read(NULL, &frame, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_framed_read(framed, NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(write_text(framed, "x"), RMD_EINVAL);
    rmd_framed_free(framed);
    rmd_framed_free(NULL);
}

/* Of a packet that is longer than what is read at once the rest would be lost. */
TEST(a_socket_of_packets_is_refused)
{
    static const int types[] = { SOCK_SEQPACKET, SOCK_DGRAM };
    for (int i = 0; i < 2; i++) {
        int ends[2];
        rmd_framed *framed;
        REQUIRE(socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, ends) == 0);
        CHECK_EQ(rmd_framed_open(&framed, ends[0], -1, NULL), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), "to read from is a socket of packets");
        CHECK_EQ(rmd_framed_open(&framed, -1, ends[1], NULL), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), "to write to is a socket of packets");
        close(ends[0]);
        close(ends[1]);
    }
}

static int one_frame(void *arg)
{
    rmd_framed *framed = NULL;
    rmd_bytes frame;
    int *ends = arg, err = rmd_framed_open(&framed, ends[0], ends[1], NULL);
    static char data[100000];
    if (err == 0)
        err = rmd_framed_write(framed, (rmd_bytes){ data, sizeof data }, soon());
    while (err == 0 && (err = rmd_framed_read(framed, &frame, RMD_NOW)) == RMD_ETIMEDOUT)
        err = 0;
    rmd_framed_free(framed);
    char left[65536];
    while (err < 0 && recv(ends[0], left, sizeof left, MSG_DONTWAIT) > 0)
        ;
    return err;
}

TEST(without_memory_nothing_is_left)
{
    int ends[2];
    open_unix(ends);
    CHECK_INT(kit_alloc(one_frame, ends, RMD_ENOMEM), >, 1);
}
