/*
 * The ticker, mostly on virtual time, where all that is said about time is exact.
 *
 * Labels: valgrind aarch64
 */
#include "sync.h"

#include <limits.h>

enum { TICK = 65536 }; /* of the timers (timer/wheel.h): nothing is later than that */

static bg_ticker k;

static int on_time(void *arg)
{
    (void)arg;
    bg_time start = bg_now();
    CHECK(bg_ticker_init(&k, 10 * BG_MS) == 0);
    for (int i = 1; i <= 20; i++) {
        CHECK(bg_tick(&k) == 0);
        bg_duration since = bg_now() - start;
        CHECK(since >= i * 10 * BG_MS && since <= i * 10 * BG_MS + TICK);
    }
    return 0;
}

static int late(void *arg)
{
    (void)arg;
    bg_time start = bg_now();
    CHECK(bg_ticker_init(&k, 10 * BG_MS) == 0);
    CHECK(bg_tick(&k) == 0);
    CHECK(bg_sleep(7 * BG_MS) == 0);
    CHECK(bg_tick(&k) == 0); /* at 20: what was done in between takes nothing from it */
    CHECK(bg_now() - start < 21 * BG_MS);
    CHECK(bg_sleep(15 * BG_MS) == 0);
    CHECK(bg_tick(&k) == 0); /* at 35, for 30 */
    CHECK(bg_now() - start < 36 * BG_MS);
    CHECK(bg_tick(&k) == 0); /* at 40 */
    CHECK(bg_now() - start >= 40 * BG_MS && bg_now() - start < 41 * BG_MS);
    CHECK(bg_sleep(37 * BG_MS) == 0);
    CHECK(bg_tick(&k) == 2); /* at 77, for 50; 60 and 70 were missed */
    CHECK(bg_now() - start < 78 * BG_MS);
    CHECK(bg_tick(&k) == 0);
    CHECK(bg_now() - start >= 80 * BG_MS && bg_now() - start < 81 * BG_MS);
    return 0;
}

static int ended(void *arg)
{
    (void)arg;
    bg_time start = bg_now();
    CHECK(bg_ticker_init(&k, 10 * BG_MS) == 0);
    bg_timeout (3 * BG_MS) {
        CHECK(bg_tick(&k) == -ETIMEDOUT);
        CHECK(bg_tick(&k) == -ETIMEDOUT);
    }
    CHECK(bg_tick(&k) == 0); /* the same tick */
    CHECK(bg_now() - start >= 10 * BG_MS && bg_now() - start < 11 * BG_MS);
    CHECK(bg_sleep(25 * BG_MS) == 0);
    bg_timeout (0) {
        CHECK(bg_tick(&k) == -ETIMEDOUT); /* though it has passed */
    }
    CHECK(bg_tick(&k) == 1);
    return 0;
}

static int edges(void *arg)
{
    bg_ticker copy;
    (void)arg;
    CHECK(bg_ticker_init(&k, 0) == -EINVAL);
    CHECK(bg_ticker_init(&k, -1) == -EINVAL);
    CHECK(bg_ticker_init(&k, BG_FOREVER) == 0);
    bg_timeout (BG_MS) {
        CHECK(bg_tick(&k) == -ETIMEDOUT);
    }
    CHECK(bg_ticker_init(&k, 1) == 0);
    CHECK(bg_sleep(4 * BG_S) == 0); /* more than so many ns */
    copy = k;
    CHECK(bg_tick(&copy) == INT_MAX);
    int missed = bg_tick(&copy);
    CHECK(missed >= 0 && missed < 1000 * 1000);
    return 0;
}

static int others(void *arg)
{
    (void)arg;
    int n = 0;
    while (bg_tick(&k) >= 0) {
        n++;
    }
    return n;
}

/* Who is late again and again does not keep others from running. */
static int lets_others_run(void *arg)
{
    (void)arg;
    static bg_ticker mine;
    CHECK(bg_ticker_init(&k, BG_MS) == 0);
    CHECK(bg_ticker_init(&mine, 1) == 0);
    bg_task *t = bg_spawn(others, NULL);
    (void)bg_sleep(10 * BG_MS);
    for (int i = 0; i < 1000; i++) {
        CHECK(bg_tick(&mine) >= 0);
    }
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) >= 5);
    return 0;
}

static int all(void *arg)
{
    CHECK(on_time(arg) == 0);
    CHECK(late(arg) == 0);
    CHECK(ended(arg) == 0);
    CHECK(edges(arg) == 0);
    CHECK(lets_others_run(arg) == 0);
    return 0;
}

Test(ticker, on_virtual_time)
{
    cr_assert_eq(bg_explore(all, NULL, .seeds = MANY(50)), 0);
    NO_CHECK_FAILED();
}

/* In real time: never early, and counted right. */
static int real(void *arg)
{
    (void)arg;
    bg_time start = bg_now();
    int64_t ticks = 0;
    CHECK(bg_ticker_init(&k, BG_MS) == 0);
    for (int i = 0; i < 20; i++) {
        int missed = bg_tick(&k);
        CHECK(missed >= 0);
        ticks += 1 + missed;
        CHECK(bg_now() - start >= ticks * BG_MS);
    }
    return 0;
}

Test(ticker, in_real_time)
{
    RUN(real, NULL, .workers = 2);
    cr_assert_eq(real(NULL), 0); /* by a plain thread */
    NO_CHECK_FAILED();
}
