/*
 * Turns: a place that one who comes for its turn enters, when the one before it has passed the turn
 * on. A row of places makes a serial stage (parallel/pipeline.c): each is used by one at a time,
 * and the turn goes from place to place.
 *
 * The word of a place
 *   NOBODY  -> HERE     the one before has left (compare-and-swap, release)
 *   HERE    -> NOBODY   who comes then enters
 *   NOBODY  -> WAITING  who comes is early (compare-and-swap), and waits for the semaphore
 *   WAITING -> NOBODY   the one before has left, and then releases the semaphore
 * Partners: passing on (release) -> entering (acquire): what was done before. When it is WAITING
 * the semaphore orders; NOBODY -> WAITING itself orders nothing, but a look that finds HERE instead
 * does.
 */
#ifndef BGI_PARALLEL_TURN_H
#define BGI_PARALLEL_TURN_H

#include "base/atomic.h"

#include <brigade/sync.h>

enum { BGI_TURN_NOBODY, BGI_TURN_HERE, BGI_TURN_WAITING };

/* On a cache line of its own. */
typedef struct bgi_turn {
    bgi_atomic word;
    bg_sem sem;
    char pad[64 - sizeof(bgi_atomic) - sizeof(bg_sem)];
} bgi_turn;

BGI_INLINE void bgi_turn_init(bgi_turn *t, int is_here)
{
    bgi_store(&t->word, is_here ? BGI_TURN_HERE : BGI_TURN_NOBODY);
    (void)bg_sem_init(&t->sem, 0);
}

/* 1: it is the caller's turn. 0: it will be when the caller has acquired t->sem. */
BGI_INLINE int bgi_turn_enter(bgi_turn *t)
{
    if (bgi_load_acquire(&t->word) != BGI_TURN_HERE &&
        bgi_cas_acquire(&t->word, BGI_TURN_NOBODY, BGI_TURN_WAITING)) {
        return 0;
    }
    bgi_store(&t->word, BGI_TURN_NOBODY);
    return 1;
}

/* It is the turn of who comes, or has come, to that place. */
BGI_INLINE void bgi_turn_pass(bgi_turn *t)
{
    if (!bgi_cas_release(&t->word, BGI_TURN_NOBODY, BGI_TURN_HERE)) {
        bgi_store(&t->word, BGI_TURN_NOBODY);
        (void)bg_sem_release(&t->sem);
    }
}

#endif
