/*
 * How a fork is made and joined without a call. Not for direct use.
 *
 * What a task has forked, and nobody else may have yet, hangs in a list of its worker, the newest
 * last. Only the task that runs there writes to it. lib/parallel/fork.c says the rest: there is the
 * partner of each atomic access here, by way of lib/base/atomic.h, which no public header may need.
 */
#ifndef BRIGADE_DETAIL_FORK_H
#define BRIGADE_DETAIL_FORK_H

#include <brigade/types.h>

BG_BEGIN_DECLS

/* A fork: part of what bg_fork and name_fork are given, in the frame of who calls them. */
typedef struct bg_detail_fork {
    struct bg_detail_fork *prev; /* the one made before it, perhaps marked (parallel/fork.c) */
    struct bg_detail_fork *next; /* found out when somebody wants the oldest: a store less here */
    void (*run)(struct bg_detail_fork *self); /* calls the function, and keeps its result */
    struct bg_task *task;                     /* as which others may run it; NULL: nobody may */
    int has_run;
} bg_detail_fork;

/* Of a worker; those of a thread that is none have attention, always. */
typedef struct bg_detail_forks {
    bg_detail_fork *newest;           /* or &oldest; perhaps marked, then the join is not inlined */
    volatile unsigned long attention; /* not 0: the owner is to look at what others want */
    bg_detail_fork oldest;            /* none: what comes before the oldest one */
} bg_detail_forks;

#if defined(__x86_64__) && defined(__LP64__)
static inline bg_detail_forks *bg_detail_forks_here(void)
{
    bg_detail_forks *own;
    /* The address of a thread-local moves with the task, so the compiler must not keep it. */
    __asm__ __volatile__("movq bg_detail_forks_tls@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0"
                         : "=r"(own));
    return own;
}
#else
BG_API bg_detail_forks *bg_detail_forks_here(void);
#endif

BG_API void bg_detail_fork_slow(bg_detail_fork *fork);
BG_API int bg_detail_join_slow(bg_detail_fork *fork);
BG_API int bg_detail_join_look(bg_detail_fork *fork);

static inline void bg_detail_fork_begin(bg_detail_fork *fork, void (*run)(bg_detail_fork *self))
{
    bg_detail_forks *own = bg_detail_forks_here();
    fork->run = run;
    if (__builtin_expect(__atomic_load_n(&own->attention, __ATOMIC_RELAXED) != 0, 0)) {
        bg_detail_fork_slow(fork);
        return;
    }
    fork->prev = own->newest;
    __atomic_store_n(&own->newest, fork, __ATOMIC_RELEASE);
}

/* Whether it has run. If not it never will: the caller runs it. */
static inline int bg_detail_fork_end(bg_detail_fork *fork)
{
    bg_detail_forks *own = bg_detail_forks_here();
    if (__builtin_expect(own->newest != fork, 0)) {
        return bg_detail_join_slow(fork);
    }
    __atomic_store_n(&own->newest, fork->prev, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the processor's part: who looks issues membarrier */
    if (__builtin_expect(__atomic_load_n(&own->attention, __ATOMIC_RELAXED) != 0, 0)) {
        return bg_detail_join_look(fork);
    }
    return 0;
}

BG_END_DECLS

#endif
