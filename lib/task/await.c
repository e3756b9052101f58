/*
 * Waiting for one task: await, and its form for threads; detach; cancel.
 */
#include "base/clock.h"
#include "base/panic.h"
#include "task/task.h"

#include <brigade/runtime.h>
#include <brigade/typed.h>
#include <errno.h>
#include <stdio.h>

#ifndef BGI_WAIT_SPINS /* the models have no patience */
#define BGI_WAIT_SPINS 256
#define BGI_WAIT_LONGER 8
#endif

enum { SHORT_WAIT = 100 * BG_US };

void bgi_not_a_task(const char *function)
{
#if BGI_DEBUG
    bgi_misuse(function, NULL, "called outside of a task");
#endif
    (void)function;
}

void bgi_task_cancel(bg_task *t)
{
    if (bgi_waiter_cancel(&t->waiter)) {
        bgi_waiter_wake(&t->waiter);
    }
}

int bg_cancel(bg_task *task)
{
    if (task == NULL) {
        return -EINVAL;
    }
#if BGI_DEBUG
    bgi_word done = bgi_load(&task->done);
    if (done == BGI_TASK_FREE || done == BGI_TASK_DETACHED) {
        bgi_misuse("bg_cancel", bgi_task_self_name(),
                   "the handle was given back before (awaited or detached)");
    }
#endif
    bgi_task_cancel(task);
    bgi_worker *w = bgi_worker_self();
    if (w != NULL && w->sched->sim != NULL) {
        bgi_sim_point(w->sched);
    }
    return 0;
}

/* Takes the result of a task that has ended, and the handle. */
BGI_INLINE int take_result(bg_task *t)
{
    int result = t->fiber.result;
    bgi_task_drop_extra(t);
    bgi_task_free(t);
    return result;
}

/* A handle that somebody waits on already, or that was given back. */
static void check_handle(bg_task *t, const char *function)
{
#if BGI_DEBUG
    bgi_word done = bgi_load(&t->done);
    const char *self = bgi_task_self_name();
    if (done == BGI_TASK_FREE || done == BGI_TASK_DETACHED) {
        bgi_misuse(function, self, "the handle was given back before (awaited or detached twice?)");
    }
    if (done != BGI_TASK_LIVE && done != BGI_TASK_DONE) {
        bgi_misuse(function, self, "task '%s' is being awaited already", bg_task_name(t));
    }
    if (t == bgi_load_ptr(&bgi_task_runtime(t)->main)) {
        bgi_misuse(function, self, "the main task '%s' is awaited by bg_run alone",
                   bg_task_name(t));
    }
#endif
    (void)t;
    (void)function;
}

static int commit_await(bgi_worker *w, bgi_fiber *self, void *arg)
{
    bg_task *t = arg;
    bgi_waiter *waiter = &bgi_task_of(self)->waiter;
    bgi_word kept = (bgi_word)waiter | BGI_TASK_KEPT;

    if (bgi_likely(w->current == &t->fiber)) {
        bgi_store(&t->done, kept); /* it goes on here, after this */
    } else if (!bgi_cas(&t->done, BGI_TASK_LIVE, kept)) {
        /* It has just ended: a signal of our own, so that the wait ends as ever. */
        (void)bgi_waiter_signal(waiter);
    }
    return !bgi_wait_arm(waiter, self);
}

static void describe_await(void *arg, char *text, size_t size)
{
    (void)snprintf(text, size, "task '%s'", bg_task_name(arg));
}

const bgi_wait_kind bgi_wait_await = {commit_await, "bg_await", NULL, describe_await};

/* Waits for the end of t. 0; a failure, with the handle left; or, when the caller has been
 * cancelled meanwhile, 0 with the code of that in *why. */
BGI_INLINE int wait_end(bg_task *t, const char *function, int *why)
{
    bg_task *self = bgi_task_required(function);
    if (bgi_unlikely(self == NULL || t == NULL)) {
        return t == NULL ? -ENOMEM : -EPERM;
    }
#if BGI_DEBUG
    if (t == self) {
        bgi_misuse(function, bg_task_name(self), "a task cannot await itself");
    }
#endif
    check_handle(t, function);
    if (bgi_load_acquire(&t->done) != BGI_TASK_DONE) {
        bgi_suspend_for_child(commit_await, t);
        if (bgi_unlikely(bgi_waiter_reason(&self->waiter) == BGI_REASON_CANCELLER)) {
            *why = bgi_wait_failure(&self->waiter);
            bgi_task_cancel(t);
            bgi_waiter_await_signal(&self->waiter);
        }
    }
    return 0;
}

int bg_await(bg_task *t)
{
    int why = 0;
    int r = wait_end(t, "bg_await", &why);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    r = take_result(t);
    return bgi_unlikely(why != 0) && r == -ECANCELED ? why : r;
}

/* A typed task of another kind: several files may have each their own static functions for one, so
 * the name has to do. */
static void check_kind(const bg_task *t, const char *name)
{
#if BGI_DEBUG
    if (strcmp(bg_task_name(t), name) != 0) {
        bgi_misuse("bg_await_typed", bgi_task_self_name(), "task '%s' was not made by %s_spawn",
                   bg_task_name(t), name);
    }
#endif
    (void)t;
    (void)name;
}

int bg_await_typed(bg_task *t, const char *name, void *out, size_t size)
{
    int why = 0;
    int r = wait_end(t, "bg_await_typed", &why);
    if (r != 0) {
        return r;
    }
    check_kind(t, name);
    if (t->fiber.result == 0 && out != NULL) {
        memcpy(out, t->arg, size);
    }
    r = take_result(t);
    return why != 0 && r == -ECANCELED ? why : r;
}

/* Of this thread's last wait that was slept through: whether it took no longer than SHORT_WAIT. */
static __thread int short_waits;

/* A thread that is about to sleep looks for some microseconds first whether it need not: to sleep
 * and to be woken costs both sides more than that. Where a worker has to wake up first, its wake-up
 * takes longer than those few, and while the thread is woken in turn the worker goes to sleep
 * again: who hands over one short task after the other would sleep and wake for each. So a thread
 * whose last wait was a short one looks for as long as a wake-up may take. */
static int ends_soon(const bg_task *t)
{
    int spins = short_waits ? BGI_WAIT_LONGER * BGI_WAIT_SPINS : BGI_WAIT_SPINS;
    for (int i = 0; i < spins; i++) {
        if (bgi_load_acquire(&t->done) == BGI_TASK_DONE) {
            return 1;
        }
        bgi_pause();
    }
    return 0;
}

int bg_runtime_wait(bg_runtime *rt, bg_task *t)
{
    if (rt == NULL || t == NULL) {
        return rt == NULL ? -EINVAL : -ENOMEM;
    }
    if (bgi_worker_self() != NULL) {
#if BGI_DEBUG
        bgi_misuse("bg_runtime_wait", bg_task_name(bgi_task_self()),
                   "it blocks the worker it is called on; use bg_await");
#endif
        return -EDEADLK;
    }
    check_handle(t, "bg_runtime_wait");
#if BGI_DEBUG
    if (bgi_task_runtime(t) != rt) {
        bgi_misuse("bg_runtime_wait", NULL, "task '%s' is one of another runtime", bg_task_name(t));
    }
#endif
    bgi_thread_waiter waiter;
    bgi_thread_waiter_init(&waiter);
    if (!ends_soon(t) &&
        bgi_cas(&t->done, BGI_TASK_LIVE, (bgi_word)&waiter.waiter | BGI_TASK_KEPT)) {
        bg_time begun = bgi_clock_now();
        bgi_thread_waiter_wait(&waiter);
        short_waits = bgi_clock_now() - begun < SHORT_WAIT;
    }
    /* Its result is seen: through the wait, or a look, or compare-and-swap, that found DONE. */
    return take_result(t);
}

void bg_detach(bg_task *t)
{
    if (t == NULL) {
        return;
    }
    check_handle(t, "bg_detach");
#if BGI_DEBUG
    if (t == bgi_task_self()) {
        bgi_misuse("bg_detach", bgi_task_self_name(),
                   "a task's own handle is not its to give back");
    }
#endif
    if (bgi_cas(&t->done, BGI_TASK_LIVE, BGI_TASK_DETACHED)) {
        return;
    }
    int result = t->fiber.result; /* DONE, seen by the failed compare-and-swap */
    if (result < 0 && result != -ECANCELED) {
        bgi_failure(bg_task_name(t), result);
    }
    (void)take_result(t);
}
