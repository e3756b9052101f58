/*
 * A Chase-Lev deque: the owner pushes and takes at the bottom, thieves steal at the top.
 *
 * Source: Chase and Lev, "Dynamic circular work-stealing deque" (SPAA 2005), with the orderings of
 * Lê, Pop, Cohen and Zappa Nardelli, "Correct and efficient work-stealing for weak memory models"
 * (PPoPP 2013), strengthened where libatomic_ops or the race detectors ask for it (below).
 *
 * Invariants
 *   I1  top never falls; bottom is written by the owner alone.
 *   I2  an index i with top <= i < bottom holds an item that nobody has taken yet.
 *   I3  each index is claimed once: by the compare-and-swap of top from i to i+1, or, when it is
 *       not the last one, by the owner's lowering bottom to i.
 *
 * Why the fences suffice
 *   take: the owner lowers bottom, fences, reads top. steal: a thief reads top, fences, reads
 *   bottom. Of two such passes one fence comes first in the single order of seq_cst fences, so
 *   either the owner sees the thief's top, or the thief sees the lowered bottom: they cannot both
 *   take the last item without meeting at the compare-and-swap.
 *   push: the item is written before bottom's release store; a thief reads bottom by acquire.
 *   Each store to bottom is a release, in take as well: a thief may synchronise with any of them,
 *   and must then see the items pushed before.
 *   grow: the new ring is filled, then published by a release store of `ring`; a thief which read
 *   the old one still finds the same items at the same indices, since old rings are kept until
 *   the deque is destroyed and the owner no longer writes to them. Slots of a new ring are zeroed:
 *   a thief with a stale bottom may read one, and its compare-and-swap of top then fails.
 *
 * Partners: bottom: push, take (release) -> steal (acquire). top: steal, take (cas) -> push
 * (acquire), take (after the fence). ring: grow (release) -> steal (acquire). slot: push -> steal,
 * ordered by bottom.
 *
 * Dropped: a plain store to bottom in take (a model checker finds the race x86 hides); freeing old
 * rings early (needs hazard pointers to save a few KiB).
 */
#ifndef BGI_DEQUE_H
#define BGI_DEQUE_H

#include "base/atomic.h"

#include <stddef.h>

struct bgi_deque_ring {
    struct bgi_deque_ring *older; /* outgrown, freed with the deque */
    bgi_word mask;
    bgi_atomic slots[];
};

typedef struct bgi_deque {
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic bottom; /* the owner's line */
    bgi_atomic ring;
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic top; /* the thieves' line */
} bgi_deque;

/* capacity: a power of two, at least 2. Returns 0, -EINVAL or -ENOMEM. */
int bgi_deque_init(bgi_deque *d, size_t capacity);

/* Nobody else uses the deque any more. Items still in it are forgotten. */
void bgi_deque_destroy(bgi_deque *d);

/* Owner. The item is not NULL. Returns 0, or -ENOMEM when the ring is full and cannot grow; the
 * item is then not in the deque. */
int bgi_deque_push(bgi_deque *d, void *item);

/* Owner. The newest item, or NULL. */
void *bgi_deque_take(bgi_deque *d);

/* Owner. Takes that item if it is the newest, and nobody steals it: 1. */
int bgi_deque_take_back(bgi_deque *d, const void *item);

/* Any thread. Returns 1 and the oldest item, 0 when empty, -EAGAIN when another got it first. */
int bgi_deque_steal(bgi_deque *d, void **item);

/* Any thread; a hint, exact only while nobody else moves. */
size_t bgi_deque_size(const bgi_deque *d);

#endif
