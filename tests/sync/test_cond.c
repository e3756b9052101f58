/*
 * The condition: no signal lost, none for nothing; the mutex is held again in every case.
 *
 * Labels: valgrind aarch64
 */
#include "sync.h"

static bg_mutex m;
static bg_cond c;
static int items, taken;

static void fresh(void)
{
    bg_mutex_init(&m);
    bg_cond_init(&c);
    items = 0;
    taken = 0;
}

static void put(int n)
{
    CHECK(bg_mutex_lock(&m) == 0);
    items += n;
    CHECK(bg_mutex_unlock(&m) == 0);
}

/* Waits for an item, or for what ends it. */
static int take(void *arg)
{
    int r = 0;
    (void)arg;
    int locked = bg_mutex_lock(&m);
    if (locked != 0) {
        return locked;
    }
    while (r == 0 && items == 0) {
        r = bg_cond_wait(&c, &m);
    }
    if (r == 0) {
        items--;
        taken++;
    }
    CHECK(bg_mutex_unlock(&m) == 0);
    return r;
}

/* ---- signals ---- */

static int one_each(void *arg)
{
    enum { N = 4 };
    bg_task *t[N];
    static bg_cond fixed = BG_COND_INIT;
    (void)arg;
    fresh();
    CHECK(bg_cond_signal(&fixed) == 0); /* to nobody */
    CHECK(bg_cond_broadcast(&fixed) == 0);
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(take, NULL);
        until_waiting(&c, i + 1);
    }
    for (int i = 0; i < N; i++) {
        put(1);
        CHECK(bg_cond_signal(&c) == 0);
        CHECK(waiting_on(&c) == N - i - 1);
        CHECK(bg_await(t[i]) == 0); /* in the order of their coming */
    }
    CHECK(items == 0 && taken == N);
    bg_cond_destroy(&c);
    return 0;
}

Test(cond, a_signal_wakes_the_first)
{
    everywhere(one_each);
}

static int signal_with_lock(void *arg)
{
    enum { N = 4 };
    bg_task *t[N];
    (void)arg;
    fresh();
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(take, NULL);
    }
    until_waiting(&c, N);
    CHECK(bg_mutex_lock(&m) == 0);
    for (int i = 0; i < N; i++) {
        items++;
        CHECK(bg_cond_signal(&c) == 0);
    }
    CHECK(waiting_on(&c) == 0);
    CHECK(bg_mutex_unlock(&m) == 0);
    CHECK(bg_gather_all(t, N, NULL) == 0);
    CHECK(items == 0 && taken == N);
    CHECK(waiting_on(&m) == 0);
    return 0;
}

Test(cond, signals_under_the_mutex)
{
    everywhere(signal_with_lock);
}

static int broadcast(void *arg)
{
    enum { N = 5 };
    bg_task *t[N];
    for (int n = 1; n <= N; n++) {
        fresh();
        for (int i = 0; i < n; i++) {
            t[i] = bg_spawn(take, NULL);
        }
        until_waiting(&c, n);
        CHECK(bg_mutex_lock(&m) == 0);
        items = n;
        if (arg == NULL) {
            CHECK(bg_mutex_unlock(&m) == 0);
        }
        CHECK(bg_cond_broadcast(&c) == 0);
        CHECK(waiting_on(&c) == 0);
        if (arg != NULL) {
            CHECK(bg_mutex_unlock(&m) == 0);
        }
        CHECK(bg_gather_all(t, (size_t)n, NULL) == 0);
        CHECK(items == 0 && taken == n && waiting_on(&m) == 0);
    }
    return 0;
}

static int broadcast_with_lock(void *arg)
{
    (void)arg;
    return broadcast(&m);
}

Test(cond, a_broadcast_wakes_all)
{
    everywhere(broadcast);
    everywhere(broadcast_with_lock);
}

static bgi_atomic returns;

static int wait_once(void *arg)
{
    (void)arg;
    CHECK(bg_mutex_lock(&m) == 0);
    int r = bg_cond_wait(&c, &m);
    add_one(&returns);
    CHECK(bg_mutex_unlock(&m) == 0);
    return r;
}

/* Nobody wakes who was not signalled. */
static int not_spurious(void *arg)
{
    enum { N = 4 };
    bg_task *t[N];
    (void)arg;
    fresh();
    bgi_store(&returns, 0);
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(wait_once, NULL);
    }
    until_waiting(&c, N);
    CHECK(bg_cond_signal(&c) == 0);
    CHECK(bg_cond_signal(&c) == 0);
    yield_until(&returns, 2);
    (void)bg_sleep(10 * BG_US);
    CHECK(bgi_load(&returns) == 2 && waiting_on(&c) == 2);
    CHECK(bg_cond_broadcast(&c) == 0);
    return bg_gather_all(t, N, NULL);
}

Test(cond, who_was_not_signalled_stays)
{
    everywhere(not_spurious);
}

/* ---- a bounded buffer ---- */

enum { ROOM = 2, ITEMS = 15 };
static bg_cond not_full;

static int produce(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS; i++) {
        CHECK(bg_mutex_lock(&m) == 0);
        while (items == ROOM) {
            CHECK(bg_cond_wait(&not_full, &m) == 0);
        }
        items++;
        CHECK(bg_cond_signal(&c) == 0);
        CHECK(bg_mutex_unlock(&m) == 0);
    }
    return 0;
}

static int consume(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS; i++) {
        CHECK(bg_mutex_lock(&m) == 0);
        while (items == 0) {
            CHECK(bg_cond_wait(&c, &m) == 0);
        }
        items--;
        taken++;
        CHECK(bg_cond_signal(&not_full) == 0);
        CHECK(bg_mutex_unlock(&m) == 0);
    }
    return 0;
}

static int buffer(void *arg)
{
    bg_task *t[4];
    (void)arg;
    fresh();
    bg_cond_init(&not_full);
    for (int i = 0; i < 4; i++) {
        t[i] = bg_spawn(i % 2 ? produce : consume, NULL);
    }
    CHECK(bg_gather_all(t, 4, NULL) == 0);
    CHECK(items == 0 && taken == 2 * ITEMS);
    return 0;
}

static int mixed_buffer(void *arg)
{
    struct helper h[4];
    bg_task *t[4];
    (void)arg;
    fresh();
    bg_cond_init(&not_full);
    for (int i = 0; i < 4; i++) {
        helper_start(&h[i], i % 2 ? produce : consume, NULL);
        t[i] = bg_spawn(i % 2 ? produce : consume, NULL);
    }
    CHECK(bg_gather_all(t, 4, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        CHECK(helper_end(&h[i]) == 0);
    }
    CHECK(items == 0 && taken == 4 * ITEMS);
    return 0;
}

Test(cond, a_bounded_buffer)
{
    everywhere(buffer);
}

Test(cond, a_bounded_buffer_of_tasks_and_threads)
{
    on_threads(mixed_buffer);
}

/* ---- ends ---- */

static int cancelled(void *arg)
{
    bg_task *t[3];
    (void)arg;
    for (int victim = 0; victim < 3; victim++) {
        fresh();
        for (int i = 0; i < 3; i++) {
            t[i] = bg_spawn(take, NULL);
            until_waiting(&c, i + 1);
        }
        CHECK(bg_cancel(t[victim]) == 0);
        CHECK(bg_await(t[victim]) == -ECANCELED);
        CHECK(waiting_on(&c) == 2);
        put(1);
        CHECK(bg_cond_signal(&c) == 0);
        CHECK(bg_await(t[victim == 0 ? 1 : 0]) == 0);
        put(1);
        CHECK(bg_cond_signal(&c) == 0);
        CHECK(bg_await(t[victim == 2 ? 1 : 2]) == 0);
        CHECK(items == 0);
    }
    return 0;
}

Test(cond, who_is_cancelled_holds_the_mutex_and_takes_no_signal)
{
    everywhere(cancelled);
}

/* Each signal reaches somebody, whenever the cancels come. */
static int no_signal_is_lost(void *arg)
{
    enum { N = 6, SIGNALS = 3 };
    bg_task *t[N];
    int got = 0;
    (void)arg;
    fresh();
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(take, NULL);
    }
    for (int i = 0; i < SIGNALS; i++) {
        put(1);
        CHECK(bg_cond_signal(&c) == 0);
        CHECK(bg_cancel(t[(i * 5 + 2) % N]) == 0);
    }
    /* Those left over: nobody may wait while there is an item. */
    bg_yield();
    for (int i = 0; i < N; i++) {
        CHECK(bg_cancel(t[i]) == 0);
    }
    for (int i = 0; i < N; i++) {
        int r = bg_await(t[i]);
        CHECK(r == 0 || r == -ECANCELED);
        got += r == 0;
    }
    CHECK(got == taken && got + items == SIGNALS);
    CHECK(waiting_on(&c) == 0 && waiting_on(&m) == 0 && bg_mutex_try_lock(&m) == 0);
    CHECK(bg_mutex_unlock(&m) == 0);
    return 0;
}

Test(cond, no_signal_is_lost_to_who_is_cancelled)
{
    everywhere(no_signal_is_lost);
}

/* One of two is cancelled as the only signal comes: either it takes the item, or the other does. */
static int one_of_two(void *arg)
{
    bg_task *t[2];
    (void)arg;
    fresh();
    for (int i = 0; i < 2; i++) {
        t[i] = bg_spawn(take, NULL);
        until_waiting(&c, i + 1);
    }
    bg_task *canceller = bg_spawn(cancel_arg, t[0]);
    put(1);
    CHECK(bg_cond_signal(&c) == 0);
    CHECK(bg_await(canceller) == 0);
    int first = bg_await(t[0]);
    CHECK(first == 0 || first == -ECANCELED);
    if (first == 0) {
        CHECK(bg_cancel(t[1]) == 0);
    }
    CHECK(bg_await(t[1]) == (first == 0 ? -ECANCELED : 0)); /* else it would wait for ever */
    CHECK(items == 0 && taken == 1);
    return 0;
}

Test(cond, a_signal_that_meets_a_cancel_goes_to_somebody)
{
    everywhere(one_of_two);
}

static int wait_in_time(void *arg)
{
    int r = 0;
    (void)arg;
    CHECK(bg_mutex_lock(&m) == 0);
    bg_timeout (20 * BG_US) {
        r = bg_cond_wait(&c, &m);
        CHECK(items++ == 0); /* the mutex is held */
        items--;
    }
    CHECK(r == 0 || (r == -ETIMEDOUT && bg_timed_out()));
    CHECK(bg_mutex_unlock(&m) == 0);
    return r == 0;
}

static int in_time(void *arg)
{
    bg_task *t[4];
    int got = 0;
    (void)arg;
    fresh();
    for (int i = 0; i < 4; i++) {
        t[i] = bg_spawn(wait_in_time, NULL);
    }
    (void)bg_sleep(18 * BG_US);
    CHECK(bg_mutex_lock(&m) == 0);
    int waiting = waiting_on(&c);
    (void)bg_cond_signal(&c);
    (void)bg_cond_signal(&c);
    (void)bg_sleep(30 * BG_US); /* who runs out of time now has to wait for the mutex */
    CHECK(bg_mutex_unlock(&m) == 0);
    for (int i = 0; i < 4; i++) {
        got += bg_await(t[i]);
    }
    CHECK(got <= 2 && got <= waiting);
    CHECK(bg_mutex_try_lock(&m) == 0);
    CHECK(bg_mutex_unlock(&m) == 0);
    return 0;
}

Test(cond, who_runs_out_of_time_waits_for_the_mutex_all_the_same)
{
    everywhere(in_time);
}

static int late(void *arg)
{
    (void)arg;
    fresh();
    CHECK(bg_mutex_lock(&m) == 0);
    bg_timeout (0) {
        CHECK(bg_cond_wait(&c, &m) == -ETIMEDOUT);
    }
    CHECK(bg_mutex_try_lock(&m) == -EBUSY); /* held throughout */
    CHECK(bg_mutex_unlock(&m) == 0);
    return 0;
}

Test(cond, who_is_to_end_does_not_give_up_the_mutex)
{
    everywhere(late);
}

#if !BGI_DEBUG
Test(cond, needs_a_mutex_that_is_held)
{
    fresh();
    cr_assert_eq(bg_cond_wait(&c, &m), -EPERM);
}
#endif

/* ---- gone ---- */

struct shared {
    bg_mutex m;
    bg_cond c;
    int open;
};

static int wait_open(void *arg)
{
    struct shared *s = arg;
    int r = 0;
    int locked = bg_mutex_lock(&s->m);
    if (locked != 0) {
        return locked;
    }
    while (r == 0 && !s->open) {
        r = bg_cond_wait(&s->c, &s->m);
    }
    CHECK(bg_mutex_unlock(&s->m) == 0);
    return r;
}

/* POSIX: "can be destroyed immediately after all the threads that are blocked on it are awakened".
 */
static int broadcast_and_destroy(void *arg)
{
    enum { N = 4 };
    bg_task *t[N];
    struct shared s = {BG_MUTEX_INIT, BG_COND_INIT, 0};
    (void)arg;
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(wait_open, &s);
    }
    until_waiting(&s.c, N);
    bg_task *canceller = bg_spawn(cancel_arg, t[1]);
    CHECK(bg_cancel(t[2]) == 0);
    CHECK(bg_mutex_lock(&s.m) == 0);
    s.open = 1;
    CHECK(bg_cond_broadcast(&s.c) == 0);
    bg_cond_destroy(&s.c);
    memset(&s.c, 0x55, sizeof s.c);
    CHECK(bg_mutex_unlock(&s.m) == 0);
    CHECK(bg_await(canceller) == 0);
    for (int i = 0; i < N; i++) {
        int r = bg_await(t[i]);
        CHECK(r == 0 || (r == -ECANCELED && (i == 1 || i == 2)));
    }
    return 0;
}

Test(cond, may_be_destroyed_after_a_broadcast)
{
    everywhere(broadcast_and_destroy);
}
