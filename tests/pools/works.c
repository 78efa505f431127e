/* SPDX-License-Identifier: MIT */
/* The works: each as a function, for pools that call functions, and as what this program does when
 * it is started as a command. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

rmd_pool *works_pool;

/* ---- gates ---- */

void await_arrivals(const gate *at, int works)
{
    for (int i = 0; i < works; i++)
        await_arrival(at);
}

static int arrive(const char *name)
{
    return arrive_at(name) ? 0 : rmd_fail(RMD_EIO, "gate %s: %s", name, strerror(errno));
}

/* Until the gate is open; RMD_ECANCELED when it is told to stop, unless it is deaf. */
static int stand_at(const char *name, bool deaf)
{
    int fd = open_pipe(name, "opening");
    if (fd < 0)
        return rmd_fail(RMD_EIO, "gate %s: %s", name, strerror(errno));
    struct pollfd opened = { .fd = fd, .events = POLLIN };
    int err = arrive(name);
    if (err == 0 && deaf)
        poll(&opened, 1, -1);
    else if (err == 0)
        err = rmd_fd_wait(fd, RMD_READABLE, RMD_FOREVER);
    close(fd);
    return err < 0 ? err : 0;
}

/* ---- what works leave behind ---- */

static uint64_t add_to_count(uint64_t n)
{
    int fd = open(path_of("count"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) < 0)
        return UINT64_MAX;
    uint64_t *count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (count == MAP_FAILED)
        return UINT64_MAX;
    uint64_t sum = __atomic_add_fetch(count, n, __ATOMIC_SEQ_CST);
    munmap(count, sizeof *count);
    return sum;
}

uint64_t counted(void)
{
    return add_to_count(0);
}

static int note(const char *text)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%s ", text);
    int fd = open(path_of("notes"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write(fd, line, (size_t)length) == length;
    if (fd >= 0)
        close(fd);
    return written ? 0 : RMD_EIO;
}

const char *noted(void)
{
    static char text[4096];
    int fd = open(path_of("notes"), O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[length < 0 ? 0 : length] = 0;
    return text;
}

/* ---- as functions ---- */

static int do_echo(rmd_call *call)
{
    const rmd_value *value;
    int err = rmd_call_get(call, 0, &value);
    return err < 0 ? err : rmd_call_return(call, value);
}

static int do_add(rmd_call *call)
{
    int64_t a = 0, b = 0;
    int err = rmd_call_get(call, 0, &a);
    if (err == 0)
        err = rmd_call_get(call, 1, &b);
    return err < 0 ? err : rmd_call_return(call, a + b);
}

static int do_parse(rmd_call *call)
{
    const char *text = "";
    int base = 10;
    int err = rmd_call_get(call, 0, &text);
    if (err == 0 && rmd_call_has(call, 1))
        err = rmd_call_get(call, 1, &base);
    return err < 0 ? err : rmd_call_return(call, strtol(text, NULL, base));
}

static int do_fail(rmd_call *call)
{
    int code = 0;
    const char *text = "";
    if (rmd_call_get(call, 0, &code) < 0 || rmd_call_get(call, 1, &text) < 0)
        return RMD_EINVAL;
    return rmd_call_fail(call, code, "%s", text);
}

static int do_succeed_at(rmd_call *call)
{
    unsigned attempt = 0;
    int err = rmd_call_get(call, 0, &attempt);
    if (err < 0)
        return err;
    add_to_count(1);
    if (rmd_call_attempt(call) < attempt)
        return rmd_call_fail(call, RMD_EAGAIN, "not yet");
    return rmd_call_return(call, rmd_call_attempt(call));
}

static int do_count(rmd_call *call)
{
    return rmd_call_return(call, add_to_count(1));
}

static int do_note(rmd_call *call)
{
    const char *text = "";
    int err = rmd_call_get(call, 0, &text);
    return err < 0 ? err : note(text);
}

static int do_gate(rmd_call *call)
{
    const char *name = "";
    int err = rmd_call_get(call, 0, &name);
    return err < 0 ? err : stand_at(name, false);
}

static int do_stubborn(rmd_call *call)
{
    const char *name = "";
    int err = rmd_call_get(call, 0, &name);
    return err < 0 ? err : stand_at(name, true);
}

static int do_spin(rmd_call *call)
{
    const char *name = "";
    int err = rmd_call_get(call, 0, &name);
    if (err == 0)
        err = arrive(name);
    while (err == 0)
        if (rmd_call_cancelled(call))
            err = rmd_call_fail(call, RMD_ECANCELED, "told to stop");
    return err;
}

/* Both its own, and asked in the two ways that there are. */
static int do_about(rmd_call *call)
{
    bool same = rmd_task_id() == rmd_call_id(call) && rmd_task_attempt() == rmd_call_attempt(call);
    return rmd_call_return(call, RMD_LIST_OF(rmd_call_id(call), rmd_call_attempt(call),
                                             rmd_call_name(call), rmd_task_name(), same));
}

static int call_other(rmd_future **future, const char *function, int64_t n)
{
    return rmd_pool_call(works_pool, future, function, RMD_ARGS(n), NULL);
}

static int value_of(rmd_future *future, int64_t *n)
{
    int err = rmd_future_wait(future, RMD_FOREVER);
    if (err == 0)
        err = rmd_future_get(future, n);
    rmd_future_free(future);
    return err;
}

/* How many calls lie in each other. */
static int do_nest(rmd_call *call)
{
    int64_t n = 0, inner = 0;
    rmd_future *future;
    int err = rmd_call_get(call, 0, &n);
    if (err == 0 && n > 1) {
        err = call_other(&future, "nest", n - 1);
        if (err == 0)
            err = value_of(future, &inner);
    }
    return err < 0 ? err : rmd_call_return(call, inner + 1);
}

static int do_fib(rmd_call *call)
{
    int64_t n = 0, a = 0, b = 0;
    rmd_future *first, *second;
    int err = rmd_call_get(call, 0, &n);
    if (err < 0)
        return err;
    if (n < 2)
        return rmd_call_return(call, n);
    if (call_other(&first, "fib", n - 1) < 0)
        return rmd_call_fail(call, RMD_EAGAIN, "%s", rmd_error_detail());
    err = call_other(&second, "fib", n - 2);
    if (err == 0)
        err = value_of(second, &b);
    int late = value_of(first, &a);
    err = err < 0 ? err : late;
    return err < 0 ? err : rmd_call_return(call, a + b);
}

/* A tree: each adds those beneath it. */
static int do_tree(rmd_call *call)
{
    int64_t depth = 0, width = 0;
    int err = rmd_call_get(call, 0, &depth);
    if (err == 0)
        err = rmd_call_get(call, 1, &width);
    for (int64_t i = 0; i < width && depth > 0 && err == 0; i++)
        err = rmd_call_add(call, "tree", RMD_ARGS(depth - 1, width));
    return err < 0 ? err : rmd_call_return(call, depth);
}

/* Adds one at each attempt, and succeeds at the given one. */
static int do_add_until(rmd_call *call)
{
    unsigned attempt = 0;
    int err = rmd_call_get(call, 0, &attempt);
    if (err == 0)
        err = rmd_call_add(call, "count", RMD_ARGS());
    if (err == 0 && rmd_call_attempt(call) < attempt)
        err = rmd_call_fail(call, RMD_EAGAIN, "not yet");
    return err;
}

/* One with that many values. */
static int add_many(rmd_call *call, size_t n)
{
    rmd_value *values = calloc(n, sizeof *values);
    if (!values)
        return RMD_ENOMEM;
    for (size_t i = 0; i < n; i++)
        values[i] = rmd_int(1);
    int err = rmd_call_add(call, "count", (rmd_args){ .values = values, .count = n });
    free(values);
    return err;
}

/* Adds what cannot be added. */
static int do_add_nonsense(rmd_call *call)
{
    const rmd_value broken = rmd_text_of("\xff", 1);
    CHECK_EQ(rmd_call_add(call, "nobody", RMD_ARGS(1)), RMD_ENOENT);
    CHECK_STR(rmd_error_detail(), "add_nonsense: no function is called \"nobody\"");
    CHECK_EQ(rmd_call_add(call, NULL, RMD_ARGS(1)), RMD_ENOENT);
    CHECK_EQ(rmd_call_add(call, "count", RMD_ARGS(broken)), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "add_nonsense: a task of count that it adds: ");
    CHECK_EQ(rmd_call_add(call, "count", (rmd_args){ .count = 3 }), RMD_EINVAL);
    CHECK_EQ(rmd_call_add(NULL, "count", RMD_ARGS()), RMD_EINVAL);
    CHECK_EQ(add_many(call, 1000001), RMD_E2BIG);
    return rmd_call_add(call, "count", RMD_ARGS());
}

static const rmd_function functions[] = {
    { .name = "echo", .fn = do_echo },
    { .name = "add", .fn = do_add, .parameters = "a:int, b:int" },
    { .name = "parse", .fn = do_parse, .parameters = "text:text, base:int=" },
    { .name = "fail", .fn = do_fail },
    { .name = "succeed_at", .fn = do_succeed_at },
    { .name = "count", .fn = do_count, .parameters = "" },
    { .name = "note", .fn = do_note },
    { .name = "gate", .fn = do_gate },
    { .name = "stubborn", .fn = do_stubborn },
    { .name = "spin", .fn = do_spin },
    { .name = "about", .fn = do_about },
    { .name = "nest", .fn = do_nest },
    { .name = "fib", .fn = do_fib },
    { .name = "tree", .fn = do_tree },
    { .name = "add_until", .fn = do_add_until },
    { .name = "add_nonsense", .fn = do_add_nonsense },
    { 0 },
};

void add_works(void)
{
    if (rmd_functions_add(functions) < 0) {
        fprintf(stderr, "works: %s\n", rmd_error_detail());
        exit(2);
    }
}

/* ---- as a command ---- */

static int print(int64_t n)
{
    printf("%lld", (long long)n);
    return 0;
}

static int main_echo(char **argv)
{
    fputs(argv[1], stdout);
    return 0;
}

static int main_add(char **argv)
{
    return print(atoll(argv[1]) + atoll(argv[2]));
}

static int main_fail(char **argv)
{
    fputs(argv[2], stderr);
    return 1;
}

static int main_succeed_at(char **argv)
{
    const char *attempt = getenv("REMUDA_ATTEMPT");
    int now = attempt ? atoi(attempt) : 0;
    add_to_count(1);
    return now < atoi(argv[1]) ? 1 : print(now);
}

static int main_count(char **argv)
{
    (void)argv;
    return print((int64_t)add_to_count(1));
}

static int main_note(char **argv)
{
    return note(argv[1]) < 0;
}

static int main_gate(char **argv)
{
    return stand_at(argv[1], true) < 0;
}

static int main_spin(char **argv)
{
    if (arrive(argv[1]) < 0)
        return 1;
    for (volatile bool for_ever = true; for_ever;)
        ;
    return 0;
}

static const struct {
    const char *name;
    int words;
    int (*main)(char **argv);
} commands[] = {
    { "echo", 1, main_echo },   { "add", 2, main_add },
    { "fail", 2, main_fail },   { "succeed_at", 1, main_succeed_at },
    { "count", 0, main_count }, { "note", 1, main_note },
    { "gate", 1, main_gate },   { "spin", 1, main_spin },
};

int run_work(char **argv)
{
    int words = 0;
    while (argv[0] && argv[words + 1])
        words++;
    for (size_t i = 0; argv[0] && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, argv[0]) == 0 && words == commands[i].words)
            return commands[i].main(argv);
    fprintf(stderr, "no such work: %s with %d words\n", argv[0] ? argv[0] : "", words);
    return 2;
}
