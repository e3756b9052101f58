/*
 * wait/waiter.c: the claim, signals that come early, the shield, the thread's wait.
 */
#include "mc.h"

#include "wait/waiter.h"

#include <string.h>

static bgi_waiter waiter;
static bgi_atomic woken;
static int data[4]; /* by reason: written by each before it claims */
static int left;    /* written by who waits before it arms, as its stack is left */
static int claimed[4];
static int armed, second;

static bgi_item *wake(bgi_waiter *w, bgi_sched *here)
{
    (void)w;
    (void)here;
    (void)bgi_fetch_add(&woken, 1);
    return NULL;
}

static void unarmed(void)
{
    bgi_waiter_init(&waiter, wake);
    bgi_store(&woken, 0);
    memset(data, 0, sizeof data);
    memset(claimed, 0, sizeof claimed);
    left = 0;
    armed = 0;
    second = 0;
}

static void already_armed(void)
{
    unarmed();
    mc_assert((int)bgi_waiter_arm(&waiter, 0, 0));
}

static void signals(void)
{
    data[BGI_REASON_WAKER] = 1;
    claimed[BGI_REASON_WAKER] = bgi_waiter_signal(&waiter);
    if (claimed[BGI_REASON_WAKER]) {
        bgi_waiter_wake(&waiter);
    }
}

static void expires(void)
{
    data[BGI_REASON_TIMER] = 1;
    claimed[BGI_REASON_TIMER] = bgi_waiter_expire(&waiter);
    if (claimed[BGI_REASON_TIMER]) {
        bgi_waiter_wake(&waiter);
    }
}

static void cancels(void)
{
    data[BGI_REASON_CANCELLER] = 1;
    claimed[BGI_REASON_CANCELLER] = bgi_waiter_cancel(&waiter);
    if (claimed[BGI_REASON_CANCELLER]) {
        bgi_waiter_wake(&waiter);
    }
}

/* No other word passes on what was written: whoever sees the reason sees the data. */
static void looks(void)
{
    enum bgi_reason r = bgi_waiter_reason(&waiter);
    if (r != BGI_REASON_NONE) {
        mc_assert(data[r] == 1);
    }
    if (bgi_waiter_cancelled(&waiter)) {
        mc_assert(data[BGI_REASON_CANCELLER] == 1);
    }
}

static void one_has_claimed(void)
{
    bgi_word s = bgi_load(&waiter.state);
    mc_assert(claimed[1] + claimed[2] + claimed[3] == 1);
    mc_assert(bgi_load(&woken) == 1);
    mc_assert(claimed[bgi_waiter_reason(&waiter)] == 1);
    mc_assert((s & (BGI_WAITER_ARMED | BGI_WAITER_MASK)) == 0);
    mc_assert((s & BGI_WAITER_CANCEL) != 0);
    mc_assert(s / BGI_WAITER_SIGNAL == (claimed[BGI_REASON_WAKER] ? 0U : 1U));
}

MC_MODEL(three, .name = "waiter/three_claim",
         .says = "of waker, timer and canceller one claims, and a signal is left by a late waker",
         .bound = 2, .setup = already_armed, .thread = {signals, expires, cancels, looks},
         .check = one_has_claimed);

static void waits(void)
{
    armed = (int)bgi_waiter_arm(&waiter, 0, 0);
    if (!armed) {
        looks();
    }
}

static void no_signal_left(void)
{
    mc_assert(armed == claimed[BGI_REASON_WAKER]);
    mc_assert(bgi_waiter_reason(&waiter) == BGI_REASON_WAKER);
    mc_assert(bgi_load(&waiter.state) < BGI_WAITER_SIGNAL);
    mc_assert(bgi_load(&woken) == (bgi_word)armed);
}

MC_MODEL(early, .name = "waiter/signal_before_arm",
         .says = "a signal that comes before the wait ends it, and its data is seen",
         .setup = unarmed, .thread = {waits, signals}, .check = no_signal_left);

static void cancel_was_noticed(void)
{
    mc_assert(armed == claimed[BGI_REASON_CANCELLER]);
    mc_assert(bgi_waiter_reason(&waiter) == BGI_REASON_CANCELLER);
    mc_assert(bgi_load(&woken) == (bgi_word)armed);
}

MC_MODEL(cancelled, .name = "waiter/cancel_against_arm",
         .says = "a wait that is not shielded doesn't miss a cancel", .setup = unarmed,
         .thread = {waits, cancels}, .check = cancel_was_noticed);

/* Two registrations are owed; when both are paid the memory is somebody else's. */
static void waits_for_two(void)
{
    size_t wakes = 0;
    for (int i = 0; i < 2; i++) {
        if ((int)bgi_waiter_arm(&waiter, 1, 0)) {
            mc_await_differs(&woken, wakes);
            wakes++;
        }
    }
    mc_assert(data[BGI_REASON_WAKER] == 1 && second == 1);
    mc_assert(bgi_load(&waiter.state) < BGI_WAITER_SIGNAL);
    waiter.wake = NULL;
}

static void signals_too(void)
{
    second = 1;
    if (bgi_waiter_signal(&waiter)) {
        bgi_waiter_wake(&waiter);
    }
}

MC_MODEL(two_owed, .name = "waiter/two_owed",
         .says = "two signals end two waits, and nobody looks at the waiter after that",
         .setup = unarmed, .thread = {waits_for_two, signals, signals_too}, .check = NULL);

static void waits_shielded(void)
{
    armed = (int)bgi_waiter_arm(&waiter, 1, 0);
    if (armed) {
        mc_await_differs(&woken, 0);
    }
    mc_assert(bgi_waiter_reason(&waiter) == BGI_REASON_WAKER);
    mc_assert(data[BGI_REASON_WAKER] == 1);
}

static void shield_held(void)
{
    mc_assert(claimed[BGI_REASON_CANCELLER] == 0);
    mc_assert(claimed[BGI_REASON_WAKER] == armed);
    mc_assert(bgi_waiter_cancelled(&waiter));
}

MC_MODEL(shielded, .name = "waiter/shielded_against_cancel",
         .says = "a cancel doesn't end a shielded wait, and isn't forgotten", .setup = unarmed,
         .thread = {waits_shielded, signals, cancels}, .check = shield_held);

/* ---- the claimer has the waiter go on: it sees all that was done before the wait ---- */

static void leaves_and_arms(void)
{
    left = 1;
    if (!(int)bgi_waiter_arm(&waiter, 0, 0)) {
        left = 3;
    }
}

static void goes_on(void)
{
    mc_assert(left == 1);
    left = 2;
}

static void signals_and_runs(void)
{
    if (bgi_waiter_signal(&waiter)) {
        goes_on();
    }
}

static void expires_and_runs(void)
{
    if (bgi_waiter_expire(&waiter)) {
        goes_on();
    }
}

static void cancels_and_runs(void)
{
    if (bgi_waiter_cancel(&waiter)) {
        goes_on();
    }
}

MC_MODEL(runs, .name = "waiter/claimer_runs_it",
         .says = "who claims a waiter sees what it did before it armed", .setup = unarmed,
         .thread = {leaves_and_arms, signals_and_runs, expires_and_runs, cancels_and_runs},
         .bound = 2);

/* ---- a thread ---- */

static bgi_thread_waiter thread_waiter;
static int ours; /* what the waiter's memory is used for after the wait */

static void thread_setup(void)
{
    unarmed();
    bgi_thread_waiter_init(&thread_waiter);
    ours = 0;
}

static void thread_waits(void)
{
    bgi_thread_waiter_wait(&thread_waiter);
    mc_assert(data[BGI_REASON_WAKER] == 1);
    memset(&thread_waiter.waiter, 0, sizeof thread_waiter.waiter);
    ours = 1;
}

static void thread_is_woken(void)
{
    data[BGI_REASON_WAKER] = 1;
    if (bgi_waiter_signal(&thread_waiter.waiter)) {
        bgi_waiter_wake(&thread_waiter.waiter);
    }
}

static void thread_went_on(void)
{
    mc_assert(ours == 1);
}

MC_MODEL(thread, .name = "waiter/thread",
         .says = "a thread's wait ends, and its waiter isn't touched after that",
         .setup = thread_setup, .thread = {thread_waits, thread_is_woken}, .check = thread_went_on);
