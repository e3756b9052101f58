/*
 * Scan: inclusive and exclusive, in the right order, each item final once; early ends.
 *
 * Labels: valgrind
 */
#include "../task/check.h"

#include "faults.h"

#include <errno.h>
#include <stdlib.h>

/* Strings of digits modulo a prime: not commutative. */
struct digits {
    uint64_t value, power;
};

enum { PRIME = 1000003 };

static struct digits append(struct digits a, struct digits b)
{
    return (struct digits){(a.value * b.power + b.value) % PRIME, a.power * b.power % PRIME};
}

static struct digits digit(size_t i)
{
    return (struct digits){i % 10, 10};
}

struct table {
    size_t begin;
    struct digits *inclusive, *exclusive;
    bgi_atomic finals, parts;
    bg_task *cancel;
};

static void scan_digits(size_t begin, size_t end, void *acc, int final, void *ctx)
{
    struct table *t = ctx;
    struct digits *d = acc;
    CHECK(begin < end);
    if (bgi_fetch_add(&t->parts, 1) == 3 && t->cancel != NULL) {
        (void)bg_cancel(t->cancel);
    }
    for (size_t i = begin; i < end; i++) {
        struct digits before = *d;
        *d = append(*d, digit(i));
        if (final) {
            t->exclusive[i - t->begin] = before;
            t->inclusive[i - t->begin] = *d;
        }
    }
    if (final) {
        (void)bgi_fetch_add(&t->finals, end - begin);
    }
}

static void append_from(void *into, const void *from, void *ctx)
{
    (void)ctx;
    *(struct digits *)into = append(*(struct digits *)into, *(const struct digits *)from);
}

static int same(struct digits a, struct digits b)
{
    return a.value == b.value && a.power == b.power;
}

static void scan_of(size_t begin, size_t n, size_t grain)
{
    struct table t = {
        begin, calloc(n + 1, sizeof(struct digits)), calloc(n + 1, sizeof(struct digits)), 0, 0,
        NULL};
    struct digits all = {0, 1}, want = {0, 1};
    cr_assert(t.inclusive != NULL && t.exclusive != NULL);
    CHECK(bg_parallel_scan(begin, begin + n, &all, sizeof all, scan_digits, append_from, &t,
                           .grain = grain) == 0);
    for (size_t i = 0; i < n; i++) {
        CHECK(same(t.exclusive[i], want));
        want = append(want, digit(begin + i));
        CHECK(same(t.inclusive[i], want));
    }
    CHECK(same(all, want));
    CHECK(bgi_load(&t.finals) == n);
    free(t.inclusive);
    free(t.exclusive);
}

static int all_shapes(void *arg)
{
    static const size_t lengths[] = {0, 1, 2, 3, 4, 7, 64, 255, 256, 257, 1000, 20000};
    static const size_t grains[] = {0, 1, 3, 64, 999, SIZE_MAX};
    (void)arg;
    for (size_t i = 0; i < BGI_ARRAY_LEN(lengths); i++) {
        for (size_t k = 0; k < BGI_ARRAY_LEN(grains); k++) {
            scan_of(k * 17, lengths[i], grains[k]);
        }
    }
    return 0;
}

static int some_shapes(void *arg)
{
    (void)arg;
    scan_of(3, 40, 4);
    scan_of(0, 7, 1);
    return 0;
}

Test(scan, each_item_is_given_what_is_before_it)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(all_shapes, NULL, .workers = w);
    }
    (void)all_shapes(NULL);
    cr_assert_eq(bg_explore(some_shapes, NULL, .seeds = MANY(100)), 0);
    NO_CHECK_FAILED();
}

static int main_without_memory(void *arg)
{
    static struct digits results[2][1000];
    struct table t = {0, results[0], results[1], 0, 0, NULL};
    struct digits all = {0, 1};
    (void)arg;
    bgi_fault_arm(BGI_FAULT_MALLOC, 1);
    CHECK(bg_parallel_scan(0, 1000, &all, sizeof all, scan_digits, append_from, &t, .grain = 10) ==
          0);
    bgi_fault_disarm();
    CHECK(bgi_load(&t.finals) == 1000);
    CHECK(bgi_load(&t.parts) == 100); /* each once */
    return 0;
}

Test(scan, without_memory_it_is_done_alone)
{
    RUN(main_without_memory, NULL, .workers = 2);
    NO_CHECK_FAILED();
}

static int cancelled_in_the_middle(void *arg)
{
    static struct digits results[2][1000];
    size_t grain = (size_t)(uintptr_t)arg;
    struct table t = {0, results[0], results[1], 0, 0, bg_self()};
    struct digits all = {0, 1};
    CHECK(bg_parallel_scan(0, 1000, &all, sizeof all, scan_digits, append_from, &t,
                           .grain = grain) == -ECANCELED);
    CHECK(bgi_load(&t.finals) < 1000);
    CHECK(bg_parallel_scan(0, 0, &all, sizeof all, scan_digits, append_from, &t) == -ECANCELED);
    return bg_cancelled();
}

static int main_cancelled(void *arg)
{
    (void)arg;
    CHECK(bg_await(bg_spawn(cancelled_in_the_middle, (void *)(uintptr_t)1)) == -ECANCELED);
    return 0;
}

Test(scan, cancelled_it_ends_early)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancelled, NULL, .workers = w);
    }
}

static void adds_nothing(void *into, const void *from, void *ctx)
{
    (void)into;
    (void)from;
    (void)ctx;
}

/* Cancelled when the values are known, and the results are not. */
static void cancel_at_the_end(size_t begin, size_t end, void *acc, int final, void *ctx)
{
    (void)begin;
    (void)end;
    (void)acc;
    if (final) {
        (void)bg_cancel(ctx);
    }
}

static int cancelled_at_the_end(void *arg)
{
    int all = 0;
    (void)arg;
    CHECK(bg_parallel_scan(0, 1000, &all, sizeof all, cancel_at_the_end, adds_nothing, bg_self()) ==
          -ECANCELED);
    return bg_cancelled();
}

static void counts_finals(size_t begin, size_t end, void *acc, int final, void *ctx)
{
    (void)acc;
    if (final) {
        (void)bgi_fetch_add(ctx, end - begin);
    }
}

/* So large that the values of some blocks are more than there can be: one after another. */
static int values_of_any_size(void *arg)
{
    bgi_atomic finals = 0;
    int all = 0;
    (void)arg;
    CHECK(bg_parallel_scan(0, 1000, &all, SIZE_MAX / 4, counts_finals, adds_nothing,
                           (void *)&finals) == 0);
    CHECK(bgi_load(&finals) == 1000);
    return 0;
}

static int in_a_callback(void *arg)
{
    scan_of(5, 1000, 10);
    add_one(arg);
    return 0;
}

static int main_ends(void *arg)
{
    bgi_atomic called = 0;
    (void)arg;
    CHECK(bg_await(bg_spawn(cancelled_at_the_end, NULL)) == -ECANCELED);
    CHECK(bg_await(bg_spawn(values_of_any_size, NULL)) == 0);
    CHECK(bg_after(0, in_a_callback, (void *)&called) == 0);
    yield_until(&called, 1);
    return 0;
}

Test(scan, late_ends_and_callbacks)
{
    RUN(main_ends, NULL, .workers = 2);
    RUN(main_ends, NULL, .workers = 1);
}

Test(scan, what_is_not_valid)
{
    struct digits d = {0, 1};
    bg_parallel_options o = {.size = sizeof o - 1};
    cr_assert_eq(bg_parallel_scan(1, 0, &d, 4, scan_digits, append_from, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_scan(0, 1, NULL, 4, scan_digits, append_from, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_scan(0, 1, &d, 0, scan_digits, append_from, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_scan(0, 1, &d, 4, NULL, append_from, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_scan(0, 1, &d, 4, scan_digits, NULL, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_scan_opts(0, 1, &d, 4, scan_digits, append_from, NULL, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_scan_opts(0, 1, &d, 4, scan_digits, append_from, NULL, &o), -EINVAL);
}
