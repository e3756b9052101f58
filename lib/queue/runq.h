/*
 * The run queue of one worker: a bounded FIFO ring, and a next slot beside it.
 *
 * The owner pushes at the tail and pops at the head; thieves pop at the head too, half of what is
 * there at a time. The shape is that of Go's and Tokio's: tasks that yield must go round, so the
 * oldest comes first. What does not fit leaves as a chain for the injector.
 *
 * The next slot holds the item woken last, whose data is still in the cache. The owner prefers it
 * for at most BGI_RUNQ_JUMPS times in a row while the ring has others, so two items that wake each
 * other cannot starve the rest. It can be stolen, so its item is not lost behind a stuck owner.
 *
 * Invariants
 *   R1  tail is written by the owner alone; head only grows, by compare-and-swap.
 *   R2  an index i with head <= i < tail holds an item that nobody has claimed; tail - head is at
 *       most the capacity.
 *   R3  an item is claimed by the compare-and-swap of head over its index, or of next to NULL.
 *       Before that nothing in it is looked at.
 *
 * Why no fence is needed: nobody claims an item by a plain store, so no store has to be seen
 * before a load. A thief copies out slots before its compare-and-swap of head; the owner reuses a
 * slot only after it has seen head pass it (acquire), so a thief that copied a reused slot finds
 * head moved and throws its copy away. Indices are a word wide: they do not wrap round between a
 * thief's load and its compare-and-swap.
 *
 * Partners: tail: push, steal into own (release) -> steal by others (acquire). head: cas in pop
 * and steal -> push (acquire). next: put, cas of the owner (release) -> cas of thieves (acquire).
 *
 * Transitions of next: NULL -> item by the owner (put); item -> NULL by the owner (pop, or put
 * which displaces it) or by one thief. So the owner may store to it plainly while it reads NULL.
 */
#ifndef BGI_RUNQ_H
#define BGI_RUNQ_H

#include "base/atomic.h"
#include "base/list.h"

#include <stddef.h>

#ifndef BGI_RUNQ_CAPACITY /* a power of two; the stress tests make it tiny */
#define BGI_RUNQ_CAPACITY 256
#endif
#define BGI_RUNQ_MASK ((bgi_word)BGI_RUNQ_CAPACITY - 1)
#define BGI_RUNQ_JUMPS 8

typedef struct bgi_runq {
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic tail; /* the owner's line */
    bgi_atomic next;
    unsigned jumps; /* owner only: how often in a row next came before the ring */
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic head; /* everybody's line */
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic slots[BGI_RUNQ_CAPACITY];
} bgi_runq;

void bgi_runq_init(bgi_runq *q);

/* Owner, when the ring was found full: makes room by taking out the older half, to which the item
 * is added, as a chain for the injector; returns its length. Returns 0 when a thief made room
 * meanwhile and the item is in the ring. */
size_t bgi_runq_push_slow(bgi_runq *q, struct bgi_link *item, struct bgi_fifo *overflow);

/* Owner. Returns 0, or the length of the chain put in *overflow, which the caller owns now. */
BGI_INLINE size_t bgi_runq_push(bgi_runq *q, struct bgi_link *item, struct bgi_fifo *overflow)
{
    bgi_word t = bgi_load(&q->tail);
    bgi_word h = bgi_load_acquire(&q->head); /* pairs with the cas of pop and steal */
    if (bgi_unlikely(t - h >= BGI_RUNQ_CAPACITY)) {
        return bgi_runq_push_slow(q, item, overflow);
    }
    bgi_store_ptr(&q->slots[t & BGI_RUNQ_MASK], item);
    bgi_store_release(&q->tail, t + 1); /* pairs with the acquire in steal */
    return 0;
}

/* Owner. The oldest item of the ring, or NULL. */
BGI_INLINE struct bgi_link *bgi_runq_pop_ring(bgi_runq *q)
{
    bgi_word t = bgi_load(&q->tail);
    bgi_word h = bgi_load(&q->head);
    while (h != t) {
        struct bgi_link *item = bgi_load_ptr(&q->slots[h & BGI_RUNQ_MASK]);
        bgi_word found = bgi_cas_fetch(&q->head, h, h + 1);
        if (bgi_likely(found == h)) {
            return item;
        }
        h = found;
    }
    return NULL;
}

/* Owner. The item of the next slot, or NULL. */
BGI_INLINE struct bgi_link *bgi_runq_pop_next(bgi_runq *q)
{
    struct bgi_link *item = bgi_load_ptr(&q->next);
    if (item != NULL && !bgi_cas_ptr(&q->next, item, NULL)) {
        return NULL; /* a thief has it; nobody else could have put another */
    }
    return item;
}

/* Owner. Puts the item in the next slot and returns the one it displaces, or NULL. */
BGI_INLINE struct bgi_link *bgi_runq_put_next(bgi_runq *q, struct bgi_link *item)
{
    struct bgi_link *old = bgi_runq_pop_next(q);
    bgi_store_release_ptr(&q->next, item); /* pairs with the cas in steal_next */
    return old;
}

/* Any thread; a hint. */
BGI_INLINE size_t bgi_runq_size(const bgi_runq *q)
{
    bgi_word h = bgi_load_acquire(&q->head);
    bgi_word t = bgi_load_acquire(&q->tail);
    return bgi_before(h, t) ? t - h : 0;
}

/* Any thread; a hint. */
BGI_INLINE int bgi_runq_empty(const bgi_runq *q)
{
    return bgi_runq_size(q) == 0 && bgi_load_ptr(&q->next) == NULL;
}

/* Owner. What to run next, or NULL: the next slot within its bound, then the ring. */
BGI_INLINE struct bgi_link *bgi_runq_pop(bgi_runq *q)
{
    struct bgi_link *item;
    if (bgi_load_ptr(&q->next) != NULL) {
        if (bgi_likely(q->jumps < BGI_RUNQ_JUMPS)) {
            item = bgi_runq_pop_next(q);
            if (bgi_likely(item != NULL)) {
                q->jumps++;
                return item;
            }
        }
        q->jumps = 0;
        item = bgi_runq_pop_ring(q);
        return item != NULL ? item : bgi_runq_pop_next(q);
    }
    q->jumps = 0;
    return bgi_runq_pop_ring(q);
}

/* A thief, who owns `into`, whose ring is empty. Moves half of the victim's ring there, but for
 * one item, which is returned; NULL when there was nothing. */
struct bgi_link *bgi_runq_steal(bgi_runq *victim, bgi_runq *into);

/* A thief. The item of the victim's next slot, or NULL. */
struct bgi_link *bgi_runq_steal_next(bgi_runq *victim);

#endif
