/*
 * Callbacks after a delay: asyncio's call_later.
 *
 * A callback runs on a worker, outside of any task: it must be short and must not suspend. It may
 * spawn tasks and start timers. If it returns a negative value, that is reported through the hook
 * of bg_set_failure_hook().
 */
#ifndef BRIGADE_TIMER_H
#define BRIGADE_TIMER_H

#include <brigade/types.h>

BG_BEGIN_DECLS

/*
 * Calls fn(arg) once, when at least `delay` has passed. What is still pending when the runtime ends
 * is dropped without a call. In a task or a callback; does not suspend. Returns 0; -ENOMEM;
 * -EINVAL for fn NULL; -EPERM outside of a runtime.
 */
BG_API int bg_after(bg_duration delay, bg_fn fn, void *arg);

/* The same with storage of the caller's, and a way back: for timeouts, which seldom fire. */
typedef struct bg_timer {
    uintptr_t opaque[8];
} bg_timer;

/* A timer that is not started. */
BG_API void bg_timer_init(bg_timer *timer);

/*
 * Has fn(arg) called once, when at least `delay` has passed. The timer is the caller's and must
 * stay in place until it has fired or bg_timer_cancel() has returned. Takes no allocation and no
 * contended lock. The timer belongs to one task or callback at a time: a callback that starts it
 * again leaves it to the next call, which may be under way on another worker before this one has
 * ended. In a task or a callback; does not suspend. Returns 0; -EINVAL for fn NULL; -EBUSY when it
 * is pending; -EPERM outside of a runtime.
 *
 * The delay counts from the runtime's next look at the clock, at the latest when the caller next
 * waits: never too short, and at most as much too long as the caller goes on computing.
 */
BG_API int bg_timer_start(bg_timer *timer, bg_duration delay, bg_fn fn, void *arg);

/*
 * Returns 1 when the timer was pending: fn will not be called. Returns 0 when it was not started or
 * has fired: fn has been called, or is about to be, or is running on another worker. In either case
 * the timer's memory is the caller's again, unless its callback starts it again: to end such a one,
 * first see to it that the callback does not. A timer that is pending when its runtime ends is
 * dropped. From any thread of the program while the runtime lives;
 * does not suspend.
 */
BG_API int bg_timer_cancel(bg_timer *timer);

BG_END_DECLS

#endif
