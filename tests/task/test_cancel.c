/*
 * Cancellation: level-triggered, a request, from anywhere, at any time.
 */
#include "check.h"

static bgi_atomic ran, begun, go;

static int count_run(void *arg)
{
    add_one(&ran);
    return (int)(intptr_t)arg;
}

static int main_limits(void *arg)
{
    (void)arg;
    CHECK(bg_cancel(NULL) == -EINVAL);
    bg_task *t = bg_spawn(return_arg, INT_ARG(5));
    bg_task *one[] = {t};
    CHECK(bg_wait_any(one, 1, NULL) == 0);
    CHECK(bg_cancel(t) == 0); /* it has ended */
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == 5);
    return 0;
}

Test(cancel, of_nothing_and_of_one_that_has_ended)
{
    cr_assert_eq(bg_cancel(NULL), -EINVAL);
    RUN(main_limits, NULL, .workers = 1);
}

static int main_before_first_run(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        bg_task *t = bg_spawn(count_run, NULL);
        for (int k = 0; k <= i % 3; k++) {
            CHECK(bg_cancel(t) == 0);
        }
        CHECK(bg_await(t) == -ECANCELED);
    }
    bg_task *t = bg_spawn_with(count_run, int[3], 1, 2, 3);
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED);
    CHECK(bgi_load(&ran) == 0);
    return 0;
}

Test(cancel, before_the_first_run_the_function_is_never_called)
{
    size_t before = bgi_alloc_live();
    RUN(main_before_first_run, NULL, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert_eq(bgi_alloc_live(), before);
}

/* Every wait there is, twice. */
static int wait_in_every_way(void *arg)
{
    bg_task *asleep = arg;
    bgi_store_release(&begun, 1);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED); /* the one that is interrupted */
    for (int i = 0; i < 2; i++) {
        CHECK(bg_sleep(0) == -ECANCELED);
        CHECK(bg_sleep(-1) == -ECANCELED);
        CHECK(bg_sleep(1) == -ECANCELED);
        CHECK(bg_sleep(BG_S * 3600) == -ECANCELED);
        CHECK(bg_sleep_until(0) == -ECANCELED);
        CHECK(bg_sleep_until(bg_now()) == -ECANCELED);
        CHECK(bg_sleep_until(BG_TIME_MAX) == -ECANCELED);
        bg_yield(); /* not a point of cancellation: returns */
        CHECK(bg_wait_any(&asleep, 1, NULL) == -ECANCELED);
        CHECK(bg_await(bg_spawn(sleep_forever, NULL)) == -ECANCELED);
        CHECK(bg_gather(bg_spawn(sleep_forever, NULL), bg_spawn(sleep_forever, NULL)) ==
              -ECANCELED);
    }
    return 17; /* its own result, in spite of all */
}

static int main_every_wait(void *arg)
{
    (void)arg;
    bgi_store(&begun, 0);
    bg_task *asleep = bg_spawn(sleep_forever, NULL);
    bg_task *t = bg_spawn(wait_in_every_way, asleep);
    yield_until(&begun, 1);
    CHECK(bg_sleep(BG_MS) == 0);
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == 17);
    CHECK(bg_cancel(asleep) == 0);
    CHECK(bg_await(asleep) == -ECANCELED);
    return 0;
}

Test(cancel, holds_for_every_wait_from_then_on)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_every_wait, NULL, .workers = w);
    }
}

/* A task that does not wait does not notice. */
static int compute(void *arg)
{
    (void)arg;
    bgi_store_release(&begun, 1);
    yield_until(&go, 1);
    return 23;
}

static int main_unnoticed(void *arg)
{
    (void)arg;
    bgi_store(&begun, 0);
    bgi_store(&go, 0);
    bg_task *t = bg_spawn(compute, NULL);
    yield_until(&begun, 1);
    for (int i = 0; i < 1000; i++) {
        CHECK(bg_cancel(t) == 0);
    }
    bgi_store_release(&go, 1);
    CHECK(bg_await(t) == 23);
    return 0;
}

Test(cancel, a_task_that_does_not_wait_does_not_notice)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_unnoticed, NULL, .workers = w);
    }
}

static int cancel_myself(void *arg)
{
    (void)arg;
    CHECK(bg_cancel(bg_self()) == 0);
    CHECK(bg_cancel(bg_self()) == 0);
    bg_yield();
    return bg_sleep(BG_FOREVER);
}

static int main_self(void *arg)
{
    (void)arg;
    CHECK(bg_await(bg_spawn(cancel_myself, NULL)) == -ECANCELED);
    CHECK(bg_sleep(BG_US) == 0); /* the others are not meant */
    return 0;
}

Test(cancel, of_oneself)
{
    RUN(main_self, NULL, .workers = 2);
}

/* ---- from elsewhere ---- */

static void *cancel_from_thread(void *arg)
{
    bg_task *t = arg;
    block_until(&begun, 1);
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_cancel(t) == 0);
    return NULL;
}

static int tell_and_sleep(void *arg)
{
    bgi_store_release(&begun, 1);
    int r = bg_sleep(BG_FOREVER);
    add_one(&ran);
    return r == -ECANCELED ? (int)(intptr_t)arg : -EIO;
}

static int main_foreign(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY(200); i++) {
        pthread_t thread;
        bgi_store(&begun, 0);
        bg_task *t = bg_spawn(tell_and_sleep, INT_ARG(i));
        CHECK(pthread_create(&thread, NULL, cancel_from_thread, t) == 0);
        CHECK(bg_wait_any(&t, 1, NULL) == 0); /* ended: the thread is past its first cancel */
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(bg_await(t) == i);
    }
    return 0;
}

Test(cancel, from_a_plain_thread)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_foreign, NULL, .workers = w);
    }
}

static int cancel_from_callback(void *arg)
{
    CHECK(bg_cancel(arg) == 0);
    return 0;
}

static int main_from_callback(void *arg)
{
    (void)arg;
    bgi_store(&begun, 0);
    bg_task *t = bg_spawn(tell_and_sleep, INT_ARG(3));
    yield_until(&begun, 1);
    CHECK(bg_after(BG_MS, cancel_from_callback, t) == 0);
    CHECK(bg_await(t) == 3);
    return 0;
}

Test(cancel, from_a_callback)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_from_callback, NULL, .workers = w);
    }
}

/* ---- against the clock ---- */

static int sleep_short(void *arg)
{
    bg_duration d = (bg_duration)(intptr_t)arg;
    bg_time before = bg_now();
    int r = bg_sleep(d);
    CHECK(r == -ECANCELED || (r == 0 && bg_now() - before >= d));
    int again = bg_sleep(10 * BG_US);
    CHECK(again == 0 || again == -ECANCELED);
    CHECK(r == 0 || again == -ECANCELED); /* level-triggered */
    return r;
}

static int main_races_timer(void *arg)
{
    struct bgi_random rnd;
    (void)arg;
    bgi_random_seed(&rnd, 8);
    for (int i = 0; i < MANY(10000) / 8; i++) {
        bg_task *t[8];
        for (int k = 0; k < 8; k++) {
            t[k] = bg_spawn(sleep_short, INT_ARG(bgi_random_below(&rnd, 100) * BG_US));
        }
        CHECK(bg_sleep((bg_duration)bgi_random_below(&rnd, 150) * BG_US) == 0);
        for (int k = 0; k < 8; k++) {
            CHECK(bg_cancel(t[k]) == 0);
        }
        int r = bg_gather_all(t, 8, NULL);
        CHECK(r == 0 || r == -ECANCELED);
    }
    return 0;
}

Test(cancel, races_the_end_of_a_sleep)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_races_timer, NULL, .workers = w);
    }
}

/* Several cancellers at once: one claims the wait, all are right. */
struct crowd {
    bg_task *target;
    bgi_atomic done;
};

static int cancel_with_others(void *arg)
{
    struct crowd *c = arg;
    CHECK(bg_cancel(c->target) == 0);
    add_one(&c->done);
    return 0;
}

static int main_many_cancellers(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY(2000); i++) {
        struct crowd c = {bg_spawn(sleep_forever, NULL), 0};
        bg_task *t[6];
        for (int k = 0; k < 6; k++) {
            t[k] = bg_spawn(cancel_with_others, &c);
        }
        yield_until(&c.done, 6);
        CHECK(bg_await(c.target) == -ECANCELED);
        CHECK(bg_gather_all(t, 6, NULL) == 0);
    }
    return 0;
}

Test(cancel, by_many_at_once)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_many_cancellers, NULL, .workers = w);
    }
}
