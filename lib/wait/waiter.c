#include "wait/waiter.h"

#include "arch/futex.h"

#include <errno.h>
#include <stdio.h>

int bgi_waiter_expire(bgi_waiter *w)
{
    bgi_word s = bgi_load(&w->state);
    while ((s & BGI_WAITER_ARMED) != 0) {
        bgi_word want = (s & ~(BGI_WAITER_ARMED | BGI_WAITER_SHIELDED)) |
                        ((bgi_word)BGI_REASON_TIMER << BGI_WAITER_REASON_SHIFT);
        bgi_word found = bgi_cas_fetch(&w->state, s, want);
        if (found == s) {
            return 1;
        }
        s = found;
    }
    return 0;
}

int bgi_waiter_cancel(bgi_waiter *w)
{
    bgi_word s = bgi_load(&w->state);
    for (;;) {
        int claim = (s & (BGI_WAITER_ARMED | BGI_WAITER_SHIELDED)) == BGI_WAITER_ARMED;
        bgi_word want = s | BGI_WAITER_CANCEL;
        if (claim) {
            want = (want & ~BGI_WAITER_ARMED) |
                   ((bgi_word)BGI_REASON_CANCELLER << BGI_WAITER_REASON_SHIFT);
        }
        bgi_word found = bgi_cas_fetch(&w->state, s, want);
        if (found == s) {
            return claim;
        }
        s = found;
    }
}

void bgi_waiter_wake(bgi_waiter *w)
{
    (void)w->wake(w, NULL);
}

static int commit_shielded(bgi_worker *w, bgi_fiber *self, void *waiter)
{
    (void)w;
    (void)self;
    return !bgi_waiter_arm(waiter, 1);
}

static void describe_signal(void *arg, char *text, size_t size)
{
    (void)arg;
    (void)snprintf(text, size, "whom it has cancelled");
}

const bgi_wait_kind bgi_wait_signal = {commit_shielded, "bg_await", describe_signal};

void bgi_waiter_await_signal(bgi_waiter *w)
{
    bgi_suspend(commit_shielded, w);
}

/* Under the timers' lock. */
static void expire_wait(bgi_timer *t, bgi_expiry *out)
{
    bgi_waiter *w = BGI_CONTAINER_OF(t, bgi_waiter, timer);
    bgi_sched *here = bgi_timer_home(t)->sched;
    if (bgi_waiter_expire(w)) {
        out->item = w->wake(w, here);
        if (out->item != NULL) {
            bgi_item_prefetch(out->item);
        }
    }
}

static int arm_wait(void *waiter)
{
    return bgi_waiter_arm(waiter, 0);
}

struct until {
    bgi_waiter *waiter;
    bg_time deadline;
};

static int commit_until(bgi_worker *w, bgi_fiber *self, void *arg)
{
    struct until *u = arg; /* gone once the waiter is armed */
    bgi_waiter *waiter = u->waiter;
    (void)self;
    return !bgi_timers_start_at(&w->timers, &waiter->timer, u->deadline, arm_wait, waiter);
}

static void describe_sleep(void *arg, char *text, size_t size)
{
    (void)arg;
    (void)snprintf(text, size, "its time");
}

const bgi_wait_kind bgi_wait_sleep = {commit_until, "bg_sleep", describe_sleep};

int bgi_wait_until(bgi_waiter *w, bg_time deadline)
{
    struct until u = {w, deadline};
    bgi_timer_init(&w->timer, expire_wait);
    bgi_suspend(commit_until, &u);
    if (bgi_likely(bgi_waiter_reason(w) == BGI_REASON_TIMER)) {
        return 0;
    }
    (void)bgi_timers_stop(&bgi_worker_self()->timers, &w->timer);
    return -ECANCELED;
}

static bgi_item *wake_thread(bgi_waiter *w, bgi_sched *here)
{
    (void)here;
    bgi_thread_waiter *t = BGI_CONTAINER_OF(w, bgi_thread_waiter, waiter);
    bgi_store_release(&t->woken, 1);
    /* The thread may be gone by now; a wake-up of whatever lies there harms nobody. */
    (void)bgi_futex_wake(&t->woken, 1);
    return NULL;
}

void bgi_thread_waiter_init(bgi_thread_waiter *t)
{
    bgi_waiter_init(&t->waiter, wake_thread);
    bgi_store(&t->woken, 0);
}

void bgi_thread_waiter_wait(bgi_thread_waiter *t)
{
    if (!bgi_waiter_arm(&t->waiter, 1)) {
        return;
    }
    while (bgi_load_acquire(&t->woken) == 0) {
        (void)bgi_futex_wait(&t->woken, 0, -1);
    }
}
