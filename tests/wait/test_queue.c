/*
 * The wait queue's door: who finds it taken gets in, also after having slept on the word, with and
 * without membarrier.
 *
 * Labels: valgrind aarch64
 */
#include "wait/queue.h"

#include <criterion/criterion.h>
#include <pthread.h>

static bgi_waitq q;
static long plain;

static void *enter_once(void *arg)
{
    (void)arg;
    bgi_word v = bgi_waitq_enter(&q);
    plain++;
    bgi_waitq_leave(&q, v + BGI_WAITQ_VALUE);
    return NULL;
}

/* Leaves when the n threads that want to enter have given up spinning. */
static void leave_to_sleepers(int n)
{
    pthread_t t[4];
    bgi_word v = bgi_waitq_enter(&q);
    plain = 0;
    for (int i = 0; i < n; i++) {
        cr_assert_eq(pthread_create(&t[i], NULL, enter_once, NULL), 0);
    }
    while (bgi_load(bgi_waitq_count(&q)) != (bgi_word)n) {
        bgi_pause();
    }
    plain++;
    bgi_waitq_leave(&q, v);
    for (int i = 0; i < n; i++) {
        cr_assert_eq(pthread_join(t[i], NULL), 0);
    }
    cr_assert_eq(plain, n + 1);
    cr_assert_eq(bgi_load(bgi_waitq_count(&q)), 0);
    cr_assert_eq(bgi_load(&q.word) >> BGI_WAITQ_VALUE_SHIFT,
                 (v >> BGI_WAITQ_VALUE_SHIFT) + (bgi_word)n);
}

Test(queue, who_leaves_wakes_those_who_sleep_at_the_door)
{
    bgi_fence_setup();
    for (int round = 0; round < 100; round++) {
        leave_to_sleepers(1 + round % 4);
    }
}

Test(queue, likewise_without_membarrier)
{
    bgi_fence_setup();
    bgi_store(&bgi_fence_asymmetric, 0);
    for (int round = 0; round < 100; round++) {
        leave_to_sleepers(1 + round % 4);
    }
}

enum { TURNS = 20000 };

static void *take_turns(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        enter_once(NULL);
    }
    return NULL;
}

Test(queue, one_at_a_time)
{
    pthread_t t[3];
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(pthread_create(&t[i], NULL, take_turns, NULL), 0);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(pthread_join(t[i], NULL), 0);
    }
    cr_assert_eq(plain, 3 * TURNS);
    cr_assert_eq(bgi_load(bgi_waitq_count(&q)), 0);
}
