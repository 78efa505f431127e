/* SPDX-License-Identifier: MIT */
/* Log lines of several threads that never mix: each line is written in several pieces, and the lock
 * is held from the first to the last. (log_writer.c does without a lock.) The program reads its log
 * again, and judges. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, LINES = 500, WORDS = 6 };

static rmd_lock *lock;
static FILE *file; /* guarded by the lock */

static void write_line(int thread, int number)
{
    RMD_WITH_LOCK (lock, RMD_FOREVER) {
        fprintf(file, "%d:%d", thread, number);
        for (int i = 0; i < WORDS; i++) {
            fprintf(file, " %d", thread);
            fflush(file); /* so that each word is a write of its own */
        }
        fprintf(file, ".\n");
    }
}

static void write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        write_line(*(int *)arg, i);
}

/* Whole, and the next one of its thread? */
static bool is_right(const char *line, int next[THREADS])
{
    char *end;
    long thread = strtol(line, &end, 10);
    if (thread < 0 || thread >= THREADS || *end != ':')
        return false;
    if (strtol(end + 1, &end, 10) != next[thread]++)
        return false;
    for (int i = 0; i < WORDS; i++)
        if (*end != ' ' || strtol(end + 1, &end, 10) != thread)
            return false;
    return strcmp(end, ".\n") == 0;
}

static void judge(void)
{
    char line[128];
    int right = 0, wrong = 0, next[THREADS] = { 0 };
    rewind(file);
    while (fgets(line, sizeof line, file))
        ++*(is_right(line, next) ? &right : &wrong);
    printf("%d lines of %d threads, %d of them mixed or out of order\n", right + wrong, THREADS,
           wrong);
}

int main(void)
{
    rmd_thread *threads[THREADS];
    int names[THREADS];
    file = tmpfile();
    if (!file || rmd_lock_open(&lock, NULL) < 0)
        return 1;
    for (int i = 0; i < THREADS; i++) {
        names[i] = i;
        if (rmd_thread_start(&threads[i], write_lines, &names[i], NULL) < 0)
            return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        if (rmd_thread_join(threads[i], RMD_FOREVER) < 0)
            return 1;
        rmd_thread_free(threads[i]);
    }
    judge();
    fclose(file);
    return rmd_lock_free(lock) < 0;
}
