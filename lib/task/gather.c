/*
 * Waiting for several tasks.
 *
 * gather awaits them from the last to the first. Tasks run oldest first, so when the last one has
 * ended most others have, and need no wait of their own: a million tasks are gathered with a few
 * suspensions, without a word shared by all of them. It waits for each as wait_any does, handle
 * left, and takes the result when it is there: so when the caller is cancelled, all are cancelled
 * before it waits for any of them.
 */
#include "base/panic.h"
#include "task/task.h"

#include <errno.h>
#include <stdio.h>

static int has_ended(const bg_task *t)
{
    return t == NULL || bgi_load_acquire(&t->done) == BGI_TASK_DONE;
}

static void wait_for_any(bg_task *self, bg_task *const tasks[], size_t n);
static void check_self(bg_task *self, bg_task *const tasks[], size_t n, const char *function);

int bg_gather_all(bg_task *const tasks[], size_t n, int results[])
{
    bg_task *self = bgi_task_required("bg_gather");
    int first = 0, why = 0; /* why: the caller is to end, with this code */

    if (self == NULL || (tasks == NULL && n != 0)) {
        return self == NULL ? -EPERM : -EINVAL;
    }
    check_self(self, tasks, n, "bg_gather");
    for (size_t i = n; i-- > 0;) {
        if (why == 0 && !has_ended(tasks[i])) {
            wait_for_any(self, &tasks[i], 1);
        }
        if (why == 0 && bgi_unlikely((why = bgi_wait_check(&self->waiter)) != 0)) {
            /* All at once, so that they end side by side and not one after another. */
            for (size_t j = 0; j <= i; j++) {
                (void)bg_cancel(tasks[j]);
            }
        }
        int r = bg_await(tasks[i]);
        r = r == -ECANCELED && why != 0 ? why : r;
        if (results != NULL) {
            results[i] = r;
        }
        if (r < 0) {
            first = r;
        }
    }
    return first;
}

/* What wait_any registers with, in a commit. */
struct any {
    bg_task *const *tasks;
    size_t n;
    size_t registered; /* the first so many */
};

static int commit_any(bgi_worker *w, bgi_fiber *self, void *arg)
{
    struct any *any = arg;
    bgi_waiter *waiter = &bgi_task_of(self)->waiter;

    (void)w;
    for (size_t i = 0; i < any->n; i++) {
        if (!bgi_cas(&any->tasks[i]->done, BGI_TASK_LIVE, (bgi_word)waiter)) {
            any->registered = i;
            return 1; /* this one has ended */
        }
    }
    any->registered = any->n;
    /* Once armed, `any` may be gone. */
    return !bgi_wait_arm(waiter, self);
}

static void describe_any(void *arg, char *text, size_t size)
{
    const struct any *any = arg;
    size_t used = (size_t)snprintf(text, size, "%s", any->n == 1 ? "task" : "the first of tasks");
    for (size_t i = 0; i < any->n && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s '%s'", i == 0 ? "" : ",",
                                 bg_task_name(any->tasks[i]));
    }
}

const bgi_wait_kind bgi_wait_any = {commit_any, "bg_wait_any or bg_gather", NULL, describe_any};

static int find_ended(bg_task *const tasks[], size_t n, size_t *index)
{
    for (size_t i = 0; i < n; i++) {
        if (has_ended(tasks[i])) {
            if (index != NULL) {
                *index = i;
            }
            return 1;
        }
    }
    return 0;
}

/* Who waits for itself waits for ever. */
static void check_self(bg_task *self, bg_task *const tasks[], size_t n, const char *function)
{
#if BGI_DEBUG
    for (size_t i = 0; i < n; i++) {
        if (tasks[i] == self) {
            bgi_misuse(function, bg_task_name(self), "a task cannot await itself (handle %zu)", i);
        }
    }
#endif
    (void)self;
    (void)tasks;
    (void)n;
    (void)function;
}

static void check_any(bg_task *self, bg_task *const tasks[], size_t n)
{
    check_self(self, tasks, n, "bg_wait_any");
#if BGI_DEBUG
    for (size_t i = 0; i < n; i++) {
        bgi_word done = tasks[i] == NULL ? BGI_TASK_DONE : bgi_load(&tasks[i]->done);
        if (done != BGI_TASK_LIVE && done != BGI_TASK_DONE) {
            bgi_misuse("bg_wait_any", bg_task_name(self),
                       "handle %zu is being awaited already, or was given back", i);
        }
    }
#endif
    (void)self;
    (void)tasks;
    (void)n;
}

/* Until one has ended or the caller is cancelled; the signals owed to it have come by then. */
static void wait_for_any(bg_task *self, bg_task *const tasks[], size_t n)
{
    struct any any = {tasks, n, 0};
    bgi_suspend(commit_any, &any);

    int armed = any.registered == n;
#if BGI_DEBUG
    if (!armed && bgi_load(&tasks[any.registered]->done) == (bgi_word)&self->waiter) {
        bgi_misuse("bg_wait_any", bg_task_name(self), "handle %zu is given twice", any.registered);
    }
#endif
    /* One signal for each registration that is no longer there. One has been taken if the wait was
     * ended by it. */
    size_t owed = 0;
    for (size_t i = 0; i < any.registered; i++) {
        owed += !bgi_cas(&tasks[i]->done, (bgi_word)&self->waiter, BGI_TASK_LIVE);
    }
    if (armed && bgi_waiter_reason(&self->waiter) == BGI_REASON_WAKER) {
        owed--;
    }
    while (owed-- > 0) {
        bgi_waiter_await_signal(&self->waiter);
    }
}

int bg_wait_any(bg_task *const tasks[], size_t n, size_t *index)
{
    bg_task *self = bgi_task_required("bg_wait_any");

    if (self == NULL || n == 0 || tasks == NULL) {
        return self == NULL ? -EPERM : -EINVAL;
    }
    check_any(self, tasks, n);
    if (find_ended(tasks, n, index)) {
        return 0;
    }
    wait_for_any(self, tasks, n);
    return find_ended(tasks, n, index) ? 0 : bgi_wait_failure(&self->waiter);
}
