/*
 * Who may wait: tasks, plain threads, and not a callback, which would hold its worker up.
 */
#include "check.h"

#include "dies.h"
#include "task/task.h"

#include <brigade/timer.h>
#include <errno.h>

static bgi_atomic called;
static int answer;

static int tries_to_wait(void *unused)
{
    bgi_waiter *waiter = NULL;
    (void)unused;
    answer = bgi_task_may_wait("bg_lunch", &waiter);
    CHECK(waiter == NULL);
    bgi_store_release(&called, 1);
    return 0;
}

static int from_a_callback(void *unused)
{
    bgi_waiter *waiter = NULL;
    (void)unused;
    CHECK(bgi_task_may_wait("bg_lunch", &waiter) == 0 && waiter == &bg_self()->waiter);
    CHECK(bg_after(0, tries_to_wait, NULL) == 0);
    yield_until(&called, 1);
    CHECK(answer == -EPERM);
    return 0;
}

static void run(void *unused)
{
    (void)unused;
    (void)bg_run(from_a_callback, NULL, .workers = 1);
}

Test(may_wait, not_a_callback)
{
#if BGI_DEBUG
    DIES(run, NULL, "brigade: misuse: bg_lunch: called outside of a task");
#else
    run(NULL);
    NO_CHECK_FAILED();
    cr_assert_eq(bgi_load(&called), 1);
#endif
}

Test(may_wait, a_plain_thread)
{
    bgi_waiter *waiter = (bgi_waiter *)&answer;
    cr_assert_eq(bgi_task_may_wait("bg_lunch", &waiter), 0);
    cr_assert_null(waiter);
}
