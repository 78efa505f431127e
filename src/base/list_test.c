/* SPDX-License-Identifier: MIT */
#include "base/list.h"

#include "kit.h"

typedef struct item {
    int number;
    rmdi_link link;
} item;

static item items[4] = { { .number = 0 }, { .number = 1 }, { .number = 2 }, { .number = 3 } };

/* The numbers in the list as digits, read both ways. */
static const char *show(rmdi_link *head)
{
    static char text[16];
    int used = 0;
    for (rmdi_link *l = head->next; l != head; l = l->next)
        used += sprintf(text + used, "%d", RMDI_CONTAINER(l, item, link)->number);
    text[used++] = ' ';
    for (rmdi_link *l = head->prev; l != head; l = l->prev)
        used += sprintf(text + used, "%d", RMDI_CONTAINER(l, item, link)->number);
    text[used] = 0;
    return text;
}

TEST(a_list_keeps_its_order_from_both_ends)
{
    rmdi_link head;
    rmdi_list_init(&head);
    CHECK(rmdi_list_empty(&head));
    CHECK(rmdi_list_take_first(&head) == NULL);
    rmdi_list_append(&head, &items[1].link);
    rmdi_list_append(&head, &items[2].link);
    rmdi_list_prepend(&head, &items[0].link);
    CHECK_STR(show(&head), "012 210");
    CHECK(!rmdi_list_empty(&head));
    CHECK(rmdi_list_take_first(&head) == &items[0].link);
    CHECK_STR(show(&head), "12 21");
}

TEST(an_element_leaves_from_anywhere_and_may_be_removed_twice)
{
    rmdi_link head;
    rmdi_list_init(&head);
    for (int i = 0; i < 4; i++)
        rmdi_list_append(&head, &items[i].link);
    for (int i = 0; i < 2; i++) {
        rmdi_list_remove(&items[2].link);
        CHECK_STR(show(&head), "013 310");
    }
    rmdi_list_remove(&items[0].link);
    rmdi_list_remove(&items[3].link);
    CHECK_STR(show(&head), "1 1");
    rmdi_list_remove(&items[1].link);
    CHECK(rmdi_list_empty(&head));
}

TEST(a_list_moves_to_the_end_of_another)
{
    rmdi_link from, to;
    rmdi_list_init(&from);
    rmdi_list_init(&to);
    rmdi_list_move_all(&from, &to);
    CHECK(rmdi_list_empty(&to));
    rmdi_list_append(&to, &items[0].link);
    for (int i = 1; i < 4; i++)
        rmdi_list_append(&from, &items[i].link);
    rmdi_list_move_all(&from, &to);
    CHECK(rmdi_list_empty(&from));
    CHECK_STR(show(&to), "0123 3210");
}
