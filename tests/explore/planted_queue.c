/* SPDX-License-Identifier: MIT */
/* Planted bugs of lock-free containers: a deque without its fence, a stack that takes a node for
 * another one, a ring that wraps in the wrong place, a record read while it is written. */
#include "small_lock.h"

/* ---- Chase-Lev deque ---- */

/* Le, Pop, Cohen, Zappa Nardelli: Correct and efficient work-stealing for weak memory models,
 * PPoPP 2013, figure 1. Without the fence in take(), the owner may not see that a thief has
 * taken the last item while the thief does not see that the owner is about to. */
enum { DEQUE_SIZE = 4, ITEMS = 3 };

static struct {
    rmd_atomic(int) top, bottom;
    rmd_atomic(int) items[DEQUE_SIZE];
    rmd_atomic(int) taken[ITEMS + 1];
    bool broken;
} deque;

static void push(int item)
{
    int b = rmd_atomic_load(&deque.bottom, RMD_RELAXED);
    rmd_atomic_store(&deque.items[b % DEQUE_SIZE], item, RMD_RELAXED);
    rmd_fence(RMD_RELEASE);
    rmd_atomic_store(&deque.bottom, b + 1, RMD_RELAXED);
}

static int take(void)
{
    int b = rmd_atomic_load(&deque.bottom, RMD_RELAXED) - 1, item = 0;
    rmd_atomic_store(&deque.bottom, b, RMD_RELAXED);
    if (!deque.broken)
        rmd_fence(RMD_SEQ_CST);
    int t = rmd_atomic_load(&deque.top, RMD_RELAXED);
    if (t <= b)
        item = rmd_atomic_load(&deque.items[b % DEQUE_SIZE], RMD_RELAXED);
    if (t == b && !rmd_atomic_cas(&deque.top, &t, t + 1, RMD_SEQ_CST, RMD_RELAXED))
        item = 0;
    if (t >= b)
        rmd_atomic_store(&deque.bottom, b + 1, RMD_RELAXED);
    return item;
}

static int steal(void)
{
    int t = rmd_atomic_load(&deque.top, RMD_ACQUIRE);
    rmd_fence(RMD_SEQ_CST);
    int b = rmd_atomic_load(&deque.bottom, RMD_ACQUIRE);
    if (t >= b)
        return 0;
    int item = rmd_atomic_load(&deque.items[t % DEQUE_SIZE], RMD_RELAXED);
    return rmd_atomic_cas(&deque.top, &t, t + 1, RMD_SEQ_CST, RMD_RELAXED) ? item : 0;
}

static void note_taken(int item)
{
    if (item)
        rmd_atomic_add(&deque.taken[item], 1, RMD_RELAXED);
}

static void own(void *arg)
{
    (void)arg;
    push(1);
    push(2);
    note_taken(take());
    push(3);
    note_taken(take());
    note_taken(take());
}

static void steal_two(void *arg)
{
    (void)arg;
    note_taken(steal());
    note_taken(steal());
}

PLANTED(deque_take_without_fence, RMD_EXPLORE_ASSERTION)
{
    deque.broken = broken;
    rmd_atomic_init(&deque.top, 0);
    rmd_atomic_init(&deque.bottom, 0);
    for (int i = 0; i < DEQUE_SIZE; i++)
        rmd_atomic_init(&deque.items[i], 0);
    for (int i = 0; i <= ITEMS; i++)
        rmd_atomic_init(&deque.taken[i], 0);
    run_together((void (*const[])(void *)){ own, steal_two }, NULL, 2);
    while (rmd_atomic_load(&deque.bottom, RMD_RELAXED) > rmd_atomic_load(&deque.top, RMD_RELAXED))
        note_taken(take());
    for (int i = 1; i <= ITEMS; i++)
        RMD_ASSERT(rmd_atomic_load(&deque.taken[i], RMD_RELAXED) == 1);
}

/* ---- a stack whose nodes are used again ---- */

/* Treiber 1986. With nothing but the node's number in `head`, a pop that was held up finds the same
 * number there although the stack is another one (ABA), and makes a node the head that somebody
 * owns. The tag in the upper half counts pops. */
enum { NODES = 3, NODE_MASK = 0xffff };

static struct {
    rmd_atomic(uint32_t) head; /* tag << 16 | node; node 0: empty */
    rmd_atomic(uint32_t) next[NODES + 1];
    rmd_atomic(int) owned[NODES + 1];
    bool broken;
} stack;

static void push_node(uint32_t node)
{
    uint32_t head = rmd_atomic_load(&stack.head, RMD_RELAXED), wanted;
    do {
        rmd_atomic_store(&stack.next[node], head & NODE_MASK, RMD_RELAXED);
        wanted = (head & ~(uint32_t)NODE_MASK) | node;
    } while (!rmd_atomic_cas_weak(&stack.head, &head, wanted, RMD_RELEASE, RMD_RELAXED));
}

static uint32_t pop_node(void)
{
    uint32_t head = rmd_atomic_load(&stack.head, RMD_ACQUIRE), wanted;
    do {
        if ((head & NODE_MASK) == 0)
            return 0;
        uint32_t tag = stack.broken ? 0 : (head >> 16) + 1;
        wanted = tag << 16 | rmd_atomic_load(&stack.next[head & NODE_MASK], RMD_RELAXED);
    } while (!rmd_atomic_cas_weak(&stack.head, &head, wanted, RMD_ACQUIRE, RMD_ACQUIRE));
    RMD_ASSERT(rmd_atomic_exchange(&stack.owned[head & NODE_MASK], 1, RMD_RELAXED) == 0);
    return head & NODE_MASK;
}

static void give_back(uint32_t node)
{
    if (node == 0)
        return;
    rmd_atomic_store(&stack.owned[node], 0, RMD_RELAXED);
    push_node(node);
}

/* Held up in the first pop, it may make the head what the other one has kept. */
static void pop_and_pop(void *arg)
{
    (void)arg;
    pop_node();
    pop_node();
}

static void keep_the_second(void *arg)
{
    (void)arg;
    uint32_t first = pop_node();
    pop_node();
    give_back(first);
}

PLANTED(stack_aba, RMD_EXPLORE_ASSERTION)
{
    stack.broken = broken;
    rmd_atomic_init(&stack.head, 0);
    for (uint32_t i = 1; i <= NODES; i++) {
        rmd_atomic_init(&stack.next[i], 0);
        rmd_atomic_init(&stack.owned[i], 0);
        push_node(i);
    }
    run_together((void (*const[])(void *)){ pop_and_pop, keep_the_second }, NULL, 2);
}

/* ---- a ring whose positions wrap ---- */

/* One producer, one consumer; positions are numbers of three bits, so that they wrap soon. That is
 * right only when the size divides their range: else the slot after the wrap is not the next. */
enum { POSITION_MASK = 7, PASSED = 6 };

static struct {
    rmd_atomic(unsigned) head, tail;
    rmd_atomic(unsigned) slots[4];
    unsigned size;
} ring;

static void produce(void *arg)
{
    (void)arg;
    unsigned tail = rmd_atomic_load(&ring.tail, RMD_RELAXED);
    for (unsigned value = 1; value <= PASSED; value++) {
        while (((tail - rmd_atomic_load(&ring.head, RMD_ACQUIRE)) & POSITION_MASK) == ring.size)
            rmd_pause();
        rmd_atomic_store(&ring.slots[tail % ring.size], value, RMD_RELAXED);
        tail = (tail + 1) & POSITION_MASK;
        rmd_atomic_store(&ring.tail, tail, RMD_RELEASE);
    }
}

static void consume(void *arg)
{
    (void)arg;
    unsigned head = rmd_atomic_load(&ring.head, RMD_RELAXED);
    for (unsigned value = 1; value <= PASSED; value++) {
        while (rmd_atomic_load(&ring.tail, RMD_ACQUIRE) == head)
            rmd_pause();
        RMD_ASSERT(rmd_atomic_load(&ring.slots[head % ring.size], RMD_RELAXED) == value);
        head = (head + 1) & POSITION_MASK;
        rmd_atomic_store(&ring.head, head, RMD_RELEASE);
    }
}

PLANTED(ring_wraps_wrongly, RMD_EXPLORE_ASSERTION)
{
    ring.size = broken ? 3 : 4;
    rmd_atomic_init(&ring.head, 5);
    rmd_atomic_init(&ring.tail, 5);
    for (int i = 0; i < 4; i++)
        rmd_atomic_init(&ring.slots[i], 0);
    run_together((void (*const[])(void *)){ produce, consume }, NULL, 2);
}

/* ---- a record that is read without a lock ---- */

/* Boehm: Can seqlocks get along with programming language memory models?, MSPC 2012. Without the
 * fence, the number may be looked at again before the fields have been read. */
static struct {
    rmd_atomic(unsigned) number;
    rmd_atomic(int) left, right;
    bool broken;
} record;

static void write_record(void *arg)
{
    (void)arg;
    for (unsigned n = 0; n < 4; n += 2) {
        rmd_atomic_store(&record.number, n + 1, RMD_RELAXED);
        rmd_fence(RMD_RELEASE);
        rmd_atomic_store(&record.left, (int)n, RMD_RELAXED);
        rmd_atomic_store(&record.right, (int)n, RMD_RELAXED);
        rmd_atomic_store(&record.number, n + 2, RMD_RELEASE);
    }
}

static void read_record(void *arg)
{
    (void)arg;
    unsigned before = rmd_atomic_load(&record.number, RMD_ACQUIRE);
    int left = rmd_atomic_load(&record.left, RMD_RELAXED);
    int right = rmd_atomic_load(&record.right, RMD_RELAXED);
    if (!record.broken)
        rmd_fence(RMD_ACQUIRE);
    unsigned after = rmd_atomic_load(&record.number, RMD_RELAXED);
    RMD_ASSERT(before % 2 != 0 || before != after || left == right);
}

PLANTED(seqlock_without_fence, RMD_EXPLORE_ASSERTION)
{
    record.broken = broken;
    rmd_atomic_init(&record.number, 0);
    rmd_atomic_init(&record.left, 0);
    rmd_atomic_init(&record.right, 0);
    run_together((void (*const[])(void *)){ write_record, read_record }, NULL, 2);
}
