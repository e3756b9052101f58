/*
 * The mutex: a wait queue whose value is one bit.
 *
 * The word (wait/queue.h)
 *   HELD (value 1)   somebody has it
 * Transitions
 *   0            -> HELD           lock, try_lock                    (cas, acquire)
 *   HELD         -> 0              unlock, nobody waits              (cas, release)
 *   LOCK ...     -> HELD           lock, inside: it was free after all
 *   LOCK ...     -> HELD, QUEUED   lock, inside: queues itself
 *   LOCK ...     -> HELD           unlock, inside: the first in the queue has it now
 *   LOCK ...     -> 0              unlock, inside: nobody waits any more
 * QUEUED implies HELD: while anybody waits the mutex goes from hand to hand and is never free, so
 * nobody can barge in. Who waits and is cancelled takes itself out; those behind it do not care.
 *
 * Partners: what gives it up (the cas of unlock, or leaving the queue; release) -> what takes it
 * (the cas of lock, or entering; acquire), or the signal to who has it now -> the end of its wait.
 *
 * With one compare-and-swap each way there is no room to be anything but fast. The fast roads touch
 * the object by that one operation, the slow one leaves by a store: after that the next holder may
 * destroy it. The plain look before each cas costs nothing, and spares a failing one when somebody
 * waits.
 */
#include "sync/mutex.h"

#include "base/panic.h"
#include "task/task.h"

#include <errno.h>

BGI_RETURN_THUNK;

static const bgi_wait_site mutex_site = {"bg_mutex_lock", "the mutex"};

void bg_mutex_init(bg_mutex *mutex)
{
    *mutex = (bg_mutex)BG_MUTEX_INIT;
}

void bg_mutex_destroy(bg_mutex *mutex)
{
#if BGI_DEBUG
    struct bgi_mutex *m = bgi_mutex_of(mutex);
    if (bgi_load(&m->q.word) != 0) {
        bgi_misuse("bg_mutex_destroy", bgi_task_self_name(), "it is held%s",
                   (bgi_load(&m->q.word) & BGI_WAITQ_QUEUED) != 0 ? ", and waited for" : "");
    }
    bgi_owned_destroy(&m->owned);
#endif
    (void)mutex;
}

BGI_INLINE int has_locked(struct bgi_mutex *m, int r)
{
    if (r == 0) {
        bgi_owned_locked(&m->owned);
    }
    return r;
}

BGI_WAITS static int lock_slow(struct bgi_mutex *m, bgi_waiter *waiter)
{
    bgi_word s = bgi_waitq_enter(&m->q);
    if ((s & BGI_MUTEX_HELD) == 0) {
        bgi_waitq_leave(&m->q, BGI_MUTEX_HELD);
        return has_locked(m, 0);
    }
    bgi_wait_node node;
    node.info = BGI_MUTEX_SIGNAL;
    return has_locked(m, bgi_waitq_join(&m->q, s, &node, waiter, &mutex_site));
}

int bg_mutex_lock(bg_mutex *mutex)
{
    struct bgi_mutex *m = bgi_mutex_of(mutex);
    bgi_waiter *waiter;
    int r = bgi_task_may_wait("bg_mutex_lock", &waiter);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    bgi_owned_before_lock(&m->owned, "bg_mutex_lock");
    if (bgi_likely(bgi_load(&m->q.word) == 0)) {
        if (bgi_likely(bgi_cas_acquire(&m->q.word, 0, BGI_MUTEX_HELD))) {
            return has_locked(m, 0);
        }
    }
    return lock_slow(m, waiter);
}

/* The look decided nothing: somebody is inside, or has just been. */
BGI_COLD static int try_lock_slow(struct bgi_mutex *m)
{
    bgi_word s = bgi_waitq_enter(&m->q);
    bgi_waitq_leave(&m->q, BGI_MUTEX_HELD); /* whoever holds it */
    return (s & BGI_MUTEX_HELD) != 0 ? -EBUSY : 0;
}

int bg_mutex_try_lock(bg_mutex *mutex)
{
    struct bgi_mutex *m = bgi_mutex_of(mutex);
    int r = 0;
    bgi_task_point();
    if ((bgi_load(&m->q.word) & BGI_MUTEX_HELD) != 0) {
        return -EBUSY;
    }
    if (bgi_unlikely(!bgi_cas_acquire(&m->q.word, 0, BGI_MUTEX_HELD))) {
        r = try_lock_slow(m);
    }
    return has_locked(m, r);
}

/* The mutex is this one's: has it go on. */
BGI_INLINE void wake_holder(bgi_wait_node *n)
{
    if (n->info == BGI_MUTEX_SIGNAL) {
        bgi_waitq_wake(n);
    } else {
        bgi_waiter_wake(n->waiter);
    }
}

BGI_NOINLINE static int give_slow(struct bgi_mutex *m)
{
    bgi_word s = bgi_waitq_enter(&m->q);
    bgi_wait_node *n = bgi_waitq_pop(&m->q);
    bgi_waitq_leave(&m->q, n != NULL ? BGI_MUTEX_HELD : 0);
    if (n != NULL) {
        wake_holder(n);
    }
    return (s & BGI_MUTEX_HELD) != 0 ? 0 : -EPERM;
}

BGI_INLINE int give(struct bgi_mutex *m)
{
    if (bgi_likely(bgi_load(&m->q.word) == BGI_MUTEX_HELD)) {
        if (bgi_likely(bgi_cas_release(&m->q.word, BGI_MUTEX_HELD, 0))) {
            return 0;
        }
    }
    return give_slow(m);
}

int bgi_mutex_give(struct bgi_mutex *m)
{
    return give(m);
}

int bg_mutex_unlock(bg_mutex *mutex)
{
    struct bgi_mutex *m = bgi_mutex_of(mutex);
    bgi_task_point();
    bgi_owned_before_unlock(&m->owned, "bg_mutex_unlock");
    return give(m);
}

BGI_WAITS void bgi_mutex_take_hidden(struct bgi_mutex *m, bgi_waiter *waiter,
                                     const bgi_wait_site *site)
{
    bgi_word s = bgi_waitq_enter(&m->q);
    if ((s & BGI_MUTEX_HELD) == 0) {
        bgi_waitq_leave(&m->q, BGI_MUTEX_HELD);
        return;
    }
    bgi_wait_node node;
    node.info = BGI_MUTEX_SIGNAL;
    node.waiter = waiter;
    if (waiter == NULL) {
        bgi_waitq_wait_thread(&m->q, s, &node);
        return;
    }
    bgi_waitq_push(&m->q, &node);
    bgi_waitq_wait_hidden(&m->q, s, &node, site);
}

void bgi_mutex_hand(struct bgi_mutex *m, bgi_wake_list *l)
{
    bgi_wait_node *n = l->first, *next, *holder = NULL;
    bgi_word s = bgi_waitq_enter(&m->q);
    for (; n != NULL; n = next) {
        next = n->prev;
        n->info = BGI_MUTEX_WAKE;
        if ((s & BGI_MUTEX_HELD) == 0) {
            s |= BGI_MUTEX_HELD;
            holder = n;
        } else {
            bgi_waitq_push(&m->q, n);
        }
    }
    bgi_waitq_leave(&m->q, BGI_MUTEX_HELD);
    if (holder != NULL) {
        bgi_waiter_wake(holder->waiter);
    }
}
