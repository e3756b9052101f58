/*
 * Loops: each item once, whatever the range, the grain and the workers; errors, cancellation, parts
 * that wait, loops within loops.
 *
 * Labels: valgrind aarch64
 */
#include "../task/check.h"

#include "base/clock.h"
#include "stolen.h"

#include <errno.h>
#include <stdlib.h>

enum { MOST = 5000 };

/* How often each item was done: an array of words, so that others may look. */
struct items {
    bgi_atomic *times;
    size_t begin;
    size_t most; /* items of a part; 0: any number */
    bgi_atomic parts;
};

static void once(size_t begin, size_t end, void *ctx)
{
    struct items *it = ctx;
    CHECK(begin < end);
    CHECK(it->most == 0 || end - begin <= it->most);
    (void)bgi_fetch_add(&it->parts, 1);
    for (size_t i = begin; i < end; i++) {
        (void)bgi_fetch_add(&it->times[i - it->begin], 1);
    }
}

static void check_once(const struct items *it, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CHECK(bgi_load(&it->times[i]) == 1);
    }
}

static struct items items_of(size_t begin, size_t n, size_t grain)
{
    struct items it = {calloc(n + 1, sizeof(bgi_atomic)), begin, grain, 0};
    cr_assert_not_null(it.times);
    return it;
}

static void loop_over(size_t begin, size_t n, size_t grain)
{
    struct items it = items_of(begin, n, grain);
    CHECK(bg_parallel_for(begin, begin + n, once, &it, .grain = grain) == 0);
    check_once(&it, n);
    if (grain != 0) {
        size_t least = n / grain + (n % grain != 0);
        CHECK(bgi_load(&it.parts) == least);
    }
    free((void *)(uintptr_t)it.times);
}

static const size_t lengths[] = {0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 1000, MOST};
static const size_t grains[] = {0, 1, 2, 3, 64, 999, 1000, SIZE_MAX};

static int all_shapes(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < BGI_ARRAY_LEN(lengths); i++) {
        for (size_t k = 0; k < BGI_ARRAY_LEN(grains); k++) {
            loop_over(k * 1000, lengths[i], grains[k]);
        }
    }
    loop_over(SIZE_MAX - MOST, MOST, 0);
    loop_over(SIZE_MAX - MOST, MOST, 7);
    return 0;
}

static int small_shapes(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < 8; i++) {
        loop_over(i, lengths[i], i % 4);
    }
    return 0;
}

Test(for_loop, each_item_once)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(all_shapes, NULL, .workers = w);
    }
    (void)all_shapes(NULL); /* on a plain thread */
    cr_assert_eq(bg_explore(small_shapes, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
}

/* ---- one worker: in order, on the caller's stack ---- */

static size_t next;
static const char *stack_of_caller;

static void in_order(size_t begin, size_t end, void *ctx)
{
    char here;
    ptrdiff_t far = stack_of_caller - &here;
    (void)ctx;
    CHECK(begin == next);
    CHECK(far > -65536 && far < 65536);
    next = end;
}

static int one_worker(void *arg)
{
    char here;
    (void)arg;
    stack_of_caller = &here;
    next = 10;
    CHECK(bg_parallel_for(10, 100000, in_order, NULL) == 0);
    CHECK(next == 100000);
    next = 0;
    CHECK(bg_parallel_for(0, 1000, in_order, NULL, .grain = 3) == 0);
    CHECK(next == 1000);
    return 0;
}

Test(for_loop, with_one_worker_in_order_on_the_callers_stack)
{
    if (!forks_are_stolen()) {
        RUN(one_worker, NULL, .workers = 1);
    }
    (void)one_worker(NULL);
    NO_CHECK_FAILED();
}

/* ---- how many parts ---- */

static int64_t time_now; /* goes on by this for each item */
static int64_t item_takes;

static int64_t own_now(void *ctx)
{
    (void)ctx;
    return time_now;
}

static struct {
    size_t n, longest;
} counted;

static void count_parts(size_t begin, size_t end, void *ctx)
{
    (void)ctx;
    counted.n++;
    counted.longest = end - begin > counted.longest ? end - begin : counted.longest;
    time_now += (int64_t)(end - begin) * item_takes;
}

static size_t parts_of(size_t n)
{
    counted.n = counted.longest = 0;
    CHECK(bg_parallel_for(0, n, count_parts, NULL) == 0);
    return counted.n;
}

/* On a plain thread, so in order. */
Test(for_loop, as_many_parts_as_the_range_has_bits_or_of_some_microseconds_each)
{
    static const struct bgi_clock_ops clock = {.now = own_now};
    bgi_clock_set_ops(&clock);
    size_t bits = 0;
    for (size_t n = 1; n <= 5000; n++) { /* items that take no time */
        bits += n >> bits != 0;
        cr_assert_leq(parts_of(n), bits + 1, "%zu items in %zu parts", n, counted.n);
    }
    item_takes = BG_MS;
    cr_assert_eq(parts_of(1000), 1000);
    item_takes = 100;
    size_t n = parts_of(100000); /* ten milliseconds */
    cr_assert(n >= 700 && n <= 5000, "in %zu parts", n);
    cr_assert_leq(counted.longest, 200);
    bgi_clock_set_ops(NULL);
    NO_CHECK_FAILED();
}

/* ---- others take part ---- */

static bgi_atomic arrived;

/* Returns when as many parts as there are workers are here at once. */
static void meet(size_t begin, size_t end, void *ctx)
{
    bgi_word want = (bgi_word)(uintptr_t)ctx;
    (void)begin;
    (void)end;
    add_one(&arrived);
    yield_until(&arrived, want);
}

static int main_meet(void *arg)
{
    bgi_store(&arrived, 0);
    return bg_parallel_for(0, (size_t)(uintptr_t)arg, meet, arg, .grain = 1);
}

/* The same without ever suspending: so there really are as many workers. */
static void meet_computing(size_t begin, size_t end, void *ctx)
{
    (void)begin;
    (void)end;
    add_one(&arrived);
    block_until(&arrived, (bgi_word)(uintptr_t)ctx);
}

static int main_meet_computing(void *arg)
{
    bgi_store(&arrived, 0);
    return bg_parallel_for(0, 2, meet_computing, arg, .grain = 1);
}

/* ---- how large a part is, is learnt by each who goes through a range ---- */

enum { UNEVEN = 4000, COSTLY_US = 25 };

static bgi_atomic busy, cheap_done, costly_begun;

/* Keeps the other worker from the loop until the cheap half has been gone through. */
static int comes_late(void *unused)
{
    (void)unused;
    bgi_store_release(&busy, 1);
    while (!bgi_load_acquire(&cheap_done)) {
        bgi_pause();
    }
    return 0;
}

/* The second half takes long, and is begun by another as the first one ends. */
static void cheap_then_costly(size_t begin, size_t end, void *ctx)
{
    struct items *it = ctx;
    once(begin, end, it);
    if (begin >= UNEVEN / 2) {
        bgi_store_release(&costly_begun, 1);
        CHECK(end - begin == 1);
        bg_time until = bgi_clock_now() + COSTLY_US * BG_US;
        while (bgi_clock_now() < until) {
            bgi_pause();
        }
    } else if (end == UNEVEN / 2) {
        bgi_store_release(&cheap_done, 1);
        while (!bgi_load_acquire(&costly_begun)) {
            bgi_pause();
        }
    }
}

static int uneven(void *unused)
{
    (void)unused;
    struct items it = items_of(0, UNEVEN, 0);
    bg_task *late = bg_spawn(comes_late, NULL);
    while (!bgi_load_acquire(&busy)) {
        bgi_pause(); /* it is stolen */
    }
    CHECK(bg_parallel_for(0, UNEVEN, cheap_then_costly, &it) == 0);
    CHECK(bg_await(late) == 0);
    check_once(&it, UNEVEN);
    free((void *)(uintptr_t)it.times);
    return 0;
}

Test(for_loop, costly_items_are_parts_of_their_own_beside_cheap_ones)
{
    RUN(uneven, NULL, .workers = 2, .spares = BG_NO_SPARES);
}

Test(for_loop, others_take_part)
{
    RUN(main_meet, (void *)8, .workers = 8);
    RUN(main_meet, (void *)40, .workers = 3);
    RUN(main_meet_computing, (void *)2, .workers = 2);
    NO_CHECK_FAILED();
}

/* ---- errors and cancellation ---- */

static bgi_atomic called;

static int fails_at(size_t begin, size_t end, void *ctx)
{
    size_t at = (size_t)(uintptr_t)ctx;
    add_one(&called);
    return begin <= at && at < end ? -EPROTO : 1;
}

static int main_fails(void *arg)
{
    (void)arg;
    CHECK(bg_parallel_try_for(0, 1000, fails_at, (void *)1000, .grain = 1) == 0);
    CHECK(bg_parallel_try_for(0, 1000, fails_at, (void *)999) == -EPROTO);
    CHECK(bg_parallel_try_for(0, 1, fails_at, (void *)0) == -EPROTO);
    bgi_store(&called, 0);
    CHECK(bg_parallel_try_for(0, 10 * 1000 * 1000, fails_at, (void *)0, .grain = 1) == -EPROTO);
    CHECK(bgi_load(&called) < 10 * 1000 * 1000);
    return 0;
}

static int main_fails_alone(void *arg)
{
    (void)arg;
    bgi_store(&called, 0);
    CHECK(bg_parallel_try_for(0, 1000, fails_at, (void *)3, .grain = 1) == -EPROTO);
    CHECK(bgi_load(&called) == 4);
    return 0;
}

Test(for_loop, the_first_error_ends_it)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_fails, NULL, .workers = w);
    }
    RUN(main_fails_alone, NULL, .workers = 1);
    (void)main_fails_alone(NULL);
    NO_CHECK_FAILED();
}

static void count_part(size_t begin, size_t end, void *ctx)
{
    (void)begin;
    (void)end;
    (void)ctx;
    add_one(&called);
}

static void cancel_in_the_middle(size_t begin, size_t end, void *ctx)
{
    count_part(begin, end, NULL);
    if (begin == 100) {
        (void)bg_cancel(ctx);
    }
}

static int loops_until_cancelled(void *arg)
{
    (void)arg;
    return bg_parallel_for(0, 10 * 1000 * 1000, cancel_in_the_middle, bg_self(), .grain = 1);
}

static int cancelled_before(void *arg)
{
    (void)arg;
    CHECK(bg_parallel_for(5, 5, count_part, NULL) == 0);
    (void)bg_cancel(bg_self());
    bgi_store(&called, 0);
    CHECK(bg_parallel_for(0, 10, count_part, NULL) == -ECANCELED);
    CHECK(bg_parallel_for(5, 5, count_part, NULL) == -ECANCELED);
    CHECK(bgi_load(&called) == 0);
    bg_shield
    {
        CHECK(bg_parallel_for(0, 10, count_part, NULL, .grain = 1) == 0);
    }
    CHECK(bgi_load(&called) == 10);
    return bg_cancelled();
}

static int main_cancelled(void *arg)
{
    (void)arg;
    bgi_store(&called, 0);
    CHECK(bg_await(bg_spawn(loops_until_cancelled, NULL)) == -ECANCELED);
    CHECK(bgi_load(&called) < 10 * 1000 * 1000);
    CHECK(bg_await(bg_spawn(cancelled_before, NULL)) == -ECANCELED);
    bg_timeout (BG_MS) {
        CHECK(bg_parallel_for(0, SIZE_MAX, count_part, NULL, .grain = 1) == -ETIMEDOUT);
    }
    CHECK(bg_timed_out());
    return 0;
}

Test(for_loop, cancelled_it_ends_early)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancelled, NULL, .workers = w);
    }
}

/* ---- parts that wait, and loops in loops ---- */

static bgi_atomic sum;

static void wait_a_little(size_t begin, size_t end, void *ctx)
{
    bg_mutex *m = ctx;
    for (size_t i = begin; i < end; i++) {
        CHECK(bg_sleep((bg_duration)(i % 3) * BG_US) == 0);
        CHECK(bg_mutex_lock(m) == 0);
        (void)bgi_fetch_add(&sum, i);
        if (i % 4 == 0) {
            bg_yield();
        }
        CHECK(bg_mutex_unlock(m) == 0);
    }
}

static void inner(size_t begin, size_t end, void *ctx)
{
    for (size_t i = begin; i < end; i++) {
        CHECK(bg_parallel_for(0, 10, wait_a_little, ctx, .grain = i % 3) == 0);
    }
}

static int one_loop_of_loops(void *arg)
{
    return bg_parallel_for(0, 12, inner, arg, .grain = 1);
}

static int loops_in_loops(void *arg)
{
    bg_mutex m = BG_MUTEX_INIT;
    bg_task *t[4];
    (void)arg;
    bgi_store(&sum, 0);
    for (int i = 0; i < 4; i++) {
        t[i] = bg_spawn(one_loop_of_loops, &m);
    }
    CHECK(bg_gather_all(t, 4, NULL) == 0);
    CHECK(bgi_load(&sum) == 4 * 12 * 45);
    return 0;
}

Test(for_loop, parts_may_wait_and_loop_themselves)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(loops_in_loops, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(loops_in_loops, NULL, .seeds = MANY(100)), 0);
    NO_CHECK_FAILED();
}

/* All sleep at the same time, on one worker too: the clock says so. */
static void sleep_long(size_t begin, size_t end, void *ctx)
{
    (void)begin;
    (void)end;
    (void)ctx;
    CHECK(bg_sleep(BG_S) == 0);
}

static int all_asleep(void *arg)
{
    (void)arg;
    bg_time before = bg_now();
    CHECK(bg_parallel_for(0, 50, sleep_long, NULL, .grain = 1) == 0);
    CHECK(bg_now() - before < 2 * BG_S);
    return 0;
}

Test(for_loop, parts_that_wait_do_so_side_by_side)
{
    RUN(all_asleep, NULL, .seed = 1, .workers = 1); /* in virtual time */
    RUN(all_asleep, NULL, .seed = 2, .workers = 4);
    NO_CHECK_FAILED();
}

/* ---- in a callback ---- */

static int loop_in_a_callback(void *arg)
{
    struct items *it = arg;
    CHECK(bg_parallel_for(0, 1000, once, it) == 0);
    CHECK(bg_parallel_for(0, 0, once, it) == 0);
    add_one(&called);
    return 0;
}

static int main_callback(void *arg)
{
    bgi_store(&called, 0);
    CHECK(bg_after(0, loop_in_a_callback, arg) == 0);
    yield_until(&called, 1);
    return 0;
}

Test(for_loop, in_a_callback)
{
    EACH_WORKER_COUNT(w)
    {
        struct items it = items_of(0, 1000, 0);
        RUN(main_callback, &it, .workers = w);
        check_once(&it, 1000);
        free((void *)(uintptr_t)it.times);
    }
    NO_CHECK_FAILED();
}

/* ---- two dimensions ---- */

struct grid {
    bg_range_2d range;
    size_t width;
    bgi_atomic *times;
    size_t rows, columns;
};

static void tile_once(const bg_range_2d *t, void *ctx)
{
    struct grid *g = ctx;
    CHECK(t->row_begin < t->row_end && t->row_end <= g->range.row_end);
    CHECK(t->column_begin < t->column_end && t->column_end <= g->range.column_end);
    CHECK(t->row_end - t->row_begin <= g->rows && t->column_end - t->column_begin <= g->columns);
    for (size_t r = t->row_begin; r < t->row_end; r++) {
        for (size_t c = t->column_begin; c < t->column_end; c++) {
            size_t at = (r - g->range.row_begin) * g->width + (c - g->range.column_begin);
            (void)bgi_fetch_add(&g->times[at], 1);
        }
    }
}

static void grid_of(size_t rows, size_t columns, size_t tile_rows, size_t tile_columns)
{
    struct grid g = {{7, 7 + rows, 3, 3 + columns}, columns, NULL, 16, 256};
    g.times = calloc(rows * columns + 1, sizeof(bgi_atomic));
    cr_assert_not_null(g.times);
    g.rows = tile_rows != 0 ? tile_rows : g.rows;
    g.columns = tile_columns != 0 ? tile_columns : g.columns;
    CHECK(bg_parallel_for_2d(&g.range, tile_once, &g, .rows = tile_rows, .columns = tile_columns) ==
          0);
    for (size_t i = 0; i < rows * columns; i++) {
        CHECK(bgi_load(&g.times[i]) == 1);
    }
    free((void *)(uintptr_t)g.times);
}

static int grids(void *arg)
{
    (void)arg;
    grid_of(0, 0, 0, 0);
    grid_of(0, 5, 0, 0);
    grid_of(5, 0, 0, 0);
    grid_of(1, 1, 0, 0);
    grid_of(17, 300, 0, 0);
    grid_of(17, 300, 5, 7);
    grid_of(64, 64, 1, SIZE_MAX);
    grid_of(64, 64, SIZE_MAX, 1);
    return 0;
}

Test(for_loop, in_two_dimensions)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(grids, NULL, .workers = w);
    }
    NO_CHECK_FAILED();
}

/* ---- misuse ---- */

static int nothing(size_t begin, size_t end, void *ctx)
{
    (void)begin;
    (void)end;
    (void)ctx;
    return 0;
}

Test(for_loop, what_is_not_valid)
{
    bg_parallel_options o = {.size = sizeof o - 1};
    bg_parallel_2d_options o2 = {.size = sizeof o2 - 1};
    bg_range_2d all = {0, SIZE_MAX, 0, SIZE_MAX}, wrong = {1, 0, 0, 1}, wrong_2 = {0, 1, 1, 0};
    struct grid g = {.width = 0};
    cr_assert_eq(bg_parallel_for(1, 0, count_part, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_for(0, 1, NULL, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_try_for(1, 0, nothing, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_try_for(0, 1, NULL, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_for_opts(0, 1, count_part, NULL, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_for_opts(0, 1, count_part, NULL, &o), -EINVAL);
    cr_assert_eq(bg_parallel_for_2d(NULL, tile_once, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_for_2d(&all, NULL, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_for_2d(&wrong, tile_once, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_for_2d(&wrong_2, tile_once, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_for_2d(&all, tile_once, &g, .rows = 1, .columns = 1), -EINVAL);
    cr_assert_eq(bg_parallel_for_2d_opts(&all, tile_once, &g, NULL), -EINVAL);
    cr_assert_eq(bg_parallel_for_2d_opts(&all, tile_once, &g, &o2), -EINVAL);
}
