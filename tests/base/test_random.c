/*
 * The generator: the published algorithm's own output, repeatability, bounds and their evenness.
 */
#include "base/random.h"

#include <criterion/criterion.h>

Test(random, splitmix64_gives_the_published_sequence)
{
    /* The first outputs for seed 1234567, as other implementations of splitmix64 give them. */
    uint64_t state = 1234567;
    cr_assert_eq(bgi_splitmix64(&state), UINT64_C(6457827717110365317));
    cr_assert_eq(bgi_splitmix64(&state), UINT64_C(3203168211198807973));
    cr_assert_eq(bgi_splitmix64(&state), UINT64_C(9817491932198370423));
}

Test(random, xoroshiro_steps_as_defined)
{
    /* By hand from the definition: state (1, 2), result rotl(1 + 2, 17) + 1. */
    struct bgi_random r = {{1, 2}};
    cr_assert_eq(bgi_random_next(&r), (UINT64_C(3) << 17) + 1);
    cr_assert_eq(r.s[0], (UINT64_C(1) << 49) ^ 3 ^ (UINT64_C(3) << 21));
    cr_assert_eq(r.s[1], UINT64_C(3) << 28);
}

Test(random, one_seed_one_sequence)
{
    struct bgi_random a;
    struct bgi_random b;
    struct bgi_random c;
    bgi_random_seed(&a, 7);
    bgi_random_seed(&b, 7);
    bgi_random_seed(&c, 8);
    int differing = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = bgi_random_next(&a);
        cr_assert_eq(x, bgi_random_next(&b));
        differing += x != bgi_random_next(&c);
    }
    cr_assert_gt(differing, 990);
}

Test(random, any_seed_gives_a_living_state)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct bgi_random r;
        bgi_random_seed(&r, seed);
        cr_assert_neq(r.s[0] | r.s[1], 0);
        cr_assert_neq(bgi_random_next(&r), bgi_random_next(&r));
    }
}

Test(random, bounded_stays_in_bounds_and_reaches_all)
{
    struct bgi_random r;
    bgi_random_seed(&r, 1);
    static const uint32_t bounds[] = {1, 2, 3, 7, 64, 100};
    for (size_t b = 0; b < BGI_ARRAY_LEN(bounds); b++) {
        unsigned seen[100] = {0};
        for (int i = 0; i < 10000; i++) {
            uint32_t x = bgi_random_below(&r, bounds[b]);
            cr_assert_lt(x, bounds[b]);
            seen[x]++;
        }
        for (uint32_t x = 0; x < bounds[b]; x++) {
            /* The expected number is at least 100: a deviation of half of it is 5 sigma. */
            cr_assert_gt(seen[x], 10000 / bounds[b] / 2, "%u below %u", x, bounds[b]);
        }
    }
}

Test(random, a_bound_that_does_not_divide_has_no_bias)
{
    /* With n = 3 * 2^30 a plain multiplication gives every third number twice as often. */
    struct bgi_random r;
    bgi_random_seed(&r, 2);
    unsigned residue[3] = {0};
    const unsigned draws = 30000;
    for (unsigned i = 0; i < draws; i++) {
        residue[bgi_random_below(&r, UINT32_C(3) << 30) % 3]++;
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_gt(residue[i], draws / 3 - draws / 30);
        cr_assert_lt(residue[i], draws / 3 + draws / 30);
    }
}
