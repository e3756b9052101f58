/*
 * Scopes: what around a task can end its waits.
 *
 * A scope is a frame on its task's stack, linked to the one around it; the innermost hangs on the
 * record of the stack (bgi_stack.scope). Deadlines expire, groups are cancelled, shields hide what
 * lies outside of them. A wait fails when a scope around it, or the task itself, has been triggered
 * and no shield lies in between; the nearest decides with which code. That is so for each wait
 * until the scope is left: what is triggered stays so.
 *
 * Opening, closing and looking are the task's own. Others only trigger: first the scope's word,
 * then a kick of the waiter from the scope's depth (wait/waiter.h). A wait that is armed and not
 * hidden by a shield is claimed by the kick. If there is none the waiter keeps the kick, and
 * whoever waits next looks at the scopes. So a wait without a triggered scope pays nothing.
 *
 * Who triggers holds the scope in place meanwhile: a deadline's timer is taken off by its service,
 * under the lock that its expiry runs under; a group is closed under its own lock.
 *
 * The word of a scope
 *   LIVE 0       -> EXPIRED 1     its timer, or its opening when the deadline has passed
 *   LIVE 0       -> CANCELLED 2   bgi_scope_cancel
 * Partners: these stores (release), and the kick after them -> the look (acquire) after unkick.
 *
 * A timeout's timer goes to the worker's list of fresh ones (core/timers.h): opening one and
 * closing it in time reads no clock and takes no locked instruction.
 */
#ifndef BGI_SCOPE_H
#define BGI_SCOPE_H

#include "wait/waiter.h"

enum bgi_scope_state { BGI_SCOPE_LIVE, BGI_SCOPE_EXPIRED, BGI_SCOPE_CANCELLED };

typedef struct bgi_scope {
    struct bgi_scope *parent;
    bgi_waiter *waiter; /* of the task it is around */
    bgi_atomic state;
    uint32_t depth; /* 1 for the outermost */
    uint32_t mask;  /* the depth of the innermost shield, this one included; 0: none */
} bgi_scope;

typedef struct bgi_deadline_scope {
    bgi_scope scope; /* first */
    bgi_timer timer;
} bgi_deadline_scope;

/* The innermost scope of the running task. */
BGI_INLINE bgi_scope *bgi_scope_innermost(const bgi_fiber *self)
{
    return self->stack->scope;
}

/* The running task, whose fiber and waiter these are, enters a scope without a timer. */
BGI_INLINE void bgi_scope_open(bgi_scope *s, bgi_fiber *self, bgi_waiter *w)
{
    bgi_scope *parent = self->stack->scope;
    s->parent = parent;
    s->waiter = w;
    bgi_store(&s->state, BGI_SCOPE_LIVE);
    s->depth = parent == NULL ? 1 : parent->depth + 1;
    s->mask = parent == NULL ? 0 : parent->mask;
    self->stack->scope = s;
}

BGI_INLINE void bgi_scope_open_shield(bgi_scope *s, bgi_fiber *self, bgi_waiter *w)
{
    bgi_scope_open(s, self, w);
    s->mask = s->depth;
}

/* Likewise, with a timer: in `timeout` ns from now, or at a point in time. */
void bgi_scope_open_timeout(bgi_deadline_scope *s, bgi_fiber *self, bgi_waiter *w,
                            bg_duration timeout);
void bgi_scope_open_deadline(bgi_deadline_scope *s, bgi_fiber *self, bgi_waiter *w,
                             bg_time deadline);

/* The task leaves its innermost scope. */
BGI_INLINE void bgi_scope_leave(bgi_scope *s, bgi_fiber *self)
{
    self->stack->scope = s->parent;
}

/* Takes its timer off first: whether it had expired. */
int bgi_scope_leave_deadline(bgi_deadline_scope *s, bgi_fiber *self);

/* Triggers a scope that the caller holds in place: 1 if the waiter was claimed and is to be woken
 * by the caller. Any thread. */
int bgi_scope_cancel(bgi_scope *s);

/* The code with which a wait fails under these scopes: -ETIMEDOUT, -ECANCELED, or 0: it does not.
 */
int bgi_scope_failure(const bgi_scope *innermost, const bgi_waiter *w);

/* ---- for those who wait ---- */

/* In a commit: arms the waiter of the fiber that has left its stack, as its scopes allow. 1: it
 * waits; 0: it does not, see the reason. */
int bgi_wait_arm_kicked(bgi_waiter *w, const bgi_scope *innermost, uint32_t mask);

BGI_INLINE int bgi_wait_arm(bgi_waiter *w, const bgi_fiber *self)
{
    const bgi_scope *innermost = bgi_scope_innermost(self);
    uint32_t mask = bgi_unlikely(innermost != NULL) ? innermost->mask : 0;
    enum bgi_arm r = bgi_waiter_arm(w, mask, 0);
    return bgi_likely(r != BGI_ARM_KICKED) ? (int)r : bgi_wait_arm_kicked(w, innermost, mask);
}

/* The running task: why its wait, which a canceller has claimed, failed. */
int bgi_wait_failure(const bgi_waiter *w);

/* The running task, before anything that may wait: 0, or the code with which it fails. A point of
 * preemption in the deterministic mode. */
int bgi_wait_check_slow(bgi_waiter *w);

BGI_INLINE int bgi_wait_check(bgi_waiter *w)
{
    bgi_word s = bgi_load(&w->state);
    if (bgi_likely((s & (BGI_WAITER_KICKED | BGI_WAITER_CANCEL | BGI_WAITER_LOOK)) == 0)) {
        return 0;
    }
    return bgi_wait_check_slow(w);
}

/* The point of preemption alone, for what never waits. */
BGI_INLINE void bgi_wait_point(const bgi_waiter *w)
{
    if (bgi_unlikely((bgi_load(&w->state) & BGI_WAITER_LOOK) != 0)) {
        bgi_sim_point(bgi_worker_self()->sched);
    }
}

/*
 * The running task, whose waiter this is, sleeps until the deadline. Returns 0, or the code of
 * what ended it before.
 */
int bgi_wait_until(bgi_waiter *w, bg_time deadline);

/* Its wait, for reports. */
extern const bgi_wait_kind bgi_wait_sleep;

/* ---- for waits with a deadline of their own, in a commit ---- */

/* As bgi_wait_arm, and sets the waiter's own timer at the same stroke: whoever claims the waiter
 * finds it in its service. Its expiry claims the waiter, whatever the scopes. Take it off after the
 * wait by bgi_wait_timer_stop. */
int bgi_wait_arm_until(bgi_worker *here, bgi_waiter *w, const bgi_fiber *self, bg_time deadline);
void bgi_wait_timer_stop(bgi_waiter *w);

#endif
