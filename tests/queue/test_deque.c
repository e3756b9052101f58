/*
 * The deque: what owner and thieves get in turn, growth and its failure, indices at their wrap, and
 * races for every item and for the last one, with more threads than cores.
 */
#include "queue/deque.h"

#include "base/alloc.h"
#include "base/random.h"
#include "crew.h"

#include <errno.h>

#include "../support/faults.h"

/* Items are numbers from 1: the deque does not look at what they point to. */
static void *item(size_t n)
{
    return (void *)(uintptr_t)n;
}

static size_t number(const void *p)
{
    return (size_t)(uintptr_t)p;
}

static size_t steal(bgi_deque *d)
{
    void *found = NULL;
    return bgi_deque_steal(d, &found) == 1 ? number(found) : 0;
}

static size_t capacity(bgi_deque *d)
{
    struct bgi_deque_ring *r = bgi_load_ptr(&d->ring);
    return r->mask + 1;
}

/* ---- one thread ---- */

Test(deque, capacities_are_powers_of_two)
{
    static const size_t wrong[] = {0, 1, 3, 6, 100};
    bgi_deque d;
    for (size_t i = 0; i < BGI_ARRAY_LEN(wrong); i++) {
        cr_assert_eq(bgi_deque_init(&d, wrong[i]), -EINVAL);
    }
    for (size_t c = 2; c <= 64; c *= 2) {
        cr_assert_eq(bgi_deque_init(&d, c), 0);
        cr_assert_eq(capacity(&d), c);
        bgi_deque_destroy(&d);
    }
}

Test(deque, the_owner_gets_the_newest_a_thief_the_oldest)
{
    bgi_deque d;
    cr_assert_eq(bgi_deque_init(&d, 8), 0);
    cr_assert_null(bgi_deque_take(&d));
    cr_assert_eq(steal(&d), 0);
    for (size_t i = 1; i <= 6; i++) {
        cr_assert_eq(bgi_deque_push(&d, item(i)), 0);
        cr_assert_eq(bgi_deque_size(&d), i);
    }
    cr_assert_eq(number(bgi_deque_take(&d)), 6);
    cr_assert_eq(steal(&d), 1);
    cr_assert_eq(steal(&d), 2);
    cr_assert_eq(number(bgi_deque_take(&d)), 5);
    cr_assert_eq(bgi_deque_size(&d), 2);
    cr_assert_eq(steal(&d), 3);
    cr_assert_eq(number(bgi_deque_take(&d)), 4);
    cr_assert_eq(bgi_deque_size(&d), 0);
    cr_assert_null(bgi_deque_take(&d));
    cr_assert_eq(steal(&d), 0);
    bgi_deque_destroy(&d);
}

Test(deque, a_take_of_nothing_leaves_it_usable)
{
    bgi_deque d;
    cr_assert_eq(bgi_deque_init(&d, 2), 0);
    for (size_t i = 1; i <= 100; i++) {
        cr_assert_null(bgi_deque_take(&d));
        cr_assert_eq(bgi_load(&d.bottom), bgi_load(&d.top));
        cr_assert_eq(bgi_deque_push(&d, item(i)), 0);
        cr_assert_eq(i % 2 ? steal(&d) : number(bgi_deque_take(&d)), i);
    }
    cr_assert_eq(capacity(&d), 2);
    bgi_deque_destroy(&d);
}

Test(deque, the_owner_takes_back_what_is_newest)
{
    bgi_deque d;
    cr_assert_eq(bgi_deque_init(&d, 2), 0);
    cr_assert_not(bgi_deque_take_back(&d, item(1)), "it was never there");
    cr_assert_eq(bgi_deque_push(&d, item(1)), 0);
    cr_assert_eq(bgi_deque_push(&d, item(2)), 0);
    cr_assert_not(bgi_deque_take_back(&d, item(1)), "another one is newer");
    cr_assert_eq(bgi_deque_size(&d), 2);
    cr_assert(bgi_deque_take_back(&d, item(2)));
    cr_assert_not(bgi_deque_take_back(&d, item(2)), "it is gone, though its slot still has it");
    cr_assert(bgi_deque_take_back(&d, item(1)), "the last one");
    cr_assert_not(bgi_deque_take_back(&d, item(1)));
    cr_assert_eq(bgi_deque_push(&d, item(3)), 0);
    cr_assert_eq(steal(&d), 3);
    cr_assert_not(bgi_deque_take_back(&d, item(3)), "it was stolen");
    cr_assert_eq(bgi_deque_size(&d), 0);
    cr_assert_eq(bgi_deque_push(&d, item(4)), 0);
    cr_assert_eq(number(bgi_deque_take(&d)), 4);
    bgi_deque_destroy(&d);
}

Test(deque, grows_from_two_and_keeps_the_old_rings)
{
    enum { N = 1000 };
    bgi_deque d;
    cr_assert_eq(bgi_deque_init(&d, 2), 0);
    for (size_t i = 1; i <= N; i++) {
        cr_assert_eq(bgi_deque_push(&d, item(i)), 0);
    }
    cr_assert_eq(capacity(&d), 1024);
    /* A thief that has read an old ring finds the same items at the same indices. */
    size_t rings = 0;
    for (struct bgi_deque_ring *r = bgi_load_ptr(&d.ring); r != NULL; r = r->older) {
        for (size_t i = 0; i <= r->mask && i < N; i++) {
            cr_assert_eq(number(bgi_load_ptr(&r->slots[i])), i + 1);
        }
        rings++;
    }
    cr_assert_eq(rings, 10);
    for (size_t i = 1; i <= N / 2; i++) {
        cr_assert_eq(steal(&d), i);
    }
    for (size_t i = N; i > N / 2; i--) {
        cr_assert_eq(number(bgi_deque_take(&d)), i);
    }
    cr_assert_null(bgi_deque_take(&d));
    bgi_deque_destroy(&d);
}

Test(deque, slots_of_a_grown_ring_are_zeroed)
{
    bgi_deque d;
    cr_assert_eq(bgi_deque_init(&d, 2), 0);
    for (size_t i = 1; i <= 3; i++) {
        cr_assert_eq(bgi_deque_push(&d, item(i)), 0);
    }
    struct bgi_deque_ring *r = bgi_load_ptr(&d.ring);
    cr_assert_eq(r->mask, 3);
    cr_assert_eq(bgi_load(&r->slots[3]), 0);
    bgi_deque_destroy(&d);
}

/* A double-ended array, to compare with. */
Test(deque, agrees_with_an_array_also_where_indices_wrap)
{
    enum { STEPS = 20000 };
    static const bgi_word starts[] = {0, (bgi_word)0 - 1, (bgi_word)0 - 3, (bgi_word)0 - 5000,
                                      (~(bgi_word)0 >> 1) - 2};
    static size_t model[STEPS + 1];

    for (size_t s = 0; s < BGI_ARRAY_LEN(starts); s++) {
        struct bgi_random random;
        bgi_deque d;
        size_t low = 0, high = 0;
        bgi_random_seed(&random, s);
        cr_assert_eq(bgi_deque_init(&d, 2), 0);
        bgi_store(&d.top, starts[s]);
        bgi_store(&d.bottom, starts[s]);
        for (size_t i = 1; i <= STEPS; i++) {
            /* First it tends to grow, then to shrink. */
            uint32_t way = bgi_random_below(&random, i < STEPS / 2 ? 5 : 7);
            if (way < 3) {
                cr_assert_eq(bgi_deque_push(&d, item(i)), 0);
                model[high++] = i;
            } else if (way % 2 == 1) {
                cr_assert_eq(number(bgi_deque_take(&d)), low < high ? model[--high] : 0);
            } else {
                cr_assert_eq(steal(&d), low < high ? model[low++] : 0);
            }
            cr_assert_eq(bgi_deque_size(&d), high - low);
            if (low == high) {
                low = high = 0;
            }
        }
        bgi_deque_destroy(&d);
    }
}

Test(deque, a_failed_allocation_leaves_it_as_it_was)
{
    bgi_deque d;
    size_t before = bgi_alloc_live();
    bgi_fault_arm(BGI_FAULT_MALLOC, 1);
    cr_assert_eq(bgi_deque_init(&d, 4), -ENOMEM);
    bgi_fault_disarm();
    cr_assert_eq(bgi_deque_init(&d, 4), 0);
    for (size_t i = 1; i <= 4; i++) {
        cr_assert_eq(bgi_deque_push(&d, item(i)), 0);
    }
    bgi_fault_arm(BGI_FAULT_MALLOC | BGI_FAULT_FOREVER, 1);
    for (size_t i = 5; i <= 7; i++) {
        cr_assert_eq(bgi_deque_push(&d, item(i)), -ENOMEM);
        cr_assert_eq(bgi_deque_size(&d), 4);
        cr_assert_eq(capacity(&d), 4);
    }
    cr_assert_eq(steal(&d), 1);
    cr_assert_eq(bgi_deque_push(&d, item(8)), 0); /* there is room again, nothing is needed */
    bgi_fault_disarm();
    cr_assert_eq(bgi_deque_push(&d, item(9)), 0);
    cr_assert_eq(capacity(&d), 8);
    static const size_t left[] = {9, 8, 4, 3, 2, 0};
    for (size_t i = 0; i < BGI_ARRAY_LEN(left); i++) {
        cr_assert_eq(number(bgi_deque_take(&d)), left[i]);
    }
    bgi_deque_destroy(&d);
    cr_assert_eq(bgi_alloc_live(), before);
}

/* ---- races ---- */

enum { RACE_ITEMS = 100000 };

static struct race {
    bgi_deque d;
    size_t burst; /* so many are pushed at once, at most */
    bgi_atomic pushed_all;
    bgi_atomic stolen;
    bgi_atomic got[RACE_ITEMS + 1];
} race;

static void got(size_t n)
{
    (void)bgi_fetch_add_relaxed(&race.got[n <= RACE_ITEMS ? n : 0], 1);
}

static void own(void)
{
    struct bgi_random random;
    void *p;
    bgi_random_seed(&random, race.burst);
    for (size_t next = 1; next <= RACE_ITEMS;) {
        size_t n = 1 + bgi_random_below(&random, (uint32_t)race.burst);
        for (; n > 0 && next <= RACE_ITEMS; n--) {
            if (bgi_deque_push(&race.d, item(next++)) != 0) {
                got(0);
            }
        }
        if (race.burst == 1 && next % 16 == 0) {
            sched_yield(); /* else a single core would never have a thief in between */
        }
        for (n = 1 + bgi_random_below(&random, (uint32_t)race.burst); n > 0; n--) {
            p = bgi_deque_take(&race.d);
            if (p != NULL) {
                got(number(p));
            }
        }
    }
    while ((p = bgi_deque_take(&race.d)) != NULL) {
        got(number(p));
    }
    bgi_store_release(&race.pushed_all, 1);
}

static void thieve(unsigned self, void *arg)
{
    (void)arg;
    if (self == 0) {
        own();
        return;
    }
    size_t last = 0, stolen = 0;
    while (!bgi_load_acquire(&race.pushed_all)) {
        void *p = NULL;
        int r = bgi_deque_steal(&race.d, &p);
        if (r == 1) {
            got(number(p));
            stolen++;
            if (number(p) <= last) { /* a thief sees items in the order they were pushed */
                got(0);
            }
            last = number(p);
        } else if (r == 0) {
            sched_yield();
        }
    }
    (void)bgi_fetch_add(&race.stolen, stolen);
}

static void run_race(unsigned thieves, size_t burst)
{
    memset((void *)&race, 0, sizeof race);
    race.burst = burst;
    cr_assert_eq(bgi_deque_init(&race.d, 2), 0);
    crew_run(1 + thieves, thieve, NULL);
    cr_assert_eq(bgi_load(&race.got[0]), 0);
    for (size_t i = 1; i <= RACE_ITEMS; i++) {
        cr_assert_eq(bgi_load(&race.got[i]), 1, "item %zu: %zu times", i,
                     (size_t)bgi_load(&race.got[i]));
    }
    cr_assert_eq(bgi_deque_size(&race.d), 0);
    cr_log_info("%u thieves, bursts of %zu: %zu stolen\n", thieves, burst,
                (size_t)bgi_load(&race.stolen));
    bgi_deque_destroy(&race.d);
}

/* Pushed and taken at once: each item is the last one. */
Test(deque, the_last_item_goes_to_one_of_two)
{
    run_race(1, 1);
}

Test(deque, the_last_item_goes_to_one_of_three)
{
    run_race(2, 1);
}

Test(deque, the_last_item_goes_to_one_of_five)
{
    run_race(4, 1);
}

Test(deque, the_last_item_goes_to_one_of_twelve)
{
    run_race(11, 1);
}

Test(deque, each_item_is_got_once_while_it_grows)
{
    run_race(1, 400);
    run_race(2, 40);
    run_race(4, 3);
    run_race(11, 1000);
}
