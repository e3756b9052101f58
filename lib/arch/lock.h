/*
 * bgi_lock: a mutex for short critical sections that may never span a suspension, except when the
 * suspension's own commit callback releases it on the same thread.
 *
 * Three states in one word, after the second mutex of Ulrich Drepper, "Futexes Are Tricky" (2011):
 *
 *   FREE 0      nobody holds it
 *   HELD 1      held, and nobody sleeps for it
 *   CONTENDED 2 held, and somebody may sleep for it
 *
 *   FREE -> HELD             acquire, try                (cas, acquire)
 *   FREE -> CONTENDED        acquire after having waited (cas, acquire): others may sleep still
 *   HELD -> CONTENDED        acquire, about to sleep     (cas, acquire)
 *   HELD -> FREE             release                     (cas, release)
 *   CONTENDED -> FREE        release, then wakes one     (cas, release)
 *
 * Invariant: whoever sleeps, or is about to, has made or seen CONTENDED since it last looked, and
 * the state leaves CONTENDED only by a release that wakes one sleeper. The one woken takes the lock
 * as CONTENDED, since it cannot know whether it was the last, so the next release wakes again. A
 * stranger that slips in between as HELD does no harm: the woken one makes it CONTENDED before it
 * sleeps again. The kernel's own comparison closes the gap between the look and the sleep.
 *
 * Partners: each release pairs with the next successful acquire, which sees all that happened under
 * the lock before. There is no exchange in libatomic_ops, so release tries HELD -> FREE first and
 * on failure knows the state to be CONTENDED, which only the holder can leave: its second cas
 * cannot fail.
 *
 * A short spin comes first: the sections are short, and a futex call costs as much as many of them.
 */
#ifndef BGI_LOCK_H
#define BGI_LOCK_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/rank.h"

#include "arch/futex.h"

typedef struct bgi_lock {
    bgi_atomic state;
#if BGI_DEBUG
    unsigned rank; /* see base/rank.h */
    const char *name;
#endif
} bgi_lock;

enum { BGI_LOCK_FREE = 0, BGI_LOCK_HELD = 1, BGI_LOCK_CONTENDED = 2 };
#ifdef BGI_MODEL
enum { BGI_LOCK_SPINS = 1 }; /* a model's thread never gets through 64 */
#else
enum { BGI_LOCK_SPINS = 64 };
#endif

/* rank and name are for the debug build: locks are taken in rising order of rank. */
#if BGI_DEBUG
#define BGI_LOCK_INIT(rank_, name_) {BGI_LOCK_FREE, (rank_), (name_)}
#else
#define BGI_LOCK_INIT(rank_, name_) {BGI_LOCK_FREE}
#endif

BGI_INLINE void bgi_lock_init(bgi_lock *l, unsigned rank, const char *name)
{
    bgi_store(&l->state, BGI_LOCK_FREE);
#if BGI_DEBUG
    l->rank = rank;
    l->name = name;
#endif
    (void)rank;
    (void)name;
}

/* The road of those who find it taken. */
void bgi_lock_acquire_slow(bgi_lock *l);

BGI_INLINE void bgi_lock_acquire(bgi_lock *l)
{
#if BGI_DEBUG
    bgi_rank_acquire(l->rank, l->name);
#endif
    if (bgi_unlikely(!bgi_cas_acquire(&l->state, BGI_LOCK_FREE, BGI_LOCK_HELD))) {
        bgi_lock_acquire_slow(l);
    }
}

/* 1 when the lock was taken, 0 when another holds it. Never waits. */
BGI_INLINE int bgi_lock_try(bgi_lock *l)
{
    if (bgi_load(&l->state) != BGI_LOCK_FREE ||
        !bgi_cas_acquire(&l->state, BGI_LOCK_FREE, BGI_LOCK_HELD)) {
        return 0;
    }
#if BGI_DEBUG
    bgi_rank_acquired_by_try(l->rank, l->name);
#endif
    return 1;
}

BGI_INLINE void bgi_lock_release(bgi_lock *l)
{
#if BGI_DEBUG
    unsigned rank = l->rank; /* noted as held as long as it is; the lock may be gone after that */
    const char *name = l->name;
#endif
    if (bgi_unlikely(!bgi_cas_release(&l->state, BGI_LOCK_HELD, BGI_LOCK_FREE))) {
        (void)bgi_cas_release(&l->state, BGI_LOCK_CONTENDED, BGI_LOCK_FREE);
        (void)bgi_futex_wake(&l->state, 1);
    }
#if BGI_DEBUG
    bgi_rank_release(rank, name);
#endif
}

#endif
