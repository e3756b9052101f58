/*
 * The condition: a wait queue without a value. Who is woken goes from there to the mutex.
 *
 * A wait: queue in the condition; give the mutex up; suspend. From the moment it is queued a signal
 * finds it, so none is missed between the two; one that comes before it has suspended is left in
 * its waiter.
 *
 * A signal takes the first node out and claims its waiter.
 *   - Claimed: no cancel can end the wait any more. The signaller hands it the mutex, or puts it in
 *     the mutex's queue: so it is woken once, with the mutex, however many are woken at once.
 *     Its node says TAKE no more.
 *   - Not claimed: it has not suspended yet, or a canceller has claimed it first and it is about to
 *     find out that it is not in the queue any more. It gets a signal, goes on by itself, and takes
 *     the mutex like anybody else, but hidden from cancellation.
 * Either way the signal is received by who was taken out, and its wait succeeds; who was cancelled
 * while queued takes itself out, inside, and no signal was spent on it.
 *
 * A node's info
 *   TAKE           the woken one has to take the mutex
 *   TAKE -> WAKE   it has it: by the signaller, after the claim; seen through the wake-up
 *
 * Signal and broadcast look at QUEUED without entering. Whoever has to be found was queued before
 * it gave the mutex up, and the signaller has held the mutex since, for it changed what is waited
 * for: so it sees the bit. Who finds nobody may destroy the condition: the look acquires what the
 * last to take itself out has released.
 *
 * After a broadcast nobody touches the condition any more (bgi_waitq_claim), so the caller may
 * destroy it.
 */
#include "sync/mutex.h"

#include "base/panic.h"
#include "task/task.h"

#include <errno.h>

struct cond {
    bgi_waitq q;
    struct bgi_mutex *mutex; /* of those who wait; inside only */
};

_Static_assert(sizeof(struct cond) <= sizeof(bg_cond), "bg_cond has room for it");

BGI_RETURN_THUNK;

static const bgi_wait_site cond_site = {"bg_cond_wait", "the condition, or then its mutex"};
static const bgi_wait_site mutex_site = {"bg_cond_wait", "the mutex, after the condition"};

static struct cond *cond_of(bg_cond *c)
{
    return (struct cond *)(void *)c;
}

void bg_cond_init(bg_cond *cond)
{
    *cond = (bg_cond)BG_COND_INIT;
}

void bg_cond_destroy(bg_cond *cond)
{
#if BGI_DEBUG
    if (bgi_load(&cond_of(cond)->q.word) != 0) {
        bgi_misuse("bg_cond_destroy", bgi_task_self_name(), "somebody waits for it");
    }
#endif
    (void)cond;
}

/* Inside. */
static void note_mutex(struct cond *c, struct bgi_mutex *m)
{
#if BGI_DEBUG
    if (c->q.first != NULL && c->mutex != m) {
        bgi_waitq_leave(&c->q, 0);
        bgi_misuse("bg_cond_wait", bgi_task_self_name(), "others wait for it with another mutex");
    }
#endif
    c->mutex = m;
}

/* Has left both. 0: served; the mutex is the caller's, or, see the node, to be taken. */
BGI_INLINE int wait_for_signal(struct cond *c, bgi_wait_node *node, bgi_thread_waiter *thread)
{
    bgi_word now;
    if (node->waiter == &thread->waiter) {
        bgi_thread_waiter_wait(thread);
        return 0;
    }
    int r = bgi_waitq_wait_left(&c->q, node, &cond_site, &now);
    if (bgi_unlikely(r != 0)) {
        bgi_waitq_leave(&c->q, now);
    }
    return r;
}

BGI_WAITS int bg_cond_wait(bg_cond *cond, bg_mutex *mutex)
{
    struct cond *c = cond_of(cond);
    struct bgi_mutex *m = bgi_mutex_of(mutex);
    bgi_thread_waiter thread;
    bgi_wait_node node;
    bgi_waiter *waiter;

    bgi_owned_required(&m->owned, "bg_cond_wait");
    int r = bgi_task_may_wait("bg_cond_wait", &waiter);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    if (bgi_unlikely((bgi_load(&m->q.word) & BGI_MUTEX_HELD) == 0)) {
        return -EPERM;
    }
    node.waiter = waiter;
    node.info = BGI_MUTEX_TAKE;
    if (waiter == NULL) {
        bgi_thread_waiter_init(&thread);
        node.waiter = &thread.waiter;
    }
    (void)bgi_waitq_enter(&c->q);
    note_mutex(c, m);
    bgi_waitq_push(&c->q, &node);
    bgi_waitq_leave(&c->q, 0);
    bgi_task_point();
    bgi_owned_before_unlock(&m->owned, "bg_cond_wait");
    bgi_owned_before_lock(&m->owned, "bg_cond_wait"); /* as it will be */
    (void)bgi_mutex_give(m);
    bgi_task_point();
    r = wait_for_signal(c, &node, &thread);
    if (node.info == BGI_MUTEX_TAKE) {
        bgi_mutex_take_hidden(m, waiter, &mutex_site);
    }
    bgi_owned_locked(&m->owned);
    return r;
}

/* Whether anybody waits, as far as the caller has to know. */
BGI_INLINE int anybody(const struct cond *c)
{
    bgi_task_point();
    return (bgi_load_acquire(&c->q.word) & BGI_WAITQ_QUEUED) != 0;
}

static void hand(struct cond *c, struct bgi_mutex *m, bgi_wake_list *l)
{
    bgi_waitq_claim_all(&c->q, l);
    if (l->first != NULL) {
        bgi_mutex_hand(m, l);
    }
}

int bg_cond_signal(bg_cond *cond)
{
    struct cond *c = cond_of(cond);
    if (anybody(c)) {
        bgi_wake_list l = {NULL, NULL};
        (void)bgi_waitq_enter(&c->q);
        bgi_wait_node *n = bgi_waitq_pop(&c->q);
        struct bgi_mutex *m = c->mutex;
        bgi_waitq_leave(&c->q, 0);
        if (n != NULL) {
            bgi_wake_list_add(&l, n);
            hand(c, m, &l);
        }
    }
    return 0;
}

int bg_cond_broadcast(bg_cond *cond)
{
    struct cond *c = cond_of(cond);
    if (anybody(c)) {
        bgi_wake_list l = {NULL, NULL};
        bgi_wait_node *n;
        (void)bgi_waitq_enter(&c->q);
        while ((n = bgi_waitq_pop(&c->q)) != NULL) {
            bgi_wake_list_add(&l, n);
        }
        struct bgi_mutex *m = c->mutex;
        bgi_waitq_leave(&c->q, 0);
        hand(c, m, &l);
    }
    return 0;
}
