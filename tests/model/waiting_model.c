/*
 * wait/scope.c, and what lets a model's thread suspend (waiting.h).
 */
#include "waiting.h"

#include <errno.h>
#include <string.h>

/* ---- suspending ---- */

bgi_atomic wt_woken[MC_THREADS];
static size_t seen[MC_THREADS];

void wt_reset(void)
{
    for (unsigned i = 0; i < MC_THREADS; i++) {
        bgi_store(&wt_woken[i], 0);
        seen[i] = 0;
    }
}

bgi_item *wt_wake(bgi_waiter *w, bgi_sched *here)
{
    bg_task *t = BGI_CONTAINER_OF(w, struct bg_task, waiter);
    (void)here;
    (void)bgi_fetch_add(&wt_woken[t->fiber.stack->index], 1);
    return NULL;
}

static void suspend(bgi_commit commit, void *arg)
{
    bgi_worker *w = bgi_worker_tls;
    unsigned i = w->current->stack->index;
    if (commit(w, w->current, arg) == 0) {
        mc_await_differs(&wt_woken[i], seen[i]);
        seen[i]++;
    }
}

void __wrap_bgi_suspend(bgi_commit commit, void *arg);
void __wrap_bgi_suspend(bgi_commit commit, void *arg)
{
    suspend(commit, arg);
}

void __wrap_bgi_suspend_for_child(bgi_commit commit, void *arg);
void __wrap_bgi_suspend_for_child(bgi_commit commit, void *arg)
{
    suspend(commit, arg);
}

/* ---- a wait for a signal, within scopes ---- */

static bgi_scope outer, inner, shield;
static bgi_lock lock; /* of who triggers, as a timer service has one */
static int data, left;

static int commit_wait(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)w;
    return !bgi_wait_arm(arg, self);
}

/* 0: by a signal; else the code. */
static int wait_for_signal(bg_task *self)
{
    bgi_suspend(commit_wait, &self->waiter);
    return bgi_waiter_reason(&self->waiter) == BGI_REASON_WAKER ? 0
                                                                : bgi_wait_failure(&self->waiter);
}

static void one_task(void)
{
    wt_setup(1);
    bgi_lock_init(&lock, BGI_RANK_TIMERS, "timers");
    data = 0;
    left = 0;
}

static void trigger(bgi_scope *s)
{
    data = 1;
    if (bgi_scope_cancel(s)) {
        bgi_waiter_wake(s->waiter);
    }
}

static void signal_it(void)
{
    wt_begin_thread();
    if (bgi_waiter_signal(&rt_task(0)->waiter)) {
        bgi_waiter_wake(&rt_task(0)->waiter);
    }
}

static void open_two(void)
{
    one_task();
    bg_task *self = rt_task(0);
    bgi_scope_open(&outer, &self->fiber, &self->waiter);
    bgi_scope_open(&inner, &self->fiber, &self->waiter);
}

static void waits_within(void)
{
    bg_task *self = wt_begin();
    mc_assert(wait_for_signal(self) == -ECANCELED);
    mc_assert(data == 1);
    mc_assert(wait_for_signal(self) == -ECANCELED); /* and so is the next one */
    mc_assert(bgi_wait_check(&self->waiter) == -ECANCELED);
}

static void triggers_inner(void)
{
    wt_begin_thread();
    trigger(&inner);
}

static void triggers_outer(void)
{
    wt_begin_thread();
    if (bgi_scope_cancel(&outer)) {
        bgi_waiter_wake(outer.waiter);
    }
}

MC_MODEL(expiry, .name = "scope/trigger_against_wait",
         .says = "a wait within a scope that is triggered ends, and so does every one after it",
         .setup = open_two, .thread = {waits_within, triggers_inner});

static void waits_within_two(void)
{
    bg_task *self = wt_begin();
    mc_assert(wait_for_signal(self) == -ECANCELED);
    mc_assert(wait_for_signal(self) == -ECANCELED);
    bgi_scope_leave(&inner, &self->fiber);
    mc_assert(wait_for_signal(self) == -ECANCELED); /* by the outer one, now or later */
}

MC_MODEL(both, .name = "scope/two_triggered",
         .says = "two scopes are triggered at once, and each ends the waits within it",
         .setup = open_two, .thread = {waits_within_two, triggers_inner, triggers_outer},
         .bound = 2);

/* ---- behind a shield ---- */

static void open_shield(void)
{
    one_task();
    bg_task *self = rt_task(0);
    bgi_scope_open(&outer, &self->fiber, &self->waiter);
    bgi_scope_open_shield(&shield, &self->fiber, &self->waiter);
    bgi_scope_open(&inner, &self->fiber, &self->waiter);
}

static void waits_behind(void)
{
    bg_task *self = wt_begin();
    mc_assert(bgi_wait_check(&self->waiter) == 0);
    mc_assert(wait_for_signal(self) == 0);
    mc_assert(bgi_wait_check(&self->waiter) == 0);
    bgi_scope_leave(&inner, &self->fiber);
    bgi_scope_leave(&shield, &self->fiber);
    mc_assert(wait_for_signal(self) == -ECANCELED);
    mc_assert((bgi_load(&self->waiter.state) & BGI_WAITER_KICKED) != 0);
}

MC_MODEL(hidden, .name = "scope/behind_a_shield",
         .says = "what is outside of a shield doesn't end a wait within, and is not forgotten",
         .setup = open_shield, .thread = {waits_behind, triggers_outer, signal_it}, .bound = 2);

static void waits_behind_for_inner(void)
{
    bg_task *self = wt_begin();
    mc_assert(wait_for_signal(self) == -ECANCELED);
    mc_assert(data == 1); /* by the inner one */
}

MC_MODEL(within, .name = "scope/within_a_shield",
         .says = "a scope within a shield ends a wait though one outside kicks as well",
         .setup = open_shield, .thread = {waits_behind_for_inner, triggers_outer, triggers_inner},
         .bound = 2);

/* ---- left ---- */

static void leaves(void)
{
    bg_task *self = wt_begin();
    bgi_lock_acquire(&lock); /* as a timer is taken off */
    left = 1;
    bgi_scope_leave(&inner, &self->fiber);
    bgi_lock_release(&lock);
    mc_assert(wait_for_signal(self) == 0);
    mc_assert(bgi_wait_check(&self->waiter) == 0);
}

static void triggers_if_there(void)
{
    wt_begin_thread();
    bgi_lock_acquire(&lock);
    int claimed = left ? 0 : bgi_scope_cancel(&inner);
    bgi_lock_release(&lock);
    mc_assert(!claimed); /* it does not wait before it has left */
}

MC_MODEL(gone, .name = "scope/left_before_the_wait",
         .says = "a kick from a scope that was left does not end a wait", .setup = open_two,
         .thread = {leaves, triggers_if_there, signal_it}, .bound = 2);

/* ---- the task's own cancel beside a scope ---- */

static void cancels_task(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void waits_for_either(void)
{
    bg_task *self = wt_begin();
    int first = wait_for_signal(self);
    mc_assert(first == -ECANCELED || first == -ETIMEDOUT);
    mc_assert(wait_for_signal(self) != 0);
    bgi_scope_leave(&inner, &self->fiber);
    mc_assert(wait_for_signal(self) == -ECANCELED);
}

static void expires_inner(void)
{
    wt_begin_thread();
    bgi_store_release(&inner.state, BGI_SCOPE_EXPIRED);
    if (bgi_waiter_kick(inner.waiter, inner.depth)) {
        bgi_waiter_wake(inner.waiter);
    }
}

MC_MODEL(either, .name = "scope/cancel_and_expiry",
         .says = "a cancel and an expiry at once: each ends what it has to, neither is lost",
         .setup = open_two, .thread = {waits_for_either, cancels_task, expires_inner}, .bound = 2);

/* ---- a deadline's timer ---- */

static bgi_deadline_scope deadline;

static void open_deadline(void)
{
    one_task();
    bg_task *self = rt_task(0);
    bgi_worker_is(&W[0]);
    bgi_scope_open_deadline(&deadline, &self->fiber, &self->waiter, bgi_clock_now() + 1);
    bgi_worker_is(NULL);
}

/* What the expiry wrote before is seen by who finds it; `data` stands for it. */
static void waits_and_leaves(void)
{
    bg_task *self = wt_begin();
    int r = wait_for_signal(self);
    mc_assert(r == 0 || r == -ETIMEDOUT);
    int timed_out = bgi_scope_leave_deadline(&deadline, &self->fiber);
    mc_assert(r == 0 || timed_out);
    memset(&deadline, 0xff, sizeof deadline);
    mc_assert(bgi_wait_check(&self->waiter) == 0);
    if (r != 0) {
        mc_assert(wait_for_signal(self) == 0);
    }
}

static void fires_deadline(void)
{
    size_t fired = 0;
    bgi_worker_is(&W[1]);
    (void)bgi_timers_run(&W[1], &W[0].timers, 0, bgi_clock_now() + BG_S, BGI_TIMERS_BATCH, &fired);
}

MC_MODEL(fires, .name = "scope/deadline_against_signal_and_leaving",
         .says = "a deadline's timer fires beside a signal and the leaving of its scope",
         .setup = open_deadline, .thread = {waits_and_leaves, fires_deadline, signal_it},
         .bound = 2);

/* ---- a signal that comes before a wait which would fail ---- */

static void fails_or_takes_it(void)
{
    bg_task *self = wt_begin();
    bgi_waiter_fail(&self->waiter);
    if (bgi_waiter_reason(&self->waiter) == BGI_REASON_WAKER) {
        mc_assert(data == 1);
    } else {
        left = 1;
    }
}

static void writes_and_signals(void)
{
    wt_begin_thread();
    data = 1;
    mc_assert(bgi_waiter_signal(&rt_task(0)->waiter) == 0);
}

static void taken_or_left(void)
{
    mc_assert(bgi_load(&rt_task(0)->waiter.state) / BGI_WAITER_SIGNAL == (bgi_word)left);
}

MC_MODEL(takes, .name = "scope/signal_against_a_failing_wait",
         .says = "a signal that is there ends a wait that would fail", .setup = one_task,
         .thread = {fails_or_takes_it, writes_and_signals}, .check = taken_or_left);

/* What was written before a trigger is seen by a wait that fails of it. */
static void triggered_is_seen(void)
{
    bg_task *self = wt_begin();
    bgi_waiter_unkick(&self->waiter);
    if (bgi_scope_failure(&inner, &self->waiter) != 0) {
        mc_assert(data == 1);
    }
}

static void expires_for_real(void)
{
    bgi_expiry out = {NULL, NULL, NULL, NULL};
    wt_begin_thread();
    data = 1;
    deadline.timer.expire(&deadline.timer, &out);
}

static void looks_at_deadline(void)
{
    bg_task *self = wt_begin();
    if (bgi_scope_failure(&deadline.scope, &self->waiter) != 0) {
        mc_assert(data == 1);
    }
}

MC_MODEL(seen_cancel, .name = "scope/what_was_before_a_cancel",
         .says = "who finds a scope cancelled sees what was done before", .setup = open_two,
         .thread = {triggered_is_seen, triggers_inner});

MC_MODEL(seen_expiry, .name = "scope/what_was_before_an_expiry",
         .says = "who finds a deadline expired sees what was done before", .setup = open_deadline,
         .thread = {looks_at_deadline, expires_for_real});
