#include "wait/waiter.h"

#include "arch/futex.h"

#include <errno.h>
#include <stdio.h>

/* Sets the bit, and claims it if it waits and the depth is not hidden from it. */
static int kick(bgi_waiter *w, uint32_t depth, bgi_word bit)
{
    bgi_word s = bgi_load(&w->state);
    for (;;) {
        bgi_word mask = (s & BGI_WAITER_MASK) >> BGI_WAITER_MASK_SHIFT;
        int claim = (s & BGI_WAITER_ARMED) != 0 && depth >= mask;
        bgi_word want = s | bit;
        if (claim) {
            want = (want & ~(BGI_WAITER_ARMED | BGI_WAITER_MASK)) |
                   ((bgi_word)BGI_REASON_CANCELLER << BGI_WAITER_REASON_SHIFT);
        }
        bgi_word found = bgi_cas_fetch(&w->state, s, want);
        if (found == s) {
            return claim;
        }
        s = found;
    }
}

int bgi_waiter_cancel(bgi_waiter *w)
{
    return kick(w, 0, BGI_WAITER_CANCEL);
}

int bgi_waiter_kick(bgi_waiter *w, uint32_t depth)
{
    return kick(w, depth, BGI_WAITER_KICKED);
}

void bgi_waiter_unkick(bgi_waiter *w)
{
    bgi_word s = bgi_load(&w->state);
    while (!bgi_cas_acquire(&w->state, s, s & ~BGI_WAITER_KICKED)) {
        s = bgi_load(&w->state);
    }
}

void bgi_waiter_rekick(bgi_waiter *w)
{
    bgi_word s = bgi_load(&w->state);
    while (!bgi_cas_acquire(&w->state, s, s | BGI_WAITER_KICKED)) {
        s = bgi_load(&w->state);
    }
}

void bgi_waiter_fail(bgi_waiter *w)
{
    bgi_word s = bgi_load(&w->state);
    for (;;) {
        int signalled = s >= BGI_WAITER_SIGNAL;
        bgi_word reason = signalled ? BGI_REASON_WAKER : BGI_REASON_CANCELLER;
        bgi_word want =
            (s & ~BGI_WAITER_REASON) | BGI_WAITER_KICKED | (reason << BGI_WAITER_REASON_SHIFT);
        if (bgi_cas_acquire(&w->state, s, signalled ? want - BGI_WAITER_SIGNAL : want)) {
            return;
        }
        s = bgi_load(&w->state);
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
    return bgi_waiter_arm(waiter, BGI_MASK_ALL, 0) != BGI_ARM_ARMED;
}

static void describe_signal(void *arg, char *text, size_t size)
{
    (void)arg;
    (void)snprintf(text, size, "whom it has cancelled");
}

const bgi_wait_kind bgi_wait_signal = {commit_shielded, "bg_await", NULL, describe_signal};

void bgi_waiter_await_signal(bgi_waiter *w)
{
    bgi_suspend(commit_shielded, w);
}

/* A thread's word `woken`. */
enum { AWAKE, WOKEN, ASLEEP };

/* How often a thread looks before it sleeps, some microseconds in all. To put it to sleep and wake
 * it takes two system calls and, on an idle core, many microseconds more. */
#ifdef BGI_MODEL
enum { LOOKS = 1 };
#else
enum { LOOKS = 40 };
#endif

static bgi_item *wake_thread(bgi_waiter *w, bgi_sched *here)
{
    (void)here;
    bgi_thread_waiter *t = BGI_CONTAINER_OF(w, bgi_thread_waiter, waiter);
    if (bgi_cas_fetch_release(&t->woken, AWAKE, WOKEN) == ASLEEP) {
        bgi_store_release(&t->woken, WOKEN);
        /* The thread may be gone by now; a wake-up of whatever lies there harms nobody. */
        (void)bgi_futex_wake(&t->woken, 1);
    }
    return NULL;
}

void bgi_thread_waiter_init(bgi_thread_waiter *t)
{
    bgi_waiter_init(&t->waiter, wake_thread);
    bgi_store(&t->woken, 0);
}

void bgi_thread_waiter_wait(bgi_thread_waiter *t)
{
    (void)bgi_thread_waiter_wait_until(t, BG_TIME_MAX);
}

int bgi_thread_waiter_wait_until(bgi_thread_waiter *t, bg_time deadline)
{
    int64_t until = deadline == BG_TIME_MAX ? -1 : deadline;
    if (bgi_waiter_arm(&t->waiter, BGI_MASK_ALL, 0) != BGI_ARM_ARMED) {
        return 1;
    }
    for (int i = 0; i < LOOKS && bgi_load(&t->woken) == AWAKE; i++) {
        bgi_pause();
    }
    (void)bgi_cas_relaxed(&t->woken, AWAKE, ASLEEP);
    while (bgi_load_acquire(&t->woken) == ASLEEP) {
        if (bgi_futex_wait(&t->woken, ASLEEP, until) == -ETIMEDOUT) {
            if (bgi_waiter_expire(&t->waiter)) {
                return 0;
            }
            until = -1; /* claimed, and about to be woken */
        }
    }
    return 1;
}
