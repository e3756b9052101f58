/*
 * The sort when something is amiss: it is cancelled, the comparison waits, lies, or there is no
 * memory. The elements stay, whatever happens.
 */
#include "sorting.h"

#include "stolen.h"

#include <errno.h>

/* An array of the numbers 0 to n - 1, in some order. */
static uint32_t *numbers(size_t n, uint64_t seed)
{
    struct bgi_random random;
    uint32_t *a = malloc(n * sizeof *a);
    bgi_random_seed(&random, seed);
    for (size_t i = 0; i < n; i++) {
        size_t j = bgi_random_below(&random, (uint32_t)i + 1);
        a[i] = a[j];
        a[j] = (uint32_t)i;
    }
    return a;
}

/* Each number is there once. */
static int is_permutation(const uint32_t *a, size_t n)
{
    unsigned char *seen = calloc(n, 1);
    int good = 1;
    for (size_t i = 0; i < n; i++) {
        good = good && a[i] < n && seen[a[i]]++ == 0;
    }
    free(seen);
    return good;
}

static int is_sorted(const uint32_t *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != i) {
            return 0;
        }
    }
    return 1;
}

/* A comparison that does something at its `when`th call, or now and then. */
struct plan {
    bgi_atomic calls;
    bgi_word when;
    bg_task *victim;
    unsigned every; /* calls between two waits */
};

static int by_number(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int compare_and_cancel(const void *a, const void *b, void *ctx)
{
    struct plan *p = ctx;
    if (bgi_fetch_add(&p->calls, 1) + 1 == p->when) {
        CHECK(bg_cancel(p->victim) == 0);
    }
    return by_number(a, b);
}

/* ---- cancelled ---- */

struct cancelled_sort {
    size_t n;
    bgi_word when;
    int stable;
    bgi_word calls; /* out: of the comparison */
};

static int sort_and_be_cancelled(void *arg)
{
    struct cancelled_sort *c = arg;
    struct plan p = {.when = c->when, .victim = bg_self()};
    uint32_t *a = numbers(c->n, c->when);
    int r = c->stable
                ? bg_parallel_stable_sort(a, c->n, sizeof *a, compare_and_cancel, &p, .grain = 32)
                : bg_parallel_sort(a, c->n, sizeof *a, compare_and_cancel, &p, .grain = 32);
    CHECK(is_permutation(a, c->n));
    CHECK(r == 0 || r == -ECANCELED);
    CHECK(r != 0 || is_sorted(a, c->n));
    CHECK(r == -ECANCELED || c->when >= c->n); /* there were looks to come */
    c->calls = bgi_load(&p.calls);
    free(a);
    return r;
}

static int cancels_at_any_time(void *arg)
{
    size_t n = (size_t)(intptr_t)arg;
    for (int stable = 0; stable < 2; stable++) {
        for (bgi_word when = 1; when < n * 20; when = when * 3 / 2 + 1) {
            struct cancelled_sort c = {n, when, stable, 0};
            bg_task *t = bg_spawn(sort_and_be_cancelled, &c);
            int r = bg_await(t);
            CHECK(r == 0 || r == -ECANCELED);
        }
    }
    return 0;
}

Test(sort_ends, cancelled_in_the_middle)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(cancels_at_any_time, INT_ARG(20000 / (1 + CHECK_SLOW)), .workers = w);
    }
    cr_assert_eq(bg_explore(cancels_at_any_time, INT_ARG(600), .seeds = MANY(50)), 0);
    NO_CHECK_FAILED();
}

static int stops_early(void *arg)
{
    (void)arg;
    for (bgi_word when = 1; when < 200000; when *= 3) {
        struct cancelled_sort c = {20000, when, 1, 0};
        CHECK(bg_await(bg_spawn(sort_and_be_cancelled, &c)) == -ECANCELED);
        CHECK(c.calls < when + 500); /* a leaf, or a piece of a merge */
    }
    return 0;
}

/* While it finds out whether the array is one run. */
static int stops_in_a_run(void *arg)
{
    enum { N = 5000 };
    static uint32_t a[N];
    struct plan p = {.when = 1500, .victim = bg_self()};
    (void)arg;
    for (uint32_t i = 0; i < N; i++) {
        a[i] = i;
    }
    CHECK(bg_parallel_sort(a, N, sizeof *a, compare_and_cancel, &p, .grain = 64) == -ECANCELED);
    CHECK(bgi_load(&p.calls) < 1500 + 65);
    CHECK(is_sorted(a, N));
    return bg_cancelled();
}

static int main_stops_in_a_run(void *arg)
{
    (void)arg;
    CHECK(bg_await(bg_spawn(stops_in_a_run, NULL)) == -ECANCELED);
    return 0;
}

Test(sort_ends, in_a_run)
{
    RUN(main_stops_in_a_run, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

Test(sort_ends, the_rest_is_not_done)
{
    if (!forks_are_stolen()) {
        RUN(stops_early, NULL, .workers = 1, .spares = BG_NO_SPARES);
    }
}

/* ---- large elements ---- */

struct wide {
    uint32_t number, copies[12];
};

static struct wide *wide_numbers(size_t n, uint64_t seed)
{
    uint32_t *a = numbers(n, seed);
    struct wide *w = malloc(n * sizeof *w);
    for (size_t i = 0; i < n; i++) {
        w[i].number = a[i];
        for (size_t j = 0; j < BGI_ARRAY_LEN(w[i].copies); j++) {
            w[i].copies[j] = a[i];
        }
    }
    free(a);
    return w;
}

/* Whether all are there and whole; they are freed. In order: *sorted. */
static int are_whole(struct wide *w, size_t n, int *sorted)
{
    uint32_t *a = malloc(n * sizeof *a);
    int whole = 1;
    for (size_t i = 0; i < n; i++) {
        a[i] = w[i].number;
        for (size_t j = 0; j < BGI_ARRAY_LEN(w[i].copies); j++) {
            whole = whole && w[i].copies[j] == a[i];
        }
    }
    whole = whole && is_permutation(a, n);
    *sorted = is_sorted(a, n);
    free(a);
    free(w);
    return whole;
}

static int sort_wide(void *arg)
{
    const struct cancelled_sort *c = arg;
    struct plan p = {.when = c->when, .victim = bg_self()};
    struct wide *w = wide_numbers(c->n, c->when);
    int sorted;
    int r = c->stable
                ? bg_parallel_stable_sort(w, c->n, sizeof *w, compare_and_cancel, &p, .grain = 32)
                : bg_parallel_sort(w, c->n, sizeof *w, compare_and_cancel, &p, .grain = 32);
    CHECK(are_whole(w, c->n, &sorted));
    CHECK(r == -ECANCELED || (r == 0 && sorted));
    CHECK(r == -ECANCELED || c->when >= c->n);
    return r;
}

static int cancels_a_sort_of_large_elements(void *arg)
{
    size_t n = (size_t)(intptr_t)arg;
    for (bgi_word when = 1; when < n * 20; when = when * 3 / 2 + 1) {
        struct cancelled_sort c = {n, when, (int)(when % 2), 0};
        int r = bg_await(bg_spawn(sort_wide, &c));
        CHECK(r == 0 || r == -ECANCELED);
    }
    return 0;
}

Test(sort_ends, large_elements_cancelled)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(cancels_a_sort_of_large_elements, INT_ARG(6000 / (1 + CHECK_SLOW)), .workers = w);
    }
    cr_assert_eq(bg_explore(cancels_a_sort_of_large_elements, INT_ARG(400), .seeds = MANY(30)), 0);
    NO_CHECK_FAILED();
}

static int compare_slowly(const void *a, const void *b, void *ctx)
{
    struct plan *p = ctx;
    if (bgi_fetch_add(&p->calls, 1) % p->every == 0) {
        (void)bg_sleep(BG_US);
    }
    return by_number(a, b);
}

static int has_a_deadline(void *arg)
{
    enum { N = 3000 };
    struct plan p = {.every = 20};
    uint32_t *a = numbers(N, 1);
    int r = 0;
    (void)arg;
    bg_timeout (100 * BG_US) {
        r = bg_parallel_sort(a, N, sizeof *a, compare_slowly, &p, .grain = 32);
    }
    CHECK(r == -ETIMEDOUT || r == -ECANCELED);
    CHECK(bg_timed_out());
    CHECK(is_permutation(a, N));
    CHECK(bg_parallel_sort(a, N, sizeof *a, compare_slowly, &p) == 0);
    CHECK(is_sorted(a, N));
    free(a);
    return 0;
}

Test(sort_ends, a_deadline_passes)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(has_a_deadline, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(has_a_deadline, NULL, .seeds = MANY(20)), 0);
    NO_CHECK_FAILED();
}

static int begins_cancelled(void *arg)
{
    uint32_t a[4] = {3, 2, 1, 0};
    struct plan p = {.when = 0};
    (void)arg;
    CHECK(bg_cancel(bg_self()) == 0);
    CHECK(bg_parallel_sort(a, 4, sizeof *a, compare_and_cancel, &p) == -ECANCELED);
    CHECK(a[0] == 3 && a[3] == 0 && bgi_load(&p.calls) == 0);
    bg_shield
    {
        CHECK(bg_parallel_sort(a, 4, sizeof *a, compare_and_cancel, &p) == 0);
        CHECK(is_sorted(a, 4));
    }
    return 0;
}

Test(sort_ends, cancelled_before)
{
    RUN(begins_cancelled, NULL, .workers = 2);
}

/* ---- the comparison waits ---- */

static int compare_and_yield(const void *a, const void *b, void *ctx)
{
    struct plan *p = ctx;
    if (bgi_fetch_add(&p->calls, 1) % p->every == 0) {
        bg_yield();
    }
    return by_number(a, b);
}

static int waits_in_comparisons(void *arg)
{
    size_t n = (size_t)(intptr_t)arg;
    for (unsigned every = 1; every < 30; every += 14) {
        struct plan p = {.every = every};
        uint32_t *a = numbers(n, every);
        CHECK(bg_parallel_sort(a, n, sizeof *a, compare_and_yield, &p, .grain = 32) == 0);
        CHECK(is_sorted(a, n));
        free(a);
    }
    return 0;
}

Test(sort_ends, comparisons_may_wait)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(waits_in_comparisons, INT_ARG(MANY(3000)), .workers = w);
    }
    cr_assert_eq(bg_explore(waits_in_comparisons, INT_ARG(300), .seeds = MANY(40)), 0);
    NO_CHECK_FAILED();
}

/* ---- the comparison lies ---- */

static int lies_at_random(const void *a, const void *b, void *ctx)
{
    uint64_t x = bgi_fetch_add(ctx, 1);
    int honest = by_number(a, b); /* it reads them: what is out of bounds is found */
    return bgi_splitmix64(&x) % 3 == 0 ? (int)(x % 3) - 1 : honest;
}

static int always_less(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return by_number(a, b) < 2 ? -1 : 0;
}

static int always_more(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return by_number(a, b) < 2 ? 1 : 0;
}

static int rock_paper_scissors(const void *a, const void *b, void *ctx)
{
    uint32_t x, y;
    (void)ctx;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (int)((x % 3 + 4 - y % 3) % 3) - 1;
}

static bgi_atomic lies;

static const bg_compare liars[] = {lies_at_random, always_less, always_more, rock_paper_scissors};

static int bears_lies(void *arg)
{
    for (size_t n = 2; n < (size_t)MANY(9000); n += n / 5 + 1) {
        for (size_t i = 0; i < BGI_ARRAY_LEN(liars); i++) {
            uint32_t *a = numbers(n, n);
            size_t grain = n % 2 * 32;
            int r = arg != NULL
                        ? bg_parallel_stable_sort(a, n, 4, liars[i], (void *)&lies)
                        : bg_parallel_sort(a, n, 4, liars[i], (void *)&lies, .grain = grain);
            CHECK(r == 0 || r == -ENOMEM);
            CHECK(is_permutation(a, n));
            free(a);
        }
    }
    return 0;
}

Test(sort_ends, lies_lose_nothing)
{
    (void)bears_lies(NULL);
    (void)bears_lies((void *)&lies);
    RUN(bears_lies, NULL, .workers = 4);
}

/* ---- no memory ---- */

static int by_number_3(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return by_number(a, b);
}

/* Has a worst case for medians of three: it makes up its answers so that pivots are the least. */
struct adversary {
    uint32_t *value;
    uint32_t candidate, solid, gas;
};

static int made_up(const void *a, const void *b, void *ctx)
{
    struct adversary *v = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
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

static int sorts_without_memory(void *arg)
{
    (void)arg;
    for (int shape = 0; shape < SHAPES; shape++) {
        for (size_t size = 4; size < 80; size += 36) {
            size_t n = (size_t)MANY(5000);
            struct bgi_random random;
            struct width width = {size, 0};
            unsigned char *a = malloc(n * size), *copy = malloc(n * size);
            bgi_random_seed(&random, 1);
            fill(a, n, size, (enum shape)shape, &random);
            memcpy(copy, a, n * size);
            int r = bg_parallel_stable_sort(a, n, size, by_key, &width);
            if (r != 0) {
                CHECK(r == -ENOMEM);
                CHECK(memcmp(a, copy, n * size) == 0);
                CHECK(bg_parallel_sort(a, n, size, by_key, &width) == 0);
            }
            oracle(copy, n, size);
            CHECK(memcmp(a, copy, n * size) == 0);
            free(a);
            free(copy);
        }
    }
    size_t n = (size_t)MANY(4000);
    struct adversary v = {malloc(n * sizeof *v.value), 0, 0, (uint32_t)n};
    uint32_t *a = malloc(n * sizeof *a);
    for (uint32_t i = 0; i < n; i++) {
        a[i] = i;
        v.value[i] = v.gas;
    }
    CHECK(bg_parallel_sort(a, n, sizeof *a, made_up, &v) == 0);
    for (size_t i = 1; i < n; i++) {
        CHECK(v.value[a[i - 1]] <= v.value[a[i]]);
    }
    CHECK(is_permutation(a, n));
    free(a);
    free(v.value);
    return 0;
}

Test(sort_ends, without_memory)
{
    enum { LARGE = 1 << 21 };
    size_t live = bgi_alloc_live(), mapped = bgi_mapped_live();
    bgi_fault_arm(BGI_FAULT_ALL | BGI_FAULT_FOREVER, 1);
    (void)sorts_without_memory(NULL);
    (void)bears_lies(NULL);
    (void)bears_lies((void *)&lies);
    uint32_t *a = numbers(LARGE, 5);
    cr_assert_eq(bg_parallel_stable_sort(a, LARGE, 4, by_number_3, NULL), -ENOMEM);
    cr_assert(is_permutation(a, LARGE));
    bgi_fault_disarm();
    cr_assert_eq(bg_parallel_stable_sort(a, LARGE, 4, by_number_3, NULL), 0);
    cr_assert(is_sorted(a, LARGE));
    free(a);
    NO_CHECK_FAILED();
    cr_assert_eq(bgi_alloc_live(), live);
    cr_assert_eq(bgi_mapped_live(), mapped);
}

Test(sort_ends, one_of_two_requests_refused)
{
    enum { N = 3000 };
    size_t live = bgi_alloc_live();
    for (size_t nth = 1; nth <= 3; nth++) {
        for (int stable = 0; stable < 2; stable++) {
            struct wide *w = wide_numbers(N, nth);
            int sorted;
            bgi_fault_arm(BGI_FAULT_ALL, nth);
            int r = stable ? bg_parallel_stable_sort(w, N, sizeof *w, by_number_3, NULL)
                           : bg_parallel_sort(w, N, sizeof *w, by_number_3, NULL);
            bgi_fault_disarm();
            cr_assert_eq(r, stable && nth <= 2 ? -ENOMEM : 0);
            cr_assert(are_whole(w, N, &sorted));
            cr_assert_eq(sorted, r == 0);
            cr_assert_eq(bgi_alloc_live(), live);
        }
    }
}

static int no_memory_then_cancelled(void *arg)
{
    struct cancelled_sort *c = arg;
    bg_task *t = bg_spawn(sort_and_be_cancelled, c);
    bgi_fault_arm(BGI_FAULT_ALL | BGI_FAULT_FOREVER, 1);
    int r = bg_await(t);
    bgi_fault_disarm();
    CHECK(r == 0 || r == -ECANCELED);
    return 0;
}

Test(sort_ends, cancelled_without_memory)
{
    for (bgi_word when = 1; when < 100000; when *= 3) {
        struct cancelled_sort c = {5000, when, 0, 0};
        RUN(no_memory_then_cancelled, &c, .workers = 1, .spares = BG_NO_SPARES);
    }
}
