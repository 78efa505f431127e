/* SPDX-License-Identifier: MIT */
/* A file is copied by two threads: one reads blocks and puts them into a queue of eight places, the
 * other one gets and writes them. Whoever is faster waits. The program compares the two files. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, PLACES = 8, FILE_BYTES = 1000003 };

typedef struct block {
    size_t bytes;
    char data[BLOCK];
} block;

typedef struct copy {
    FILE *from, *to;
    rmd_queue *queue;
    long blocks, bytes; /* written */
    bool no_memory;
} copy;

static void read_blocks(void *arg)
{
    copy *c = arg;
    for (;;) {
        block *b = malloc(sizeof *b);
        if (!b || (b->bytes = fread(b->data, 1, BLOCK, c->from)) == 0 ||
            rmd_queue_put(c->queue, b, RMD_FOREVER) < 0) {
            c->no_memory = !b;
            free(b);
            break;
        }
    }
    rmd_queue_close(c->queue); /* the writer gets what is left, and ends */
}

static void write_blocks(void *arg)
{
    copy *c = arg;
    void *item;
    while (rmd_queue_get(c->queue, &item, RMD_FOREVER) == 0) {
        block *b = item;
        size_t written = fwrite(b->data, 1, b->bytes, c->to);
        c->bytes += (long)written;
        c->blocks++;
        if (written < b->bytes)
            rmd_queue_abort(c->queue); /* the reader's next put fails; what is left is freed */
        free(b);
    }
}

static void free_block(void *ctx, void *item)
{
    (void)ctx;
    free(item);
}

static int run(copy *c)
{
    rmd_thread *reader, *writer;
    rmd_queue_options options = { .size = sizeof options,
                                  .one_to_one = true, /* one puts, one gets */
                                  .destroy = free_block };
    if (rmd_queue_open(&c->queue, PLACES, &options) < 0 ||
        rmd_thread_start(&reader, read_blocks, c, NULL) < 0 ||
        rmd_thread_start(&writer, write_blocks, c, NULL) < 0 ||
        rmd_thread_join(reader, RMD_FOREVER) < 0 || rmd_thread_join(writer, RMD_FOREVER) < 0)
        return -1;
    rmd_thread_free(reader);
    rmd_thread_free(writer);
    rmd_queue_free(c->queue);
    return c->no_memory || ferror(c->from) || ferror(c->to) || fflush(c->to) != 0 ? -1 : 0;
}

static bool are_equal(FILE *a, FILE *b)
{
    int byte;
    rewind(a);
    rewind(b);
    while ((byte = getc(a)) == getc(b))
        if (byte == EOF)
            return !ferror(a) && !ferror(b);
    return false;
}

int main(void)
{
    copy c = { .from = tmpfile(), .to = tmpfile() };
    if (!c.from || !c.to)
        return 1;
    for (unsigned i = 0, x = 1; i < FILE_BYTES; i++, x = x * 1664525 + 1013904223)
        putc((int)(x >> 24), c.from);
    rewind(c.from);
    if (run(&c) < 0) {
        fprintf(stderr, "the copy failed\n");
        return 1;
    }
    printf("%ld bytes copied in %ld blocks by two threads\n", c.bytes, c.blocks);
    puts(are_equal(c.from, c.to) ? "the copy equals the file" : "the copy is another file");
    fclose(c.from);
    fclose(c.to);
    return 0;
}
