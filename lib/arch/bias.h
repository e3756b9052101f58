/*
 * A biased lock: nearly free for the one thread that uses it all the time, correct for others.
 *
 * While the lock is biased its owner enters with a plain store, a look and no locked instruction
 * (about 1 ns against 2 x 5). Anybody else first takes the bias away: it takes the inner lock,
 * raises `shared`, and issues a fence in the owner's thread as well (membarrier(2)), so that either
 * the owner's look sees `shared`, or the stranger sees the owner inside and waits for it to leave.
 * From then on all enter through the inner lock. Strangers are dear only once: the owner takes the
 * bias back after BGI_BIAS_QUIET entries of its own without a stranger in between.
 *
 * Invariant: inside is either the owner alone, entered by the fast road while shared == 0; or the
 * holder of the inner lock, after `shared` was 1 and `inside` was seen 0 since.
 *
 * Why it suffices: Dekker's pattern. Owner: inside = 1; light fence; read shared. Stranger:
 * shared = 1; heavy fence; read inside. The heavy fence puts a full fence in the instruction stream
 * of every running thread of the process, between two instructions, so it meets the owner either
 * before its store (then its look comes after, and sees shared) or after it (then the stranger
 * sees inside). Without membarrier (old kernels, emulators) the light fence is a full fence.
 *
 * State (shared, inside), who moves it:
 *   (0,0) -> (0,1) -> (0,0)   the owner, by the fast road
 *   (0,x) -> (1,x)            a stranger, holding the inner lock
 *   (1,1) -> (1,0)            the owner: leaves, or stands back and takes the inner lock
 *   (1,0) -> (0,0)            the owner, holding the inner lock, after a quiet time
 *
 * Partners: inside: leave (release) -> revoke (acquire). shared: revoke (relaxed, then the heavy
 * fence) -> enter (acquire). After the owner's return to the bias it has held the inner lock, so it
 * has seen all that strangers did.
 *
 * Source: biased locking after Kawachiya et al. (OOPSLA 2002); the asymmetric fence as in the Linux
 * manual page of membarrier(2).
 */
#ifndef BGI_BIAS_H
#define BGI_BIAS_H

#include "arch/lock.h"
#include "base/atomic.h"

#ifndef BGI_BIAS_QUIET /* the models make it tiny */
#define BGI_BIAS_QUIET 1000
#endif

typedef struct bgi_bias {
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic inside; /* owner */
    bgi_atomic shared; /* read by the owner each time, written rarely */
    unsigned quiet;    /* under the inner lock */
    bgi_lock lock;
} bgi_bias;

/* 1 when membarrier works here, so that the light fence is only the compiler's. Goes from 0 to 1 in
 * bgi_fence_setup, if at all, which whoever makes a heavy fence has called before: a light fence
 * that reads the old value is a full one, which suffices with either. Relaxed. */
extern bgi_atomic bgi_fence_asymmetric;

/* Registers the process for membarrier. Any number of times, from any thread. */
void bgi_fence_setup(void);

/* The owner's half of an asymmetric pair. */
BGI_INLINE void bgi_fence_light(void)
{
    if (bgi_likely(bgi_load(&bgi_fence_asymmetric) != 0)) {
        bgi_compiler_barrier();
    } else {
        bgi_fence_full();
    }
}

/* The other half: a full fence here and in every running thread of the process. Takes from 0.1 us
 * (nobody else runs) to 10 us. */
void bgi_fence_heavy(void);

void bgi_bias_init(bgi_bias *b, unsigned rank, const char *name);

int bgi_bias_enter_slow(bgi_bias *b);
void bgi_bias_leave_slow(bgi_bias *b);

/* The owner. Returns what bgi_bias_leave wants back. */
BGI_INLINE int bgi_bias_enter(bgi_bias *b)
{
#if BGI_DEBUG
    bgi_rank_acquire(b->lock.rank, b->lock.name);
#endif
    bgi_store(&b->inside, 1);
    bgi_fence_light();
    if (bgi_likely(bgi_load_acquire(&b->shared) == 0)) {
        return 0;
    }
    return bgi_bias_enter_slow(b);
}

BGI_INLINE void bgi_bias_leave(bgi_bias *b, int how)
{
    if (bgi_likely(how == 0)) {
        bgi_store_release(&b->inside, 0);
#if BGI_DEBUG
        bgi_rank_release(b->lock.rank, b->lock.name);
#endif
    } else {
        bgi_bias_leave_slow(b);
    }
}

/* Anybody but the owner. */
void bgi_bias_enter_stranger(bgi_bias *b);
void bgi_bias_leave_stranger(bgi_bias *b);

#endif
