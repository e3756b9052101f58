/*
 * The walkers of task records. See base/check.h.
 */
#ifndef BGI_TASK_CHECK_H
#define BGI_TASK_CHECK_H

#include "task/task.h"

#if BGI_DEBUG

/* While nobody spawns, ends or frees a task: each record is in one free list or in a legal state.
 */
void bgi_tasks_check(bg_runtime *rt);

/* Likewise, when all have ended: what is not free is DONE. */
void bgi_tasks_check_ended(bg_runtime *rt);

#else

BGI_INLINE void bgi_tasks_check(bg_runtime *rt)
{
    (void)rt;
}

BGI_INLINE void bgi_tasks_check_ended(bg_runtime *rt)
{
    (void)rt;
}

#endif

#endif
