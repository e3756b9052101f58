/*
 * gather: results in their places, the first error by order, cancellation of all.
 */
#include "check.h"

static bgi_atomic started, cancelled;

static int main_results(void *arg)
{
    (void)arg;
    bg_task *t[] = {bg_spawn(return_arg, INT_ARG(1)), bg_spawn(return_arg, INT_ARG(0)),
                    bg_spawn(sleep_some, INT_ARG(BG_MS)), bg_spawn(return_arg, INT_ARG(40))};
    int results[] = {99, 99, 99, 99, 99};
    CHECK(bg_gather_all(t, 4, results) == 0);
    CHECK(results[0] == 1 && results[1] == 0 && results[2] == 0 && results[3] == 40);
    CHECK(results[4] == 99);
    return 0;
}

Test(gather, each_result_in_its_place)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_results, NULL, .workers = w);
    }
}

struct late {
    bg_duration delay;
    int result;
};

static int fail_late(void *arg)
{
    struct late *l = arg;
    CHECK(bg_sleep(l->delay) == 0);
    add_one(&started);
    return l->result;
}

static int main_order_of_errors(void *arg)
{
    (void)arg;
    /* The first by argument order is the last to fail. */
    struct late l[] = {{0, 7}, {4 * BG_MS, -EIO}, {BG_MS, -EPIPE}, {5 * BG_MS, 3}, {0, -EBADF}};
    bg_task *t[6];
    int results[6];
    bgi_store(&started, 0);
    for (int i = 0; i < 5; i++) {
        t[i] = bg_spawn(fail_late, &l[i]);
    }
    CHECK(bg_gather_all(t, 5, results) == -EIO);
    CHECK(bgi_load(&started) == 5); /* a failure stops nobody */
    for (int i = 0; i < 5; i++) {
        CHECK(results[i] == l[i].result);
    }

    for (int i = 0; i < 5; i++) {
        t[i] = i == 0 ? NULL : bg_spawn(fail_late, &l[i]);
    }
    CHECK(bg_gather_all(t, 5, results) == -ENOMEM);
    CHECK(results[0] == -ENOMEM && results[1] == -EIO && results[4] == -EBADF);

    t[0] = bg_spawn(fail_late, &l[4]);
    t[1] = NULL;
    CHECK(bg_gather_all(t, 2, NULL) == -EBADF); /* results may be NULL */
    return 0;
}

Test(gather, the_first_error_in_the_order_of_the_arguments)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_order_of_errors, NULL, .workers = w);
    }
}

static int main_limits(void *arg)
{
    bg_task *nothing[] = {NULL, NULL};
    int results[] = {1, 1};
    (void)arg;
    CHECK(bg_gather_all(NULL, 0, NULL) == 0);
    CHECK(bg_gather_all(nothing, 0, results) == 0);
    CHECK(results[0] == 1);
    CHECK(bg_gather_all(NULL, 1, NULL) == -EINVAL);
    CHECK(bg_gather_all(NULL, 1, results) == -EINVAL);
    CHECK(results[0] == 1);
    CHECK(bg_gather_all(nothing, 2, results) == -ENOMEM);
    CHECK(results[0] == -ENOMEM && results[1] == -ENOMEM);
    return 0;
}

Test(gather, of_none_and_of_nothing)
{
    RUN(main_limits, NULL, .workers = 1);
}

static int main_macro(void *arg)
{
    (void)arg;
    CHECK(bg_gather(bg_spawn(return_arg, INT_ARG(5))) == 0);
    CHECK(bg_gather(bg_spawn(return_arg, INT_ARG(5)), NULL) == -ENOMEM);
    CHECK(bg_gather(bg_spawn(return_arg, INT_ARG(0)), bg_spawn(return_arg, INT_ARG(-EIO)),
                    bg_spawn(return_arg, INT_ARG(-EPIPE))) == -EIO);
    return 0;
}

Test(gather, as_a_macro)
{
    RUN(main_macro, NULL, .workers = 2);
}

static int main_handles_back(void *arg)
{
    bg_stats s = {.size = sizeof s};
    (void)arg;
    for (int round = 0; round < 100; round++) {
        bg_task *t[30];
        for (int i = 0; i < 30; i++) {
            t[i] = bg_spawn(i % 2 ? sleep_some : return_arg, INT_ARG(i));
        }
        (void)bg_gather_all(t, 30, NULL);
    }
    CHECK(bg_runtime_stats(NULL, &s) == 0);
    CHECK(s.tasks_spawned == 3001);
    return 0;
}

Test(gather, gives_all_handles_back)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_handles_back, NULL, .workers = w);
    }
}

/* ---- cancelled ---- */

static int wait_for_cancel(void *arg)
{
    add_one(&started);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    add_one(&cancelled);
    return (int)(intptr_t)arg;
}

struct gathering {
    bg_task *t[8];
    int results[8];
    int n;
};

/* Who has to gather has begun: a cancel before that would end it without. */
static bgi_atomic gathering;

static int gather_them(void *arg)
{
    struct gathering *g = arg;
    bgi_store_release(&gathering, 1);
    return bg_gather_all(g->t, (size_t)g->n, g->results);
}

static int main_cancel_all(void *arg)
{
    struct gathering g = {.n = 8};
    (void)arg;
    bgi_store(&started, 0);
    bgi_store(&cancelled, 0);
    for (int i = 0; i < 8; i++) {
        /* Two have ended before, six heed in their own way. */
        g.t[i] = i == 2 || i == 7 ? bg_spawn(return_arg, INT_ARG(i))
                                  : bg_spawn(wait_for_cancel, INT_ARG(i == 4 ? -ECANCELED : i));
    }
    yield_until(&started, 6);
    bgi_store(&gathering, 0);
    bg_task *gatherer = bg_spawn(gather_them, &g);
    yield_until(&gathering, 1);
    CHECK(bg_sleep(2 * BG_MS) == 0);
    CHECK(bg_cancel(gatherer) == 0);
    CHECK(bg_await(gatherer) == -ECANCELED);
    CHECK(bgi_load(&cancelled) == 6);
    for (int i = 0; i < 8; i++) {
        CHECK(g.results[i] == (i == 4 ? -ECANCELED : i));
    }
    return 0;
}

Test(gather, cancelled_it_cancels_all_and_waits_for_them)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancel_all, NULL, .workers = w);
    }
}

/* Ends only when another one of the gathered has noticed its cancellation: that has to come to all
 * of them, not to one after another's end. */
static int wait_for_others(void *arg)
{
    add_one(&started);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    add_one(&cancelled);
    yield_until(&cancelled, (bgi_word)(intptr_t)arg);
    return 0;
}

static int main_side_by_side(void *arg)
{
    struct gathering g = {.n = 6};
    (void)arg;
    bgi_store(&started, 0);
    bgi_store(&cancelled, 0);
    for (int i = 0; i < 6; i++) {
        g.t[i] = bg_spawn(wait_for_others, INT_ARG(6));
    }
    bgi_store(&gathering, 0);
    bg_task *gatherer = bg_spawn(gather_them, &g);
    yield_until(&started, 6);
    yield_until(&gathering, 1);
    CHECK(bg_sleep(2 * BG_MS) == 0);
    CHECK(bg_cancel(gatherer) == 0);
    CHECK(bg_await(gatherer) == 0);
    CHECK(bgi_load(&cancelled) == 6);
    return 0;
}

Test(gather, all_are_cancelled_before_any_is_waited_for)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_side_by_side, NULL, .workers = w);
    }
}

static int gather_when_cancelled(void *arg)
{
    struct gathering *g = arg;
    CHECK(bg_cancel(bg_self()) == 0);
    int r = bg_gather_all(g->t, (size_t)g->n, g->results);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    return r;
}

static int main_gather_when_cancelled(void *arg)
{
    struct gathering g = {.n = 6};
    (void)arg;
    bgi_store(&started, 0);
    bgi_store(&cancelled, 0);
    for (int i = 0; i < 6; i++) {
        g.t[i] = bg_spawn(wait_for_others, INT_ARG(6));
    }
    yield_until(&started, 6);
    CHECK(bg_await(bg_spawn(gather_when_cancelled, &g)) == 0);
    CHECK(bgi_load(&cancelled) == 6);
    return 0;
}

Test(gather, by_one_who_is_cancelled_already)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_gather_when_cancelled, NULL, .workers = w);
    }
}

/* The cancellation meets every stage of a gathering. */
static int sleep_or_not(void *arg)
{
    int r = bg_sleep((bg_duration)(intptr_t)arg * 10 * BG_US);
    return r == 0 ? (int)(intptr_t)arg : r;
}

static int main_cancel_races(void *arg)
{
    struct bgi_random rnd;
    (void)arg;
    bgi_random_seed(&rnd, 5);
    for (int round = 0; round < MANY(3000); round++) {
        struct gathering g = {.n = 1 + (int)bgi_random_below(&rnd, 8)};
        int last = -1;
        for (int i = 0; i < g.n; i++) {
            intptr_t n = (intptr_t)bgi_random_below(&rnd, 20);
            g.t[i] = bg_spawn(sleep_or_not, INT_ARG(n));
            g.results[i] = 12345;
        }
        bg_task *gatherer = bg_spawn(gather_them, &g);
        for (uint32_t i = bgi_random_below(&rnd, 4); i > 0; i--) {
            bg_yield();
        }
        CHECK(bg_sleep((bg_duration)bgi_random_below(&rnd, 100) * BG_US) == 0);
        bgi_store(&started, 0);
        CHECK(bg_cancel(gatherer) == 0);
        int r = bg_await(gatherer);
        if (g.results[0] == 12345) { /* it never began: the handles are still here */
            CHECK(r == -ECANCELED);
            (void)bg_gather_all(g.t, (size_t)g.n, g.results);
            continue;
        }
        for (int i = g.n; i-- > 0;) {
            CHECK(g.results[i] == -ECANCELED || (g.results[i] >= 0 && g.results[i] < 20));
            last = g.results[i] < 0 ? g.results[i] : last;
        }
        CHECK(r == (last == -1 ? 0 : last));
    }
    return 0;
}

Test(gather, cancel_races_every_stage)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancel_races, NULL, .workers = w);
    }
}
