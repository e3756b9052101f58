/*
 * Futures: a value that is not there yet, set once by one and awaited by any number.
 *
 *     bg_future *price = bg_future_create(sizeof(double));
 *     ...
 *     bg_future_set(price, &p);            who knows it, or bg_future_fail(price, -EIO)
 *     rc = bg_future_wait(price, &p);      whoever wants it; each gets a copy
 *
 * Tasks, of whatever runtime, and plain threads may use the same future.
 */
#ifndef BRIGADE_FUTURE_H
#define BRIGADE_FUTURE_H

#include <brigade/types.h>

BG_BEGIN_DECLS

typedef struct bg_future bg_future;

/*
 * Makes a future for a value of `size` bytes, which may be 0. The caller owns it:
 * bg_future_destroy. From any thread; does not suspend. NULL: no memory.
 */
BG_API bg_future *bg_future_create(size_t size);

/*
 * Frees the future, whether it was set or not. Nobody may wait for it (misuse in debug builds), or
 * begin to use it. Who has waited for it, or has set it, may destroy it at once, even while the
 * call that set it, or those of others who waited when it was set, are still returning. From any
 * thread; does not suspend. NULL is ignored.
 */
BG_API void bg_future_destroy(bg_future *future);

/*
 * Sets it to a copy of the value, and wakes all who wait for it. `value` may be NULL when the size
 * is 0. From anywhere, callbacks included; does not suspend. Returns 0; -EALREADY: it has been set,
 * or has failed, before; -EINVAL: future is NULL, or value.
 */
BG_API int bg_future_set(bg_future *future, const void *value);

/* Likewise, but there will be no value: who waits gets the error, a negative number. Returns 0;
 * -EALREADY; -EINVAL: future is NULL, or error not negative. */
BG_API int bg_future_fail(bg_future *future, int error);

/*
 * Waits until it is set, and copies the value to *value, unless that is NULL. Any number of times,
 * by any number of tasks and threads.
 *
 * In a task, where it suspends if it has to wait, or on a plain thread, which then blocks. Not in a
 * callback. Returns 0; the error of bg_future_fail; -ECANCELED, -ETIMEDOUT: the task, or a scope
 * around the call, was cancelled or is over (also if there was no need to wait); -EINVAL: future is
 * NULL; -EPERM: in a callback (misuse in debug builds). *value is written only for 0.
 */
BG_API int bg_future_wait(bg_future *future, void *value);

/* The same without waiting, from anywhere: -EAGAIN when it is not set. Neither suspends, nor is it
 * cancelled. */
BG_API int bg_future_try(bg_future *future, void *value);

/* Whether it is set, or has failed: 1 or 0. From anywhere; does not suspend. NULL: 0. */
BG_API int bg_future_done(const bg_future *future);

BG_END_DECLS

#endif
