/*
 * Blocking calls: a job on the heap, a wait for its end, and what to do when the wait is cut short.
 *
 * The job is submitted before the task leaves its stack: a thread that is done by then leaves its
 * signal in the task's waiter, and the wait is over before it began. Between the two nothing else
 * is waited for, so the signal cannot be taken for another's. Threads are thus made on the stack of
 * the task that needs them, and not in a commit, on another's.
 *
 * The words `blocking` and `resolving` of a runtime, whose pool for names is apart: 0 -> the pool,
 * once, by the first who needs it (compare-and-swap, release) -> whoever loads it (acquire).
 * Cleared by nobody: the runtime ends.
 */
#include "io/blocking.h"

#include "io/check.h"

#include <brigade/blocking.h>
#include <errno.h>

static bgi_pool *pool_in(bg_runtime *rt, bgi_atomic *word, unsigned most)
{
    bgi_pool *p = bgi_load_acquire_ptr(word);
    if (bgi_likely(p != NULL)) {
        return p;
    }
    p = bgi_pool_create(most, BGI_BLOCKING_KEEP, &rt->sched->usable);
    if (p != NULL && !bgi_cas_release(word, 0, (bgi_word)p)) {
        bgi_pool_end(p); /* it has nothing yet */
        p = bgi_load_acquire_ptr(word);
    }
    return p;
}

bgi_pool *bgi_blocking_pool(bg_runtime *rt)
{
    return pool_in(rt, &rt->blocking, rt->blocking_threads);
}

static void end_pool(bgi_atomic *word)
{
    bgi_pool *p = bgi_load_ptr(word); /* who made it has been joined */
    if (p != NULL) {
        bgi_pool_check(p);
        bgi_pool_end(p);
    }
}

void bgi_blocking_end(bg_runtime *rt)
{
    end_pool(&rt->blocking);
    end_pool(&rt->resolving);
}

static void linger(bgi_atomic *word)
{
    bgi_pool *p = bgi_load_acquire_ptr(word);
    if (p != NULL) {
        bgi_pool_linger(p);
    }
}

void bgi_blocking_linger(bg_runtime *rt)
{
    linger(&rt->blocking);
    linger(&rt->resolving);
}

void bgi_blocking_count(bg_runtime *rt, bgi_pool_counts *out)
{
    bgi_pool *p = bgi_load_acquire_ptr(&rt->blocking);
    *out = (bgi_pool_counts){0};
    if (p != NULL) {
        bgi_pool_count(p, out);
    }
}

static int commit_call(bgi_worker *w, bgi_fiber *self, void *waiter)
{
    (void)w;
    return !bgi_wait_arm(waiter, self);
}

/* A job that has not been called, and will not be. */
static void drop(bgi_job *j)
{
    if (j->drop != NULL) {
        j->drop(j->arg);
    }
    bgi_free(j);
}

/* Takes the job; copies the size bytes of its argument to back, if it has been run. */
static int wait_for(bg_task *self, bgi_pool *p, bgi_job *j, void *back, size_t size)
{
    bgi_waiter *waiter = &self->waiter;

    bgi_suspend(commit_call, waiter);
    if (bgi_unlikely(bgi_waiter_reason(waiter) == BGI_REASON_CANCELLER)) {
        int why = bgi_wait_failure(waiter);
        switch (bgi_pool_give_up(p, j)) {
        case BGI_JOB_QUEUED:
            drop(j);
            return why;
        case BGI_JOB_TAKEN:
            return why;
        default:
            bgi_waiter_await_signal(waiter); /* it has just returned: its result counts */
        }
    }
    int result = j->result;
    if (result != 0 && j->drop != NULL) { /* no thread could be made */
        j->drop(j->arg);
    } else if (size != 0) {
        memcpy(back, j->arg, size);
    }
    bgi_free(j);
    return result;
}

int bgi_blocking_wait(bg_task *self, bgi_pool *p, bgi_job *j)
{
    return wait_for(self, p, j, NULL, 0);
}

int bgi_blocking_resolve(bg_task *self, bg_fn fn, void *record, size_t size)
{
    bg_runtime *rt = bgi_task_runtime(self);
    if (bgi_unlikely(rt->sched->sim != NULL)) {
        int result = fn(record);
        bgi_sim_point(rt->sched);
        return result;
    }
    bgi_pool *p = pool_in(rt, &rt->resolving, BGI_BLOCKING_RESOLVING);
    bgi_job *j = p == NULL ? NULL : bgi_malloc(sizeof *j + size);
    if (j == NULL) {
        return -ENOMEM;
    }
    j->fn = fn;
    j->drop = NULL;
    j->arg = memcpy(j->bytes, record, size);
    j->waiter = &self->waiter;
    j->name = bg_task_name(self);
    bgi_pool_submit(p, j);
    return wait_for(self, p, j, record, size);
}

int bgi_blocking_record(bg_task *self, bg_fn fn, void (*drop_record)(void *record), void *record,
                        size_t size)
{
    if (self == NULL) {
        return fn(record);
    }
    int r = bgi_wait_check(&self->waiter);
    bg_runtime *rt = bgi_task_runtime(self);
    if (r == 0 && bgi_unlikely(rt->sched->sim != NULL)) {
        (void)fn(record);
        bgi_sim_point(rt->sched);
        return 0;
    }
    bgi_pool *p = r == 0 ? bgi_blocking_pool(rt) : NULL;
    bgi_job *j = p == NULL ? NULL : bgi_malloc(sizeof *j + size);
    if (j == NULL) {
        drop_record(record);
        return r != 0 ? r : -ENOMEM;
    }
    j->fn = fn;
    j->drop = drop_record;
    j->arg = memcpy(j->bytes, record, size);
    j->waiter = &self->waiter;
    j->name = bg_task_name(self);
    bgi_pool_submit(p, j);
    return wait_for(self, p, j, record, size);
}

/* In the deterministic mode: here and now, between two points at which others may go first (the
 * first was the look whether to begin at all). */
static int call_here(bg_runtime *rt, bgi_job *j)
{
    int result = j->fn(j->arg);
    bgi_free(j);
    bgi_sim_point(rt->sched);
    return result;
}

int bgi_blocking_through(bg_task *self, bg_fn fn, void *arg)
{
    bgi_waiter *waiter = &self->waiter;
    bg_runtime *rt = bgi_task_runtime(self);
    bgi_job job = {.fn = fn, .arg = arg, .waiter = waiter, .name = bg_task_name(self)};

    if (bgi_unlikely(rt->sched->sim != NULL)) {
        (void)fn(arg);
        bgi_sim_point(rt->sched);
        return 0;
    }
    bgi_pool *p = bgi_blocking_pool(rt);
    if (bgi_unlikely(p == NULL)) {
        return -ENOMEM;
    }
    job.result = 0;
    bgi_pool_submit(p, &job);
    bgi_suspend(commit_call, waiter);
    if (bgi_unlikely(bgi_waiter_reason(waiter) == BGI_REASON_CANCELLER)) {
        int why = bgi_wait_failure(waiter);
        if (bgi_pool_withdraw(p, &job) == BGI_JOB_QUEUED) {
            return why;
        }
        bgi_waiter_await_signal(waiter);
    }
    return job.result; /* its own failure to be called, or 0 from fn */
}

static int call(bg_task *self, bg_fn fn, void *arg, const void *copy, size_t size)
{
    if (bgi_unlikely(self == NULL || fn == NULL)) {
        return self == NULL ? -EPERM : -EINVAL;
    }
    int r = bgi_wait_check(&self->waiter);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    bgi_job *j = bgi_malloc(sizeof *j + size);
    if (bgi_unlikely(j == NULL)) {
        return -ENOMEM;
    }
    j->fn = fn;
    j->drop = NULL;
    j->arg = arg;
    if (size != 0) {
        j->arg = memcpy(j->bytes, copy, size);
    }
    bg_runtime *rt = bgi_task_runtime(self);
    if (bgi_unlikely(rt->sched->sim != NULL)) {
        return call_here(rt, j);
    }
    bgi_pool *p = bgi_blocking_pool(rt);
    if (bgi_unlikely(p == NULL)) {
        bgi_free(j);
        return -ENOMEM;
    }
    j->waiter = &self->waiter;
    j->name = bg_task_name(self);
    bgi_pool_submit(p, j);
    return bgi_blocking_wait(self, p, j);
}

int bg_blocking(bg_fn fn, void *arg)
{
    return call(bgi_task_required("bg_blocking"), fn, arg, NULL, 0);
}

int bg_blocking_copy(bg_fn fn, const void *arg, size_t arg_size)
{
    return call(bgi_task_required("bg_blocking_with"), fn, NULL, arg, arg_size);
}
