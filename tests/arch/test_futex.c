/*
 * The futex: each of its answers, its clock, the half of the word it looks at, and its replacement.
 */
#include "arch/futex.h"

#include "base/clock.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

Test(futex, does_not_sleep_on_another_value)
{
    bgi_atomic w = 7;
    cr_assert_eq(bgi_futex_wait(&w, 8, -1), -EAGAIN);
}

Test(futex, times_out_at_an_absolute_time_and_not_before)
{
    bgi_atomic w = 1;
    cr_assert_eq(bgi_futex_wait(&w, 1, 0), -ETIMEDOUT); /* long past */
    for (int i = 0; i < 3; i++) {
        int64_t deadline = bgi_clock_real() + 3000000;
        int rc;
        do {
            rc = bgi_futex_wait(&w, 1, deadline);
        } while (rc == 0 || rc == -EINTR);
        cr_assert_eq(rc, -ETIMEDOUT);
        cr_assert_geq(bgi_clock_real(), deadline);
    }
}

Test(futex, looks_at_the_low_half)
{
    if (sizeof(bgi_word) < 8) {
        cr_skip_test("a word has no other half here");
    }
    bgi_atomic w = ((bgi_word)5 << 31 << 1) | 9;
    cr_assert_eq(bgi_futex_wait(&w, 5, -1), -EAGAIN);
    cr_assert_eq(bgi_futex_wait(&w, 9, 0), -ETIMEDOUT);
}

struct sleeper {
    bgi_atomic word; /* 0: sleep */
    bgi_atomic slept;
    int rc;
};

static void *sleep_until_changed(void *arg)
{
    struct sleeper *s = arg;
    while (bgi_load_acquire(&s->word) == 0) {
        bgi_store_release(&s->slept, 1);
        s->rc = bgi_futex_wait(&s->word, 0, -1);
    }
    return NULL;
}

Test(futex, wakes_who_sleeps)
{
    struct sleeper s = {0, 0, -1};
    pthread_t id;
    cr_assert_eq(bgi_futex_wake(&s.word, 1), 0);
    cr_assert_eq(pthread_create(&id, NULL, sleep_until_changed, &s), 0);
    while (!bgi_load_acquire(&s.slept)) {
        sched_yield();
    }
    while (bgi_futex_wake(&s.word, 1) == 0) { /* it sleeps, and wakes for nothing */
        sched_yield();
    }
    bgi_store_release(&s.word, 1);
    (void)bgi_futex_wake(&s.word, 1);
    cr_assert_eq(pthread_join(id, NULL), 0);
    cr_assert(s.rc == 0 || s.rc == -EAGAIN, "%d", s.rc);
}

static void ignore(int sig)
{
    (void)sig;
}

static void *sleep_once(void *arg)
{
    struct sleeper *s = arg;
    bgi_store_release(&s->slept, 1);
    do {
        s->rc = bgi_futex_wait(&s->word, 0, -1);
    } while (s->rc == 0);
    bgi_store_release(&s->slept, 2);
    return NULL;
}

Test(futex, tells_of_signals)
{
    struct sigaction sa = {.sa_handler = ignore};
    struct sleeper s = {0, 0, -1};
    pthread_t id;
    cr_assert_eq(sigaction(SIGUSR1, &sa, NULL), 0);
    cr_assert_eq(pthread_create(&id, NULL, sleep_once, &s), 0);
    while (bgi_load_acquire(&s.slept) != 2) {
        if (bgi_load_acquire(&s.slept) == 1) {
            (void)pthread_kill(id, SIGUSR1);
        }
        sched_yield();
    }
    cr_assert_eq(pthread_join(id, NULL), 0);
    cr_assert_eq(s.rc, -EINTR);
}

struct model {
    bgi_atomic *word;
    int waits, wakes;
};

static int model_wait(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline_ns)
{
    struct model *m = ctx;
    m->word = w;
    m->waits++;
    return expected == 3 && deadline_ns == 44 ? -EINTR : 0;
}

static int model_wake(void *ctx, bgi_atomic *w, int n)
{
    struct model *m = ctx;
    m->word = w;
    m->wakes++;
    return n;
}

Test(futex, can_be_replaced)
{
    struct model m = {NULL, 0, 0};
    struct bgi_futex_ops ops = {model_wait, model_wake, &m};
    bgi_atomic w = 1;
    bgi_futex_set_ops(&ops);
    cr_assert_eq(bgi_futex_wait(&w, 3, 44), -EINTR);
    cr_assert_eq(bgi_futex_wake(&w, 17), 17);
    cr_assert(m.word == &w && m.waits == 1 && m.wakes == 1);
    bgi_futex_set_ops(NULL);
    cr_assert_eq(bgi_futex_wait(&w, 3, 44), -EAGAIN);
    cr_assert_eq(m.waits, 1);
}
