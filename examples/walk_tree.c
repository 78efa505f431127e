/* SPDX-License-Identifier: MIT */
/* Tasks that add tasks: a tree of directories is walked from its root. Each task reads one
 * directory, adds a task for each that lies in it, and returns how many files there are. The map
 * returns when no task is left that could add another. */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int visit(rmd_call *call)
{
    const char *path;
    char inside[1024];
    int files = 0, err = rmd_call_get(call, 0, &path);
    DIR *dir = err < 0 ? NULL : opendir(path);
    if (!dir)
        return err < 0 ? err : rmd_call_fail(call, RMD_EIO, "%s cannot be read", path);
    for (struct dirent *entry; (entry = readdir(dir)) && err == 0;) {
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            err = rmd_call_add(call, "visit", RMD_ARGS(inside));
        files += entry->d_type == DT_REG;
    }
    closedir(dir);
    return err < 0 ? err : rmd_call_return(call, files);
}

static const rmd_function functions[] = { { "visit", visit, .parameters = "path:text" }, { 0 } };

typedef struct walk {
    const char *root;
    int directories, files;
} walk;

static int next(void *ctx, rmd_map_task *task)
{
    walk *w = ctx;
    const char *root = w->root;
    w->root = NULL; /* once */
    return root ? rmd_map_call(task, "visit", RMD_ARGS(root)) : 0;
}

static int add_up(void *ctx, rmd_future *future, uint64_t index)
{
    walk *w = ctx;
    int files;
    (void)index;
    int err = rmd_future_get(future, &files);
    w->directories++;
    w->files += err == 0 ? files : 0;
    return err;
}

/* ---- something to walk in: 5 levels, 3 directories and 2 files in each ---- */

static void make_tree(const char *path, int levels)
{
    static const char *const names[] = { "a", "b", "c", "file1", "file2" };
    char inside[1024];
    for (int i = levels > 1 ? 0 : 3; i < 5; i++) {
        snprintf(inside, sizeof inside, "%s/%s", path, names[i]);
        if (i < 3 && mkdir(inside, 0700) == 0)
            make_tree(inside, levels - 1);
        else
            close(creat(inside, 0600));
    }
}

static int delete (const char *path, const struct stat *st, int type, struct FTW *place)
{
    (void)st, (void)type, (void)place;
    return remove(path);
}

int main(int argc, char **argv)
{
    char root[] = "/tmp/remuda-walk-XXXXXX";
    rmd_pool *pool;
    must(rmd_functions_add(functions), "functions");
    rmd_start(&argc, &argv);
    if (!mkdtemp(root))
        return 1;
    make_tree(root, 5);

    walk w = { .root = argc > 1 ? argv[1] : root };
    rmd_map_account account;
    rmd_map_options options = {
        .size = sizeof options, .next = next, .sink = add_up, .ctx = &w, .account = &account
    };
    must(rmd_pool_open(&pool, "processes:2", NULL, rmd_after_ms(5000)), "open");
    must(rmd_map(pool, &options, RMD_FOREVER), "map");
    printf("%d files in %d directories; tasks added by tasks: %d\n", w.files, w.directories,
           (int)account.added);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    nftw(root, delete, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
