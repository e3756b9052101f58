/*
 * Lock ranks: rising order passes, any other panics, and release works in any order.
 */
#include "base/rank.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <signal.h>

Test(rank, rising_order_is_allowed)
{
    bgi_rank_acquire(1, "first");
    bgi_rank_acquire(2, "second");
    bgi_rank_acquire(9, "third");
    cr_assert_eq(bgi_rank_held(), BGI_DEBUG ? 3 : 0);
    bgi_rank_release(2, "second");
    bgi_rank_release(9, "third");
    bgi_rank_acquire(3, "another");
    bgi_rank_release(1, "first");
    bgi_rank_release(3, "another");
    cr_assert_eq(bgi_rank_held(), 0);
}

Test(rank, a_try_may_come_in_any_order)
{
    bgi_rank_acquire(5, "high");
    bgi_rank_acquired_by_try(3, "low");
    bgi_rank_acquired_by_try(5, "its twin");
    cr_assert_eq(bgi_rank_held(), BGI_DEBUG ? 3 : 0);
    bgi_rank_release(5, "its twin");
    bgi_rank_release(3, "low");
    bgi_rank_release(5, "high");
    cr_assert_eq(bgi_rank_held(), 0);
}

static void *take_low(void *arg)
{
    (void)arg;
    bgi_rank_acquire(1, "low");
    bgi_rank_release(1, "low");
    return NULL;
}

Test(rank, each_thread_has_its_own)
{
    bgi_thread thread;
    bgi_rank_acquire(5, "high");
    cr_assert_eq(bgi_thread_create(&thread, take_low, NULL), 0);
    cr_assert_eq(bgi_thread_join(thread, NULL), 0);
    bgi_rank_release(5, "high");
}

#if BGI_DEBUG

Test(rank, falling_order_panics, .signal = SIGABRT)
{
    bgi_rank_acquire(5, "high");
    bgi_rank_acquire(4, "low");
}

Test(rank, the_same_rank_twice_panics, .signal = SIGABRT)
{
    bgi_rank_acquire(5, "one");
    bgi_rank_acquire(5, "other");
}

Test(rank, below_a_lower_one_taken_by_try_panics, .signal = SIGABRT)
{
    bgi_rank_acquire(5, "high");
    bgi_rank_acquired_by_try(2, "low");
    bgi_rank_acquire(4, "middle");
}

Test(rank, releasing_what_is_not_held_panics, .signal = SIGABRT)
{
    bgi_rank_acquire(5, "high");
    bgi_rank_release(4, "low");
}

Test(rank, too_many_at_once_panic, .signal = SIGABRT)
{
    for (unsigned rank = 1; rank <= 17; rank++) {
        bgi_rank_acquire(rank, "one of many");
    }
}

#endif
