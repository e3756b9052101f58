/*
 * The walkers of the queues: what is sound passes, every way of being broken is named.
 */
#include "queue/check.h"

#include "dies.h"

#include <stdio.h>

static bgi_deque deque;
static bgi_runq runq;
static bgi_injector injector;
static bgi_eventcount ec;
static bgi_ec_node node[2];
static struct bgi_link item[BGI_RUNQ_CAPACITY + 2];

static void check_deque(void *arg)
{
    (void)arg;
    bgi_deque_check(&deque);
}

static void check_runq(void *arg)
{
    (void)arg;
    bgi_runq_check(&runq);
}

static void check_injector(void *arg)
{
    (void)arg;
    bgi_injector_check(&injector);
}

static void check_ec(void *arg)
{
    (void)arg;
    bgi_ec_check(&ec);
}

Test(check, what_is_sound_passes)
{
    struct bgi_fifo chain;
    void *found;

    cr_assert_eq(bgi_deque_init(&deque, 4), 0);
    for (int i = 0; i < 40; i++) {
        check_deque(NULL);
        cr_assert_eq(bgi_deque_push(&deque, &item[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(bgi_deque_steal(&deque, &found), 1);
        check_deque(NULL);
        cr_assert_not_null(bgi_deque_take(&deque));
        check_deque(NULL);
    }
    cr_assert_null(bgi_deque_take(&deque));
    check_deque(NULL);
    bgi_deque_destroy(&deque);

    bgi_runq_init(&runq);
    for (size_t i = 0; i < BGI_ARRAY_LEN(item); i++) {
        check_runq(NULL);
        (void)bgi_runq_push(&runq, &item[i], &chain);
    }
    (void)bgi_runq_put_next(&runq, &item[0]);
    for (size_t i = 0; i < BGI_ARRAY_LEN(item); i++) {
        (void)bgi_runq_put_next(&runq, &item[0]);
        check_runq(NULL);
        (void)bgi_runq_pop(&runq);
    }
    check_runq(NULL);

    bgi_injector_init(&injector);
    check_injector(NULL);
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &item[0]);
    bgi_fifo_push(&chain, &item[1]);
    bgi_injector_push(&injector, &chain, 2);
    check_injector(NULL);
    cr_assert_eq(bgi_injector_pop(&injector, &chain, 5), 2);
    check_injector(NULL);

    bgi_ec_init(&ec);
    for (int i = 0; i < 2; i++) {
        bgi_ec_node_init(&node[i]);
        bgi_ec_prepare(&ec, &node[i]);
        check_ec(NULL);
    }
    (void)bgi_ec_notify(&ec);
    check_ec(NULL);
    (void)bgi_ec_cancel(&ec, &node[0]);
    check_ec(NULL);
    cr_assert_eq(bgi_ec_waiting(&ec), 0);
}

#if BGI_DEBUG

/* Three items in a ring of four. */
static void make_deque(void)
{
    cr_assert_eq(bgi_deque_init(&deque, 4), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(bgi_deque_push(&deque, &item[i]), 0);
    }
}

Test(check, a_broken_deque_is_found)
{
    make_deque();
    bgi_store(&deque.top, 5);
    DIES(check_deque, NULL, "brigade: deque: I1: top is 2 above bottom");
    bgi_store(&deque.top, (bgi_word)-2);
    DIES(check_deque, NULL, "deque: I2: bottom - top = 5 > 4");
    bgi_store(&deque.top, 1);
    struct bgi_deque_ring *r = bgi_load_ptr(&deque.ring);
    bgi_store(&r->slots[2], 0);
    DIES(check_deque, NULL, "deque: I2: index 2 holds no item");
    bgi_store(&r->slots[2], (bgi_word)&item[2]);
    r->mask = 4;
    DIES(check_deque, NULL, "deque: a ring of 5 slots is no power of two");
    r->mask = 3;
    struct bgi_deque_ring older = {.mask = 3};
    r->older = &older;
    DIES(check_deque, NULL, "deque: a ring of 4 slots has outgrown one of 4");
    r->older = NULL;
    check_deque(NULL);
    bgi_store(&deque.ring, 0);
    DIES(check_deque, NULL, "deque: there is no ring");
    bgi_store_ptr(&deque.ring, r);
    bgi_deque_destroy(&deque);
}

Test(check, a_broken_run_queue_is_found)
{
    struct bgi_fifo chain;
    char words[64];

    bgi_runq_init(&runq);
    for (int i = 0; i < 2; i++) {
        (void)bgi_runq_push(&runq, &item[i], &chain);
    }
    bgi_store(&runq.head, 3);
    DIES(check_runq, NULL, "brigade: run queue: R1: head is 1 above tail");
    bgi_store(&runq.head, 0);
    bgi_store(&runq.tail, BGI_RUNQ_CAPACITY + 44);
    (void)snprintf(words, sizeof words, "run queue: R2: tail - head = %d > %d",
                   BGI_RUNQ_CAPACITY + 44, BGI_RUNQ_CAPACITY);
    DIES(check_runq, NULL, words);
    bgi_store(&runq.tail, 2);
    bgi_store(&runq.slots[1], 0);
    DIES(check_runq, NULL, "run queue: R2: index 1 holds no item");
    bgi_store_ptr(&runq.slots[1], &item[1]);
    runq.jumps = BGI_RUNQ_JUMPS + 1;
    DIES(check_runq, NULL, "run queue: 9 jumps in a row > 8");
    runq.jumps = 0;
    check_runq(NULL);
}

Test(check, a_broken_injector_is_found)
{
    struct bgi_fifo chain;
    bgi_injector_init(&injector);
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &item[0]);
    bgi_fifo_push(&chain, &item[1]);
    bgi_injector_push(&injector, &chain, 3); /* miscounted */
    DIES(check_injector, NULL, "brigade: injector: count is 3, the list has 2");
    bgi_store(&injector.count, 1);
    DIES(check_injector, NULL, "injector: count is 1, the list has at least 2");
    bgi_store(&injector.count, 2);
    injector.items.tail = &item[0];
    DIES(check_injector, NULL, "injector: the tail is not the last link");
}

Test(check, a_broken_eventcount_is_found)
{
    bgi_ec_init(&ec);
    for (int i = 0; i < 2; i++) {
        bgi_ec_node_init(&node[i]);
        bgi_ec_prepare(&ec, &node[i]);
    }
    bgi_store(&ec.waiting, 1);
    DIES(check_ec, NULL, "brigade: eventcount: waiting is 1, the list has 2");
    bgi_store(&ec.waiting, 2);
    bgi_store(&node[1].word, 3);
    DIES(check_ec, NULL, "eventcount: a node's word is 3");
    bgi_store(&node[1].word, 0);
    bgi_list_init(&node[0].link);
    DIES(check_ec, NULL, "eventcount: list: link 1 and the next one disagree");
}

#endif
