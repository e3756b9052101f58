/*
 * The sort without memory: against an oracle, against an adversary who knows how it goes about it,
 * stopped at any look; whatever a comparison says.
 */
#include "parallel/sort.h"

#include "base/random.h"

#include <criterion/criterion.h>

#include <stdint.h>
#include <stdlib.h>

enum { MOST = 6000 };

static uint32_t array[MOST];
static size_t calls, looks, stop_at;

static int by_number(const void *a, const void *b, void *ctx)
{
    uint32_t x, y;
    (void)ctx;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    calls++;
    return (x > y) - (x < y);
}

/* Whether it is time to stop: at the look of that number; 0: never. */
static int look(void *arg)
{
    (void)arg;
    return stop_at != 0 && ++looks >= stop_at;
}

static void sort(int (*cmp)(const void *, const void *, void *), void *ctx, size_t n)
{
    const struct bgi_order order = {cmp, ctx, sizeof *array};
    bgi_sort_in_place(&order, (char *)array, n, look, NULL);
}

static int is_sorted(size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (array[i - 1] > array[i]) {
            return 0;
        }
    }
    return 1;
}

/* 0 to n - 1, in any order. */
static int has_each(size_t n)
{
    static unsigned char seen[MOST];
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < n; i++) {
        if (array[i] >= n || seen[array[i]]++) {
            return 0;
        }
    }
    return 1;
}

static void shuffle(size_t n, uint64_t seed)
{
    struct bgi_random random;
    bgi_random_seed(&random, seed);
    for (size_t i = 0; i < n; i++) {
        size_t j = bgi_random_below(&random, (uint32_t)i + 1);
        array[i] = array[j];
        array[j] = (uint32_t)i;
    }
}

Test(in_place, every_length)
{
    for (size_t n = 0; n < 300; n++) {
        shuffle(n, n);
        sort(by_number, NULL, n);
        cr_assert(is_sorted(n) && has_each(n), "%zu", n);
    }
}

/* McIlroy, "A killer adversary for quicksort" (1999): values are made up as they are asked for, so
 * that each pivot turns out to be among the least. */
struct adversary {
    uint32_t value[MOST], gas, solid, candidate;
};

static int made_up(const void *a, const void *b, void *ctx)
{
    struct adversary *v = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    calls++;
    if (v->value[x] == v->gas && v->value[y] == v->gas) {
        v->value[x == v->candidate ? x : y] = v->solid++;
    }
    if (v->value[x] == v->gas) {
        v->candidate = x;
    } else if (v->value[y] == v->gas) {
        v->candidate = y;
    }
    return (v->value[x] > v->value[y]) - (v->value[x] < v->value[y]);
}

static struct adversary adversary;

static void meet_adversary(size_t n)
{
    memset(&adversary, 0, sizeof adversary);
    adversary.gas = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        array[i] = (uint32_t)i;
        adversary.value[i] = adversary.gas;
    }
    calls = looks = 0;
    sort(made_up, &adversary, n);
    cr_assert(has_each(n));
}

/* Quicksort alone would compare some n * n / 6 times. */
Test(in_place, an_adversary_does_not_make_it_slow)
{
    size_t n = MOST, levels = 0;
    meet_adversary(n);
    for (size_t i = n; i != 0; i /= 2) {
        levels++;
    }
    cr_assert_leq(calls, 6 * n * levels);
    for (size_t i = 1; i < n; i++) {
        cr_assert_leq(adversary.value[array[i - 1]], adversary.value[array[i]]);
    }
}

/* At each look that there is: it stops soon, and nothing is lost. */
Test(in_place, stopped_at_any_look)
{
    int stopped = 1;
    for (stop_at = 1; stopped; stop_at++) {
        shuffle(MOST, 5);
        looks = 0;
        sort(by_number, NULL, MOST);
        stopped = looks >= stop_at;
        cr_assert(has_each(MOST));
        cr_assert(stopped || is_sorted(MOST));
    }
    cr_assert_gt(stop_at, 4);
    stopped = 1;
    for (stop_at = 1; stopped; stop_at++) {
        meet_adversary(MOST); /* on to the heap */
        stopped = looks >= stop_at;
    }
    cr_assert_gt(stop_at, 20);
}

static int says_anything(const void *a, const void *b, void *ctx)
{
    (void)a;
    (void)b;
    return (int)(bgi_random_next(ctx) % 3) - 1;
}

Test(in_place, a_comparison_that_is_no_order)
{
    struct bgi_random random;
    bgi_random_seed(&random, 9);
    for (int i = 0; i < 50; i++) {
        shuffle(MOST / 2, (uint64_t)i);
        sort(says_anything, &random, MOST / 2);
        cr_assert(has_each(MOST / 2));
    }
}
