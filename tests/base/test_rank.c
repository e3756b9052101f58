/*
 * Lock ranks: rising order passes, any other panics, and release works in any order.
 */
#include "base/rank.h"

#include "base/alloc.h"

#include "dies.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

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

/* All the nestings there are; rank.h lists them. */
static const struct {
    unsigned outer, inner;
} nestings[] = {
    {BGI_RANK_TIMERS, BGI_RANK_INJECTOR},
    {BGI_RANK_TIMERS, BGI_RANK_EVENTCOUNT},
    {BGI_RANK_TRIMMING, BGI_RANK_STACKS},
};

Test(rank, every_nesting_there_is_is_legal)
{
    for (size_t i = 0; i < BGI_ARRAY_LEN(nestings); i++) {
        bgi_rank_acquire(nestings[i].outer, "outer");
        bgi_rank_acquire(nestings[i].inner, "inner");
        cr_assert_eq(bgi_rank_held(), BGI_DEBUG ? 2 : 0);
        bgi_rank_release(nestings[i].inner, "inner");
        bgi_rank_release(nestings[i].outer, "outer");
    }
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

static void nest_the_other_way(void *arg)
{
    size_t i = (size_t)(uintptr_t)arg;
    bgi_rank_acquire(nestings[i].inner, "inner");
    bgi_rank_acquire(nestings[i].outer, "outer");
}

Test(rank, no_nesting_goes_the_other_way_round)
{
    for (size_t i = 0; i < BGI_ARRAY_LEN(nestings); i++) {
        char words[96];
        (void)snprintf(words, sizeof words,
                       "brigade: lock 'outer' (rank %u) taken while 'inner' (rank %u) is held",
                       nestings[i].outer, nestings[i].inner);
        DIES(nest_the_other_way, (void *)(uintptr_t)i, words);
    }
}

Test(rank, the_one_taken_last_is_named)
{
    cr_assert_str_eq(bgi_rank_top(), "");
    bgi_rank_acquire(3, "low");
    bgi_rank_acquire(5, "high");
    cr_assert_str_eq(bgi_rank_top(), "high");
    bgi_rank_release(5, "high");
    cr_assert_str_eq(bgi_rank_top(), "low");
    bgi_rank_release(3, "low");
}

Test(rank, any_number_of_one_rank_by_try)
{
    bgi_rank_acquire(5, "first");
    for (int i = 0; i < 1000; i++) {
        bgi_rank_acquired_by_try(5, "another");
    }
    bgi_rank_acquire(6, "above");
    for (int i = 0; i < 1000; i++) {
        bgi_rank_release(5, "another");
    }
    cr_assert_eq(bgi_rank_held(), 2);
    bgi_rank_release(5, "first");
    bgi_rank_release(6, "above");
    cr_assert_eq(bgi_rank_held(), 0);
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
