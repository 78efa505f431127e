/* SPDX-License-Identifier: MIT */
/* The recorder: rings of threads, records while they write, on signals, and at crashes of each
 * kind. */
#include "base/recorder.h"

#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <remuda/error.h>
#include <remuda/recorder.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX = 8 << 20 };

/* ---- reading what was written ---- */

static const char *in_folder(const char *name)
{
    static char path[4][512];
    static unsigned next;
    char *to = path[next++ % 4];
    snprintf(to, sizeof path[0], "%s/%s", getenv("TMPDIR"), name);
    return to;
}

static char *read_file(const char *path)
{
    static char text[TEXT_MAX];
    FILE *file = fopen(path, "r");
    REQUIRE(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

static char *record_now(void)
{
    REQUIRE(rmd_recorder_save(in_folder("now.txt"), RMD_RECORDER_AUTO) == 0);
    return read_file(in_folder("now.txt"));
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static bool python_says(const char *script, const char *path)
{
    char command[2048];
    snprintf(command, sizeof command, "python3 -c '%s' '%s'", script, path);
    return system(command) == 0;
}

/* ---- rings ---- */

TEST(what_a_thread_does_is_recorded_in_order)
{
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    rmdi_record(RMDI_RECORD_UNPARK, 0, 0);
    rmdi_record(RMDI_RECORD_POOL_END, 3, (uint64_t)-5);
    char *text = record_now();
    CHECK_CONTAINS(text, "remuda flight record 1\nprogram: base-recorder\npid: ");
    CHECK_CONTAINS(text, "\nbecause: request\n");
    CHECK_CONTAINS(text, " base-recorder park\n");
    CHECK_CONTAINS(text, " base-recorder pool_end pool=3 error=-5\n");
    CHECK_CONTAINS(text, "\nend: 3 events, 0 overwritten meanwhile\n");
    CHECK(strstr(text, " park\n") < strstr(text, " unpark\n"));
    CHECK(strstr(text, " unpark\n") < strstr(text, " pool_end "));
}

TEST(the_last_events_are_kept_and_the_rare_ones_longer)
{
    rmdi_record(RMDI_RECORD_HALT, 7, 5);
    for (uint64_t i = 1; i <= 3 * RMDI_RECORD_MANY; i++)
        rmdi_record(RMDI_RECORD_CANCEL, i, 0);
    char *text = record_now(), last[64];
    CHECK_CONTAINS(text, " halt pool=7 deaths=5\n");
    CHECK_EQ(count(text, " cancel "), RMDI_RECORD_MANY - 1);
    snprintf(last, sizeof last, " cancel task=%d\n", 3 * RMDI_RECORD_MANY);
    CHECK_CONTAINS(text, last);
    CHECK(!strstr(text, " cancel task=1\n"));
    CHECK_CONTAINS(text, " kept=2048 lost=4097\n");
}

TEST(the_task_that_runs_is_known_and_small_ones_are_sampled)
{
    enum { TASKS = 100000 };
    for (uint64_t i = 1; i <= TASKS; i++)
        rmdi_record_task_end(rmdi_record_task_begin(i, i), i, 0, 1, false);
    (void)rmdi_record_task_begin(TASKS + 1, TASKS + 1);
    char *text = record_now();
    CHECK_CONTAINS(text, " live task=100001 ");
    CHECK_INT(count(text, "task_begin"), <, RMDI_RECORD_MANY);
    CHECK_CONTAINS(text, " task_begin task=99840 "); /* 256 * 390 */
    CHECK_CONTAINS(text, " task_end task=99840 outcome=1\n");
}

TEST(tasks_that_take_long_are_all_recorded_soon_after_many_small_ones)
{
    for (uint64_t i = 1; i <= 100000; i++)
        rmdi_record_task_end(rmdi_record_task_begin(i, i), i, 0, 1, false);
    for (uint64_t i = 100001; i <= 100150; i++) {
        rmdi_task_record record = rmdi_record_task_begin(i, i);
        usleep(1000);
        rmdi_record_task_end(record, i, 0, 1, false);
    }
    char *text = record_now();
    for (uint64_t i = 100129; i <= 100150; i++) {
        char line[64];
        snprintf(line, sizeof line, "task_begin task=%llu ", (unsigned long long)i);
        CHECK_CONTAINS(text, line);
    }
}

/* ---- threads ---- */

static void *record_some(void *arg)
{
    static _Thread_local char name[32];
    snprintf(name, sizeof name, "thread %d of many", *(int *)arg);
    rmdi_recorder_name(name);
    for (uint64_t i = 0; i < 100; i++)
        rmdi_record(RMDI_RECORD_CANCEL, i, 0);
    return NULL;
}

static void run_threads(int n)
{
    pthread_t ids[400];
    int numbers[400];
    for (int i = 0; i < n; i++) {
        numbers[i] = i;
        REQUIRE(pthread_create(&ids[i], NULL, record_some, &numbers[i]) == 0);
    }
    for (int i = 0; i < n; i++)
        pthread_join(ids[i], NULL);
}

TEST(threads_have_names_and_are_there_after_their_end)
{
    run_threads(4);
    char *text = record_now();
    CHECK_EQ(count(text, " ended task=0 kept=100 lost=0\n"), 4);
    CHECK_EQ(count(text, " thread_3_of_many cancel "), 100);
}

TEST(rings_of_ended_threads_are_taken_over)
{
    for (int i = 0; i < 200; i++)
        run_threads(3);
    char *text = record_now();
    CHECK_CONTAINS(text, "\nunrecorded: 0\n");
    CHECK_INT(count(text, "\nthread: "), <=, 40);
    CHECK_CONTAINS(text, "\nthread: 600 ");
    CHECK_CONTAINS(text, " kept=100 lost=0\n"); /* none of those of the ring's earlier owner */
    CHECK(!strstr(text, " kept=200 "));
}

static pthread_barrier_t together;

static void *record_and_stay(void *arg)
{
    record_some(arg);
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    return NULL;
}

TEST(threads_beyond_the_limit_are_counted)
{
    enum { THREADS = RMDI_RECORD_THREADS_MAX + 10 };
    static pthread_t ids[THREADS];
    int number = 1;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    pthread_barrier_init(&together, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&ids[i], &small, record_and_stay, &number) == 0);
    pthread_barrier_wait(&together);
    char *text = record_now();
    CHECK_CONTAINS(text, "\nunrecorded: 10\n");
    CHECK_EQ(count(text, "\nthread: "), RMDI_RECORD_THREADS_MAX);
    pthread_barrier_wait(&together);
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
}

/* Each event says what the next one must be; a torn one would not. */
static int stop; /* atomic */

static void *write_always(void *arg)
{
    uint64_t *i = arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        ++*i;
        rmdi_record(RMDI_RECORD_GIVE, *i, *i);
    }
    return NULL;
}

TEST(a_record_may_be_made_while_others_write)
{
    enum { WRITERS = 2, RECORDS = 20 };
    pthread_t ids[WRITERS];
    uint64_t counts[WRITERS] = { 0 };
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    for (int i = 0; i < WRITERS; i++)
        REQUIRE(pthread_create(&ids[i], NULL, write_always, &counts[i]) == 0);
    for (int i = 0; i < RECORDS; i++) {
        char *text = record_now();
        for (char *at = text; (at = strstr(at, " give task=")); at++) {
            unsigned long long task = 1, worker = 0;
            CHECK_EQ(sscanf(at, " give task=%llu worker=%llu", &task, &worker), 2);
            CHECK_EQ(task, worker);
        }
        CHECK_CONTAINS(text, "\nend: ");
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(ids[i], NULL);
}

typedef struct slow_dump {
    int ends[2];
    rmd_recorder_format format;
    int result;
} slow_dump;

static void *dump_slowly(void *arg)
{
    slow_dump *s = arg;
    s->result = rmd_recorder_write(s->ends[1], s->format);
    close(s->ends[1]);
    return NULL;
}

/* A record whose writer waits for room in a pipe while 1,500 events more are recorded. */
static char *record_with_gap(rmd_recorder_format format)
{
    static char text[TEXT_MAX];
    enum { EVENTS = RMDI_RECORD_MANY - 10, MEANWHILE = 1500 };
    slow_dump slow = { .format = format };
    pthread_t id;
    size_t len = 0;
    REQUIRE(pipe(slow.ends) == 0);
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    for (uint64_t i = 0; i < EVENTS; i++)
        rmdi_record(RMDI_RECORD_CANCEL, i, 0);
    REQUIRE(pthread_create(&id, NULL, dump_slowly, &slow) == 0);
    for (int there = 0, before = -1; there != before || there < 16384;) {
        before = there;
        usleep(50000);
        REQUIRE(ioctl(slow.ends[0], FIONREAD, &there) == 0);
    }
    for (uint64_t i = 0; i < MEANWHILE; i++)
        rmdi_record(RMDI_RECORD_CANCEL, i, 0);
    for (ssize_t n = 1; n > 0; len += (size_t)n)
        REQUIRE((n = read(slow.ends[0], text + len, sizeof text - 1 - len)) >= 0);
    text[len] = 0;
    close(slow.ends[0]);
    pthread_join(id, NULL);
    CHECK_EQ(slow.result, 0);
    return text;
}

TEST(events_overwritten_meanwhile_leave_a_gap)
{
    char *text = record_with_gap(RMD_RECORDER_TEXT);
    char *gap = strstr(text, " gap events="), *end = strstr(text, "\nend: ");
    unsigned missing = 0, written = 0, overwritten = 0;
    REQUIRE(gap && end);
    CHECK_EQ(sscanf(gap, " gap events=%u", &missing), 1);
    CHECK_EQ(sscanf(end, "\nend: %u events, %u overwritten", &written, &overwritten), 2);
    CHECK_INT(missing, >, 100);
    CHECK_EQ(missing, overwritten);
    CHECK_EQ(count(text, " gap events="), 1);
    CHECK_EQ(written + overwritten, RMDI_RECORD_MANY - 9);
}

TEST(a_trace_ends_at_a_gap_what_was_open)
{
    char *text = record_with_gap(RMD_RECORDER_TRACE);
    char *gap = strstr(text, "\"event\":\"gap\",\"events\":");
    REQUIRE(gap);
    CHECK_CONTAINS(gap, "{\"name\":\"parked\",\"ph\":\"E\",\"cat\":\"parked\",");
    CHECK_EQ(count(text, "\"event\":\"gap_closes\"}}"), 1);
}

TEST(it_can_be_turned_off)
{
    setenv("REMUDA_RECORD", "off", 1);
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    CHECK_EQ(rmd_recorder_write(1, RMD_RECORDER_TEXT), RMD_ENOENT);
    CHECK_EQ(rmd_recorder_save(in_folder("off.txt"), RMD_RECORDER_TEXT), RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "nothing is recorded");
}

TEST(a_child_has_what_was_recorded_before_and_what_it_does)
{
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    run_threads(1);
    pid_t pid = fork();
    if (pid == 0) {
        rmdi_record(RMDI_RECORD_UNPARK, 0, 0);
        char *text = record_now(), line[64];
        snprintf(line, sizeof line, "\npid: %d\n", (int)getpid());
        CHECK_CONTAINS(text, line);
        CHECK_CONTAINS(text, " park\n");
        CHECK_CONTAINS(text, " unpark\n");
        CHECK_EQ(count(text, " cancel "), 100);
        _exit(0);
    }
    CHECK_CHILD(pid);
    CHECK(!strstr(record_now(), " unpark\n"));
}

static void *run_task_and_stay(void *arg)
{
    rmdi_recorder_name("stays");
    (void)rmdi_record_task_begin(42, 1);
    pthread_barrier_wait(arg);
    pause();
    return NULL;
}

static void *record_only(void *arg)
{
    (void)arg;
    (void)record_now();
    return NULL;
}

TEST(the_parents_threads_have_ended_in_a_child)
{
    if (KIT_SANITIZED)
        SKIP("sanitizers let no child of a process with threads start one");
    pthread_t id;
    char line[64];
    pthread_barrier_init(&together, NULL, 2);
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    REQUIRE(pthread_create(&id, NULL, run_task_and_stay, &together) == 0);
    pthread_barrier_wait(&together);
    CHECK_CONTAINS(record_now(), " name=stays live task=42 ");
    pid_t pid = fork();
    if (pid == 0) {
        snprintf(line, sizeof line, "thread: 1 system=%d name=base-recorder live ", (int)getpid());
        char *text = record_now();
        CHECK_CONTAINS(text, " name=stays ended task=0 ");
        CHECK_CONTAINS(text, line);
        rmdi_record(RMDI_RECORD_UNPARK, 0, 0);
        REQUIRE(pthread_create(&id, NULL, record_only, NULL) == 0);
        pthread_join(id, NULL);
        CHECK_CONTAINS(read_file(in_folder("now.txt")), line); /* also to another thread */
        _exit(0);
    }
    CHECK_CHILD(pid);
    CHECK_CONTAINS(record_now(), " name=stays live task=42 ");
}

/* ---- traces ---- */

static const char check_trace[] =
    "import json,sys\n"
    "d=json.load(open(sys.argv[1]))\n"
    "assert d[\"otherData\"][\"remuda_flight_record\"]==1\n"
    "E=d[\"traceEvents\"]\n"
    "for e in E:\n"
    "  assert e[\"ph\"] in \"BEibeM\" and isinstance(e[\"pid\"],int), e\n"
    "  if e[\"ph\"]==\"M\": continue\n"
    "  assert e[\"name\"] and isinstance(e[\"ts\"],float) and isinstance(e[\"tid\"],int), e\n"
    "  assert e[\"cat\"] and e[\"args\"][\"event\"], e\n"
    "  assert e[\"ph\"]!=\"i\" or e[\"s\"]==\"t\", e\n"
    "  assert e[\"ph\"] not in \"be\" or \"id\" in e, e\n"
    "T=[e[\"ts\"] for e in E if e[\"ph\"]!=\"M\"]\n"
    "assert T==sorted(T) and len(T)>2\n";

static void record_each_kind(void)
{
    for (int i = 0; i < RMDI_RECORD_KINDS_LEN; i++)
        rmdi_record((rmdi_record_kind)i, (uint64_t)i, (uint64_t)i);
}

TEST(a_trace_is_what_browsers_read)
{
    if (!python_says("import json", ""))
        SKIP("no python3");
    rmdi_recorder_name("a \"name\" \\ \n\xff");
    record_each_kind();
    run_threads(2);
    const char *path = in_folder("trace.json");
    CHECK_EQ(rmd_recorder_save(path, RMD_RECORDER_AUTO), 0);
    CHECK(python_says(check_trace, path));
    CHECK_CONTAINS(read_file(path), "\"name\":\"a__name______\"");
}

/* ---- what cannot be written ---- */

TEST(errors_of_files_are_told)
{
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    CHECK_EQ(rmd_recorder_save("/no/such/folder/f", RMD_RECORDER_TEXT), RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "/no/such/folder/f: No such file");
    CHECK_EQ(rmd_recorder_save("", RMD_RECORDER_TEXT), RMD_EINVAL);
    CHECK_EQ(rmd_recorder_save(NULL, RMD_RECORDER_TEXT), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "no path was given");
    CHECK_EQ(rmd_recorder_save("x", (rmd_recorder_format)9), RMD_EINVAL);
    CHECK_EQ(rmd_recorder_write(1234, RMD_RECORDER_TEXT), RMD_EIO);
    CHECK_EQ(rmd_recorder_write(1234, (rmd_recorder_format)9), RMD_EINVAL);
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    close(ends[0]);
    CHECK_EQ(rmd_recorder_write(ends[1], RMD_RECORDER_TEXT), RMD_EIO);
    close(ends[1]);
    int full = open("/dev/full", O_WRONLY);
    REQUIRE(full >= 0);
    CHECK_EQ(rmd_recorder_write(full, RMD_RECORDER_TRACE), RMD_ENOSPC);
    close(full);
}

TEST(a_pipe_that_nobody_reads_is_given_up_also_if_its_writers_block)
{
    int ends[2];
    struct timespec from, to;
    for (uint64_t i = 0; i < RMDI_RECORD_MANY; i++)
        rmdi_record(RMDI_RECORD_CANCEL, i, 0);
    REQUIRE(pipe(ends) == 0);
    clock_gettime(CLOCK_MONOTONIC, &from);
    CHECK_EQ(rmd_recorder_write(ends[1], RMD_RECORDER_TEXT), RMD_ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &to);
    CHECK_INT(to.tv_sec - from.tv_sec, >=, 4);
    CHECK_INT(to.tv_sec - from.tv_sec, <, 8 * kit_patience());
}

TEST(what_is_no_file_is_written_to_and_stays)
{
    static char text[4096];
    const char *path = in_folder("fifo");
    struct stat there;
    rmd_recorder_options o = { .size = sizeof o, .path = path, .signal = SIGUSR2 };
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    REQUIRE(mkfifo(path, 0600) == 0);
    CHECK_EQ(rmd_recorder_save(path, RMD_RECORDER_TEXT), RMD_EIO); /* nobody reads */
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    CHECK_EQ(rmd_recorder_on(&o), 0);
    CHECK_EQ(rmd_recorder_save(NULL, RMD_RECORDER_AUTO), 0);
    CHECK_INT(read(fd, text, sizeof text - 1), >, 0);
    CHECK_CONTAINS(text, "\nend: 1 events");
    CHECK(lstat(path, &there) == 0 && S_ISFIFO(there.st_mode));
    REQUIRE(symlink(path, in_folder("to-fifo")) == 0); /* as /dev/stderr is one */
    CHECK_EQ(rmd_recorder_save(in_folder("to-fifo"), RMD_RECORDER_TEXT), 0);
    CHECK(lstat(in_folder("to-fifo"), &there) == 0 && S_ISLNK(there.st_mode));
}

TEST(a_link_to_a_file_is_neither_followed_nor_replaced)
{
    const char *path = in_folder("link"), *target = in_folder("target");
    rmd_recorder_options o = { .size = sizeof o, .path = path, .crash = true };
    struct stat there;
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    REQUIRE(symlink(target, path) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(rmd_recorder_save(path, RMD_RECORDER_TEXT), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), "is a symbolic link");
        CHECK_EQ(rmd_recorder_on(&o), RMD_EINVAL);
        CHECK(lstat(path, &there) == 0 && S_ISLNK(there.st_mode));
        if (i == 0)
            close(open(target, O_WRONLY | O_CREAT, 0600));
        CHECK(stat(target, &there) == 0 && there.st_size == 0);
    }
}

static void put_link(const char *path)
{
    char made[600];
    snprintf(made, sizeof made, "%s.new-%d", path, (int)gettid());
    REQUIRE(symlink(in_folder("victim"), made) == 0);
}

TEST(a_record_is_for_its_owner_and_goes_to_a_file_of_its_own)
{
    const char *path = in_folder("own.txt");
    struct stat there;
    umask(0);
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    put_link(path);
    CHECK_EQ(rmd_recorder_save(path, RMD_RECORDER_TEXT), 0);
    CHECK(lstat(path, &there) == 0 && S_ISREG(there.st_mode));
    CHECK_EQ(there.st_mode & 0777, 0600);
    CHECK(access(in_folder("victim"), F_OK) < 0);
}

TEST(a_file_that_does_not_fit_leaves_the_old_one)
{
    const char *path = in_folder("kept.txt");
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    CHECK_EQ(rmd_recorder_save(path, RMD_RECORDER_TEXT), 0);
    struct stat before, after;
    CHECK_EQ(stat(path, &before), 0);
    for (uint64_t i = 0; i < RMDI_RECORD_MANY; i++)
        rmdi_record(RMDI_RECORD_CANCEL, i, 0);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4096, RLIM_INFINITY }), 0);
    CHECK_EQ(rmd_recorder_save(path, RMD_RECORDER_TEXT), RMD_ENOSPC);
    CHECK_EQ(stat(path, &after), 0);
    CHECK_EQ(after.st_ino, before.st_ino);
    char command[600];
    snprintf(command, sizeof command, "test $(ls %s | wc -l) = 1", getenv("TMPDIR"));
    CHECK_EQ(system(command), 0);
}

/* ---- on signals ---- */

static rmd_recorder_options options_for(const char *path)
{
    return (rmd_recorder_options){ .size = sizeof(rmd_recorder_options), .path = path };
}

static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

TEST(wrong_options_are_refused)
{
    rmd_recorder_options o = options_for("x");
    CHECK_EQ(rmd_recorder_on(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_recorder_on(&o), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "neither a signal nor crash");
    o.crash = true;
    o.path = "a%q";
    CHECK_EQ(rmd_recorder_on(&o), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "after % stands p or %");
    o.path = "/no/such/x";
    CHECK_EQ(rmd_recorder_on(&o), RMD_ENOENT);
    o.path = "x";
    o.signal = SIGKILL;
    CHECK_EQ(rmd_recorder_on(&o), RMD_EINVAL);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        o.signal = crashes[i];
        CHECK_EQ(rmd_recorder_on(&o), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), "use crash");
    }
    o.signal = 0;
    o.size = 1;
    CHECK_EQ(rmd_recorder_on(&o), RMD_EINVAL);
    o.size = sizeof o;
    CHECK_EQ(rmd_recorder_on(&o), 0);
    CHECK_EQ(rmd_recorder_on(&o), RMD_EBUSY);
    rmd_recorder_off();
    rmd_recorder_off();
    CHECK_EQ(rmd_recorder_on(&o), 0);
}

static int before; /* the handler that was there has run */

static void on_before(int signal)
{
    (void)signal;
    before++;
}

TEST(a_signal_writes_and_the_program_goes_on)
{
    const char *path = in_folder("%%-signal.txt");
    rmd_recorder_options o = options_for(path);
    o.signal = SIGUSR2;
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    signal(SIGUSR2, on_before);
    CHECK_EQ(rmd_recorder_on(&o), 0);
    errno = 4711;
    raise(SIGUSR2);
    CHECK_EQ(errno, 4711);
    CHECK_EQ(before, 1);
    CHECK_CONTAINS(read_file(in_folder("%-signal.txt")), "\nbecause: signal 12 SIGUSR2\n");
    CHECK_EQ(rmd_recorder_save(NULL, RMD_RECORDER_AUTO), 0);
    CHECK_CONTAINS(read_file(in_folder("%-signal.txt")), "\nbecause: request\n");
    rmd_recorder_off();
    unlink(in_folder("%-signal.txt"));
    raise(SIGUSR2);
    CHECK_EQ(before, 2);
    CHECK(access(in_folder("%-signal.txt"), F_OK) < 0);
}

TEST(a_handler_that_came_later_is_left_alone)
{
    rmd_recorder_options o = options_for(in_folder("never.txt"));
    o.signal = SIGUSR2;
    CHECK_EQ(rmd_recorder_on(&o), 0);
    signal(SIGUSR2, on_before);
    rmd_recorder_off();
    raise(SIGUSR2);
    CHECK_EQ(before, 1);
}

/* ---- crashes ---- */

static void fault(int signal)
{
    static volatile int zero;
    static int *volatile nowhere = (int *)(uintptr_t)0x10;
    char *page;
    switch (signal) {
    case SIGSEGV: *nowhere = 1; break;
    case SIGBUS:
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
                    open(in_folder("empty"), O_RDWR | O_CREAT, 0600), 0);
        *(volatile char *)page = 1;
        break;
    case SIGFPE: zero = 1 / zero; break;
    case SIGILL: __builtin_trap();
    case SIGABRT: abort();
    }
    raise(signal); /* where the processor does not mind */
}

/* Crashes on a thread of its own, with all signals blocked but those of faults. */
static void *crash_on_thread(void *arg)
{
    rmdi_recorder_name("victim");
    rmdi_record(RMDI_RECORD_WORKER_BEGIN, 0, 1);
    (void)rmdi_record_task_begin(42, 1);
    fault(*(int *)arg);
    return NULL;
}

static void crash(int signal, const char *path)
{
    pthread_t id;
    rmd_recorder_options o = options_for(path);
    o.crash = true;
    if (rmd_recorder_on(&o) < 0)
        _exit(1);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    pthread_create(&id, NULL, crash_on_thread, &signal);
    pthread_join(id, NULL);
    _exit(1);
}

static int how_it_ended(void (*fn)(int signal, const char *path), int signal, const char *path)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        fn(signal, path);
    waitpid(pid, &status, 0);
    return status;
}

TEST(each_crash_leaves_a_whole_record_and_ends_as_it_would)
{
    if (KIT_SANITIZED)
        SKIP("the sanitizer has a way of its own to end");
    bool python = python_says("import json", "");
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        char because[64];
        int status = how_it_ended(crash, crashes[i], in_folder("crash.txt"));
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == crashes[i]);
        char *text = read_file(in_folder("crash.txt"));
        snprintf(because, sizeof because, "\nbecause: crash %d SIG", crashes[i]);
        CHECK_CONTAINS(text, because);
        CHECK_CONTAINS(text, " name=victim live task=42 ");
        CHECK_CONTAINS(text, " victim task_begin task=42 count=1\n");
        CHECK_CONTAINS(text, "\nend: ");
        if (crashes[i] == SIGSEGV)
            CHECK_CONTAINS(text, " thread=1 address=0x10\n");
        unlink(in_folder("crash.txt"));
        status = how_it_ended(crash, crashes[i], in_folder("crash.json"));
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == crashes[i]);
        CHECK(!python || python_says("import json,sys\nd=json.load(open(sys.argv[1]))\n"
                                     "assert d[\"otherData\"][\"because\"]==\"crash\"",
                                     in_folder("crash.json")));
        unlink(in_folder("crash.json"));
    }
}

static void on_segv(int signal)
{
    (void)signal;
    _exit(77);
}

static void crash_with_handler(int signal_, const char *path)
{
    signal(signal_, on_segv);
    crash(signal_, path);
}

TEST(a_crash_goes_on_to_the_handler_that_was_there)
{
    int status = how_it_ended(crash_with_handler, SIGSEGV, in_folder("chained.txt"));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 77);
    CHECK_CONTAINS(read_file(in_folder("chained.txt")), "\nbecause: crash 11 SIGSEGV ");
}

static sigjmp_buf rescue;

static void on_rescue(int signal)
{
    (void)signal;
    siglongjmp(rescue, 1);
}

static void crash_and_survive(int signal_, const char *path)
{
    rmd_recorder_options o = options_for(path);
    o.crash = true;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    signal(signal_, on_rescue);
    if (rmd_recorder_on(&o) < 0)
        _exit(1);
    if (!sigsetjmp(rescue, 1))
        fault(signal_);
    if (unlink(path) < 0)
        _exit(2);
    abort();
}

TEST(a_crash_that_a_handler_has_survived_is_not_the_last_one)
{
    if (KIT_SANITIZED)
        SKIP("the sanitizer has a way of its own to end");
    int status = how_it_ended(crash_and_survive, SIGSEGV, in_folder("again.txt"));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK_CONTAINS(read_file(in_folder("again.txt")), "\nbecause: crash 6 SIGABRT ");
}

static void on_alarm(int signal)
{
    (void)signal;
    fault(SIGSEGV);
}

/* The alarm comes nearly always while it writes. */
static void crash_while_writing(int signal_, const char *path)
{
    rmd_recorder_options o = options_for(path);
    o.crash = true;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    for (uint64_t i = 0; i < RMDI_RECORD_MANY; i++)
        rmdi_record(RMDI_RECORD_CANCEL, i, 0);
    signal(SIGALRM, on_alarm);
    if (rmd_recorder_on(&o) < 0)
        _exit(signal_);
    setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = 20000 }, NULL);
    for (;;)
        (void)!rmd_recorder_save(NULL, RMD_RECORDER_AUTO);
}

TEST(a_crash_of_who_is_writing_a_record_leaves_a_whole_one_at_once)
{
    if (KIT_SANITIZED)
        SKIP("the sanitizer has a way of its own to end");
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    int status = how_it_ended(crash_while_writing, SIGSEGV, in_folder("own.txt"));
    clock_gettime(CLOCK_MONOTONIC, &to);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK_INT(to.tv_sec - from.tv_sec, <, 4 * kit_patience());
    char *text = read_file(in_folder("own.txt"));
    CHECK_CONTAINS(text, "\nbecause: crash 11 SIGSEGV ");
    CHECK_CONTAINS(text, "\nend: ");
    char command[600];
    snprintf(command, sizeof command, "test $(ls %s | wc -l) = 1", getenv("TMPDIR"));
    CHECK_EQ(system(command), 0);
}

static void *crash_together(void *arg)
{
    pthread_barrier_wait(&together);
    return crash_on_thread(arg);
}

static void crash_twice(int signal, const char *path)
{
    pthread_t ids[2];
    rmd_recorder_options o = options_for(path);
    o.crash = true;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    pthread_barrier_init(&together, NULL, 2);
    if (rmd_recorder_on(&o) < 0)
        _exit(1);
    for (int i = 0; i < 2; i++)
        pthread_create(&ids[i], NULL, crash_together, &signal);
    pthread_join(ids[0], NULL);
    _exit(1);
}

TEST(two_threads_that_crash_at_once_leave_one_whole_record)
{
    if (KIT_SANITIZED)
        SKIP("the sanitizer has a way of its own to end");
    for (int i = 0; i < 20; i++) {
        int status = how_it_ended(crash_twice, SIGSEGV, in_folder("twice.txt"));
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        CHECK_CONTAINS(read_file(in_folder("twice.txt")), "\nend: ");
        unlink(in_folder("twice.txt"));
    }
}

static void crash_in_child(int signal, const char *path)
{
    rmd_recorder_options o = options_for(path);
    o.crash = true;
    if (rmd_recorder_on(&o) < 0)
        _exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        crash_on_thread(&signal);
    }
    waitpid(pid, NULL, 0);
    char name[600];
    snprintf(name, sizeof name, "%s.%d", path, (int)pid);
    _exit(access(name, F_OK) == 0 && access(path, F_OK) < 0 ? 0 : 1);
}

TEST(a_child_that_crashes_writes_to_a_file_of_its_own)
{
    int status = how_it_ended(crash_in_child, SIGSEGV, in_folder("child.txt"));
    CHECK_EQ(status, 0);
}
