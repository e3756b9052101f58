/*
 * Callbacks after a delay. Those of bg_after have a record, which becomes a work item when it is
 * due; those of bg_timer have the caller's storage, which is the caller's again once they fire, so
 * they are called from the timer service itself.
 */
#include "base/clock.h"
#include "base/panic.h"
#include "task/task.h"

#include <brigade/timer.h>
#include <errno.h>

struct callback {
    bgi_timer timer;
    bg_fn fn;
    void *arg;
};

_Static_assert(sizeof(struct callback) <= sizeof(bg_timer), "bg_timer has room for it");
_Static_assert(_Alignof(struct callback) <= _Alignof(bg_timer), "and its alignment");

static void call(bg_fn fn, void *arg)
{
    bgi_worker *w = bgi_worker_self();
    bgi_store(&w->in_callback, 1);
    int r = fn(arg);
    bgi_store(&w->in_callback, 0);
    if (r < 0) {
        bgi_failure("", r);
    }
}

/* Under the timers' lock; the timer is the caller's again after this. */
static void expire_callback(bgi_timer *t, bgi_expiry *out)
{
    struct callback *c = BGI_CONTAINER_OF(t, struct callback, timer);
    out->act = call;
    out->fn = c->fn;
    out->arg = c->arg;
    bgi_store_release(&t->home, 0); /* from here on it is the caller's, and no runtime's */
}

void bg_timer_init(bg_timer *timer)
{
    bgi_timer_init(&((struct callback *)(void *)timer)->timer, expire_callback);
}

/* The caller's worker; NULL outside of a runtime. */
static bgi_worker *worker_required(const char *function)
{
    bgi_worker *w = bgi_worker_self();
#if BGI_DEBUG
    if (w == NULL) {
        bgi_misuse(function, NULL, "called outside of a runtime");
    }
#endif
    (void)function;
    return w;
}

static void check_timer(const struct callback *c, const char *function)
{
#if BGI_DEBUG
    if (c->timer.expire != expire_callback) {
        bgi_misuse(function, bgi_task_self_name(), "the timer was not made by bg_timer_init");
    }
#endif
    (void)c;
    (void)function;
}

int bg_timer_start(bg_timer *timer, bg_duration delay, bg_fn fn, void *arg)
{
    struct callback *c = (struct callback *)(void *)timer;
    bgi_worker *w = worker_required("bg_timer_start");

    if (bgi_unlikely(w == NULL || fn == NULL)) {
        return w == NULL ? -EPERM : -EINVAL;
    }
    check_timer(c, "bg_timer_start");
    bgi_timers *s = &w->timers;
    bgi_timers *home = bgi_timer_home(&c->timer);
    if (bgi_unlikely(home != s && home != NULL) && bgi_timers_pending_stranger(home, &c->timer)) {
        return -EBUSY;
    }
    int how = bgi_bias_enter(&s->lock);
    int pending = bgi_timer_node_pending(&c->timer.node);
    if (bgi_likely(!pending)) {
        c->fn = fn;
        c->arg = arg;
        bgi_timers_add_fresh(s, &c->timer, delay);
    }
    bgi_bias_leave(&s->lock, how);
    return pending ? -EBUSY : 0;
}

int bg_timer_cancel(bg_timer *timer)
{
    struct callback *c = (struct callback *)(void *)timer;
    bgi_worker *w = bgi_worker_self();
    check_timer(c, "bg_timer_cancel");
    int was_pending = bgi_timers_stop(w == NULL ? NULL : &w->timers, &c->timer);
    if (was_pending) { /* else who fired it has, and its callback may have started it again */
        bgi_store(&c->timer.home, 0);
    }
    return was_pending;
}

struct after {
    bgi_timer timer;
    bgi_item item;
    bg_fn fn;
    void *arg;
};

static void run_after(bgi_worker *w, bgi_item *item)
{
    struct after *a = BGI_CONTAINER_OF(item, struct after, item);
    bg_fn fn = a->fn;
    void *arg = a->arg;
    (void)w;
    bgi_free(a);
    call(fn, arg);
}

static void expire_after(bgi_timer *t, bgi_expiry *out)
{
    out->item = &BGI_CONTAINER_OF(t, struct after, timer)->item;
}

int bg_after(bg_duration delay, bg_fn fn, void *arg)
{
    bgi_worker *w = worker_required("bg_after");

    if (w == NULL || fn == NULL) {
        return w == NULL ? -EPERM : -EINVAL;
    }
    struct after *a = bgi_malloc(sizeof *a);
    if (a == NULL) {
        return -ENOMEM;
    }
    bgi_timer_init(&a->timer, expire_after);
    a->item.run = run_after;
    a->fn = fn;
    a->arg = arg;
    (void)bgi_timers_start_at(&w->timers, &a->timer, bgi_time_add(bgi_clock_now(), delay), NULL,
                              NULL);
    return 0;
}

void bgi_after_drop_timer(bgi_timer *t)
{
    if (t->expire == expire_after) {
        bgi_free(BGI_CONTAINER_OF(t, struct after, timer));
    } else if (t->expire == expire_callback) {
        bgi_store_release(&t->home, 0);
    }
}

void bgi_after_drop_item(bgi_item *item)
{
    if (item->run == run_after) {
        bgi_free(BGI_CONTAINER_OF(item, struct after, item));
    }
}
