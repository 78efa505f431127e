/* SPDX-License-Identifier: MIT */
/* Tells the address sanitizer of every change of stack. Without it, nothing. */
#ifndef RMDI_EXPLORE_SANITIZER_H
#define RMDI_EXPLORE_SANITIZER_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

/* Before a switch. fake_stack NULL: the stack that is left will not be used again. stack NULL: to
 * the one that the first switch came from. */
void rmdi_sanitizer_leave(void **fake_stack, const void *stack, size_t bytes);
/* After a switch, on the new stack. */
void rmdi_sanitizer_arrive(void *fake_stack);
/* The stack is empty again, whatever was on it. */
void rmdi_sanitizer_forget(const void *stack, size_t bytes);

#endif
