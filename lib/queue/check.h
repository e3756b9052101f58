/*
 * The walkers of the queues. See base/check.h.
 */
#ifndef BGI_QUEUE_CHECK_H
#define BGI_QUEUE_CHECK_H

#include "queue/deque.h"
#include "queue/eventcount.h"
#include "queue/injector.h"
#include "queue/runq.h"

#if BGI_DEBUG

/* The owner, not within another call; thieves may be at work. */
void bgi_deque_check(const bgi_deque *d);

/* Likewise. */
void bgi_runq_check(const bgi_runq *q);

/* Any thread that may take its lock. */
void bgi_injector_check(bgi_injector *q);

/* Any thread that may take its lock; every announced node must lie in a bgi_ec_node. */
void bgi_ec_check(bgi_eventcount *ec);

/* Any thread. */
void bgi_ec_node_check(const bgi_ec_node *node);

#else

BGI_INLINE void bgi_deque_check(const bgi_deque *d)
{
    (void)d;
}

BGI_INLINE void bgi_runq_check(const bgi_runq *q)
{
    (void)q;
}

BGI_INLINE void bgi_injector_check(bgi_injector *q)
{
    (void)q;
}

BGI_INLINE void bgi_ec_check(bgi_eventcount *ec)
{
    (void)ec;
}

BGI_INLINE void bgi_ec_node_check(const bgi_ec_node *node)
{
    (void)node;
}

#endif

#endif
