/*
 * The forks of a worker; see parallel/fork.c.
 */
#ifndef BGI_PARALLEL_FORK_H
#define BGI_PARALLEL_FORK_H

#include "task/task.h"

#include <brigade/fork.h>

/* The task that runs on w is to leave it: all its forks get tasks. The scheduler's `share`. */
void bgi_forks_share(bgi_worker *w);

/* The monitor: the oldest fork of a worker that does not listen gets a task. The scheduler's
 * `take_fork`. */
void bgi_forks_take(bgi_worker *w);

/* Whether what the calling task forks can be run by others at all: not on plain threads, in
 * callbacks and where there is one worker. */
BGI_INLINE int bgi_forks_possible(void)
{
    const bgi_worker *w = bgi_worker_self();
    return w != NULL && w->current != NULL && w->sched->workers > 1;
}

/* bg_detail_fork_slow, by who has just looked at the rough clock: `now`; 0: not. */
void bgi_fork_slow_at(bg_detail_fork *f, bg_time now);

/* bg_fork likewise. */
BGI_INLINE void bgi_fork_at(bg_fork_frame *frame, bg_fn fn, void *arg, bg_time now)
{
    const bg_detail_forks *own = bg_detail_forks_here();
    if (bgi_likely(bgi_load(&own->attention) == 0)) {
        bg_fork(frame, fn, arg);
        return;
    }
    frame->fn = fn;
    frame->arg = arg;
    frame->detail.run = bg_detail_fork_run;
    bgi_fork_slow_at(&frame->detail, now);
}

#endif
