/*
 * Lock ranks, the debug build's proof against deadlock by order: every lock has a rank, and a
 * thread takes locks only in rising order of rank.
 *
 * Each thread keeps a stack of what it holds. Taking a rank that is not above all held ones
 * panics with both names. Locks may be released in any order. A lock taken by a task before it
 * suspends and released by its commit callback stays on one thread, so it needs no more than this.
 *
 * Without BGI_DEBUG the three calls are empty.
 */
#ifndef BGI_RANK_H
#define BGI_RANK_H

#include "base/compiler.h"

/* The ranks, lowest first: all that may be held when a lock is taken stands above it here. */
enum bgi_rank {
    BGI_RANK_TIMERS = 10,
    BGI_RANK_TASKS = 20,
    BGI_RANK_INJECTOR = 30,
    BGI_RANK_EVENTCOUNT = 40,
    BGI_RANK_STACKS = 50,
};

#if BGI_DEBUG

/* Call before the lock is taken, so that the report comes instead of the deadlock. */
void bgi_rank_acquire(unsigned rank, const char *name);

/* Call after a try_lock that succeeded: it cannot deadlock, so any order is allowed. */
void bgi_rank_acquired_by_try(unsigned rank, const char *name);

void bgi_rank_release(unsigned rank, const char *name);

/* How many ranks the calling thread holds. */
unsigned bgi_rank_held(void);

#else

BGI_INLINE void bgi_rank_acquire(unsigned rank, const char *name)
{
    (void)rank;
    (void)name;
}

BGI_INLINE void bgi_rank_acquired_by_try(unsigned rank, const char *name)
{
    (void)rank;
    (void)name;
}

BGI_INLINE void bgi_rank_release(unsigned rank, const char *name)
{
    (void)rank;
    (void)name;
}

BGI_INLINE unsigned bgi_rank_held(void)
{
    return 0;
}

#endif

#endif
