/*
 * Tasks that wait, for the models of what they wait in: each thread of a model that has called
 * wt_begin is a task on a worker of its own, and bgi_suspend works in it. It runs the commit and
 * then blocks until the task's waiter is woken.
 */
#ifndef TESTS_MODEL_WAITING_H
#define TESTS_MODEL_WAITING_H

#include "mc.h"
#include "runtime.h"

#include "wait/queue.h"

/* By the model's thread: how often its task was made ready. */
extern bgi_atomic wt_woken[MC_THREADS];

void wt_reset(void);
bgi_item *wt_wake(bgi_waiter *w, bgi_sched *here);

/* In setup, after whatever else: the first n threads are tasks, n <= RIG_PLACES. */
RIG_UNUSED static void wt_setup(unsigned n)
{
    rt_setup(n);
    wt_reset();
    for (unsigned i = 0; i < n; i++) {
        bg_task *t = rt_task(i);
        t->waiter.wake = wt_wake;
    }
}

/* First thing in such a thread; gives its task. */
RIG_UNUSED static bg_task *wt_begin(void)
{
    unsigned i = (unsigned)mc_self();
    bgi_worker_is(&W[i]);
    W[i].current = &rt_task(i)->fiber;
    return rt_task(i);
}

/* First thing in a thread that plays a plain one. */
RIG_UNUSED static void wt_begin_thread(void)
{
    bgi_worker_is(NULL);
}

#endif
