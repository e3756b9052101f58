/*
 * Who holds a lock, and in which order locks are taken: what debug builds know of locks.
 *
 * Three words of each mutex and read-write lock (for its writer) are for this; release builds leave
 * them alone. The holder, a task or a plain thread, has a list of what it holds, so that a lock it
 * waits for can be related to them (lib/sync/order.c), and a task that ends with one is found out
 * (task/end.c).
 *
 *   owner  0, or who holds it: written by the holder, when it has it and before it gives it up;
 *          compared by others with themselves. Relaxed: nobody else can write what one compares
 *          with.
 */
#ifndef BGI_OWNED_H
#define BGI_OWNED_H

#include "base/atomic.h"

typedef struct bgi_owned {
    bgi_atomic owner;
    struct bgi_owned *next; /* of the holder's list */
    uintptr_t order;        /* its number in the order of all; 0: it has none yet */
} bgi_owned;

/* It follows the wait queue of its lock, which messages name. */
#define BGI_OWNED_OFFSET (2 * sizeof(uintptr_t))

/* Not in the models, which look at what release builds do. */
#if BGI_DEBUG && !defined(BGI_MODEL)
#define BGI_OWNED 1
#else
#define BGI_OWNED 0
#endif

#if BGI_OWNED

/* The caller, task or thread; never 0. */
bgi_word bgi_owned_self(void);

/* The caller is about to wait for it: misuse when it holds it, or when that could deadlock. */
void bgi_owned_before_lock(bgi_owned *o, const char *function);

/* The caller has it. */
void bgi_owned_locked(bgi_owned *o);

/* The caller gives it up, or, `required`, needs to hold it: misuse when it does not. */
void bgi_owned_before_unlock(bgi_owned *o, const char *function);
void bgi_owned_required(const bgi_owned *o, const char *function);

/* It is used no more: its number is free. */
void bgi_owned_destroy(bgi_owned *o);

#else

BGI_INLINE void bgi_owned_before_lock(bgi_owned *o, const char *function)
{
    (void)o;
    (void)function;
}

BGI_INLINE void bgi_owned_locked(bgi_owned *o)
{
    (void)o;
}

BGI_INLINE void bgi_owned_before_unlock(bgi_owned *o, const char *function)
{
    (void)o;
    (void)function;
}

BGI_INLINE void bgi_owned_required(const bgi_owned *o, const char *function)
{
    (void)o;
    (void)function;
}

BGI_INLINE void bgi_owned_destroy(bgi_owned *o)
{
    (void)o;
}

#endif

#endif
