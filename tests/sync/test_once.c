/*
 * Once: done once, by whom it may be; a failure hands the turn on.
 *
 * Labels: valgrind aarch64
 */
#include "sync.h"

static bg_once o;
static int calls, running, made;
static int fail_first; /* so many calls fail */

static int make(void *arg)
{
    CHECK(running == 0);
    running = 1;
    int n = ++calls;
    if (arg != NULL) {
        bg_yield();
    }
    CHECK(running == 1);
    running = 0;
    if (n <= fail_first) {
        return -EIO;
    }
    made++;
    return n;
}

static void fresh(int failures)
{
    bg_once_init(&o);
    calls = 0;
    made = 0;
    running = 0;
    fail_first = failures;
}

static int alone(void *arg)
{
    static bg_once fixed = BG_ONCE_INIT;
    (void)arg;
    fresh(0);
    (void)bg_once_run(&fixed, make, NULL);
    CHECK(bg_once_run(&fixed, make, NULL) == 0);
    fresh(2);
    CHECK(bg_once_run(&o, make, NULL) == -EIO);
    CHECK(bg_once_run(&o, make, NULL) == -EIO);
    CHECK(calls == 2);
    CHECK(bg_once_run(&o, make, NULL) == 0); /* what make returned says only that it succeeded */
    CHECK(bg_once_run(&o, make, NULL) == 0);
    CHECK(calls == 3 && made == 1);
    bg_once_destroy(&o);
    return 0;
}

Test(once, run_to_success)
{
    everywhere(alone);
    cr_assert_eq(alone(NULL), 0); /* by a plain thread */
    NO_CHECK_FAILED();
}

/* ---- many ---- */

static int run(void *arg)
{
    (void)arg;
    int r = bg_once_run(&o, make, &o);
    CHECK(r < 0 || made == 1);
    return r;
}

static int run_as_thread(void *arg)
{
    (void)arg;
    int r = bg_once_run(&o, make, NULL);
    CHECK(r < 0 || made == 1);
    return r;
}

static int many(void *arg)
{
    enum { N = 6 };
    bg_task *t[N];
    int results[N], failed;
    (void)arg;
    for (int failures = 0; failures <= N; failures++) {
        fresh(failures);
        failed = 0;
        for (int i = 0; i < N; i++) {
            t[i] = bg_spawn(run, NULL);
        }
        (void)bg_gather_all(t, N, results);
        for (int i = 0; i < N; i++) {
            CHECK(results[i] == 0 || results[i] == -EIO);
            failed += results[i] != 0;
        }
        CHECK(failed == failures);
        CHECK(calls == (failures < N ? failures + 1 : N));
        CHECK(made == (failures < N));
        CHECK(waiting_on(&o) == 0);
    }
    return 0;
}

Test(once, done_by_one_for_all)
{
    everywhere(many);
}

static int mixed(void *arg)
{
    struct helper h[3];
    bg_task *t[3];
    int failed = 0;
    (void)arg;
    fresh(2);
    for (int i = 0; i < 3; i++) {
        t[i] = bg_spawn(run, NULL);
        helper_start(&h[i], run_as_thread, NULL);
    }
    for (int i = 0; i < 3; i++) {
        failed += bg_await(t[i]) == -EIO;
        failed += helper_end(&h[i]) == -EIO;
    }
    CHECK(failed == 2 && calls == 3 && made == 1);
    return 0;
}

Test(once, of_tasks_and_threads)
{
    on_threads(mixed);
}

/* ---- who is next ---- */

static bg_event go;
static int order[8], ordered;

static int slow_failure(void *arg)
{
    order[ordered++] = (int)(intptr_t)arg;
    bg_shield
    {
        CHECK(bg_event_wait(&go) == 0);
    }
    CHECK(bg_event_clear(&go) == 0);
    return bg_cancelled() != 0 ? bg_cancelled() : -EIO;
}

static int run_slow(void *arg)
{
    return bg_once_run(&o, slow_failure, arg);
}

static int in_order(void *arg)
{
    enum { N = 4 };
    bg_task *t[N];
    (void)arg;
    bg_once_init(&o);
    bg_event_init(&go);
    ordered = 0;
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(run_slow, INT_ARG(i));
        if (i == 0) {
            until_waiting(&go, 1);
        } else {
            until_waiting(&o, i);
        }
    }
    for (int i = 0; i < N; i++) {
        until_waiting(&go, 1);
        CHECK(waiting_on(&o) == N - 1 - i);
        CHECK(bg_event_set(&go) == 0);
        CHECK(bg_await(t[i]) == -EIO);
    }
    for (int i = 0; i < N; i++) {
        CHECK(order[i] == i);
    }
    return 0;
}

Test(once, after_a_failure_the_next_in_order_runs)
{
    everywhere(in_order);
}

/* ---- ends ---- */

static int cancelled(void *arg)
{
    bg_task *t[4];
    (void)arg;
    for (int victim = 1; victim < 4; victim++) {
        bg_once_init(&o);
        bg_event_init(&go);
        ordered = 0;
        for (int i = 0; i < 4; i++) {
            t[i] = bg_spawn(run_slow, INT_ARG(i));
            if (i == 0) {
                until_waiting(&go, 1);
            } else {
                until_waiting(&o, i);
            }
        }
        CHECK(bg_cancel(t[victim]) == 0);
        CHECK(bg_await(t[victim]) == -ECANCELED);
        CHECK(waiting_on(&o) == 2);
        for (int i = 0; i < 4; i++) {
            if (i != victim) {
                until_waiting(&go, 1);
                CHECK(bg_event_set(&go) == 0);
                CHECK(bg_await(t[i]) == -EIO);
            }
        }
        CHECK(ordered == 3);
    }
    return 0;
}

Test(once, who_is_cancelled_runs_nothing)
{
    everywhere(cancelled);
}

/* Who has just been given the turn, and is cancelled, has it: it runs, gives up, and hands it on.
 */
static int turn_meets_cancel(void *arg)
{
    bg_task *t[3];
    (void)arg;
    bg_once_init(&o);
    bg_event_init(&go);
    ordered = 0;
    for (int i = 0; i < 3; i++) {
        t[i] = bg_spawn(run_slow, INT_ARG(i));
        if (i == 0) {
            until_waiting(&go, 1);
        } else {
            until_waiting(&o, i);
        }
    }
    CHECK(bg_event_set(&go) == 0);
    CHECK(bg_cancel(t[1]) == 0);
    CHECK(bg_await(t[0]) == -EIO);
    while (waiting_on(&go) == 0) {
        bg_yield();
    }
    if (order[ordered - 1] == 1) { /* it has the turn */
        CHECK(bg_event_set(&go) == 0);
    }
    CHECK(bg_await(t[1]) == -ECANCELED);
    until_waiting(&go, 1);
    CHECK(order[ordered - 1] == 2);
    CHECK(bg_event_set(&go) == 0);
    CHECK(bg_await(t[2]) == -EIO);
    return 0;
}

Test(once, a_turn_that_meets_a_cancel_is_not_lost)
{
    everywhere(turn_meets_cancel);
}

static int late(void *arg)
{
    (void)arg;
    fresh(0);
    bg_timeout (0) {
        CHECK(bg_once_run(&o, make, NULL) == -ETIMEDOUT);
    }
    CHECK(calls == 0);
    CHECK(bg_once_run(&o, make, NULL) == 0);
    bg_timeout (0) {
        CHECK(bg_once_run(&o, make, NULL) == -ETIMEDOUT);
    }
    return 0;
}

Test(once, who_is_to_end_fails_though_it_is_done)
{
    everywhere(late);
}

/* ---- one in another ---- */

static bg_once inner;

static int outer_body(void *arg)
{
    return bg_once_run(&inner, make, arg);
}

static int nested(void *arg)
{
    (void)arg;
    bg_once_init(&inner);
    fresh(1);
    CHECK(bg_once_run(&o, outer_body, &o) == -EIO);
    CHECK(bg_once_run(&o, outer_body, &o) == 0);
    CHECK(bg_once_run(&inner, make, NULL) == 0);
    CHECK(made == 1);
    return 0;
}

Test(once, one_within_another)
{
    everywhere(nested);
}
