/* SPDX-License-Identifier: MIT */
/* Compiled with -DRMD_DEBUG: two functions take two locks, each in an order of its own. Today they
 * run one after the other and nothing happens; one day both would wait for ever. */
#include <remuda.h>
#include <stdio.h>

static rmd_lock *accounts, *journal;

static void transfer(void *arg)
{
    (void)arg;
    RMD_WITH_LOCK (accounts, RMD_FOREVER) {
        RMD_WITH_LOCK (journal, RMD_FOREVER) {
            puts("transfer: done");
        }
    }
}

static void audit(void *arg)
{
    int err;
    (void)arg;
    RMD_WITH_LOCK (journal, RMD_FOREVER) {
        RMD_WITH_LOCK (accounts, RMD_FOREVER, err) {
            puts("audit: done");
        } else {
            printf("audit: %s\n", rmd_error_name(err));
        }
    }
}

/* For programs that do not look at every error. */
static void report(void *ctx, const char *text)
{
    (void)ctx;
    printf("report: %s\n", text);
}

static rmd_lock *open_lock(const char *name)
{
    rmd_lock *lock;
    rmd_lock_options options = { .size = sizeof options, .name = name };
    return rmd_lock_open(&lock, &options) < 0 ? NULL : lock;
}

static int run(void (*fn)(void *arg), const char *name)
{
    rmd_thread *thread;
    rmd_thread_options options = { .size = sizeof options, .name = name };
    int err = rmd_thread_start(&thread, fn, NULL, &options);
    if (err < 0)
        return err;
    err = rmd_thread_join(thread, RMD_FOREVER);
    rmd_thread_free(thread);
    return err;
}

int main(void)
{
    accounts = open_lock("accounts");
    journal = open_lock("journal");
    if (!accounts || !journal)
        return 1;
    rmd_lock_on_report(report, NULL);
    if (run(transfer, "payer") < 0 || run(audit, "auditor") < 0)
        return 1;
    return rmd_lock_free(accounts) < 0 || rmd_lock_free(journal) < 0;
}
