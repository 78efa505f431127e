/* SPDX-License-Identifier: MIT */
/* What tests have as foreign workers and programs: foreign_helper HOW.
 *
 * As a worker it speaks docs/protocol/worker.md, with the codec that HOW names (raw, cbor, json),
 * and does what each task says; or it behaves badly from the start:
 *
 *   silent     never announces itself
 *   nonsense   announces something else
 *   newer      announces version 2
 *   huge       announces a frame of 2 GiB
 *   eager      raw, and sends an answer along with its announcement; hasty: a part of one
 *   die        ends with status 7 before it has announced itself, and says why
 *   deaf       raw, and ignores SIGTERM and the end of its stream
 *   orderly    raw, and a moment after SIGTERM adds "end" to the file that FOREIGN_NOTES names
 *   taste      raw; reads three bytes of a task, adds them to that file, and ends with status 7
 *
 * Tasks: the text of a raw one, the first argument of the others.
 *
 *   pid            answers with its number
 *   env NAME       answers with that of its environment
 *   fail WORDS     answers that it has failed
 *   unclean        the same with words that are not fit to be shown (raw)
 *   say WORDS      writes words to standard error, and answers "said"
 *   print WORDS    the same to standard output
 *   flood N        writes N bytes to standard error
 *   exit N         ends with that status; kill N: by that signal; "words and exit N": after words
 *   half           writes a part of an answer, and ends
 *   close          closes its stream and stays
 *   stay           never answers
 *   garbage        answers what is no answer; twice: two answers; late: one more, a moment later
 *   big N          answers with N bytes
 *   wrong          answers another task (cbor, json)
 *   both           answers with result and error (cbor)
 *   grow N         adds two tasks "grow N-1" of the function "cbor", unless N is 0 (cbor)
 *   add NAME       adds a task of that function, a '!' in which becomes a 0; misadd: adds what is
 *                  no task (cbor)
 *   last           answers, and ends; linger: the same, and leaves a child that holds the stream
 *   detach         answers with the number of a child that has left session and group
 *   anything else  answers with the same
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STREAM = 3, TASK_MAX = 1 << 22 };

static char task[TASK_MAX + 1], answer[TASK_MAX + 100];
static size_t task_len;
static bool structured, at_once; /* the same frame twice, with one write */
static unsigned long id;

/* ---- frames ---- */

static bool read_all(void *to, size_t len)
{
    char *p = to;
    while (len) {
        ssize_t n = read(STREAM, p, len);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void write_all(const void *from, size_t len)
{
    const char *p = from;
    while (len) {
        ssize_t n = write(STREAM, p, len);
        if (n <= 0)
            _exit(99);
        p += n;
        len -= (size_t)n;
    }
}

static void put_head(char *to, size_t len)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(len >> (24 - 8 * i));
}

static void write_head(size_t len)
{
    char head[4];
    put_head(head, len);
    write_all(head, sizeof head);
}

static void write_frame(const void *data, size_t len)
{
    static char frame[TASK_MAX + 200];
    put_head(frame, len);
    memcpy(frame + 4, data, len);
    if (at_once)
        memcpy(frame + 4 + len, frame, len + 4);
    write_all(frame, at_once ? 2 * (len + 4) : len + 4);
}

/* ---- answers ---- */

static size_t put_cbor_head(char *to, int major, size_t n)
{
    if (n < 24) {
        to[0] = (char)(major << 5 | (int)n);
        return 1;
    }
    if (n < 256) {
        to[0] = (char)(major << 5 | 24);
        to[1] = (char)n;
        return 2;
    }
    to[0] = (char)(major << 5 | 26);
    for (int i = 0; i < 4; i++)
        to[1 + i] = (char)(n >> (24 - 8 * i));
    return 5;
}

static size_t put_text(char *to, const char *text, size_t len)
{
    size_t n = put_cbor_head(to, 3, len);
    memcpy(to + n, text, len);
    return n + len;
}

static size_t put_key(char *to, const char *key)
{
    return put_text(to, key, strlen(key));
}

static void answer_cbor(unsigned long to_id, const char *key, const char *text, size_t len)
{
    size_t n = put_cbor_head(answer, 5, 2);
    n += put_key(answer + n, "id");
    n += put_cbor_head(answer + n, 0, to_id);
    n += put_key(answer + n, key);
    n += put_text(answer + n, text, len);
    write_frame(answer, n);
}

static void say_result(const char *text, size_t len)
{
    if (structured) {
        answer_cbor(id, "result", text, len);
        return;
    }
    answer[0] = '+';
    memcpy(answer + 1, text, len);
    write_frame(answer, len + 1);
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say_result(text, (size_t)len);
}

static void say_failed(const char *words)
{
    char text[600];
    if (structured)
        answer_cbor(id, "error", words, strlen(words));
    else
        write_frame(text, (size_t)snprintf(text, sizeof text, "-%s", words));
}

static void say_both(const char *second)
{
    size_t n = put_cbor_head(answer, 5, 3);
    n += put_key(answer + n, "id");
    n += put_cbor_head(answer + n, 0, id);
    n += put_key(answer + n, second);
    n += put_cbor_head(answer + n, 4, 0);
    n += put_key(answer + n, "result");
    n += put_cbor_head(answer + n, 4, 0);
    write_frame(answer, n);
}

/* With a result, and the same task added several times; without a function: what is none. */
static void say_added(const char *function, const char *text, size_t times)
{
    size_t n = put_cbor_head(answer, 5, 3);
    n += put_key(answer + n, "id");
    n += put_cbor_head(answer + n, 0, id);
    n += put_key(answer + n, "add");
    n += put_cbor_head(answer + n, 4, times);
    for (; times; times--) {
        n += put_cbor_head(answer + n, 4, function ? 2 : 0);
        if (!function)
            continue;
        n += put_key(answer + n, function);
        char *zero = memchr(answer + n - strlen(function), '!', strlen(function));
        if (zero)
            *zero = 0;
        n += put_cbor_head(answer + n, 4, 1);
        n += put_key(answer + n, text);
    }
    n += put_key(answer + n, "result");
    n += put_key(answer + n, "added");
    write_frame(answer, n);
}

static void grow(int levels)
{
    char text[32];
    snprintf(text, sizeof text, "grow %d", levels - 1);
    say_added("cbor", text, levels > 0 ? 2 : 0);
}

/* ---- tasks ---- */

static size_t take_cbor_head(const unsigned char **p)
{
    size_t n = *(*p)++ & 31;
    int bytes = n < 24 ? 0 : 1 << (n - 24);
    if (bytes)
        for (n = 0; bytes; bytes--)
            n = n << 8 | *(*p)++;
    return n;
}

/* {"id": n, "args": ["…"], …}: in this order, for the encoding is deterministic. */
static void take_cbor(void)
{
    const unsigned char *p = (const unsigned char *)task;
    take_cbor_head(&p);
    p += 3; /* "id" */
    id = take_cbor_head(&p);
    p += 5; /* "args" */
    size_t count = take_cbor_head(&p);
    task_len = count ? take_cbor_head(&p) : 0;
    memmove(task, p, task_len);
}

static bool read_task(void)
{
    unsigned char head[4];
    if (!read_all(head, sizeof head))
        return false;
    task_len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (task_len > TASK_MAX || !read_all(task, task_len))
        _exit(98);
    if (structured)
        take_cbor();
    task[task_len] = 0;
    return true;
}

static _Noreturn void note(const char *three, int status)
{
    int file = open(getenv("FOREIGN_NOTES"), O_WRONLY | O_APPEND);
    _exit(write(file, three, 3) == 3 ? status : 93);
}

static _Noreturn void taste(void)
{
    char some[7];
    if (!read_all(some, sizeof some))
        _exit(0);
    note(some + 4, 7);
}

static void clean_up(int signal)
{
    (void)signal;
    usleep(100000);
    note("end", 0);
}

static void flood(long bytes)
{
    static char line[] = "0123456789012345678901234567890123456789012345678901234567890123\n";
    for (; bytes > 0; bytes -= (long)sizeof line - 1)
        if (write(STDERR_FILENO, line, sizeof line - 1) < 0)
            _exit(97);
}

static pid_t detach(bool keep_stream)
{
    int ends[2];
    pid_t child = 0;
    if (pipe(ends) < 0)
        _exit(96);
    if (fork() == 0) {
        setsid();
        child = getpid();
        if (write(ends[1], &child, sizeof child) < 0)
            _exit(95);
        close(ends[1]);
        close(STDERR_FILENO);
        close(STDOUT_FILENO);
        if (!keep_stream)
            close(STREAM);
        alarm(60);
        for (;;)
            pause();
    }
    if (read(ends[0], &child, sizeof child) < 0)
        _exit(94);
    return child;
}

static const char *argument(const char *verb)
{
    size_t len = strlen(verb);
    return strncmp(task, verb, len) == 0 && task[len] == ' ' ? task + len + 1 : NULL;
}

static bool is(const char *verb)
{
    return strcmp(task, verb) == 0;
}

static void end_somehow(void)
{
    const char *with;
    if (strncmp(task, "words and ", 10) == 0) {
        fputs("first words\nlast words\n", stderr);
        memmove(task, task + 10, strlen(task + 10) + 1);
    }
    if ((with = argument("exit")) != NULL)
        _exit(atoi(with));
    if ((with = argument("kill")) != NULL)
        kill(getpid(), atoi(with));
    if (is("half")) {
        write_head(100);
        write_all("+half", 5);
        _exit(0);
    }
    if (is("close"))
        close(STREAM);
    if (is("close") || is("stay"))
        for (;;)
            pause();
}

static bool misbehave(void)
{
    if (is("garbage")) {
        write_frame("what?", 5);
    } else if (is("twice")) {
        at_once = true;
        say("one");
    } else if (is("late")) {
        say("one");
        usleep(30000);
        say("two");
    } else if (is("wrong")) {
        id += 5;
        say("wrong");
    } else if (is("both")) {
        say_both("error");
    } else if (is("misadd")) {
        say_added(NULL, NULL, 1);
    } else {
        return false;
    }
    return true;
}

static bool speak(void)
{
    const char *with;
    if ((with = argument("say")) != NULL)
        dprintf(STDERR_FILENO, "%s\n", with);
    else if ((with = argument("print")) != NULL)
        dprintf(STDOUT_FILENO, "%s\n", with);
    else if ((with = argument("flood")) != NULL)
        flood(atol(with));
    if (with)
        say("said");
    return with != NULL;
}

static void obey(void)
{
    const char *with;
    end_somehow();
    if (misbehave() || speak())
        return;
    if (is("pid")) {
        say("%d", getpid());
    } else if ((with = argument("env")) != NULL) {
        const char *value = getenv(with);
        say("%s", value ? value : "");
    } else if ((with = argument("fail")) != NULL) {
        say_failed(with);
    } else if (is("unclean")) {
        write_frame("-a\0b\n\x1b[1m\xff\xc3\xbc", 12);
    } else if ((with = argument("grow")) != NULL) {
        grow(atoi(with));
    } else if ((with = argument("add")) != NULL) {
        say_added(with, "x", 1);
    } else if ((with = argument("big")) != NULL) {
        size_t len = (size_t)atol(with);
        memset(task, 'x', len);
        say_result(task, len);
    } else if (is("detach")) {
        say("%d", detach(false));
    } else if (is("last") || is("linger")) {
        if (is("linger"))
            detach(true);
        shutdown(STREAM, SHUT_RD); /* no more tasks */
        say("the last");
        _exit(0);
    } else {
        say_result(task, task_len);
    }
}

static void announce(const char *how)
{
    char text[64];
    if (strcmp(how, "silent") == 0)
        for (;;)
            pause();
    if (strcmp(how, "huge") == 0) {
        write_head(0x7fffffff);
        pause();
    }
    if (strcmp(how, "die") == 0) {
        fputs("no licence\n", stderr);
        _exit(7);
    }
    if (strcmp(how, "nonsense") == 0)
        snprintf(text, sizeof text, "hello\nthere");
    else if (strcmp(how, "newer") == 0)
        snprintf(text, sizeof text, "remuda 2 raw");
    else
        snprintf(text, sizeof text, "remuda 1 %s",
                 strcmp(how, "cbor") && strcmp(how, "json") ? "raw" : how);
    if (strcmp(how, "eager") == 0)
        write_all("\0\0\0\x0cremuda 1 raw\0\0\0\2+x", 22);
    else if (strcmp(how, "hasty") == 0)
        write_all("\0\0\0\x0cremuda 1 raw\0", 17);
    else
        write_frame(text, strlen(text));
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "raw";
    structured = strcmp(how, "cbor") == 0;
    if (strcmp(how, "deaf") == 0)
        signal(SIGTERM, SIG_IGN);
    if (strcmp(how, "orderly") == 0)
        signal(SIGTERM, clean_up);
    announce(how);
    if (strcmp(how, "taste") == 0)
        taste();
    while (read_task())
        obey();
    if (strcmp(how, "deaf") == 0)
        for (;;)
            pause();
    return 0;
}
