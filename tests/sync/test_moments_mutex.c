/*
 * The mutex, the semaphore and the condition where two meet: see moments.h.
 *
 * Labels: valgrind aarch64
 */
#include "moments.h"

#include "sync/mutex.c"

#define mutex_site cond_mutex_site
#include "sync/cond.c"
#undef mutex_site

#define queue_of sem_queue_of
#include "sync/sem.c"

/* ---- the mutex ---- */

static bg_mutex *mutex(void)
{
    return (bg_mutex *)(void *)object;
}

/* Held by nobody that debug builds know of: it is given up in any context. */
static void hold(struct bgi_mutex *m)
{
    CHECK(bgi_cas_acquire(&m->q.word, 0, BGI_MUTEX_HELD));
}

static void setup_mutex(int waiters)
{
    (void)waiters;
    hold(bgi_mutex_of(mutex()));
}

static int wait_mutex(int i)
{
    (void)i;
    return bg_mutex_lock(mutex());
}

static void served_mutex(int i)
{
    (void)i;
    CHECK(bg_mutex_try_lock(mutex()) == -EBUSY);
    CHECK(bg_mutex_unlock(mutex()) == 0);
}

static void give_mutex(void)
{
    CHECK(bgi_mutex_give(bgi_mutex_of(mutex())) == 0);
}

static int not_given(void)
{
    return scene.gifts == 0;
}

static void more_once(void)
{
    if (scene.gifts == 0) {
        make_gift();
    }
}

static void rest_mutex(int served)
{
    (void)served;
    more_once();
    CHECK(object[0] == 0 && object[1] == 0);
}

Test(moments, of_the_mutex)
{
    static const struct moments_subject s = {
        .name = "mutex",
        .setup = setup_mutex,
        .wait = wait_mutex,
        .served = served_mutex,
        .give = give_mutex,
        .may_give = not_given,
        .more = more_once,
        .rest = rest_mutex,
    };
    run_moments(&s, 500);
}

/* ---- the semaphore ---- */

static bg_sem *sem(void)
{
    return (bg_sem *)(void *)object;
}

static void setup_sem(int waiters)
{
    (void)waiters;
    CHECK(bg_sem_init(sem(), 0) == 0);
}

static int wait_sem(int i)
{
    (void)i;
    return bg_sem_acquire(sem());
}

static void give_sem(void)
{
    CHECK(bg_sem_release(sem()) == 0);
}

static void rest_sem(int served)
{
    CHECK(bg_sem_value(sem()) == scene.gifts - served);
    CHECK(scene.gifts - served <= 1); /* of more there was no need */
    CHECK((object[0] & BGI_WAITQ_FLAGS) == 0 && object[1] == 0);
}

Test(moments, of_the_semaphore)
{
    static const struct moments_subject s = {
        .name = "semaphore",
        .setup = setup_sem,
        .wait = wait_sem,
        .give = give_sem,
        .more = make_gift,
        .rest = rest_sem,
    };
    run_moments(&s, 500);
}

/* ---- the condition ---- */

enum { COND_MUTEX = 8 /* words */ };

static bg_cond *cond(void)
{
    return (bg_cond *)(void *)object;
}

static bg_mutex *cond_mutex(void)
{
    return (bg_mutex *)(void *)(object + COND_MUTEX);
}

static void setup_cond(int waiters)
{
    (void)waiters;
}

static int wait_cond(int i)
{
    (void)i;
    int locked = bg_mutex_lock(cond_mutex());
    if (locked != 0) {
        return locked;
    }
    int r = bg_cond_wait(cond(), cond_mutex());
    CHECK((object[COND_MUTEX] & BGI_MUTEX_HELD) != 0);
    CHECK(bg_mutex_unlock(cond_mutex()) == 0); /* misuse, if it were not this one's */
    return r;
}

/* Nobody may be inside the mutex either, nor at its gate. */
static int mutex_is_left(void)
{
    bgi_waitq *q = (bgi_waitq *)(void *)(object + COND_MUTEX);
    return (object[COND_MUTEX] & BGI_WAITQ_LOCK) == 0 && bgi_waitq_gate(q)->state == 0;
}

static void give_signal(void)
{
    CHECK(bg_cond_signal(cond()) == 0);
}

static void give_broadcast(void)
{
    CHECK(bg_cond_broadcast(cond()) == 0);
}

static void rest_cond(int served)
{
    CHECK(scene.gifts >= served || scene.subject->gone);
    CHECK(object[0] == 0 && object[1] == 0);
    CHECK(object[COND_MUTEX] == 0 && object[COND_MUTEX + 1] == 0);
}

Test(moments, of_the_condition)
{
    static const struct moments_subject s = {
        .name = "condition, signal",
        .setup = setup_cond,
        .wait = wait_cond,
        .give = give_signal,
        .may_give = mutex_is_left,
        .more = make_gift,
        .rest = rest_cond,
        .unordered = 1, /* who was missed takes the mutex by itself */
    };
    run_moments(&s, 500);
}

/* Main holds the mutex at the signal, and gives it up later: who was signalled waits for it. */
static int main_has_it;

static void more_signal_held(void)
{
    struct bgi_mutex *m = bgi_mutex_of(cond_mutex());
    if (main_has_it) {
        main_has_it = 0;
        CHECK(bgi_mutex_give(m) == 0);
    } else {
        make_gift();
    }
}

static void give_signal_held(void)
{
    struct bgi_mutex *m = bgi_mutex_of(cond_mutex());
    main_has_it |= m->q.word == 0 && bgi_cas_acquire(&m->q.word, 0, BGI_MUTEX_HELD);
    give_signal();
}

static void setup_cond_held(int waiters)
{
    (void)waiters;
    main_has_it = 0;
}

static void rest_cond_held(int served)
{
    if (main_has_it) {
        CHECK(bgi_mutex_give(bgi_mutex_of(cond_mutex())) == 0);
    }
    rest_cond(served);
}

Test(moments, of_the_condition_with_the_mutex_held)
{
    static const struct moments_subject s = {
        .name = "condition, signal with the mutex held",
        .setup = setup_cond_held,
        .wait = wait_cond,
        .give = give_signal_held,
        .may_give = mutex_is_left,
        .more = more_signal_held,
        .rest = rest_cond_held,
        .unordered = 1,
    };
    run_moments(&s, 500);
}

Test(moments, of_the_condition_and_a_broadcast)
{
    static const struct moments_subject s = {
        .name = "condition, broadcast",
        .setup = setup_cond,
        .wait = wait_cond,
        .give = give_broadcast,
        .may_give = mutex_is_left,
        .more = make_gift,
        .rest = rest_cond,
        .unordered = 1,
        .gone = COND_MUTEX, /* without the mutex */
    };
    run_moments(&s, 500);
}
