/*
 * Scopes below the task layer: an expiry whose waiter is no item here, a kick between the look and
 * the arm.
 *
 * Labels: aarch64
 */
#include "wait/scope.h"

#include "trap.h"

#include <errno.h>
#include <string.h>

static int woken;

static bgi_item *wake_elsewhere(bgi_waiter *w, bgi_sched *here)
{
    (void)w;
    (void)here;
    woken++;
    return NULL;
}

static bgi_fiber fiber;
static bgi_stack stack;
static bgi_waiter waiter;

static void setup(void)
{
    memset(&stack, 0, sizeof stack);
    bgi_fiber_init(&fiber, 0);
    fiber.stack = &stack;
    bgi_waiter_init(&waiter, wake_elsewhere);
    woken = 0;
}

Test(scope, an_expiry_wakes_who_is_no_item_here)
{
    static bgi_worker worker;
    bgi_deadline_scope scope;
    bgi_expiry out = {NULL, NULL, NULL, NULL};

    setup();
    bgi_timers_init(&worker.timers, 0);
    bgi_worker_is(&worker);
    bgi_scope_open_timeout(&scope, &fiber, &waiter, BG_S);
    cr_assert_eq(bgi_wait_arm(&waiter, &fiber), 1);
    scope.timer.expire(&scope.timer, &out);
    cr_assert_eq(woken, 1);
    cr_assert_null(out.item);
    cr_assert_eq(bgi_scope_failure(&scope.scope, &waiter), -ETIMEDOUT);
    cr_assert_eq(bgi_scope_leave_deadline(&scope, &fiber), 1);
    cr_assert_null(stack.scope);
    bgi_worker_is(NULL);
}

static void kicks(void *arg)
{
    (void)arg;
    (void)bgi_waiter_kick(&waiter, 1);
}

Test(scope, who_looks_meets_a_kick)
{
    TRAP_OR_SKIP();
    setup();
    trap_setup();
    bgi_scope *scope = trap_place(sizeof *scope, 0);
    bgi_scope_open(scope, &fiber, &waiter);
    (void)bgi_waiter_kick(&waiter, 1); /* stale: of a scope that was left */
    trap_set(scope, TRAP_ACCESS, kicks, NULL);
    cr_assert_eq(bgi_wait_arm_kicked(&waiter, scope, 0), 1);
    cr_assert(trap_sprung());
    cr_assert_eq(bgi_load(&waiter.state), BGI_WAITER_ARMED);
}
