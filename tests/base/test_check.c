/*
 * The walkers of lists: sound lists pass, every way of being broken is named.
 */
#include "base/check.h"

#include "dies.h"

#include <stdint.h>

#if BGI_DEBUG

static struct bgi_list head, ring[3];

static void three(void)
{
    bgi_list_init(&head);
    for (int i = 0; i < 3; i++) {
        bgi_list_push_back(&head, &ring[i]);
    }
}

static void walk(void *arg)
{
    (void)arg;
    (void)bgi_list_check(&head, "ring");
}

Test(check, a_sound_list_gives_its_length)
{
    bgi_list_init(&head);
    cr_assert_eq(bgi_list_check(&head, "ring"), 0);
    three();
    cr_assert_eq(bgi_list_check(&head, "ring"), 3);
}

Test(check, a_broken_list_is_found)
{
    three();
    ring[1].next = NULL;
    DIES(walk, NULL, "brigade: ring: list: link 2 has a NULL");
    three();
    head.prev = NULL;
    DIES(walk, NULL, "ring: list: link 0 has a NULL");
    three();
    ring[2].prev = &ring[0]; /* one was taken out at one end only */
    DIES(walk, NULL, "ring: list: link 2 and the next one disagree");
    three();
    ring[2].next = &ring[0]; /* a circle without the head */
    DIES(walk, NULL, "ring: list: link 3 and the next one disagree");
}

static struct bgi_fifo fifo;
static struct bgi_link item[3];

static void fill(void)
{
    bgi_fifo_init(&fifo);
    for (int i = 0; i < 3; i++) {
        bgi_fifo_push(&fifo, &item[i]);
    }
}

static void walk_fifo(void *n)
{
    bgi_fifo_check(&fifo, (size_t)(uintptr_t)n, "row");
}

Test(check, a_broken_fifo_is_found)
{
    bgi_fifo_init(&fifo);
    bgi_fifo_check(&fifo, 0, "row");
    fill();
    bgi_fifo_check(&fifo, 3, "row");
    DIES(walk_fifo, (void *)4, "brigade: row: count is 4, the list has 3");
    DIES(walk_fifo, (void *)2, "row: count is 2, the list has at least 3");
    fill();
    item[2].next = &item[0]; /* a circle */
    DIES(walk_fifo, (void *)3, "row: count is 3, the list has at least 4");
    fill();
    fifo.tail = &item[1];
    DIES(walk_fifo, (void *)3, "row: the tail is not the last link");
}

#else

Test(check, other_builds_have_no_walkers)
{
    cr_assert_eq(BGI_DEBUG, 0);
}

#endif
