/*
 * Futures: a wait queue with a value beside it that is written once.
 *
 * Transitions of the word (wait/queue.h)
 *   0        -> LOCK        set, fail; wait
 *   LOCK, 0  -> 0, QUEUED   wait, inside: queues itself
 *   LOCK, 0  -> DONE        set or fail, inside: value or error are written, the queue is empty
 * DONE stays, and from then on nothing is written any more. Partners: leaving with DONE (release)
 * -> whoever finds it (acquire) reads value and error without entering.
 *
 * The value is given to each who waits where it wants it, by who sets it, while it is suspended. So
 * leaving is the last touch of the future by who sets it, and who waited never comes back to it:
 * any of them may destroy it (if one of them was cancelled meanwhile: "Gone with the last wake-up"
 * in wait/queue.h).
 */
#include "base/alloc.h"
#include "base/panic.h"
#include "task/task.h"
#include "wait/queue.h"

#include <brigade/future.h>
#include <errno.h>

#define DONE BGI_WAITQ_VALUE

struct bg_future {
    bgi_waitq q;
    size_t size;
    int error; /* 0, or instead of a value */
    BGI_ALIGNED(16) unsigned char value[];
};

struct wanted {
    bgi_wait_node node; /* first */
    void *value;        /* where to; NULL: nowhere */
    int error;
};

static const bgi_wait_site future_site = {"bg_future_wait", "a future to be set"};

bg_future *bg_future_create(size_t size)
{
    bg_future *f = NULL;
    if (size <= SIZE_MAX - sizeof *f) {
        f = bgi_aligned_alloc(_Alignof(bg_future), sizeof *f + size);
    }
    if (f != NULL) {
        memset(f, 0, sizeof *f);
        f->size = size;
    }
    return f;
}

void bg_future_destroy(bg_future *f)
{
#if BGI_DEBUG
    if (f != NULL && (bgi_load(&f->q.word) & BGI_WAITQ_FLAGS) != 0) {
        bgi_misuse("bg_future_destroy", bgi_task_self_name(), "somebody waits for it");
    }
#endif
    bgi_free(f);
}

/* ---- setting ---- */

static int decide(bg_future *f, const void *value, int error)
{
    bgi_wake_list all = {NULL, NULL};

    bgi_task_point();
    bgi_word s = bgi_waitq_enter(&f->q);
    if ((s & DONE) != 0) {
        bgi_waitq_leave(&f->q, s);
        return -EALREADY;
    }
    size_t size = error == 0 ? f->size : 0;
    f->error = error;
    if (size != 0) {
        memcpy(f->value, value, size);
    }
    for (bgi_wait_node *n; (n = bgi_waitq_pop(&f->q)) != NULL;) {
        bgi_wake_list_add(&all, n);
    }
    bgi_waitq_leave(&f->q, DONE);
    for (bgi_wait_node *n = all.first; n != NULL; n = n->prev) {
        struct wanted *w = BGI_CONTAINER_OF(n, struct wanted, node);
        w->error = error;
        if (w->value != NULL && size != 0) {
            memcpy(w->value, value, size);
        }
    }
    bgi_waitq_wake_all(&f->q, &all);
    return 0;
}

int bg_future_set(bg_future *f, const void *value)
{
    if (f == NULL || (value == NULL && f->size != 0)) {
        return -EINVAL;
    }
    return decide(f, value, 0);
}

int bg_future_fail(bg_future *f, int error)
{
    return f == NULL || error >= 0 ? -EINVAL : decide(f, NULL, error);
}

/* ---- waiting ---- */

int bg_future_done(const bg_future *f)
{
    return f != NULL && (bgi_load_acquire(&f->q.word) & DONE) != 0;
}

/* It is done. */
static int get(const bg_future *f, void *value)
{
    if (f->error == 0 && value != NULL && f->size != 0) {
        memcpy(value, f->value, f->size);
    }
    return f->error;
}

int bg_future_try(bg_future *f, void *value)
{
    if (f == NULL) {
        return -EINVAL;
    }
    bgi_task_point();
    return bg_future_done(f) ? get(f, value) : -EAGAIN;
}

int bg_future_wait(bg_future *f, void *value)
{
    bgi_waiter *w;
    int r = bgi_task_may_wait("bg_future_wait", &w);
    if (r != 0) {
        return r;
    }
    if (f == NULL) {
        return -EINVAL;
    }
    if (bg_future_done(f)) {
        return get(f, value);
    }
    bgi_word s = bgi_waitq_enter(&f->q);
    if ((s & DONE) != 0) {
        bgi_waitq_leave(&f->q, s);
        return get(f, value);
    }
    struct wanted wanted = {.value = value};
    r = bgi_waitq_join(&f->q, s, &wanted.node, w, &future_site);
    return r != 0 ? r : wanted.error;
}
