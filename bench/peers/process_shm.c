/* SPDX-License-Identifier: MIT */
/* Two processes, memory that both have, and a futex each way: what a round trip costs at least.
 *
 *   process_shm parked TIMES   p50, in us, of 64 bytes copied in and out on both sides, each a
 *                              millisecond after the last; both sleep at once
 *   process_shm hot TIMES      in us, one after the other; both look for a while before they sleep
 *   process_shm big TIMES      the same without looking, 1 MiB
 *   process_shm place TIMES    the same, and nobody copies it */
#include "pinned.h"

#include <linux/futex.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BIG = 1 << 20, SPINS = 2000 };

typedef struct shared {
    _Alignas(128) _Atomic(uint32_t) there;
    _Alignas(128) _Atomic(uint32_t) back;
    _Alignas(128) uint32_t stop;
    _Alignas(4096) char in[BIG], out[BIG];
} shared;

static shared *s;
static char own[BIG];

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void await(_Atomic(uint32_t) *word, uint32_t n, int spins)
{
    for (int i = 0; i < spins && *word != n; i++)
        pause_a_little();
    while (*word != n)
        syscall(SYS_futex, word, FUTEX_WAIT, n - 1, NULL, NULL, 0);
}

static void tell(_Atomic(uint32_t) *word, uint32_t n)
{
    *word = n;
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void serve(size_t len, int spins)
{
    for (uint32_t i = 1;; i++) {
        await(&s->there, i, spins);
        if (s->stop)
            _exit(0);
        memcpy(own, s->in, len);
        memcpy(s->out, own, len);
        tell(&s->back, i);
    }
}

static void trip(uint32_t i, size_t len, int spins)
{
    memcpy(s->in, own, len);
    tell(&s->there, i);
    await(&s->back, i, spins);
    memcpy(own, s->out, len);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double parked(uint32_t *i, int times)
{
    int64_t *ns = calloc((size_t)times, sizeof *ns);
    MUST(ns);
    for (int n = 0; n < times; n++) {
        nap_us(1000);
        int64_t begin = now_ns();
        trip(++*i, 64, 0);
        ns[n] = now_ns() - begin;
    }
    qsort(ns, (size_t)times, sizeof *ns, by_size);
    double p50 = (double)ns[(times - 1) / 2] / 1000;
    free(ns);
    return p50;
}

static double in_a_row(uint32_t *i, int times, size_t len, int spins)
{
    int64_t begin = now_ns();
    for (int n = 0; n < times; n++)
        trip(++*i, len, spins);
    return (double)(now_ns() - begin) / times / 1000;
}

int main(int argc, char **argv)
{
    MUST(argc == 3);
    uint32_t i = 0;
    int times = atoi(argv[2]), spins = strcmp(argv[1], "hot") == 0 ? SPINS : 0;
    size_t len = strcmp(argv[1], "big") == 0 ? BIG : strcmp(argv[1], "place") == 0 ? 0 : 64;
    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(s != MAP_FAILED);
    memset(own, 1, sizeof own);
    memset(s->in, 1, sizeof s->in);
    memset(s->out, 1, sizeof s->out);
    pid_t pid = fork();
    if (pid == 0)
        serve(len, spins);
    MUST(pid > 0);
    in_a_row(&i, 20, len, spins);
    bool sleeps = strcmp(argv[1], "parked") == 0;
    printf("%.3f\n", sleeps ? parked(&i, times) : in_a_row(&i, times, len, spins));
    s->stop = 1;
    tell(&s->there, ++i);
    MUST(waitpid(pid, NULL, 0) == pid);
    return 0;
}
