/*
 * The eventcount: how a worker sleeps without missing work that is submitted meanwhile.
 *
 *   sleeper                               submitter
 *     prepare (announce, full fence)        put the work where it belongs
 *     look for work once more               notify (full fence, anybody announced?)
 *     found: cancel;  none: wait
 *
 * Guarantee: of the two fences one comes first in the single order of seq_cst fences. If it is the
 * submitter's, the sleeper's second look finds the work. If it is the sleeper's, the submitter
 * sees the announcement and wakes somebody. So work is never there while everybody sleeps.
 *
 * A notification is given to exactly one sleeper, the one that went to sleep last, whose cache
 * and core are the warmest. It is given under the lock by taking the node off the list, so a
 * sleeper that withdraws (cancel, time-out) knows for certain whether it got one: then it is
 * responsible for passing it on, or for looking for work once more itself.
 *
 * Node words (bgi_ec_node.word), low 32 bits, what the futex waits on:
 *   EMPTY    -> PARKED     the sleeper, before the futex call
 *   EMPTY    -> NOTIFIED   a notifier or a kick; no system call
 *   PARKED   -> NOTIFIED   a notifier or a kick, which then wakes the futex
 *   PARKED   -> EMPTY      the sleeper, after a time-out
 *   NOTIFIED -> NOTIFIED   a notifier or a kick
 *   NOTIFIED -> EMPTY      the sleeper, when it has woken or before it announces itself
 *
 * Partners: word: set_notified (release) -> wait (acquire). waiting: written under the lock;
 * prepare (then its fence) -> the relaxed load in bgi_ec_waiting, after the submitter's fence.
 *
 * Source: the idea is Dmitry Vyukov's eventcount; the list with a lock is what Tokio's and Go's
 * idle lists do. An epoch counter with one shared futex was dropped: it wakes in no order, and a
 * sleeper could not tell whether the notification was its own.
 */
#ifndef BGI_EVENTCOUNT_H
#define BGI_EVENTCOUNT_H

#include "arch/lock.h"
#include "base/atomic.h"
#include "base/list.h"

#include <brigade/types.h>

typedef struct bgi_ec_node {
    struct bgi_list link; /* under the lock; unlinked = not announced, or notified */
    bgi_atomic word;
} bgi_ec_node;

typedef struct bgi_eventcount {
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic waiting; /* length of the list */
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_lock lock;
    struct bgi_list sleepers;
} bgi_eventcount;

void bgi_ec_init(bgi_eventcount *ec);
void bgi_ec_node_init(bgi_ec_node *node);

/* The sleeper announces itself. To be followed by cancel or wait, and to be preceded by nothing
 * it still has to do. Contains the full fence. */
void bgi_ec_prepare(bgi_eventcount *ec, bgi_ec_node *node);

/* The sleeper withdraws. Returns 1 if a notification had been given to it, else 0. */
int bgi_ec_cancel(bgi_eventcount *ec, bgi_ec_node *node);

/* The sleeper sleeps until it is notified or kicked, or until the deadline (BG_TIME_MAX: none).
 * The node stays announced when it was not notified: call bgi_ec_cancel next, always. A node that
 * was never announced can wait for a kick as well. */
void bgi_ec_wait(bgi_ec_node *node, bg_time deadline);

/* For a wait elsewhere, in place of bgi_ec_wait: whether the node has been notified or kicked; and,
 * after the wait, that this has been seen. */
BGI_INLINE int bgi_ec_notified(const bgi_ec_node *node)
{
    return bgi_load(&node->word) != 0;
}

void bgi_ec_awake(bgi_ec_node *node);

/* How many are announced. A submitter reads it after its fence; else it is a hint. */
BGI_INLINE bgi_word bgi_ec_waiting(const bgi_eventcount *ec)
{
    return bgi_load(&ec->waiting);
}

/* Gives a notification to the sleeper that came last, without the fence: the caller made it.
 * Returns the node, or NULL when nobody was announced. */
bgi_ec_node *bgi_ec_notify(bgi_eventcount *ec);

/* Gives a notification to this sleeper if it is announced; returns whether it was. */
int bgi_ec_notify_node(bgi_eventcount *ec, bgi_ec_node *node);

/* Ends this node's wait, now or the next one, without a notification: it looks around and may
 * sleep again. For a new deadline. */
void bgi_ec_kick(bgi_ec_node *node);

#endif
