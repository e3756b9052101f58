/*
 * The mutex: one holder at a time, in the order of arrival, cancelled waits take nothing; between
 * tasks, and between tasks and plain threads.
 *
 * Labels: valgrind aarch64
 */
#include "sync.h"

static bg_mutex m;
static int inside, turns;

static void one_turn(void)
{
    CHECK(inside == 0);
    inside = 1;
    turns++;
    bg_yield();
    CHECK(inside == 1);
    inside = 0;
}

/* ---- alone ---- */

static int alone(void *arg)
{
    (void)arg;
    static bg_mutex fresh = BG_MUTEX_INIT;
    bg_mutex_init(&m);
    for (int i = 0; i < 3; i++) {
        CHECK(bg_mutex_lock(&m) == 0);
        CHECK(bg_mutex_try_lock(&m) == -EBUSY);
        CHECK(bg_mutex_lock(&fresh) == 0);
        CHECK(bg_mutex_unlock(&m) == 0);
        CHECK(bg_mutex_unlock(&fresh) == 0);
        CHECK(bg_mutex_try_lock(&m) == 0);
        CHECK(bg_mutex_unlock(&m) == 0);
    }
    bg_mutex_destroy(&m);
#if !BGI_DEBUG
    CHECK(bg_mutex_unlock(&m) == -EPERM);
    CHECK(bg_mutex_try_lock(&m) == 0);
    CHECK(bg_mutex_unlock(&m) == 0);
#endif
    return 0;
}

Test(mutex, locked_and_unlocked)
{
    everywhere(alone);
    cr_assert_eq(alone(NULL), 0); /* by a plain thread */
    NO_CHECK_FAILED();
}

/* ---- many ---- */

static int take_turns(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        CHECK(bg_mutex_lock(&m) == 0);
        one_turn();
        CHECK(bg_mutex_unlock(&m) == 0);
    }
    return 0;
}

static int try_turns(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        int r = bg_mutex_try_lock(&m);
        CHECK(r == 0 || r == -EBUSY);
        if (r == 0) {
            one_turn();
            CHECK(bg_mutex_unlock(&m) == 0);
        }
        bg_yield();
    }
    return 0;
}

static int many(void *arg)
{
    enum { N = 6 };
    bg_task *t[N];
    (void)arg;
    bg_mutex_init(&m);
    turns = 0;
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(i == 0 ? try_turns : take_turns, NULL);
    }
    CHECK(bg_gather_all(t, N, NULL) == 0);
    CHECK(turns >= (N - 1) * 5 && turns <= N * 5);
    CHECK(waiting_on(&m) == 0 && bg_mutex_try_lock(&m) == 0);
    CHECK(bg_mutex_unlock(&m) == 0);
    bg_mutex_destroy(&m);
    return 0;
}

Test(mutex, one_at_a_time)
{
    everywhere(many);
}

/* ---- in order ---- */

static int order[16], ordered;

static int note_turn(void *arg)
{
    CHECK(bg_mutex_lock(&m) == 0);
    order[ordered++] = (int)(intptr_t)arg;
    CHECK(bg_mutex_unlock(&m) == 0);
    return 0;
}

static int in_order(void *arg)
{
    enum { N = 8 };
    bg_task *t[N];
    (void)arg;
    bg_mutex_init(&m);
    ordered = 0;
    CHECK(bg_mutex_lock(&m) == 0);
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(note_turn, INT_ARG(i));
        until_waiting(&m, i + 1);
    }
    CHECK(bg_mutex_unlock(&m) == 0);
    CHECK(bg_mutex_lock(&m) == 0); /* behind all of them */
    CHECK(ordered == N);
    CHECK(bg_mutex_unlock(&m) == 0);
    CHECK(bg_gather_all(t, N, NULL) == 0);
    for (int i = 0; i < N; i++) {
        CHECK(order[i] == i);
    }
    return 0;
}

Test(mutex, those_who_wait_are_served_in_order)
{
    everywhere(in_order);
}

/* ---- and threads ---- */

static int thread_turns(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        CHECK(bg_mutex_lock(&m) == 0);
        CHECK(inside == 0);
        inside = 1;
        turns++;
        inside = 0;
        CHECK(bg_mutex_unlock(&m) == 0);
    }
    return 0;
}

static int mixed(void *arg)
{
    struct helper h[3];
    bg_task *t[3];
    (void)arg;
    bg_mutex_init(&m);
    turns = 0;
    for (int i = 0; i < 3; i++) {
        helper_start(&h[i], thread_turns, NULL);
        t[i] = bg_spawn(thread_turns, NULL);
    }
    CHECK(bg_gather_all(t, 3, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(helper_end(&h[i]) == 0);
    }
    CHECK(turns == 300);
    return 0;
}

Test(mutex, of_tasks_and_threads)
{
    on_threads(mixed);
}

static int mixed_in_order(void *arg)
{
    struct helper h[3];
    bg_task *t[3];
    (void)arg;
    bg_mutex_init(&m);
    ordered = 0;
    CHECK(bg_mutex_lock(&m) == 0);
    for (int i = 0; i < 3; i++) {
        helper_start(&h[i], note_turn, INT_ARG(2 * i));
        until_waiting(&m, 2 * i + 1);
        t[i] = bg_spawn(note_turn, INT_ARG(2 * i + 1));
        until_waiting(&m, 2 * i + 2);
    }
    CHECK(bg_mutex_unlock(&m) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(helper_end(&h[i]) == 0);
    }
    CHECK(bg_gather_all(t, 3, NULL) == 0);
    for (int i = 0; i < 6; i++) {
        CHECK(order[i] == i);
    }
    return 0;
}

Test(mutex, tasks_and_threads_in_one_order)
{
    on_threads(mixed_in_order);
}

/* ---- ends ---- */

static int lock_and_tell(void *arg)
{
    int r = bg_mutex_lock(&m);
    if (r == 0) {
        order[ordered++] = (int)(intptr_t)arg;
        CHECK(bg_mutex_unlock(&m) == 0);
    }
    return r;
}

static int lock_in_time(void *arg)
{
    int r = 0;
    bg_timeout (BG_MS) {
        r = lock_and_tell(arg);
    }
    CHECK((r == -ETIMEDOUT) == bg_timed_out());
    return r;
}

static int cancelled(void *arg)
{
    bg_task *t[3];
    (void)arg;
    for (int victim = 0; victim < 3; victim++) {
        bg_mutex_init(&m);
        ordered = 0;
        CHECK(bg_mutex_lock(&m) == 0);
        for (int i = 0; i < 3; i++) {
            t[i] = bg_spawn(lock_and_tell, INT_ARG(i));
            until_waiting(&m, i + 1);
        }
        CHECK(bg_cancel(t[victim]) == 0);
        CHECK(bg_await(t[victim]) == -ECANCELED);
        CHECK(waiting_on(&m) == 2);
        CHECK(bg_mutex_unlock(&m) == 0);
        for (int i = 0, n = 0; i < 3; i++) {
            if (i != victim) {
                CHECK(bg_await(t[i]) == 0);
                CHECK(order[n++] == i);
            }
        }
        CHECK(bg_mutex_try_lock(&m) == 0);
        CHECK(bg_mutex_unlock(&m) == 0);
    }
    return 0;
}

Test(mutex, who_is_cancelled_takes_nothing)
{
    everywhere(cancelled);
}

static int timed_out(void *arg)
{
    (void)arg;
    bg_mutex_init(&m);
    ordered = 0;
    CHECK(bg_mutex_lock(&m) == 0);
    bg_task *t = bg_spawn(lock_in_time, NULL);
    bg_task *u = bg_spawn(lock_and_tell, NULL);
    CHECK(bg_await(t) == -ETIMEDOUT);
    until_waiting(&m, 1);
    CHECK(bg_mutex_unlock(&m) == 0);
    CHECK(bg_await(u) == 0);
    return 0;
}

Test(mutex, who_runs_out_of_time_takes_nothing)
{
    everywhere(timed_out);
}

static int free_but_cancelled(void *arg)
{
    (void)arg;
    bg_mutex_init(&m);
    bg_timeout (0) {
        CHECK(bg_mutex_lock(&m) == -ETIMEDOUT);
        CHECK(bg_mutex_try_lock(&m) == 0);
        CHECK(bg_mutex_unlock(&m) == 0);
        bg_shield
        {
            CHECK(bg_mutex_lock(&m) == 0);
            CHECK(bg_mutex_unlock(&m) == 0);
        }
    }
    CHECK(bg_cancel(bg_self()) == 0);
    CHECK(bg_mutex_lock(&m) == -ECANCELED);
    CHECK(bg_mutex_try_lock(&m) == 0);
    CHECK(bg_mutex_unlock(&m) == 0);
    return 0;
}

static int free_and_cancelled(void *arg)
{
    return bg_await(bg_spawn(free_but_cancelled, arg));
}

Test(mutex, who_is_to_end_does_not_get_a_free_one_either)
{
    everywhere(free_and_cancelled);
}

static bgi_atomic cancels;

static int lock_until_cancelled(void *arg)
{
    (void)arg;
    for (;;) {
        int r = bg_mutex_lock(&m);
        if (r != 0) {
            add_one(&cancels);
            return r;
        }
        CHECK(inside == 0);
        inside = 1;
        turns++;
        inside = 0;
        CHECK(bg_mutex_unlock(&m) == 0);
        bg_yield();
    }
}

static int cancel_any_time(void *arg)
{
    enum { N = 6 };
    bg_task *t[N];
    (void)arg;
    bg_mutex_init(&m);
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(lock_until_cancelled, NULL);
    }
    for (int i = 0; i < N; i++) {
        bg_yield();
        CHECK(bg_cancel(t[i]) == 0);
    }
    for (int i = 0; i < N; i++) {
        CHECK(bg_await(t[i]) == -ECANCELED);
    }
    CHECK(waiting_on(&m) == 0 && bg_mutex_try_lock(&m) == 0);
    CHECK(bg_mutex_unlock(&m) == 0);
    return 0;
}

Test(mutex, cancelled_at_any_time)
{
    everywhere(cancel_any_time);
}

/* ---- gone ---- */

struct shared {
    bg_mutex m;
    int users;
};

/* Whoever is last knows it, and frees what the one before may be in the middle of unlocking. */
static int leave_as_thread(void *arg)
{
    struct shared *s = arg;
    CHECK(bg_mutex_lock(&s->m) == 0);
    int last = --s->users == 0;
    CHECK(bg_mutex_unlock(&s->m) == 0);
    if (last) {
        bg_mutex_destroy(&s->m);
        memset(s, 0x55, sizeof *s);
        bgi_free(s);
    }
    return 0;
}

static int leave(void *arg)
{
    bg_yield();
    return leave_as_thread(arg);
}

static int destroyed(void *arg)
{
    struct helper h;
    bg_task *t[4];
    int threads = arg != NULL;
    struct shared *s = bgi_malloc(sizeof *s);
    bg_mutex_init(&s->m);
    s->users = 4 + threads;
    for (int i = 0; i < 4; i++) {
        t[i] = bg_spawn(leave, s);
    }
    if (threads) {
        helper_start(&h, leave_as_thread, s);
        CHECK(helper_end(&h) == 0);
    }
    return bg_gather_all(t, 4, NULL);
}

static int destroyed_with_threads(void *arg)
{
    (void)arg;
    return destroyed(&m);
}

Test(mutex, is_destroyed_by_the_last_to_hold_it)
{
    everywhere(destroyed);
    on_threads(destroyed_with_threads);
}
