/*
 * Synchronisation: mutex, condition, semaphore, event, barrier, latch, once, read-write lock.
 *
 * All of them
 * - are plain storage: `bg_mutex m = BG_MUTEX_INIT;` (at any scope) or bg_mutex_init(&m). They
 *   allocate nothing, and hold nothing that would have to be freed: bg_<x>_destroy is a check.
 * - serve tasks, of any runtime, and plain threads, on one and the same object. A task that waits
 *   holds no thread; a plain thread sleeps in the kernel.
 * - serve those who wait in the order in which they came, by handing over: who is served goes on
 *   with the lock held, the permit taken. Nobody barges past those who wait, nobody starves, and
 *   nobody is woken for nothing.
 * - can be cancelled. A call that may wait fails with -ECANCELED, when the task or a scope around
 *   the call has been cancelled, or -ETIMEDOUT, when a deadline around it has passed: also when it
 *   would not have to wait. A wait that fails has taken nothing: no lock, no permit, no wake-up.
 *   Who is served and cancelled at the same moment is served: the call succeeds, and the next one
 *   fails. A plain thread has no scopes, so its waits end only when they are served.
 * - may be destroyed by who learns through them that nobody uses them any more, though another
 *   thread has not returned yet from the call by which it made that known: by who locks a mutex
 *   last, by the only one who waits on a latch, by any party that has passed a barrier, by who has
 *   woken everybody from a condition or an event that nobody else will come to.
 *
 * Who may call: tasks and plain threads all of them. Callbacks (brigade/timer.h), which hold a
 * worker: those that never wait; of those that may, debug builds say so, and others return -EPERM.
 *
 * Debug builds (BGI_DEBUG) end the program with a message on misuse: a lock that its holder locks
 * again; an unlock by who does not hold it; a task that ends with a mutex held; destruction while
 * somebody holds or waits; and mutexes taken in orders that could deadlock, even if they never did:
 * some task holds A while it takes B, and another, at any time, holds B while it takes A (or a
 * longer circle). The environment variable BRIGADE_LOCK_ORDER=0 turns off the last.
 */
#ifndef BRIGADE_SYNC_H
#define BRIGADE_SYNC_H

#include <brigade/types.h>

BG_BEGIN_DECLS

/* Values in the first word of an object, behind two bits of the library's. */
#define BG_DETAIL_VALUE(n) ((uintptr_t)(n) << 2)

/* ---- mutex ---- */

typedef struct bg_mutex {
    uintptr_t opaque[6];
} bg_mutex;

/* clang-format off */
#define BG_MUTEX_INIT {{0}}
/* clang-format on */

/* A mutex that nobody holds. Nobody may use it meanwhile. */
BG_API void bg_mutex_init(bg_mutex *mutex);

/* Says that nobody uses it any more, nor will. Misuse while it is held or waited for (debug). */
BG_API void bg_mutex_destroy(bg_mutex *mutex);

/*
 * Takes the mutex; waits while another holds it, behind those who wait already. The holder must not
 * lock it again: it would wait for itself (misuse in debug builds).
 *
 * Suspends. 0; -ECANCELED or -ETIMEDOUT: it was not taken; -EPERM in a callback.
 */
BG_API int bg_mutex_lock(bg_mutex *mutex);

/* Takes the mutex if nobody holds it: 0, else -EBUSY. Does not suspend, cannot be cancelled. */
BG_API int bg_mutex_try_lock(bg_mutex *mutex);

/*
 * Gives the mutex up, to the one who has waited longest. By its holder alone; the mutex may have
 * been destroyed when this returns. Does not suspend, cannot be cancelled. 0; -EPERM: nobody holds
 * it (misuse in debug builds, as is another's unlock).
 */
BG_API int bg_mutex_unlock(bg_mutex *mutex);

/* ---- condition ---- */

typedef struct bg_cond {
    uintptr_t opaque[4];
} bg_cond;

/* clang-format off */
#define BG_COND_INIT {{0}}
/* clang-format on */

BG_API void bg_cond_init(bg_cond *cond);

/* Misuse while somebody waits (debug). */
BG_API void bg_cond_destroy(bg_cond *cond);

/*
 * Gives the mutex up and waits for a signal, as one step; then takes the mutex again. The caller
 * holds the mutex before and, in every case, after: taking it again cannot be cancelled. All who
 * wait at a time use the same mutex.
 *
 * There are no wake-ups without a signal. Still, what the caller waits for may have changed again
 * by the time it holds the mutex, so test it in a loop:
 *
 *     int rc = 0;
 *     while (rc == 0 && list_is_empty()) {
 *         rc = bg_cond_wait(&not_empty, &mutex);
 *     }
 *
 * Suspends. 0: it was signalled. -ECANCELED, -ETIMEDOUT: it was not, and no signal was lost on it:
 * one that comes at the same moment either makes this 0 or goes to another. -EPERM in a callback,
 * or when nobody holds the mutex (misuse in debug builds).
 */
BG_API int bg_cond_wait(bg_cond *cond, bg_mutex *mutex);

/*
 * Wakes the one who has waited longest, if anybody waits; all of them. They go on one after another
 * as they get the mutex, behind those who wait for that already. The caller need not hold the
 * mutex. Does not suspend, cannot be cancelled. 0.
 */
BG_API int bg_cond_signal(bg_cond *cond);
BG_API int bg_cond_broadcast(bg_cond *cond);

/* ---- semaphore ---- */

typedef struct bg_sem {
    uintptr_t opaque[3];
} bg_sem;

/* The most permits a semaphore can have. */
#define BG_SEM_MAX INT32_MAX

/* A semaphore with n permits, 0 <= n <= BG_SEM_MAX. */
/* clang-format off */
#define BG_SEM_INIT(n) {{BG_DETAIL_VALUE(n)}}
/* clang-format on */

/* 0; -EINVAL: n is not within the limits, and nothing was done. */
BG_API int bg_sem_init(bg_sem *sem, int n);

/* Misuse while somebody waits (debug). */
BG_API void bg_sem_destroy(bg_sem *sem);

/* Takes a permit; waits for one, behind those who wait already. Suspends. 0; -ECANCELED or
 * -ETIMEDOUT: none was taken; -EPERM in a callback. */
BG_API int bg_sem_acquire(bg_sem *sem);

/* Takes a permit if there is one that nobody waits for: 0, else -EAGAIN. Does not suspend. */
BG_API int bg_sem_try_acquire(bg_sem *sem);

/* Gives a permit, to the one who has waited longest if anybody waits. By anybody. Does not suspend.
 * 0; -EOVERFLOW: there are BG_SEM_MAX already. */
BG_API int bg_sem_release(bg_sem *sem);

/* How many permits there are; others may take them at any moment. */
BG_API int bg_sem_value(const bg_sem *sem);

/* ---- event ---- */

typedef struct bg_event {
    uintptr_t opaque[3];
} bg_event;

/* clang-format off */
#define BG_EVENT_INIT {{0}}
/* clang-format on */

/* An event that is not set. */
BG_API void bg_event_init(bg_event *event);

/* Misuse while somebody waits (debug). */
BG_API void bg_event_destroy(bg_event *event);

/* Waits until the event is set; not at all if it is. Suspends. 0; -ECANCELED, -ETIMEDOUT; -EPERM in
 * a callback. */
BG_API int bg_event_wait(bg_event *event);

/*
 * Sets the event: all who wait go on, even if it is cleared at once, and nobody waits until it is.
 * Clears it. Setting it when it is set, clearing it when it is not, changes nothing, but orders all
 * the same: who clears the event, after another has set it, sees all that was done before that. So
 * "clear, look what there is to do, wait" misses nothing. By anybody. Do not suspend. 0.
 */
BG_API int bg_event_set(bg_event *event);
BG_API int bg_event_clear(bg_event *event);

/* 1 when it is set, else 0. */
BG_API int bg_event_is_set(const bg_event *event);

/* ---- barrier ---- */

typedef struct bg_barrier {
    uintptr_t opaque[4];
} bg_barrier;

/* A barrier for n parties, n > 0. */
/* clang-format off */
#define BG_BARRIER_INIT(n) {{0, 0, (uintptr_t)(n)}}
/* clang-format on */

/* 0; -EINVAL: n is not positive, and nothing was done. */
BG_API int bg_barrier_init(bg_barrier *barrier, int n);

/* Misuse while somebody waits (debug). */
BG_API void bg_barrier_destroy(bg_barrier *barrier);

/*
 * Waits until n parties have come. Then all n go on and the next round begins. In one of them, the
 * last to come, it returns 1, in the others 0.
 *
 * Suspends. -ECANCELED, -ETIMEDOUT: the caller has left, and does not count as one that has come:
 * the others wait for another in its place. -EPERM in a callback; -EINVAL: the barrier was made for
 * less than one.
 */
BG_API int bg_barrier_wait(bg_barrier *barrier);

/* ---- latch ---- */

typedef struct bg_latch {
    uintptr_t opaque[3];
} bg_latch;

/* A latch that opens when it has been counted down from n, n >= 0, to 0. It stays open. */
/* clang-format off */
#define BG_LATCH_INIT(n) {{BG_DETAIL_VALUE(n)}}
/* clang-format on */

/* 0; -EINVAL: n is negative, and nothing was done. */
BG_API int bg_latch_init(bg_latch *latch, int n);

/* Misuse while somebody waits (debug). */
BG_API void bg_latch_destroy(bg_latch *latch);

/* Counts n down, n >= 0; at 0, all who wait go on. By anybody. Does not suspend. 0; -EINVAL: n is
 * negative or more than is left, and nothing was done. */
BG_API int bg_latch_count_down(bg_latch *latch, int n);

/* Waits until the count is 0. Suspends. 0; -ECANCELED, -ETIMEDOUT; -EPERM in a callback. */
BG_API int bg_latch_wait(bg_latch *latch);

/* 0 when the count is 0, else -EAGAIN. Does not suspend. */
BG_API int bg_latch_try_wait(const bg_latch *latch);

/* ---- once ---- */

typedef struct bg_once {
    uintptr_t opaque[4];
} bg_once;

/* clang-format off */
#define BG_ONCE_INIT {{0}}
/* clang-format on */

BG_API void bg_once_init(bg_once *once);

/* Misuse while somebody runs it or waits (debug). */
BG_API void bg_once_destroy(bg_once *once);

/*
 * Has fn(arg) run to success once: the first caller runs it, those who come meanwhile wait, and
 * when it has returned 0 or more all calls, then and later, return 0 without a call. When it
 * returns a negative value, the call that ran it returns that, and the one who has waited longest,
 * or else the next to come, runs its own fn. fn may wait; it must not run the same once again (it
 * would wait for itself: misuse in debug builds).
 *
 * Suspends. 0: it is done; what fn returned, when that was negative; -ECANCELED, -ETIMEDOUT: the
 * caller was to end, and has run nothing; -EPERM in a callback.
 */
BG_API int bg_once_run(bg_once *once, bg_fn fn, void *arg);

/* ---- read-write lock ---- */

typedef struct bg_rwlock {
    uintptr_t opaque[6];
} bg_rwlock;

/* clang-format off */
#define BG_RWLOCK_INIT {{0}}
/* clang-format on */

BG_API void bg_rwlock_init(bg_rwlock *lock);

/* Misuse while it is held or waited for (debug). */
BG_API void bg_rwlock_destroy(bg_rwlock *lock);

/*
 * Takes the lock together with other readers; alone. Both wait behind those who wait already,
 * readers behind writers as well: so neither starve, and so who reads must not take it again to
 * read: a writer who has come in between would wait for the first, and the second for the writer.
 *
 * Suspend. 0; -ECANCELED or -ETIMEDOUT: it was not taken, and those behind go on if they can;
 * -EPERM in a callback.
 */
BG_API int bg_rwlock_read_lock(bg_rwlock *lock);
BG_API int bg_rwlock_write_lock(bg_rwlock *lock);

/* Take it if that needs no wait, and nobody waits: 0, else -EBUSY. Do not suspend. */
BG_API int bg_rwlock_try_read_lock(bg_rwlock *lock);
BG_API int bg_rwlock_try_write_lock(bg_rwlock *lock);

/* Gives it up, a reader or the writer. Does not suspend. 0; -EPERM: nobody holds it (misuse in
 * debug builds, as is an unlock of another's write lock). */
BG_API int bg_rwlock_unlock(bg_rwlock *lock);

BG_END_DECLS

#endif
