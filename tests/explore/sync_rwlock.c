/* SPDX-License-Identifier: MIT */
/* The reader-writer lock: a writer is alone, nobody waits for ever, and who was the last may free
 * it. */
#include "crew.h"
#include "sync/rwlock.h"

#include <remuda.h>

typedef struct book {
    rmd_rwlock *lock;
    int entries; /* read and written under the lock: a race if a writer were not alone */
} book;

typedef struct user {
    book *book;
    rmd_stop *stop;
    int64_t patience_ms; /* 0: for ever; < 0: not at all */
    int reads, writes;
    bool downgrades;
    int got, written;
} user;

static rmd_deadline patience(const user *u)
{
    return u->patience_ms < 0 ? RMD_NOW
           : u->patience_ms   ? rmd_after_ms(u->patience_ms)
                              : RMD_FOREVER;
}

static bool acquired(const user *u, int err)
{
    RMD_ASSERT(err == 0 || (err == RMD_ETIMEDOUT && u->patience_ms) ||
               (err == RMD_ECANCELED && u->stop));
    return err == 0;
}

static void read_book(user *u)
{
    if (!acquired(u, rmd_rwlock_acquire_read(u->book->lock, patience(u))))
        return;
    int entries = RMD_PLAIN(u->book->entries);
    u->got++;
    RMD_ASSERT(RMD_PLAIN(u->book->entries) == entries);
    RMD_ASSERT(rmd_rwlock_release(u->book->lock) == 0);
}

static void write_book(user *u)
{
    if (!acquired(u, rmd_rwlock_acquire_write(u->book->lock, patience(u))))
        return;
    int entries = RMD_PLAIN(u->book->entries) + 1;
    RMD_PLAIN_SET(u->book->entries, entries);
    u->written++;
    if (u->downgrades) {
        RMD_ASSERT(rmd_rwlock_downgrade(u->book->lock) == 0);
        RMD_ASSERT(RMD_PLAIN(u->book->entries) == entries);
    }
    RMD_ASSERT(rmd_rwlock_release(u->book->lock) == 0);
}

static void use(void *arg)
{
    user *u = arg;
    rmd_stop *before = rmd_stop_set(u->stop);
    for (int i = 0; i < u->reads || i < u->writes; i++) {
        if (i < u->writes)
            write_book(u);
        if (i < u->reads)
            read_book(u);
    }
    rmd_stop_set(before);
}

static void open_book(book *b)
{
    b->entries = 0;
    RMD_ASSERT(rmd_rwlock_open(&b->lock, NULL) == 0);
}

static void close_book(book *b, const user *users, int n)
{
    int written = 0;
    for (int i = 0; i < n; i++)
        written += users[i].written;
    RMD_ASSERT(b->entries == written);
    RMD_ASSERT(rmd_rwlock_acquire_write(b->lock, RMD_NOW) == 0);
    RMD_ASSERT(rmd_rwlock_release(b->lock) == 0);
    RMD_ASSERT(rmd_rwlock_release(b->lock) == RMD_EINVAL);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_rwlock_acquire_read(b->lock, RMD_NOW) == 0);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_rwlock_release(b->lock) == 0);
    RMD_ASSERT(rmd_rwlock_free(b->lock) == 0);
}

static void stop_it(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

HARNESS(rwlock_writers_are_alone)
{
    book b;
    crew crew = { 0 };
    open_book(&b);
    user users[4] = { { .book = &b, .writes = 2 },
                      { .book = &b, .writes = 1, .reads = 1, .downgrades = true },
                      { .book = &b, .reads = 2 },
                      { .book = &b, .reads = 2 } };
    for (int i = 0; i < 4; i++)
        crew_add(&crew, use, &users[i], i < 2 ? "writer" : "reader");
    crew_join(&crew);
    RMD_ASSERT(b.entries == 3 && users[2].got == 2 && users[3].got == 2);
    close_book(&b, users, 4);
}

HARNESS(rwlock_with_deadline_and_stop)
{
    book b;
    rmd_stop *stop;
    crew crew = { 0 };
    open_book(&b);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    user users[5] = { { .book = &b, .writes = 1, .patience_ms = 1 },
                      { .book = &b, .writes = 1, .reads = 1, .stop = stop },
                      { .book = &b, .reads = 2 },
                      { .book = &b, .reads = 1, .writes = 1, .patience_ms = 1 },
                      { .book = &b, .reads = 1, .writes = 1, .patience_ms = -1 } };
    for (int i = 0; i < 5; i++)
        crew_add(&crew, use, &users[i], "user");
    crew_add(&crew, stop_it, stop, "stopper");
    crew_join(&crew);
    RMD_ASSERT(users[2].got == 2);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    close_book(&b, users, 5);
}

/* Few are enough to be overtaken again and again: then the lock is handed over. */
HARNESS(rwlock_is_handed_to_who_was_overtaken, .schedules = 40000)
{
    book b;
    crew crew = { 0 };
    open_book(&b);
    bool reads = rmd_explore_choose(2);
    user users[4] = { { .book = &b, .reads = reads, .writes = !reads },
                      { .book = &b, .writes = 6, .reads = 2 },
                      { .book = &b, .writes = 6 },
                      { .book = &b, .reads = 4 } };
    for (int i = 0; i < 4; i++)
        crew_add(&crew, use, &users[i], i ? "busy" : "patient");
    crew_join(&crew);
    close_book(&b, users, 4);
}

static void until_waiting(rmdi_wait_list *list, uint32_t n)
{
    while (rmd_atomic_load(&list->count, RMD_ACQUIRE) < n)
        rmd_pause();
}

/* We read all the while: only the writer's giving up can let the readers in. */
HARNESS(rwlock_writer_that_gives_up_lets_readers_in, .no_spurious = true)
{
    book b;
    rmd_stop *stop;
    crew writers = { 0 }, readers = { 0 };
    open_book(&b);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    user users[3] = { { .book = &b, .writes = 1, .stop = stop },
                      { .book = &b, .reads = 1 },
                      { .book = &b, .reads = 1 } };
    RMD_ASSERT(rmd_rwlock_acquire_read(b.lock, RMD_FOREVER) == 0);
    crew_add(&writers, use, &users[0], "writer");
    until_waiting(&b.lock->lock.writers, 1);
    for (int i = 1; i < 3; i++)
        crew_add(&readers, use, &users[i], "reader");
    until_waiting(&b.lock->lock.readers, 2);
    RMD_ASSERT(rmd_rwlock_acquire_read(b.lock, RMD_NOW) == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_stop_request(stop) == 0);
    crew_join(&readers);
    crew_join(&writers);
    RMD_ASSERT(users[0].written == 0 && users[1].got + users[2].got == 2);
    RMD_ASSERT(rmd_rwlock_release(b.lock) == 0);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    close_book(&b, users, 3);
}

/* We read on after it: a writer that waits must not come, readers that wait must. */
HARNESS(rwlock_downgrade_lets_readers_in)
{
    book b;
    crew writers = { 0 }, readers = { 0 };
    open_book(&b);
    user users[3] = { { .book = &b, .writes = 1 },
                      { .book = &b, .reads = 1 },
                      { .book = &b, .reads = 1 } };
    RMD_ASSERT(rmd_rwlock_acquire_write(b.lock, RMD_FOREVER) == 0);
    for (int i = 1; i < 3; i++)
        crew_add(&readers, use, &users[i], "reader");
    until_waiting(&b.lock->lock.readers, 2);
    if (rmd_explore_choose(2)) {
        crew_add(&writers, use, &users[0], "writer");
        until_waiting(&b.lock->lock.writers, 1);
    }
    RMD_PLAIN_SET(b.entries, 0);
    RMD_ASSERT(rmd_rwlock_downgrade(b.lock) == 0);
    crew_join(&readers);
    RMD_ASSERT(RMD_PLAIN(b.entries) == 0);
    RMD_ASSERT(rmd_rwlock_release(b.lock) == 0);
    crew_join(&writers);
    close_book(&b, users, 3);
}

/* ---- no reader waits for readers ---- */

typedef struct companion {
    book *book;
    rmd_event *here, *other_here;
} companion;

static void read_together(void *arg)
{
    companion *c = arg;
    RMD_ASSERT(rmd_rwlock_acquire_read(c->book->lock, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_event_set(c->here) == 0);
    RMD_ASSERT(rmd_event_wait(c->other_here, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_rwlock_release(c->book->lock) == 0);
}

static void open_companions(companion *two, book *b)
{
    open_book(b);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_event_open(&two[i].here) == 0);
    for (int i = 0; i < 2; i++) {
        two[i].book = b;
        two[i].other_here = two[!i].here;
    }
}

/* One of them may be woken, and on its way, when a writer passes that makes the other one wait. */
HARNESS(rwlock_readers_are_not_kept_apart_by_a_writer_that_has_gone)
{
    book b;
    companion companions[2];
    crew crew = { 0 };
    open_companions(companions, &b);
    RMD_ASSERT(rmd_rwlock_acquire_write(b.lock, RMD_FOREVER) == 0);
    for (int i = 0; i < 2; i++)
        crew_add(&crew, read_together, &companions[i], "reader");
    RMD_ASSERT(rmd_rwlock_release(b.lock) == 0);
    if (rmd_rwlock_acquire_write(b.lock, RMD_NOW) == 0)
        RMD_ASSERT(rmd_rwlock_release(b.lock) == 0);
    crew_join(&crew);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_event_free(companions[i].here) == 0);
    close_book(&b, NULL, 0);
}

/* Nor by one in the line while another one has it. */
HARNESS(rwlock_readers_are_not_kept_apart_by_a_writer_that_gives_up)
{
    book b;
    companion companions[2];
    crew crew = { 0 };
    open_companions(companions, &b);
    user users[2] = { { .book = &b, .writes = 1, .patience_ms = 1 },
                      { .book = &b, .writes = 1, .patience_ms = 1 } };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, use, &users[i], "writer");
    for (int i = 0; i < 2; i++)
        crew_add(&crew, read_together, &companions[i], "reader");
    crew_join(&crew);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_event_free(companions[i].here) == 0);
    close_book(&b, users, 2);
}

/* ---- freed by the last ---- */

typedef struct counted {
    book *book;
    rmd_atomic(int) references;
    bool write;
} counted;

static void drop(void *arg)
{
    counted *c = arg;
    rmd_rwlock *lock = c->book->lock;
    RMD_ASSERT((c->write ? rmd_rwlock_acquire_write(lock, RMD_FOREVER)
                         : rmd_rwlock_acquire_read(lock, RMD_FOREVER)) == 0);
    bool last = rmd_atomic_sub(&c->references, 1, RMD_ACQ_REL) == 1;
    RMD_ASSERT(rmd_rwlock_release(lock) == 0);
    if (!last)
        return;
    int err;
    while ((err = rmd_rwlock_free(lock)) == RMD_EBUSY) /* others are leaving */
        rmd_pause();
    RMD_ASSERT(err == 0);
}

HARNESS(rwlock_is_freed_by_the_last_user)
{
    book b;
    counted c = { .book = &b, .write = rmd_explore_choose(2) };
    crew crew = { 0 };
    open_book(&b);
    rmd_atomic_init(&c.references, 3);
    for (int i = 0; i < 3; i++)
        crew_add(&crew, drop, &c, "user");
    crew_join(&crew);
}

/* ---- freed by somebody who asks until it is not busy ---- */

static void free_when_idle(rmd_rwlock *lock)
{
    int err;
    while ((err = rmd_rwlock_free(lock)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0);
}

HARNESS(rwlock_is_busy_while_woken_readers_are_on_their_way)
{
    book b;
    crew crew = { 0 };
    open_book(&b);
    user users[2] = { { .book = &b, .reads = 1 }, { .book = &b, .reads = 1 } };
    RMD_ASSERT(rmd_rwlock_acquire_write(b.lock, RMD_FOREVER) == 0);
    for (int i = 0; i < 2; i++)
        crew_add(&crew, use, &users[i], "reader");
    until_waiting(&b.lock->lock.readers, 2);
    RMD_ASSERT(rmd_rwlock_release(b.lock) == 0);
    free_when_idle(b.lock);
    crew_join(&crew);
}

HARNESS(rwlock_who_frees_it_sees_what_the_last_holder_wrote)
{
    book b;
    crew crew = { 0 };
    open_book(&b);
    user u = { .book = &b, .writes = 1, .downgrades = rmd_explore_choose(2) };
    RMD_ASSERT(rmd_rwlock_acquire_write(b.lock, RMD_FOREVER) == 0);
    crew_add(&crew, use, &u, "writer");
    until_waiting(&b.lock->lock.writers, 1);
    RMD_ASSERT(rmd_rwlock_release(b.lock) == 0);
    free_when_idle(b.lock);
    RMD_ASSERT(RMD_PLAIN(b.entries) == 1);
    crew_join(&crew);
}
