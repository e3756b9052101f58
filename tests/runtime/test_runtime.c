/*
 * Runtimes of their own: several at once, plain threads that spawn and wait, tasks that deal with
 * another runtime's tasks, the end, the counters.
 */
#include "../task/check.h"

static bgi_atomic ran, begun, ended;

static int count_run(void *arg)
{
    add_one(&ran);
    return (int)(intptr_t)arg;
}

static bg_runtime *make(unsigned workers)
{
    bg_runtime *rt = NULL;
    cr_assert_eq(bg_runtime_create(&rt, .workers = workers), 0);
    cr_assert_not_null(rt);
    return rt;
}

Test(runtime, created_and_shut_down)
{
    size_t threads = usual_threads();
    size_t live = bgi_alloc_live();
    for (int i = 0; i < MANY(200); i++) {
        bg_runtime *rt = make(worker_counts[i % 4]);
        if (i % 3 == 0) {
            cr_assert_eq(bg_runtime_wait(rt, bg_runtime_spawn(rt, count_run, INT_ARG(i))), i);
        }
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
        cr_assert_eq(bgi_alloc_live(), live);
    }
    cr_assert(threads_settle(threads));
}

Test(runtime, null_is_refused)
{
    bg_stats s = {.size = sizeof s};
    cr_assert_eq(bg_runtime_shutdown(NULL), -EINVAL);
    cr_assert_null(bg_runtime_spawn(NULL, count_run, NULL));
    cr_assert_eq(bg_runtime_wait(NULL, NULL), -EINVAL);
    cr_assert_eq(bg_runtime_stats(NULL, &s), -EINVAL); /* there is no runtime here */
    bg_runtime *rt = make(1);
    cr_assert_eq(bg_runtime_wait(rt, NULL), -ENOMEM);
    cr_assert_null(bg_runtime_spawn(rt, NULL, NULL));
    cr_assert_null(bg_runtime_spawn(rt, count_run, NULL, .stack_size = 5));
    cr_assert_eq(bg_runtime_stats(rt, NULL), -EINVAL);
    s.size = 0;
    cr_assert_eq(bg_runtime_stats(rt, &s), -EINVAL);
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
    cr_assert_eq(bgi_load(&ran), 0);
}

static int own_name_is(void *arg)
{
    return strcmp(bg_task_name(bg_self()), arg);
}

Test(runtime, options_of_a_spawn)
{
    bg_runtime *rt = make(2);
    char name[] = "soup";
    bg_task *t = bg_runtime_spawn(rt, own_name_is, "soup", .name = name, .stack_size = 65536);
    memset(name, 0, sizeof name);
    cr_assert_str_eq(bg_task_name(t), "soup");
    cr_assert_eq(bg_runtime_wait(rt, t), 0);
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
}

/* ---- plain threads ---- */

struct foreign {
    bg_runtime *rt;
    uint64_t seed;
};

static int work(void *arg)
{
    uintptr_t n = (uintptr_t)arg;
    if (n % 3 == 0) {
        CHECK(bg_sleep((bg_duration)(n % 50) * BG_US) == 0);
    } else if (n % 3 == 1) {
        CHECK(bg_await(bg_spawn(count_run, INT_ARG(n))) == (int)n);
    }
    return (int)n;
}

static void *spawn_and_wait(void *arg)
{
    struct foreign *f = arg;
    struct bgi_random rnd;
    bgi_random_seed(&rnd, f->seed);
    for (int i = 0; i < MANY(500); i++) {
        bg_task *t[4];
        uint32_t n[4];
        for (int k = 0; k < 4; k++) {
            n[k] = bgi_random_below(&rnd, 1000);
            t[k] = bg_runtime_spawn(f->rt, work, INT_ARG(n[k]));
            CHECK(t[k] != NULL);
        }
        for (int k = 3; k >= 0; k--) {
            CHECK(bg_runtime_wait(f->rt, t[k]) == (int)n[k]);
        }
    }
    return NULL;
}

Test(runtime, plain_threads_spawn_and_wait)
{
    EACH_WORKER_COUNT(w)
    {
        pthread_t thread[6];
        struct foreign f[6];
        bg_runtime *rt = make(w);
        for (int i = 0; i < 6; i++) {
            f[i] = (struct foreign){rt, (uint64_t)i};
            cr_assert_eq(pthread_create(&thread[i], NULL, spawn_and_wait, &f[i]), 0);
        }
        for (int i = 0; i < 6; i++) {
            cr_assert_eq(pthread_join(thread[i], NULL), 0);
        }
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
        NO_CHECK_FAILED();
    }
}

Test(runtime, several_in_one_process)
{
    pthread_t thread[6];
    struct foreign f[6];
    bg_runtime *rt[3] = {make(1), make(2), make(8)};
    for (int i = 0; i < 6; i++) {
        f[i] = (struct foreign){rt[i % 3], (uint64_t)i};
        cr_assert_eq(pthread_create(&thread[i], NULL, spawn_and_wait, &f[i]), 0);
    }
    cr_assert_eq(bg_run(count_run, INT_ARG(5), .workers = 2), 5); /* and one more for a moment */
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(pthread_join(thread[i], NULL), 0);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(bg_runtime_shutdown(rt[i]), 0);
    }
    NO_CHECK_FAILED();
}

/* Whoever waits, by whatever means, for one that has ended or not. */
static int sleep_then_return(void *arg)
{
    CHECK(bg_sleep(2 * BG_MS) == 0);
    return (int)(intptr_t)arg;
}

Test(runtime, wait_and_cancel_and_detach_from_a_plain_thread)
{
    EACH_WORKER_COUNT(w)
    {
        bg_runtime *rt = make(w);
        bg_task *t = bg_runtime_spawn(rt, sleep_then_return, INT_ARG(8));
        cr_assert_eq(bg_runtime_wait(rt, t), 8);
        bgi_store(&ran, 0);
        t = bg_runtime_spawn(rt, count_run, INT_ARG(9));
        block_until(&ran, 1);
        cr_assert_eq(bg_runtime_wait(rt, t), 9);
        t = bg_runtime_spawn(rt, sleep_forever, NULL);
        cr_assert_eq(bg_cancel(t), 0);
        cr_assert_eq(bg_runtime_wait(rt, t), -ECANCELED);
        bgi_store(&ran, 0);
        bg_detach(bg_runtime_spawn(rt, count_run, NULL));
        block_until(&ran, 1);
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
        NO_CHECK_FAILED();
    }
}

/* ---- one runtime's tasks and another's ---- */

struct pair {
    bg_runtime *here, *there;
};

static int use_the_other(void *arg)
{
    struct pair *p = arg;
    bg_stats s = {.size = sizeof s};
    for (int i = 0; i < MANY(300); i++) {
        /* There, awaited from here; and here by the same call. */
        bg_task *there = bg_runtime_spawn(p->there, work, INT_ARG(i));
        bg_task *here = bg_runtime_spawn(p->here, work, INT_ARG(i + 1));
        CHECK(bg_await(there) == i);
        CHECK(bg_await(here) == i + 1);

        bg_task *t[3] = {bg_runtime_spawn(p->there, sleep_forever, NULL),
                         bg_runtime_spawn(p->there, work, INT_ARG(i)),
                         bg_spawn(sleep_forever, NULL)};
        size_t index = 9;
        CHECK(bg_wait_any(t, 3, &index) == 0 && index == 1);
        CHECK(bg_cancel(t[0]) == 0 && bg_cancel(t[2]) == 0);
        int results[3];
        CHECK(bg_gather_all(t, 3, results) == -ECANCELED);
        CHECK(results[0] == -ECANCELED && results[1] == i && results[2] == -ECANCELED);

        bg_detach(bg_runtime_spawn(p->there, count_run, NULL));
    }
    CHECK(bg_runtime_stats(p->there, &s) == 0);
    CHECK(bg_runtime_stats(NULL, &s) == 0); /* the caller's own */
    return 0;
}

Test(runtime, tasks_of_one_use_those_of_another)
{
    EACH_WORKER_COUNT(w)
    {
        bg_runtime *a = make(w), *b = make(2);
        struct pair ab = {a, b}, ba = {b, a};
        bg_task *t[4] = {
            bg_runtime_spawn(a, use_the_other, &ab), bg_runtime_spawn(b, use_the_other, &ba),
            bg_runtime_spawn(a, use_the_other, &ab), bg_runtime_spawn(b, use_the_other, &ba)};
        for (int i = 0; i < 4; i++) {
            cr_assert_eq(bg_runtime_wait(i % 2 ? b : a, t[i]), 0);
        }
        cr_assert_eq(bg_runtime_shutdown(a), 0);
        cr_assert_eq(bg_runtime_shutdown(b), 0);
        NO_CHECK_FAILED();
    }
}

static int await_there_and_be_cancelled(void *arg)
{
    struct pair *p = arg;
    bg_task *t = bg_runtime_spawn(p->there, sleep_forever, NULL);
    add_one(&begun);
    return bg_await(t);
}

Test(runtime, a_cancellation_is_passed_on_to_another)
{
    EACH_WORKER_COUNT(w)
    {
        bg_runtime *a = make(w), *b = make(2);
        struct pair ab = {a, b};
        for (int i = 0; i < MANY(100); i++) {
            bgi_store(&begun, 0);
            bg_task *t = bg_runtime_spawn(a, await_there_and_be_cancelled, &ab);
            block_until(&begun, 1);
            cr_assert_eq(bg_cancel(t), 0);
            cr_assert_eq(bg_runtime_wait(a, t), -ECANCELED);
        }
        cr_assert_eq(bg_runtime_shutdown(a), 0);
        cr_assert_eq(bg_runtime_shutdown(b), 0);
    }
}

/* A task may make a runtime of its own; it may not end one, which would block its worker. */
static int main_makes_another(void *arg)
{
    bg_runtime **out = arg;
    CHECK(bg_runtime_create(out, .workers = 2) == 0);
    bg_task *t = bg_runtime_spawn(*out, return_arg, INT_ARG(21));
    CHECK(bg_await(t) == 21);
    CHECK(bg_runtime_shutdown(*out) == -EDEADLK);
#if !BGI_DEBUG
    t = bg_runtime_spawn(*out, return_arg, INT_ARG(22));
    CHECK(bg_runtime_wait(*out, t) == -EDEADLK);
    CHECK(bg_await(t) == 22); /* the handle was not given back */
#endif
    return 0;
}

Test(runtime, made_by_a_task)
{
    EACH_WORKER_COUNT(w)
    {
        bg_runtime *rt = NULL;
        RUN(main_makes_another, &rt, .workers = w);
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
    }
}

/* ---- the end ---- */

static int live_on(void *arg)
{
    (void)arg;
    add_one(&begun);
    int r = 0;
    while (r == 0) {
        r = (intptr_t)arg % 2 ? bg_sleep(BG_FOREVER) : bg_sleep(20 * BG_US);
    }
    CHECK(r == -ECANCELED);
    add_one(&ended);
    return -ECANCELED;
}

Test(runtime, shut_down_with_live_tasks)
{
    EACH_WORKER_COUNT(w)
    {
        size_t live = bgi_alloc_live();
        for (int round = 0; round < 5; round++) {
            bg_runtime *rt = make(w);
            bgi_store(&begun, 0);
            bgi_store(&ended, 0);
            for (int i = 0; i < 1000; i++) {
                bg_task *t = bg_runtime_spawn(rt, live_on, INT_ARG(i), .name = "live");
                cr_assert_not_null(t);
                if (i % 3 == 0) {
                    bg_detach(t);
                }
            }
            block_until(&begun, (bgi_word)round * 200);
            cr_assert_eq(bg_runtime_shutdown(rt), 0);
            NO_CHECK_FAILED();
            cr_assert_geq(bgi_load(&begun), (bgi_word)round * 200);
            cr_assert_eq(bgi_load(&begun), bgi_load(&ended));
            cr_assert_eq(bgi_alloc_live(), live);
        }
    }
}

static bgi_atomic failures;

static void count_failure(const char *name, int result, void *arg)
{
    CHECK(strcmp(name, "failing") == 0 && result == -EIO && arg == NULL);
    add_one(&failures);
}

Test(runtime, failures_nobody_awaited_are_reported_at_the_end)
{
    bg_set_failure_hook(count_failure, NULL);
    EACH_WORKER_COUNT(w)
    {
        bgi_store(&failures, 0);
        bgi_store(&ran, 0);
        bg_runtime *rt = make(w);
        for (int i = 0; i < 50; i++) {
            cr_assert_not_null(bg_runtime_spawn(rt, count_run, INT_ARG(-EIO), .name = "failing"));
        }
        block_until(&ran, 50);
        cr_assert_eq(bgi_load(&failures), 0);
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
        NO_CHECK_FAILED();
        cr_assert_eq(bgi_load(&failures), 50);
    }
}

/* ---- counters ---- */

static int sleep_a_ms(void *arg)
{
    (void)arg;
    return bg_sleep(BG_MS);
}

Test(runtime, counters)
{
    EACH_WORKER_COUNT(w)
    {
        bg_stats s;
        bg_runtime *rt = make(w);
        memset(&s, 0xff, sizeof s);
        s.size = sizeof s;
        cr_assert_eq(bg_runtime_stats(rt, &s), 0);
        cr_assert_eq(s.size, sizeof s);
        cr_assert_eq(s.workers, w);
        cr_assert_eq(s.tasks_spawned, 0);
        cr_assert_eq(s.tasks_live, 0);
        cr_assert_eq(s.spares_active, 0);
        cr_assert_eq(s.timers_fired, 0);

        bg_task *t[30];
        for (int i = 0; i < 30; i++) {
            t[i] = bg_runtime_spawn(rt, i < 10 ? sleep_forever : sleep_a_ms, NULL);
        }
        for (int i = 10; i < 30; i++) {
            cr_assert_eq(bg_runtime_wait(rt, t[i]), 0);
        }
        do { /* the last one may not have been counted out yet */
            cr_assert_eq(bg_runtime_stats(rt, &s), 0);
            cr_assert_geq(s.tasks_live, 10);
        } while (s.tasks_live != 10);
        cr_assert_eq(s.tasks_spawned, 30);
        cr_assert_geq(s.items_run, 20 + 20); /* each of those that have ended, twice */
        while (s.timers_fired < 20) {        /* counted after what they woke has been queued */
            cr_assert_eq(bg_runtime_stats(rt, &s), 0);
        }
        cr_assert_eq(s.timers_fired, 20);
        cr_assert_leq(s.spares_active, s.spares_peak);
        for (int i = 0; i < 10; i++) {
            cr_assert_eq(bg_cancel(t[i]), 0);
            cr_assert_eq(bg_runtime_wait(rt, t[i]), -ECANCELED);
        }
        do {
            cr_assert_eq(bg_runtime_stats(rt, &s), 0);
        } while (s.tasks_live != 0);
        do { /* nothing to do: everybody sleeps before long */
            cr_assert_eq(bg_runtime_stats(rt, &s), 0);
        } while (s.parks == 0);
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
    }
}

Test(runtime, counters_of_an_older_or_newer_caller)
{
    bg_runtime *rt = make(3);
    struct {
        bg_stats s;
        unsigned char more[64];
    } big;
    memset(&big, 0xff, sizeof big);
    big.s.size = sizeof big;
    cr_assert_eq(bg_runtime_stats(rt, &big.s), 0);
    cr_assert_eq(big.s.size, sizeof big);
    cr_assert_eq(big.s.workers, 3);
    for (size_t i = 0; i < sizeof big.more; i++) {
        cr_assert_eq(big.more[i], 0); /* what this library does not know */
    }
    memset(&big, 0xff, sizeof big);
    big.s.size = offsetof(bg_stats, workers_stuck);
    cr_assert_eq(bg_runtime_stats(rt, &big.s), 0);
    cr_assert_eq(big.s.workers, 3);
    cr_assert_eq(big.s.workers_stuck, UINT32_MAX); /* beyond what the caller has */
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
}
