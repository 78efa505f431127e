/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target on files, or on all files of folders, without a fuzzer: the corpus as a plain
 * test, and the way to repeat a crash in a debugger. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int files;

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    size_t size = 0, capacity = 1 << 20;
    uint8_t *data = malloc(capacity);
    if (data)
        size = fread(data, 1, capacity, f);
    fclose(f);
    /* A block of exactly the right size, so that a sanitizer sees reads beyond it. */
    uint8_t *exact = malloc(size ? size : 1);
    if (!data || !exact)
        exit(1);
    memcpy(exact, data, size);
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    files++;
}

static void run(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        run_file(path);
        return;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            run_file(name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    printf("%d files\n", files);
    return files ? 0 : 1;
}
