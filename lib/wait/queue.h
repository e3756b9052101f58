/*
 * The wait queue: one word and a list, the foundation of everything tasks and threads wait for.
 *
 * An object is a word with a value of its own and a FIFO of those who wait for it. Whoever looks at
 * the list, or changes the value while somebody is in it, is inside: holds LOCK, a bit of the word.
 * Inside is short: a few dozen instructions, and at most a switch of stacks.
 *
 * The word
 *   LOCK    (bit 0)     somebody is inside
 *   SLEEP   (bit 1)     with LOCK: a thread may sleep on the word until LOCK is gone
 *   QUEUED  (bit 2)     the list is not empty; written by who leaves
 *   value   (bits 3...) the object's
 *
 * Transitions
 *   not LOCK  -> LOCK              enter (cas, acquire)
 *   not LOCK  -> LOCK, SLEEP       enter after having slept: others may sleep still
 *   LOCK      -> LOCK, SLEEP       somebody is about to sleep
 *   LOCK      -> value', QUEUED?   leave (cas, release); SLEEP found: wakes one sleeper
 *   value     -> value'            an object's own fast road: a cas from a word without LOCK and
 *                                  QUEUED, which it says in its own table
 * Partners: leave (release) -> enter, and the object's fast road (acquire): all that was done
 * inside is seen. Sleeping is that of arch/lock.h: SLEEP is set by who is about to sleep, and the
 * one woken enters with it.
 *
 * The store that leaves is the last touch of the object. So who learns by the value that it may
 * destroy the object may do so, though the one who gave that value has not returned yet (a wake-up
 * of an address that is gone harms nobody). Nodes are taken out of the list inside, and their
 * waiters signalled after leaving: a waiter does not go on before, and its node lies on its stack.
 *
 * A wait: enter; look at the value; if it has to be, queue a node and suspend with a commit that
 * arms the waiter and leaves. From then on
 *   - a waker takes the node out, inside, gives it what it waits for, leaves, and signals it; or
 *   - a kick or a cancel claims the waiter. It enters: if its node is in the list it takes it out
 * and has failed, with nothing taken. Else a waker has been faster: it waits for the signal that it
 *     is owed, and has succeeded. The next wait fails.
 * So what a waker gives is never lost, and never has to be passed on.
 *
 * Dropped: a lock of its own beside the value (an object that has been given its last value could
 * still be in somebody's unlock); wake-ups that the woken one has to confirm (a cancelled one would
 * have to pass them on, as asyncio's semaphore forgot to).
 */
#ifndef BGI_QUEUE_H
#define BGI_QUEUE_H

#include "base/rank.h"
#include "wait/scope.h"

#define BGI_WAITQ_LOCK ((bgi_word)1)
#define BGI_WAITQ_SLEEP ((bgi_word)2)
#define BGI_WAITQ_QUEUED ((bgi_word)4)
#define BGI_WAITQ_VALUE ((bgi_word)8) /* one, as a value */
#define BGI_WAITQ_VALUE_SHIFT 3
#define BGI_WAITQ_FLAGS (BGI_WAITQ_LOCK | BGI_WAITQ_SLEEP | BGI_WAITQ_QUEUED)

typedef struct bgi_wait_node {
    struct bgi_wait_node *next, *prev; /* a ring; NULL when it is in no list */
    bgi_waiter *waiter;
    uintptr_t info; /* the object's own */
} bgi_wait_node;

/* All zero is one that nobody waits for, of value 0. */
typedef struct bgi_waitq {
    bgi_atomic word;
    bgi_wait_node *first; /* inside only */
} bgi_waitq;

bgi_word bgi_waitq_enter_slow(bgi_waitq *q);
void bgi_waitq_leave_slow(bgi_waitq *q, bgi_word word);

/* Enters; gives the word, LOCK and SLEEP not included. */
BGI_INLINE bgi_word bgi_waitq_enter(bgi_waitq *q)
{
#if BGI_DEBUG
    bgi_rank_acquire(BGI_RANK_WAITQ, "wait queue");
#endif
    bgi_word s = bgi_load(&q->word) & ~(BGI_WAITQ_LOCK | BGI_WAITQ_SLEEP);
    if (bgi_likely(bgi_cas_acquire(&q->word, s, s | BGI_WAITQ_LOCK))) {
        return s;
    }
    return bgi_waitq_enter_slow(q);
}

/* Enters a further one, by who has entered others and keeps to an order of his own. */
BGI_INLINE bgi_word bgi_waitq_enter_another(bgi_waitq *q)
{
    bgi_word s = bgi_waitq_enter_slow(q);
#if BGI_DEBUG
    bgi_rank_acquired_by_try(BGI_RANK_WAITQ, "wait queue");
#endif
    return s;
}

/* Leaves the object with this value; its flags do not matter. */
BGI_INLINE void bgi_waitq_leave(bgi_waitq *q, bgi_word value)
{
#if BGI_DEBUG
    bgi_rank_release(BGI_RANK_WAITQ, "wait queue");
#endif
    bgi_word queued = q->first != NULL ? BGI_WAITQ_QUEUED : 0;
    bgi_word word = (value & ~BGI_WAITQ_FLAGS) | queued;
    bgi_word s = bgi_load(&q->word);
    if (bgi_unlikely((s & BGI_WAITQ_SLEEP) != 0 || !bgi_cas_release(&q->word, s, word))) {
        bgi_waitq_leave_slow(q, word);
    }
}

/* ---- inside ---- */

BGI_INLINE void bgi_waitq_push(bgi_waitq *q, bgi_wait_node *n)
{
    bgi_wait_node *first = q->first;
    if (first == NULL) {
        n->next = n->prev = n;
        q->first = n;
    } else {
        n->next = first;
        n->prev = first->prev;
        first->prev->next = n;
        first->prev = n;
    }
}

/* Takes a node out; its `next` is NULL from then on. */
BGI_INLINE void bgi_waitq_remove(bgi_waitq *q, bgi_wait_node *n)
{
    if (n->next == n) {
        q->first = NULL;
    } else {
        n->next->prev = n->prev;
        n->prev->next = n->next;
        if (q->first == n) {
            q->first = n->next;
        }
    }
    n->next = NULL;
}

/* The one that has waited longest, taken out, or NULL. */
BGI_INLINE bgi_wait_node *bgi_waitq_pop(bgi_waitq *q)
{
    bgi_wait_node *n = q->first;
    if (n != NULL) {
        bgi_waitq_remove(q, n);
    }
    return n;
}

BGI_INLINE int bgi_wait_node_queued(const bgi_wait_node *n)
{
    return n->next != NULL;
}

/* ---- waking, outside ---- */

/* Has the one whose node was taken out go on, soon: it is next on this worker. The node is gone
 * after this. */
BGI_INLINE void bgi_waitq_wake(bgi_wait_node *n)
{
    bgi_waiter *w = n->waiter;
    if (bgi_waiter_signal(w)) {
        bgi_waiter_wake(w);
    }
}

/* Nodes taken out, to be woken after leaving, in order. */
typedef struct bgi_wake_list {
    bgi_wait_node *first, *last; /* linked by prev, whose list is left */
} bgi_wake_list;

BGI_INLINE void bgi_wake_list_add(bgi_wake_list *l, bgi_wait_node *n)
{
    n->prev = NULL;
    if (l->first == NULL) {
        l->first = n;
    } else {
        l->last->prev = n;
    }
    l->last = n;
}

/* Has all of them go on in this order, after those that are ready already. */
void bgi_wake_all(bgi_wake_list *l);

/* ---- waiting ---- */

/* What a wait is, for reports: a constant. */
typedef struct bgi_wait_site {
    const char *call; /* "bg_mutex_lock" */
    const char *what; /* "the mutex" */
} bgi_wait_site;

/*
 * Inside, with the node queued: leaves the object with `value` and waits, as the running task whose
 * waiter is node->waiter. 0: a waker has taken the node out. -ECANCELED, -ETIMEDOUT: it was taken
 * out unserved; what that means for those behind it is the object's to see to.
 */
int bgi_waitq_wait(bgi_waitq *q, bgi_word value, bgi_wait_node *node, const bgi_wait_site *site);

/* Likewise as a plain thread, which waits until it is served; sets node->waiter, then queues. */
void bgi_waitq_wait_thread(bgi_waitq *q, bgi_word value, bgi_wait_node *node);

extern const bgi_wait_kind bgi_wait_queue;

#endif
