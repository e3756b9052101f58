/*
 * A worker that is stuck in one task stops nobody else: what is queued behind it, its timers, what
 * comes from outside all go on, with the help of spare workers. Only order is tested: nothing here
 * depends on how soon the help comes.
 */
#include "../task/check.h"

#include <semaphore.h>

static sem_t gate;
static bgi_atomic stuck, ran, fired;

static void setup(void)
{
    cr_assert_eq(sem_init(&gate, 0, 0), 0);
}

TestSuite(stuck, .init = setup);

static void wait_at_gate(void)
{
    add_one(&stuck);
    while (sem_wait(&gate) != 0) {
    }
}

static void open_gate(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        cr_assert_eq(sem_post(&gate), 0);
    }
}

static int block(void *arg)
{
    (void)arg;
    wait_at_gate();
    return 0;
}

static int count_run(void *arg)
{
    add_one(&ran);
    return (int)(intptr_t)arg;
}

static int sleep_and_count(void *arg)
{
    CHECK(bg_sleep((bg_duration)(intptr_t)arg) == 0);
    add_one(&ran);
    return 0;
}

static int count_fired(void *arg)
{
    (void)arg;
    add_one(&fired);
    return 0;
}

static bg_stats stats_of(bg_runtime *rt)
{
    bg_stats s = {.size = sizeof s};
    cr_assert_eq(bg_runtime_stats(rt, &s), 0);
    return s;
}

static void reset(void)
{
    bgi_store(&stuck, 0);
    bgi_store(&ran, 0);
    bgi_store(&fired, 0);
}

/* The count is kept by who calls them up, so it may come a little later than they do. */
static void expect_spares(bg_runtime *rt, unsigned n)
{
    static const struct timespec pause = {0, 1000000};
    while (stats_of(rt).spares_peak < n) {
        (void)nanosleep(&pause, NULL);
    }
}

/* All spares retire once nobody is stuck. */
static void expect_retirement(bg_runtime *rt)
{
    static const struct timespec pause = {0, 1000000};
    while (stats_of(rt).spares_active != 0) {
        (void)nanosleep(&pause, NULL);
    }
}

/* ---- what is queued and timed behind it ---- */

/* Leaves everything a worker can have behind it, and gets stuck. */
static int leave_work_and_block(void *arg)
{
    static bg_timer timers[64];
    bg_timer *timer = &timers[(intptr_t)arg];
    for (int i = 0; i < 20; i++) {
        bg_detach(bg_spawn(count_run, NULL));
        bg_detach(bg_spawn(sleep_and_count, INT_ARG(i * 100 * BG_US)));
    }
    CHECK(bg_after(0, count_fired, NULL) == 0);
    CHECK(bg_after(2 * BG_MS, count_fired, NULL) == 0);
    bg_timer_init(timer);
    CHECK(bg_timer_start(timer, BG_MS, count_fired, NULL) == 0);
    wait_at_gate();
    return 0;
}

Test(stuck, what_is_queued_and_timed_behind_it_goes_on)
{
    for (unsigned w = 1; w <= 2; w++) {
        bg_runtime *rt = NULL;
        reset();
        cr_assert_eq(bg_runtime_create(&rt, .workers = w), 0);
        bg_task *sleeper = bg_runtime_spawn(rt, sleep_and_count, INT_ARG(5 * BG_MS));
        bg_task *t[2];
        for (unsigned i = 0; i < w; i++) {
            t[i] = bg_runtime_spawn(rt, leave_work_and_block, INT_ARG(i));
        }
        block_until(&stuck, w);
        block_until(&ran, w * 40 + 1); /* the gate is still shut */
        block_until(&fired, w * 3);
        expect_spares(rt, 1);
        cr_assert_eq(stats_of(rt).workers, w);
        /* New ones from outside, and new ones of theirs. */
        for (int i = 0; i < 50; i++) {
            bg_task *n = bg_runtime_spawn(rt, i % 2 ? sleep_and_count : count_run, INT_ARG(i));
            cr_assert_eq(bg_runtime_wait(rt, n), i % 2 ? 0 : i);
        }
        cr_assert_eq(bg_runtime_wait(rt, sleeper), 0);
        open_gate(w);
        for (unsigned i = 0; i < w; i++) {
            cr_assert_eq(bg_runtime_wait(rt, t[i]), 0);
        }
        expect_retirement(rt);
        cr_assert_eq(bg_runtime_wait(rt, bg_runtime_spawn(rt, count_run, INT_ARG(3))), 3);
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
        NO_CHECK_FAILED();
    }
}

/* In bg_run, where the stuck worker is the caller's thread. */
static int main_blocks(void *arg)
{
    bg_task *t[10];
    (void)arg;
    for (int i = 0; i < 10; i++) {
        t[i] = bg_spawn(sleep_and_count, INT_ARG(i * 100 * BG_US));
    }
    block_until(&ran, 10); /* main does not let its worker go */
    bg_stats s = {.size = sizeof s};
    do {
        CHECK(bg_runtime_stats(NULL, &s) == 0);
    } while (s.spares_peak < 1);
    CHECK(bg_gather_all(t, 10, NULL) == 0);
    return 0;
}

Test(stuck, main_itself)
{
    reset();
    RUN(main_blocks, NULL, .workers = 1);
}

/* ---- stuck by computing ---- */

static bgi_atomic enough;

static int compute(void *arg)
{
    (void)arg;
    add_one(&stuck);
    while (!bgi_load_acquire(&enough)) {
        bgi_pause();
    }
    return 0;
}

Test(stuck, one_that_computes)
{
    for (unsigned w = 1; w <= 2; w++) {
        bg_runtime *rt = NULL;
        reset();
        bgi_store(&enough, 0);
        cr_assert_eq(bg_runtime_create(&rt, .workers = w), 0);
        bg_task *t[2];
        for (unsigned i = 0; i < w; i++) {
            t[i] = bg_runtime_spawn(rt, compute, NULL);
        }
        block_until(&stuck, w);
        for (int i = 0; i < 20; i++) {
            bg_task *n = bg_runtime_spawn(rt, sleep_and_count, INT_ARG(100 * BG_US));
            cr_assert_eq(bg_runtime_wait(rt, n), 0);
        }
        expect_spares(rt, 1);
        bgi_store_release(&enough, 1);
        for (unsigned i = 0; i < w; i++) {
            cr_assert_eq(bg_runtime_wait(rt, t[i]), 0);
        }
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
        NO_CHECK_FAILED();
    }
}

/* ---- as many spares as are stuck, as many as there may be ---- */

Test(stuck, one_after_another)
{
    enum { N = 12 };
    bg_runtime *rt = NULL;
    reset();
    cr_assert_eq(bg_runtime_create(&rt, .workers = 1), 0);
    bg_task *t[N];
    for (int i = 0; i < N; i++) {
        t[i] = bg_runtime_spawn(rt, block, NULL); /* each one takes a worker with it */
    }
    block_until(&stuck, N);
    expect_spares(rt, N - 1);
    cr_assert_leq(stats_of(rt).spares_peak, N + 1);
    cr_assert_eq(bg_runtime_wait(rt, bg_runtime_spawn(rt, count_run, INT_ARG(3))), 3);
    open_gate(N);
    for (int i = 0; i < N; i++) {
        cr_assert_eq(bg_runtime_wait(rt, t[i]), 0);
    }
    expect_retirement(rt);
    /* Once more: the retired ones are called up again, no more threads than before. */
    size_t threads = count_threads();
    for (int i = 0; i < N; i++) {
        t[i] = bg_runtime_spawn(rt, block, NULL);
    }
    block_until(&stuck, 2 * N);
    cr_assert_leq(count_threads(), threads + 1);
    open_gate(N);
    for (int i = 0; i < N; i++) {
        cr_assert_eq(bg_runtime_wait(rt, t[i]), 0);
    }
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
}

static void pause_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&ts, NULL);
}

Test(stuck, there_are_at_most_so_many_spares)
{
    bg_runtime *rt = NULL;
    reset();
    cr_assert_eq(bg_runtime_create(&rt, .workers = 1, .spares = 2), 0);
    bg_task *t[4];
    for (int i = 0; i < 3; i++) {
        t[i] = bg_runtime_spawn(rt, block, NULL);
    }
    block_until(&stuck, 3);
    t[3] = bg_runtime_spawn(rt, count_run, INT_ARG(0));
    pause_ms(50);
    cr_assert_eq(bgi_load(&ran), 0); /* nobody is left to run it */
    expect_spares(rt, 2);
    cr_assert_eq(stats_of(rt).spares_peak, 2);
    open_gate(1);
    cr_assert_eq(bg_runtime_wait(rt, t[3]), 0);
    open_gate(2);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(bg_runtime_wait(rt, t[i]), 0);
    }
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
}

static bgi_atomic returned;

static int block_then_note(void *arg)
{
    (void)arg;
    CHECK(bg_after(0, count_fired, NULL) == 0);
    bg_detach(bg_spawn(count_run, NULL));
    wait_at_gate();
    CHECK(bgi_load(&ran) == 0 && bgi_load(&fired) == 0); /* still nobody */
    bgi_store_release(&returned, 1);
    return 0;
}

static int run_after(void *arg)
{
    CHECK(bgi_load_acquire(&returned) == 1);
    return count_run(arg);
}

Test(stuck, without_spares_the_others_wait)
{
    bg_runtime *rt = NULL;
    reset();
    cr_assert_eq(bg_runtime_create(&rt, .workers = 1, .spares = BG_NO_SPARES), 0);
    bg_task *t = bg_runtime_spawn(rt, block_then_note, NULL);
    block_until(&stuck, 1);
    bg_task *after = bg_runtime_spawn(rt, run_after, INT_ARG(4));
    pause_ms(50);
    cr_assert_eq(bgi_load(&ran), 0);
    cr_assert_eq(bgi_load(&fired), 0);
    open_gate(1);
    cr_assert_eq(bg_runtime_wait(rt, t), 0);
    cr_assert_eq(bg_runtime_wait(rt, after), 4);
    block_until(&ran, 2);
    block_until(&fired, 1);
    cr_assert_eq(stats_of(rt).spares_peak, 0);
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
    NO_CHECK_FAILED();
}

/* ---- other ways to be stuck ---- */

static int blocking_callback(void *arg)
{
    (void)arg;
    wait_at_gate();
    return 0;
}

static int start_blocking_callback(void *arg)
{
    (void)arg;
    CHECK(bg_after(0, blocking_callback, NULL) == 0);
    CHECK(bg_after(BG_MS, count_fired, NULL) == 0);
    return 0;
}

Test(stuck, a_callback_that_blocks)
{
    bg_runtime *rt = NULL;
    reset();
    cr_assert_eq(bg_runtime_create(&rt, .workers = 1), 0);
    cr_assert_eq(bg_runtime_wait(rt, bg_runtime_spawn(rt, start_blocking_callback, NULL)), 0);
    block_until(&stuck, 1);
    block_until(&fired, 1);
    cr_assert_eq(bg_runtime_wait(rt, bg_runtime_spawn(rt, count_run, INT_ARG(3))), 3);
    open_gate(1);
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
    NO_CHECK_FAILED();
}

/* Blocks again and again, each time behind other work: spares come and go, nothing is lost. */
static int block_now_and_then(void *arg)
{
    intptr_t n = (intptr_t)arg;
    for (int i = 0; i < 5; i++) {
        bg_task *t = bg_spawn(sleep_and_count, INT_ARG(n * 50 * BG_US));
        pause_ms(n % 3 * 4);
        CHECK(bg_await(t) == 0);
    }
    return 0;
}

Test(stuck, now_and_then)
{
    for (unsigned w = 1; w <= 2; w++) {
        bg_runtime *rt = NULL;
        bg_task *t[8];
        reset();
        cr_assert_eq(bg_runtime_create(&rt, .workers = w), 0);
        for (int i = 0; i < 8; i++) {
            t[i] = bg_runtime_spawn(rt, block_now_and_then, INT_ARG(i));
        }
        for (int i = 0; i < 8; i++) {
            cr_assert_eq(bg_runtime_wait(rt, t[i]), 0);
        }
        cr_assert_eq(bgi_load(&ran), 40);
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
        NO_CHECK_FAILED();
    }
}

/* The end comes while somebody is stuck: it waits for him. */
static bg_runtime *ending;

static void *shut_down(void *arg)
{
    (void)arg;
    CHECK(bg_runtime_shutdown(ending) == 0);
    bgi_store_release(&returned, 1);
    return NULL;
}

Test(stuck, the_end_waits_for_it)
{
    for (unsigned w = 1; w <= 2; w++) {
        pthread_t thread;
        reset();
        bgi_store(&returned, 0);
        cr_assert_eq(bg_runtime_create(&ending, .workers = w), 0);
        bg_detach(bg_runtime_spawn(ending, block, NULL));
        for (int i = 0; i < 10; i++) {
            bg_detach(bg_runtime_spawn(ending, sleep_forever, NULL));
        }
        block_until(&stuck, 1);
        cr_assert_eq(pthread_create(&thread, NULL, shut_down, NULL), 0);
        pause_ms(20);
        cr_assert_eq(bgi_load(&returned), 0);
        open_gate(1);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        NO_CHECK_FAILED();
    }
}
