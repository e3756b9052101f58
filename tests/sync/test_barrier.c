/*
 * The barrier: n pass together, one of them as the last; who is cancelled does not count.
 *
 * Labels: valgrind aarch64
 */
#include "sync.h"

static bg_barrier b;

static int alone(void *arg)
{
    static bg_barrier fixed = BG_BARRIER_INIT(1);
    static bg_barrier none = BG_BARRIER_INIT(0);
    (void)arg;
    CHECK(bg_barrier_wait(&fixed) == 1);
    CHECK(bg_barrier_wait(&fixed) == 1);
    CHECK(bg_barrier_init(&b, 0) == -EINVAL);
    CHECK(bg_barrier_init(&b, -1) == -EINVAL);
    CHECK(bg_barrier_init(&b, 1) == 0);
    CHECK(bg_barrier_wait(&b) == 1);
    CHECK(bg_barrier_wait(&none) == -EINVAL);
    bg_barrier_destroy(&b);
    return 0;
}

Test(barrier, of_one)
{
    everywhere(alone);
    cr_assert_eq(alone(NULL), 0); /* by a plain thread */
    NO_CHECK_FAILED();
}

/* ---- rounds ---- */

enum { PARTIES = 4, ROUNDS = 6 };
static int done[PARTIES]; /* plain: the barrier orders them */
static bgi_atomic lasts;

static int party(void *arg)
{
    int id = (int)(intptr_t)arg;
    for (int round = 1; round <= ROUNDS; round++) {
        done[id] = round;
        int r = bg_barrier_wait(&b);
        CHECK(r == 0 || r == 1);
        if (r == 1) {
            add_one(&lasts);
        }
        for (int i = 0; i < PARTIES; i++) {
            CHECK(done[i] == round);
        }
        CHECK(bg_barrier_wait(&b) >= 0); /* so that all have looked */
    }
    return 0;
}

static int rounds(void *arg)
{
    bg_task *t[PARTIES];
    (void)arg;
    CHECK(bg_barrier_init(&b, PARTIES) == 0);
    bgi_store(&lasts, 0);
    for (int i = 0; i < PARTIES; i++) {
        t[i] = bg_spawn(party, INT_ARG(i));
    }
    CHECK(bg_gather_all(t, PARTIES, NULL) == 0);
    CHECK(bgi_load(&lasts) == ROUNDS);
    CHECK(waiting_on(&b) == 0);
    return 0;
}

Test(barrier, all_pass_together_round_after_round)
{
    everywhere(rounds);
}

static int mixed(void *arg)
{
    bg_task *t[PARTIES / 2];
    struct helper h[PARTIES / 2];
    (void)arg;
    CHECK(bg_barrier_init(&b, PARTIES) == 0);
    bgi_store(&lasts, 0);
    for (int i = 0; i < PARTIES / 2; i++) {
        t[i] = bg_spawn(party, INT_ARG(2 * i));
        helper_start(&h[i], party, INT_ARG(2 * i + 1));
    }
    CHECK(bg_gather_all(t, PARTIES / 2, NULL) == 0);
    for (int i = 0; i < PARTIES / 2; i++) {
        CHECK(helper_end(&h[i]) == 0);
    }
    CHECK(bgi_load(&lasts) == ROUNDS);
    return 0;
}

Test(barrier, of_tasks_and_threads)
{
    on_threads(mixed);
}

/* More parties than go through at a time: groups form. */
static int pass_once(void *arg)
{
    (void)arg;
    return bg_barrier_wait(&b);
}

static int groups(void *arg)
{
    bg_task *t[9];
    int results[9], last = 0;
    (void)arg;
    CHECK(bg_barrier_init(&b, 3) == 0);
    for (int i = 0; i < 9; i++) {
        t[i] = bg_spawn(pass_once, NULL);
    }
    CHECK(bg_gather_all(t, 9, results) == 0);
    for (int i = 0; i < 9; i++) {
        CHECK(results[i] == 0 || results[i] == 1);
        last += results[i];
    }
    CHECK(last == 3);
    return 0;
}

Test(barrier, of_more_than_pass_at_a_time)
{
    everywhere(groups);
}

/* ---- ends ---- */

static int cancelled(void *arg)
{
    bg_task *t[3];
    (void)arg;
    for (int victim = 0; victim < 2; victim++) {
        CHECK(bg_barrier_init(&b, 3) == 0);
        for (int i = 0; i < 2; i++) {
            t[i] = bg_spawn(pass_once, NULL);
            until_waiting(&b, i + 1);
        }
        CHECK(bg_cancel(t[victim]) == 0);
        CHECK(bg_await(t[victim]) == -ECANCELED);
        CHECK(waiting_on(&b) == 1);
        t[victim] = bg_spawn(pass_once, NULL);
        until_waiting(&b, 2); /* it took its count with it */
        CHECK(bg_barrier_wait(&b) == 1);
        CHECK(bg_await(t[0]) == 0 && bg_await(t[1]) == 0);
    }
    return 0;
}

Test(barrier, who_is_cancelled_does_not_count)
{
    everywhere(cancelled);
}

/* Whenever the cancels come: those who pass do so three at a time. */
static int cancel_any_time(void *arg)
{
    enum { N = 8 };
    bg_task *t[N];
    int passed = 0, last = 0;
    (void)arg;
    CHECK(bg_barrier_init(&b, 3) == 0);
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(pass_once, NULL);
        if (i % 2) {
            CHECK(bg_cancel(t[i / 2 * 2]) == 0);
        }
    }
    for (int i = 0; i < N; i++) {
        bg_yield();
        CHECK(bg_cancel(t[i]) == 0);
    }
    for (int i = 0; i < N; i++) {
        int r = bg_await(t[i]);
        CHECK(r == 0 || r == 1 || r == -ECANCELED);
        passed += r >= 0;
        last += r == 1;
    }
    CHECK(passed % 3 == 0 && last == passed / 3);
    CHECK(waiting_on(&b) == 0);
    return 0;
}

Test(barrier, cancelled_at_any_time)
{
    everywhere(cancel_any_time);
}

static int late(void *arg)
{
    (void)arg;
    CHECK(bg_barrier_init(&b, 2) == 0);
    bg_timeout (BG_MS) {
        CHECK(bg_barrier_wait(&b) == -ETIMEDOUT);
        CHECK(bg_barrier_wait(&b) == -ETIMEDOUT); /* does not come any more */
    }
    CHECK(waiting_on(&b) == 0);
    return 0;
}

Test(barrier, who_runs_out_of_time_does_not_count)
{
    everywhere(late);
}

/* ---- gone ---- */

struct meeting {
    bg_barrier b;
};

static bgi_atomic arrived;

static int meet(void *arg)
{
    struct meeting *meeting = arg;
    add_one(&arrived);
    int r = bg_barrier_wait(&meeting->b);
    if (r == 1) { /* the others may not have returned yet */
        bg_barrier_destroy(&meeting->b);
        memset(meeting, 0x55, sizeof *meeting);
        bgi_free(meeting);
    }
    return r;
}

/* Cancelled as it passes: in that case as well nobody looks at the barrier any more. If it left
 * before, another comes in its place. */
static int freed_by_the_last(void *arg)
{
    bg_task *t[4];
    (void)arg;
    struct meeting *meeting = bgi_malloc(sizeof *meeting);
    CHECK(bg_barrier_init(&meeting->b, 3) == 0);
    bgi_store(&arrived, 0);
    for (int i = 0; i < 3; i++) {
        t[i] = bg_spawn(meet, meeting);
    }
    yield_until(&arrived, 2);
    CHECK(bg_cancel(t[1]) == 0);
    int r = bg_await(t[1]);
    CHECK(r == 0 || r == 1 || r == -ECANCELED);
    t[1] = r == -ECANCELED ? bg_spawn(meet, meeting) : bg_spawn(return_arg, NULL);
    return bg_gather_all(t, 3, NULL) < 0;
}

Test(barrier, may_be_freed_by_the_first_that_comes_out)
{
    everywhere(freed_by_the_last);
}
