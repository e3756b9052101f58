/*
 * Scopes: timeouts, deadlines and shields around a part of a task.
 *
 *     bg_timeout(2 * BG_S) {
 *         rc = fetch(url);
 *     }
 *     if (bg_timed_out()) ...
 *
 * A scope is a block. It is left by any road: its end, break (which leaves it as it leaves a loop),
 * return, goto, in C++ also by an exception. (continue ends it as well. A `break` within it is
 * meant for the block, not for a loop around it.)
 *
 * When a deadline passes, every wait within its block returns -ETIMEDOUT, the present one and all
 * to come, until the block is left: a task that does not heed the first is told again. When the
 * task is cancelled, every wait returns -ECANCELED. With several scopes around a wait the nearest
 * one that has been triggered decides which. A wait that fails takes nothing with it.
 *
 * A shield hides what lies outside of it: within its block waits go on though the task has been
 * cancelled or a deadline around the shield has passed. It is for cleaning up:
 *
 *     if (rc < 0) {
 *         bg_shield {
 *             bg_timeout(BG_S) {
 *                 say_goodbye(connection);
 *             }
 *         }
 *     }
 *
 * Scopes belong to the task that opened them and are left in the reverse order. A task spawned
 * within a block is not in it: but who awaits it there, and is told to end, passes that on (see
 * bg_await), and a group opened there (brigade/group.h) ends with all its tasks.
 *
 * All of these in a task only; none suspends. Outside of a task: misuse, in debug builds; in others
 * nothing is opened, and the block is a plain block.
 */
#ifndef BRIGADE_SCOPE_H
#define BRIGADE_SCOPE_H

#include <brigade/types.h>

BG_BEGIN_DECLS

/* The storage of a scope; it must stay in place while the scope is open. */
typedef struct bg_scope {
    uintptr_t opaque[12];
} bg_scope;

/*
 * Opens a scope whose deadline passes when `timeout` ns have passed; at once, if it is not
 * positive; BG_FOREVER is without an end. Takes no allocation and reads no clock: the time counts
 * from the runtime's next look at the clock, at the latest when the task next waits, so it is never
 * too short, and at most by as much too long as the task goes on computing, or a few milliseconds.
 * Returns `scope`; to be left by bg_scope_close.
 */
BG_API bg_scope *bg_timeout_open(bg_scope *scope, bg_duration timeout);

/* Likewise with a point in time on bg_now()'s clock; at once, if it has passed. */
BG_API bg_scope *bg_deadline_open(bg_scope *scope, bg_time deadline);

/* Opens a shield. Returns `scope`; to be left by bg_scope_close. */
BG_API bg_scope *bg_shield_open(bg_scope *scope);

/* Leaves the task's innermost scope, which must be this one (else misuse, in debug builds). */
BG_API void bg_scope_close(bg_scope *scope);

/*
 * Whether the deadline of the scope that this task has just left (the last bg_timeout or
 * bg_deadline it left) had passed by then: 1 or 0. It may have passed without any wait having
 * failed of it. 0 outside of tasks.
 */
BG_API int bg_timed_out(void);

/*
 * What a wait would fail with, here and now: -ECANCELED, -ETIMEDOUT, or 0: it would not. For a task
 * that computes, to notice now and then. 0 outside of tasks. Does not suspend.
 */
BG_API int bg_cancelled(void);

BG_END_DECLS

#define BG_DETAIL_PASTE2(a, b) a##b
#define BG_DETAIL_PASTE(a, b) BG_DETAIL_PASTE2(a, b)
#define BG_DETAIL_SCOPE(name, open)                                                                \
    for (bg_scope name __attribute__((cleanup(bg_scope_close))),                                   \
         *BG_DETAIL_PASTE(name, _open) = (open);                                                   \
         BG_DETAIL_PASTE(name, _open) != NULL; BG_DETAIL_PASTE(name, _open) = NULL)

/* bg_timeout(bg_duration) { ... }: a block with a timeout; see bg_timeout_open. */
#define bg_timeout(timeout) BG_DETAIL_TIMEOUT(BG_DETAIL_PASTE(bg_detail_scope_, __LINE__), timeout)
#define BG_DETAIL_TIMEOUT(name, timeout) BG_DETAIL_SCOPE(name, bg_timeout_open(&name, (timeout)))

/* bg_deadline(bg_time) { ... }: a block with a deadline; see bg_deadline_open. */
#define bg_deadline(deadline)                                                                      \
    BG_DETAIL_DEADLINE(BG_DETAIL_PASTE(bg_detail_scope_, __LINE__), deadline)
#define BG_DETAIL_DEADLINE(name, deadline)                                                         \
    BG_DETAIL_SCOPE(name, bg_deadline_open(&name, (deadline)))

/* bg_shield { ... }: a block that cancellation from outside does not reach. */
#define bg_shield BG_DETAIL_SHIELD(BG_DETAIL_PASTE(bg_detail_scope_, __LINE__))
#define BG_DETAIL_SHIELD(name) BG_DETAIL_SCOPE(name, bg_shield_open(&name))

#endif
