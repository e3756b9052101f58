/*
 * Two at the same waiter, the second always between the first one's look and its claim: each first
 * one looks again, and does what it would have done had it come later.
 *
 * Labels: aarch64
 */
#include "wait/waiter.h"

#include "arch/futex.h"

#include "trap.h"

#include <errno.h>

static bgi_waiter *w;
static int others_result;

static bgi_item *wake_nobody(bgi_waiter *waiter, bgi_sched *here)
{
    (void)waiter;
    (void)here;
    return NULL;
}

static void arms(void *shielded)
{
    others_result = (int)bgi_waiter_arm(w, shielded != NULL, 0);
}

static void signals(void *arg)
{
    (void)arg;
    others_result = bgi_waiter_signal(w);
}

static void expires(void *arg)
{
    (void)arg;
    others_result = bgi_waiter_expire(w);
}

static void cancels(void *arg)
{
    (void)arg;
    others_result = bgi_waiter_cancel(w);
}

static void *const shielded = &others_result;

/* A waiter with this state, and who comes between. */
static void prepare(bgi_word state, void (*other)(void *arg), void *arg)
{
    if (w == NULL) {
        w = trap_place(sizeof *w, 0);
        trap_setup();
    }
    bgi_waiter_init(w, wake_nobody);
    bgi_store(&w->state, state);
    trap_set(&w->state, TRAP_WRITE, other, arg);
}

static bgi_word state_after(void)
{
    cr_assert(trap_sprung());
    return bgi_load(&w->state);
}

#define BY(reason) ((bgi_word)BGI_REASON_##reason << BGI_WAITER_REASON_SHIFT)

Test(meetings, the_tools_are_there)
{
    cr_assert_eq(sizeof(bgi_waiter) <= trap_page_size(), 1);
}

Test(meetings, who_arms_meets_a_signal)
{
    TRAP_OR_SKIP();
    prepare(0, signals, NULL);
    cr_assert_eq((int)bgi_waiter_arm(w, 0, 0), 0, "the wait is over");
    cr_assert_eq(state_after(), BY(WAKER));
    cr_assert_eq(others_result, 0);
}

Test(meetings, who_arms_meets_a_cancel)
{
    TRAP_OR_SKIP();
    prepare(0, cancels, NULL);
    cr_assert_eq((int)bgi_waiter_arm(w, 0, 0), 0);
    cr_assert_eq(state_after(), BGI_WAITER_CANCEL | BY(CANCELLER));
    prepare(0, cancels, NULL);
    cr_assert_eq((int)bgi_waiter_arm(w, 1, 0), 1, "shielded, it waits all the same");
    cr_assert_eq(state_after(),
                 BGI_WAITER_CANCEL | BGI_WAITER_ARMED | ((bgi_word)1 << BGI_WAITER_MASK_SHIFT));
    cr_assert_eq(others_result, 0);
}

Test(meetings, a_signal_meets_one_that_arms)
{
    TRAP_OR_SKIP();
    prepare(0, arms, NULL);
    cr_assert_eq(bgi_waiter_signal(w), 1, "claimed, where it had found nobody waiting");
    cr_assert_eq(state_after(), BY(WAKER));
    cr_assert_eq(others_result, 1);
}

Test(meetings, a_signal_meets_a_signal)
{
    TRAP_OR_SKIP();
    prepare(BGI_WAITER_ARMED, signals, NULL);
    cr_assert_eq(bgi_waiter_signal(w), 0, "the other claimed it");
    cr_assert_eq(state_after(), BGI_WAITER_SIGNAL | BY(WAKER));
    cr_assert_eq(others_result, 1);
}

Test(meetings, a_timer_meets_a_signal)
{
    TRAP_OR_SKIP();
    prepare(BGI_WAITER_ARMED, signals, NULL);
    cr_assert_eq(bgi_waiter_expire(w), 0);
    cr_assert_eq(state_after(), BY(WAKER));
    cr_assert_eq(others_result, 1);
}

Test(meetings, a_timer_meets_a_cancel)
{
    TRAP_OR_SKIP();
    prepare(BGI_WAITER_ARMED, cancels, NULL);
    cr_assert_eq(bgi_waiter_expire(w), 0);
    cr_assert_eq(state_after(), BGI_WAITER_CANCEL | BY(CANCELLER));
    prepare(BGI_WAITER_ARMED | ((bgi_word)1 << BGI_WAITER_MASK_SHIFT), cancels, NULL);
    cr_assert_eq(bgi_waiter_expire(w), 1, "a shielded one is not the canceller's");
    cr_assert_eq(state_after(), BGI_WAITER_CANCEL | BY(TIMER));
    cr_assert_eq(others_result, 0);
}

Test(meetings, a_cancel_meets_a_signal)
{
    TRAP_OR_SKIP();
    prepare(BGI_WAITER_ARMED, signals, NULL);
    cr_assert_eq(bgi_waiter_cancel(w), 0);
    cr_assert_eq(state_after(), BGI_WAITER_CANCEL | BY(WAKER));
    cr_assert_eq(others_result, 1);
}

Test(meetings, a_cancel_meets_a_timer)
{
    TRAP_OR_SKIP();
    prepare(BGI_WAITER_ARMED, expires, NULL);
    cr_assert_eq(bgi_waiter_cancel(w), 0);
    cr_assert_eq(state_after(), BGI_WAITER_CANCEL | BY(TIMER));
    cr_assert_eq(others_result, 1);
}

Test(meetings, a_cancel_meets_one_that_arms)
{
    TRAP_OR_SKIP();
    prepare(0, arms, NULL);
    cr_assert_eq(bgi_waiter_cancel(w), 1);
    cr_assert_eq(state_after(), BGI_WAITER_CANCEL | BY(CANCELLER));
    prepare(0, arms, shielded);
    cr_assert_eq(bgi_waiter_cancel(w), 0);
    cr_assert_eq(state_after(),
                 BGI_WAITER_CANCEL | BGI_WAITER_ARMED | ((bgi_word)1 << BGI_WAITER_MASK_SHIFT));
}

static void kicks(void *arg)
{
    (void)arg;
    others_result = bgi_waiter_kick(w, 3);
}

Test(meetings, who_looks_at_its_scopes_meets_a_signal)
{
    TRAP_OR_SKIP();
    prepare(BGI_WAITER_KICKED, signals, NULL);
    bgi_waiter_unkick(w);
    cr_assert_eq(state_after(), BGI_WAITER_SIGNAL);
    prepare(0, signals, NULL);
    bgi_waiter_rekick(w);
    cr_assert_eq(state_after(), BGI_WAITER_SIGNAL | BGI_WAITER_KICKED);
    prepare(0, signals, NULL);
    bgi_waiter_fail(w);
    cr_assert_eq(state_after(), BGI_WAITER_KICKED | BY(WAKER));
}

Test(meetings, who_arms_meets_a_kick)
{
    TRAP_OR_SKIP();
    prepare(0, kicks, NULL);
    cr_assert_eq((int)bgi_waiter_arm(w, 1, 0), BGI_ARM_KICKED);
    cr_assert_eq(state_after(), BGI_WAITER_KICKED);
    cr_assert_eq(others_result, 0);
}

/* ---- a thread's deadline ---- */

static bgi_thread_waiter thread;
static int waits, claimed;

/* The kernel says that the time is over; a waker has claimed the waiter just before, and wakes it.
 */
static int time_is_over(void *ctx, bgi_atomic *word, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    (void)word;
    (void)expected;
    if (waits++ == 0) {
        cr_expect_eq(deadline, 5);
        claimed = bgi_waiter_signal(&thread.waiter);
        return -ETIMEDOUT;
    }
    cr_expect_eq(deadline, -1, "it will be woken");
    bgi_waiter_wake(&thread.waiter);
    return 0;
}

static int wakes_nobody(void *ctx, bgi_atomic *word, int n)
{
    (void)ctx;
    (void)word;
    (void)n;
    return 0;
}

Test(meetings, a_threads_deadline_meets_its_waker)
{
    static const struct bgi_futex_ops ops = {time_is_over, wakes_nobody, NULL};
    bgi_thread_waiter_init(&thread);
    bgi_futex_set_ops(&ops);
    int woken = bgi_thread_waiter_wait_until(&thread, 5);
    bgi_futex_set_ops(NULL);
    cr_assert_eq(claimed, 1);
    cr_assert_eq(woken, 1, "the waker was first");
    cr_assert_eq(waits, 2);
}
