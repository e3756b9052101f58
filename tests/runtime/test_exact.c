/*
 * Never early: sleeps and callbacks of random length, each measured against the clock of the
 * program, on any number of workers, with workers stuck in between.
 */
#include "../task/check.h"

enum { TASKS = 500, SLEEPS = 20 };

static bgi_atomic sleeps, calls;

static bg_duration random_length(struct bgi_random *rnd)
{
    /* Most within a few ticks of the wheel, some over several of its levels. */
    switch (bgi_random_below(rnd, 4)) {
    case 0:
        return (bg_duration)bgi_random_below(rnd, 2000);
    case 1:
        return (bg_duration)bgi_random_below(rnd, 200000);
    case 2:
        return (bg_duration)bgi_random_below(rnd, 2000000);
    default:
        return (bg_duration)bgi_random_below(rnd, 10000000);
    }
}

static int sleep_often(void *arg)
{
    struct bgi_random rnd;
    bgi_random_seed(&rnd, (uintptr_t)arg);
    for (int i = 0; i < SLEEPS; i++) {
        bg_duration d = random_length(&rnd);
        bg_time before = bg_now();
        if (i % 2 == 0) {
            CHECK(bg_sleep(d) == 0);
        } else {
            CHECK(bg_sleep_until(before + d) == 0);
        }
        CHECK(bg_now() >= before + d);
        add_one(&sleeps);
        if (bgi_random_below(&rnd, 100) == 0) { /* computes for a while */
            for (bg_time until = bg_now() + BG_MS; bg_now() < until;) {
            }
        }
    }
    return 0;
}

static int main_sleeps(void *arg)
{
    static bg_task *t[TASKS];
    int n = MANY(TASKS);
    (void)arg;
    bgi_store(&sleeps, 0);
    for (int i = 0; i < n; i++) {
        t[i] = bg_spawn(sleep_often, INT_ARG(i));
    }
    CHECK(bg_gather_all(t, (size_t)n, NULL) == 0);
    CHECK(bgi_load(&sleeps) == (bgi_word)(n * SLEEPS));
    return 0;
}

Test(exact, ten_thousand_sleeps)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_sleeps, NULL, .workers = w);
    }
    RUN(main_sleeps, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

struct call {
    bg_timer timer;
    bg_time not_before;
    struct bgi_random rnd;
    int left;
};

static int next_call(void *arg)
{
    struct call *c = arg;
    bg_time now = bg_now();
    CHECK(now >= c->not_before);
    if (--c->left > 0) {
        bg_duration d = random_length(&c->rnd);
        c->not_before = now + d;
        CHECK(bg_timer_start(&c->timer, d, next_call, c) == 0);
    }
    add_one(&calls);
    return 0;
}

static int main_calls(void *arg)
{
    static struct call c[TASKS];
    int n = MANY(TASKS);
    (void)arg;
    bgi_store(&calls, 0);
    for (int i = 0; i < n; i++) {
        bgi_random_seed(&c[i].rnd, (uint64_t)i);
        bg_timer_init(&c[i].timer);
        c[i].left = SLEEPS;
        bg_duration d = random_length(&c[i].rnd);
        c[i].not_before = bg_now() + d;
        CHECK(bg_timer_start(&c[i].timer, d, next_call, &c[i]) == 0);
        if (i % 50 == 0) {
            for (bg_time until = bg_now() + 3 * BG_MS; bg_now() < until;) {
            }
        }
    }
    while (bgi_load_acquire(&calls) < (bgi_word)(n * SLEEPS)) {
        CHECK(bg_sleep(BG_MS) == 0);
    }
    for (int i = 0; i < n; i++) {
        CHECK(bg_timer_cancel(&c[i].timer) == 0);
    }
    return 0;
}

Test(exact, ten_thousand_callbacks)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_calls, NULL, .workers = w);
    }
}
