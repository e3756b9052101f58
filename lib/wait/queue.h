/*
 * The wait queue: one word and a list, the foundation of everything tasks and threads wait for.
 *
 * An object is a word with a value of its own and a FIFO of those who wait for it. Whoever looks at
 * the list, or changes the value while somebody is in it, is inside: holds LOCK, a bit of the word.
 * Inside is short: a few dozen instructions.
 *
 * The word
 *   LOCK    (bit 0)     somebody is inside
 *   QUEUED  (bit 1)     the list is not empty; written by who leaves
 *   value   (bits 2...) the object's
 *
 * Transitions
 *   not LOCK  -> LOCK              enter (cas, acquire)
 *   LOCK      -> value', QUEUED?   leave (a plain store, release)
 *   value     -> value'            an object's own fast road: a cas from a word without LOCK and
 *                                  QUEUED, which it says in its own table
 * While LOCK is set nobody but who is inside writes the word. Partners: leave (release) -> enter,
 * and the object's fast road (acquire): all that was done inside is seen.
 *
 * Who finds it taken pauses for about a microsecond, looks again, and after longer and longer
 * pauses sleeps on the word (a futex). Each look takes the line from who is inside, and whoever
 * enters after another core has to fetch all lines of the object: who keeps away for as long as
 * that takes lets the other do several operations at the price of one move. Four producers and four
 * consumers on two cores: 240 ns an item when looking at each pause, 30 like this. That there are
 * sleepers is not in the word, where leaving would have to look for it by a locked instruction, but
 * in a count beside all objects, one for many of them. A sleeper: count + 1; heavy fence; read the
 * word; sleep if LOCK is in it. Who leaves: store the word; light fence; read the count; wake one
 * if it is not 0. That is Dekker's pattern with the asymmetric fence of arch/bias.h, so either the
 * sleeper sees the word left, or who leaves sees the count; the kernel's own comparison closes the
 * gap between the look and the sleep. The count goes down when the sleeper has entered: until then
 * whoever leaves in between wakes again.
 *   count  fetch_add by who is about to sleep, and back (partner: the load in leave, by the fences)
 * A count that another object raised costs a vain wake-up at most.
 *
 * The store that leaves is the last touch of the object. So who learns by the value that it may
 * destroy the object may do so, though the one who gave that value has not returned yet (a wake-up
 * of an address that is gone harms nobody). Nodes are taken out of the list inside, and their
 * waiters signalled after leaving: a waiter does not go on before, and its node lies on its stack.
 *
 * A wait: enter; look at the value; if it has to be, queue a node, leave, and suspend with a commit
 * that arms the waiter. From when the node is queued
 *   - a waker takes it out, inside, gives it what it waits for, leaves, and signals its waiter,
 *     which keeps the signal if it is not armed yet; or
 *   - a kick or a cancel claims the waiter. It withdraws: enters, and if its node is in the list it
 *     takes it out and has failed, with nothing taken. Else a waker has been faster: it waits for
 *     the signal that it is owed, and has succeeded. The next wait fails.
 * So what a waker gives is never lost, and never has to be passed on.
 *
 * Gone with the last wake-up. Who was cancelled enters an object to look for its node, though a
 * waker may have taken it out. Where nobody but the woken ones can destroy the object that does not
 * matter: it is one of them. But a condition may be destroyed by who has woken everybody, a barrier
 * by the first that comes out. So a node says by itself that it has been taken out (`taken`), and
 * who withdraws looks there first; and from this look to the end of its stay inside it holds a lock
 * that does not lie in the object, its gate. A waker that takes care (bgi_waitq_claim_all) takes
 * the nodes out, leaves, and claims the waiters. If it could claim all, none of them will withdraw.
 * If not, it takes the gate and gives it back before it signals those it has missed: whoever was
 * looking has come out of the object then, and whoever looks later sees that it was taken out.
 *   taken  0 by who queues; 1 by who takes it out (both inside; release) -> the look of who
 *          withdraws, by the gate, or inside; or with neither (acquire), when it is certain that
 *          the node was not given anything (sync/select.c). MISSED by the waker that has it.
 *
 * Dropped: a bit for sleepers in the word (leaving is a second compare-and-swap then: 35 ns for
 * entering and leaving against 15); a lock of its own beside the value (an object that has been
 * given its last value could still be in somebody's unlock); leaving in the commit of the wait,
 * after the switch of stacks (others spin meanwhile); wake-ups that the woken one has to confirm (a
 * cancelled one would have to pass them on, as asyncio's semaphore forgot to).
 */
#ifndef BGI_QUEUE_H
#define BGI_QUEUE_H

#include "arch/bias.h"
#include "base/rank.h"
#include "wait/scope.h"

#define BGI_WAITQ_LOCK ((bgi_word)1)
#define BGI_WAITQ_QUEUED ((bgi_word)2)
#define BGI_WAITQ_VALUE ((bgi_word)4) /* one, as a value */
#define BGI_WAITQ_VALUE_SHIFT 2
#define BGI_WAITQ_FLAGS (BGI_WAITQ_LOCK | BGI_WAITQ_QUEUED)

typedef struct bgi_wait_node {
    struct bgi_wait_node *next, *prev; /* a ring; next is NULL when it is in no list */
    bgi_waiter *waiter;
    uintptr_t info;   /* the object's own */
    bgi_atomic taken; /* 0 in a list; else 1, or the waker's; see wait/queue.c */
} bgi_wait_node;

/* All zero is one that nobody waits for, of value 0. */
typedef struct bgi_waitq {
    bgi_atomic word;
    bgi_wait_node *first; /* inside only */
} bgi_waitq;

bgi_word bgi_waitq_enter_slow(bgi_waitq *q);
void bgi_waitq_wake_sleeper(bgi_waitq *q);

/* How many sleep on the words of the objects that fall here. */
#define BGI_WAITQ_COUNTS 64
extern bgi_atomic bgi_waitq_asleep[BGI_WAITQ_COUNTS];

BGI_INLINE bgi_atomic *bgi_waitq_count(const bgi_waitq *q)
{
    return &bgi_waitq_asleep[((uintptr_t)q >> 4) % BGI_WAITQ_COUNTS];
}

/* Enters; gives the word, LOCK not included. */
BGI_INLINE bgi_word bgi_waitq_enter(bgi_waitq *q)
{
#if BGI_DEBUG
    bgi_rank_acquire(BGI_RANK_WAITQ, "wait queue");
#endif
    bgi_word s = bgi_load(&q->word) & ~BGI_WAITQ_LOCK;
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
    bgi_store_release(&q->word, (value & ~BGI_WAITQ_FLAGS) | queued);
    bgi_fence_light(); /* partner: the heavy fence in bgi_waitq_enter_slow */
    if (bgi_unlikely(bgi_load(bgi_waitq_count(q)) != 0)) {
        bgi_waitq_wake_sleeper(q);
    }
}

/* ---- inside ---- */

BGI_INLINE void bgi_waitq_push(bgi_waitq *q, bgi_wait_node *n)
{
    bgi_wait_node *first = q->first;
    bgi_store(&n->taken, 0);
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
    bgi_store_release(&n->taken, 1);
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

/* Inside; or by the owner of the node, who needs not enter any more when it has been taken out and
 * no waker has claimed it. */
BGI_INLINE int bgi_wait_node_queued(const bgi_wait_node *n)
{
    return bgi_load_acquire(&n->taken) == 0;
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

/*
 * Likewise those who were taken out of q; and of them nobody touches q any more when the first goes
 * on, and when this returns: see "Gone with the last wake-up" above. A single one is next on this
 * worker.
 */
void bgi_waitq_wake_all(bgi_waitq *q, bgi_wake_list *l);

/* Likewise one alone, which is next on this worker. */
void bgi_waitq_wake_missed(bgi_waitq *q, bgi_wait_node *n);

BGI_INLINE void bgi_waitq_wake_one(bgi_waitq *q, bgi_wait_node *n)
{
    bgi_waiter *w = n->waiter;
    if (bgi_likely(bgi_waiter_claim(w))) {
        bgi_waiter_wake(w);
    } else {
        bgi_waitq_wake_missed(q, n);
    }
}

/* The first half of that: claims the waiters. Those that are left in the list are the caller's to
 * wake, or to have woken, some time; the others go on by themselves, and their nodes are gone. */
void bgi_waitq_claim_all(bgi_waitq *q, bgi_wake_list *l);

/* The gate of an object, for who withdraws from it by a door of its own. */
bgi_lock *bgi_waitq_gate(const bgi_waitq *q);

/* ---- waiting ---- */

/* What a wait is, for reports: a constant. */
typedef struct bgi_wait_site {
    const char *call; /* "bg_mutex_lock" */
    const char *what; /* "the mutex" */
} bgi_wait_site;

/*
 * Inside, with the node queued: leaves the object with `value` and waits, as the running task whose
 * waiter is node->waiter. 0: a waker has taken the node out. -ECANCELED, -ETIMEDOUT: it was taken
 * out unserved.
 */
int bgi_waitq_wait(bgi_waitq *q, bgi_word value, bgi_wait_node *node, const bgi_wait_site *site);

/* Likewise, for objects to which it matters who has left: after a failure the caller is inside,
 * with the word in *now. */
int bgi_waitq_wait_inside(bgi_waitq *q, bgi_word value, bgi_wait_node *node,
                          const bgi_wait_site *site, bgi_word *now);

/* Likewise, hidden from all cancellation: until it is served. */
void bgi_waitq_wait_hidden(bgi_waitq *q, bgi_word value, bgi_wait_node *node,
                           const bgi_wait_site *site);

/* The two halves of bgi_waitq_wait_inside, for who has something to do in between: outside, with
 * the node queued, the object left. */
int bgi_waitq_wait_left(bgi_waitq *q, bgi_wait_node *node, const bgi_wait_site *site,
                        bgi_word *now);

/* What the commit of such a wait is given: on the stack of who waits; gone once the waiter is
 * armed. */
struct bgi_waitq_sleep {
    bgi_waiter *waiter;
    const bgi_wait_site *site;
};

int bgi_waitq_commit(bgi_worker *here, bgi_fiber *self, void *sleep);

/* A canceller has ended the wait: as bgi_waitq_wait_left returns then. */
int bgi_waitq_unserved(bgi_waitq *q, bgi_wait_node *node, bgi_word *now);

/* bgi_waitq_wait_left without a frame of its own. */
BGI_INLINE int bgi_waitq_sleep(bgi_waitq *q, bgi_wait_node *node, const bgi_wait_site *site,
                               bgi_word *now)
{
    bgi_waiter *w = node->waiter;
    struct bgi_waitq_sleep sleep = {w, site};

    bgi_suspend(bgi_waitq_commit, &sleep);
    if (bgi_likely(bgi_waiter_reason(w) == BGI_REASON_WAKER)) {
        return 0;
    }
    return bgi_waitq_unserved(q, node, now);
}

/* Inside: likewise as a plain thread, which waits until it is served; sets node->waiter, then
 * queues. */
void bgi_waitq_wait_thread(bgi_waitq *q, bgi_word value, bgi_wait_node *node);

/* Inside: queues the node for the running task whose waiter this is, or, if it is NULL, the plain
 * thread that calls; leaves, and waits. */
BGI_INLINE int bgi_waitq_join(bgi_waitq *q, bgi_word value, bgi_wait_node *node, bgi_waiter *waiter,
                              const bgi_wait_site *site)
{
    node->waiter = waiter;
    if (waiter == NULL) {
        bgi_waitq_wait_thread(q, value, node);
        return 0;
    }
    bgi_waitq_push(q, node);
    return bgi_waitq_wait(q, value, node, site);
}

extern const bgi_wait_kind bgi_wait_queue, bgi_wait_queue_hidden;

#endif
