/* SPDX-License-Identifier: MIT */
/* A stack whose pop waits while it is empty: two ways to get that wrong, and the right one.
 * broken_stack [if|thrifty TOKEN] */
#include <remuda.h>
#include <remuda/atomics.h>
#include <remuda/explore.h>
#include <string.h>

typedef struct stack {
    bool waits_once;      /* looks with `if`, not with `while` */
    bool notifies_thrift; /* only when the stack was empty */
    rmd_lock *lock;
    rmd_condition *not_empty;
    int len; /* of what is on it; guarded by the lock */
} stack;

static void push(void *arg)
{
    stack *s = arg;
    RMD_ASSERT(rmd_lock_acquire(s->lock, RMD_FOREVER) == 0);
    bool was_empty = RMD_PLAIN(s->len) == 0;
    RMD_PLAIN_SET(s->len, RMD_PLAIN(s->len) + 1);
    rmd_lock_release(s->lock);
    if (was_empty || !s->notifies_thrift)
        rmd_condition_notify_one(s->not_empty);
}

static void pop(void *arg)
{
    stack *s = arg;
    RMD_ASSERT(rmd_lock_acquire(s->lock, RMD_FOREVER) == 0);
    while (RMD_PLAIN(s->len) == 0) {
        RMD_ASSERT(rmd_condition_wait(s->not_empty, RMD_FOREVER) == 0);
        if (s->waits_once)
            break;
    }
    RMD_ASSERT(RMD_PLAIN(s->len) > 0);
    RMD_PLAIN_SET(s->len, RMD_PLAIN(s->len) - 1);
    rmd_lock_release(s->lock);
}

static void body(void *arg)
{
    static void (*const fns[])(void *) = { pop, pop, push, push };
    static const char *const names[] = { "pop 1", "pop 2", "push 1", "push 2" };
    stack s = *(stack *)arg;
    rmd_thread *threads[4];
    RMD_ASSERT(rmd_lock_open(&s.lock, NULL) == 0);
    RMD_ASSERT(rmd_condition_open(&s.not_empty, s.lock) == 0);
    for (int i = 0; i < 4; i++) {
        rmd_thread_options options = { .size = sizeof options, .name = names[i] };
        RMD_ASSERT(rmd_thread_start(&threads[i], fns[i], &s, &options) == 0);
    }
    for (int i = 0; i < 4; i++) {
        RMD_ASSERT(rmd_thread_join(threads[i], RMD_FOREVER) == 0);
        RMD_ASSERT(rmd_thread_free(threads[i]) == 0);
    }
    RMD_ASSERT(s.len == 0);
    RMD_ASSERT(rmd_condition_free(s.not_empty) == 0);
    RMD_ASSERT(rmd_lock_free(s.lock) == 0);
}

static int explore(stack s, const char *name, const char *token)
{
    char command[64];
    snprintf(command, sizeof command, "./broken_stack %s", name);
    rmd_explore_options options = {
        .size = sizeof options, .name = name, .command = command, .report = stdout, .replay = token
    };
    return rmd_explore(body, &s, &options);
}

int main(int argc, char **argv)
{
    stack once = { .waits_once = true }, thrifty = { .notifies_thrift = true };
    if (argc > 2)
        return explore(strcmp(argv[1], "if") == 0 ? once : thrifty, argv[1], argv[2]);
    printf("if instead of while: %d found\n\n", explore(once, "if", NULL));
    printf("notifying only when it was empty: %d found\n\n", explore(thrifty, "thrifty", NULL));
    printf("the right way: %d found\n", explore((stack){ 0 }, "right", NULL));
    return 0;
}
