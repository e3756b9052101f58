#include "wait/queue.h"

#include "arch/futex.h"

#include <stdio.h>

/* How often who finds it taken looks again before it sleeps, and the pauses before the next look,
 * at first; each time twice as many. */
#ifdef BGI_MODEL
enum { LOOKS = 1, PAUSES = 1 };
#else
enum { LOOKS = 4, PAUSES = 64 };
#endif

/* A node's `taken`. */
enum { QUEUED, TAKEN, MISSED };

BGI_RETURN_THUNK;

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
    for (int look = 0; look < LOOKS; look++) {
        if (try_enter(q, &s)) {
            return s;
        }
        for (int i = 0; i < PAUSES << look; i++) {
            bgi_pause();
        }
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

/* The worker's own items to the end of its queue, others where they belong; how many of its own. */
static size_t pass_on(bgi_worker *here, bgi_waiter *w)
{
    bgi_item *item = w->wake(w, here == NULL ? NULL : here->sched);
    if (item == NULL) {
        return 0;
    }
    bgi_push_quiet(here, item);
    return 1;
}

static void tell(bgi_worker *here, size_t pushed)
{
    if (pushed != 0 && here->sched->workers > 1) {
        bgi_notify(here->sched);
    }
}

void bgi_wake_all(bgi_wake_list *l)
{
    bgi_worker *here = bgi_worker_self();
    size_t pushed = 0;

    for (bgi_wait_node *n = l->first, *next; n != NULL; n = next) {
        bgi_waiter *w = n->waiter;
        next = n->prev; /* the node is gone after the signal */
        if (bgi_waiter_signal(w)) {
            pushed += pass_on(here, w);
        }
    }
    tell(here, pushed);
}

/* ---- gone with the last wake-up ---- */

/* One for many objects: it is taken by who has been cancelled, and by wakers that meet one. */
static bgi_lock gates[16] = {[0 ... 15] = BGI_LOCK_INIT(BGI_RANK_WAITQ_GATE, "wait queue gate")};

bgi_lock *bgi_waitq_gate(const bgi_waitq *q)
{
    return &gates[((uintptr_t)q >> 4) % BGI_ARRAY_LEN(gates)];
}

/* Whoever of those taken out has gone to look has come back; the others will see that they were. */
static void wait_for_lookers(bgi_waitq *q)
{
    bgi_lock *gate = bgi_waitq_gate(q);
    bgi_lock_acquire(gate);
    bgi_lock_release(gate);
}

BGI_COLD void bgi_waitq_wake_missed(bgi_waitq *q, bgi_wait_node *n)
{
    wait_for_lookers(q);
    bgi_waitq_wake(n);
}

/* In order; what is left are those that were claimed. */
BGI_COLD static void claim_missed(bgi_waitq *q, bgi_wake_list *l)
{
    bgi_wait_node *n = l->first, *next;

    wait_for_lookers(q);
    l->first = l->last = NULL;
    for (; n != NULL; n = next) {
        next = n->prev; /* the node is gone after the signal, if that does not claim */
        if (bgi_load(&n->taken) != MISSED || bgi_waiter_signal(n->waiter)) {
            bgi_wake_list_add(l, n);
        }
    }
}

void bgi_waitq_claim_all(bgi_waitq *q, bgi_wake_list *l)
{
    int missed = 0;

    for (bgi_wait_node *n = l->first; n != NULL; n = n->prev) {
        if (bgi_unlikely(!bgi_waiter_claim(n->waiter))) {
            bgi_store(&n->taken, MISSED);
            missed = 1;
        }
    }
    if (bgi_unlikely(missed)) {
        claim_missed(q, l);
    }
}

void bgi_waitq_wake_all(bgi_waitq *q, bgi_wake_list *l)
{
    bgi_waitq_claim_all(q, l);
    if (l->first == l->last) {
        if (l->first != NULL) {
            bgi_waiter_wake(l->first->waiter);
        }
        return;
    }
    bgi_worker *here = bgi_worker_self();
    size_t pushed = 0;
    for (bgi_wait_node *n = l->first, *next; n != NULL; n = next) {
        next = n->prev; /* the node is gone after the wake-up */
        pushed += pass_on(here, n->waiter);
    }
    tell(here, pushed);
}

/* ---- waiting ---- */

int bgi_waitq_commit(bgi_worker *here, bgi_fiber *self, void *arg)
{
    const struct bgi_waitq_sleep *wait = arg;
    (void)here;
    return !bgi_wait_arm(wait->waiter, self);
}

static int commit_hidden(bgi_worker *here, bgi_fiber *self, void *arg)
{
    const struct bgi_waitq_sleep *wait = arg;
    (void)here;
    (void)self;
    return bgi_waiter_arm(wait->waiter, BGI_MASK_ALL, 0) != BGI_ARM_ARMED;
}

static const char *call_of(void *arg)
{
    return ((const struct bgi_waitq_sleep *)arg)->site->call;
}

static void describe(void *arg, char *text, size_t size)
{
    const struct bgi_waitq_sleep *wait = arg;
    (void)snprintf(text, size, "%s", wait->site->what);
}

const bgi_wait_kind bgi_wait_queue = {bgi_waitq_commit, NULL, call_of, describe};
const bgi_wait_kind bgi_wait_queue_hidden = {commit_hidden, NULL, call_of, describe};

/* A canceller has claimed the waiter. 1: its node was in the queue and has been taken out, and the
 * caller is inside; 0: a waker has been faster, and the object may be gone. */
static int withdraw(bgi_waitq *q, bgi_wait_node *node, bgi_word *now)
{
    bgi_lock *gate = bgi_waitq_gate(q);
    int queued = 0;

    bgi_lock_acquire(gate);
    if (bgi_load(&node->taken) == 0) {
        *now = bgi_waitq_enter(q);
        queued = bgi_wait_node_queued(node);
        if (queued) {
            bgi_waitq_remove(q, node);
        } else {
            bgi_waitq_leave(q, *now);
        }
    }
    bgi_lock_release(gate);
    return queued;
}

BGI_COLD int bgi_waitq_unserved(bgi_waitq *q, bgi_wait_node *node, bgi_word *now)
{
    bgi_waiter *w = node->waiter;
    if (withdraw(q, node, now)) {
        return bgi_wait_failure(w);
    }
    bgi_waiter_await_signal(w);
    return 0;
}

BGI_WAITS int bgi_waitq_wait_left(bgi_waitq *q, bgi_wait_node *node, const bgi_wait_site *site,
                                  bgi_word *now)
{
    return bgi_waitq_sleep(q, node, site, now);
}

BGI_WAITS int bgi_waitq_wait_inside(bgi_waitq *q, bgi_word value, bgi_wait_node *node,
                                    const bgi_wait_site *site, bgi_word *now)
{
    bgi_waitq_leave(q, value);
    return bgi_waitq_sleep(q, node, site, now);
}

BGI_WAITS int bgi_waitq_wait(bgi_waitq *q, bgi_word value, bgi_wait_node *node,
                             const bgi_wait_site *site)
{
    bgi_word now;
    bgi_waitq_leave(q, value);
    int r = bgi_waitq_sleep(q, node, site, &now);
    if (bgi_unlikely(r != 0)) {
        bgi_waitq_leave(q, now);
    }
    return r;
}

BGI_WAITS void bgi_waitq_wait_hidden(bgi_waitq *q, bgi_word value, bgi_wait_node *node,
                                     const bgi_wait_site *site)
{
    struct bgi_waitq_sleep wait = {node->waiter, site};
    bgi_waitq_leave(q, value);
    bgi_suspend(commit_hidden, &wait);
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
