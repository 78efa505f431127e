/* SPDX-License-Identifier: MIT */
/* By hand for the processors we know: six registers on x86-64 cost 3 ns where swapcontext, which
 * sets the signal mask by a system call, costs 180. */
#include "port/context.h"

#include <stdint.h>

/* Pushes the callee-saved registers, exchanges the stacks, pops. */
void rmdi_context_swap(void **from, void *to);
/* Where a new stack begins: calls the function in one saved register with another as argument. */
void rmdi_context_begin(void);

#if defined(__x86_64__)

__asm__(".text\n"
        ".p2align 4\n"
        ".globl rmdi_context_swap\n"
        ".hidden rmdi_context_swap\n"
        ".type rmdi_context_swap, @function\n"
        "rmdi_context_swap:\n"
        "    endbr64\n"
        "    push %rbp\n"
        "    push %rbx\n"
        "    push %r12\n"
        "    push %r13\n"
        "    push %r14\n"
        "    push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov %rsi, %rsp\n"
        "    pop %r15\n"
        "    pop %r14\n"
        "    pop %r13\n"
        "    pop %r12\n"
        "    pop %rbx\n"
        "    pop %rbp\n"
        "    ret\n"
        ".size rmdi_context_swap, . - rmdi_context_swap\n"
        ".globl rmdi_context_begin\n"
        ".hidden rmdi_context_begin\n"
        ".type rmdi_context_begin, @function\n"
        "rmdi_context_begin:\n"
        "    .cfi_startproc\n"
        "    .cfi_undefined rip\n" /* the end of a debugger's way down */
        "    endbr64\n"
        "    mov %r13, %rdi\n"
        "    call *%r12\n"
        "    ud2\n"
        "    .cfi_endproc\n"
        ".size rmdi_context_begin, . - rmdi_context_begin\n");

/* From below: r15 r14 r13 r12 rbx rbp, where to return to, and two words to keep the stack aligned
 * at the call. */
enum { SAVED = 9, AT_FN = 3, AT_ARG = 2, AT_RETURN = 6 };

#elif defined(__aarch64__)

__asm__(".text\n"
        ".p2align 4\n"
        ".globl rmdi_context_swap\n"
        ".hidden rmdi_context_swap\n"
        ".type rmdi_context_swap, %function\n"
        "rmdi_context_swap:\n"
        "    hint #34\n" /* bti c */
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size rmdi_context_swap, . - rmdi_context_swap\n"
        ".globl rmdi_context_begin\n"
        ".hidden rmdi_context_begin\n"
        ".type rmdi_context_begin, %function\n"
        "rmdi_context_begin:\n"
        "    .cfi_startproc\n"
        "    .cfi_undefined x30\n"
        "    hint #36\n" /* bti j */
        "    mov x0, x20\n"
        "    blr x19\n"
        "    brk #0\n"
        "    .cfi_endproc\n"
        ".size rmdi_context_begin, . - rmdi_context_begin\n");

enum { SAVED = 20, AT_FN = 0, AT_ARG = 1, AT_RETURN = 11 };

#else
#error "a context switch for this processor is missing"
#endif

void rmdi_context_make(rmdi_context *context, void *stack, size_t bytes, void (*fn)(void *arg),
                       void *arg)
{
    uintptr_t *saved = (uintptr_t *)((char *)stack + bytes) - SAVED;
    for (int i = 0; i < SAVED; i++)
        saved[i] = 0;
    saved[AT_FN] = (uintptr_t)fn;
    saved[AT_ARG] = (uintptr_t)arg;
    saved[AT_RETURN] = (uintptr_t)rmdi_context_begin;
    context->stack_pointer = saved;
}

void rmdi_context_switch(rmdi_context *from, const rmdi_context *to)
{
    rmdi_context_swap(&from->stack_pointer, to->stack_pointer);
}
