/*
 * The door of an object that is entered very often: the LOCK of its wait queue (wait/queue.h), with
 * a bias to one worker.
 *
 * A locked instruction is most of what a channel does for one item. Most channels are used by tasks
 * of one worker for long stretches; where there is one worker, all are. So the door is the lock of
 * arch/bias.h once more, with LOCK as its inner lock. While it is biased, its owner enters with a
 * plain store, a look and no locked instruction. Anybody else enters LOCK, marks the bias as taken
 * away, has a fence issued in the owner's thread (membarrier(2)), and waits until the owner is not
 * inside. From then on all enter LOCK, until the owner has done so often enough without a stranger
 * in between: it then takes the bias back. That is BGI_DOOR_QUIET times at first, and twice as
 * often each time it was taken away, since that may cost 10 us.
 *
 * There is no owner at first. The first worker that enters so often in a row becomes it, for good:
 * a second one would have to know that the first is not about to look. An owner is known by the
 * address of its worker, which is only compared. A later worker at the same address was made when
 * the earlier one's thread had ended, and may stand in for it. Without membarrier(2) the owner's
 * fence would cost what LOCK costs, so there is no owner then.
 *
 * The word `bias`
 *   NONE 0    -> <owner>     by the owner, holding LOCK: biased
 *   <owner>   -> <owner>|1   by a stranger, holding LOCK: taken away
 *   <owner>|1 -> <owner>     by the owner, holding LOCK, after a quiet time
 * The word `inside`, the owner's alone
 *   0 -> 1 -> 0              enters by the fast road, and leaves or stands back
 * Invariant: inside is either the owner, by the fast road, having found itself in `bias` after it
 * had stored 1; or who holds LOCK while `bias` is not an owner, and `inside` was seen 0 after it
 * became so.
 *
 * Why it suffices: Dekker's pattern, as in arch/bias.h. Partners: bias: taken away (relaxed, then
 * the heavy fence) -> the owner's second look, after its light fence; the other stores are seen by
 * LOCK, or by the owner who made them; whoever reads it without either finds no address of its own,
 * whatever it finds. inside: left (release) -> who takes the bias away (acquire). An owner who
 * lowers the mark holds LOCK, and so has seen what was done inside before.
 *
 * By either road the store that leaves is the last touch of the object.
 */
#ifndef BGI_DOOR_H
#define BGI_DOOR_H

#include "wait/queue.h"

/* After how many entries in a row a worker becomes, or is again, the owner. */
#ifndef BGI_DOOR_QUIET /* the models make it tiny */
#define BGI_DOOR_QUIET 1000
#endif
#define BGI_DOOR_PATIENCE 6 /* the doublings at most */

#define BGI_DOOR_TAKEN ((bgi_word)1)

/* All zero is one that nobody has entered. */
typedef struct bgi_door {
    bgi_waitq q; /* first; its word has no value of its own */
    bgi_atomic bias;
    bgi_atomic inside;
    /* Guarded by LOCK. */
    uint32_t last;     /* NONE: who entered last; the low half of the address will do */
    uint32_t quiet;    /* how often in a row the same has, or the owner */
    uint32_t patience; /* how often the bias was taken away, up to BGI_DOOR_PATIENCE */
} bgi_door;

/* How it was entered, which leaving has to know. */
enum bgi_door_way { BGI_DOOR_LOCKED, BGI_DOOR_BIASED };

/* Somebody who is not the owner holds LOCK: takes the bias away. */
void bgi_door_take_away(bgi_door *d, bgi_word bias);

/* The worker, or (NULL) a thread that is none, holds LOCK. */
BGI_INLINE void bgi_door_locked(bgi_door *d, const bgi_worker *here)
{
    bgi_word bias = bgi_load(&d->bias);
    uint32_t id = (uint32_t)(uintptr_t)here;

    if (bias == 0 && d->last != id) {
        d->last = id;
        d->quiet = 0;
    } else if (bias == 0 || bias == ((bgi_word)here | BGI_DOOR_TAKEN)) {
        if (bgi_unlikely(++d->quiet >= (uint32_t)BGI_DOOR_QUIET << d->patience)) {
            d->quiet = 0;
            if (here != NULL && bgi_load(&bgi_fence_asymmetric) != 0) {
                bgi_store(&d->bias, (bgi_word)here);
            }
        }
    } else {
        d->quiet = 0;
        if (bgi_unlikely((bias & BGI_DOOR_TAKEN) == 0)) {
            bgi_door_take_away(d, bias);
        }
    }
}

/* The fast road: 1 if it is open, and the worker inside. */
BGI_INLINE int bgi_door_enter_biased(bgi_door *d, const bgi_worker *here)
{
    if (here == NULL || bgi_load(&d->bias) != (bgi_word)here) {
        return 0;
    }
    bgi_store(&d->inside, 1);
    bgi_fence_light(); /* partner: the heavy fence in bgi_door_take_away */
    if (bgi_likely(bgi_load(&d->bias) == (bgi_word)here)) {
        return 1;
    }
    bgi_store_release(&d->inside, 0);
    return 0;
}

/* The calling thread, whose worker is `here` (or NULL), enters. */
BGI_INLINE enum bgi_door_way bgi_door_enter(bgi_door *d, const bgi_worker *here)
{
    if (bgi_door_enter_biased(d, here)) {
#if BGI_DEBUG
        bgi_rank_acquire(BGI_RANK_WAITQ, "wait queue");
#endif
        return BGI_DOOR_BIASED;
    }
    (void)bgi_waitq_enter(&d->q);
    bgi_door_locked(d, here);
    return BGI_DOOR_LOCKED;
}

/* A further one, by who has entered others and keeps to an order of his own. */
BGI_INLINE enum bgi_door_way bgi_door_enter_another(bgi_door *d, const bgi_worker *here)
{
    if (bgi_door_enter_biased(d, here)) {
#if BGI_DEBUG
        bgi_rank_acquired_by_try(BGI_RANK_WAITQ, "wait queue");
#endif
        return BGI_DOOR_BIASED;
    }
    (void)bgi_waitq_enter_another(&d->q);
    bgi_door_locked(d, here);
    return BGI_DOOR_LOCKED;
}

BGI_INLINE void bgi_door_leave(bgi_door *d, enum bgi_door_way way)
{
    if (way == BGI_DOOR_LOCKED) {
        bgi_waitq_leave(&d->q, 0);
        return;
    }
#if BGI_DEBUG
    bgi_rank_release(BGI_RANK_WAITQ, "wait queue");
#endif
    bgi_store_release(&d->inside, 0);
}

#endif
