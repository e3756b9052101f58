#include "wait/scope.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>

BGI_RETURN_THUNK;

/* ---- deadlines ---- */

/* Under the timers' lock, which who leaves the scope takes as well. */
static void expire_scope(bgi_timer *t, bgi_expiry *out)
{
    bgi_scope *s = &BGI_CONTAINER_OF(t, bgi_deadline_scope, timer)->scope;
    bgi_waiter *w = s->waiter;
    bgi_store_release(&s->state, BGI_SCOPE_EXPIRED);
    if (bgi_waiter_kick(w, s->depth)) {
        out->item = w->wake(w, bgi_timer_home(t)->sched);
        if (out->item != NULL) {
            bgi_item_prefetch(out->item);
        }
    }
}

/* Its own task is the one that opens it: there is no wait to be claimed. */
static void expired_at_once(bgi_scope *s)
{
    bgi_store(&s->state, BGI_SCOPE_EXPIRED);
    (void)bgi_waiter_kick(s->waiter, s->depth);
}

void bgi_scope_open_timeout(bgi_deadline_scope *s, bgi_fiber *self, bgi_waiter *w,
                            bg_duration timeout)
{
    bgi_scope_open(&s->scope, self, w);
    bgi_timer_init(&s->timer, expire_scope);
    if (bgi_unlikely(timeout <= 0)) {
        expired_at_once(&s->scope);
        return;
    }
    bgi_timers *timers = &bgi_worker_self()->timers;
    int how = bgi_bias_enter(&timers->lock);
    bgi_timers_add_fresh(timers, &s->timer, timeout);
    bgi_bias_leave(&timers->lock, how);
}

void bgi_scope_open_deadline(bgi_deadline_scope *s, bgi_fiber *self, bgi_waiter *w,
                             bg_time deadline)
{
    bgi_scope_open(&s->scope, self, w);
    bgi_timer_init(&s->timer, expire_scope);
    if (bgi_unlikely(deadline <= bgi_clock_now())) {
        expired_at_once(&s->scope);
        return;
    }
    (void)bgi_timers_start_at(&bgi_worker_self()->timers, &s->timer, deadline, NULL, NULL);
}

int bgi_scope_leave_deadline(bgi_deadline_scope *s, bgi_fiber *self)
{
    (void)bgi_timers_stop(&bgi_worker_self()->timers, &s->timer);
    bgi_scope_leave(&s->scope, self);
    return bgi_load(&s->scope.state) == BGI_SCOPE_EXPIRED; /* seen through the timers' lock */
}

int bgi_scope_cancel(bgi_scope *s)
{
    bgi_store_release(&s->state, BGI_SCOPE_CANCELLED);
    return bgi_waiter_kick(s->waiter, s->depth);
}

/* ---- looking ---- */

int bgi_scope_failure(const bgi_scope *innermost, const bgi_waiter *w)
{
    for (const bgi_scope *s = innermost; s != NULL; s = s->parent) {
        bgi_word state = bgi_load_acquire(&s->state);
        if (state != BGI_SCOPE_LIVE) {
            return state == BGI_SCOPE_EXPIRED ? -ETIMEDOUT : -ECANCELED;
        }
        if (s->mask == s->depth) {
            return 0; /* a shield: what is outside of it does not count */
        }
    }
    return bgi_waiter_cancelled(w) ? -ECANCELED : 0;
}

/* Whether any scope has been triggered, hidden ones included. What unkick took away it sees. */
static int any_triggered(const bgi_scope *innermost)
{
    for (const bgi_scope *s = innermost; s != NULL; s = s->parent) {
        if (bgi_load(&s->state) != BGI_SCOPE_LIVE) {
            return 1;
        }
    }
    return 0;
}

int bgi_wait_arm_kicked(bgi_waiter *w, const bgi_scope *innermost, uint32_t mask)
{
    enum bgi_arm r;
    do {
        bgi_waiter_unkick(w);
        int failure = bgi_scope_failure(innermost, w);
        if (failure != 0) {
            bgi_waiter_fail(w);
            return 0;
        }
        r = bgi_waiter_arm(w, mask, any_triggered(innermost) ? BGI_WAITER_KICKED : 0);
    } while (r == BGI_ARM_KICKED);
    return (int)r;
}

int bgi_wait_failure(const bgi_waiter *w)
{
    return bgi_scope_failure(bgi_scope_innermost(bgi_fiber_self()), w);
}

int bgi_wait_check_slow(bgi_waiter *w)
{
    bgi_wait_point(w);
    bgi_word s = bgi_load(&w->state);
    if ((s & (BGI_WAITER_KICKED | BGI_WAITER_CANCEL)) == 0) {
        return 0;
    }
    const bgi_scope *innermost = bgi_scope_innermost(bgi_fiber_self());
    if ((s & BGI_WAITER_KICKED) != 0) {
        bgi_waiter_unkick(w);
        if (any_triggered(innermost)) {
            bgi_waiter_rekick(w);
        }
    }
    return bgi_scope_failure(innermost, w);
}

/* ---- sleeping ---- */

/* Under the timers' lock. */
static void expire_wait(bgi_timer *t, bgi_expiry *out)
{
    bgi_waiter *w = BGI_CONTAINER_OF(t, bgi_waiter, timer);
    bgi_sched *here = bgi_timer_home(t)->sched;
    if (bgi_waiter_expire(w)) {
        out->item = w->wake(w, here);
        if (out->item != NULL) {
            bgi_item_prefetch(out->item);
        }
    }
}

struct arming {
    bgi_waiter *waiter;
    const bgi_fiber *self;
};

static int arm_wait(void *arg)
{
    const struct arming *a = arg;
    return bgi_wait_arm(a->waiter, a->self);
}

int bgi_wait_arm_until(bgi_worker *here, bgi_waiter *w, const bgi_fiber *self, bg_time deadline)
{
    struct arming a = {w, self};
    bgi_timer_init(&w->timer, expire_wait);
    return bgi_timers_start_at(&here->timers, &w->timer, deadline, arm_wait, &a);
}

void bgi_wait_timer_stop(bgi_waiter *w)
{
    (void)bgi_timers_stop(&bgi_worker_self()->timers, &w->timer);
}

struct until {
    bgi_waiter *waiter;
    bg_time deadline;
};

static int commit_until(bgi_worker *here, bgi_fiber *self, void *arg)
{
    const struct until *u = arg; /* gone once the waiter is armed */
    return !bgi_wait_arm_until(here, u->waiter, self, u->deadline);
}

static void describe_sleep(void *arg, char *text, size_t size)
{
    (void)arg;
    (void)snprintf(text, size, "its time");
}

const bgi_wait_kind bgi_wait_sleep = {commit_until, "bg_sleep", NULL, describe_sleep};

BGI_WAITS int bgi_wait_until(bgi_waiter *w, bg_time deadline)
{
    struct until u = {w, deadline};
    bgi_suspend(commit_until, &u);
    if (bgi_likely(bgi_waiter_reason(w) == BGI_REASON_TIMER)) {
        return 0;
    }
    bgi_wait_timer_stop(w);
    return bgi_wait_failure(w);
}
