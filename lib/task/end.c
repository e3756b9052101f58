/*
 * The end of a task, and of all of them.
 *
 * Counting without a shared counter: each worker counts its spawns and its ends in words of its
 * own. To learn whether any task lives, sum the ends first and the spawns after. Both only grow, so
 * the first sum is at most the ends, and the second at least the spawns, of the moment in between;
 * equal sums mean that nothing lived then, and what does not live cannot spawn.
 *
 * When the runtime stops, each end looks whether it was the last. Two last ones on two workers may
 * not miss each other: each counts itself, fences, and sums; the later of the two fences sees both.
 */
#include "task/task.h"
#include "wait/check.h"

#include <errno.h>

size_t bgi_tasks_live(bg_runtime *rt)
{
    bgi_word used = bgi_load_acquire(&rt->sched->used);
    bgi_word ended = 0, spawned = 0;

    for (bgi_word i = 0; i < used; i++) {
        ended += bgi_load_acquire(&rt->cache[i].ended);
    }
    used = bgi_load_acquire(&rt->sched->used);
    for (bgi_word i = 0; i < used; i++) {
        spawned += bgi_load_acquire(&rt->cache[i].spawned);
    }
    spawned += bgi_load_acquire(&rt->foreign_spawned);
    return spawned - ended;
}

static void stop_if_last(bg_runtime *rt)
{
    bgi_fence_full(); /* partner: the same, in the end of another task */
    if (bgi_tasks_live(rt) == 0) {
        bgi_sched_stop(rt->sched);
    }
}

static void cancel_each(bg_task *t, void *arg)
{
    (void)arg;
    bgi_task_cancel(t);
}

void bgi_runtime_begin_stop(bg_runtime *rt)
{
    if (!bgi_cas(&rt->stopping, 0, 1)) {
        return;
    }
    bgi_fence_heavy(); /* partner: the light fences in bgi_task_make and count_end */
    bgi_task_each(rt, cancel_each, NULL);
    bgi_sched_ending(rt->sched);
    stop_if_last(rt);
}

/* The last words on the worker that ran the task; t may be gone. */
BGI_INLINE void count_end(bgi_worker *w, bg_runtime *rt)
{
    bgi_atomic *ended = &rt->cache[w->index].ended;
    bgi_store_release(ended, bgi_load(ended) + 1);
    bgi_fence_light(); /* partner: the heavy fence in bgi_runtime_begin_stop */
    if (bgi_unlikely(bgi_load_acquire(&rt->stopping))) {
        stop_if_last(rt);
    }
}

static BGI_COLD void end_detached(bg_task *t)
{
    int result = t->fiber.result;
    if (result < 0 && result != -ECANCELED) {
        bgi_failure(bg_task_name(t), result);
    }
    bgi_task_drop_extra(t);
    bgi_task_free(t);
}

static BGI_COLD void end_main(bg_runtime *rt, bg_task *t)
{
    rt->main_result = t->fiber.result;
    bgi_store(&rt->main, 0); /* before the record can be another task's */
    bgi_task_drop_extra(t);
    bgi_task_free(t);
    bgi_runtime_begin_stop(rt);
}

/* As its wake function does, mostly without a call. */
BGI_INLINE bgi_item *wake(bgi_waiter *waiter, bgi_sched *here)
{
    return bgi_likely(waiter->wake == bgi_task_wake) ? bgi_task_woken(waiter, here)
                                                     : waiter->wake(waiter, here);
}

BGI_INLINE int is_kept(bgi_word done)
{
    return done > BGI_TASK_FREE && (done & BGI_TASK_KEPT) != 0;
}

bgi_item *bgi_task_end(bgi_worker *w, bg_task *t)
{
    bg_runtime *rt = bgi_task_runtime(t);
    bgi_item *next = NULL;

#if BGI_DEBUG
    bgi_waiter_check_idle(&t->waiter, bg_task_name(t));
#endif
    if (bgi_unlikely(rt->max_tasks != 0)) {
        (void)bgi_fetch_sub(&rt->alive, 1); /* before anybody can know that it has ended */
    }
    if (bgi_unlikely(bgi_load_ptr(&rt->main) == t)) {
        end_main(rt, t);
        count_end(w, rt);
        return NULL;
    }
    /* Partners: the release in bg_detach, after which who gave the handle back is done with name
     * and record; that of a registration. */
    bgi_word s = bgi_load_acquire(&t->done);
    for (;;) {
        if (bgi_likely(is_kept(s))) {
            bgi_waiter *waiter = (bgi_waiter *)(s & ~BGI_TASK_KEPT);
            bgi_store(&t->done, BGI_TASK_DONE);
            next = bgi_waiter_signal(waiter) ? wake(waiter, w->sched) : NULL;
            break;
        }
        if (s == BGI_TASK_DETACHED) {
            end_detached(t);
            break;
        }
        bgi_word found = bgi_cas_fetch(&t->done, s, BGI_TASK_DONE);
        if (bgi_likely(found == s)) {
            bgi_waiter *waiter = (bgi_waiter *)s;
            if (bgi_unlikely((s & BGI_TASK_SINK) != 0)) {
                bgi_task_sink *sink = (bgi_task_sink *)(s & ~BGI_TASK_SINK);
                next = sink != NULL ? sink->ended(sink, t, w) : NULL;
            } else if (s != BGI_TASK_LIVE && bgi_waiter_signal(waiter)) {
                next = waiter->wake(waiter, w->sched);
            }
            break;
        }
        s = found;
    }
    count_end(w, rt);
    return next;
}
