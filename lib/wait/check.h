/*
 * The walkers of the waiter's word and of the wait queue. See base/check.h.
 */
#ifndef BGI_WAIT_CHECK_H
#define BGI_WAIT_CHECK_H

#include "wait/queue.h"

#if BGI_DEBUG

/* Any thread, at any moment while the waiter is there: the word may stand in a combination of bits
 * that the transitions lead to. `what` is who waits. */
void bgi_waiter_check(const bgi_waiter *w, const char *what);

/* The waiter itself, between two waits: nobody owes it a signal, and none is left over. */
void bgi_waiter_check_idle(const bgi_waiter *w, const char *what);

/* Who is inside, or when nobody moves: the list is a ring of nodes that have not been taken out,
 * and, when nobody is inside, the word says whether there are any. `what` is the object. */
void bgi_waitq_check(const bgi_waitq *q, const char *what);

#else

BGI_INLINE void bgi_waitq_check(const bgi_waitq *q, const char *what)
{
    (void)q;
    (void)what;
}

BGI_INLINE void bgi_waiter_check(const bgi_waiter *w, const char *what)
{
    (void)w;
    (void)what;
}

BGI_INLINE void bgi_waiter_check_idle(const bgi_waiter *w, const char *what)
{
    (void)w;
    (void)what;
}

#endif

#endif
