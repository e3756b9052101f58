/*
 * Planted bugs: what a program of the library's users would see if the library had them. Included
 * before all else, by an option of the compiler, into the interpreter and into printed programs, it
 * puts functions that misbehave in the place of the library's own. Which one, says bgp_planted; the
 * environment variable BGP_PLANTED sets it in a printed program.
 *
 * Some strike at the third call of a run, some in a situation that few schedules lead to.
 */
#ifndef BGP_PLANTED_H
#define BGP_PLANTED_H

#define BGP_PLANTED 1

#include <brigade.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum bgp_planted {
    PLANTED_NONE,
    PLANTED_EARLY_SLEEP,   /* a long one ends too soon */
    PLANTED_EARLY_TIMER,   /* a callback comes too soon */
    PLANTED_NO_TIMER,      /* the third callback does not come */
    PLANTED_TWO_TIMERS,    /* the third callback comes twice */
    PLANTED_MIXED_RESULTS, /* gather mixes the results of its last two tasks up */
    PLANTED_LOST_CANCEL,   /* the third cancel is not heard */
    PLANTED_LOST_WAKE_UP,  /* who awaits while three others do is not woken */
    PLANTED_NO_WAIT,       /* await does not wait for a task that has not ended */
    PLANTED_WRONG_INDEX,   /* wait_any names the one after the one that has ended */
    PLANTED_LOST_FAILURE,  /* the second failure of a detached task is not reported */
    PLANTED_CRASH,         /* the third detach follows a null pointer */
    PLANTED_HANG,          /* the fifth yield does not end */
    PLANTED_EARLY_TIMEOUT, /* a deadline passes too soon */
    PLANTED_NO_SHIELD,     /* a shield does not hold off what is outside */
    PLANTED_LOST_MEMBER,   /* cancelling a group does nothing */
    PLANTED_LOST_RESULT,   /* the second result of a group is skipped */
    PLANTED_BUSY_LOCK,     /* who tries a mutex that is held is told that it has it */
    PLANTED_LOST_SIGNAL,   /* the third signal of a condition wakes nobody */
    PLANTED_NO_SIGNAL,     /* the third wait for a condition ends without a signal */
    PLANTED_EXTRA_PERMIT,  /* who is cancelled as it waits for a permit gives one */
    PLANTED_TWO_WRITERS,   /* who writes takes the lock to read */
    PLANTED_DONE_TWICE,    /* the second to come runs what has been done */
    PLANTED_LOST_EVENT,    /* the second time that an event is set it is not */
    PLANTED_EARLY_LATCH,   /* the second wait for a latch does not wait */
    PLANTED_EARLY_BARRIER, /* nor does the second party of a barrier */
    PLANTED_LOST_ITEM,     /* the third item that is sent is lost */
    PLANTED_SENT_ANYWAY,   /* what could not be sent, since the sender was to end, is sent */
    PLANTED_OVERTAKEN,     /* of two items in a channel the second is received first */
    PLANTED_LOST_CLOSE,    /* the second time that a task closes a channel it stays open */
    PLANTED_TWO_CASES,     /* a select takes another case as well */
    PLANTED_WRONG_CASE,    /* a select of several cases names the one before */
    PLANTED_EARLY_AFTER,   /* a select does not wait long enough */
    PLANTED_OTHERS_RESULT, /* a blocking call returns what the one before it has returned */
    PLANTED_CALLED_TWICE,  /* the second blocking call is made twice */
    PLANTED_NOT_CALLED,    /* a blocking call without a copy is not made */
    PLANTED_SET_TWICE,     /* a future that has been set says that it has not */
    PLANTED_NO_VALUE,      /* the second wait for a future does not wait */
    PLANTED_LOST_PART,     /* the last part of the second loop is left out */
    PLANTED_JOINED_TWICE,  /* what the third join gives is that of the one before */
    PLANTED_LOST_MESSAGE,  /* the second message that is sent is lost */
    PLANTED_LATE_MESSAGE,  /* what was not sent, since the sender was to end, is sent */
    PLANTED_LOST_BYTE,     /* the third read leaves a byte out */
    PLANTED_EARLY_END,     /* the second read finds an end */
    PLANTED_LEAK,          /* a descriptor stays open */
    PLANTED_ALL
};

__attribute__((weak)) int bgp_planted;
__attribute__((weak)) int bgp_planted_calls;  /* of the function in question, in this run */
__attribute__((weak)) int bgp_planted_inside; /* tasks that are in it */
__attribute__((weak)) bg_failure_hook bgp_planted_hook;
/* A mutex that is held by this task only as far as it knows. */
__attribute__((weak)) bg_mutex *bgp_planted_mutex;
__attribute__((weak)) bg_task *bgp_planted_holder;

__attribute__((constructor)) static void bgp_planted_from_environment(void)
{
    const char *text = getenv("BGP_PLANTED");
    bgp_planted = text == NULL ? bgp_planted : atoi(text);
}

/* A run begins. */
static inline void bgp_planted_begin(void)
{
    bgp_planted_calls = 0;
    bgp_planted_inside = 0;
    bgp_planted_mutex = NULL;
}

/* Whether it is this one, and the nth call. */
static inline int bgp_strikes(enum bgp_planted which, int nth)
{
    return bgp_planted == (int)which && ++bgp_planted_calls == nth;
}

static inline int bgp_planted_sleep(bg_duration d)
{
    int early = bgp_planted == PLANTED_EARLY_SLEEP && d > BG_MS && d < BG_FOREVER;
    return bg_sleep(early ? d - BG_MS / 2 : d);
}

static inline int bgp_planted_after(bg_duration d, bg_fn fn, void *arg)
{
    if (bgp_strikes(PLANTED_NO_TIMER, 3)) {
        return 0;
    }
    if (bgp_strikes(PLANTED_TWO_TIMERS, 3)) {
        (void)bg_after(d, fn, arg);
    }
    return bg_after(d, fn, arg);
}

static inline int bgp_planted_timer_start(bg_timer *timer, bg_duration d, bg_fn fn, void *arg)
{
    return bg_timer_start(timer, bgp_planted == PLANTED_EARLY_TIMER && d > BG_MS ? d / 2 : d, fn,
                          arg);
}

static inline int bgp_planted_gather_all(bg_task *const tasks[], size_t n, int results[])
{
    int r = bg_gather_all(tasks, n, results);
    if (bgp_planted == PLANTED_MIXED_RESULTS && n >= 2 && results != NULL) {
        int last = results[n - 1];
        results[n - 1] = results[n - 2];
        results[n - 2] = last;
    }
    return r;
}

static inline int bgp_planted_cancel(bg_task *task)
{
    return bgp_strikes(PLANTED_LOST_CANCEL, 3) ? 0 : bg_cancel(task);
}

static inline int bgp_planted_await(bg_task *task)
{
    if (bgp_planted == PLANTED_NO_WAIT) {
        int r = -ETIMEDOUT;
        bg_timeout (0) {
            r = bg_wait_any(&task, 1, NULL); /* ends at once: whether it has ended */
        }
        if (r != 0) {
            return 0;
        }
    }
    if (bgp_planted != PLANTED_LOST_WAKE_UP) {
        return bg_await(task);
    }
    if (++bgp_planted_inside > 3) {
        (void)bg_sleep(BG_FOREVER);
    }
    int r = bg_await(task);
    bgp_planted_inside--;
    return r;
}

static inline int bgp_planted_wait_any(bg_task *const tasks[], size_t n, size_t *index)
{
    int r = bg_wait_any(tasks, n, index);
    if (bgp_planted == PLANTED_WRONG_INDEX && r == 0 && n > 1 && index != NULL) {
        *index = (*index + 1) % n;
    }
    return r;
}

static inline void bgp_planted_report(const char *name, int result, void *arg)
{
    if (!bgp_strikes(PLANTED_LOST_FAILURE, 2)) {
        bgp_planted_hook(name, result, arg);
    }
}

static inline void bgp_planted_set_hook(bg_failure_hook hook, void *arg)
{
    bgp_planted_hook = hook;
    bg_set_failure_hook(hook == NULL ? NULL : bgp_planted_report, arg);
}

static inline void bgp_planted_detach(bg_task *task)
{
    static int *volatile nowhere;
    if (bgp_strikes(PLANTED_CRASH, 3)) {
        *nowhere = 1;
    }
    bg_detach(task);
}

static inline void bgp_planted_yield(void)
{
    static volatile int stuck = 1;
    if (bgp_strikes(PLANTED_HANG, 5)) {
        while (stuck) {
        }
    }
    bg_yield();
}

static inline int bgp_planted_stats(bg_runtime *rt, bg_stats *out)
{
    if (bgp_planted == PLANTED_LEAK && out->size != 0 && bgp_planted_calls++ == 0) {
        (void)dup(STDERR_FILENO);
    }
    return bg_runtime_stats(rt, out);
}

static inline bg_scope *bgp_planted_timeout_open(bg_scope *scope, bg_duration d)
{
    return bg_timeout_open(scope, bgp_planted == PLANTED_EARLY_TIMEOUT ? d / 2 : d);
}

static inline bg_scope *bgp_planted_shield_open(bg_scope *scope)
{
    return bgp_planted == PLANTED_NO_SHIELD ? bg_timeout_open(scope, BG_FOREVER)
                                            : bg_shield_open(scope);
}

static inline int bgp_planted_group_cancel(bg_group_t *group)
{
    return bgp_planted == PLANTED_LOST_MEMBER ? 0 : bg_group_cancel(group);
}

static inline int bgp_planted_group_next(bg_group_t *group, int *result)
{
    if (bgp_strikes(PLANTED_LOST_RESULT, 2)) {
        (void)bg_group_next(group, NULL);
    }
    return bg_group_next(group, result);
}

static inline int bgp_planted_mutex_try_lock(bg_mutex *mutex)
{
    int r = bg_mutex_try_lock(mutex);
    if (r != 0 && bgp_planted == PLANTED_BUSY_LOCK && bgp_planted_mutex == NULL) {
        bgp_planted_mutex = mutex;
        bgp_planted_holder = bg_self();
        return 0;
    }
    return r;
}

static inline int bgp_planted_mutex_unlock(bg_mutex *mutex)
{
    if (bgp_planted_mutex == mutex && bgp_planted_holder == bg_self()) {
        bgp_planted_mutex = NULL;
        return 0;
    }
    return bg_mutex_unlock(mutex);
}

static inline int bgp_planted_cond_signal(bg_cond *cond)
{
    return bgp_strikes(PLANTED_LOST_SIGNAL, 3) ? 0 : bg_cond_signal(cond);
}

static inline int bgp_planted_cond_wait(bg_cond *cond, bg_mutex *mutex)
{
    if (bgp_strikes(PLANTED_NO_SIGNAL, 3)) {
        (void)bg_mutex_unlock(mutex);
        bg_yield();
        while (bg_mutex_try_lock(mutex) != 0) {
            bg_yield();
        }
        return 0;
    }
    return bg_cond_wait(cond, mutex);
}

static inline int bgp_planted_sem_acquire(bg_sem *sem)
{
    int r = bg_sem_acquire(sem);
    if (r != 0 && bgp_planted == PLANTED_EXTRA_PERMIT) {
        (void)bg_sem_release(sem);
    }
    return r;
}

static inline int bgp_planted_write_lock(bg_rwlock *lock)
{
    return bgp_planted == PLANTED_TWO_WRITERS ? bg_rwlock_read_lock(lock)
                                              : bg_rwlock_write_lock(lock);
}

static inline int bgp_planted_once_run(bg_once *once, bg_fn fn, void *arg)
{
    return bgp_strikes(PLANTED_DONE_TWICE, 2) ? fn(arg) : bg_once_run(once, fn, arg);
}

static inline int bgp_planted_event_set(bg_event *event)
{
    return bgp_strikes(PLANTED_LOST_EVENT, 2) ? 0 : bg_event_set(event);
}

static inline int bgp_planted_latch_wait(bg_latch *latch)
{
    return bgp_strikes(PLANTED_EARLY_LATCH, 2) ? 0 : bg_latch_wait(latch);
}

static inline int bgp_planted_barrier_wait(bg_barrier *barrier)
{
    return bgp_strikes(PLANTED_EARLY_BARRIER, 2) ? 0 : bg_barrier_wait(barrier);
}

static inline int bgp_planted_send(bg_chan *chan, const void *item)
{
    int r = bgp_strikes(PLANTED_LOST_ITEM, 3) ? 0 : bg_send(chan, item);
    if (r != 0 && r != -EPIPE && bgp_planted == PLANTED_SENT_ANYWAY) {
        (void)bg_try_send(chan, item);
    }
    return r;
}

static inline int bgp_planted_recv(bg_chan *chan, void *item)
{
    struct {
        uint64_t half[2];
    } first; /* of an item of the program's largest channel */
    int r = bg_recv(chan, item);
    if (r == 0 && bgp_planted == PLANTED_OVERTAKEN && bg_chan_capacity(chan) == 4 &&
        bg_chan_length(chan) > 0) {
        __asm__("" : "+r"(item)); /* what is smaller is never received from there */
        memcpy(&first, item, sizeof first);
        (void)bg_try_recv(chan, item);
        (void)bg_try_send(chan, &first);
    }
    return r;
}

static inline int bgp_planted_close(bg_chan *chan)
{
    return bg_self() != NULL && bgp_strikes(PLANTED_LOST_CLOSE, 2) ? 0 : bg_close(chan);
}

static inline int bgp_planted_select(bg_case *cases, size_t n)
{
    for (size_t i = 0; bgp_planted == PLANTED_EARLY_AFTER && i < n; i++) {
        cases[i].after /= 2;
    }
    int r = bg_select_cases(cases, n);
    if (r > 0 && bgp_planted == PLANTED_TWO_CASES && cases[0].kind == BG_CASE_RECV) {
        (void)bg_try_recv(cases[0].chan, NULL);
    }
    return r > 0 && bgp_planted == PLANTED_WRONG_CASE ? r - 1 : r;
}

static inline int bgp_planted_blocking_copy(bg_fn fn, const void *arg, size_t size)
{
    if (bgp_strikes(PLANTED_CALLED_TWICE, 2)) {
        (void)bg_blocking_copy(fn, arg, size);
    }
    int r = bg_blocking_copy(fn, arg, size);
    if (bgp_planted == PLANTED_OTHERS_RESULT) {
        int before = bgp_planted_inside;
        bgp_planted_inside = r;
        return before;
    }
    return r;
}

static inline int bgp_planted_blocking(bg_fn fn, void *arg)
{
    return bgp_planted == PLANTED_NOT_CALLED ? 0 : bg_blocking(fn, arg);
}

static inline int bgp_planted_future_set(bg_future *future, const void *value)
{
    int r = bg_future_set(future, value);
    return bgp_planted == PLANTED_SET_TWICE ? 0 : r;
}

static inline int bgp_planted_future_wait(bg_future *future, void *value)
{
    return bgp_strikes(PLANTED_NO_VALUE, 2) ? 0 : bg_future_wait(future, value);
}

static inline int bgp_planted_parallel_for(size_t begin, size_t end, bg_range_fn body, void *ctx,
                                           const bg_parallel_options *options)
{
    size_t less = end > begin && bgp_strikes(PLANTED_LOST_PART, 2) ? 1 : 0;
    return bg_parallel_for_opts(begin, end - less, body, ctx, options);
}

static inline ssize_t bgp_planted_fd_send(int fd, const void *bytes, size_t size, int flags)
{
    if (bgp_strikes(PLANTED_LOST_MESSAGE, 2)) {
        return (ssize_t)size;
    }
    ssize_t r = bg_fd_send(fd, bytes, size, flags);
    if (r < 0 && r != -EAGAIN && bgp_planted == PLANTED_LATE_MESSAGE) {
        (void)bg_fd_send(fd, bytes, size, MSG_DONTWAIT);
    }
    return r;
}

static inline ssize_t bgp_planted_read(int fd, void *bytes, size_t size)
{
    ssize_t r = bgp_strikes(PLANTED_EARLY_END, 2) ? 0 : bg_read(fd, bytes, size);
    return r > 1 && bgp_strikes(PLANTED_LOST_BYTE, 3) ? r - 1 : r;
}

static inline int bgp_planted_join(bg_fork_frame *frame)
{
    int before = bgp_planted_inside;
    bgp_planted_inside = bg_join(frame);
    return bgp_strikes(PLANTED_JOINED_TWICE, 3) ? before : bgp_planted_inside;
}

#define bg_sleep bgp_planted_sleep
#define bg_after bgp_planted_after
#define bg_timer_start bgp_planted_timer_start
#define bg_gather_all bgp_planted_gather_all
#define bg_cancel bgp_planted_cancel
#define bg_await bgp_planted_await
#define bg_wait_any bgp_planted_wait_any
#define bg_set_failure_hook bgp_planted_set_hook
#define bg_detach bgp_planted_detach
#define bg_yield bgp_planted_yield
#define bg_runtime_stats bgp_planted_stats
#define bg_timeout_open bgp_planted_timeout_open
#define bg_shield_open bgp_planted_shield_open
#define bg_group_cancel bgp_planted_group_cancel
#define bg_group_next bgp_planted_group_next
#define bg_mutex_try_lock bgp_planted_mutex_try_lock
#define bg_mutex_unlock bgp_planted_mutex_unlock
#define bg_cond_signal bgp_planted_cond_signal
#define bg_cond_wait bgp_planted_cond_wait
#define bg_sem_acquire bgp_planted_sem_acquire
#define bg_rwlock_write_lock bgp_planted_write_lock
#define bg_once_run bgp_planted_once_run
#define bg_event_set bgp_planted_event_set
#define bg_latch_wait bgp_planted_latch_wait
#define bg_barrier_wait bgp_planted_barrier_wait
#define bg_send bgp_planted_send
#define bg_recv bgp_planted_recv
#define bg_close bgp_planted_close
#define bg_select_cases bgp_planted_select
#define bg_blocking_copy bgp_planted_blocking_copy
#define bg_blocking bgp_planted_blocking
#define bg_future_set bgp_planted_future_set
#define bg_future_wait bgp_planted_future_wait
#define bg_parallel_for_opts bgp_planted_parallel_for
#define bg_join bgp_planted_join
#define bg_fd_send bgp_planted_fd_send
#define bg_read bgp_planted_read

#endif
