/* SPDX-License-Identifier: MIT */
/* RMD_WITH_LOCK and RMD_WITH_GUARD in C++: each way out releases, an exception, too. */
#include <cstdio>
#include <remuda.h>

namespace {

struct account {
    long balance;
};

int ways = 0;

long leave(rmd_lock *lock, int way)
{
    for (int i = 0; i < 2; i++) {
        int err;
        RMD_WITH_LOCK (lock, RMD_NOW, err) {
            ways++;
            if (way == 0)
                return way;
            if (way == 1)
                break;
            if (way == 2)
                throw 2;
        } else {
            return err;
        }
    }
    return way;
}

bool is_free(rmd_lock *lock)
{
    RMD_WITH_LOCK (lock, RMD_NOW) {
        return true;
    }
    return false;
}

long pay(rmd_guard *guard, long by)
{
    RMD_WITH_GUARD (account *a, guard, RMD_FOREVER) {
        RMD_WITH_GUARD (const account *again, guard, RMD_FOREVER) {
            a->balance = again->balance + by;
        }
        return a->balance;
    }
    return -1;
}

} // namespace

int main()
{
    rmd_lock *lock;
    rmd_guard *guard;
    rmd_guard_options options = {};
    options.size = sizeof options;
    options.reentrant = true;
    if (rmd_lock_open(&lock, NULL) < 0 || rmd_guard_open(&guard, sizeof(account), &options) < 0)
        return 1;
    for (int way = 0; way < 4; way++) {
        try {
            leave(lock, way);
        } catch (int) {
            ways += 10;
        }
        if (!is_free(lock))
            return 1;
    }
    long paid = pay(guard, 3);
    std::printf("%d %ld %ld\n", ways, paid, pay(guard, 4));
    return rmd_lock_free(lock) < 0 || rmd_guard_free(guard) < 0;
}
