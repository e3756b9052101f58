#include "wait/queue.h"

#include "arch/futex.h"

#include <stdio.h>

#ifdef BGI_MODEL
enum { SPINS = 1 };
#else
enum { SPINS = 64 };
#endif

bgi_atomic bgi_waitq_asleep[BGI_WAITQ_COUNTS];

/* Not the first look: the word may be left at any moment, and taken again by another. */
static int try_enter(bgi_waitq *q, bgi_word *s)
{
    *s = bgi_load(&q->word);
    return (*s & BGI_WAITQ_LOCK) == 0 && bgi_cas_acquire(&q->word, *s, *s | BGI_WAITQ_LOCK);
}

BGI_COLD bgi_word bgi_waitq_enter_slow(bgi_waitq *q)
{
    bgi_word s;
    for (int spins = 0; spins < SPINS; spins++) {
        if (try_enter(q, &s)) {
            return s;
        }
        bgi_pause();
    }
    bgi_atomic *count = bgi_waitq_count(q);
    bgi_fence_setup(); /* no runtime may have been started yet */
    (void)bgi_fetch_add_relaxed(count, 1);
    bgi_fence_heavy(); /* partner: the light fence in bgi_waitq_leave */
    while (!try_enter(q, &s)) {
        if ((s & BGI_WAITQ_LOCK) != 0) {
            (void)bgi_futex_wait(&q->word, (uint32_t)s, -1);
        }
    }
    (void)bgi_fetch_add_relaxed(count, (bgi_word)-1);
    return s;
}

BGI_COLD void bgi_waitq_wake_sleeper(bgi_waitq *q)
{
    (void)bgi_futex_wake(&q->word, 1);
}

void bgi_wake_all(bgi_wake_list *l)
{
    bgi_worker *here = bgi_worker_self();
    size_t pushed = 0;

    for (bgi_wait_node *n = l->first, *next; n != NULL; n = next) {
        bgi_waiter *w = n->waiter;
        next = n->prev; /* the node is gone after the signal */
        if (bgi_waiter_signal(w)) {
            bgi_item *item = w->wake(w, here == NULL ? NULL : here->sched);
            if (item != NULL) {
                bgi_push_quiet(here, item);
                pushed++;
            }
        }
    }
    if (pushed != 0 && here->sched->workers > 1) {
        bgi_notify(here->sched);
    }
}

/* On the stack of who waits; gone once the waiter is armed and the object left. */
struct wait {
    bgi_waitq *q;
    bgi_word value;
    bgi_waiter *waiter;
    const bgi_wait_site *site;
};

/* Once armed, the waiter may be claimed by others, but then it enters, and so waits for the leave.
 */
static int commit_queue(bgi_worker *here, bgi_fiber *self, void *arg)
{
    const struct wait *wait = arg;
    bgi_waitq *q = wait->q;
    bgi_word value = wait->value;

    (void)here;
    int armed = bgi_wait_arm(wait->waiter, self);
    bgi_waitq_leave(q, value);
    return !armed;
}

static const char *call_of(void *arg)
{
    return ((const struct wait *)arg)->site->call;
}

static void describe(void *arg, char *text, size_t size)
{
    const struct wait *wait = arg;
    (void)snprintf(text, size, "%s", wait->site->what);
}

const bgi_wait_kind bgi_wait_queue = {commit_queue, NULL, call_of, describe};

int bgi_waitq_wait(bgi_waitq *q, bgi_word value, bgi_wait_node *node, const bgi_wait_site *site)
{
    bgi_waiter *w = node->waiter;
    struct wait wait = {q, value, w, site};

    bgi_suspend(commit_queue, &wait);
    if (bgi_likely(bgi_waiter_reason(w) == BGI_REASON_WAKER)) {
        return 0;
    }
    bgi_word now = bgi_waitq_enter(q);
    int queued = bgi_wait_node_queued(node);
    if (queued) {
        bgi_waitq_remove(q, node);
    }
    bgi_waitq_leave(q, now);
    if (queued) {
        return bgi_wait_failure(w);
    }
    bgi_waiter_await_signal(w);
    return 0;
}

void bgi_waitq_wait_thread(bgi_waitq *q, bgi_word value, bgi_wait_node *node)
{
    bgi_thread_waiter t;
    bgi_thread_waiter_init(&t);
    node->waiter = &t.waiter;
    bgi_waitq_push(q, node);
    bgi_waitq_leave(q, value);
    bgi_thread_waiter_wait(&t);
}
