/*
 * The walkers of the scheduler and its timers. See base/check.h.
 */
#ifndef BGI_CORE_CHECK_H
#define BGI_CORE_CHECK_H

#include "core/sched.h"

#if BGI_DEBUG

/* Under the lock of the service, or while nobody else uses it. */
void bgi_timers_check(bgi_timers *s);

/* The worker itself, between two items: its own queues and timers. A wheel with many timers is
 * left out: it would take too long. */
void bgi_worker_check(bgi_worker *w);

/* bgi_sched_check, and: after join nobody runs anything, searches, leads or sleeps. */
void bgi_sched_check_stopped(bgi_sched *s);

#else

BGI_INLINE void bgi_timers_check(bgi_timers *s)
{
    (void)s;
}

BGI_INLINE void bgi_worker_check(bgi_worker *w)
{
    (void)w;
}

BGI_INLINE void bgi_sched_check_stopped(bgi_sched *s)
{
    (void)s;
}

#endif

#endif
