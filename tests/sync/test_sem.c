/*
 * The semaphore: no permit lost or doubled, in the order of arrival, between tasks and threads.
 *
 * Labels: valgrind aarch64
 */
#include "sync.h"

static bg_sem s;
static bgi_atomic inside;
static int most;

/* ---- alone ---- */

static int alone(void *arg)
{
    static bg_sem fixed = BG_SEM_INIT(2);
    (void)arg;
    CHECK(bg_sem_value(&fixed) == 2);
    CHECK(bg_sem_init(&s, -1) == -EINVAL);
    CHECK(bg_sem_init(&s, 2) == 0);
    CHECK(bg_sem_acquire(&s) == 0);
    CHECK(bg_sem_value(&s) == 1);
    CHECK(bg_sem_try_acquire(&s) == 0);
    CHECK(bg_sem_try_acquire(&s) == -EAGAIN);
    CHECK(bg_sem_value(&s) == 0);
    CHECK(bg_sem_release(&s) == 0);
    CHECK(bg_sem_release(&s) == 0);
    CHECK(bg_sem_release(&s) == 0); /* more than there were at first */
    CHECK(bg_sem_value(&s) == 3);
    bg_sem_destroy(&s);
    return 0;
}

Test(sem, acquired_and_released)
{
    everywhere(alone);
    cr_assert_eq(alone(NULL), 0); /* by a plain thread */
    NO_CHECK_FAILED();
}

Test(sem, has_room_for_so_many)
{
    cr_assert_eq(bg_sem_init(&s, BG_SEM_MAX - 1), 0);
    cr_assert_eq(bg_sem_release(&s), 0);
    cr_assert_eq(bg_sem_value(&s), BG_SEM_MAX);
    cr_assert_eq(bg_sem_release(&s), -EOVERFLOW);
    cr_assert_eq(bg_sem_value(&s), BG_SEM_MAX);
    cr_assert_eq(bg_sem_acquire(&s), 0);
    cr_assert_eq(bg_sem_release(&s), 0);
    cr_assert_eq(bg_sem_release(&s), -EOVERFLOW);
}

/* ---- many ---- */

static void one_turn(void)
{
    bgi_word n = bgi_fetch_add(&inside, 1) + 1;
    CHECK(n <= (bgi_word)most);
}

static int take_turns(void *threads)
{
    for (int i = 0; i < 10; i++) {
        CHECK(bg_sem_acquire(&s) == 0);
        one_turn();
        if (threads == NULL) {
            bg_yield();
        }
        (void)bgi_fetch_sub(&inside, 1);
        CHECK(bg_sem_release(&s) == 0);
    }
    return 0;
}

static int try_turns(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        int r = bg_sem_try_acquire(&s);
        CHECK(r == 0 || r == -EAGAIN);
        if (r == 0) {
            one_turn();
            bg_yield();
            (void)bgi_fetch_sub(&inside, 1);
            CHECK(bg_sem_release(&s) == 0);
        }
    }
    return 0;
}

static int many(void *arg)
{
    enum { N = 6 };
    bg_task *t[N];
    (void)arg;
    for (most = 1; most <= 3; most++) {
        CHECK(bg_sem_init(&s, most) == 0);
        bgi_store(&inside, 0);
        for (int i = 0; i < N; i++) {
            t[i] = bg_spawn(i == 0 ? try_turns : take_turns, NULL);
        }
        CHECK(bg_gather_all(t, N, NULL) == 0);
        CHECK(waiting_on(&s) == 0 && bg_sem_value(&s) == most);
    }
    return 0;
}

Test(sem, so_many_at_a_time)
{
    everywhere(many);
}

/* ---- in order ---- */

static int order[16], ordered;

static int note_turn(void *arg)
{
    CHECK(bg_sem_acquire(&s) == 0);
    order[ordered++] = (int)(intptr_t)arg;
    CHECK(bg_sem_release(&s) == 0);
    return 0;
}

static int in_order(void *arg)
{
    enum { N = 8 };
    bg_task *t[N];
    (void)arg;
    CHECK(bg_sem_init(&s, 0) == 0);
    ordered = 0;
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(note_turn, INT_ARG(i));
        until_waiting(&s, i + 1);
    }
    CHECK(bg_sem_release(&s) == 0);
    CHECK(bg_gather_all(t, N, NULL) == 0);
    for (int i = 0; i < N; i++) {
        CHECK(order[i] == i);
    }
    CHECK(bg_sem_value(&s) == 1);
    return 0;
}

Test(sem, those_who_wait_are_served_in_order)
{
    everywhere(in_order);
}

static int acquire(void *arg)
{
    (void)arg;
    return bg_sem_acquire(&s);
}

/* A permit that is given while somebody waits is never free. */
static int nobody_barges(void *arg)
{
    (void)arg;
    CHECK(bg_sem_init(&s, 0) == 0);
    bg_task *t = bg_spawn(acquire, NULL);
    until_waiting(&s, 1);
    CHECK(bg_sem_release(&s) == 0);
    CHECK(bg_sem_try_acquire(&s) == -EAGAIN);
    CHECK(bg_await(t) == 0);
    return 0;
}

Test(sem, nobody_takes_what_another_waits_for)
{
    everywhere(nobody_barges);
}

/* ---- and threads ---- */

static int mixed(void *arg)
{
    struct helper h[3];
    bg_task *t[3];
    (void)arg;
    most = 2;
    CHECK(bg_sem_init(&s, most) == 0);
    bgi_store(&inside, 0);
    for (int i = 0; i < 3; i++) {
        helper_start(&h[i], take_turns, &s);
        t[i] = bg_spawn(take_turns, NULL);
    }
    CHECK(bg_gather_all(t, 3, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(helper_end(&h[i]) == 0);
    }
    CHECK(bg_sem_value(&s) == most);
    return 0;
}

Test(sem, of_tasks_and_threads)
{
    on_threads(mixed);
}

static int release(void *arg)
{
    (void)arg;
    return bg_sem_release(&s);
}

/* One waits, one releases, each of either kind. */
static int woken_by_each(void *arg)
{
    struct helper h[2];
    (void)arg;
    CHECK(bg_sem_init(&s, 0) == 0);
    bg_task *t = bg_spawn(acquire, NULL);
    until_waiting(&s, 1);
    helper_start(&h[0], release, NULL);
    CHECK(bg_await(t) == 0);
    CHECK(helper_end(&h[0]) == 0);
    helper_start(&h[0], acquire, NULL);
    until_waiting(&s, 1);
    helper_start(&h[1], acquire, NULL);
    until_waiting(&s, 2);
    CHECK(bg_sem_release(&s) == 0);
    CHECK(helper_end(&h[0]) == 0);
    CHECK(waiting_on(&s) == 1);
    CHECK(bg_sem_release(&s) == 0);
    CHECK(helper_end(&h[1]) == 0);
    return 0;
}

Test(sem, a_task_wakes_a_thread_and_the_reverse)
{
    on_threads(woken_by_each);
}

/* ---- ends ---- */

static int cancelled(void *arg)
{
    bg_task *t[3];
    (void)arg;
    for (int victim = 0; victim < 3; victim++) {
        CHECK(bg_sem_init(&s, 0) == 0);
        for (int i = 0; i < 3; i++) {
            t[i] = bg_spawn(acquire, NULL);
            until_waiting(&s, i + 1);
        }
        CHECK(bg_cancel(t[victim]) == 0);
        CHECK(bg_await(t[victim]) == -ECANCELED);
        CHECK(waiting_on(&s) == 2);
        CHECK(bg_sem_release(&s) == 0);
        CHECK(bg_await(t[victim == 0 ? 1 : 0]) == 0);
        CHECK(waiting_on(&s) == 1 && bg_sem_value(&s) == 0);
        CHECK(bg_sem_release(&s) == 0);
        CHECK(bg_await(t[victim == 2 ? 1 : 2]) == 0);
        CHECK(bg_sem_value(&s) == 0);
    }
    return 0;
}

Test(sem, who_is_cancelled_takes_nothing)
{
    everywhere(cancelled);
}

/* As many succeed as there are permits, whenever the cancels come. */
static int no_permit_is_lost(void *arg)
{
    enum { N = 6, PERMITS = 4 };
    bg_task *t[N];
    int taken = 0;
    (void)arg;
    CHECK(bg_sem_init(&s, 0) == 0);
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(acquire, NULL);
    }
    for (int i = 0; i < PERMITS; i++) {
        CHECK(bg_sem_release(&s) == 0);
        CHECK(bg_cancel(t[(i * 5 + 2) % N]) == 0);
    }
    for (int i = 0; i < N; i++) {
        CHECK(bg_cancel(t[i]) == 0);
    }
    for (int i = 0; i < N; i++) {
        int r = bg_await(t[i]);
        CHECK(r == 0 || r == -ECANCELED);
        taken += r == 0;
    }
    CHECK(waiting_on(&s) == 0);
    CHECK(taken + bg_sem_value(&s) == PERMITS);
    return 0;
}

Test(sem, no_permit_is_lost_to_who_is_cancelled)
{
    everywhere(no_permit_is_lost);
}

static int acquire_in_time(void *arg)
{
    int r = 0;
    (void)arg;
    bg_timeout (20 * BG_US) {
        r = bg_sem_acquire(&s);
    }
    CHECK(r == 0 || (r == -ETIMEDOUT && bg_timed_out()));
    return r == 0;
}

static int no_permit_is_lost_in_time(void *arg)
{
    enum { N = 6 };
    bg_task *t[N];
    int taken = 0;
    (void)arg;
    CHECK(bg_sem_init(&s, 1) == 0);
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(acquire_in_time, NULL);
    }
    for (int i = 0; i < 3; i++) {
        (void)bg_sleep(15 * BG_US);
        CHECK(bg_sem_release(&s) == 0);
    }
    for (int i = 0; i < N; i++) {
        taken += bg_await(t[i]);
    }
    CHECK(taken + bg_sem_value(&s) == 4);
    return 0;
}

Test(sem, no_permit_is_lost_to_a_deadline)
{
    everywhere(no_permit_is_lost_in_time);
}

static int free_but_late(void *arg)
{
    (void)arg;
    CHECK(bg_sem_init(&s, 1) == 0);
    bg_timeout (0) {
        CHECK(bg_sem_acquire(&s) == -ETIMEDOUT);
        CHECK(bg_sem_value(&s) == 1);
        CHECK(bg_sem_try_acquire(&s) == 0);
        CHECK(bg_sem_release(&s) == 0);
    }
    return 0;
}

Test(sem, who_is_to_end_does_not_get_a_free_one_either)
{
    everywhere(free_but_late);
}

/* ---- gone ---- */

static int release_arg(void *arg)
{
    return bg_sem_release(arg);
}

/* The semaphore is on the stack of who waits, as the end of something it has asked for. */
static int on_a_stack(void *arg)
{
    (void)arg;
    bg_task *t[4];
    for (int i = 0; i < 4; i++) {
        bg_sem done = BG_SEM_INIT(0);
        t[i] = bg_spawn(release_arg, &done);
        CHECK(bg_sem_acquire(&done) == 0);
        bg_sem_destroy(&done);
        memset(&done, 0x55, sizeof done);
    }
    return bg_gather_all(t, 4, NULL);
}

static int on_a_threads_stack(void *arg)
{
    struct helper h;
    (void)arg;
    for (int i = 0; i < 4; i++) {
        bg_sem done = BG_SEM_INIT(0);
        helper_start(&h, release_arg, &done);
        CHECK(bg_sem_acquire(&done) == 0);
        memset(&done, 0x55, sizeof done);
        CHECK(helper_end(&h) == 0);
    }
    return 0;
}

Test(sem, may_be_gone_before_release_returns)
{
    everywhere(on_a_stack);
    on_threads(on_a_threads_stack);
}
