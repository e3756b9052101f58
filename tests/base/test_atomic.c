/*
 * The atomic operations: each one's effect, and that publication and the full fence order what they
 * promise to order.
 */
#include "base/atomic.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdint.h>

Test(atomic, effects)
{
    bgi_atomic a = 5;
    cr_assert_eq(bgi_load(&a), 5);
    cr_assert_eq(bgi_load_acquire(&a), 5);
    bgi_store(&a, 6);
    cr_assert_eq(bgi_load(&a), 6);
    bgi_store_release(&a, 7);
    cr_assert_eq(bgi_load(&a), 7);
    cr_assert(bgi_cas(&a, 7, 8));
    cr_assert_not(bgi_cas(&a, 7, 9));
    cr_assert(bgi_cas_acquire(&a, 8, 9));
    cr_assert_not(bgi_cas_acquire(&a, 8, 10));
    cr_assert(bgi_cas_release(&a, 9, 10));
    cr_assert_not(bgi_cas_release(&a, 9, 11));
    cr_assert(bgi_cas_relaxed(&a, 10, 12));
    cr_assert_not(bgi_cas_relaxed(&a, 10, 13));
    bgi_store(&a, 10);
    cr_assert_eq(bgi_cas_fetch(&a, 10, 11), 10);
    cr_assert_eq(bgi_cas_fetch(&a, 10, 12), 11);
    cr_assert_eq(bgi_fetch_add(&a, 4), 11);
    cr_assert_eq(bgi_fetch_add_relaxed(&a, 5), 15);
    cr_assert_eq(bgi_fetch_sub(&a, 1), 20);
    bgi_count_owned(&a, 2);
    cr_assert_eq(bgi_load(&a), 21);
    bgi_fence_full();
    bgi_compiler_barrier();
    bgi_pause();
}

Test(atomic, pointers)
{
    int x;
    int y;
    bgi_atomic a = 0;
    cr_assert_null(bgi_load_ptr(&a));
    bgi_store_ptr(&a, &x);
    cr_assert_eq(bgi_load_acquire_ptr(&a), &x);
    cr_assert(bgi_cas_ptr(&a, &x, &y));
    cr_assert_not(bgi_cas_ptr(&a, &x, NULL));
    bgi_store_release_ptr(&a, &x);
    cr_assert_eq(bgi_load_ptr(&a), &x);
}

Test(atomic, order_of_indices_that_wrap)
{
    cr_assert(bgi_before(1, 2));
    cr_assert_not(bgi_before(2, 2));
    cr_assert_not(bgi_before(3, 2));
    cr_assert(bgi_before((bgi_word)-1, 0));
    cr_assert(bgi_before((bgi_word)INTPTR_MAX, (bgi_word)INTPTR_MAX + 1));
}

enum { ADDERS = 4, ADDS = 20000 };

static bgi_atomic sum;

static void *add(void *arg)
{
    (void)arg;
    for (int i = 0; i < ADDS; i++) {
        bgi_fetch_add(&sum, 1);
        bgi_fetch_add_relaxed(&sum, 2);
    }
    return NULL;
}

Test(atomic, additions_are_not_lost)
{
    bgi_thread threads[ADDERS];
    for (int i = 0; i < ADDERS; i++) {
        cr_assert_eq(bgi_thread_create(&threads[i], add, NULL), 0);
    }
    for (int i = 0; i < ADDERS; i++) {
        cr_assert_eq(bgi_thread_join(threads[i], NULL), 0);
    }
    cr_assert_eq(bgi_load(&sum), 3 * ADDERS * ADDS);
}

enum { ROUNDS = 5000 };

/* Two threads meet at `arrived`, then each stores to its word and loads the other's. */
static struct {
    bgi_atomic arrived BGI_ALIGNED(BGI_FALSE_SHARING_RANGE);
    bgi_atomic word[2][ROUNDS] BGI_ALIGNED(BGI_FALSE_SHARING_RANGE);
    int saw[2][ROUNDS];
    int payload;
    bgi_atomic published;
} duel;

static void *duellist(void *arg)
{
    int me = arg != NULL;
    for (int i = 0; i < ROUNDS; i++) {
        bgi_fetch_add(&duel.arrived, 1);
        while (bgi_load_acquire(&duel.arrived) < 2 * (bgi_word)(i + 1)) {
            sched_yield();
        }
        bgi_store(&duel.word[me][i], 1);
        bgi_fence_full();
        duel.saw[me][i] = bgi_load(&duel.word[!me][i]) != 0;
    }
    return NULL;
}

Test(atomic, the_full_fence_orders_a_store_before_a_load)
{
    bgi_thread threads[2];
    cr_assert_eq(bgi_thread_create(&threads[0], duellist, NULL), 0);
    cr_assert_eq(bgi_thread_create(&threads[1], duellist, &duel), 0);
    cr_assert_eq(bgi_thread_join(threads[0], NULL), 0);
    cr_assert_eq(bgi_thread_join(threads[1], NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        cr_assert(duel.saw[0][i] || duel.saw[1][i], "round %d: neither saw the other", i);
    }
}

static void *publish(void *arg)
{
    (void)arg;
    duel.payload = 42;
    bgi_store_release(&duel.published, 1);
    return NULL;
}

Test(atomic, release_publishes_to_acquire)
{
    bgi_thread thread;
    cr_assert_eq(bgi_thread_create(&thread, publish, NULL), 0);
    while (bgi_load_acquire(&duel.published) == 0) {
        sched_yield();
    }
    cr_assert_eq(duel.payload, 42);
    cr_assert_eq(bgi_thread_join(thread, NULL), 0);
}
