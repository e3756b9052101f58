/*
 * The clock: it goes forward, is the kernel's, and can be replaced and brought back.
 */
#include "base/clock.h"

#include <brigade/time.h>

#include <criterion/criterion.h>

static bg_time counting(void *ctx)
{
    bg_time *t = ctx;
    return (*t)++;
}

Test(clock, goes_forward)
{
    bg_time before = bg_now();
    for (int i = 0; i < 1000; i++) {
        bg_time now = bg_now();
        cr_assert_geq(now, before);
        before = now;
    }
}

Test(clock, is_the_monotonic_one)
{
    struct timespec a;
    struct timespec b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    bg_time now = bg_now();
    clock_gettime(CLOCK_MONOTONIC, &b);
    cr_assert_geq(now, (bg_time)a.tv_sec * BG_S + a.tv_nsec);
    cr_assert_leq(now, (bg_time)b.tv_sec * BG_S + b.tv_nsec);
}

Test(clock, counts_elapsed_time)
{
    bg_time before = bg_now();
    struct timespec wait = {.tv_nsec = 2 * BG_MS};
    while (nanosleep(&wait, &wait) != 0) {
    }
    cr_assert_geq(bg_now() - before, 2 * BG_MS);
}

Test(clock, can_be_replaced_and_brought_back)
{
    bg_time t = 1000;
    struct bgi_clock_ops ops = {.now = counting, .ctx = &t};
    bg_time real = bgi_clock_real();
    bgi_clock_set_ops(&ops);
    cr_assert_eq(bg_now(), 1000);
    cr_assert_eq(bgi_clock_now(), 1001);
    cr_assert_geq(bgi_clock_real(), real);
    bgi_clock_set_ops(NULL);
    cr_assert_geq(bg_now(), real);
    cr_assert_eq(t, 1002);
}

Test(clock, addition_saturates)
{
    cr_assert_eq(bgi_time_add(5, 7), 12);
    cr_assert_eq(bgi_time_add(5, -7), -2);
    cr_assert_eq(bgi_time_add(5, BG_FOREVER), BG_TIME_MAX);
    cr_assert_eq(bgi_time_add(BG_TIME_MAX, 1), BG_TIME_MAX);
    cr_assert_eq(bgi_time_add(BG_TIME_MAX, -1), BG_TIME_MAX - 1);
    cr_assert_eq(bgi_time_add(INT64_MIN, -1), INT64_MIN);
}

Test(clock, multipliers)
{
    cr_assert_eq(BG_MIN, 60 * BG_S);
    cr_assert_eq(BG_S, 1000 * BG_MS);
    cr_assert_eq(BG_MS, 1000 * BG_US);
    cr_assert_eq(BG_US, 1000 * BG_NS);
    cr_assert_eq(BG_VERSION, 100);
    cr_assert_str_eq(BG_VERSION_STRING, "0.1.0");
}

/* Off by half at most, for as long as this thread is not on another CPU, which may show any time.
 */
Test(clock, rough_is_about_right)
{
    int right = 0;
    for (int i = 0; i < 100 && !right; i++) {
        bg_time begin = bgi_clock_now(), rough = bgi_clock_rough(), end;
        do {
            end = bgi_clock_now();
        } while (end - begin < BG_MS);
        bg_duration took = bgi_clock_rough() - rough;
        right = took > (end - begin) / 3 && took < 3 * (end - begin);
    }
    cr_assert(right);
}

Test(clock, rough_is_replaced_too)
{
    bg_time t = 5;
    struct bgi_clock_ops ops = {.now = counting, .ctx = &t};
    bgi_clock_set_ops(&ops);
    bg_time first = bgi_clock_now(), second = bgi_clock_rough();
    bgi_clock_set_ops(NULL);
    cr_assert_eq(first, 5);
    cr_assert_eq(second, 6);
    cr_assert_neq(bgi_clock_rough(), 7);
}
