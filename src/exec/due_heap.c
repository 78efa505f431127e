/* SPDX-License-Identifier: MIT */
/* A pairing heap: a tree in which each is at least as late as its parent. Two trees become one by
 * making the later root the first child of the other. What loses its root is a row of trees, which
 * are joined in pairs, and the pairs then from the last to the first; never recursively.
 *
 * Source: M. Fredman, R. Sedgewick, D. Sleator, R. Tarjan, The Pairing Heap, Algorithmica 1986. */
#include "exec/due_heap.h"

#include <stddef.h>

/* Two roots, of which neither is NULL. `a` stays on top of its equals. */
static rmdi_due_link *join(rmdi_due_link *a, rmdi_due_link *b)
{
    if (b->due_ns < a->due_ns) {
        rmdi_due_link *later = a;
        a = b;
        b = later;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* Of a row of siblings: one root, without siblings; NULL of NULL. */
static rmdi_due_link *join_row(rmdi_due_link *first)
{
    rmdi_due_link *pairs = NULL, *root = NULL;
    while (first) {
        rmdi_due_link *a = first, *b = a->next;
        first = b ? b->next : NULL;
        rmdi_due_link *pair = b ? join(a, b) : a;
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        rmdi_due_link *pair = pairs;
        pairs = pair->next;
        root = root ? join(root, pair) : pair;
    }
    if (root)
        root->next = root->prev = NULL;
    return root;
}

void rmdi_due_heap_add(rmdi_due_link **top, rmdi_due_link *due)
{
    due->child = due->next = due->prev = NULL;
    *top = *top ? join(*top, due) : due;
}

void rmdi_due_heap_remove(rmdi_due_link **top, rmdi_due_link *due)
{
    rmdi_due_link *children = join_row(due->child);
    if (due == *top) {
        *top = children;
        return;
    }
    if (due->prev->child == due)
        due->prev->child = due->next;
    else
        due->prev->next = due->next;
    if (due->next)
        due->next->prev = due->prev;
    if (children)
        *top = join(*top, children);
}
