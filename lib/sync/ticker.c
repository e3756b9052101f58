/*
 * The ticker: a period and the time of the next tick, of one task or thread at a time.
 */
#include "arch/futex.h"
#include "base/clock.h"
#include "task/task.h"

#include <brigade/ticker.h>
#include <errno.h>
#include <limits.h>

struct ticker {
    bg_duration period;
    bg_time next;
};

_Static_assert(sizeof(struct ticker) == sizeof(bg_ticker), "bg_ticker is all of it");

int bg_ticker_init(bg_ticker *ticker, bg_duration period)
{
    struct ticker *k = (struct ticker *)(void *)ticker;
    if (period <= 0) {
        return -EINVAL;
    }
    k->period = period;
    k->next = bgi_time_add(bgi_clock_now(), period);
    return 0;
}

/* A plain thread: nobody wakes it before. */
static void sleep_thread(bg_time until)
{
    bgi_atomic nobody = 0;
    while (bgi_clock_now() < until) {
        (void)bgi_futex_wait(&nobody, 0, until);
    }
}

static int wait_until(bgi_waiter *waiter, bg_time when)
{
    if (waiter == NULL) {
        sleep_thread(when);
        return 0;
    }
    if (bgi_clock_now() < when) {
        return bgi_wait_until(waiter, when);
    }
    bgi_yield();
    return 0;
}

int bg_tick(bg_ticker *ticker)
{
    struct ticker *k = (struct ticker *)(void *)ticker;
    bgi_waiter *waiter;
    int r = bgi_task_may_wait("bg_tick", &waiter);
    if (r == 0) {
        r = wait_until(waiter, k->next);
    }
    if (r != 0) {
        return r;
    }
    int64_t missed = (bgi_clock_now() - k->next) / k->period;
    k->next = bgi_time_add(k->next + missed * k->period, k->period);
    return missed < INT_MAX ? (int)missed : INT_MAX;
}
