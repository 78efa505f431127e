/* SPDX-License-Identifier: MIT */
/* RMD_WITH_LOCK, RMD_WITH_GUARD and others in C++: each way out releases, an exception, too. */
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

const rmd_context_key key = { "key" };

/* Blocks that begin on one line (as all of a macro does) do not shadow each other. */
#define WITH_ALL(lock, guard, rwlock)                      \
    RMD_WITH_LOCK (lock, RMD_NOW)                          \
        RMD_WITH_GUARD (account *a, guard, RMD_NOW)        \
            RMD_WITH_GUARD (account *b, guard, RMD_NOW)    \
                RMD_WITH_READ (rwlock, RMD_NOW)            \
                    RMD_WITH_READ (rwlock, RMD_NOW)        \
                        RMD_WITH_CONTEXT_OF (NULL)         \
                            RMD_WITH_CONTEXT_OF (NULL)     \
                                RMD_WITH_CONTEXT (&key, a) \
                                    RMD_WITH_CONTEXT (&key, b)

long hold_all(rmd_lock *lock, rmd_guard *guard, rmd_rwlock *rwlock)
{
    WITH_ALL(lock, guard, rwlock)
    {
        return static_cast<account *>(rmd_context_get(&key))->balance;
    }
    return -1;
}

/* 0, also when it is left on the way. */
int use_groups()
{
    int err = -1, inner = -1;
    RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
        RMD_WITH_GROUP (other, RMD_NOW, &inner) {
            if (group == other)
                return -1;
        }
        RMD_BLOCKING
        {
            break;
        }
    }
    RMD_WITH_GROUP (left, RMD_NOW, NULL) {
        return left ? err + inner : -1;
    }
    return -1;
}

} // namespace

int main()
{
    rmd_lock *lock;
    rmd_guard *guard;
    rmd_rwlock *rwlock;
    rmd_guard_options options = {};
    options.size = sizeof options;
    options.reentrant = true;
    if (rmd_lock_open(&lock, NULL) < 0 || rmd_guard_open(&guard, sizeof(account), &options) < 0 ||
        rmd_rwlock_open(&rwlock, NULL) < 0)
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
    if (hold_all(lock, guard, rwlock) != 7 || !is_free(lock) || rmd_rwlock_free(rwlock) < 0)
        return 1;
    return use_groups() != 0 || rmd_lock_free(lock) < 0 || rmd_guard_free(guard) < 0;
}
