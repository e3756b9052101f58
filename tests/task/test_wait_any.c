/*
 * wait_any: which one it names, what it leaves alone, and that the signals of those that end at the
 * same time are all accounted for: whoever has waited so waits as ever afterwards.
 *
 * Labels: long
 */
#include "check.h"

static bgi_atomic gate, waiting;

static int main_limits(void *arg)
{
    size_t index = 77;
    bg_task *nothing[] = {NULL};
    (void)arg;
    CHECK(bg_wait_any(nothing, 0, &index) == -EINVAL);
    CHECK(bg_wait_any(NULL, 0, &index) == -EINVAL);
    CHECK(bg_wait_any(NULL, 1, &index) == -EINVAL);
    CHECK(index == 77);
    CHECK(bg_wait_any(nothing, 1, &index) == 0 && index == 0); /* NULL has ended */
    CHECK(bg_wait_any(nothing, 1, NULL) == 0);
    return 0;
}

Test(wait_any, of_none_and_of_nothing)
{
    RUN(main_limits, NULL, .workers = 1);
}

static int wait_at_gate(void *arg)
{
    add_one(&waiting);
    yield_until(&gate, (bgi_word)(intptr_t)arg);
    return (int)(intptr_t)arg;
}

static int main_which(void *arg)
{
    size_t index = 77;
    (void)arg;
    bgi_store(&gate, 0);
    bg_task *t[] = {bg_spawn(wait_at_gate, INT_ARG(2)), bg_spawn(wait_at_gate, INT_ARG(1)),
                    bg_spawn(wait_at_gate, INT_ARG(2))};
    bgi_store_release(&gate, 1);
    CHECK(bg_wait_any(t, 3, &index) == 0 && index == 1);
    CHECK(bg_wait_any(t, 3, NULL) == 0);
    CHECK(bg_wait_any(t, 3, &index) == 0 && index == 1); /* its handle is still there */
    CHECK(bg_await(t[1]) == 1);
    t[1] = t[2];
    bgi_store_release(&gate, 2);
    CHECK(bg_wait_any(t, 2, &index) == 0 && index < 2);
    CHECK(bg_await(t[index]) == 2);
    CHECK(bg_await(t[1 - index]) == 2);
    return 0;
}

Test(wait_any, names_one_that_has_ended)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_which, NULL, .workers = w);
    }
}

static int main_first_in_order(void *arg)
{
    size_t index = 77;
    bg_task *t[5];
    (void)arg;
    t[0] = bg_spawn(sleep_forever, NULL);
    for (intptr_t i = 1; i < 5; i++) {
        t[i] = bg_spawn(return_arg, INT_ARG(i));
    }
    for (int i = 3; i < 5; i++) { /* both are known to have ended */
        bg_task *one[] = {t[i]};
        CHECK(bg_wait_any(one, 1, NULL) == 0);
    }
    bg_task *from_two[] = {t[0], NULL, t[3], t[4]};
    CHECK(bg_wait_any(from_two, 4, &index) == 0 && index == 1);
    from_two[1] = t[0];
    bg_task *some[] = {t[0], t[4], t[3]};
    CHECK(bg_wait_any(some, 3, &index) == 0 && index == 1);
    CHECK(bg_cancel(t[0]) == 0);
    CHECK(bg_gather_all(t, 5, NULL) == -ECANCELED);
    return 0;
}

Test(wait_any, the_first_in_order_if_several_have_ended)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_first_in_order, NULL, .workers = w);
    }
}

/* ---- cancelled ---- */

struct any {
    bg_task *t[4];
    bgi_atomic begun;
};

static int wait_for_them(void *arg)
{
    struct any *a = arg;
    size_t index = 77;
    bgi_store_release(&a->begun, 1);
    int r = bg_wait_any(a->t, 4, &index);
    CHECK(r == 0 || index == 77);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED); /* the test cancels it sooner or later */
    int again = bg_wait_any(a->t, 4, &index);
    CHECK(r == 0 ? again == 0 : again == 0 || again == -ECANCELED);
    return r;
}

static int main_cancelled(void *arg)
{
    struct any a;
    (void)arg;
    bgi_store(&gate, 0);
    bgi_store(&a.begun, 0);
    for (int i = 0; i < 4; i++) {
        a.t[i] = bg_spawn(wait_at_gate, INT_ARG(1));
    }
    bg_task *w = bg_spawn(wait_for_them, &a);
    yield_until(&a.begun, 1);
    CHECK(bg_sleep(BG_MS) == 0);
    CHECK(bg_cancel(w) == 0);
    CHECK(bg_await(w) == -ECANCELED);
    /* The tasks go on, uncancelled, with their handles. */
    bgi_store_release(&gate, 1);
    CHECK(bg_gather_all(a.t, 4, NULL) == 0);

    /* Cancelled, but one has ended: that counts. */
    bgi_store(&a.begun, 0);
    a.t[0] = a.t[1] = a.t[3] = NULL;
    a.t[2] = bg_spawn(sleep_forever, NULL);
    w = bg_spawn(wait_for_them, &a);
    yield_until(&a.begun, 1);
    CHECK(bg_cancel(w) == 0);
    CHECK(bg_await(w) == 0);
    CHECK(bg_cancel(a.t[2]) == 0 && bg_await(a.t[2]) == -ECANCELED);
    return 0;
}

Test(wait_any, cancelled_it_leaves_the_tasks_alone)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancelled, NULL, .workers = w);
    }
}

/* ---- several at once ---- */

enum { GROUP = 8 };

static int end_soon(void *arg)
{
    uintptr_t n = (uintptr_t)arg;
    yield_until(&gate, 1);
    for (uintptr_t i = 0; i < n % 100; i++) {
        bgi_pause();
    }
    return (int)n;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Every kind of wait lasts as long as it should: a signal too many would end one early, one too few
 * would have been waited for without an end. */
static void wait_as_ever(void)
{
    bg_time before = bg_now();
    CHECK(bg_sleep(50 * BG_US) == 0);
    CHECK(bg_now() - before >= 50 * BG_US);
    CHECK(bg_await(bg_spawn(return_arg, INT_ARG(31))) == 31);
    bg_task *t = bg_spawn(sleep_some, INT_ARG(50 * BG_US));
    before = bg_now();
    CHECK(bg_await(t) == 0);
}

static int main_several(void *arg)
{
    struct bgi_random rnd;
    (void)arg;
    bgi_random_seed(&rnd, 6);
    for (int round = 0; round < MANY(1500); round++) {
        bg_task *t[GROUP];
        size_t left = GROUP;
        bgi_store(&gate, 0);
        for (size_t i = 0; i < GROUP; i++) {
            t[i] = bg_spawn(end_soon, INT_ARG(bgi_random_below(&rnd, 1000)));
        }
        if (round % 2 == 0) {
            bg_yield();
        }
        bgi_store_release(&gate, 1);
        while (left > 0) { /* as_completed */
            size_t index = 77;
            CHECK(bg_wait_any(t, left, &index) == 0 && index < left);
            if (round % 16 == 0) {
                wait_as_ever();
            }
            CHECK(bg_await(t[index]) >= 0);
            t[index] = t[--left];
        }
        wait_as_ever();
    }
    return 0;
}

Test(wait_any, several_that_end_at_once)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_several, NULL, .workers = w);
    }
}

/* Registered with many, ended by one, again and again: the other registrations are taken back. */
static int main_one_of_many(void *arg)
{
    bg_task *t[64];
    (void)arg;
    bgi_store(&gate, 0);
    for (int i = 0; i < 63; i++) {
        t[i] = bg_spawn(wait_at_gate, INT_ARG(1));
    }
    for (int round = 0; round < MANY(2000); round++) {
        size_t index = 0;
        t[63] = bg_spawn(round % 2 ? nothing : sleep_some, INT_ARG(10 * BG_US));
        CHECK(bg_wait_any(t, 64, &index) == 0 && index == 63);
        CHECK(bg_await(t[63]) == 0);
    }
    wait_as_ever();
    bgi_store_release(&gate, 1);
    CHECK(bg_gather_all(t, 63, NULL) == 0);
    return 0;
}

Test(wait_any, one_of_many_again_and_again)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_one_of_many, NULL, .workers = w);
    }
}

/* Cancelled, ended by one, ended by several: all at the same time. */
static int any_then_wait(void *arg)
{
    struct any *a = arg;
    bgi_store_release(&a->begun, 1);
    int r = bg_wait_any(a->t, 4, NULL);
    CHECK(r == 0 || r == -ECANCELED);
    /* Now cancelled or about to be; none of these may hang or find a stray signal. */
    bg_task *child = bg_spawn(return_arg, INT_ARG(4));
    int result = bg_await(child);
    CHECK(result == 4 || result == -ECANCELED);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    CHECK(bg_gather_all(a->t, 4, NULL) <= 0);
    return 0;
}

static int main_cancel_races(void *arg)
{
    struct bgi_random rnd;
    (void)arg;
    bgi_random_seed(&rnd, 7);
    for (int round = 0; round < MANY(3000); round++) {
        struct any a;
        bgi_store(&gate, 0);
        bgi_store(&a.begun, 0);
        for (int i = 0; i < 4; i++) {
            a.t[i] = bg_spawn(end_soon, INT_ARG(bgi_random_below(&rnd, 1000)));
        }
        bg_task *w = bg_spawn(any_then_wait, &a);
        yield_until(&a.begun, 1);
        for (uint32_t i = bgi_random_below(&rnd, 3); i > 0; i--) {
            bg_yield();
        }
        bgi_store_release(&gate, 1);
        for (uint32_t i = bgi_random_below(&rnd, 300); i > 0; i--) {
            bgi_pause();
        }
        CHECK(bg_cancel(w) == 0);
        CHECK(bg_await(w) == 0);
    }
    return 0;
}

Test(wait_any, cancel_races_several_ends)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancel_races, NULL, .workers = w);
    }
}
