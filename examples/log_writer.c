/* SPDX-License-Identifier: MIT */
/* Log lines of several threads that never mix, without a lock (for that see log_lines.c): each
 * thread puts whole lines into a queue, and one thread writes them all. So a slow disk holds nobody
 * up before 4 KiB of lines wait. The program reads its log again, and judges. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, LINES = 500, QUEUE_BYTES = 4096, BATCH = 32 };

static rmd_queue *queue; /* of strings */
static FILE *file;       /* the writer's alone */
static int freed;        /* lines that nobody has written */

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

static size_t bytes_of(void *ctx, const void *line)
{
    (void)ctx;
    return strlen(line) + 1;
}

static void free_line(void *ctx, void *line)
{
    free(line);
    ++*(int *)ctx;
}

static void log_line(int thread, int number)
{
    char *line = malloc(64);
    must(line ? 0 : RMD_ENOMEM);
    snprintf(line, 64, "%d:%d%*s.\n", thread, number, number % 20, "");
    if (rmd_queue_put(queue, line, RMD_FOREVER) < 0)
        free(line); /* told to stop, or the log is closed */
}

static void log_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_line(*(int *)arg, i);
}

static void write_lines(void *arg)
{
    (void)arg;
    void *lines[BATCH];
    size_t n;
    while (rmd_queue_get_many(queue, lines, BATCH, &n, RMD_FOREVER) == 0) {
        for (size_t i = 0; i < n; i++) {
            fputs(lines[i], file);
            free(lines[i]);
        }
        fflush(file); /* once for all that have come */
    }
}

static void judge(void)
{
    char line[64], wanted[64];
    int whole = 0, wrong = 0, next[THREADS] = { 0 };
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        int thread = line[0] - '0', number = thread >= 0 && thread < THREADS ? next[thread]++ : 0;
        snprintf(wanted, sizeof wanted, "%d:%d%*s.\n", thread, number, number % 20, "");
        ++*(strcmp(line, wanted) == 0 ? &whole : &wrong);
    }
    printf("%d lines of %d threads, %d mixed or out of order\n", whole + wrong, THREADS, wrong);
}

int main(void)
{
    rmd_thread *threads[THREADS + 1];
    int names[THREADS];
    rmd_queue_options options = { .size = sizeof options,
                                  .bytes_max = QUEUE_BYTES,
                                  .bytes_of = bytes_of,
                                  .destroy = free_line,
                                  .ctx = &freed };
    file = tmpfile();
    must(file ? rmd_queue_open(&queue, RMD_UNBOUNDED, &options) : RMD_ENOMEM);
    for (int i = 0; i < THREADS; i++) {
        names[i] = i;
        must(rmd_thread_start(&threads[i], log_lines, &names[i], NULL));
    }
    must(rmd_thread_start(&threads[THREADS], write_lines, NULL, NULL));
    for (int i = 0; i <= THREADS; i++) {
        if (i == THREADS)
            rmd_queue_close(queue); /* all have logged: the writer writes what is left, and ends */
        must(rmd_thread_join(threads[i], RMD_FOREVER));
        rmd_thread_free(threads[i]);
    }
    judge();
    rmd_queue_free(queue);

    must(rmd_queue_open(&queue, RMD_UNBOUNDED, &options)); /* and one that nobody reads */
    log_line(0, 0);
    rmd_queue_free(queue);
    printf("%d left, and freed\n", freed);
    return fclose(file);
}
