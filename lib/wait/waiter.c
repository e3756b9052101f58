#include "wait/waiter.h"

#include "arch/futex.h"

#include <errno.h>

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

void bgi_waiter_await_signal(bgi_waiter *w)
{
    bgi_suspend(commit_shielded, w);
}

struct sleep {
    bgi_timer timer;
    bgi_waiter *waiter;
    bgi_sched *sched;
    bg_time deadline;
};

/* Under the timers' lock. */
static void expire_sleep(bgi_timer *t, bgi_expiry *out)
{
    struct sleep *s = BGI_CONTAINER_OF(t, struct sleep, timer);
    bgi_waiter *w = s->waiter;
    if (bgi_waiter_expire(w)) {
        out->item = w->wake(w, s->sched);
    }
}

static int arm_sleep(void *waiter)
{
    return bgi_waiter_arm(waiter, 0);
}

static int commit_sleep(bgi_worker *w, bgi_fiber *self, void *arg)
{
    struct sleep *s = arg;
    (void)self;
    s->sched = w->sched;
    return !bgi_timers_start_at(&w->timers, &s->timer, s->deadline, arm_sleep, s->waiter);
}

int bgi_wait_until(bgi_waiter *w, bg_time deadline)
{
    struct sleep s;
    bgi_timer_init(&s.timer, expire_sleep);
    s.waiter = w;
    s.deadline = deadline;
    bgi_suspend(commit_sleep, &s);
    if (bgi_likely(bgi_waiter_reason(w) == BGI_REASON_TIMER)) {
        return 0;
    }
    (void)bgi_timers_stop(&bgi_worker_self()->timers, &s.timer);
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
