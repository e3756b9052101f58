/*
 * Lists: every operation at both ends and in the middle, and that a splice keeps the order.
 */
#include "base/list.h"

#include <criterion/criterion.h>

struct item {
    int value;
    struct bgi_list link;
};

static struct item *item_of(struct bgi_list *l)
{
    return BGI_CONTAINER_OF(l, struct item, link);
}

/* The values as a number, first one first: 1, 2, 3 is 123. Checks the way back too. */
static int digits(struct bgi_list *head)
{
    int forward = 0;
    int backward = 0;
    int scale = 1;
    struct bgi_list *l;
    bgi_list_for_each (l, head) {
        forward = forward * 10 + item_of(l)->value;
    }
    for (l = head->prev; l != head; l = l->prev) {
        backward += item_of(l)->value * scale;
        scale *= 10;
    }
    return forward == backward ? forward : -1;
}

Test(list, starts_empty)
{
    struct bgi_list head;
    bgi_list_init(&head);
    cr_assert(bgi_list_empty(&head));
    cr_assert_null(bgi_list_pop_front(&head));
    cr_assert_eq(digits(&head), 0);
}

Test(list, pushes_at_both_ends_and_pops_in_order)
{
    struct bgi_list head;
    struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    bgi_list_init(&head);
    bgi_list_push_back(&head, &items[1].link);
    bgi_list_push_back(&head, &items[2].link);
    bgi_list_push_front(&head, &items[0].link);
    cr_assert_eq(digits(&head), 123);
    for (int i = 0; i < 3; i++) {
        struct bgi_list *l = bgi_list_pop_front(&head);
        cr_assert_eq(l, &items[i].link);
        cr_assert_not(bgi_list_linked(l));
    }
    cr_assert(bgi_list_empty(&head));
}

Test(list, removes_from_the_middle_and_twice)
{
    struct bgi_list head;
    struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    bgi_list_init(&head);
    for (int i = 0; i < 3; i++) {
        bgi_list_init(&items[i].link);
        cr_assert_not(bgi_list_linked(&items[i].link));
        bgi_list_push_back(&head, &items[i].link);
        cr_assert(bgi_list_linked(&items[i].link));
    }
    bgi_list_remove(&items[1].link);
    cr_assert_eq(digits(&head), 13);
    bgi_list_remove(&items[1].link);
    cr_assert_eq(digits(&head), 13);
    bgi_list_remove(&items[2].link);
    bgi_list_remove(&items[0].link);
    cr_assert(bgi_list_empty(&head));
}

Test(list, removal_while_walking)
{
    struct bgi_list head;
    struct item items[6];
    bgi_list_init(&head);
    for (int i = 0; i < 6; i++) {
        items[i].value = i + 1;
        bgi_list_push_back(&head, &items[i].link);
    }
    struct bgi_list *l;
    struct bgi_list *after;
    bgi_list_for_each_safe (l, after, &head) {
        if (item_of(l)->value % 2 == 0) {
            bgi_list_remove(l);
        }
    }
    cr_assert_eq(digits(&head), 135);
}

Test(list, splice_appends_and_empties)
{
    struct bgi_list a;
    struct bgi_list b;
    struct item items[4] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    bgi_list_init(&a);
    bgi_list_init(&b);
    bgi_list_splice_back(&a, &b);
    cr_assert(bgi_list_empty(&a));
    bgi_list_push_back(&b, &items[0].link);
    bgi_list_push_back(&b, &items[1].link);
    bgi_list_splice_back(&a, &b);
    cr_assert_eq(digits(&a), 12);
    cr_assert(bgi_list_empty(&b));
    bgi_list_push_back(&b, &items[2].link);
    bgi_list_push_back(&b, &items[3].link);
    bgi_list_splice_back(&a, &b);
    cr_assert_eq(digits(&a), 1234);
}

struct job {
    int value;
    struct bgi_link link;
};

static int pop_value(struct bgi_fifo *f)
{
    struct bgi_link *l = bgi_fifo_pop(f);
    return l == NULL ? 0 : BGI_CONTAINER_OF(l, struct job, link)->value;
}

Test(fifo, keeps_order_and_can_be_refilled)
{
    struct bgi_fifo f;
    struct job jobs[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    bgi_fifo_init(&f);
    for (int round = 0; round < 2; round++) {
        cr_assert(bgi_fifo_empty(&f));
        cr_assert_eq(pop_value(&f), 0);
        bgi_fifo_push(&f, &jobs[1].link);
        bgi_fifo_push_front(&f, &jobs[0].link);
        bgi_fifo_push(&f, &jobs[2].link);
        cr_assert_not(bgi_fifo_empty(&f));
        for (int want = 1; want <= 3; want++) {
            cr_assert_eq(pop_value(&f), want);
        }
    }
}

Test(fifo, push_front_of_an_empty_one_sets_the_tail)
{
    struct bgi_fifo f = {0};
    struct job jobs[2] = {{.value = 1}, {.value = 2}};
    bgi_fifo_push_front(&f, &jobs[0].link);
    bgi_fifo_push(&f, &jobs[1].link);
    cr_assert_eq(pop_value(&f), 1);
    cr_assert_eq(pop_value(&f), 2);
}

Test(fifo, splice)
{
    struct bgi_fifo a = {0};
    struct bgi_fifo b = {0};
    struct job jobs[4] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    bgi_fifo_splice(&a, &b);
    cr_assert(bgi_fifo_empty(&a));
    bgi_fifo_push(&b, &jobs[0].link);
    bgi_fifo_splice(&a, &b);
    cr_assert(bgi_fifo_empty(&b));
    bgi_fifo_push(&b, &jobs[1].link);
    bgi_fifo_push(&b, &jobs[2].link);
    bgi_fifo_splice(&a, &b);
    bgi_fifo_push(&a, &jobs[3].link);
    for (int want = 1; want <= 4; want++) {
        cr_assert_eq(pop_value(&a), want);
    }
}
