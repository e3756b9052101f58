/*
 * Callbacks after a delay: bg_after and bg_timer.
 */
#include "check.h"

#include "base/stress.h"
#include "core/sched.h"

static bgi_atomic calls;

static int must_not_run(void *arg)
{
    (void)arg;
    CHECK(0);
    return -EIO;
}

static int count_call(void *arg)
{
    (void)arg;
    CHECK(bg_self() == NULL);
    add_one(&calls);
    return 0;
}

static int main_arguments(void *arg)
{
    bg_timer t;
    (void)arg;
    bg_timer_init(&t);
    CHECK(bg_after(0, NULL, NULL) == -EINVAL);
    CHECK(bg_timer_start(&t, 0, NULL, NULL) == -EINVAL);
    CHECK(bg_timer_cancel(&t) == 0); /* not started */
    bgi_store(&calls, 0);
    CHECK(bg_after(-BG_S, count_call, NULL) == 0); /* a delay that has passed */
    CHECK(bg_after(INT64_MIN, count_call, NULL) == 0);
    CHECK(bg_timer_start(&t, -BG_S, count_call, NULL) == 0);
    yield_until(&calls, 3);
    return 0;
}

Test(after, arguments)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_arguments, NULL, .workers = w);
    }
}

#if !BGI_DEBUG
Test(after, outside_of_a_runtime_it_is_not_allowed)
{
    bg_timer t;
    bg_timer_init(&t);
    cr_assert_eq(bg_after(0, count_call, NULL), -EPERM);
    cr_assert_eq(bg_timer_start(&t, 0, count_call, NULL), -EPERM);
}
#endif

Test(after, a_timer_never_started_can_be_cancelled_anywhere)
{
    bg_timer t;
    bg_timer_init(&t);
    cr_assert_eq(bg_timer_cancel(&t), 0);
}

/* ---- when, and in which order ---- */

struct appointment {
    bg_time not_before;
    bgi_atomic done;
    bg_timer timer;
};

static int keep(void *arg)
{
    struct appointment *a = arg;
    CHECK(bg_now() >= a->not_before);
    add_one(&a->done);
    return 0;
}

static int main_never_early(void *arg)
{
    enum { N = 500 };
    static struct appointment a[2 * N];
    struct bgi_random rnd;
    (void)arg;
    bgi_random_seed(&rnd, 11);
    for (int i = 0; i < 2 * N; i++) {
        bg_duration d = (bg_duration)bgi_random_below(&rnd, 10000) * BG_US;
        bgi_store(&a[i].done, 0);
        a[i].not_before = bg_now() + d;
        if (i % 2 == 0) {
            CHECK(bg_after(d, keep, &a[i]) == 0);
        } else {
            bg_timer_init(&a[i].timer);
            CHECK(bg_timer_start(&a[i].timer, d, keep, &a[i]) == 0);
        }
        if (i % 16 == 0) {
            bg_yield();
        }
    }
    for (int i = 0; i < 2 * N; i++) {
        yield_until(&a[i].done, 1);
    }
    CHECK(bg_sleep(5 * BG_MS) == 0);
    for (int i = 0; i < 2 * N; i++) {
        CHECK(bgi_load(&a[i].done) == 1); /* once */
        CHECK(i % 2 == 0 || bg_timer_cancel(&a[i].timer) == 0);
    }
    return 0;
}

Test(after, once_and_never_early)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_never_early, NULL, .workers = w);
    }
}

static int order[64];
static int entries;

/* Times are rounded up to ticks of so many ns: within one, any order will do. */
#define TICK 65536

/* Between which times each timer was set, plus its delay: somewhere there it is due. */
static struct {
    bg_time from, to;
} due[64];

static int note(void *arg)
{
    order[entries++] = (int)(intptr_t)arg;
    return 0;
}

static void set_noted(int i, bg_duration delay)
{
    due[i].from = bg_now() + delay;
    CHECK(bg_after(delay, note, INT_ARG(i)) == 0);
    due[i].to = bg_now() + delay;
}

static int main_order(void *arg)
{
    static const int shuffled[] = {5, 1, 7, 3, 0, 6, 2, 4};
    (void)arg;
    entries = 0;
    for (int i = 0; i < 8; i++) {
        set_noted(shuffled[i], (10 + 5 * shuffled[i]) * BG_MS);
    }
    /* The same delay again and again: first come, first called. */
    for (int i = 8; i < 40; i++) {
        set_noted(i, 100 * BG_MS);
    }
    CHECK(bg_sleep(120 * BG_MS) == 0);
    CHECK(entries == 40);
    return 0;
}

Test(after, in_the_order_of_their_times)
{
    /* In real time, setting two of the eight may take longer than they are apart. */
    RUN(main_order, NULL, .workers = 1, .spares = BG_NO_SPARES);
    for (int i = 0; i < 40; i++) {
        cr_assert(i < 8 ? order[i] < 8 : order[i] == i);
        for (int k = 0; k < i; k++) {
            cr_assert(due[order[i]].to + TICK >= due[order[k]].from, "%d after %d", order[i],
                      order[k]);
        }
    }
    RUN(main_order, NULL, .seed = 1);
    for (int i = 0; i < 40; i++) {
        cr_assert_eq(order[i], i);
    }
}

/* ---- what a callback may do ---- */

static int chain(void *arg)
{
    add_one(&calls);
    intptr_t left = (intptr_t)arg;
    if (left > 0) {
        CHECK(bg_after(left % 3 * 20 * BG_US, chain, INT_ARG(left - 1)) == 0);
    }
    return 0;
}

static int main_chain(void *arg)
{
    (void)arg;
    bgi_store(&calls, 0);
    for (int i = 0; i < 10; i++) {
        CHECK(bg_after(0, chain, INT_ARG(99)) == 0);
    }
    yield_until(&calls, 1000);
    return 0;
}

Test(after, a_callback_may_ask_for_another)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_chain, NULL, .workers = w);
    }
}

/* ---- the end of the runtime ---- */

static int main_leaves_some(void *arg)
{
    (void)arg;
    bgi_store(&calls, 0);
    for (int i = 0; i < 300; i++) {
        CHECK(bg_after(BG_S * 3600 + i, count_call, NULL) == 0);
        CHECK(bg_after(BG_FOREVER, count_call, NULL) == 0);
    }
    CHECK(bg_after(0, count_call, NULL) == 0);
    yield_until(&calls, 1);
    for (int i = 0; i < 300; i++) {
        CHECK(bg_after(0, count_call, NULL) == 0); /* due, but perhaps not called */
    }
    return 0;
}

Test(after, what_is_pending_at_the_end_is_dropped)
{
    EACH_WORKER_COUNT(w)
    {
        size_t before = bgi_alloc_live();
        RUN(main_leaves_some, NULL, .workers = w);
        cr_assert_leq(bgi_load(&calls), 301);
        cr_assert_eq(bgi_alloc_live(), before);
    }
}

/* Spawns when the scheduler has stopped already, the last task having ended elsewhere. */
static int spawn_late(void *arg)
{
    bgi_sched *s = bgi_worker_self()->sched;
    (void)arg;
    bgi_store_release(&calls, 1);
    while (!bgi_load_acquire(&s->stopping)) {
        (void)sched_yield();
    }
    bg_detach(bg_spawn(must_not_run, NULL));
    CHECK(bg_spawn_with(must_not_run, int, 7) != NULL); /* nor given back */
    return 0;
}

static int main_calls_late(void *arg)
{
    (void)arg;
    bgi_store(&calls, 0);
    CHECK(bg_after(0, spawn_late, NULL) == 0);
    yield_until(&calls, 1);
    return 0;
}

Test(after, a_callback_may_spawn_when_all_is_over)
{
    for (int limited = 0; limited < 2; limited++) {
        EACH_WORKER_COUNT(w)
        {
            size_t before = bgi_alloc_live();
            RUN(main_calls_late, NULL, .workers = w, .max_tasks = limited ? 10 : 0);
            cr_assert_eq(bgi_alloc_live(), before);
        }
    }
}

static bg_timer left[100];

static int main_leaves_timers(void *arg)
{
    (void)arg;
    bgi_store(&calls, 0);
    for (int i = 0; i < 100; i++) {
        bg_timer_init(&left[i]);
        CHECK(bg_timer_start(&left[i], i % 2 ? BG_FOREVER : BG_S * 3600, count_call, NULL) == 0);
    }
    CHECK(bg_sleep(1) == 0);
    return 0;
}

Test(after, timers_may_be_left_pending_too)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_leaves_timers, NULL, .workers = w);
        cr_assert_eq(bgi_load(&calls), 0);
    }
}

/* ---- bg_timer ---- */

static int main_cancel(void *arg)
{
    bg_timer t;
    (void)arg;
    bgi_store(&calls, 0);
    bg_timer_init(&t);
    for (int i = 0; i < 1000; i++) {
        CHECK(bg_timer_start(&t, i % 2 ? BG_FOREVER : BG_S * 3600, count_call, NULL) == 0);
        CHECK(bg_timer_start(&t, 0, count_call, NULL) == -EBUSY);
        if (i % 3 == 0) {
            bg_yield();
        }
        if (i % 100 == 0) {
            CHECK(bg_sleep(1) == 0); /* so that it has been given its deadline */
            CHECK(bg_timer_start(&t, 0, count_call, NULL) == -EBUSY);
        }
        CHECK(bg_timer_cancel(&t) == 1);
        CHECK(bg_timer_cancel(&t) == 0);
    }
    CHECK(bgi_load(&calls) == 0);
    CHECK(bg_timer_start(&t, 0, count_call, NULL) == 0);
    yield_until(&calls, 1);
    CHECK(bg_timer_cancel(&t) == 0);                        /* it has fired */
    CHECK(bg_timer_start(&t, BG_S, count_call, NULL) == 0); /* and can be used again */
    memset(&t, 0, bg_timer_cancel(&t) == 1 ? sizeof t : 0); /* and is the caller's */
    CHECK(bg_sleep(BG_MS) == 0);
    CHECK(bgi_load(&calls) == 1);
    return 0;
}

Test(after, a_timer_is_started_and_cancelled)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancel, NULL, .workers = w);
    }
}

/* Fires, and starts itself again, a number of times. */
struct ticker {
    bg_timer timer;
    bgi_atomic ticks;
};

static int tick(void *arg)
{
    struct ticker *k = arg;
    if (bgi_fetch_add(&k->ticks, 1) + 1 < 50) {
        CHECK(bg_timer_start(&k->timer, 50 * BG_US, tick, k) == 0); /* and is the next call's now */
    }
    return 0;
}

static int main_ticker(void *arg)
{
    static struct ticker k[8];
    (void)arg;
    for (int i = 0; i < 8; i++) {
        bgi_store(&k[i].ticks, 0);
        bg_timer_init(&k[i].timer);
        CHECK(bg_timer_start(&k[i].timer, 0, tick, &k[i]) == 0);
    }
    for (int i = 0; i < 8; i++) {
        yield_until(&k[i].ticks, 50);
    }
    CHECK(bg_sleep(BG_MS) == 0);
    for (int i = 0; i < 8; i++) {
        CHECK(bgi_load(&k[i].ticks) == 50);
        CHECK(bg_timer_cancel(&k[i].timer) == 0);
    }
    return 0;
}

Test(after, a_timer_may_be_started_from_its_own_callback)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_ticker, NULL, .workers = w);
    }
}

/* Cancel, from wherever the scheduler has put the task by then, meets the expiry: exactly one of
 * the two wins. */
static int timeout(void *arg)
{
    add_one(arg);
    return 0;
}

static int use_timers(void *arg)
{
    struct bgi_random rnd;
    bg_timer t;
    bgi_atomic fired = 0; /* on this stack: a late call would write into whoever is here next */
    bgi_word expected = 0;
    bgi_random_seed(&rnd, (uintptr_t)arg);
    bg_timer_init(&t);
    for (int i = 0; i < MANY(600); i++) {
        CHECK(bg_timer_start(&t, (bg_duration)bgi_random_below(&rnd, 150) * BG_US, timeout,
                             (void *)&fired) == 0);
        if (i % 3 != 0) {
            CHECK(bg_sleep((bg_duration)bgi_random_below(&rnd, 150) * BG_US) == 0);
        }
        if (bg_timer_cancel(&t) == 0) {
            expected++;
            yield_until(&fired, expected); /* called, running, or about to be */
        }
        CHECK(bgi_load(&fired) == expected);
    }
    return 0;
}

static int main_cancel_races(void *arg)
{
    bg_task *t[17];
    (void)arg;
    for (int i = 0; i < 17; i++) {
        t[i] = bg_spawn(use_timers, INT_ARG(i));
    }
    CHECK(bg_gather_all(t, 17, NULL) == 0);
    return 0;
}

Test(after, cancel_races_the_expiry)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancel_races, NULL, .workers = w);
    }
}

/* From a plain thread, while the workers go on with timers of their own. */
struct handed {
    bg_timer timer;
    bgi_atomic started, stopped, fired;
    bgi_atomic quit;
};

static void *cancel_from_thread(void *arg)
{
    struct handed *h = arg;
    for (;;) {
        block_until(&h->started, 1);
        if (bgi_load(&h->quit)) {
            return NULL;
        }
        bgi_store(&h->started, 0);
        bgi_store_release(&h->stopped, bg_timer_cancel(&h->timer) == 1 ? 1 : 2);
    }
}

static int main_thread_cancels(void *arg)
{
    struct handed h;
    pthread_t thread;
    (void)arg;
    memset((void *)&h, 0, sizeof h);
    bg_timer_init(&h.timer);
    CHECK(pthread_create(&thread, NULL, cancel_from_thread, &h) == 0);
    bgi_word expected = 0;
    for (int i = 0; i < MANY(300); i++) {
        bgi_store(&h.stopped, 0);
        CHECK(bg_timer_start(&h.timer, i % 4 * 50 * BG_US, timeout, (void *)&h.fired) == 0);
        bgi_store_release(&h.started, 1);
        while (bgi_load_acquire(&h.stopped) == 0) {
            if (i % 2) {
                bg_yield();
            } else {
                CHECK(bg_sleep(10 * BG_US) == 0);
            }
        }
        expected += bgi_load(&h.stopped) == 2;
        yield_until(&h.fired, expected);
        CHECK(bgi_load(&h.fired) == expected);
    }
    bgi_store(&h.quit, 1);
    bgi_store_release(&h.started, 1);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}

Test(after, a_plain_thread_may_cancel)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_thread_cancels, NULL, .workers = w);
    }
}

/* A timer that starts itself again and again is cancelled from another task. When that succeeds,
 * once, it is over and the memory is the caller's. */
static int tick_on(void *arg)
{
    struct ticker *k = arg;
    add_one(&k->ticks);
    int r = bg_timer_start(&k->timer, bgi_load(&k->ticks) % 3 * 30 * BG_US, tick_on, k);
    CHECK(r == 0);
    return 0;
}

static int stop_tickers(void *arg)
{
    struct bgi_random rnd;
    bgi_random_seed(&rnd, (uintptr_t)arg);
    for (int i = 0; i < MANY(300); i++) {
        struct ticker k;
        bgi_store(&k.ticks, 0);
        bg_timer_init(&k.timer);
        CHECK(bg_timer_start(&k.timer, 0, tick_on, &k) == 0);
        yield_until(&k.ticks, bgi_random_below(&rnd, 4));
        while (bg_timer_cancel(&k.timer) != 1) {
            bg_yield(); /* it was just running */
        }
        bgi_word ticks = bgi_load(&k.ticks);
        memset(&k.timer, 0xff, sizeof k.timer);
        CHECK(bg_sleep((bg_duration)bgi_random_below(&rnd, 100) * BG_US) == 0);
        CHECK(bgi_load(&k.ticks) == ticks);
    }
    return 0;
}

static int main_stop_tickers(void *arg)
{
    bg_task *t[9];
    (void)arg;
    for (int i = 0; i < 9; i++) {
        t[i] = bg_spawn(stop_tickers, INT_ARG(i));
    }
    CHECK(bg_gather_all(t, 9, NULL) == 0);
    return 0;
}

Test(after, a_timer_that_starts_itself_is_cancelled)
{
    bgi_stress_set(4); /* in stress builds: often between any two steps of a cancel */
    EACH_WORKER_COUNT(w)
    {
        RUN(main_stop_tickers, NULL, .workers = w);
    }
}
