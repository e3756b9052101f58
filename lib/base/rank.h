/*
 * Lock ranks, the debug build's proof against deadlock by order: every lock has a rank, and a
 * thread takes locks only in rising order of rank.
 *
 * Each thread keeps a stack of what it holds. Taking a rank that is not above all held ones
 * panics with both names. Locks may be released in any order. A lock taken by a task before it
 * suspends and released by its commit callback stays on one thread, so it needs no more than this;
 * one that is held still when the commit has run is a bug, which core/fiber.c panics at.
 *
 * Without BGI_DEBUG the calls are empty.
 */
#ifndef BGI_RANK_H
#define BGI_RANK_H

#include "base/compiler.h"

/*
 * The ranks, lowest first: all that may be held when a lock is taken stands above it here. Who
 * takes another one inside, by the code there is:
 *   tables     wait queue, injector, then eventcount: a close wakes who waits, in all runtimes
 *   wait queue ring: a descriptor is closed
 *   gate       wait queue: who was cancelled looks for its node
 *   wait queue timers, injector, then eventcount: a wait with a deadline; a group wakes its members
 *   timers     injector, then eventcount: a timer wakes a task of another runtime
 *   trimming   stacks: a trim looks at the lists
 * Everybody else takes nothing inside; their order is for those to come.
 */
enum bgi_rank {
    BGI_RANK_FD_TABLES = 2, /* of descriptors, of all runtimes */
    BGI_RANK_WAITQ_GATE = 4,
    BGI_RANK_WAITQ = 5,
    BGI_RANK_FORKS = 7,
    BGI_RANK_POOL = 8, /* of threads for blocking calls */
    BGI_RANK_RING = 9, /* of io_uring */
    BGI_RANK_TIMERS = 10,
    BGI_RANK_TASKS = 20,
    BGI_RANK_INJECTOR = 30,
    BGI_RANK_EVENTCOUNT = 40,
    BGI_RANK_TRIMMING = 49,
    BGI_RANK_STACKS = 50,
    BGI_RANK_OVERFLOW = 60,     /* the process's fault handler */
    BGI_RANK_FAILURE_HOOK = 70, /* read and set; the hook is called without it */
    BGI_RANK_PROCESS = 72,      /* of a child */
    BGI_RANK_SIGNALS = 73,      /* who watches them */
    BGI_RANK_TOPOLOGY = 75,
    BGI_RANK_LOCK_ORDER = 80, /* of debug builds */
};

#if BGI_DEBUG

/* Call before the lock is taken, so that the report comes instead of the deadlock. */
void bgi_rank_acquire(unsigned rank, const char *name);

/* Call after a try_lock that succeeded: it cannot deadlock, so any order is allowed. */
void bgi_rank_acquired_by_try(unsigned rank, const char *name);

void bgi_rank_release(unsigned rank, const char *name);

/* How many ranks the calling thread holds. */
unsigned bgi_rank_held(void);

/* The name of the one taken last. */
const char *bgi_rank_top(void);

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
