/*
 * The injector: the queue that all workers share. Foreign threads put items in, full run queues
 * overflow into it, and every worker looks at it now and then, so nothing in it starves.
 *
 * A FIFO of links under a lock. It is not on a hot path: run queues overflow by half a ring at a
 * time and workers take a batch at a time. `count` is kept beside it so that "is anything there"
 * is one load; it is written under the lock.
 *
 * Partners: count: push (release, under the lock) -> the load in bgi_injector_size. A worker about
 * to sleep reads it after its fence; a submitter fences after push (the eventcount's protocol).
 */
#ifndef BGI_INJECTOR_H
#define BGI_INJECTOR_H

#include "arch/lock.h"
#include "base/atomic.h"
#include "base/list.h"

typedef struct bgi_injector {
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_lock lock;
    struct bgi_fifo items;
    bgi_atomic count;
} bgi_injector;

void bgi_injector_init(bgi_injector *q);

/* Any thread. Adds n items, in order; the chain is empty afterwards. */
void bgi_injector_push(bgi_injector *q, struct bgi_fifo *chain, size_t n);

/* Any thread. Takes up to `most` of the oldest into *chain and returns how many. */
size_t bgi_injector_pop(bgi_injector *q, struct bgi_fifo *chain, size_t most);

/* Any thread; a hint. */
BGI_INLINE size_t bgi_injector_size(const bgi_injector *q)
{
    return bgi_load_acquire(&q->count);
}

#endif
