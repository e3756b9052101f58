/*
 * The walker of the waiter's word. See base/check.h.
 */
#ifndef BGI_WAIT_CHECK_H
#define BGI_WAIT_CHECK_H

#include "wait/waiter.h"

#if BGI_DEBUG

/* Any thread, at any moment while the waiter is there: the word may stand in a combination of bits
 * that the transitions lead to. `what` is who waits. */
void bgi_waiter_check(const bgi_waiter *w, const char *what);

/* The waiter itself, between two waits: nobody owes it a signal, and none is left over. */
void bgi_waiter_check_idle(const bgi_waiter *w, const char *what);

#else

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
