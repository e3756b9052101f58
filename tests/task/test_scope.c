/*
 * Timeouts, deadlines, shields: which waits they end, with which code, and that they are left by
 * any road. In the deterministic mode, where time stands still, and on threads.
 *
 * Labels: valgrind aarch64
 */
#include "check.h"

#include "task/task.h"

#include <errno.h>

/* Runs the body under many schedules on virtual time, and once on threads. */
static void everywhere(bg_fn body)
{
    cr_assert_eq(bg_explore(body, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
    EACH_WORKER_COUNT(w)
    {
        RUN(body, NULL, .workers = w);
    }
}

static int sleeps_for(void *arg)
{
    return bg_sleep((bg_duration)(intptr_t)arg);
}

static void *ns(bg_duration d)
{
    return (void *)(intptr_t)d;
}

/* ---- one scope ---- */

static int expires(void *unused)
{
    (void)unused;
    int ran = 0;
    bg_time start = bg_now();
    bg_timeout (2 * BG_MS) {
        CHECK(bg_sleep(BG_S * 1000) == -ETIMEDOUT);
        CHECK(bg_now() - start >= 2 * BG_MS);
        CHECK(bg_sleep(BG_S * 1000) == -ETIMEDOUT); /* and the next one too */
        CHECK(bg_sleep(0) == -ETIMEDOUT);
        CHECK(bg_cancelled() == -ETIMEDOUT);
        ran++;
    }
    CHECK(ran == 1);
    CHECK(bg_timed_out() == 1);
    CHECK(bg_cancelled() == 0);
    CHECK(bg_sleep(BG_MS) == 0);
    return 0;
}

Test(scope, every_wait_within_fails_once_the_time_is_over)
{
    everywhere(expires);
}

static int in_time(void *unused)
{
    (void)unused;
    bg_timeout (1000 * BG_S) {
        CHECK(bg_sleep(BG_MS) == 0);
        CHECK(bg_cancelled() == 0);
    }
    CHECK(bg_timed_out() == 0);
    bg_deadline (bg_now() + 1000 * BG_S) {
        CHECK(bg_sleep(BG_MS) == 0);
    }
    CHECK(bg_timed_out() == 0);
    bg_timeout (BG_FOREVER) {
        CHECK(bg_sleep(BG_MS) == 0);
    }
    return 0;
}

Test(scope, a_wait_that_is_in_time_does_not_notice)
{
    everywhere(in_time);
}

static int at_once(void *unused)
{
    (void)unused;
    bg_timeout (0) {
        CHECK(bg_cancelled() == -ETIMEDOUT);
        CHECK(bg_sleep(BG_S) == -ETIMEDOUT);
    }
    CHECK(bg_timed_out() == 1);
    bg_timeout (-BG_S) {
        CHECK(bg_sleep(BG_S) == -ETIMEDOUT);
    }
    bg_deadline (bg_now()) {
        CHECK(bg_sleep(BG_S) == -ETIMEDOUT);
    }
    CHECK(bg_timed_out() == 1);
    bg_time soon = bg_now() + BG_MS;
    bg_deadline (soon) {
        CHECK(bg_sleep(1000 * BG_S) == -ETIMEDOUT);
        CHECK(bg_now() >= soon);
    }
    CHECK(bg_timed_out() == 1);
    return 0;
}

Test(scope, a_deadline_that_has_passed)
{
    everywhere(at_once);
}

/* ---- by any road ---- */

static int returns_within(void)
{
    bg_timeout (1000 * BG_S) {
        bg_shield
        {
            return 7;
        }
    }
    return 8;
}

static int any_road(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++) {
        bg_timeout (1000 * BG_S) {
            if (i == 0) {
                break;
            }
            if (i == 1) {
                continue;
            }
            bg_timeout (1000 * BG_S) {
                goto out;
            }
        }
    }
    CHECK(0);
out:
    CHECK(bgi_fiber_self()->stack->scope == NULL);
    CHECK(returns_within() == 7);
    CHECK(bgi_fiber_self()->stack->scope == NULL);
    return 0;
}

Test(scope, is_left_by_any_road)
{
    everywhere(any_road);
}

/* ---- nested ---- */

static int outer_first(void *unused)
{
    (void)unused;
    bg_timeout (BG_MS) {
        bg_timeout (1000 * BG_S) {
            CHECK(bg_sleep(2000 * BG_S) == -ETIMEDOUT);
        }
        CHECK(bg_timed_out() == 0); /* it was the outer one's time */
        CHECK(bg_sleep(BG_S) == -ETIMEDOUT);
    }
    CHECK(bg_timed_out() == 1);
    return 0;
}

static int inner_first(void *unused)
{
    (void)unused;
    bg_timeout (1000 * BG_S) {
        bg_timeout (BG_MS) {
            CHECK(bg_sleep(2000 * BG_S) == -ETIMEDOUT);
        }
        CHECK(bg_timed_out() == 1);
        CHECK(bg_sleep(BG_MS) == 0);
    }
    CHECK(bg_timed_out() == 0);
    return 0;
}

Test(scope, the_nearest_decides)
{
    everywhere(outer_first);
    everywhere(inner_first);
}

static int within_a_deadline(void *unused)
{
    (void)unused;
    int r = 0;
    bg_timeout (1000 * BG_S) {
        r = bg_sleep(2000 * BG_S);
    }
    CHECK(r == -ECANCELED && bg_timed_out() == 0);
    bg_timeout (0) {
        CHECK(bg_sleep(BG_S) == -ETIMEDOUT); /* nearer than the cancel */
    }
    return bg_sleep(BG_S);
}

static int cancels_a_child(void *unused)
{
    (void)unused;
    bg_task *t = bg_spawn(within_a_deadline, NULL);
    bg_sleep(BG_MS);
    bg_cancel(t);
    CHECK(bg_await(t) == -ECANCELED);
    return 0;
}

Test(scope, a_cancel_within_a_deadline)
{
    everywhere(cancels_a_child);
}

/* ---- shields ---- */

static int cleans_up(void *unused)
{
    (void)unused;
    CHECK(bg_sleep(1000 * BG_S) == -ECANCELED);
    bg_shield
    {
        CHECK(bg_cancelled() == 0);
        CHECK(bg_sleep(BG_MS) == 0);
        bg_timeout (BG_MS) {
            CHECK(bg_sleep(1000 * BG_S) == -ETIMEDOUT); /* its own scopes count */
        }
        bg_shield
        {
            CHECK(bg_sleep(BG_MS) == 0);
        }
        CHECK(bg_sleep(0) == 0);
    }
    return bg_sleep(BG_MS);
}

static int cancels_who_cleans_up(void *unused)
{
    (void)unused;
    bg_task *t = bg_spawn(cleans_up, NULL);
    bg_yield();
    bg_sleep(BG_MS);
    bg_cancel(t);
    CHECK(bg_await(t) == -ECANCELED);
    return 0;
}

static int shield_in_a_deadline(void *unused)
{
    (void)unused;
    bg_timeout (BG_MS) {
        bg_shield
        {
            CHECK(bg_sleep(5 * BG_MS) == 0); /* expires meanwhile, hidden */
            CHECK(bg_sleep(BG_MS) == 0);
            CHECK(bg_cancelled() == 0);
            bg_timeout (BG_MS) {
                CHECK(bg_sleep(1000 * BG_S) == -ETIMEDOUT);
            }
            CHECK(bg_sleep(BG_MS) == 0);
        }
        CHECK(bg_cancelled() == -ETIMEDOUT);
        CHECK(bg_sleep(BG_MS) == -ETIMEDOUT);
    }
    CHECK(bg_timed_out() == 1);
    return 0;
}

static int shielded_sleep(void *unused)
{
    (void)unused;
    int r = -1;
    bg_shield
    {
        r = bg_sleep(5 * BG_MS);
    }
    CHECK(r == 0);
    return bg_sleep(0);
}

static int cancelled_behind_a_shield(void *unused)
{
    (void)unused;
    bg_task *t = bg_spawn(shielded_sleep, NULL);
    bg_sleep(BG_MS);
    bg_cancel(t);
    CHECK(bg_await(t) == -ECANCELED);
    return 0;
}

Test(scope, a_shield_hides_what_is_outside)
{
    everywhere(cancels_who_cleans_up);
    everywhere(shield_in_a_deadline);
    cr_assert_eq(bg_explore(cancelled_behind_a_shield, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
}

/* ---- other waits ---- */

static int returns_five(void *unused)
{
    (void)unused;
    bg_shield
    {
        bg_sleep(2 * BG_MS);
    }
    return 5;
}

static int awaits(void *unused)
{
    (void)unused;
    bg_task *late[2];
    int results[2];
    size_t index;

    bg_timeout (BG_MS) {
        CHECK(bg_await(bg_spawn(sleeps_for, ns(1000 * BG_S))) == -ETIMEDOUT); /* passed on */
    }
    bg_timeout (BG_MS) {
        CHECK(bg_await(bg_spawn(returns_five, NULL)) == 5); /* it has heard of it, and is done */
        CHECK(bg_cancelled() == -ETIMEDOUT);
    }
    bg_timeout (BG_MS) {
        late[0] = bg_spawn(sleeps_for, ns(1000 * BG_S));
        late[1] = bg_spawn(returns_five, NULL);
        CHECK(bg_wait_any(late, 2, &index) == -ETIMEDOUT);
        CHECK(bg_gather_all(late, 2, results) == -ETIMEDOUT);
        CHECK(results[0] == -ETIMEDOUT && results[1] == 5);
    }
    bg_timeout (BG_MS) {
        bg_shield
        {
            CHECK(bg_await(bg_spawn(sleeps_for, ns(5 * BG_MS))) == 0);
        }
    }
    CHECK(bg_timed_out() == 1);
    return 0;
}

Test(scope, awaiting_passes_it_on)
{
    cr_assert_eq(bg_explore(awaits, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
}

/* ---- many, on the move ---- */

/* The timeout of this depth is short. */
enum { SHORT = 3 };

struct nest {
    int depth, outermost;
};

static int nest(const struct nest *n)
{
    struct nest inner = {n->depth - 1, n->outermost};
    int r = 0;
    bg_timeout ((n->depth % 7 == SHORT ? 1 : 1000000) * BG_MS) {
        if (n->depth == 0) {
            r = bg_sleep(n->outermost < SHORT ? BG_MS : BG_FOREVER);
        } else {
            bg_yield();
            r = nest(&inner);
            bg_yield();
        }
    }
    return r;
}

static int nests(void *arg)
{
    struct nest n = {(int)(intptr_t)arg, (int)(intptr_t)arg};
    return nest(&n);
}

static int many_nested(void *unused)
{
    (void)unused;
    enum { N = 64 };
    bg_task *t[N];
    for (intptr_t i = 0; i < N; i++) {
        t[i] = bg_spawn(nests, (void *)i);
    }
    for (intptr_t i = 0; i < N; i++) {
        CHECK(bg_await(t[i]) == (i < SHORT ? 0 : -ETIMEDOUT));
    }
    return 0;
}

Test(scope, many_at_once)
{
    RUN(many_nested, NULL, .workers = 4);
    cr_assert_eq(bg_explore(many_nested, NULL, .seeds = MANY(20)), 0);
    NO_CHECK_FAILED();
}

static int race_for_the_end(void *arg)
{
    bgi_word *ended = arg;
    for (int i = 0; i < 50; i++) {
        bg_duration d = (i % 5 + 1) * 20 * BG_US;
        int r = 0;
        bg_timeout (d) {
            r = bg_sleep(60 * BG_US);
        }
        CHECK(r == 0 || (r == -ETIMEDOUT && bg_timed_out()));
        ended[r == 0]++;
    }
    return 0;
}

static int many_race(void *unused)
{
    (void)unused;
    enum { N = 32 };
    static bgi_word ended[N][2];
    bg_task *t[N];
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(race_for_the_end, ended[i]);
    }
    CHECK(bg_gather_all(t, N, NULL) == 0);
    return 0;
}

Test(scope, a_timeout_beside_the_end_of_the_wait)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(many_race, NULL, .workers = w);
    }
}

/* ---- outside ---- */

Test(scope, outside_of_tasks)
{
    cr_assert_eq(bg_timed_out(), 0);
    cr_assert_eq(bg_cancelled(), 0);
#if !BGI_DEBUG
    int ran = 0;
    bg_timeout (0) {
        ran++;
    }
    bg_deadline (0) {
        ran++;
    }
    bg_shield
    {
        ran++;
    }
    cr_assert_eq(ran, 3);
#endif
}
