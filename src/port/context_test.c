/* SPDX-License-Identifier: MIT */
#include "port/context.h"

#include "kit.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

enum { STACK_BYTES = 65536, ROUNDS = 1000 };

static _Alignas(16) char stacks[2][STACK_BYTES];
static rmdi_context home, other[2];
static int log_[4 * ROUNDS], logged;

/* Values that live across a switch, in registers where there are enough. */
static void take_turns(void *arg)
{
    int self = *(int *)arg, sum = 0;
    double halves = 0;
    for (int i = 0; i < ROUNDS; i++) {
        log_[logged++] = self;
        sum += i;
        halves += 0.5;
        rmdi_context_switch(&other[self], &other[!self]);
    }
    CHECK_EQ(sum, ROUNDS * (ROUNDS - 1) / 2);
    CHECK(halves == ROUNDS / 2);
    CHECK(((unsigned long)__builtin_frame_address(0) & 15) == 0);
    rmdi_context_switch(&other[self], &home);
}

TEST(two_computations_take_turns_and_keep_their_values)
{
#if defined(__SANITIZE_THREAD__)
    SKIP("the thread sanitizer keeps a stack of its own that does not follow the switch");
#endif
    int names[] = { 0, 1 };
    for (int i = 0; i < 2; i++)
        rmdi_context_make(&other[i], stacks[i], STACK_BYTES, take_turns, &names[i]);
    rmdi_context_switch(&home, &other[0]);
    CHECK_EQ(logged, 2 * ROUNDS);
    for (int i = 0; i < logged; i++)
        CHECK_EQ(log_[i], i % 2);
}
