/*
 * The lock: exclusion and wake-ups with more threads than cores, its states, its ranks.
 */
#include "arch/lock.h"

#include <criterion/criterion.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>

enum { THREADS = 8, ROUNDS = 20000 };

static struct {
    bgi_lock lock;
    long count;   /* guarded by the lock */
    long inside;  /* likewise; ever more than one is a failure */
    long crowded; /* likewise */
    long tries;   /* likewise: entries by try */
} shared = {.lock = BGI_LOCK_INIT(1, "test")};

static void *contend(void *arg)
{
    int self = *(int *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        if ((i + self) % 5 == 0 && bgi_lock_try(&shared.lock)) {
            shared.tries++;
        } else {
            bgi_lock_acquire(&shared.lock);
        }
        shared.crowded += shared.inside++ != 0;
        shared.count++;
        if ((i + self) % 512 == 0) {
            sched_yield(); /* so that the others have to sleep */
        }
        shared.inside--;
        bgi_lock_release(&shared.lock);
    }
    return NULL;
}

Test(lock, excludes_with_more_threads_than_cores)
{
    pthread_t ids[THREADS];
    int self[THREADS];
    for (int i = 0; i < THREADS; i++) {
        self[i] = i;
        cr_assert_eq(pthread_create(&ids[i], NULL, contend, &self[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_join(ids[i], NULL), 0);
    }
    cr_assert_eq(shared.count, (long)THREADS * ROUNDS);
    cr_assert_eq(shared.crowded, 0);
    cr_assert_eq(bgi_load(&shared.lock.state), BGI_LOCK_FREE);
}

Test(lock, try_takes_only_what_is_free)
{
    bgi_lock l;
    bgi_lock_init(&l, 1, "l");
    cr_assert_eq(bgi_lock_try(&l), 1);
    cr_assert_eq(bgi_load(&l.state), BGI_LOCK_HELD);
    cr_assert_eq(bgi_lock_try(&l), 0);
    bgi_lock_release(&l);
    cr_assert_eq(bgi_lock_try(&l), 1);
    bgi_lock_release(&l);
    cr_assert_eq(bgi_load(&l.state), BGI_LOCK_FREE);
}

static void *take_and_leave(void *arg)
{
    bgi_lock *l = arg;
    bgi_lock_acquire(l);
    bgi_lock_release(l);
    return NULL;
}

Test(lock, one_sleeper_after_the_other_is_woken)
{
    bgi_lock l = BGI_LOCK_INIT(1, "l");
    pthread_t ids[THREADS];
    bgi_lock_acquire(&l);
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&ids[i], NULL, take_and_leave, &l), 0);
    }
    while (bgi_load(&l.state) != BGI_LOCK_CONTENDED) {
        sched_yield();
    }
    cr_assert_eq(bgi_lock_try(&l), 0);
    bgi_lock_release(&l);
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_join(ids[i], NULL), 0);
    }
    cr_assert_eq(bgi_load(&l.state), BGI_LOCK_FREE);
}

/* ---- the futex, seen ---- */

static struct {
    bgi_atomic waits, wakes;
    bgi_lock *lock;
} seen;

/* Instead of sleeping, plays the holder who lets go. */
static int release_instead(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline_ns)
{
    (void)ctx;
    bgi_count_owned(&seen.waits, 1);
    cr_expect_eq(expected, BGI_LOCK_CONTENDED);
    cr_expect_eq(bgi_load(w), BGI_LOCK_CONTENDED);
    cr_expect_lt(deadline_ns, 0);
    bgi_store(w, BGI_LOCK_FREE);
    return 0;
}

static int count_wake(void *ctx, bgi_atomic *w, int n)
{
    (void)ctx;
    cr_expect_eq(n, 1);
    cr_expect_eq(bgi_load(w), BGI_LOCK_FREE);
    bgi_count_owned(&seen.wakes, 1);
    return 0;
}

Test(lock, who_has_slept_wakes_the_next)
{
    static const struct bgi_futex_ops ops = {release_instead, count_wake, NULL};
    bgi_lock l = BGI_LOCK_INIT(1, "l");
    bgi_futex_set_ops(&ops);

    bgi_lock_acquire(&l); /* nobody there: no call either way */
    bgi_lock_release(&l);
    cr_assert_eq(bgi_load(&seen.waits) + bgi_load(&seen.wakes), 0);

    bgi_store(&l.state, BGI_LOCK_HELD); /* by somebody else */
    bgi_lock_acquire(&l);
    cr_assert_eq(bgi_load(&seen.waits), 1);
    cr_assert_eq(bgi_load(&l.state), BGI_LOCK_CONTENDED);
    bgi_lock_release(&l);
    cr_assert_eq(bgi_load(&seen.wakes), 1);
    bgi_futex_set_ops(NULL);
}

#if BGI_DEBUG
Test(lock, ranks_must_rise, .signal = SIGABRT)
{
    bgi_lock low = BGI_LOCK_INIT(1, "low");
    bgi_lock high = BGI_LOCK_INIT(2, "high");
    bgi_lock_acquire(&high);
    bgi_lock_acquire(&low);
}

Test(lock, ranks_are_given_back)
{
    bgi_lock low = BGI_LOCK_INIT(1, "low");
    bgi_lock high = BGI_LOCK_INIT(2, "high");
    bgi_lock_acquire(&low);
    bgi_lock_acquire(&high);
    bgi_lock_release(&low);
    bgi_lock_release(&high);
    cr_assert_eq(bgi_rank_held(), 0);
    bgi_lock_acquire(&high);
    cr_assert_eq(bgi_lock_try(&low), 1);
    bgi_lock_release(&low);
    bgi_lock_release(&high);
    cr_assert_eq(bgi_rank_held(), 0);
}
#endif
