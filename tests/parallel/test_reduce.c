/*
 * Reduce, scan and invoke: values as serial ones, the same on any number of workers; errors and
 * cancellation.
 *
 * Labels: valgrind
 */
#include "../task/check.h"

#include "faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const size_t lengths[] = {0, 1, 2, 3, 63, 64, 65, 127, 1000, 4097, 20000};
static const size_t grains[] = {0, 1, 7, 64, 999, SIZE_MAX};

/* ---- what is not commutative: affine maps, composed ---- */

struct map {
    uint64_t a, b; /* x -> a * x + b */
};

static struct map map_of(size_t i)
{
    return (struct map){2 * i + 3, i * i + 1};
}

static struct map then(struct map f, struct map g)
{
    return (struct map){g.a * f.a, g.a * f.b + g.b};
}

static void compose(size_t begin, size_t end, void *acc, void *ctx)
{
    struct map *m = acc;
    CHECK(begin < end);
    (void)ctx;
    for (size_t i = begin; i < end; i++) {
        *m = then(*m, map_of(i));
    }
}

static void join_maps(void *into, const void *from, void *ctx)
{
    struct map *m = into;
    const struct map *n = from;
    (void)ctx;
    *m = then(*m, *n);
}

static int all_products(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < BGI_ARRAY_LEN(lengths); i++) {
        struct map want = {1, 0};
        for (size_t k = 0; k < lengths[i]; k++) {
            want = then(want, map_of(100 + k));
        }
        for (size_t k = 0; k < BGI_ARRAY_LEN(grains); k++) {
            struct map m = {1, 0};
            CHECK(bg_parallel_reduce(100, 100 + lengths[i], &m, sizeof m, compose, join_maps, NULL,
                                     .grain = grains[k]) == 0);
            CHECK(m.a == want.a && m.b == want.b);
        }
    }
    return 0;
}

static int small_product(void *arg)
{
    struct map m = {1, 0}, want = {1, 0};
    (void)arg;
    for (size_t k = 0; k < 20; k++) {
        want = then(want, map_of(k));
    }
    CHECK(bg_parallel_reduce(0, 20, &m, sizeof m, compose, join_maps, NULL) == 0);
    CHECK(m.a == want.a && m.b == want.b);
    return 0;
}

Test(reduce, values_are_as_serial_ones)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(all_products, NULL, .workers = w);
    }
    (void)all_products(NULL);
    cr_assert_eq(bg_explore(small_product, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
}

/* ---- rounding ---- */

static void add_fractions(size_t begin, size_t end, void *acc, void *ctx)
{
    float *sum = acc;
    (void)ctx;
    for (size_t i = begin; i < end; i++) {
        *sum += 1.0f / (float)(i + 1);
    }
}

static void add_floats(void *into, const void *from, void *ctx)
{
    float *a = into;
    const float *b = from;
    (void)ctx;
    *a += *b;
}

static float fractions(size_t grain)
{
    float sum = 0;
    CHECK(bg_parallel_reduce(0, 40000, &sum, sizeof sum, add_fractions, add_floats, NULL,
                             .grain = grain) == 0);
    return sum;
}

static float alone[2];

static int same_fractions(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        float automatic = fractions(0), given = fractions(1000);
        CHECK(memcmp(&automatic, &alone[0], sizeof automatic) == 0);
        CHECK(memcmp(&given, &alone[1], sizeof given) == 0);
    }
    return 0;
}

Test(reduce, rounds_alike_on_any_number_of_workers)
{
    alone[0] = fractions(0);
    alone[1] = fractions(1000);
    cr_assert(alone[0] < alone[1] || alone[1] < alone[0], "the order matters here");
    EACH_WORKER_COUNT(w)
    {
        RUN(same_fractions, NULL, .workers = w);
    }
    NO_CHECK_FAILED();
}

/* ---- large values, and no memory for them ---- */

struct histogram {
    size_t of[40];
};

static void count_digits(size_t begin, size_t end, void *acc, void *ctx)
{
    struct histogram *h = acc;
    (void)ctx;
    for (size_t i = begin; i < end; i++) {
        h->of[i % 40]++;
    }
}

static void add_histograms(void *into, const void *from, void *ctx)
{
    struct histogram *a = into;
    const struct histogram *b = from;
    (void)ctx;
    for (size_t i = 0; i < 40; i++) {
        a->of[i] += b->of[i];
    }
}

static int main_histogram(void *arg)
{
    struct histogram h = {{0}};
    (void)arg;
    int r = bg_parallel_reduce(0, 4000, &h, sizeof h, count_digits, add_histograms, NULL);
    for (size_t i = 0; i < 40; i++) {
        CHECK(h.of[i] == (r == 0 ? 100 : 0));
    }
    return r;
}

Test(reduce, large_values)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_histogram, NULL, .workers = w);
    }
    NO_CHECK_FAILED();
}

Test(reduce, without_memory)
{
    size_t refused = 0;
    for (size_t n = 1; n < 200; n += n < 20 ? 1 : 37) { /* on a plain thread: all in order */
        bgi_fault_arm(BGI_FAULT_MALLOC, n);
        int r = main_histogram(NULL);
        bgi_fault_disarm();
        cr_assert(r == 0 || r == -ENOMEM);
        refused += r == -ENOMEM;
    }
    cr_assert_geq(refused, 10);
    NO_CHECK_FAILED();
}

/* ---- early ends ---- */

static bgi_atomic parts;

static void count_and_cancel(size_t begin, size_t end, void *acc, void *ctx)
{
    int *n = acc;
    *n += (int)(end - begin);
    if (bgi_fetch_add(&parts, 1) == 10) {
        (void)bg_cancel(ctx);
    }
}

static void add_ints(void *into, const void *from, void *ctx)
{
    int *a = into;
    const int *b = from;
    (void)ctx;
    *a += *b;
}

static int cancelled_in_the_middle(void *arg)
{
    int n = 7;
    (void)arg;
    bgi_store(&parts, 0);
    CHECK(bg_parallel_reduce(0, 1000 * 1000, &n, sizeof n, count_and_cancel, add_ints, bg_self(),
                             .grain = 1) == -ECANCELED);
    CHECK(n == 7); /* as it was */
    CHECK(bgi_load(&parts) < 1000 * 1000);
    CHECK(bg_parallel_reduce(0, 0, &n, sizeof n, count_and_cancel, add_ints, NULL) == -ECANCELED);
    return bg_cancelled();
}

static int main_cancelled(void *arg)
{
    (void)arg;
    CHECK(bg_await(bg_spawn(cancelled_in_the_middle, NULL)) == -ECANCELED);
    return 0;
}

Test(reduce, cancelled_it_ends_early)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancelled, NULL, .workers = w);
    }
}

Test(reduce, what_is_not_valid)
{
    int n = 0;
    bg_parallel_options o = {.size = sizeof o - 1};
    cr_assert_eq(bg_parallel_reduce(1, 0, &n, 4, count_and_cancel, add_ints, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_reduce(0, 1, NULL, 4, count_and_cancel, add_ints, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_reduce(0, 1, &n, 0, count_and_cancel, add_ints, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_reduce(0, 1, &n, 4, NULL, add_ints, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_reduce(0, 1, &n, 4, count_and_cancel, NULL, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_reduce_opts(0, 1, &n, 4, count_and_cancel, add_ints, NULL, NULL),
                 -EINVAL);
    cr_assert_eq(bg_parallel_reduce_opts(0, 1, &n, 4, count_and_cancel, add_ints, NULL, &o),
                 -EINVAL);
}
