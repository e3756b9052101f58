/*
 * The injector: order, batches, its count, and many producers and consumers at once.
 */
#include "queue/injector.h"

#include "crew.h"

struct numbered {
    struct bgi_link link;
    size_t producer, number;
    bgi_atomic got;
};

static struct numbered *numbered_of(struct bgi_link *l)
{
    return BGI_CONTAINER_OF(l, struct numbered, link);
}

static void push(bgi_injector *q, struct numbered *n, size_t count)
{
    struct bgi_fifo chain;
    bgi_fifo_init(&chain);
    for (size_t i = 0; i < count; i++) {
        bgi_fifo_push(&chain, &n[i].link);
    }
    bgi_injector_push(q, &chain, count);
    cr_expect(bgi_fifo_empty(&chain));
}

Test(injector, first_in_first_out)
{
    struct numbered n[10];
    struct bgi_fifo chain;
    bgi_injector q;

    bgi_injector_init(&q);
    cr_assert_eq(bgi_injector_size(&q), 0);
    cr_assert_eq(bgi_injector_pop(&q, &chain, 4), 0);
    cr_assert(bgi_fifo_empty(&chain));

    push(&q, n, 1);
    push(&q, n + 1, 5);
    push(&q, n + 6, 4);
    cr_assert_eq(bgi_injector_size(&q), 10);
    size_t next = 0;
    static const size_t ask[] = {1, 4, 100}, give[] = {1, 4, 5};
    for (size_t i = 0; i < BGI_ARRAY_LEN(ask); i++) {
        cr_assert_eq(bgi_injector_pop(&q, &chain, ask[i]), give[i]);
        for (size_t k = 0; k < give[i]; k++) {
            cr_assert(numbered_of(bgi_fifo_pop(&chain)) == &n[next++]);
        }
        cr_assert_null(bgi_fifo_pop(&chain));
    }
    cr_assert_eq(bgi_injector_size(&q), 0);
    cr_assert_eq(bgi_injector_pop(&q, &chain, 1), 0);
}

Test(injector, can_be_emptied_and_filled_again)
{
    struct numbered n[4];
    struct bgi_fifo chain;
    bgi_injector q;
    bgi_injector_init(&q);
    for (size_t round = 0; round < 100; round++) {
        size_t count = 1 + round % 4;
        push(&q, n, count);
        cr_assert_eq(bgi_injector_pop(&q, &chain, 4), count);
        for (size_t i = 0; i < count; i++) {
            cr_assert(numbered_of(bgi_fifo_pop(&chain)) == &n[i]);
        }
        cr_assert_null(bgi_fifo_pop(&chain));
        cr_assert_eq(bgi_injector_size(&q), 0);
    }
}

Test(injector, none_is_asked_for_none_is_given)
{
    struct numbered n[2];
    struct bgi_fifo chain;
    bgi_injector q;
    bgi_injector_init(&q);
    push(&q, n, 2);
    cr_assert_eq(bgi_injector_pop(&q, &chain, 0), 0);
    cr_assert(bgi_fifo_empty(&chain));
    cr_assert_eq(bgi_injector_size(&q), 2);
}

enum { PRODUCERS = 4, CONSUMERS = 4, EACH = 10000 };

static struct {
    bgi_injector q;
    struct numbered n[PRODUCERS][EACH];
    bgi_atomic got, disorder;
} all;

static void produce(unsigned self)
{
    for (size_t i = 0; i < EACH;) {
        size_t count = 1 + i % 7;
        count = count <= EACH - i ? count : EACH - i;
        push(&all.q, &all.n[self][i], count);
        i += count;
        if (i % 64 < 7) {
            sched_yield();
        }
    }
}

static void consume(unsigned self)
{
    size_t last[PRODUCERS] = {0};
    while (bgi_load_acquire(&all.got) < PRODUCERS * EACH) {
        struct bgi_fifo chain;
        struct bgi_link *l;
        size_t n = bgi_injector_pop(&all.q, &chain, 1 + self * 5);
        if (n == 0) {
            sched_yield();
        }
        (void)bgi_fetch_add(&all.got, n);
        for (; (l = bgi_fifo_pop(&chain)) != NULL; n--) {
            struct numbered *i = numbered_of(l);
            (void)bgi_fetch_add_relaxed(&i->got, 1);
            if (i->number <= last[i->producer]) {
                (void)bgi_fetch_add_relaxed(&all.disorder, 1);
            }
            last[i->producer] = i->number;
        }
        if (n != 0) {
            (void)bgi_fetch_add_relaxed(&all.disorder, 1);
        }
    }
}

static void produce_or_consume(unsigned self, void *arg)
{
    (void)arg;
    if (self < PRODUCERS) {
        produce(self);
    } else {
        consume(self - PRODUCERS);
    }
}

Test(injector, each_item_once_and_in_order_from_many_to_many)
{
    bgi_injector_init(&all.q);
    for (size_t p = 0; p < PRODUCERS; p++) {
        for (size_t i = 0; i < EACH; i++) {
            all.n[p][i].producer = p;
            all.n[p][i].number = i + 1;
        }
    }
    crew_run(PRODUCERS + CONSUMERS, produce_or_consume, NULL);
    cr_assert_eq(bgi_load(&all.got), PRODUCERS * EACH);
    cr_assert_eq(bgi_load(&all.disorder), 0);
    cr_assert_eq(bgi_injector_size(&all.q), 0);
    for (size_t p = 0; p < PRODUCERS; p++) {
        for (size_t i = 0; i < EACH; i++) {
            cr_assert_eq(bgi_load(&all.n[p][i].got), 1);
        }
    }
}
