/*
 * Awaiting: the result, what becomes of a cancellation meanwhile, and the races between await,
 * completion, cancel and detach, which have to meet in every order.
 */
#include "check.h"

static bgi_atomic ended, cancelled_seen, gate;

static int main_null(void *arg)
{
    (void)arg;
    CHECK(bg_await(NULL) == -ENOMEM);
    return 0;
}

Test(await, null_is_a_task_without_memory)
{
    RUN(main_null, NULL, .workers = 1);
}

static int end_then_count(void *arg)
{
    add_one(&ended);
    return (int)(intptr_t)arg;
}

static int main_before_and_after_end(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(end_then_count, INT_ARG(3));
    yield_until(&ended, 1);
    CHECK(bg_sleep(BG_MS) == 0); /* surely ended now, whatever that means on another worker */
    CHECK(bg_await(t) == 3);
    bg_time before = bg_now();
    t = bg_spawn(sleep_some, INT_ARG(2 * BG_MS)); /* surely not */
    CHECK(bg_await(t) == 0);
    CHECK(bg_now() - before >= 2 * BG_MS);
    return 0;
}

Test(await, of_a_task_that_has_ended_or_has_not)
{
    EACH_WORKER_COUNT(w)
    {
        bgi_store(&ended, 0);
        RUN(main_before_and_after_end, NULL, .workers = w);
    }
}

static int await_for_another(void *arg)
{
    return bg_await(arg);
}

static int main_pass_on(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(return_arg, INT_ARG(77));
    for (int i = 0; i < 50; i++) {
        t = bg_spawn(await_for_another, t); /* a chain of handles passed on */
    }
    CHECK(bg_await(t) == 77);
    return 0;
}

Test(await, not_only_by_who_spawned_it)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_pass_on, NULL, .workers = w);
    }
}

/* ---- cancellation of the one who awaits ---- */

/* Notes that it was cancelled, and returns what it is told all the same. */
static int note_cancel(void *arg)
{
    add_one(&gate);
    int r = bg_sleep(BG_FOREVER);
    CHECK(r == -ECANCELED);
    add_one(&cancelled_seen);
    return (int)(intptr_t)arg;
}

static int await_child(void *arg)
{
    bg_task *child = bg_spawn(note_cancel, arg);
    int r = bg_await(child);
    CHECK(bg_sleep(0) == -ECANCELED); /* its own cancellation is still there */
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    return r;
}

static int main_cancel_passes_on(void *arg)
{
    static const int results[] = {-ECANCELED, 5, 0, -EIO};
    (void)arg;
    for (size_t i = 0; i < BGI_ARRAY_LEN(results); i++) {
        bgi_store(&gate, 0);
        bgi_store(&cancelled_seen, 0);
        bg_task *t = bg_spawn(await_child, INT_ARG(results[i]));
        yield_until(&gate, 1);
        if (i % 2 == 0) {
            CHECK(bg_sleep(BG_MS) == 0);
        }
        CHECK(bg_cancel(t) == 0);
        CHECK(bg_await(t) == results[i]);
        CHECK(bgi_load(&cancelled_seen) == 1);
    }
    return 0;
}

Test(await, a_cancellation_is_passed_on_and_the_result_still_returned)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancel_passes_on, NULL, .workers = w);
    }
}

/* Chains: the cancellation goes down link by link, the result comes up. */
static int chain(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    if (depth == 0) {
        return note_cancel(INT_ARG(1000));
    }
    return bg_await(bg_spawn(chain, INT_ARG(depth - 1))) + 1;
}

static int main_chain(void *arg)
{
    (void)arg;
    bgi_store(&gate, 0);
    bgi_store(&cancelled_seen, 0);
    bg_task *t = bg_spawn(chain, INT_ARG(20));
    yield_until(&gate, 1);
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == 1020);
    CHECK(bgi_load(&cancelled_seen) == 1);
    return 0;
}

Test(await, a_cancellation_goes_down_a_chain)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_chain, NULL, .workers = w);
    }
}

static int await_when_cancelled(void *arg)
{
    (void)arg;
    yield_until(&gate, 1); /* cancelled by now */
    bg_task *slow = bg_spawn(note_cancel, INT_ARG(6));
    yield_until(&gate, 2);
    CHECK(bg_await(slow) == 6); /* waited for, its own result */
    bg_task *fresh = bg_spawn(return_arg, INT_ARG(8));
    int r = bg_await(fresh); /* cancelled before it began, or ended */
    CHECK(r == 8 || r == -ECANCELED);
    bgi_store(&ended, 0);
    bg_task *done = bg_spawn(end_then_count, INT_ARG(9));
    yield_until(&ended, 1);
    CHECK(bg_await(done) == 9);
    return 1;
}

static int main_already_cancelled(void *arg)
{
    (void)arg;
    bgi_store(&gate, 0);
    bg_task *t = bg_spawn(await_when_cancelled, NULL);
    bg_yield();
    bg_yield();
    bg_task *go = bg_spawn(end_then_count, NULL); /* t has surely begun with one worker */
    CHECK(bg_await(go) == 0);
    /* With more workers t may not have begun, and then it never does. */
    CHECK(bg_cancel(t) == 0);
    bgi_store_release(&gate, 1);
    int r = bg_await(t);
    CHECK(r == 1 || r == -ECANCELED);
    return 0;
}

Test(await, by_one_who_is_cancelled_already)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_already_cancelled, NULL, .workers = w);
    }
}

/* ---- races ---- */

enum { LOOPS = 10000 };

/* A child that takes a random little while. */
static int take_a_while(void *arg)
{
    uintptr_t n = (uintptr_t)arg;
    for (uintptr_t i = 0; i < n % 200; i++) {
        bgi_pause();
    }
    if (n % 3 == 0) {
        bg_yield();
    }
    add_one(&ended);
    return (int)(n & 0xffff);
}

static int main_await_races_end(void *arg)
{
    struct bgi_random rnd;
    (void)arg;
    bgi_random_seed(&rnd, 1);
    for (int i = 0; i < MANY(LOOPS); i++) {
        uintptr_t n = bgi_random_below(&rnd, 1000);
        bg_task *t = bg_spawn(take_a_while, (void *)n);
        for (uint32_t p = bgi_random_below(&rnd, 200); p > 0; p--) {
            bgi_pause();
        }
        CHECK(bg_await(t) == (int)n);
    }
    CHECK(bgi_load(&ended) == (bgi_word)MANY(LOOPS));
    return 0;
}

Test(await, races_the_end)
{
    EACH_WORKER_COUNT(w)
    {
        bgi_store(&ended, 0);
        RUN(main_await_races_end, NULL, .workers = w);
    }
}

static int main_cancel_races_end(void *arg)
{
    struct bgi_random rnd;
    bgi_word never = 0;
    (void)arg;
    bgi_random_seed(&rnd, 2);
    for (int i = 0; i < MANY(LOOPS); i++) {
        uintptr_t n = bgi_random_below(&rnd, 1000);
        bg_task *t = bg_spawn(take_a_while, (void *)n);
        for (uint32_t p = bgi_random_below(&rnd, 200); p > 0; p--) {
            bgi_pause();
        }
        if (i % 4 == 0) {
            bg_yield();
        }
        CHECK(bg_cancel(t) == 0);
        int r = bg_await(t);
        CHECK(r == (int)n || r == -ECANCELED);
        never += r == -ECANCELED;
    }
    CHECK(bgi_load(&ended) + never == (bgi_word)MANY(LOOPS)); /* ran in full, or not at all */
    return 0;
}

Test(await, cancel_races_the_first_run_and_the_end)
{
    EACH_WORKER_COUNT(w)
    {
        bgi_store(&ended, 0);
        RUN(main_cancel_races_end, NULL, .workers = w);
    }
}

/* Sleeps a random while; its sleep may end by time or by cancel. */
static int sleep_a_while(void *arg)
{
    uintptr_t n = (uintptr_t)arg;
    int r = bg_sleep((bg_duration)(n % 50) * BG_US);
    CHECK(r == 0 || r == -ECANCELED);
    add_one(&ended);
    return r == 0 ? (int)n : -ECANCELED;
}

struct awaiter {
    uintptr_t n;
    bgi_atomic begun;
};

static int await_one(void *arg)
{
    struct awaiter *a = arg;
    bg_task *child = bg_spawn(sleep_a_while, (void *)a->n);
    bgi_store_release(&a->begun, 1);
    int r = bg_await(child);
    /* Whatever happened, its waiter is as new: a wait lasts exactly as long as it should. */
    bg_task *again = bg_spawn(take_a_while, (void *)a->n);
    int r2 = bg_await(again);
    CHECK(r2 == (int)a->n || r2 == -ECANCELED);
    return r;
}

static int main_cancel_races_await(void *arg)
{
    struct bgi_random rnd;
    (void)arg;
    bgi_random_seed(&rnd, 3);
    for (int i = 0; i < MANY(LOOPS) / 4; i++) {
        struct awaiter a[4];
        bg_task *t[4];
        for (int k = 0; k < 4; k++) {
            a[k].n = bgi_random_below(&rnd, 1000);
            bgi_store(&a[k].begun, 0);
            t[k] = bg_spawn(await_one, &a[k]);
        }
        for (uint32_t p = bgi_random_below(&rnd, 1000); p > 0; p--) {
            bgi_pause();
        }
        if (i % 2 == 0) {
            yield_until(&a[i % 4].begun, 1);
        }
        for (int k = 0; k < 4; k++) {
            CHECK(bg_cancel(t[k]) == 0);
        }
        for (int k = 0; k < 4; k++) {
            int r = bg_await(t[k]);
            CHECK(r == (int)a[k].n || r == -ECANCELED);
        }
    }
    return 0;
}

Test(await, cancel_of_the_awaiter_races_the_end_of_the_child)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancel_races_await, NULL, .workers = w);
    }
}

/* Three threads of play: one awaits, one cancels the awaited, the awaited ends. */
struct duel {
    bg_task *target;
    bgi_atomic go, out;
};

static int cancel_target(void *arg)
{
    struct duel *d = arg;
    yield_until(&d->go, 1);
    CHECK(bg_cancel(d->target) == 0);
    bgi_store_release(&d->out, 1); /* no more use of the handle after this */
    return 0;
}

static int main_cancel_while_awaited(void *arg)
{
    struct bgi_random rnd;
    (void)arg;
    bgi_random_seed(&rnd, 4);
    for (int i = 0; i < MANY(LOOPS); i++) {
        struct duel d = {NULL, 0, 0};
        uintptr_t n = bgi_random_below(&rnd, 1000);
        d.target = bg_spawn(sleep_a_while, (void *)n);
        bg_task *canceller = bg_spawn(cancel_target, &d);
        bgi_store_release(&d.go, 1);
        if (i % 2 == 0) {
            size_t index = 9;
            bg_task *one[] = {d.target};
            CHECK(bg_wait_any(one, 1, &index) == 0 && index == 0); /* while it is cancelled */
        }
        yield_until(&d.out, 1);
        int r = bg_await(d.target);
        CHECK(r == (int)n || r == -ECANCELED);
        CHECK(bg_await(canceller) == 0);
    }
    return 0;
}

Test(await, cancel_by_a_third_task)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancel_while_awaited, NULL, .workers = w);
    }
}

/* Many awaiting across workers while everything moves. */
static int ping(void *arg)
{
    uintptr_t n = (uintptr_t)arg;
    for (uintptr_t i = 0; i < 20; i++) {
        uintptr_t m = (n * 31 + i) % 1000;
        if (bg_await(bg_spawn(take_a_while, (void *)m)) != (int)m) {
            return -EIO;
        }
    }
    return 0;
}

static int main_crowd(void *arg)
{
    bg_task *t[100];
    (void)arg;
    for (int round = 0; round < MANY(20); round++) {
        for (uintptr_t i = 0; i < 100; i++) {
            t[i] = bg_spawn(ping, (void *)i);
        }
        CHECK(bg_gather_all(t, 100, NULL) == 0);
    }
    return 0;
}

Test(await, a_crowd)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_crowd, NULL, .workers = w);
    }
}
