/*
 * Helpers (helpers_types.h): what is taken and given back.
 *
 * Each gives back what it has taken, and while it has it waits for time to pass alone; so all that
 * wait here go on in the end.
 */
#ifndef BGP_HELPERS_LOCK_H
#define BGP_HELPERS_LOCK_H

#include "helpers_task.h"

#include "helpers_time.h"

/*@ begin_locks: lock_types */
static inline void begin_locks(void)
{
    for (int i = 0; i < LOCKS; i++) {
        struct lock *l = &locks[i];
        bg_mutex_init(&l->mutex);
        bg_mutex_init(&l->monitor);
        bg_cond_init(&l->freed);
        bg_rwlock_init(&l->rwlock);
        bg_once_init(&l->once);
        CHECK(-1, bg_sem_init(&l->sem, i + 1) == 0);
        l->places = i + 1;
    }
}

/*@ finish_locks: lock_types */
/* When all have ended: all is as it was. */
static inline void finish_locks(void)
{
    for (int i = 0; i < LOCKS; i++) {
        struct lock *l = &locks[i];
        CHECK(-1, l->holder == 0 && l->writer == 0 && load(&l->readers) == 0);
        CHECK(-1, load(&l->inside) == 0 && load(&l->running) == 0);
        CHECK(-1, l->places == i + 1 && l->waiting == 0);
        CHECK(-1, bg_sem_value(&l->sem) == i + 1);
        int mutex = bg_mutex_try_lock(&l->mutex), monitor = bg_mutex_try_lock(&l->monitor);
        int rwlock = bg_rwlock_try_write_lock(&l->rwlock);
        CHECK(-1, mutex == 0 && monitor == 0 && rwlock == 0);
        if (mutex == 0 && monitor == 0 && rwlock == 0) {
            CHECK(-1, bg_mutex_unlock(&l->mutex) == 0 && bg_mutex_unlock(&l->monitor) == 0);
            CHECK(-1, bg_rwlock_unlock(&l->rwlock) == 0);
            bg_mutex_destroy(&l->mutex);
            bg_mutex_destroy(&l->monitor);
            bg_rwlock_destroy(&l->rwlock);
        }
        bg_cond_destroy(&l->freed);
        bg_sem_destroy(&l->sem);
        bg_once_destroy(&l->once);
    }
}

/*@ stay: nap, thread_pause */
/* What t does with a lock held. */
static inline int stay(int t, int n, bg_duration d)
{
    if (bg_self() == NULL) {
        thread_pause(d);
        return 0;
    }
    for (; n > 0; n--) {
        bg_yield();
    }
    return d == 0 ? 0 : nap(t, d);
}

/*@ lock: lock_types, stay */
/* 0; 1: it is not free, and only tried. */
static inline int lock_one(int t, struct lock *l, int only_try)
{
    if (only_try) {
        int r = bg_mutex_try_lock(&l->mutex);
        CHECK(t, r == 0 || r == -EBUSY);
        if (r != 0) {
            return 1;
        }
    } else {
        int sure = before_wait(t);
        int r = after_wait(t, sure, bg_mutex_lock(&l->mutex));
        if (r != 0) {
            return r;
        }
    }
    CHECK(t, l->holder == 0);
    l->holder = t + 1;
    return 0;
}

/* Holds the mutexes from one number to another. */
static inline int lock(int t, int from, int to, int only_try, int n, bg_duration d)
{
    int i = from;
    int r = 0;
    while (i <= to && (r = lock_one(t, &locks[i], only_try)) == 0) {
        i++;
    }
    if (r == 0) {
        r = stay(t, n, d);
    }
    while (i-- > from) {
        CHECK(t, locks[i].holder == t + 1);
        locks[i].holder = 0;
        CHECK(t, bg_mutex_unlock(&locks[i].mutex) == 0);
    }
    return r < 0 ? r : 0;
}

/*@ lock_surely: types */
/* Though t is to end. */
static inline void lock_surely(int t, bg_mutex *mutex)
{
    int r = 0;
    if (bg_self() == NULL) {
        r = bg_mutex_lock(mutex);
    } else {
        bg_shield
        {
            r = bg_mutex_lock(mutex);
        }
    }
    CHECK(t, r == 0);
    while (r != 0 && bg_mutex_try_lock(mutex) != 0) { /* or worse would follow */
        bg_yield();
    }
}

/*@ monitor: lock_types, stay, lock_surely */
/* Waits for a place, in the monitor. */
static inline int take_place(int t, struct lock *l)
{
    int r = 0;
    while (r == 0 && l->places == 0) {
        int sure = before_wait(t);
        l->waiting++;
        r = after_wait(t, sure, bg_cond_wait(&l->freed, &l->monitor));
        l->waiting--;
        if (r == 0) {
            CHECK(t, l->owed > 0); /* nobody is woken without a signal */
            l->owed--;
        } else if (l->owed > l->waiting) {
            l->owed = l->waiting; /* it had left when that came */
        }
    }
    l->places -= r == 0;
    return r;
}

/* Has one of its places; who gives one back wakes one, or all. */
static inline int monitor(int t, int i, int wake_all, int n, bg_duration d)
{
    struct lock *l = &locks[i];
    int sure = before_wait(t);
    int r = after_wait(t, sure, bg_mutex_lock(&l->monitor));
    if (r != 0) {
        return r;
    }
    r = take_place(t, l);
    CHECK(t, bg_mutex_unlock(&l->monitor) == 0);
    if (r != 0) {
        return r;
    }
    r = stay(t, n, d);
    lock_surely(t, &l->monitor);
    CHECK(t, l->places >= 0 && l->places <= i);
    l->places++;
    if (wake_all) {
        l->owed = l->waiting;
        CHECK(t, bg_cond_broadcast(&l->freed) == 0);
    } else {
        l->owed += l->owed < l->waiting;
        CHECK(t, bg_cond_signal(&l->freed) == 0);
    }
    CHECK(t, bg_mutex_unlock(&l->monitor) == 0);
    return r;
}

/*@ permit: lock_types, stay */
/* Has one of the permits. */
static inline int permit(int t, int i, int only_try, int n, bg_duration d)
{
    struct lock *l = &locks[i];
    if (only_try) {
        int r = bg_sem_try_acquire(&l->sem);
        CHECK(t, r == 0 || r == -EAGAIN);
        if (r != 0) {
            return 0;
        }
    } else {
        int sure = before_wait(t);
        int r = after_wait(t, sure, bg_sem_acquire(&l->sem));
        if (r != 0) {
            return r;
        }
    }
    CHECK(t, add(&l->inside, 1) <= (word_value)i);
    int r = stay(t, n, d);
    (void)add(&l->inside, (word_value)-1);
    CHECK(t, bg_sem_release(&l->sem) == 0);
    return r;
}

/*@ rwlock: lock_types, stay */
/* Reads, with others; writes, alone. */
static inline int rwlock(int t, int i, int writes, int only_try, int n, bg_duration d)
{
    struct lock *l = &locks[i];
    if (only_try) {
        int r = writes ? bg_rwlock_try_write_lock(&l->rwlock) : bg_rwlock_try_read_lock(&l->rwlock);
        CHECK(t, r == 0 || r == -EBUSY);
        if (r != 0) {
            return 0;
        }
    } else {
        int sure = before_wait(t);
        int r = after_wait(
            t, sure, writes ? bg_rwlock_write_lock(&l->rwlock) : bg_rwlock_read_lock(&l->rwlock));
        if (r != 0) {
            return r;
        }
    }
    CHECK(t, l->writer == 0);
    if (writes) {
        CHECK(t, load(&l->readers) == 0);
        l->writer = t + 1;
    } else {
        (void)add(&l->readers, 1);
    }
    int r = stay(t, n, d);
    CHECK(t, l->writer == (writes ? t + 1 : 0));
    if (writes) {
        CHECK(t, load(&l->readers) == 0);
        l->writer = 0;
    } else {
        (void)add(&l->readers, (word_value)-1);
    }
    CHECK(t, bg_rwlock_unlock(&l->rwlock) == 0);
    return r;
}

/*@ once: lock_types, stay */
struct once {
    int t, i, fails, n;
    bg_duration d;
    int ran, result;
};

static inline int run_once(void *arg)
{
    struct once *o = arg;
    struct lock *l = &locks[o->i];
    CHECK(o->t, !l->done && !o->ran);
    CHECK(o->t, add(&l->running, 1) == 0);
    o->ran = 1;
    o->result = stay(o->t, o->n, o->d);
    (void)add(&l->running, (word_value)-1);
    if (o->result == 0) {
        o->result = o->fails ? -EIO : 1;
        l->done = !o->fails;
    }
    return o->result;
}

/* It is done, or fails, for whoever calls it first. */
static inline int once(int t, int i, int fails, int n, bg_duration d)
{
    struct once o = {.t = t, .i = i, .fails = fails, .n = n, .d = d};
    int sure = before_wait(t);
    int r = bg_once_run(&locks[i].once, run_once, &o);
    if (o.ran) {
        CHECK(t, sure == 0 && r == (o.result < 0 ? o.result : 0));
        return r == -EIO ? 0 : r;
    }
    r = after_wait(t, sure, r);
    if (r == 0) {
        CHECK(t, locks[i].done);
    }
    return r;
}

#endif
