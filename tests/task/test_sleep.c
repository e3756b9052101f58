/*
 * Sleeping and yielding: never too short, in order, and others run meanwhile.
 */
#include "check.h"

static int main_lengths(void *arg)
{
    static const bg_duration lengths[] = {1, 999, BG_US, 65536, 70 * BG_US, BG_MS, 5 * BG_MS};
    (void)arg;
    for (size_t i = 0; i < BGI_ARRAY_LEN(lengths); i++) {
        bg_time before = bg_now();
        CHECK(bg_sleep(lengths[i]) == 0);
        CHECK(bg_now() - before >= lengths[i]);

        bg_time when = bg_now() + lengths[i];
        CHECK(bg_sleep_until(when) == 0);
        CHECK(bg_now() >= when);
    }
    CHECK(bg_sleep(0) == 0);
    CHECK(bg_sleep(-5 * BG_S) == 0);
    CHECK(bg_sleep(INT64_MIN) == 0);
    CHECK(bg_sleep_until(0) == 0);
    CHECK(bg_sleep_until(-1) == 0);
    CHECK(bg_sleep_until(INT64_MIN) == 0);
    CHECK(bg_sleep_until(bg_now() - BG_S) == 0);
    return 0;
}

Test(sleep, at_least_so_long)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_lengths, NULL, .workers = w);
    }
}

static int order[64];
static int entries;

static int note(void *arg)
{
    order[entries++] = (int)(intptr_t)arg;
    return 0;
}

static bg_time start;

static int sleep_to_rank(void *arg)
{
    CHECK(bg_sleep_until(start + (intptr_t)arg * BG_MS) == 0);
    return note(arg);
}

static int main_order(void *arg)
{
    static const int shuffled[] = {7, 3, 9, 1, 5, 2, 8, 0, 6, 4};
    bg_task *t[10];
    (void)arg;
    int in_time;
    do { /* until all slept before the first was to wake */
        entries = 0;
        start = bg_now() + 5 * BG_MS;
        for (int i = 0; i < 10; i++) {
            t[i] = bg_spawn(sleep_to_rank, INT_ARG(shuffled[i]));
        }
        bg_yield();
        in_time = bg_now() < start;
        CHECK(bg_gather_all(t, 10, NULL) == 0);
    } while (!in_time);
    return 0;
}

Test(sleep, who_sleeps_less_wakes_first)
{
    RUN(main_order, NULL, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert_eq(entries, 10);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(order[i], i);
    }
}

/* ---- others run first ---- */

static int main_others_first(void *arg)
{
    (void)arg;
    bg_task *t[4];
    for (int kind = 0; kind < 4; kind++) {
        entries = 0;
        for (intptr_t i = 0; i < 4; i++) {
            t[i] = bg_spawn(note, INT_ARG(i));
        }
        if (kind == 0) {
            bg_yield();
        } else if (kind == 1) {
            CHECK(bg_sleep(0) == 0);
        } else if (kind == 2) {
            CHECK(bg_sleep(-1) == 0);
        } else {
            CHECK(bg_sleep(1) == 0);
        }
        CHECK(entries == 4);
        for (int i = 0; i < entries; i++) {
            CHECK(order[i] == i);
        }
        CHECK(bg_gather_all(t, 4, NULL) == 0);
    }
    return 0;
}

Test(sleep, others_run_first)
{
    RUN(main_others_first, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/* A sleep_until of a time that has passed may go on at once, but others are not starved by it. */
static int main_until_past_in_loop(void *arg)
{
    bgi_atomic *word = arg;
    while (bgi_load_acquire(word) == 0) {
        CHECK(bg_sleep_until(0) == 0);
    }
    return 0;
}

static bgi_atomic flag;

static int set_flag(void *arg)
{
    (void)arg;
    bgi_store_release(&flag, 1);
    return 0;
}

static int main_not_starved(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(main_until_past_in_loop, (void *)&flag);
    bg_task *u = bg_spawn(set_flag, NULL);
    CHECK(bg_gather(t, u) == 0);
    return 0;
}

Test(sleep, a_loop_of_short_sleeps_starves_nobody)
{
    RUN(main_not_starved, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/* Yielding tasks take turns, and one that yields alone does not keep timers or foreign threads
 * from being served. */
static bgi_atomic turns[3];

static int take_turns(void *arg)
{
    bgi_atomic *mine = arg;
    for (int i = 0; i < 1000; i++) {
        add_one(mine);
        for (int k = 0; k < 3; k++) {
            intptr_t ahead = (intptr_t)(bgi_load(mine) - bgi_load(&turns[k]));
            CHECK(ahead <= 1);
        }
        bg_yield();
    }
    return 0;
}

static int main_turns(void *arg)
{
    bg_task *t[3];
    (void)arg;
    for (int k = 0; k < 3; k++) {
        t[k] = bg_spawn(take_turns, (void *)&turns[k]);
    }
    CHECK(bg_gather_all(t, 3, NULL) == 0);
    return 0;
}

Test(sleep, those_who_yield_take_turns)
{
    RUN(main_turns, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

static int sleep_then_set(void *arg)
{
    CHECK(bg_sleep(2 * BG_MS) == 0);
    return set_flag(arg);
}

static int main_yield_and_timer(void *arg)
{
    (void)arg;
    bgi_store(&flag, 0);
    bg_task *t = bg_spawn(sleep_then_set, NULL);
    yield_until(&flag, 1);
    CHECK(bg_await(t) == 0);
    return 0;
}

Test(sleep, one_that_yields_alone_does_not_stop_timers)
{
    RUN(main_yield_and_timer, NULL, .workers = 1, .spares = BG_NO_SPARES);
    RUN(main_yield_and_timer, NULL, .workers = 1);
}

/* ---- many ---- */

static int sleep_and_measure(void *arg)
{
    bg_duration d = (bg_duration)(intptr_t)arg;
    bg_time before = bg_now();
    int r = bg_sleep(d);
    CHECK(bg_now() - before >= d);
    return r;
}

static int main_many(void *arg)
{
    enum { N = 2000 };
    static bg_task *t[N];
    struct bgi_random rnd;
    (void)arg;
    bgi_random_seed(&rnd, 9);
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(sleep_and_measure, INT_ARG(bgi_random_below(&rnd, 20000) * BG_US));
    }
    CHECK(bg_gather_all(t, N, NULL) == 0);
    bg_stats s = {.size = sizeof s};
    do { /* counted after what they woke has been queued */
        bg_yield();
        CHECK(bg_runtime_stats(NULL, &s) == 0);
    } while (s.timers_fired < N);
    CHECK(s.timers_fired == N);
    return 0;
}

Test(sleep, many_at_once)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_many, NULL, .workers = w);
    }
}

static int main_forever(void *arg)
{
    (void)arg;
    bg_task *t[3] = {bg_spawn(sleep_forever, NULL), bg_spawn(sleep_some, INT_ARG(INT64_MAX - 1)),
                     bg_spawn(sleep_some, INT_ARG(INT64_MAX / 2))};
    CHECK(bg_sleep(2 * BG_MS) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(bg_cancel(t[i]) == 0);
        CHECK(bg_await(t[i]) == -ECANCELED);
    }
    return 0;
}

Test(sleep, without_an_end)
{
    RUN(main_forever, NULL, .workers = 2);
}
