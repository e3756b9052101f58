/*
 * Locks and suspension: a lock held when a task suspends is released by the commit, or the task is
 * named and the program ends. The owner of a biased lock holds it too.
 */
#include "../task/check.h"

#include "arch/bias.h"
#include "task/task.h"

#include "dies.h"

static bgi_lock pan = BGI_LOCK_INIT(5, "pan");

static int commit_release(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)w;
    (void)self;
    bgi_lock_release(arg);
    return 1;
}

static int release_in_the_commit(void *arg)
{
    for (int i = 0; i < 100; i++) {
        bgi_lock_acquire(&pan);
        bgi_suspend(commit_release, &pan);
        CHECK(bgi_rank_held() == 0);
        bg_yield();
    }
    (void)arg;
    return 0;
}

static int two_that_share(void *arg)
{
    (void)arg;
    return bg_gather(bg_spawn(release_in_the_commit, NULL), bg_spawn(release_in_the_commit, NULL));
}

Test(held, a_commit_may_release_it)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(two_that_share, NULL, .workers = w);
    }
}

#if BGI_DEBUG

static int suspend_holding(void *arg)
{
    (void)arg;
    bgi_lock_acquire(&pan);
    return bg_sleep(1);
}

static int keep(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)w;
    (void)self;
    (void)arg;
    return 1;
}

static int suspend_holding_a_biased_one(void *arg)
{
    (void)arg;
    bgi_timers *t = &bgi_worker_self()->timers;
    int how = bgi_bias_enter(&t->lock);
    bgi_suspend(keep, NULL);
    bgi_bias_leave(&t->lock, how);
    return 0;
}

static void run(void *fn)
{
    (void)bg_run(*(bg_fn *)fn, NULL, .workers = 1, .name = "chef");
}

static int end_holding(void *arg)
{
    (void)arg;
    bgi_lock_acquire(&pan);
    return 0;
}

Test(held, a_task_that_keeps_it_is_named)
{
    bg_fn fn = suspend_holding;
    DIES(run, &fn, "brigade: task 'chef' has suspended with lock 'pan' held");
    fn = suspend_holding_a_biased_one;
    DIES(run, &fn, "brigade: task 'chef' has suspended with lock 'timers' held");
    fn = end_holding;
    DIES(run, &fn, "brigade: a task has ended with lock 'pan' held");
}

#endif
