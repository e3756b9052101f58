/*
 * Two threads at the same word of a queue, the second always between the first one's look and its
 * claim: who is too late notices, takes nothing twice and loses nothing.
 */
#include "queue/deque.h"
#include "queue/eventcount.h"
#include "queue/runq.h"

#include "arch/futex.h"
#include "trap.h"

#include <errno.h>

enum { CAPACITY = BGI_RUNQ_CAPACITY, HALF = CAPACITY / 2 };

static struct bgi_link item[3 * CAPACITY];
static struct bgi_link *taken; /* by the second thread */
static bgi_runq other;

static long which(const struct bgi_link *l)
{
    return l == NULL ? -1 : (long)(l - item);
}

Test(meetings, the_tools_are_there)
{
    char *p = trap_place(100, 64);
    cr_assert_eq((uintptr_t)(p + 64) % trap_page_size(), 0);
    cr_assert_eq(p[0] | p[99], 0);
    cr_assert_not(trap_sprung());
}

/* ---- the deque ---- */

static bgi_deque *new_deque(size_t items)
{
    bgi_deque *d = trap_place(sizeof *d, offsetof(bgi_deque, top));
    cr_assert_eq(bgi_deque_init(d, 64), 0);
    for (size_t i = 0; i < items; i++) {
        cr_assert_eq(bgi_deque_push(d, &item[i]), 0);
    }
    return d;
}

static void second_thief(void *deque)
{
    void *got = NULL;
    taken = bgi_deque_steal(deque, &got) == 1 ? got : NULL;
}

Test(meetings, a_thief_is_overtaken_by_another)
{
    TRAP_OR_SKIP();
    bgi_deque *d = new_deque(2);
    void *got = NULL;
    trap_setup();
    trap_set(&d->top, TRAP_WRITE, second_thief, d);
    cr_assert_eq(bgi_deque_steal(d, &got), -EAGAIN);
    cr_assert(trap_sprung());
    cr_assert_null(got, "nothing is given out with -EAGAIN");
    cr_assert_eq(which(taken), 0);
    cr_assert_eq(bgi_deque_steal(d, &got), 1);
    cr_assert_eq(which(got), 1);
    cr_assert_eq(bgi_deque_steal(d, &got), 0);
    bgi_deque_destroy(d);
}

static void owner_takes(void *deque)
{
    taken = bgi_deque_take(deque);
}

Test(meetings, a_thief_is_overtaken_by_the_owner_at_the_last_item)
{
    TRAP_OR_SKIP();
    bgi_deque *d = new_deque(1);
    void *got = NULL;
    trap_setup();
    trap_set(&d->top, TRAP_WRITE, owner_takes, d);
    cr_assert_eq(bgi_deque_steal(d, &got), -EAGAIN);
    cr_assert(trap_sprung());
    cr_assert_eq(which(taken), 0);
    cr_assert_eq(bgi_deque_size(d), 0);
    cr_assert_null(bgi_deque_take(d));
    bgi_deque_destroy(d);
}

/* One that had looked at bottom before the owner lowered it. */
static void thief_claims(void *deque)
{
    bgi_deque *d = deque;
    bgi_word t = bgi_load(&d->top);
    cr_expect(bgi_cas(&d->top, t, t + 1));
}

Test(meetings, the_owner_is_overtaken_at_the_last_item)
{
    TRAP_OR_SKIP();
    bgi_deque *d = new_deque(1);
    trap_setup();
    trap_set(&d->top, TRAP_WRITE, thief_claims, d);
    cr_assert_null(bgi_deque_take(d), "the thief has it");
    cr_assert(trap_sprung());
    cr_assert_eq(bgi_deque_size(d), 0);
    cr_assert_eq(bgi_deque_push(d, &item[7]), 0);
    cr_assert_eq(bgi_deque_size(d), 1);
    cr_assert_eq(which(bgi_deque_take(d)), 7);
    bgi_deque_destroy(d);
}

/* ---- the run queue ---- */

static bgi_runq *new_runq(long items)
{
    bgi_runq *q = trap_place(sizeof *q, offsetof(bgi_runq, head));
    struct bgi_fifo chain;
    bgi_runq_init(q);
    bgi_runq_init(&other);
    for (long i = 0; i < items; i++) {
        cr_assert_eq(bgi_runq_push(q, &item[i], &chain), 0);
    }
    return q;
}

static void thief_takes_half(void *queue)
{
    taken = bgi_runq_steal(queue, &other);
}

static void owner_pops(void *queue)
{
    taken = bgi_runq_pop_ring(queue);
}

Test(meetings, a_pop_finds_half_of_the_ring_gone)
{
    TRAP_OR_SKIP();
    bgi_runq *q = new_runq(4);
    trap_setup();
    trap_set(&q->head, TRAP_WRITE, thief_takes_half, q);
    cr_assert_eq(which(bgi_runq_pop(q)), 2);
    cr_assert(trap_sprung());
    cr_assert_eq(which(taken), 0);
    cr_assert_eq(which(bgi_runq_pop(&other)), 1);
    cr_assert_eq(which(bgi_runq_pop(q)), 3);
    cr_assert_null(bgi_runq_pop(q));
}

Test(meetings, a_pop_finds_the_last_one_gone)
{
    TRAP_OR_SKIP();
    bgi_runq *q = new_runq(1);
    trap_setup();
    trap_set(&q->head, TRAP_WRITE, thief_takes_half, q);
    cr_assert_null(bgi_runq_pop(q));
    cr_assert(trap_sprung());
    cr_assert_eq(which(taken), 0);
    cr_assert(bgi_runq_empty(q));
}

Test(meetings, an_overflow_finds_that_a_thief_has_made_room)
{
    TRAP_OR_SKIP();
    bgi_runq *q = new_runq(CAPACITY);
    struct bgi_fifo chain;
    trap_setup();
    trap_set(&q->head, TRAP_WRITE, thief_takes_half, q);
    cr_assert_eq(bgi_runq_push(q, &item[CAPACITY], &chain), 0, "it fits after all");
    cr_assert(trap_sprung());
    cr_assert_eq(which(taken), 0);
    cr_assert_eq(bgi_runq_size(q), HALF + 1);
    for (long i = HALF; i <= CAPACITY; i++) {
        cr_assert_eq(which(bgi_runq_pop(q)), i);
    }
    cr_assert_eq(bgi_runq_size(&other), HALF - 1);
}

Test(meetings, a_thief_finds_the_oldest_gone)
{
    TRAP_OR_SKIP();
    bgi_runq *q = new_runq(3);
    trap_setup();
    trap_set(&q->head, TRAP_WRITE, owner_pops, q);
    cr_assert_eq(which(bgi_runq_steal(q, &other)), 1, "it starts again");
    cr_assert(trap_sprung());
    cr_assert_eq(which(taken), 0);
    cr_assert_eq(bgi_runq_size(&other), 0);
    cr_assert_eq(which(bgi_runq_pop(q)), 2);
}

Test(meetings, a_thief_finds_everything_gone)
{
    TRAP_OR_SKIP();
    bgi_runq *q = new_runq(1);
    trap_setup();
    trap_set(&q->head, TRAP_WRITE, owner_pops, q);
    cr_assert_null(bgi_runq_steal(q, &other));
    cr_assert(trap_sprung());
    cr_assert_eq(which(taken), 0);
    cr_assert_eq(bgi_runq_size(&other), 0);
}

static void the_ring_goes_round(void *queue)
{
    struct bgi_fifo chain;
    for (long i = 0; i < CAPACITY; i++) {
        cr_expect_eq(which(bgi_runq_pop_ring(queue)), i);
    }
    for (long i = 0; i < CAPACITY; i++) {
        cr_expect_eq(bgi_runq_push(queue, &item[CAPACITY + i], &chain), 0);
    }
}

Test(meetings, a_thief_saw_head_and_tail_of_different_moments)
{
    TRAP_OR_SKIP();
    bgi_runq *q = new_runq(CAPACITY);
    trap_setup();
    trap_set(&q->tail, TRAP_ACCESS, the_ring_goes_round, q); /* it has seen head, but not tail */
    cr_assert_eq(which(bgi_runq_steal(q, &other)), CAPACITY);
    cr_assert(trap_sprung());
    cr_assert_eq(bgi_runq_size(q), HALF);
    cr_assert_eq(bgi_runq_size(&other), HALF - 1);
    for (long i = CAPACITY + 1; i < CAPACITY + HALF; i++) {
        cr_assert_eq(which(bgi_runq_pop(&other)), i);
    }
}

static void thief_takes_next(void *queue)
{
    taken = bgi_runq_steal_next(queue);
}

Test(meetings, a_pop_finds_the_next_slot_stolen)
{
    TRAP_OR_SKIP();
    bgi_runq *q = new_runq(1);
    cr_assert_null(bgi_runq_put_next(q, &item[9]));
    trap_setup();
    trap_set(&q->next, TRAP_WRITE, thief_takes_next, q);
    cr_assert_eq(which(bgi_runq_pop(q)), 0, "the ring's comes instead");
    cr_assert(trap_sprung());
    cr_assert_eq(which(taken), 9);
    cr_assert(bgi_runq_empty(q));
}

Test(meetings, a_put_displaces_nothing_when_the_next_slot_was_just_stolen)
{
    TRAP_OR_SKIP();
    bgi_runq *q = new_runq(0);
    cr_assert_null(bgi_runq_put_next(q, &item[9]));
    trap_setup();
    trap_set(&q->next, TRAP_WRITE, thief_takes_next, q);
    cr_assert_null(bgi_runq_put_next(q, &item[8]));
    cr_assert(trap_sprung());
    cr_assert_eq(which(taken), 9);
    cr_assert_eq(which(bgi_runq_pop(q)), 8);
}

static void owner_puts_another(void *queue)
{
    taken = bgi_runq_put_next(queue, &item[8]);
}

Test(meetings, a_thief_finds_another_item_in_the_next_slot)
{
    TRAP_OR_SKIP();
    bgi_runq *q = new_runq(0);
    cr_assert_null(bgi_runq_put_next(q, &item[9]));
    trap_setup();
    trap_set(&q->next, TRAP_WRITE, owner_puts_another, q);
    cr_assert_null(bgi_runq_steal_next(q));
    cr_assert(trap_sprung());
    cr_assert_eq(which(taken), 9);
    cr_assert_eq(which(bgi_runq_steal_next(q)), 8);
}

/* ---- the eventcount ---- */

static unsigned waits;

static int wait_in_vain(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    (void)w;
    (void)expected;
    (void)deadline;
    waits++;
    return -ETIMEDOUT;
}

static int wake_nobody(void *ctx, bgi_atomic *w, int n)
{
    (void)ctx;
    (void)w;
    return n - n;
}

static void kicks_too(void *node)
{
    bgi_ec_kick(node);
}

Test(meetings, two_kicks_at_once_are_one)
{
    static const struct bgi_futex_ops ops = {wait_in_vain, wake_nobody, NULL};
    TRAP_OR_SKIP();
    bgi_ec_node *node = trap_place(sizeof *node, 0);
    bgi_ec_node_init(node);
    bgi_futex_set_ops(&ops);
    trap_setup();
    trap_set(&node->word, TRAP_WRITE, kicks_too, node);
    bgi_ec_kick(node);
    cr_assert(trap_sprung());
    bgi_ec_wait(node, 1);
    cr_assert_eq(waits, 0, "the wait was ended before it began");
    bgi_ec_wait(node, 1);
    cr_assert_eq(waits, 1, "and only that one");
    bgi_futex_set_ops(NULL);
}
