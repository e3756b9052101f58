/*
 * The sort against an oracle: every length up to some hundreds, every shape, many sizes of
 * elements, both forms, on any number of workers, in a callback, on a plain thread; stability; what
 * it refuses.
 *
 * Labels: valgrind
 */
#include "sorting.h"

#include <errno.h>

/* Elements of any size of at least 1: the key is in the first bytes, a check of the key behind. */
struct trial {
    size_t n, size;
    enum shape shape;
    size_t grain;
    int stable;
};

static void sort_one(const struct trial *t, uint64_t seed)
{
    struct bgi_random random;
    bgi_random_seed(&random, seed);
    unsigned char *array = malloc(t->n * t->size + 1), *copy = malloc(t->n * t->size + 1);
    struct width width = {t->size, 0};
    fill(array, t->n, t->size, t->shape, &random);
    memcpy(copy, array, t->n * t->size);
    array[t->n * t->size] = 0x5a;
    int r = t->stable
                ? bg_parallel_stable_sort(array, t->n, t->size, by_key, &width, .grain = t->grain)
                : bg_parallel_sort(array, t->n, t->size, by_key, &width, .grain = t->grain);
    CHECK(r == 0);
    CHECK(array[t->n * t->size] == 0x5a);
    oracle(copy, t->n, t->size);
    CHECK(memcmp(array, copy, t->n * t->size) == 0); /* all of an element is its key */
    CHECK(bgi_load(&width.wrong) == 0);
    free(array);
    free(copy);
}

static const size_t sizes[] = {1, 2, 3, 4, 7, 8, 12, 16, 24, 64, 128, 200};

static int every_length(void *arg)
{
    (void)arg;
    for (size_t n = 0; n <= (size_t)(CHECK_SLOW || BGI_EMULATED ? 100 : 200); n++) {
        for (size_t s = 0; s < BGI_ARRAY_LEN(sizes); s++) {
            struct trial t = {n, sizes[s], (enum shape)(n % SHAPES), n % 3 * 8, (int)(n / 3 % 2)};
            sort_one(&t, n * 100 + s);
            t.shape = RANDOM;
            sort_one(&t, n * 100 + s);
        }
    }
    return 0;
}

/* Each shape, in each form, with a third of the sizes: the other thirds in the runs after it. */
static int every_shape(void *arg)
{
    static size_t at;
    (void)arg;
    at++;
    for (int shape = 0; shape < SHAPES; shape++) {
        for (int stable = 0; stable < 2; stable++) {
            for (size_t s = (at + (size_t)shape) % 3; s < BGI_ARRAY_LEN(sizes); s += 3) {
                struct trial t = {SOME(4000) + 7 * s, sizes[s], (enum shape)shape, 0, stable};
                sort_one(&t, s + 1);
                t.grain = 32;
                sort_one(&t, s + 1);
            }
        }
    }
    return 0;
}

Test(sort, every_length_on_a_plain_thread)
{
    (void)every_length(NULL);
    NO_CHECK_FAILED();
}

Test(sort, every_length_in_a_task)
{
    RUN(every_length, NULL, .workers = 4);
}

Test(sort, every_shape_on_any_number_of_workers)
{
    (void)every_shape(NULL);
    NO_CHECK_FAILED();
    EACH_WORKER_COUNT(w)
    {
        RUN(every_shape, NULL, .workers = w);
    }
}

/* Aligned more than any memory is. */
Test(sort, elements_of_pages)
{
    struct trial t = {100, 16384, RANDOM, 0, 1};
    sort_one(&t, 1);
    NO_CHECK_FAILED();
}

static int large(void *arg)
{
    (void)arg;
    static const size_t of[] = {4, 8, 16, 12};
    for (size_t i = 0; i < BGI_ARRAY_LEN(of); i++) {
        struct trial t = {SOME(200000), of[i], RANDOM, 0, (int)(i % 2)};
        sort_one(&t, i);
    }
    return 0;
}

Test(sort, large_arrays)
{
    RUN(large, NULL, .workers = 2);
    RUN(large, NULL, .workers = 8);
}

/* ---- strings ---- */

static int by_text(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_strings(size_t n, size_t grain)
{
    struct bgi_random random;
    char(*texts)[12] = malloc(n * sizeof *texts);
    char **array = malloc(n * sizeof *array);
    unsigned char *seen = calloc(n, 1);
    bgi_random_seed(&random, 4);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "%08x", bgi_random_below(&random, 1U << 20));
        array[i] = texts[i];
    }
    CHECK(bg_parallel_stable_sort(array, n, sizeof *array, by_text, NULL, .grain = grain) == 0);
    for (size_t i = 0; i < n; i++) {
        size_t from = (size_t)(array[i] - texts[0]) / sizeof texts[0];
        CHECK(from < n && !seen[from]);
        seen[from] = 1;
        if (i > 0) {
            int c = strcmp(array[i - 1], array[i]);
            CHECK(c < 0 || (c == 0 && array[i - 1] < array[i]));
        }
    }
    free(texts);
    free(array);
    free(seen);
}

static int sorts_strings(void *arg)
{
    (void)arg;
    sort_strings(SOME(200000), 0); /* merged four at a time, unless there are fewer */
    sort_strings(SOME(40000), 32);
    sort_strings(SOME(40000), 1000);
    return 0;
}

Test(sort, strings)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(sorts_strings, NULL, .workers = w);
    }
}

/* ---- what is equal keeps its order ---- */

struct pair {
    uint32_t key, index;
};

static int by_pair_key(const void *a, const void *b, void *ctx)
{
    const struct pair *x = a, *y = b;
    (void)ctx;
    return (x->key > y->key) - (x->key < y->key);
}

static int is_stable(void *arg)
{
    struct bgi_random random;
    bgi_random_seed(&random, 9);
    for (uint32_t keys = 1; keys < 2000; keys = keys * 3 + 1) {
        for (size_t n = 2; n < SOME(30000); n = n * 3 + 1) {
            struct pair *p = malloc(n * sizeof *p);
            for (size_t i = 0; i < n; i++) {
                p[i] = (struct pair){bgi_random_below(&random, keys), (uint32_t)i};
            }
            CHECK(bg_parallel_stable_sort(p, n, sizeof *p, by_pair_key, NULL,
                                          .grain = (size_t)(intptr_t)arg) == 0);
            for (size_t i = 1; i < n; i++) {
                CHECK(p[i - 1].key < p[i].key ||
                      (p[i - 1].key == p[i].key && p[i - 1].index < p[i].index));
            }
            free(p);
        }
    }
    return 0;
}

Test(sort, what_is_equal_keeps_its_order)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(is_stable, NULL, .workers = w);
        RUN(is_stable, INT_ARG(40), .workers = w);
    }
}

/* ---- several at once, one within another, anywhere ---- */

static int sorts_some(void *arg)
{
    struct trial t = {500 + (size_t)(intptr_t)arg * 30, 8, RANDOM, 32, (int)(intptr_t)arg % 2};
    sort_one(&t, (uint64_t)(intptr_t)arg);
    return 0;
}

static int many_at_once(void *arg)
{
    bg_task *tasks[12];
    (void)arg;
    for (size_t i = 0; i < BGI_ARRAY_LEN(tasks); i++) {
        tasks[i] = bg_spawn(sorts_some, INT_ARG(i));
    }
    return bg_gather_all(tasks, BGI_ARRAY_LEN(tasks), NULL);
}

Test(sort, several_at_once)
{
    EACH_WORKER_COUNT(w)
    {
        for (int i = 0; i < MANY(10); i++) {
            RUN(many_at_once, NULL, .workers = w);
        }
    }
    cr_assert_eq(bg_explore(many_at_once, NULL, .seeds = MANY(40)), 0);
    NO_CHECK_FAILED();
}

/* Rows of numbers: each comparison of two sorts both. */
enum { ROW = 40 };

static int by_value(const void *a, const void *b, void *ctx)
{
    uint64_t x, y;
    (void)ctx;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int by_sorted_row(const void *a, const void *b, void *ctx)
{
    uint64_t x[ROW], y[ROW];
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    CHECK(bg_parallel_sort(x, ROW, sizeof *x, by_value, ctx, .grain = 8) == 0);
    CHECK(bg_parallel_sort(y, ROW, sizeof *y, by_value, ctx, .grain = 8) == 0);
    for (size_t i = 0; i < ROW; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return 0;
}

static int nested(void *arg)
{
    enum { ROWS = 70 };
    struct bgi_random random;
    uint64_t(*rows)[ROW] = malloc(ROWS * sizeof *rows);
    (void)arg;
    bgi_random_seed(&random, 3);
    for (size_t i = 0; i < (size_t)ROWS * ROW; i++) {
        rows[i / ROW][i % ROW] = bgi_random_next(&random) % 50;
    }
    CHECK(bg_parallel_sort(rows, ROWS, sizeof *rows, by_sorted_row, NULL, .grain = 8) == 0);
    for (size_t i = 1; i < ROWS; i++) {
        CHECK(by_sorted_row(rows[i - 1], rows[i], NULL) <= 0);
    }
    free(rows);
    return 0;
}

Test(sort, one_within_another)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(nested, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(nested, NULL, .seeds = MANY(20)), 0);
    NO_CHECK_FAILED();
}

static int sorts_in_a_callback(void *arg)
{
    CHECK(bg_self() == NULL);
    (void)sorts_some(INT_ARG(33));
    add_one(arg);
    return 0;
}

static int has_callbacks(void *arg)
{
    bgi_atomic called = 0;
    (void)arg;
    for (int i = 0; i < 5; i++) {
        CHECK(bg_after(i * BG_US, sorts_in_a_callback, (void *)&called) == 0);
    }
    yield_until(&called, 5);
    return 0;
}

Test(sort, in_a_callback)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(has_callbacks, NULL, .workers = w);
    }
}

/* ---- sorted input ---- */

static bgi_atomic comparisons;

static int by_value_counted(const void *a, const void *b, void *ctx)
{
    (void)bgi_fetch_add(&comparisons, 1);
    return by_value(a, b, ctx);
}

Test(sort, one_look_at_each_will_do_when_sorted)
{
    enum { N = 20000 };
    static uint64_t array[N];
    for (int down = 0; down < 2; down++) {
        for (size_t i = 0; i < N; i++) {
            array[i] = down ? N - i : i / 3;
        }
        bgi_store(&comparisons, 0);
        cr_assert_eq(bg_parallel_stable_sort(array, N, 8, by_value_counted, NULL), 0);
        cr_assert_eq(bgi_load(&comparisons), N - 1);
        for (size_t i = 1; i < N; i++) {
            cr_assert(array[i - 1] <= array[i]);
        }
    }
}

/* ---- arguments ---- */

Test(sort, what_it_refuses)
{
    uint64_t array[3] = {3, 1, 2};
    bg_sort_options options = {.size = sizeof options}, old = {.size = 1};
    cr_assert_eq(bg_parallel_sort(NULL, 2, 8, by_value, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_sort(array, 3, 0, by_value, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_sort(array, 3, 8, NULL, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_sort(array, SIZE_MAX / 8 + 2, 8, by_value, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_stable_sort(array, SIZE_MAX / 8, 8, by_value, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_sort_opts(array, 3, 8, by_value, NULL, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_sort_opts(array, 3, 8, by_value, NULL, &old), -EINVAL);
    cr_assert(array[0] == 3 && array[1] == 1 && array[2] == 2);
    cr_assert_eq(bg_parallel_sort(NULL, 0, 0, by_value, NULL), 0);
    cr_assert_eq(bg_parallel_stable_sort(array, 1, 8, by_value, NULL, .grain = 5), 0);
    cr_assert_eq(bg_parallel_sort_opts(array, 3, 8, by_value, NULL, &options), 0);
    cr_assert(array[0] == 1 && array[1] == 2 && array[2] == 3);
    cr_assert_eq(bg_parallel_sort(array, 3, 8, by_value, NULL, .grain = SIZE_MAX), 0);
}
