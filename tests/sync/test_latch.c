/*
 * The latch: opens once, for all.
 *
 * Labels: valgrind aarch64
 */
#include "sync.h"

static bg_latch l;

static int alone(void *arg)
{
    static bg_latch fixed = BG_LATCH_INIT(1);
    static bg_latch open = BG_LATCH_INIT(0);
    (void)arg;
    CHECK(bg_latch_wait(&open) == 0);
    CHECK(bg_latch_try_wait(&open) == 0);
    CHECK(bg_latch_count_down(&open, 1) == -EINVAL);
    CHECK(bg_latch_count_down(&open, 0) == 0);
    if (bg_latch_try_wait(&fixed) == -EAGAIN) {
        CHECK(bg_latch_count_down(&fixed, 1) == 0);
    }
    CHECK(bg_latch_wait(&fixed) == 0);
    CHECK(bg_latch_init(&l, -1) == -EINVAL);
    CHECK(bg_latch_init(&l, 5) == 0);
    CHECK(bg_latch_try_wait(&l) == -EAGAIN);
    CHECK(bg_latch_count_down(&l, 2) == 0);
    CHECK(bg_latch_count_down(&l, 4) == -EINVAL);
    CHECK(bg_latch_count_down(&l, -1) == -EINVAL);
    CHECK(bg_latch_count_down(&l, INT32_MAX) == -EINVAL);
    CHECK(bg_latch_try_wait(&l) == -EAGAIN);
    CHECK(bg_latch_count_down(&l, 3) == 0);
    CHECK(bg_latch_try_wait(&l) == 0);
    CHECK(bg_latch_wait(&l) == 0);
    bg_latch_destroy(&l);
    return 0;
}

Test(latch, counted_down)
{
    everywhere(alone);
    cr_assert_eq(alone(NULL), 0); /* by a plain thread */
    NO_CHECK_FAILED();
}

/* ---- many ---- */

enum { COUNTERS = 4, WAITERS = 3 };
static int wrote[COUNTERS]; /* plain: the latch orders them */

static int count(void *arg)
{
    wrote[(intptr_t)arg] = 1;
    return bg_latch_count_down(&l, 1);
}

static int wait_for_it(void *arg)
{
    (void)arg;
    int r = bg_latch_wait(&l);
    for (int i = 0; i < COUNTERS && r == 0; i++) {
        CHECK(wrote[i] == 1);
    }
    return r;
}

static int many(void *arg)
{
    bg_task *t[COUNTERS + WAITERS];
    (void)arg;
    CHECK(bg_latch_init(&l, COUNTERS) == 0);
    memset(wrote, 0, sizeof wrote);
    for (int i = 0; i < COUNTERS + WAITERS; i++) {
        t[i] = i % 2 == 1 && i / 2 < WAITERS ? bg_spawn(wait_for_it, NULL)
                                             : bg_spawn(count, INT_ARG(i / 2));
    }
    CHECK(bg_gather_all(t, COUNTERS + WAITERS, NULL) == 0);
    CHECK(bg_latch_try_wait(&l) == 0);
    return 0;
}

Test(latch, opens_for_all)
{
    everywhere(many);
}

static int one_after_another(void *arg)
{
    bg_task *t[WAITERS];
    (void)arg;
    CHECK(bg_latch_init(&l, COUNTERS) == 0);
    for (int i = 0; i < WAITERS; i++) {
        t[i] = bg_spawn(wait_for_it, NULL);
    }
    until_waiting(&l, WAITERS);
    for (int i = 0; i < COUNTERS; i++) {
        CHECK(waiting_on(&l) == WAITERS);
        CHECK(count(INT_ARG(i)) == 0);
    }
    CHECK(waiting_on(&l) == 0);
    CHECK(bg_latch_count_down(&l, 1) == -EINVAL);
    return bg_gather_all(t, WAITERS, NULL);
}

Test(latch, opens_at_the_last_count)
{
    everywhere(one_after_another);
}

static int mixed(void *arg)
{
    struct helper h[COUNTERS + 1];
    (void)arg;
    CHECK(bg_latch_init(&l, COUNTERS) == 0);
    memset(wrote, 0, sizeof wrote);
    helper_start(&h[COUNTERS], wait_for_it, NULL);
    bg_task *t = bg_spawn(wait_for_it, NULL);
    for (int i = 0; i < COUNTERS; i++) {
        helper_start(&h[i], count, INT_ARG(i));
    }
    CHECK(bg_await(t) == 0);
    for (int i = 0; i <= COUNTERS; i++) {
        CHECK(helper_end(&h[i]) == 0);
    }
    return 0;
}

Test(latch, of_tasks_and_threads)
{
    on_threads(mixed);
}

/* ---- ends ---- */

static int cancelled(void *arg)
{
    bg_task *t[3];
    (void)arg;
    for (int victim = 0; victim < 3; victim++) {
        CHECK(bg_latch_init(&l, 2) == 0);
        for (int i = 0; i < 3; i++) {
            t[i] = bg_spawn(wait_for_it, NULL);
            until_waiting(&l, i + 1);
        }
        CHECK(bg_latch_count_down(&l, 1) == 0);
        CHECK(bg_cancel(t[victim]) == 0);
        CHECK(bg_await(t[victim]) == -ECANCELED);
        CHECK(waiting_on(&l) == 2);
        memset(wrote, 1, sizeof wrote);
        for (int i = 0; i < COUNTERS; i++) {
            wrote[i] = 1;
        }
        CHECK(bg_latch_count_down(&l, 1) == 0);
        for (int i = 0; i < 3; i++) {
            CHECK(i == victim || bg_await(t[i]) == 0);
        }
    }
    return 0;
}

Test(latch, who_is_cancelled_goes)
{
    everywhere(cancelled);
}

static int late(void *arg)
{
    (void)arg;
    CHECK(bg_latch_init(&l, 1) == 0);
    bg_timeout (BG_MS) {
        CHECK(bg_latch_wait(&l) == -ETIMEDOUT);
        CHECK(bg_latch_count_down(&l, 1) == 0);
        CHECK(bg_latch_wait(&l) == -ETIMEDOUT);
        CHECK(bg_latch_try_wait(&l) == 0);
    }
    CHECK(bg_latch_wait(&l) == 0);
    return 0;
}

Test(latch, who_is_to_end_fails_though_it_is_open)
{
    everywhere(late);
}

/* ---- gone ---- */

static int count_arg(void *arg)
{
    return bg_latch_count_down(arg, 1);
}

static int on_a_stack(void *arg)
{
    bg_task *t[6];
    (void)arg;
    for (int i = 0; i < 6; i += 3) {
        bg_latch done = BG_LATCH_INIT(3);
        for (int k = 0; k < 3; k++) {
            t[i + k] = bg_spawn(count_arg, &done);
        }
        CHECK(bg_latch_wait(&done) == 0);
        bg_latch_destroy(&done);
        memset(&done, 0x55, sizeof done);
    }
    return bg_gather_all(t, 6, NULL);
}

static int on_a_stack_polled(void *arg)
{
    bg_task *t[3];
    (void)arg;
    bg_latch done = BG_LATCH_INIT(3);
    for (int k = 0; k < 3; k++) {
        t[k] = bg_spawn(count_arg, &done);
    }
    while (bg_latch_try_wait(&done) != 0) {
        bg_yield();
    }
    memset(&done, 0x55, sizeof done);
    return bg_gather_all(t, 3, NULL);
}

Test(latch, may_be_gone_before_the_last_count_returns)
{
    everywhere(on_a_stack);
    everywhere(on_a_stack_polled);
}
