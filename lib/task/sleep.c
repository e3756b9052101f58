/*
 * Sleeping and yielding.
 */
#include "base/clock.h"
#include "task/task.h"

#include <errno.h>

int bg_sleep_until(bg_time when)
{
    bg_task *self = bgi_task_required("bg_sleep_until");
    return self == NULL ? -EPERM : bgi_wait_until(&self->waiter, when);
}

int bg_sleep(bg_duration duration)
{
    bg_task *self = bgi_task_required("bg_sleep");
    if (self == NULL) {
        return -EPERM;
    }
    if (duration <= 0) {
        bgi_yield();
        return bgi_wait_check(&self->waiter);
    }
    return bgi_wait_until(&self->waiter, bgi_time_add(bgi_clock_now(), duration));
}

void bg_yield(void)
{
    if (bgi_task_required("bg_yield") != NULL) {
        bgi_yield();
    }
}
