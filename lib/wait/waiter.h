/*
 * The waiter: how whoever waits, a task or a plain thread, is woken exactly once.
 *
 * All that blocks is built on this and includes nothing else of the layers above the scheduler.
 * A waiter belongs to a task (it is part of its record) or to a thread's wait (on its stack). It
 * waits for one thing at a time. It is claimed by exactly one of waker, timer and canceller: the
 * one that clears ARMED, who then has to call bgi_waiter_wake.
 *
 * A wait goes like this, off the task's stack (in a commit callback) from step 1 on:
 *   1. register the waiter with the object: from now on a waker may find it;
 *   2. arm. If a waker was faster it has left a signal: the wait is over before it began.
 * Each registration that a waker has taken is paid with exactly one signal, be it by clearing
 * ARMED or, when the waiter is not armed, by adding one to SIGNALS. A waiter that gives up (it was
 * cancelled, or another object was faster) takes its registrations back; those it finds taken are
 * owed to it, and it waits, shielded, for their signals before its memory is used for anything
 * else. So no waker ever touches a waiter that has gone on, and no signal is lost or left over.
 *
 * Who may claim it in a wait is a matter of depth. The scopes around a task (wait/scope.h) are
 * numbered from the outside in, from 1 on; the task itself is 0, and its cancel comes from there. A
 * shield hides all that lies outside of it: a wait within one is armed with the shield's depth as
 * its mask, and a kick from a smaller depth does not claim it.
 *
 * The word
 *   ARMED     (bit 0)      it waits; set by arm, cleared by the claim
 *   KICKED    (bit 1)      a scope around it has expired or was cancelled, or had when last looked;
 *                          whoever waits next looks at its scopes first
 *   CANCEL    (bit 2)      it was cancelled; stays
 *   REASON    (bits 3-4)   who claimed it last: waker, timer, canceller; written with the claim
 *   LOOK      (bit 5)      of the deterministic mode: an operation that finds it is a point at
 * which others may go on first; set when the task is made, stays MASK      (bits 8-31)  with ARMED:
 * kicks from depths below do not claim it; else 0 SIGNALS   (bits 32...) signals that came while it
 * was not armed
 *
 * Transitions (all by compare-and-swap, acquire and release; others' bits are kept)
 *   -         -> ARMED, MASK      arm, when SIGNALS == 0, not KICKED and not (CANCEL and MASK 0);
 *                                 with the mask of all, KICKED and CANCEL do not matter
 *   SIGNALS n -> SIGNALS n-1, REASON waker       arm, n > 0: not armed
 *   CANCEL    -> REASON canceller                arm, MASK 0, not KICKED: not armed
 *   KICKED    -> -                               look: the scopes are looked at after this
 *   -         -> KICKED                          look: one that is hidden now has expired
 *   ARMED     -> REASON waker                    signal, claim: claimed; claim, not armed: nothing
 *   SIGNALS n -> SIGNALS n+1                     signal, not armed
 *   ARMED     -> REASON timer                    expire: claimed; not armed: nothing
 *   any       -> KICKED or CANCEL; and ARMED, depth >= MASK -> REASON canceller: claimed
 *
 * Partners: signal, expire, kick, cancel (release) -> arm, look, or the load of the woken one
 * (acquire): what the waker wrote before is seen after the wait. All operations are
 * read-modify-writes of one word, so there is nothing to fence: a kick either comes before an arm,
 * which then sees it, or after it, and then finds ARMED. A look takes KICKED away before it reads
 * the scopes: one that expires after it was read kicks again.
 *
 * Dropped: a claim by sequence number for stale wakers (a stale waker still reads freed memory);
 * a separate cancel flag (needs a store-load fence in every wait).
 */
#ifndef BGI_WAITER_H
#define BGI_WAITER_H

#include "base/atomic.h"
#include "core/fiber.h"
#include "core/sim.h"

#define BGI_WAITER_ARMED ((bgi_word)1)
#define BGI_WAITER_KICKED ((bgi_word)2)
#define BGI_WAITER_CANCEL ((bgi_word)4)
#define BGI_WAITER_REASON_SHIFT 3
#define BGI_WAITER_REASON ((bgi_word)3 << BGI_WAITER_REASON_SHIFT)
#define BGI_WAITER_LOOK ((bgi_word)32)
#define BGI_WAITER_MASK_SHIFT 8
#define BGI_WAITER_MASK ((bgi_word)0xffffff << BGI_WAITER_MASK_SHIFT)
#define BGI_WAITER_SIGNAL ((bgi_word)1 << 32)

/* The mask of a wait that only its waker ends; above the depth of any scope. */
#define BGI_MASK_ALL ((uint32_t)0xffffff)

_Static_assert(sizeof(bgi_word) == 8, "mask and signals are in one word");

enum bgi_reason { BGI_REASON_NONE, BGI_REASON_WAKER, BGI_REASON_TIMER, BGI_REASON_CANCELLER };

/* The timer is part of it, so that a wait with a deadline allocates nothing, and so
 * that firing a million of them walks through task records, not over as many stacks. */
typedef struct bgi_waiter {
    bgi_atomic state;
    /* Has the waiter go on; called once, by who claimed it; afterwards the waiter may be gone. One
     * that is an item of the scheduler `here` is returned instead, for the caller to queue. */
    bgi_item *(*wake)(struct bgi_waiter *w, bgi_sched *here);
    bgi_timer timer; /* initialised by the wait that uses it */
} bgi_waiter;

_Static_assert(sizeof(bgi_waiter) <= 64, "no more than a cache line");

BGI_INLINE void bgi_waiter_init(bgi_waiter *w, bgi_item *(*wake)(bgi_waiter *w, bgi_sched *here))
{
    bgi_store(&w->state, 0);
    w->wake = wake;
}

/* A waiter whose wake function is set already; look: LOOK in the deterministic mode, else 0. */
BGI_INLINE void bgi_waiter_reset(bgi_waiter *w, bgi_word look)
{
    bgi_store(&w->state, look);
}

/* Who claimed it; for the waiter itself, after its wait. */
BGI_INLINE enum bgi_reason bgi_waiter_reason(const bgi_waiter *w)
{
    return (enum bgi_reason)((bgi_load_acquire(&w->state) & BGI_WAITER_REASON) >>
                             BGI_WAITER_REASON_SHIFT);
}

BGI_INLINE int bgi_waiter_cancelled(const bgi_waiter *w)
{
    return (bgi_load_acquire(&w->state) & BGI_WAITER_CANCEL) != 0;
}

/* What the waiter's word makes of an arm. */
enum bgi_arm {
    BGI_ARM_KICKED = -1, /* nothing done: the scopes are to be looked at first */
    BGI_ARM_OVER = 0,    /* it does not wait, see the reason */
    BGI_ARM_ARMED = 1    /* it waits */
};

/* The waiter's side. `also` is KICKED, to be left in the word when scopes were found expired that
 * the mask hides, or 0. */
BGI_INLINE enum bgi_arm bgi_waiter_arm(bgi_waiter *w, uint32_t mask, bgi_word also)
{
    bgi_word s = bgi_load(&w->state);
    for (;;) {
        bgi_word want = (s & ~BGI_WAITER_REASON) | also;
        enum bgi_arm result = BGI_ARM_OVER;
        if (bgi_unlikely(s >= BGI_WAITER_SIGNAL)) {
            want -= BGI_WAITER_SIGNAL;
            want |= (bgi_word)BGI_REASON_WAKER << BGI_WAITER_REASON_SHIFT;
        } else if (bgi_unlikely((s & BGI_WAITER_KICKED) != 0 && mask != BGI_MASK_ALL)) {
            return BGI_ARM_KICKED;
        } else if (bgi_unlikely((s & BGI_WAITER_CANCEL) != 0 && mask == 0)) {
            want |= (bgi_word)BGI_REASON_CANCELLER << BGI_WAITER_REASON_SHIFT;
        } else {
            want |= BGI_WAITER_ARMED | ((bgi_word)mask << BGI_WAITER_MASK_SHIFT);
            result = BGI_ARM_ARMED;
        }
        bgi_word found = bgi_cas_fetch(&w->state, s, want);
        if (bgi_likely(found == s)) {
            return result;
        }
        s = found;
    }
}

/* A waker that holds a registration: 1 if it claimed the waiter and has to wake it, 0 if it left a
 * signal. In either case it may not touch the waiter again, but to wake it. */
BGI_INLINE int bgi_waiter_signal(bgi_waiter *w)
{
    bgi_word s = bgi_load(&w->state);
    for (;;) {
        int armed = (s & BGI_WAITER_ARMED) != 0;
        bgi_word want = armed ? ((s & ~(BGI_WAITER_ARMED | BGI_WAITER_MASK)) |
                                 ((bgi_word)BGI_REASON_WAKER << BGI_WAITER_REASON_SHIFT))
                              : s + BGI_WAITER_SIGNAL;
        bgi_word found = bgi_cas_fetch(&w->state, s, want);
        if (bgi_likely(found == s)) {
            return armed;
        }
        s = found;
    }
}

BGI_INLINE int bgi_waiter_claim_as(bgi_waiter *w, enum bgi_reason reason)
{
    bgi_word s = bgi_load(&w->state);
    while (bgi_likely((s & BGI_WAITER_ARMED) != 0)) {
        bgi_word want = (s & ~(BGI_WAITER_ARMED | BGI_WAITER_MASK)) |
                        ((bgi_word)reason << BGI_WAITER_REASON_SHIFT);
        bgi_word found = bgi_cas_fetch(&w->state, s, want);
        if (bgi_likely(found == s)) {
            return 1;
        }
        s = found;
    }
    return 0;
}

/* Likewise, but leaves no signal: 0 if it is not armed, or not any more; the registration is still
 * to be paid. */
BGI_INLINE int bgi_waiter_claim(bgi_waiter *w)
{
    return bgi_waiter_claim_as(w, BGI_REASON_WAKER);
}

/* A timer, under the lock of its service: 1 if it claimed the waiter. */
BGI_INLINE int bgi_waiter_expire(bgi_waiter *w)
{
    return bgi_waiter_claim_as(w, BGI_REASON_TIMER);
}

/* A canceller: 1 if it claimed the waiter. The waiter must be known to exist. */
int bgi_waiter_cancel(bgi_waiter *w);

/* A scope of this depth, whose own word says why before this is called: likewise. */
int bgi_waiter_kick(bgi_waiter *w, uint32_t depth);

/* The waiter takes KICKED away, and will then look at its scopes; puts it back when one that is
 * hidden has expired; or ends a wait that it did not begin, unless a signal does. */
void bgi_waiter_unkick(bgi_waiter *w);
void bgi_waiter_rekick(bgi_waiter *w);
void bgi_waiter_fail(bgi_waiter *w);

/* Who claimed it has it go on: a task's item to the next slot, a thread by its futex. */
void bgi_waiter_wake(bgi_waiter *w);

/* The running task waits, hidden from all cancellation, for one signal that is owed to it. */
void bgi_waiter_await_signal(bgi_waiter *w);

/* Its wait, for reports. */
extern const bgi_wait_kind bgi_wait_signal;

/* A plain thread's wait. */
typedef struct bgi_thread_waiter {
    bgi_waiter waiter;
    /*
     * A futex.
     *   0 -> 2     the thread, which then sleeps (relaxed)
     *   0, 2 -> 1  the waker (release) -> the thread (acquire); who finds 2 wakes the futex
     */
    bgi_atomic woken;
} bgi_thread_waiter;

void bgi_thread_waiter_init(bgi_thread_waiter *t);

/* Waits for the signal of a registration made before. */
void bgi_thread_waiter_wait(bgi_thread_waiter *t);

/* Likewise until a point in time: 0 when that has passed before, and the signal is still owed. */
int bgi_thread_waiter_wait_until(bgi_thread_waiter *t, bg_time deadline);

#endif
