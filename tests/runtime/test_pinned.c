/*
 * Programs that once hung, or waited far too long, each for one interleaving of the scheduler's
 * protocols. They check that something happens at all, before the test's own time is up; none
 * depends on how fast.
 *
 * Labels: valgrind
 */
#include "base/atomic.h"

#include <brigade.h>
#include <criterion/criterion.h>
#include <semaphore.h>
#include <time.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Computes for so long, in the CPU time of the thread. */
static void compute(bg_duration duration)
{
    struct timespec ts;
    bg_time end = 0;
    for (;;) {
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
        bg_time now = ts.tv_sec * BG_S + ts.tv_nsec;
        end = end == 0 ? now + duration : end;
        if (now >= end) {
            return;
        }
    }
}

/* A spare worker runs the child, becomes the leader, and retires; the only regular worker then
 * sleeps with a timer that somebody has to wait for. */
static int sleep_beside_a_spare(void *arg)
{
    (void)arg;
    bg_task *child = bg_spawn(nothing, NULL);
    compute(10 * BG_MS);
    int r = bg_await(child);
    return r < 0 ? r : bg_sleep(100 * BG_MS);
}

Test(pinned, a_spare_that_retires_does_not_take_the_lead_with_it, .timeout = 60)
{
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(bg_run(sleep_beside_a_spare, NULL, .workers = 1), 0);
    }
}

static sem_t gate;

static int open_gate(void *arg)
{
    (void)arg;
    return sem_post(&gate);
}

static int compute_and_block(void *arg)
{
    compute(*(bg_duration *)arg);
    return sem_wait(&gate);
}

static int block_before_the_opener(void *arg)
{
    bg_task *blocks = bg_spawn(compute_and_block, arg);
    bg_task *opens = bg_spawn(open_gate, NULL);
    return bg_gather(blocks, opens);
}

/* However long a task computes before it blocks, it counts as stuck, and the one behind it, which
 * alone can end that, runs. */
Test(pinned, a_task_that_computes_and_then_blocks_is_stuck, .timeout = 120)
{
    cr_assert_eq(sem_init(&gate, 0, 0), 0);
    for (bg_duration t = 0; t < 4 * BG_MS; t += 100 * BG_US) {
        cr_assert_eq(bg_run(block_before_the_opener, &t, .workers = 1), 0);
    }
}

/* A callback that blocks until a task spawned after it began has run: the others, all asleep, have
 * to be woken although the worker that fires timers was searching. */
static bgi_atomic in_callback; /* 0 -> 1 by the callback (release) -> the main task (acquire) */

static int wait_at_gate(void *arg)
{
    (void)arg;
    bgi_store_release(&in_callback, 1);
    return sem_wait(&gate);
}

static int spawn_during_a_callback(void *arg)
{
    (void)arg;
    bgi_store(&in_callback, 0);
    int r = bg_after(5 * BG_MS, wait_at_gate, NULL);
    while (r == 0 && !bgi_load_acquire(&in_callback)) {
        (void)bg_sleep(BG_MS);
    }
    bg_task *opens = bg_spawn(open_gate, NULL);
    return r < 0 ? r : bg_await(opens);
}

Test(pinned, a_callback_that_blocks_does_not_stop_wake_ups, .timeout = 120)
{
    cr_assert_eq(sem_init(&gate, 0, 0), 0);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(bg_run(spawn_during_a_callback, NULL, .workers = 8), 0);
        cr_assert_eq(bg_run(spawn_during_a_callback, NULL, .workers = 1), 0);
    }
}

/* A timer that fired, or was left pending, in a runtime that has ended, started in the next. */
static bg_timer timer;
static int fired;

static int count(void *arg)
{
    (void)arg;
    fired++;
    return 0;
}

static int start_and_wait(void *arg)
{
    int r = bg_timer_start(&timer, BG_MS, count, NULL);
    while (r == 0 && *(int *)arg && fired == 0) {
        r = bg_sleep(BG_MS);
    }
    return r;
}

Test(pinned, a_timer_outlives_its_runtime, .timeout = 60)
{
    bg_timer_init(&timer);
    for (int i = 0; i < 6; i++) {
        int wait = i % 2;
        fired = 0;
        cr_assert_eq(bg_run(start_and_wait, &wait, .workers = 1, .spares = BG_NO_SPARES), 0);
        cr_assert(fired == wait || (!wait && fired <= 1));
        cr_assert_eq(bg_timer_cancel(&timer), 0);
    }
}

/* A task that has been awaited is alive no more. */
static int spawn_up_to_the_limit(void *arg)
{
    int refused = 0;
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        bg_task *t = bg_spawn(nothing, NULL);
        refused += t == NULL;
        (void)bg_await(t);
    }
    return refused;
}

Test(pinned, the_limit_of_tasks_knows_what_has_ended, .timeout = 60)
{
    cr_assert_eq(bg_run(spawn_up_to_the_limit, NULL, .workers = 4, .max_tasks = 2), 0);
}
