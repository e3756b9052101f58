/*
 * Tasks in the order in which they end: each is given once, in that order; what is not given stays
 * the caller's; a caller that is to end passes that on and still gets all.
 *
 * Labels: valgrind aarch64
 */
#include "check.h"

#include "task/task.h"

#include <errno.h>

enum { N = 8 };

static void everywhere(bg_fn body)
{
    cr_assert_eq(bg_explore(body, NULL, .seeds = MANY(300)), 0);
    NO_CHECK_FAILED();
    EACH_WORKER_COUNT(w)
    {
        RUN(body, NULL, .workers = w);
    }
}

/* Sleeps arg times 10 ms and returns arg. */
static int late(void *arg)
{
    int n = (int)(intptr_t)arg;
    int r = bg_sleep(n * 10 * BG_MS);
    return r < 0 ? r : n;
}

static void spawn_late(bg_task *t[N])
{
    static const int order[N] = {3, 1, 7, 5, 0, 6, 2, 4};
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(late, (void *)(intptr_t)order[i]);
    }
}

static int in_order(void *unused)
{
    (void)unused;
    bg_task *tasks[N];
    int next = 0;
    spawn_late(tasks);
    bg_as_completed (t, tasks, N) {
        CHECK(bg_await(t) == next++);
    }
    CHECK(next == N);
    bg_as_completed (t, tasks, 0) {
        CHECK(0);
    }
    return 0;
}

Test(completed, in_the_order_in_which_they_end)
{
    cr_assert_eq(bg_explore(in_order, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
}

static int each_once(void *unused)
{
    (void)unused;
    bg_task *tasks[N + 2];
    int sum = 0, nulls = 0;
    for (int i = 0; i < N; i++) {
        tasks[i + 1] = bg_spawn(late, (void *)(intptr_t)(i % 2 * i));
    }
    tasks[0] = tasks[N + 1] = NULL;
    bg_yield();
    bg_as_completed (t, tasks, N + 2) {
        int r = bg_await(t);
        nulls += r == -ENOMEM;
        sum += r > 0 ? r : 0;
    }
    CHECK(sum == 1 + 3 + 5 + 7);
    CHECK(nulls == 2);
    return 0;
}

Test(completed, each_is_given_once)
{
    everywhere(each_once);
}

static int left_early(void *unused)
{
    (void)unused;
    bg_task *tasks[N], *first = NULL;
    int sum = 0;
    spawn_late(tasks);
    bg_as_completed (t, tasks, N) {
        first = t;
        break;
    }
    for (int i = 0; i < N; i++) { /* the handles are all here still */
        int r = bg_await(tasks[i]);
        CHECK(tasks[i] != first || r == 0);
        sum += r;
    }
    CHECK(sum == 0 + 1 + 2 + 3 + 4 + 5 + 6 + 7);
    return 0;
}

Test(completed, what_is_not_given_stays_the_callers)
{
    cr_assert_eq(bg_explore(left_early, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
}

static int yields(void *arg)
{
    for (intptr_t i = 0; i < (intptr_t)arg; i++) {
        bg_yield();
    }
    return (int)(intptr_t)arg;
}

/* The ends race with the loop, and with its being left. */
static int races(void *unused)
{
    (void)unused;
    for (int round = 0; round < 50; round++) {
        bg_task *tasks[N];
        int given = 0, sum = 0;
        for (int i = 0; i < N; i++) {
            tasks[i] = bg_spawn(yields, (void *)(intptr_t)(i * 7 % 5));
        }
        bg_as_completed (t, tasks, N) {
            for (int i = 0; i < N; i++) {
                if (tasks[i] == t) {
                    tasks[i] = NULL;
                }
            }
            sum += bg_await(t);
            if (++given == round % (N + 1)) {
                break;
            }
        }
        for (int i = 0; i < N; i++) {
            sum += tasks[i] != NULL ? bg_await(tasks[i]) : 0;
        }
        CHECK(sum == 0 + 2 + 4 + 1 + 3 + 0 + 2 + 4);
    }
    return 0;
}

Test(completed, ends_beside_the_loop)
{
    everywhere(races);
}

static int goes_through_all(void *unused)
{
    (void)unused;
    bg_task *tasks[N];
    int ended = 0, cancelled = 0;
    for (int i = 0; i < N; i++) {
        tasks[i] = bg_spawn(late, (void *)(intptr_t)(i < 2 ? 0 : 100000));
    }
    bg_as_completed (t, tasks, N) {
        int r = bg_await(t);
        ended += r == 0;
        cancelled += r == -ECANCELED;
    }
    CHECK(ended == 2 && cancelled == N - 2);
    return bg_cancelled();
}

static int is_cancelled(void *unused)
{
    (void)unused;
    bg_task *t = bg_spawn(goes_through_all, NULL);
    bg_sleep(20 * BG_MS);
    bg_cancel(t);
    CHECK(bg_await(t) == -ECANCELED);
    bg_timeout (20 * BG_MS) {
        CHECK(goes_through_all(NULL) == -ETIMEDOUT);
    }
    return 0;
}

static int before_it_begins(void *unused)
{
    (void)unused;
    bg_task *tasks[3];
    int r[3] = {0, 0, 0}, n = 0;
    tasks[0] = bg_spawn(late, (void *)100000);
    tasks[1] = NULL;
    tasks[2] = bg_spawn(late, (void *)100000);
    bg_timeout (0) {
        bg_as_completed (t, tasks, 3) {
            r[n++] = bg_await(t);
        }
    }
    CHECK(n == 3 && r[0] == -ENOMEM && r[1] == -ECANCELED && r[2] == -ECANCELED);
    return 0;
}

static int cancels_and_ends(void *owner)
{
    bg_cancel(owner);
    return 4;
}

/* The cancel has claimed the wait that the end finds; the end comes all the same. */
static int waits_for_its_canceller(void *unused)
{
    (void)unused;
    bg_task *all[] = {bg_spawn(cancels_and_ends, bg_self())};
    int n = 0;
    bg_as_completed (t, all, 1) {
        CHECK(bg_await(t) == 4);
        n++;
    }
    CHECK(n == 1);
    return bg_sleep(0);
}

static int cancelled_by_its_task(void *unused)
{
    (void)unused;
    bg_task *t = bg_spawn(waits_for_its_canceller, NULL);
    CHECK(bg_await(t) == -ECANCELED);
    return 0;
}

Test(completed, a_caller_that_is_to_end_passes_it_on)
{
    cr_assert_eq(bg_explore(is_cancelled, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
    everywhere(before_it_begins);
    everywhere(cancelled_by_its_task);
}

#if !BGI_DEBUG
Test(completed, outside_of_tasks)
{
    bg_task *none[1] = {NULL};
    int n = 0;
    bg_as_completed (t, none, 1) {
        n += t == NULL;
    }
    cr_assert_eq(n, 0);
}
#endif
